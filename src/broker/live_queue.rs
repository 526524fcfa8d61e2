//! A queue and what the broker keeps beside it, as one lock guards it: whose the consumers are, who
//! waits for a body, what the memory account knows. The lock, and what becomes of effects, are in
//! `queue_handle`.

use std::sync::Arc;

use hashbrown::HashMap;
use smallvec::SmallVec;

use super::mailbox::Mailbox;
use super::message_counts::{MessageCounts, Wait};
use super::pace::{Hold, Pace};
use super::queue_latency::Latency;
use super::queue_traffic::{Backlog, RareCounts};
use super::trail::Trail;
use super::work::Work;
use crate::connection::{Event, Reply};
use crate::limits::{IDLE_QUEUE_SIZE_KEPT, SERVED_QUEUE_SIZE_KEPT};
use crate::message::{ConsumerId, ConsumerKey, GetId, Message, MessageRun, Moment, Name};
use crate::protocol::field::FieldTable;
use crate::queue::{Effect, Fetched, Queue, Resident};
use crate::store::Position;

/// A consumer's session and where in it the consumer is.
#[derive(Clone, Debug)]
pub(super) struct Subscriber {
    pub(super) mailbox: Arc<Mailbox>,
    pub(super) key: ConsumerKey,
    pub(super) consumer_tag: Name,
    /// It acknowledges nothing.
    pub(super) no_ack: bool,
    /// As it gave them, for listings; nothing where it gave none.
    pub(super) arguments: Option<Arc<FieldTable>>,
}

/// A get that waits for a body.
#[derive(Clone, Debug)]
pub(super) struct Getter {
    pub(super) mailbox: Arc<Mailbox>,
    pub(super) channel: u16,
    pub(super) no_ack: bool,
}

/// What the lock guards.
#[derive(Debug, Default)]
pub(super) struct Live {
    pub(super) queue: Queue,
    pub(super) subscribers: HashMap<ConsumerId, Subscriber, foldhash::fast::FixedState>,
    /// Gets that wait for a body: few queues ever have one.
    pub(super) getters: Vec<(GetId, Getter)>,
    pub(super) effects: Vec<Effect>,
    /// Two consumers are, or were, on one channel.
    pub(super) has_neighbors: bool,
    /// What the memory account knows of it.
    pub(super) counted: Resident,
    /// It is on the list of queues that hold bodies.
    pub(super) is_listed: bool,
    /// What it held after it last looked for bodies to forget.
    pub(super) kept: u64,
    /// How fast its consumers are, and publishers that wait for them.
    pub(super) pace: Pace,
    pub(super) held: Vec<Arc<Hold>>,
    /// The log has, or had, messages of it.
    pub(super) has_logged: bool,
    /// Where in the log messages stand that were given to it late, behind later ones: before they
    /// are in a file, no body is forgotten.
    pub(super) late_until: Position,
    /// Where in the log its last fact stands.
    pub(super) appended_at: Position,
    /// So many messages of this step were not taken because their equals are there.
    pub(super) equals_met: usize,
    /// So many of its messages are counted as waiting.
    pub(super) waiting_count: usize,
    /// When it is looked at by itself.
    pub(super) wakes_at: Option<Moment>,
    /// Messages that clients published to it, and those that they acknowledged.
    pub(super) published: u64,
    pub(super) acknowledged: u64,
    /// Messages that went to consumers that acknowledge nothing.
    pub(super) delivered_no_ack: u64,
    /// What went out again, was fetched or read back, or is watched: of few queues.
    pub(super) rare: Option<Box<RareCounts>>,
    /// How long messages waited for consumers.
    pub(super) backlog: Backlog,
    /// How long each waited, where somebody asks for that.
    pub(super) latency: Option<Box<Latency>>,
    /// When its messages came; nothing where none ever did.
    pub(super) trail: Option<Box<Trail>>,
    /// When somebody last used it, but for publishing; 0 where nobody looked yet.
    pub(super) used_at: Moment,
    /// A panic is planted for the next step.
    #[cfg(test)]
    pub(super) breaks: bool,
}

impl Live {
    /// Somebody used it: the time after which it expires begins anew.
    pub(super) fn touch(&mut self) {
        self.used_at = self.queue.now();
    }

    /// When it is to be looked at, where that is earlier than it would be; and when that was.
    pub(super) fn new_deadline(&mut self) -> Option<(Moment, Option<Moment>)> {
        let at = self.queue.deadline()?;
        if self.wakes_at.is_some_and(|known| known <= at) {
            return None;
        }
        Some((at, self.wakes_at.replace(at)))
    }

    /// Counts messages that wait, where these are others than before.
    pub(super) fn count_waiting(&mut self, wait: Wait, counts: &MessageCounts) {
        let now = match wait {
            Wait::Delay => self.queue.counts().ready,
            Wait::Retry => self.queue.delayed_retry_count(),
        };
        if now != self.waiting_count {
            counts.waiting(wait, self.waiting_count, now);
            self.waiting_count = now;
        }
    }

