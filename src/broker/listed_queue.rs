//! A queue and its consumers, for who looks at them. Each look takes the lock of that queue alone,
//! for as long as it takes to copy some numbers. It decides nothing about who may look.

use std::sync::Arc;

use super::live_queue::{Live, Subscriber};
use super::lock::lock;
use super::queue_handle::QueueHandle;
use super::queue_traffic::{Backlog, QueueTraffic};
use super::shared::Broker;
use super::virtual_host::VirtualHost;
use crate::definitions::QueueDefinition;
use crate::message::queue_options::DeliveryLimit;
use crate::message::{ConsumerId, Moment, Name, QueueId};
use crate::policy::Applied;
use crate::protocol::field::FieldTable;
use crate::queue::{Consumer, Counts, Queue, Report};

/// A queue where it is.
#[derive(Clone, Debug)]
pub struct ListedQueue {
    host: Arc<VirtualHost>,
    pub(super) handle: Arc<QueueHandle>,
}

/// What a queue has, and which consumers stand out.
#[derive(Clone, Debug)]
pub struct QueueReport {
    /// What it has.
    pub held: Report,
    /// Bytes that it takes in RAM, about.
    pub memory_bytes: u64,
    /// What clients published to it and got from it so far.
    pub traffic: QueueTraffic,
    /// How long messages waited for consumers.
    pub backlog: Backlog,
    /// When the next message came, or a little earlier.
    pub next_came_at: Option<Moment>,
    /// When the one came that is out with a consumer and has the lowest place.
    pub unsettled_came_at: Option<Moment>,
    /// When somebody last used it.
    pub used_at: Moment,
    /// The tag of the consumer that has the queue for itself.
    pub exclusive_consumer_tag: Option<Name>,
    /// The tag of the one that is served, of a queue that serves one at a time.
    pub single_active_consumer_tag: Option<Name>,
}

/// A consumer where it is.
#[derive(Clone, Debug)]
pub struct ListedConsumer {
    /// The queue.
    pub queue: ListedQueue,
    /// Its tag.
    pub consumer_tag: Name,
    /// The name of its connection, and its user.
    pub connection: Option<(Name, Name)>,
    /// Its channel.
    pub channel: u16,
    /// Its deliveries need an acknowledgement.
    pub is_acknowledging: bool,
    /// It has the queue for itself.
    pub is_exclusive: bool,
    /// It is served.
    pub is_active: bool,
    /// How many deliveries may be unacknowledged; 0 means any number.
    pub prefetch_count: u32,
    /// As it gave them; nothing where it gave none.
    pub arguments: Option<Arc<FieldTable>>,
}

impl ListedQueue {
    /// The virtual host it is in.
    #[must_use]
    pub fn virtual_host(&self) -> &str {
        &self.host.name
    }

    /// Its number in this life: what is counted of it begins with that.
    #[must_use]
    pub fn incarnation(&self) -> QueueId {
        self.handle.incarnation
    }

    /// As it was declared.
    #[must_use]
    pub fn definition(&self) -> &QueueDefinition {
        &self.handle.definition
    }

    /// Something broke in it, and it is about to be read again.
    #[must_use]
    pub fn is_out_of_service(&self) -> bool {
        self.handle.is_broken()
    }

    /// How many messages and consumers it has.
    #[must_use]
    pub fn counts(&self) -> Counts {
        lock(&self.handle.live).queue.counts()
    }

    /// What clients published to it and got from it so far.
    #[must_use]
    pub fn traffic(&self) -> QueueTraffic {
        self.handle.traffic(&lock(&self.handle.live))
    }

    /// In how many thousandths of the time since an earlier look its consumers could take more at
    /// once, or of the last seconds where somebody looks that often.
    #[must_use]
    pub fn capacity(&self, now: Moment) -> u64 {
        lock(&self.handle.live).capacity(now)
    }

    /// Messages that the log has, of those that wait or are out, and the bytes of their bodies.
    #[must_use]
    pub fn logged(&self) -> (usize, u64) {
        lock(&self.handle.live).queue.logged()
    }

