//! One channel of a connection: its state, the message it is receiving, what it has out, and the
//! consumers it knows by tag. It does not know queues or exchanges.
//!
//! ```text
//! Open --error of ours--> Closing --close-ok--> (gone)
//!  |                         |
//!  |                         '-- everything but close and close-ok is dropped
//!  '--close from the client--> Released --broker let go--> (gone)
//! ```

use std::sync::Arc;

use crate::limits::PUBLISH_RUN_COUNT_MAX;
use crate::message::{
    ConsumerKey, Message, MessageRun, Name, Outcome, QueueId, QueueKind, SequenceRange,
};

use super::command::{Effect, Publish, Settle, Way};
use super::confirms::Confirms;
use super::content::Incoming;
use super::traffic::ChannelTraffic;
use super::unsettled::{TagRun, Unsettled, grouped};

/// Where a channel stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum State {
    /// In use.
    Open,
    /// We sent channel.close and wait for close-ok.
    Closing,
    /// The client sent channel.close; close-ok goes out when the broker let go.
    Released,
}

/// What publishes on a channel mean.
#[derive(Debug)]
pub(super) enum Mode {
    /// They are not answered.
    Plain,
    /// They are confirmed.
    Confirm(Confirms),
    /// They wait for tx.commit, as the settlements here do.
    Transaction(Vec<(Outcome, TagRun)>),
}

/// A consumer of this channel.
#[derive(Debug)]
pub(super) struct KnownConsumer {
    pub(super) key: ConsumerKey,
    pub(super) consumer_tag: Name,
    pub(super) no_ack: bool,
    /// The type of the queue it consumes from; none before that is known, and of direct replies.
    pub(super) queue_kind: Option<QueueKind>,
}

/// One channel.
#[derive(Debug)]
pub(super) struct Channel {
    pub(super) number: u16,
    pub(super) state: State,
    pub(super) incoming: Option<Box<Incoming>>,
    pub(super) mode: Mode,
    pub(super) unsettled: Unsettled,
    pub(super) consumers: Vec<KnownConsumer>,
    pub(super) last_queue: Option<Name>,
    /// What came and went on it, which others see.
    pub(super) traffic: Arc<ChannelTraffic>,
    last_consumer_number: u32,
}

impl Channel {
    pub(super) fn new(number: u16) -> Self {
        Self {
            number,
            state: State::Open,
            incoming: None,
            mode: Mode::Plain,
            unsettled: Unsettled::default(),
            consumers: Vec::new(),
            last_queue: None,
            traffic: Arc::default(),
            last_consumer_number: 0,
        }
    }

    /// Hands a complete message on under the channel's mode.
    pub(super) fn publish(
        &mut self,
        message: Message,
        mandatory: bool,
        way: Option<Way>,
        effects: &mut Vec<Effect>,
    ) {
        let (channel, confirm) = (self.number, self.next_confirm());
        // This makes it where it stays. `push` would make it elsewhere and copy it in words, and
        // the last word, of two small fields, would hold the processor up until all is written.
        effects.extend(std::iter::once_with(|| {
            let messages = MessageRun::one(message);
            Effect::Publish(Publish { channel, messages, mandatory, confirm, way })
        }));
    }

    /// The same for one that may go with the last, if that went the same way.
    pub(super) fn publish_alike(
        &mut self,
        message: Message,
        mandatory: bool,
        way: Option<Way>,
        effects: &mut Vec<Effect>,
    ) {
        if let Some(Effect::Publish(last)) = effects.last_mut()
            && way.is_some()
            && last.way == way
            && last.messages.len() < PUBLISH_RUN_COUNT_MAX
        {
            self.next_confirm();
            return last.messages.push(message);
        }
        self.publish(message, mandatory, way, effects);
    }

    /// The number of a publish in confirm mode, else 0.
    fn next_confirm(&mut self) -> u64 {
        match &mut self.mode {
            Mode::Confirm(confirms) => confirms.next(),
            Mode::Plain | Mode::Transaction(_) => 0,
        }
    }

    /// A key that no consumer of this channel had before.
    pub(super) fn next_consumer_key(&mut self) -> ConsumerKey {
        self.last_consumer_number = self.last_consumer_number.wrapping_add(1);
        ConsumerKey { channel: self.number, number: self.last_consumer_number }
    }

    /// The consumer that has this tag.
    pub(super) fn consumer_by_tag(&self, tag: &str) -> Option<&KnownConsumer> {
        self.consumers.iter().find(|consumer| &*consumer.consumer_tag == tag)
    }

    /// The consumer that has this key; keys rise, so the list is in their order.
    pub(super) fn consumer(&self, key: ConsumerKey) -> Option<&KnownConsumer> {
        let index = self.consumers.binary_search_by_key(&key, |consumer| consumer.key).ok()?;
        self.consumers.get(index)
    }

    /// The same, to be changed.
    pub(super) fn consumer_mut(&mut self, key: ConsumerKey) -> Option<&mut KnownConsumer> {
        let index = self.consumers.binary_search_by_key(&key, |consumer| consumer.key).ok()?;
        self.consumers.get_mut(index)
    }

    /// Forgets a consumer.
    pub(super) fn remove_consumer(&mut self, key: ConsumerKey) -> Option<KnownConsumer> {
        let index = self.consumers.binary_search_by_key(&key, |consumer| consumer.key).ok()?;
        Some(self.consumers.remove(index))
    }

    /// Everything that is out goes back, also what a transaction had settled but not committed.
    pub(super) fn release(&mut self) -> Vec<Settle> {
        self.incoming = None;
        self.consumers = Vec::new();
        self.restore_transaction();
        grouped(self.number, Outcome::Failed, self.unsettled.take_all())
    }

    /// Takes the settlements of the transaction, in their order.
    pub(super) fn commit(&mut self) -> Vec<Settle> {
        let Mode::Transaction(settled) = &mut self.mode else { return Vec::new() };
        self.traffic.acks_uncommitted.set(0);
        let mut groups = Vec::new();
        for run in std::mem::take(settled).chunk_by(|left, right| left.0 == right.0) {
            let Some((outcome, ..)) = run.first() else { continue };
            let taken = run.iter().map(|(_, taken)| *taken);
            groups.extend(grouped(self.number, *outcome, taken));
        }
        groups
    }

    /// These deliveries of a queue are settled in vain, also by the transaction of the moment.
    pub(super) fn take_away(&mut self, queue: QueueId, places: &[SequenceRange]) {
        self.unsettled.take_away(queue, places);
        if let Mode::Transaction(settled) = &mut self.mode {
            let runs = std::mem::take(settled);
            settled.extend(runs.into_iter().flat_map(|(outcome, run)| {
                run.without(queue, places).into_iter().map(move |part| (outcome, part))
            }));
        }
    }

    /// Takes back the settlements of a transaction: the deliveries are unsettled again.
    pub(super) fn restore_transaction(&mut self) {
        if let Mode::Transaction(settled) = &mut self.mode {
            let taken = std::mem::take(settled);
            self.traffic.acks_uncommitted.set(0);
            if !taken.is_empty() {
                self.unsettled.restore(taken.into_iter().map(|(_, taken)| taken));
            }
        }
    }
}