    /// What a queue keeps in RAM though it is on disk.
    pub(super) fn size_kept(&self) -> u64 {
        let is_served = self.queue.counts().consumers > 0;
        if is_served { SERVED_QUEUE_SIZE_KEPT } else { IDLE_QUEUE_SIZE_KEPT }
    }

    /// Adds messages that were published. `numbers` are theirs where the queue may refuse some:
    /// gives those of the refused. Whoever does not know that it may has them all taken: it would
    /// confirm what was refused.
    pub(super) fn take_in(
        &mut self,
        runs: SmallVec<[MessageRun; 1]>,
        numbers: Option<&[(u16, u64)]>,
    ) -> Vec<(u16, u64)> {
        let mut refused = Vec::new();
        let mut first = 0;
        for run in runs {
            if self.queue.is_gone() {
                break;
            }
            let places = first..first + run.len();
            first = places.end;
            self.published += run.len() as u64;
            let left = self.without_equals(run);
            let Some(run) = left else { continue };
            let Some(numbers) = numbers else {
                self.queue.enqueue_run(run);
                continue;
            };
            let is_whole = run.len() == places.len();
            let refused_places = self.queue.offer_run(run, &mut self.effects);
            match is_whole || refused_places.is_empty() {
                true => refused.extend(
                    refused_places.iter().filter_map(|place| numbers.get(places.start + place)),
                ),
                // The equals of one that is refused are refused with it.
                false => refused.extend(numbers.get(places).unwrap_or_default()),
            }
        }
        refused
    }

    /// Adds dead letters of another queue, one a run; gives the numbers of those that it has no
    /// room for, or all where it is gone. Those may be kept where they come from.
    pub(super) fn take_over(
        &mut self,
        runs: SmallVec<[MessageRun; 1]>,
        numbers: &[u64],
        is_kept: bool,
    ) -> Vec<u64> {
        if self.queue.is_gone() {
            return numbers.to_vec();
        }
        let mut refused = Vec::new();
        for (run, number) in runs.into_iter().zip(numbers) {
            let Some(run) = self.without_equals(run) else { continue };
            if !self.queue.accept(run, is_kept, &mut self.effects) {
                refused.push(*number);
            }
        }
        refused
    }

    /// Adds a message where there is room for it, and nobody waits to hear; tells whether it is
    /// there, or its equal.
    pub(super) fn offer(&mut self, message: Message) -> bool {
        match self.without_equals(MessageRun::one(message)) {
            Some(run) => self.queue.offer_run(run, &mut self.effects).is_empty(),
            None => true,
        }
    }

    /// Without those that have an equal in the queue: nobody misses them, and who is told that they
    /// came is told so when their equal is on disk.
    fn without_equals(&mut self, run: MessageRun) -> Option<MessageRun> {
        let count = run.len();
        let left = self.queue.without_equals(run);
        self.equals_met += count - left.as_ref().map_or(0, MessageRun::len);
        left
    }

    /// Fetches one message; who must wait for its body is remembered.
    pub(super) fn get(&mut self, no_ack: bool, get: GetId, getter: Getter) -> Fetched {
        self.touch();
        let fetched = self.queue.get(no_ack, get);
        match &fetched {
            Fetched::Later => self.getters.push((get, getter)),
            Fetched::Empty => self.count_fetched(no_ack, None),
            Fetched::Got(delivery, _) => self.count_fetched(no_ack, Some(delivery)),
        }
        fetched
    }

    /// It is gone: gets that wait find nothing. Tells whether the log knew of it.
    pub(super) fn leave(&mut self, work: &mut Work) -> bool {
        for (_, Getter { mailbox, channel, .. }) in std::mem::take(&mut self.getters) {
            let event = Event::Answered { channel, reply: Reply::GotEmpty };
            // Who left needs no answer.
            let _ = mailbox.push(event, &mut work.wakers);
        }
        self.has_logged
    }

    /// Effects of a step that are carried out when it ends.
    #[cfg(test)]
    pub(super) fn put_off(&mut self, effects: Vec<Effect>) {
        self.effects.extend(effects);
    }

    /// Knows where a new consumer's deliveries go.
    pub(super) fn subscribe(&mut self, id: ConsumerId, subscriber: Subscriber) {
        self.has_neighbors |= self.subscribers.values().any(|other| {
            other.key.channel == subscriber.key.channel
                && Arc::ptr_eq(&other.mailbox, &subscriber.mailbox)
        });
        self.subscribers.insert(id, subscriber);
    }

    /// Takes a consumer out.
    pub(super) fn unsubscribe(&mut self, id: ConsumerId) {
        self.touch();
        self.subscribers.remove(&id);
        self.queue.unsubscribe(id, &mut self.effects);
    }
}
