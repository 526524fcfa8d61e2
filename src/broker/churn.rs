//! What comes and goes: connections, channels, publishers, queues, and who tries to log in. It is
//! counted where it happens and walks over nothing; it decides nothing and knows no names.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// How much came and went so far.
#[derive(Debug, Default)]
pub(super) struct Churn {
    connections: Passing,
    channels: Passing,
    publishers: Passing,
    queues_declared: AtomicU64,
    queues_created: AtomicU64,
    queues_deleted: AtomicU64,
    logins_succeeded: AtomicU64,
    logins_failed: AtomicU64,
}

/// The same at one moment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ChurnFigures {
    /// Connections that entered a virtual host.
    pub connections: Passed,
    /// Channels of clients.
    pub channels: Passed,
    /// Channels on which something was published.
    pub publishers: Passed,
    /// Declarations of queues, whether or not the queue was there.
    pub queues_declared: u64,
    /// Those that made a queue.
    pub queues_created: u64,
    /// Queues that went, for whatever reason.
    pub queues_deleted: u64,
    /// Clients that said who they are.
    pub logins_succeeded: u64,
    /// Clients that could not.
    pub logins_failed: u64,
}

/// How many of a kind came, and how many of them went.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Passed {
    /// So many came.
    pub opened: u64,
    /// So many of them went.
    pub closed: u64,
}

/// Something that happens to queues and users.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Happened {
    QueueDeclared,
    QueueCreated,
    QueueDeleted,
    LoginSucceeded,
    LoginFailed,
}

/// Something that comes, and goes again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Coming {
    Connection,
    Channel,
    Publisher,
}

#[derive(Debug, Default)]
struct Passing {
    opened: AtomicU64,
    closed: AtomicU64,
}

/// Something that is there as long as this lives.
#[derive(Debug)]
pub(super) struct Present {
    churn: Arc<Churn>,
    what: Coming,
}

impl Churn {
    /// Something comes.
    pub(super) fn open(self: &Arc<Self>, what: Coming) -> Present {
        self.passing(what).opened.fetch_add(1, Ordering::Relaxed);
        Present { churn: self.clone(), what }
    }

    /// Something happened.
    pub(super) fn count(&self, what: Happened) {
        let counter = match what {
            Happened::QueueDeclared => &self.queues_declared,
            Happened::QueueCreated => &self.queues_created,
            Happened::QueueDeleted => &self.queues_deleted,
            Happened::LoginSucceeded => &self.logins_succeeded,
            Happened::LoginFailed => &self.logins_failed,
        };
        counter.fetch_add(1, Ordering::Relaxed);
    }

    fn passing(&self, what: Coming) -> &Passing {
        match what {
            Coming::Connection => &self.connections,
            Coming::Channel => &self.channels,
            Coming::Publisher => &self.publishers,
        }
    }

    pub(super) fn figures(&self) -> ChurnFigures {
        let told = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        ChurnFigures {
            connections: self.connections.passed(),
            channels: self.channels.passed(),
            publishers: self.publishers.passed(),
            queues_declared: told(&self.queues_declared),
            queues_created: told(&self.queues_created),
            queues_deleted: told(&self.queues_deleted),
            logins_succeeded: told(&self.logins_succeeded),
            logins_failed: told(&self.logins_failed),
        }
    }
}

impl Passing {
    /// Those that went are looked at first: none of them is missing among those that came.
    fn passed(&self) -> Passed {
        let closed = self.closed.load(Ordering::Acquire);
        Passed { opened: self.opened.load(Ordering::Relaxed), closed }
    }
}

impl Passed {
    /// How many are there.
    #[must_use]
    pub fn present(&self) -> u64 {
        self.opened.saturating_sub(self.closed)
    }
}

impl Drop for Present {
    fn drop(&mut self) {
        self.churn.passing(self.what).closed.fetch_add(1, Ordering::Release);
    }
}
