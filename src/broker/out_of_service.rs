//! A queue in which something broke: a panic under its lock is a bug of ours, and what the queue
//! has in RAM is trusted no more. The queue is as if it were deleted, so whoever holds it looks it
//! up again, until a new handle with what the log has of it takes its place.
//!
//! ```text
//! in service --panic--> out of service: consumers cancelled, 404, publishes are nacked
//!      ^                      |
//!      |                      | all that it gave to the log is written
//!      +---- read again <-----+    (at once where the log has nothing of it)
//! ```
//!
//! Deliveries of the old life are known by its number of that life; who settles them later finds
//! no queue of that number, as for a deleted one, and they are delivered again.

use std::any::Any;
use std::sync::Arc;

use tracing::{error, info};

use super::durability::Durability;
use super::in_force::InForce;
use super::queue_handle::QueueHandle;
use super::shared::Broker;
use super::virtual_host::VirtualHost;
use super::work::Work;
use crate::message::Resource;
use crate::protocol::reply::ChannelError;
use crate::store::RecoveredQueue;

/// Something broke in the queue, and it is not read again yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct OutOfService;

/// A queue that left service, and what happened.
#[derive(Debug)]
pub(super) struct Broken {
    pub(super) handle: Arc<QueueHandle>,
    pub(super) why: String,
}

impl OutOfService {
    /// What a client is told that asks for the queue: as RabbitMQ does of one that crashed.
    pub(super) fn refusal(self, queue: Resource<'_>) -> ChannelError {
        ChannelError::not_found(format!("{queue} has crashed and failed to restart"))
    }
}

/// What a panic said.
pub(super) fn reason(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().copied();
    let text = text.or_else(|| panic.downcast_ref::<String>().map(String::as_str));
    text.unwrap_or("a panic without words").to_owned()
}

impl Broker {
    /// Sees that queues which left service come back. No lock may be held.
    pub(super) fn mend(&self, work: &mut Work) {
        for Broken { handle, why } in std::mem::take(&mut work.broken) {
            // A queue that is deleted meanwhile need not come back.
            let Some(host) = self.host_with(&handle) else { continue };
            let (queue, virtual_host) = (&*handle.definition.name, &*host.name);
            let (_, has_logged) = handle.left_behind();
            match &self.durability {
                Some(durability) if handle.definition.durable || has_logged => {
                    error!(
                        target: "queue",
                        queue, virtual_host, panic = why,
                        "something broke in the queue: it is out of service until it is read again \
                         from the log; its consumers are cancelled"
                    );
                    durability.read_again(handle, work);
                }
                _ => {
                    error!(
                        target: "queue",
                        queue, virtual_host, panic = why,
                        "something broke in the queue: it is transient and comes back empty; its \
                         consumers are cancelled"
                    );
                    let _ = self.replace(&host, &handle, None);
                }
            }
        }
    }

    /// Reads a queue again of which all is written. False where none is to be read.
    pub(super) fn read_again(&self, durability: &Durability, work: &mut Work) -> bool {
        let Some(handle) = durability.next_to_read_again() else { return false };
        let Some(host) = self.host_with(&handle) else { return true };
        let (next_sequence, _) = handle.left_behind();
        let mut recovered = durability.recover(&handle);
        recovered.next_sequence = recovered.next_sequence.max(next_sequence);
        let messages: u64 = recovered.runs.iter().map(|run| run.range.count()).sum();
        if let Some(again) = self.replace(&host, &handle, Some(recovered)) {
            again.take_up(work);
            info!(
                target: "queue",
                queue = &*handle.definition.name, virtual_host = &*host.name, messages,
                "the queue was read again and is back in service; messages that were only in \
                 memory are lost"
            );
        }
        true
    }

    /// Puts a new life of a queue in the place of one that broke. None where it is deleted.
    fn replace(
        &self,
        host: &VirtualHost,
        broken: &Arc<QueueHandle>,
        recovered: Option<RecoveredQueue>,
    ) -> Option<Arc<QueueHandle>> {
        let durability = self.durability.as_ref();
        // Nobody deletes the queue meanwhile, or tells it anew what it is.
        let definitions = host.definitions();
        let (name, counts) = (host.name.clone(), host.counts.clone());
        let mut handle = if broken.is_waiting_room {
            let definition = broken.definition.clone();
            QueueHandle::waiting_room(definition, name, durability, recovered, counts)
        } else {
            let definition = definitions.queue(&broken.definition.name)?.clone();
            let in_force = InForce::of(&definition, &host.policies());
            QueueHandle::new(definition, name, durability, recovered, in_force, counts)
        };
        handle.incarnation = self.next_queue_id();
        let handle = Arc::new(handle);
        host.replace(broken, handle.clone()).then_some(handle)
    }

    /// The virtual host in which this handle is the live one of its queue.
    fn host_with(&self, handle: &Arc<QueueHandle>) -> Option<Arc<VirtualHost>> {
        self.virtual_host(&handle.virtual_host).filter(|host| host.is_live(handle))
    }
}

#[cfg(test)]
impl Broker {
    /// Breaks a queue from inside, as a bug would.
    pub(crate) fn plant_panic(&self, host: &str, queue: &str) {
        let mut work = Work::default();
        let handle = self.virtual_host(host).and_then(|host| host.queue(queue)).unwrap();
        let broken = handle.with(&mut work, |_| panic!("planted"));
        assert_eq!(broken, Err::<(), _>(OutOfService));
        self.mend(&mut work);
        work.wake();
    }

    /// The next session that receives something breaks.
    pub(crate) fn plant_panic_in_session(&self) {
        self.breaks_session.store(true, std::sync::atomic::Ordering::Release);
    }
}
