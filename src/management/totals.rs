//! What the queues of a virtual host hold together. Every queue is asked, and others have their
//! turns in between.

use tokio::task::yield_now;

use super::api::Api;
use crate::limits::LIST_ROWS_PER_TURN;

/// What queues hold together.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Totals {
    pub(super) queues: usize,
    pub(super) consumers: usize,
    ready: usize,
    unsettled: usize,
}

impl Totals {
    /// Of one virtual host.
    pub(super) async fn of(api: &Api, host: &str) -> Self {
        let mut totals = Self::default();
        for (at, queue) in api.broker.queues(host).iter().enumerate() {
            if at % LIST_ROWS_PER_TURN == 0 {
                yield_now().await;
            }
            let counts = queue.counts();
            totals.queues += 1;
            totals.consumers += counts.consumers;
            totals.ready += counts.ready;
            totals.unsettled += counts.unsettled;
        }
        totals
    }

    pub(super) fn add(&mut self, other: Self) {
        self.queues += other.queues;
        self.consumers += other.consumers;
        self.ready += other.ready;
        self.unsettled += other.unsettled;
    }

    /// Messages, under RabbitMQ's names.
    pub(super) fn messages(&self) -> [(&'static str, u64); 3] {
        [
            ("messages", (self.ready + self.unsettled) as u64),
            ("messages_ready", self.ready as u64),
            ("messages_unacknowledged", self.unsettled as u64),
        ]
    }
}
