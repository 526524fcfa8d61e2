//! How long messages wait that come back, before they are tried again: as their queue says, or one
//! of its consumers. Where they wait is in `held`.

use crate::limits::RETRY_MS_MAX;
use crate::message::Outcome;
use crate::message::queue_options::{DelayedRetry, DelayedRetryKind};

/// A wait that grows with each delivery that failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Backoff {
    /// The first wait, by which those that follow are longer.
    pub step_ms: u64,
    /// The longest wait, where there is one.
    pub max_ms: Option<u64>,
}

impl Backoff {
    /// How long a message waits whose delivery failed so often. Where it did not, because it was
    /// given back politely, the wait is that after the first failure: none would be no retry.
    #[must_use]
    pub fn wait_ms(self, failure_count: u32) -> u64 {
        let wait_ms = self.step_ms.saturating_mul(u64::from(failure_count.max(1)));
        wait_ms.min(self.max_ms.unwrap_or(RETRY_MS_MAX)).min(RETRY_MS_MAX)
    }
}

/// Which messages wait that come back to a queue, and how long.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Retry {
    /// Those whose delivery failed.
    pub failed: bool,
    /// Those that were given back.
    pub returned: bool,
    /// How long.
    pub backoff: Backoff,
}

impl Retry {
    /// What a queue's arguments and policies say; `None` where nothing waits. Without a longest
    /// wait all are as long as the first, as in RabbitMQ.
    #[must_use]
    pub fn of(setting: Option<DelayedRetry>) -> Option<Self> {
        let DelayedRetry { kind, min_ms, max_ms } = setting?;
        let (failed, returned) = match kind {
            DelayedRetryKind::Disabled => return None,
            DelayedRetryKind::All => (true, true),
            DelayedRetryKind::Failed => (true, false),
            DelayedRetryKind::Returned => (false, true),
        };
        let backoff = Backoff { step_ms: min_ms, max_ms: Some(max_ms.unwrap_or(min_ms)) };
        Some(Self { failed, returned, backoff })
    }

    /// How long a message waits whose delivery ended like this.
    #[must_use]
    pub fn backoff(self, outcome: Outcome) -> Option<Backoff> {
        let waits = match outcome {
            Outcome::Failed => self.failed,
            Outcome::Requeued => self.returned,
            Outcome::Accepted | Outcome::Rejected => false,
        };
        waits.then_some(self.backoff)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_wait_grows_by_its_first_length_up_to_the_longest() {
        let backoff = Backoff { step_ms: 100, max_ms: Some(250) };
        let waits: Vec<u64> = (0..5).map(|count| backoff.wait_ms(count)).collect();
        assert_eq!(waits, [100, 100, 200, 250, 250]);
        let endless = Backoff { step_ms: 100, max_ms: None };
        assert_eq!(endless.wait_ms(1_000_000), 100_000_000);
        assert_eq!(endless.wait_ms(u32::MAX), RETRY_MS_MAX);
        let huge = Backoff { step_ms: u64::MAX, max_ms: Some(u64::MAX) };
        assert_eq!(huge.wait_ms(2), RETRY_MS_MAX);
    }

    #[test]
    fn the_type_says_what_waits() {
        for (kind, failed, returned) in [
            (DelayedRetryKind::All, true, true),
            (DelayedRetryKind::Failed, true, false),
            (DelayedRetryKind::Returned, false, true),
        ] {
            let retry = Retry::of(Some(DelayedRetry { kind, min_ms: 5, max_ms: Some(9) })).unwrap();
            let waits = |outcome| retry.backoff(outcome).map(|backoff| backoff.wait_ms(9));
            assert_eq!(waits(Outcome::Failed), failed.then_some(9));
            assert_eq!(waits(Outcome::Requeued), returned.then_some(9));
            assert_eq!((waits(Outcome::Accepted), waits(Outcome::Rejected)), (None, None));
        }
        let disabled = DelayedRetry { kind: DelayedRetryKind::Disabled, min_ms: 5, max_ms: None };
        assert_eq!((Retry::of(Some(disabled)), Retry::of(None)), (None, None));
    }

    #[test]
    fn without_a_longest_wait_the_queues_are_all_alike() {
        let all = DelayedRetry { kind: DelayedRetryKind::All, min_ms: 5, max_ms: None };
        let backoff = Retry::of(Some(all)).unwrap().backoff;
        assert_eq!((backoff.wait_ms(1), backoff.wait_ms(7)), (5, 5));
    }
}
