//! What all resources share: the broker, and the wait for the disk.

use std::future::poll_fn;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::task::Poll;

use super::ManagementOptions;
use super::auth_attempts::Attempts;
use super::caller::Caller;
use super::description::Description;
use super::refusal::Refusal;
use super::samples::Samples;
use crate::broker::{Author, Broker, DeclarationResult};
use crate::definitions::PasswordHash;
use crate::message::Moment;

/// The state of every handler.
pub(super) type Shared = Arc<Api>;

/// The broker that is asked about.
#[derive(Debug)]
pub(super) struct Api {
    pub(super) broker: Arc<Broker>,
    pub(super) options: ManagementOptions,
    /// What was seen at earlier looks.
    pub(super) samples: Samples,
    /// The API itself, as programs read it.
    pub(super) description: Description,
    pub(super) attempts: Attempts,
    /// How many began to watch events.
    pub(super) watchers: AtomicU64,
}

impl Api {
    pub(super) fn new(
        broker: Arc<Broker>,
        options: ManagementOptions,
        description: Description,
    ) -> Self {
        Self {
            broker,
            options,
            description,
            attempts: Attempts::default(),
            samples: Samples::default(),
            watchers: AtomicU64::new(0),
        }
    }

    /// The broker in the hands of who asks.
    pub(super) fn by<'a>(&'a self, caller: &'a Caller) -> Author<'a> {
        self.broker.by(&caller.user.name)
    }

    pub(super) fn now(&self) -> Moment {
        (self.options.clock)()
    }

    /// Waits until what was declared is on disk. Where nothing changed, it may be somebody else's
    /// change of just before that this relies on.
    pub(super) async fn stored(&self, declared: DeclarationResult) -> Result<(), Refusal> {
        declared?;
        let position = self.broker.changed_at();
        let stored = poll_fn(|context| match self.broker.is_stored(position, context.waker()) {
            Ok(true) => Poll::Ready(Ok(())),
            Ok(false) => Poll::Pending,
            Err(why) => Poll::Ready(Err(Refusal::NotStored(why))),
        });
        stored.await
    }

    /// The hash of a new password, which may be the one that the user has already.
    pub(super) async fn hash(&self, user: Option<&str>, password: &str) -> PasswordHash {
        let hash = self.broker.begin_hash(user, password);
        let made = poll_fn(|context| hash.poll(context.waker()).map_or(Poll::Pending, Poll::Ready));
        made.await
    }

    /// There is one node.
    pub(super) fn check_node(&self, node: &str) -> Result<(), Refusal> {
        if node == self.options.node { Ok(()) } else { Err(Refusal::NotFound) }
    }

    /// A virtual host that is looked at is there.
    pub(super) fn check_host(&self, host: &str) -> Result<(), Refusal> {
        self.broker.host_definition(host).map(|_| ()).ok_or(Refusal::NotFound)
    }
}
