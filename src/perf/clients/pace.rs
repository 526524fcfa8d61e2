//! When which message is due at a rate. It knows no clock.

use crate::perf::runs::SECOND_NS;

/// Moments at even distances.
#[derive(Clone, Copy, Debug)]
pub(in crate::perf) struct Schedule {
    pub(in crate::perf) start_ns: u64,
    /// Messages per second.
    pub(in crate::perf) rate: u64,
}

impl Schedule {
    pub(in crate::perf) fn due_ns(self, sequence: u64) -> u64 {
        let elapsed = u128::from(sequence) * u128::from(SECOND_NS) / u128::from(self.rate.max(1));
        self.start_ns.saturating_add(u64::try_from(elapsed).unwrap_or(u64::MAX))
    }

    /// How many messages are due by a moment, from the start on.
    pub(in crate::perf) fn due_count(self, moment_ns: u64) -> u64 {
        let Some(elapsed_ns) = moment_ns.checked_sub(self.start_ns) else { return 0 };
        let count = u128::from(elapsed_ns) * u128::from(self.rate) / u128::from(SECOND_NS);
        u64::try_from(count).unwrap_or(u64::MAX).saturating_add(1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_are_due_at_even_distances_from_the_start() {
        let schedule = Schedule { start_ns: 1000, rate: 2000 };
        assert_eq!([0, 1, 2000].map(|n| schedule.due_ns(n)), [1000, 501_000, 1_000_001_000]);
    }

    #[test]
    fn all_messages_that_are_due_are_counted_after_a_pause() {
        let schedule = Schedule { start_ns: 1000, rate: 2000 };
        let counts = [0, 1000, 500_999, 501_000, 5_001_000].map(|at| schedule.due_count(at));
        assert_eq!(counts, [0, 1, 1, 2, 11]);
    }

    #[test]
    fn a_message_is_counted_when_the_moment_it_is_due_has_come() {
        let schedule = Schedule { start_ns: 7, rate: 3000 };
        for sequence in 0..10_000 {
            let due_ns = schedule.due_ns(sequence);
            // A due time is rounded down to the nanosecond, so its count may come one later.
            assert!(schedule.due_count(due_ns + 1) > sequence, "{sequence}");
            assert!(schedule.due_count(due_ns) >= sequence, "{sequence}");
        }
    }
}
