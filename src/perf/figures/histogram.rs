//! A histogram of nanoseconds: 128 buckets for each doubling, so that a figure is at most 0.8 %
//! above what was recorded, over the whole range and in a fixed amount of memory.

use serde::Serialize;

const PRECISION_BITS: u32 = 7;
const BUCKETS_PER_DOUBLING: u64 = 1 << PRECISION_BITS;

/// Values below 128 have buckets of their own; then each bit that follows has its doubling.
const BUCKET_COUNT: usize = ((u64::BITS - PRECISION_BITS + 1) as usize) << PRECISION_BITS;

/// How often which duration came.
#[derive(Clone, Debug)]
pub(in crate::perf) struct Histogram {
    counts: Box<[u64]>,
    total: u64,
    largest_ns: u64,
}

impl Default for Histogram {
    fn default() -> Self {
        Self { counts: vec![0; BUCKET_COUNT].into(), total: 0, largest_ns: 0 }
    }
}

impl Histogram {
    pub(in crate::perf) fn record(&mut self, value_ns: u64) {
        if let Some(count) = self.counts.get_mut(bucket(value_ns)) {
            *count += 1;
        }
        self.total += 1;
        self.largest_ns = self.largest_ns.max(value_ns);
    }

    /// Takes in what another one has recorded.
    pub(in crate::perf) fn merge(&mut self, other: &Self) {
        for (count, more) in self.counts.iter_mut().zip(&other.counts) {
            *count += more;
        }
        self.total += other.total;
        self.largest_ns = self.largest_ns.max(other.largest_ns);
    }

    /// The duration that so many of a thousand values do not exceed; 0 where there are no values.
    pub(in crate::perf) fn at_per_mille(&self, per_mille: u64) -> u64 {
        let rank = self.total.saturating_mul(per_mille).div_ceil(1000).max(1);
        let mut seen = 0;
        for (bucket, count) in (0_u64..).zip(&self.counts) {
            seen += count;
            if seen >= rank {
                return largest_of(bucket).min(self.largest_ns);
            }
        }
        self.largest_ns
    }

    /// The figures that are reported; none where nothing was recorded.
    pub(in crate::perf) fn percentiles(&self) -> Option<Percentiles> {
        let microseconds = |value_ns: u64| value_ns as f64 / 1000.0;
        (self.total > 0).then(|| Percentiles {
            count: self.total,
            p50_us: microseconds(self.at_per_mille(500)),
            p99_us: microseconds(self.at_per_mille(990)),
            p999_us: microseconds(self.at_per_mille(999)),
            max_us: microseconds(self.largest_ns),
        })
    }
}

/// What a histogram comes down to.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub(in crate::perf) struct Percentiles {
    pub(in crate::perf) count: u64,
    pub(in crate::perf) p50_us: f64,
    pub(in crate::perf) p99_us: f64,
    pub(in crate::perf) p999_us: f64,
    pub(in crate::perf) max_us: f64,
}

/// The bucket of a value.
fn bucket(value: u64) -> usize {
    let doubling = u64::BITS - (value >> PRECISION_BITS).leading_zeros();
    let within = value >> doubling.saturating_sub(1) & (BUCKETS_PER_DOUBLING - 1);
    usize::try_from(u64::from(doubling) << PRECISION_BITS | within).unwrap_or(usize::MAX)
}

/// The largest value of a bucket.
fn largest_of(bucket: u64) -> u64 {
    let within = bucket & (BUCKETS_PER_DOUBLING - 1);
    match bucket >> PRECISION_BITS {
        0 => within,
        doubling => {
            let width = 1_u64 << (doubling - 1);
            (BUCKETS_PER_DOUBLING | within).saturating_mul(width).saturating_add(width - 1)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn histogram(values: impl IntoIterator<Item = u64>) -> Histogram {
        let mut histogram = Histogram::default();
        values.into_iter().for_each(|value| histogram.record(value));
        histogram
    }

    #[test]
    fn small_values_are_exact() {
        let histogram = histogram(1..=100);
        let figures = [10, 500, 990, 1000].map(|per_mille| histogram.at_per_mille(per_mille));
        assert_eq!(figures, [1, 50, 99, 100]);
    }

    #[test]
    fn large_values_are_never_told_too_small_and_at_most_a_hundredth_too_large() {
        for value in [128, 255, 256, 1_000, 65_535, 65_536, 123_456_789, 1 << 62, u64::MAX] {
            let told = largest_of(bucket(value) as u64);
            assert!(told >= value && told - value <= value / 100, "{value} is told as {told}");
        }
    }

    #[test]
    fn every_bucket_follows_the_one_before_it() {
        for index in 1..BUCKET_COUNT {
            let first = largest_of(index as u64 - 1) + 1;
            assert_eq!(bucket(first), index);
            assert_eq!(bucket(largest_of(index as u64)), index);
        }
    }

    #[test]
    fn percentiles_are_in_microseconds_and_the_largest_value_is_exact() {
        let values = (0..990).map(|_| 50_000).chain((0..10).map(|_| 1_000_001));
        let percentiles = histogram(values).percentiles().unwrap();
        assert_eq!(percentiles.count, 1000);
        assert!((50.0..50.5).contains(&percentiles.p50_us), "{percentiles:?}");
        assert!((50.0..50.5).contains(&percentiles.p99_us), "{percentiles:?}");
        assert!((percentiles.p999_us - 1000.001).abs() < 1e-9, "{percentiles:?}");
        assert!((percentiles.max_us - 1000.001).abs() < 1e-9, "{percentiles:?}");
    }

    #[test]
    fn two_histograms_make_one_of_all_their_values() {
        let mut merged = histogram(1..=50);
        merged.merge(&histogram(51..=100));
        let figures = [10, 500, 990, 1000].map(|per_mille| merged.at_per_mille(per_mille));
        assert_eq!(figures, [1, 50, 99, 100]);
    }

    #[test]
    fn without_values_there_are_no_percentiles() {
        assert_eq!(Histogram::default().percentiles(), None);
        assert_eq!(Histogram::default().at_per_mille(500), 0);
    }
}
