//! A live queue: the machine behind its lock, and the sessions its consumers belong to. Effects are
//! carried out under the lock, so that what a consumer gets is in the queue's order.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use hashbrown::HashMap;

use super::lock::lock;
use super::mailbox::Mailbox;
use super::work::Work;
use crate::connection::{Delivered, Event};
use crate::definitions::QueueDefinition;
use crate::message::queue_options::DeliveryLimit;
use crate::message::{ConsumerId, ConsumerKey, QueueId, Run};
use crate::queue::{Effect, Queue, QueueTraits};

/// A consumer's session and where in it the consumer is.
#[derive(Clone, Debug)]
pub(super) struct Subscriber {
    pub(super) mailbox: Arc<Mailbox>,
    pub(super) key: ConsumerKey,
}

/// A queue and its lock.
#[derive(Debug)]
pub(super) struct QueueHandle {
    pub(super) definition: Arc<QueueDefinition>,
    is_gone: AtomicBool,
    live: Mutex<Live>,
}

/// What the lock guards.
#[derive(Debug, Default)]
pub(super) struct Live {
    pub(super) queue: Queue,
    pub(super) subscribers: HashMap<ConsumerId, Subscriber, foldhash::fast::FixedState>,
    effects: Vec<Effect>,
    /// Two consumers are, or were, on one channel.
    has_neighbors: bool,
}

impl QueueHandle {
    pub(super) fn new(definition: Arc<QueueDefinition>) -> Self {
        let traits = QueueTraits {
            is_auto_delete: definition.auto_delete,
            is_single_active: definition.options.single_active_consumer,
            delivery_limit: match definition.options.delivery_limit_or_default() {
                DeliveryLimit::Returns(count) => Some(count),
                DeliveryLimit::Unlimited => None,
            },
            is_durable: false,
        };
        let live = Live { queue: Queue::new(traits), ..Live::default() };
        Self { definition, is_gone: AtomicBool::new(false), live: Mutex::new(live) }
    }

    pub(super) fn id(&self) -> QueueId {
        self.definition.id
    }

    /// It was deleted: who holds this looks the name up again.
    pub(super) fn is_gone(&self) -> bool {
        self.is_gone.load(Ordering::Acquire)
    }

    /// Marks it deleted for those who do not want to take the lock.
    pub(super) fn mark_gone(&self) {
        self.is_gone.store(true, Ordering::Release);
    }

    /// Does something with the queue, then hands out what can be delivered.
    pub(super) fn with<R>(
        self: &Arc<Self>,
        work: &mut Work,
        step: impl FnOnce(&mut Live) -> R,
    ) -> R {
        let mut live = lock(&self.live);
        let result = step(&mut live);
        self.dispatch(&mut live, work);
        result
    }

    fn dispatch(self: &Arc<Self>, live: &mut Live, work: &mut Work) {
        let mut effects = std::mem::take(&mut live.effects);
        live.queue.dispatch(&mut effects);
        if live.has_neighbors {
            effects = in_order_of_sequences(effects);
        }
        for effect in effects.drain(..) {
            match effect {
                Effect::Deliver(consumer, run) => self.deliver(live, consumer, run, work),
                Effect::Expire => work.expired.push(Arc::clone(self)),
                // Nothing is logged, so nothing is on disk only.
                Effect::Append(_) | Effect::Fetch(_) | Effect::Got { .. } => {}
            }
        }
        live.effects = effects;
    }

    /// A session that is gone gives its run back; the release of the session follows.
    fn deliver(&self, live: &mut Live, consumer: ConsumerId, run: Run, work: &mut Work) {
        let Some(subscriber) = live.subscribers.get(&consumer) else {
            return live.queue.return_unseen(consumer, run);
        };
        let delivered = Delivered { consumer: subscriber.key, queue: self.id(), run };
        let result = subscriber.mailbox.push(Event::Delivered(delivered), &mut work.wakers);
        if let Err(Event::Delivered(delivered)) = result {
            live.queue.return_unseen(consumer, delivered.run);
        }
    }
}

/// Takes runs apart, so that consumers on one channel together get the queue's order. Everything
/// else goes before them, in its order.
fn in_order_of_sequences(effects: Vec<Effect>) -> Vec<Effect> {
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

impl Live {
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
        self.subscribers.remove(&id);
        self.queue.unsubscribe(id, &mut self.effects);
    }
}
