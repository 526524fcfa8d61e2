//! Consumers: consume, cancel, qos, and get, which needs none.

use super::{At, Channel, Consumer, Detail, Oracle};
use crate::fact::{Fact, Kind};
use crate::operation::{Consume, REPLY_TO};

impl Oracle {
    pub(super) fn consume(&mut self, at: At, consume: &Consume) {
        let Some(channel) = self.channel(at) else { return };
        let known = channel.consumers.get(&consume.consumer_tag);
        if known.is_some_and(|id| !self.consumers[*id].is_ended) {
            return self.refuse_connection(at, 530);
        }
        let queue = if consume.queue == REPLY_TO {
            if channel.reply_consumer.is_some() {
                return self.refuse(at, 406);
            }
            None
        } else {
            match self.check_queue(at, consume) {
                Ok(queue) => Some(queue),
                Err(code) => return self.refuse(at, code),
            }
        };
        let consumer = self.add_consumer(at, consume, queue);
        self.expect_unless(at, consume.nowait, "basic.consume-ok", Detail::Consume { consumer });
    }

    fn check_queue(&self, at: At, consume: &Consume) -> Result<usize, u16> {
        let queue = self.names.get(&consume.queue).copied().ok_or(404_u16)?;
        if self.is_locked(at, queue) {
            return Err(405);
        }
        let known = &self.queues[queue];
        let has_exclusive = known.consumers.iter().any(|id| self.consumers[*id].is_exclusive);
        let wants_all = consume.exclusive && (!known.consumers.is_empty() || known.single_active);
        if has_exclusive || wants_all { Err(403) } else { Ok(queue) }
    }

    fn add_consumer(&mut self, at: At, consume: &Consume, queue: Option<usize>) -> usize {
        let id = self.consumers.len();
        let prefetch_count = self.channel(at).map_or(0, |channel| channel.prefetch_count);
        self.consumers.push(Consumer {
            at,
            consumer_tag: consume.consumer_tag.clone(),
            queue,
            is_ended: false,
            no_ack: consume.no_ack,
            is_exclusive: consume.exclusive,
            prefetch_count,
            is_told: consume.nowait,
            unsettled_count: 0,
        });
        if let Some(queue) = queue {
            self.queues[queue].consumers.push(id);
        }
        if let Some(channel) = self.channel_mut(at) {
            channel.consumers.insert(consume.consumer_tag.clone(), id);
            if queue.is_none() {
                channel.reply_consumer = Some(id);
            }
        }
        id
    }

    pub(super) fn cancel(&mut self, at: At, consumer_tag: &str, nowait: bool) {
        let known = self.channel(at).and_then(|channel| channel.consumers.get(consumer_tag));
        if let Some(id) = known.copied() {
            // What is on its way to it still comes, so it takes nothing along.
            self.end_consumer(id);
        }
        self.expect_unless(at, nowait, "basic.cancel-ok", Detail::None);
    }

    pub(super) fn set_prefetch(&mut self, at: At, prefetch_count: u16, global: bool) {
        let Some(channel) = self.channel_mut(at) else { return };
        if !global {
            channel.prefetch_count = prefetch_count;
            return self.expect(at, "basic.qos-ok", Detail::None);
        }
        channel.limit = prefetch_count;
        let id = channel.id;
        self.facts.push(Fact::Limited { channel: id, prefetch_count, is_answered: false });
        self.expect(at, "basic.qos-ok", Detail::Limit { prefetch_count });
    }

    pub(super) fn get(&mut self, at: At, name: &str, no_ack: bool) {
        let Some(queue) = self.names.get(name).copied() else { return self.refuse(at, 404) };
        if self.is_locked(at, queue) || self.queues[queue].single_active {
            return self.refuse(at, 405);
        }
        let is_exact = self.is_exact(queue);
        let answers = vec![Kind::Named("basic.get-ok"), Kind::Named("basic.get-empty")];
        self.expect_one(at, answers, Detail::Get { queue, no_ack, is_exact });
    }

    /// The consumer could take one more.
    pub(super) fn has_room(&self, id: usize) -> bool {
        let consumer = &self.consumers[id];
        let Some(channel) = self.channel(consumer.at) else { return false };
        if consumer.no_ack {
            return true;
        }
        let count = |id: &usize| self.consumers[*id].unsettled_count;
        let on_channel: u16 = channel.consumers.values().map(count).sum();
        let allows = |limit: u16, count: u16| limit == 0 || count < limit;
        allows(consumer.prefetch_count, consumer.unsettled_count)
            && allows(channel.limit, on_channel)
    }
}

impl Channel {
    /// It has a consumer of direct replies.
    pub(crate) fn waits_for_replies(&self) -> bool {
        self.reply_consumer.is_some()
    }
}
