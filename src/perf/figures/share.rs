//! How evenly messages were consumed: the shares of consumers that have a queue in common.

use serde::Serialize;

/// The smallest and the largest share among the consumers of one queue, as multiples of their mean;
/// of several queues the ones furthest apart.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub(in crate::perf) struct Shares {
    pub(in crate::perf) smallest: f64,
    pub(in crate::perf) largest: f64,
}

impl Shares {
    /// Of what each consumer received, for each queue; none where no queue has several consumers.
    pub(in crate::perf) fn of(queues: &[Vec<u64>]) -> Option<Self> {
        let of_one = |counts: &Vec<u64>| {
            let sum: u64 = counts.iter().sum();
            let mean = sum as f64 / counts.len().max(1) as f64;
            let is_told = counts.len() > 1 && sum > 0;
            let (smallest, largest) = (counts.iter().min()?, counts.iter().max()?);
            let share = |count: u64| count as f64 / mean;
            is_told.then(|| Self { smallest: share(*smallest), largest: share(*largest) })
        };
        queues.iter().filter_map(of_one).reduce(|one, other| Self {
            smallest: one.smallest.min(other.smallest),
            largest: one.largest.max(other.largest),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_are_multiples_of_the_mean_of_each_queue() {
        let shares = Shares::of(&[vec![90, 110], vec![500, 500, 500]]);
        assert_eq!(shares, Some(Shares { smallest: 0.9, largest: 1.1 }));
    }

    #[test]
    fn a_queue_with_one_consumer_has_no_shares() {
        assert_eq!(Shares::of(&[vec![90], vec![0, 0], vec![]]), None);
    }
}
