//! Publishes: what is refused, where a message goes, and what confirm mode and transactions make of
//! it.

use std::collections::BTreeMap;

use super::{At, Choice, Detail, Mode, Oracle, Outcome, Pending, ReplyPlace};
use crate::fact::Fact;
use crate::operation::{Publish, REPLY_TO};

impl Oracle {
    pub(super) fn publish(&mut self, at: At, publish: &Publish) {
        if publish.immediate {
            return self.refuse_connection(at, 540);
        }
        let confirm = self.next_confirm(at);
        let Some(exchange) = self.topology.exchanges.get(&publish.exchange) else {
            return self.refuse(at, 404);
        };
        if exchange.internal {
            return self.refuse(at, 403);
        }
        let reply_consumer = self.channel(at).and_then(|channel| channel.reply_consumer);
        if publish.bad_expiration || (publish.wants_reply && reply_consumer.is_none()) {
            return self.refuse(at, 406);
        }
        if let (true, Some(consumer)) = (publish.wants_reply, reply_consumer) {
            self.requests.insert(publish.message, ReplyPlace { at, consumer });
        }
        if publish.exchange.is_empty() && publish.routing_key.starts_with(REPLY_TO) {
            return self.publish_reply(at, publish, confirm);
        }
        self.publish_routed(at, publish, confirm);
    }

    fn next_confirm(&mut self, at: At) -> Option<u64> {
        match &mut self.channel_mut(at)?.mode {
            Mode::Confirm { last } => {
                *last += 1;
                Some(*last)
            }
            Mode::Plain | Mode::Transaction { .. } => None,
        }
    }

    fn publish_routed(&mut self, at: At, publish: &Publish, confirm: Option<u64>) {
        let Publish { message, exchange, mandatory, .. } = publish;
        let (message, mandatory) = (*message, *mandatory);
        let route =
            self.topology.route(message, exchange, &publish.keys(), publish.header.as_deref());
        let known = |name: &String| self.names.get(name).copied();
        let queues: Vec<usize> = route.queues.iter().filter_map(known).collect();
        let choice: Vec<usize> = route.choice.iter().filter_map(known).collect();
        let channel = self.channel_mut(at);
        if let Some(Mode::Transaction { publishes, .. }) = channel.map(|channel| &mut channel.mode)
        {
            publishes.push(Pending { message, queues, mandatory });
            return;
        }
        let returns = mandatory && queues.is_empty() && choice.is_empty();
        for queue in &queues {
            self.queues[*queue].push(message, None);
        }
        self.choose(message, &queues, &choice);
        self.published(at, message, confirm, returns);
    }

    fn published(&mut self, at: At, message: u64, confirm: Option<u64>, returns: bool) {
        let Some(channel) = self.channel(at).map(|channel| channel.id) else { return };
        self.facts.push(Fact::Published { channel, message, confirm, returns });
    }

    /// One of several queues got it, and the oracle cannot tell which.
    fn choose(&mut self, message: u64, queues: &[usize], candidates: &[usize]) {
        let others: Vec<usize> =
            candidates.iter().copied().filter(|queue| !queues.contains(queue)).collect();
        let may_be_none = others.len() < candidates.len();
        if let ([only], false) = (others.as_slice(), may_be_none) {
            self.queues[*only].push(message, None);
            return;
        }
        let choice = self.choices.len();
        let mut open = BTreeMap::new();
        for queue in others {
            open.insert(queue, self.queues[queue].push(message, Some(choice)));
            self.doubtful.insert(queue);
        }
        self.choices.push(Choice { open, may_be_none });
    }

    /// An answer goes straight to who waits for it, or nowhere.
    fn publish_reply(&mut self, at: At, publish: &Publish, confirm: Option<u64>) {
        let place = self.reply_keys.get(&publish.routing_key).copied();
        let mut is_routed = false;
        if let Some(ReplyPlace { at: target, consumer }) = place
            && !self.consumers[consumer].is_ended
            && let Some(channel) = self.channel_mut(target)
        {
            channel.replies_due.push(publish.message);
            is_routed = true;
        }
        self.published(at, publish.message, confirm, publish.mandatory && !is_routed);
    }

    pub(super) fn select_confirm(&mut self, at: At, nowait: bool) {
        let Some(channel) = self.channel_mut(at) else { return };
        match channel.mode {
            Mode::Transaction { .. } => return self.refuse(at, 406),
            Mode::Plain => channel.mode = Mode::Confirm { last: 0 },
            Mode::Confirm { .. } => {}
        }
        self.expect_unless(at, nowait, "confirm.select-ok", Detail::None);
    }

    pub(super) fn select_transaction(&mut self, at: At) {
        let Some(channel) = self.channel_mut(at) else { return };
        match channel.mode {
            Mode::Confirm { .. } => return self.refuse(at, 406),
            Mode::Plain => {
                channel.mode = Mode::Transaction { publishes: Vec::new(), settled: Vec::new() };
            }
            Mode::Transaction { .. } => {}
        }
        self.expect(at, "tx.select-ok", Detail::None);
    }

    pub(super) fn commit(&mut self, at: At) {
        let Some(Mode::Transaction { publishes, settled }) =
            self.channel_mut(at).map(|channel| &mut channel.mode)
        else {
            return self.refuse(at, 406);
        };
        let (publishes, settled) = (std::mem::take(publishes), std::mem::take(settled));
        for Pending { message, queues, mandatory } in publishes {
            for queue in &queues {
                if self.queues[*queue].is_alive {
                    self.queues[*queue].push(message, None);
                }
            }
            self.published(at, message, None, mandatory && queues.is_empty());
        }
        if settled.iter().any(|(.., outcome)| *outcome == Outcome::Requeued) {
            self.step.is_scrambled = true;
        }
        for (_, origin, outcome) in settled {
            self.end_delivery(at, origin, outcome);
        }
        self.expect(at, "tx.commit-ok", Detail::None);
    }

    pub(super) fn roll_back(&mut self, at: At) {
        let Some(channel) = self.channel_mut(at) else { return };
        let Mode::Transaction { publishes, settled } = &mut channel.mode else {
            return self.refuse(at, 406);
        };
        publishes.clear();
        channel.unsettled.extend(settled.drain(..).map(|(tag, origin, _)| (tag, origin)));
        self.expect(at, "tx.rollback-ok", Detail::None);
    }
}
