//! What a live queue hands out: runs to the mailboxes of its consumers' sessions, and answers to
//! gets that waited for a body. What it gives to the log is in `queue_log`.

use super::live_queue::Live;
use super::queue_handle::QueueHandle;
use super::queue_latency;
use super::work::Work;
use crate::connection::{Delivered, Event, Reply};
use crate::message::{ConsumerId, Delivery, GetId, QueueId, Run};
use crate::queue::Effect;

impl QueueHandle {
    /// A get that waited for a body has its answer.
    pub(super) fn answer_get(
        &self,
        live: &mut Live,
        get: GetId,
        got: Option<(Delivery, usize)>,
        work: &mut Work,
    ) {
        let Some(at) = live.getters.iter().position(|(waiting, _)| *waiting == get) else { return };
        let (_, getter) = live.getters.remove(at);
        live.count_fetched(getter.no_ack, got.as_ref().map(|(delivery, _)| delivery));
        let reply = got_reply(self.incarnation, getter.no_ack, got);
        let event = Event::Answered { channel: getter.channel, reply };
        let result = getter.mailbox.push(event, &mut work.wakers);
        if let Err(Event::Answered { reply: Reply::Got { delivery, .. }, .. }) = result {
            live.queue.return_unseen(ConsumerId(0), Run::from_iter([delivery]));
        }
    }

    /// A session that is gone gives its run back; the release of the session follows.
    pub(super) fn deliver(&self, live: &mut Live, consumer: ConsumerId, run: Run, work: &mut Work) {
        let Some(subscriber) = live.subscribers.get(&consumer) else {
            return live.queue.return_unseen(consumer, run);
        };
        let redelivered = match live.queue.has_handed_out_again() {
            true => run.iter().filter(|delivery| delivery.is_redelivered).count(),
            false => 0,
        };
        if subscriber.no_ack {
            live.delivered_no_ack += run.len() as u64;
        }
        let first = run.first().and_then(|delivery| live.came_at(delivery.sequence));
        let waited_ms = first.map_or(0, |came_at| work.now.since(came_at));
        self.counts.deliver_ms.add(self.id().0, waited_ms, run.len() as u64);
        queue_latency::note(&mut live.latency, (waited_ms, run.len()), work.now);
        let (key, queue) = (subscriber.key, self.incarnation);
        let delivered = Delivered { consumer: key, queue, run, redelivered };
        let result = subscriber.mailbox.push(Event::Delivered(delivered), &mut work.wakers);
        if let Err(Event::Delivered(delivered)) = result {
            live.queue.return_unseen(consumer, delivered.run);
        }
    }
}

/// Takes runs apart, so that consumers on one channel together get the queue's order. Everything
/// else goes before them, in its order.
pub(super) fn in_order_of_sequences(effects: Vec<Effect>) -> Vec<Effect> {
    let mut deliveries = Vec::new();
    let mut others = Vec::new();
    for effect in effects {
        match effect {
            Effect::Deliver(consumer, run) => {
                deliveries.extend(run.into_iter().map(|delivery| (consumer, delivery)));
            }
            effect => others.push(effect),
        }
    }
    deliveries.sort_by_key(|(_, delivery)| delivery.sequence);
    let singles = deliveries
        .into_iter()
        .map(|(consumer, delivery)| Effect::Deliver(consumer, Run::from_iter([delivery])));
    others.into_iter().chain(singles).collect()
}

/// The answer to a get.
pub(super) fn got_reply(queue: QueueId, no_ack: bool, got: Option<(Delivery, usize)>) -> Reply {
    match got {
        None => Reply::GotEmpty,
        Some((delivery, left)) => {
            let message_count = u32::try_from(left).unwrap_or(u32::MAX);
            Reply::Got { queue, no_ack, delivery, message_count }
        }
    }
}
