//! Ends of deliveries: ack, nack, reject, recover.

use std::collections::BTreeSet;

use super::{At, Detail, Mode, Oracle, Origin, Outcome, State};
use crate::fact::Fact;

impl Oracle {
    pub(super) fn settle(&mut self, at: At, tag: u64, multiple: bool, outcome: Outcome) {
        let Some(channel) = self.channel_mut(at) else { return };
        let means_all = multiple && tag == 0;
        if !means_all && !channel.unsettled.contains_key(&tag) {
            return self.refuse(at, 406);
        }
        let is_meant = |known: u64| known == tag || (multiple && (tag == 0 || known < tag));
        let tags: Vec<u64> =
            channel.unsettled.keys().copied().filter(|known| is_meant(*known)).collect();
        let taken: Vec<(u64, Origin)> = tags
            .into_iter()
            .filter_map(|tag| channel.unsettled.remove(&tag).map(|origin| (tag, origin)))
            .collect();
        for (tag, _) in &taken {
            channel.claimed.remove(tag);
        }
        if let Mode::Transaction { settled, .. } = &mut channel.mode {
            settled.extend(taken.into_iter().map(|(tag, origin)| (tag, origin, outcome)));
            return;
        }
        self.end_deliveries(at, taken.into_iter().map(|(_, origin)| origin).collect(), outcome);
    }

    pub(super) fn recover(&mut self, at: At, is_async: bool) {
        let Some(channel) = self.channel_mut(at) else { return };
        channel.claimed.clear();
        let origins = std::mem::take(&mut channel.unsettled).into_values().collect();
        self.end_deliveries(at, origins, Outcome::Requeued);
        self.expect_unless(at, is_async, "basic.recover-ok", Detail::None);
    }

    /// What goes back to several queues goes back to one after the other, and credit that the first
    /// sets free may be used before the last is back.
    fn end_deliveries(&mut self, at: At, origins: Vec<Origin>, outcome: Outcome) {
        let queues: BTreeSet<_> = origins.iter().map(|origin| origin.queue).collect();
        if outcome == Outcome::Requeued && queues.len() > 1 {
            self.step.is_scrambled = true;
        }
        for origin in origins {
            self.end_delivery(at, origin, outcome);
        }
    }

    pub(super) fn end_delivery(&mut self, at: At, origin: Origin, outcome: Outcome) {
        if let Some(id) = origin.consumer {
            let consumer = &mut self.consumers[id];
            consumer.unsettled_count = consumer.unsettled_count.saturating_sub(1);
        }
        if let Some(channel) = self.channel(at).map(|channel| channel.id) {
            self.facts.push(Fact::Settled { channel, consumer: origin.consumer });
        }
        let (Some(queue), Some(place)) = (origin.queue, origin.place) else { return };
        let queue = &mut self.queues[queue];
        match outcome {
            Outcome::Requeued => queue.put_back(place),
            Outcome::Accepted | Outcome::Rejected => queue.take(place, State::Gone),
        }
    }

    /// A settlement of these is on its way: nobody sends another.
    pub(crate) fn claim(&mut self, at: At, tag: u64, multiple: bool) {
        let Some(channel) = self.channel_mut(at) else { return };
        let is_meant = |known: &&u64| **known == tag || (multiple && (tag == 0 || **known < tag));
        let tags: Vec<u64> = channel.unsettled.keys().filter(is_meant).copied().collect();
        channel.claimed.extend(tags);
    }
}