    /// What it has.
    #[must_use]
    pub fn report(&self) -> QueueReport {
        self.report_with(Queue::report)
    }

    /// The same without what the log has: for who looks at very many queues, again and again.
    #[must_use]
    pub fn brief_report(&self) -> QueueReport {
        self.report_with(Queue::brief_report)
    }

    fn report_with(&self, look: fn(&Queue) -> Report) -> QueueReport {
        let live = lock(&self.handle.live);
        let held = look(&live.queue);
        let tag = |id: Option<ConsumerId>| Some(live.subscribers.get(&id?)?.consumer_tag.clone());
        QueueReport {
            memory_bytes: memory_bytes(&held, &self.handle),
            traffic: self.handle.traffic(&live),
            backlog: live.backlog,
            next_came_at: held.next_ready.and_then(|place| live.came_at(place)),
            unsettled_came_at: held.first_unsettled.and_then(|place| live.came_at(place)),
            used_at: live.queue.now(),
            exclusive_consumer_tag: tag(held.exclusive_consumer),
            single_active_consumer_tag: tag(held.active_consumer),
            held,
        }
    }

    /// The policies that apply to it, and what they say.
    #[must_use]
    pub fn policies(&self) -> Option<Applied> {
        self.handle.in_force().map(|in_force| in_force.applied.clone())
    }

    /// How often a message may come back, with what policies say of it.
    #[must_use]
    pub fn delivery_limit(&self) -> DeliveryLimit {
        self.handle.with_options(|options| options.delivery_limit_or_default())
    }

    /// The name of the connection that it belongs to, where that is still there.
    #[must_use]
    pub fn owner(&self, broker: &Broker) -> Option<Name> {
        let sessions = lock(&broker.sessions);
        let mailbox = sessions.get(&self.handle.definition.owner?)?;
        mailbox.client.get().map(|client| client.name.clone())
    }

    /// Its consumers, the oldest first.
    #[must_use]
    pub fn consumers(&self) -> Vec<ListedConsumer> {
        let live = lock(&self.handle.live);
        let Live { queue, subscribers, .. } = &*live;
        let known = queue.consumers().filter_map(|(consumer, is_active)| {
            let subscriber = subscribers.get(&consumer.id)?;
            Some(self.listed(consumer, subscriber, is_active))
        });
        known.collect()
    }

    fn listed(
        &self,
        consumer: &Consumer,
        subscriber: &Subscriber,
        is_active: bool,
    ) -> ListedConsumer {
        let client = subscriber.mailbox.client.get();
        ListedConsumer {
            queue: self.clone(),
            consumer_tag: subscriber.consumer_tag.clone(),
            connection: client.map(|client| (client.name.clone(), client.user.clone())),
            channel: subscriber.key.channel,
            is_acknowledging: !consumer.no_ack,
            is_exclusive: consumer.is_exclusive,
            is_active,
            prefetch_count: consumer.prefetch_count,
            arguments: subscriber.arguments.clone(),
        }
    }
}

/// What a queue takes with its messages and its consumers, but for what the allocator adds.
fn memory_bytes(held: &Report, handle: &QueueHandle) -> u64 {
    let consumers = held.counts.consumers * (size_of::<Consumer>() + size_of::<Subscriber>());
    let itself = size_of::<QueueHandle>() + size_of::<QueueDefinition>();
    held.resident_bytes + (itself + handle.definition.name.len() + consumers) as u64
}

impl Broker {
    /// The queues of a virtual host, in no order; none where it is not there.
    #[must_use]
    pub fn queues(&self, host: &str) -> Vec<ListedQueue> {
        let Some(host) = self.virtual_host(host) else { return Vec::new() };
        let queues = host.all_queues().into_iter();
        queues.map(|handle| ListedQueue { host: host.clone(), handle }).collect()
    }

    /// The queue of this name.
    #[must_use]
    pub fn queue(&self, host: &str, name: &str) -> Option<ListedQueue> {
        let host = self.virtual_host(host)?;
        let handle = host.queue(name)?;
        Some(ListedQueue { host, handle })
    }
}
