//! What a queue is and what it limits, as its declaration says. Not what follows from it.

use super::due::Lifetime;
use super::length_limit::LengthLimit;
use super::ready::Priorities;
use super::retry::Retry;

/// What a queue is told to be. Only what policies set changes while it lives: see
/// [`Queue::configure`](super::Queue::configure).
#[derive(Clone, Debug, Default)]
pub struct QueueTraits {
    /// Goes with its last consumer.
    pub is_auto_delete: bool,
    /// Serves one consumer at a time.
    pub is_single_active: bool,
    /// Where it serves one at a time: who comes with a higher priority takes over.
    pub is_active_by_priority: bool,
    /// Persistent messages are given to the log.
    pub is_durable: bool,
    /// Messages that die go somewhere: they leave the queue when they are there.
    pub has_dead_letters: bool,
    /// Those that find no place stay until they do, and count towards the length.
    pub keeps_dead_letters: bool,
    /// What is delivered again tells how often it came back: it counts that, whatever the way.
    /// Without it, only failures are counted, since they may be limited later.
    pub tells_counts: bool,
    /// No two equal messages are in it at once.
    pub is_unique: bool,
    /// See [`QueueTraits::limited`].
    pub limits: Option<Box<Limits>>,
}

/// What few of the very many queues have that there may be.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Limits {
    /// A message whose delivery fails more often dies.
    pub deliveries: Option<u64>,
    /// How much may be ready.
    pub length: Option<LengthLimit>,
    /// How long messages live.
    pub lifetime: Lifetime,
    /// Messages with a higher priority go first.
    pub priorities: Option<Priorities>,
    /// How long consumers that do not say may hold a delivery; 0 is for ever.
    pub consumer_timeout_ms: Option<u64>,
    /// What comes back waits before it is tried again.
    pub retry: Option<Retry>,
    /// Nothing is given to the log, not even where RAM is short.
    pub stays_in_memory: bool,
}

impl QueueTraits {
    /// The same queue with these limits.
    #[must_use]
    pub fn limited(self, limits: Limits) -> Self {
        let limits = (limits != Limits::default()).then(|| Box::new(limits));
        Self { limits, ..self }
    }

    /// Nothing is given to the log, not even where RAM is short.
    #[must_use]
    pub fn stays_in_memory(&self) -> bool {
        self.limits.as_ref().is_some_and(|limits| limits.stays_in_memory)
    }

    /// A message whose delivery fails more often dies.
    #[must_use]
    pub fn delivery_limit(&self) -> Option<u64> {
        self.limits.as_ref()?.deliveries
    }

    /// How much may be ready.
    #[must_use]
    pub fn length_limit(&self) -> Option<&LengthLimit> {
        self.limits.as_ref()?.length.as_ref()
    }

    /// Which priorities it knows.
    #[must_use]
    pub fn priorities(&self) -> Option<Priorities> {
        self.limits.as_ref()?.priorities
    }

    /// How long consumers that do not say may hold a delivery; 0 is for ever.
    #[must_use]
    pub fn consumer_timeout_ms(&self) -> Option<u64> {
        self.limits.as_ref()?.consumer_timeout_ms
    }

    /// What comes back waits before it is tried again.
    #[must_use]
    pub fn retry(&self) -> Option<Retry> {
        self.limits.as_ref()?.retry
    }

    /// How long messages live.
    #[must_use]
    pub fn lifetime(&self) -> &Lifetime {
        static ENDLESS: Lifetime =
            Lifetime { ttl_ms: None, before: Vec::new(), is_by_delay: false };
        self.limits.as_ref().map_or(&ENDLESS, |limits| &limits.lifetime)
    }
}
