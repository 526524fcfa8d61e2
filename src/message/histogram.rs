//! How many values there were of which size: buckets that many add to at once and anybody reads. It
//! does not know what the values are.

use std::sync::atomic::{AtomicU64, Ordering};

use crate::limits::HISTOGRAM_SHARDS;

/// Buckets may have so many upper bounds.
const BOUNDS_MAX: usize = 15;

/// Values by their size.
#[derive(Debug)]
pub struct Histogram {
    /// The largest value of each bucket, in their order; one more bucket takes what is larger.
    bounds: &'static [u64],
    shards: [Shard; HISTOGRAM_SHARDS],
}

/// What some add to: far enough from the others that two processors do not take the same line of
/// memory from each other.
#[derive(Debug, Default)]
#[repr(align(128))]
struct Shard {
    counts: [AtomicU64; BOUNDS_MAX + 1],
    sum: AtomicU64,
}

/// Values by their size, where one alone adds at a time.
#[derive(Clone, Debug)]
pub struct OwnHistogram {
    bounds: &'static [u64],
    counts: [u64; BOUNDS_MAX + 1],
    sum: u64,
}

impl OwnHistogram {
    /// One with these bounds, of which there are a few.
    #[must_use]
    pub fn new(bounds: &'static [u64]) -> Self {
        let bounds = bounds.get(..BOUNDS_MAX).unwrap_or(bounds);
        Self { bounds, counts: [0; BOUNDS_MAX + 1], sum: 0 }
    }

    /// There were so many of this value.
    pub fn add(&mut self, value: u64, count: u64) {
        if let Some(counter) = self.counts.get_mut(bucket(self.bounds, value)) {
            *counter += count;
        }
        self.sum = self.sum.saturating_add(value.saturating_mul(count));
    }

    /// What it came to so far.
    #[must_use]
    pub fn figures(&self) -> HistogramFigures {
        let counts = self.counts.iter().take(self.bounds.len() + 1).copied().collect();
        HistogramFigures { bounds: self.bounds, counts, sum: self.sum }
    }
}

/// What a histogram came to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct HistogramFigures {
    /// The largest value of each bucket.
    pub bounds: &'static [u64],
    /// How many values are in each, and behind them those that are larger.
    pub counts: Vec<u64>,
    /// All values together.
    pub sum: u64,
}

/// Values that somebody gathers, to add them all at once.
#[derive(Clone, Copy, Debug, Default)]
pub struct Tally {
    counts: [u32; BOUNDS_MAX + 1],
    sum: u64,
    /// A bit for each bucket that has some.
    touched: u16,
}

impl Tally {
    /// There were so many of this value, in a histogram with these bounds.
    #[inline]
    pub fn count(&mut self, bounds: &[u64], value: u64, count: usize) {
        let place = bucket(bounds, value);
        if let Some(counter) = self.counts.get_mut(place) {
            *counter = counter.saturating_add(u32::try_from(count).unwrap_or(u32::MAX));
            self.touched |= 1 << place;
        }
        self.sum += value.saturating_mul(count as u64);
    }

    /// Something was gathered since it was added last.
    #[must_use]
    #[inline]
    pub fn is_any(&self) -> bool {
        self.touched != 0
    }
}

/// The bucket of a value. Most are small.
#[inline]
fn bucket(bounds: &[u64], value: u64) -> usize {
    bounds.iter().position(|bound| value <= *bound).unwrap_or(bounds.len())
}

impl Histogram {
    /// One with these bounds, of which there are a few.
    #[must_use]
    pub fn new(bounds: &'static [u64]) -> Self {
        let bounds = bounds.get(..BOUNDS_MAX).unwrap_or(bounds);
        Self { bounds, shards: Default::default() }
    }

    /// There were so many of this value. Who adds often has a number of its own, which says where.
    #[inline]
    pub fn add(&self, who: u64, value: u64, count: u64) {
        let Some(shard) = self.shard(who) else { return };
        if let Some(counter) = shard.counts.get(bucket(self.bounds, value)) {
            counter.fetch_add(count, Ordering::Relaxed);
        }
        if value > 0 {
            shard.sum.fetch_add(value.saturating_mul(count), Ordering::Relaxed);
        }
    }

    /// Adds what was gathered, of which nothing is left then.
    pub fn add_all(&self, who: u64, tally: &mut Tally) {
        let Some(shard) = self.shard(who) else { return };
        let mut touched = std::mem::take(&mut tally.touched);
        while touched != 0 {
            let place = touched.trailing_zeros() as usize;
            touched &= touched - 1;
            if let (Some(counter), Some(count)) =
                (shard.counts.get(place), tally.counts.get_mut(place))
            {
                counter.fetch_add(std::mem::take(count).into(), Ordering::Relaxed);
            }
        }
        shard.sum.fetch_add(std::mem::take(&mut tally.sum), Ordering::Relaxed);
    }

    #[inline]
    fn shard(&self, who: u64) -> Option<&Shard> {
        self.shards.get(usize::try_from(who).unwrap_or(0) % HISTOGRAM_SHARDS)
    }

    /// What it came to so far.
    #[must_use]
    pub fn figures(&self) -> HistogramFigures {
        let total = |value: &dyn Fn(&Shard) -> u64| self.shards.iter().map(value).sum();
        let in_bucket = |place: usize| {
            total(&|shard| {
                shard.counts.get(place).map_or(0, |counter| counter.load(Ordering::Relaxed))
            })
        };
        HistogramFigures {
            bounds: self.bounds,
            counts: (0..=self.bounds.len()).map(in_bucket).collect(),
            sum: total(&|shard| shard.sum.load(Ordering::Relaxed)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_is_in_the_first_bucket_that_takes_it() {
        let histogram = Histogram::new(&[10, 100]);
        for (who, value, count) in [(1, 0, 1), (2, 10, 2), (u64::MAX, 11, 4), (3, 100, 8)] {
            histogram.add(who, value, count);
        }
        histogram.add(1, 101, 16);
        let HistogramFigures { bounds, counts, sum } = histogram.figures();
        assert_eq!((bounds, counts), (&[10, 100][..], vec![3, 12, 16]));
        assert_eq!(sum, 20 + 44 + 800 + 1616);
    }

    #[test]
    fn one_that_nobody_else_adds_to_comes_to_the_same() {
        let (shared, mut own) = (Histogram::new(&[10, 100]), OwnHistogram::new(&[10, 100]));
        for (value, count) in [(0, 1), (10, 2), (11, 4), (100, 8), (101, 16)] {
            shared.add(1, value, count);
            own.add(value, count);
        }
        assert_eq!(own.figures(), shared.figures());
    }

    #[test]
    fn what_is_gathered_is_added_once() {
        let (histogram, mut tally) = (Histogram::new(&[10, 100]), Tally::default());
        tally.count(&[10, 100], 5, 3);
        tally.count(&[10, 100], 50, 1);
        assert!(tally.is_any());
        histogram.add_all(7, &mut tally);
        assert!(!tally.is_any());
        histogram.add_all(7, &mut tally);
        let HistogramFigures { counts, sum, .. } = histogram.figures();
        assert_eq!((counts, sum), (vec![3, 1, 0], 65));
    }

    #[test]
    fn one_without_values_has_its_buckets() {
        assert_eq!(Histogram::new(&[1]).figures().counts, [0, 0]);
    }
}
