//! How much may go through in a second: a bucket that time fills and messages empty. It is values
//! only. Who takes more than there is gets it, and is told when it is paid for: what others take
//! meanwhile comes after that, so that all have their turns.

use core::num::NonZeroU64;

use crate::message::Moment;

/// Parts of one that come in a millisecond where one comes in a second.
const PARTS: i128 = 1000;

/// What is left of a rate.
#[derive(Clone, Debug)]
pub(super) struct Bucket {
    per_second: NonZeroU64,
    /// In thousandths; below zero is what was taken in advance.
    level: i128,
    /// When the level was that.
    at: Moment,
}

impl Bucket {
    /// A full one: it holds what comes in a second.
    pub(super) fn new(per_second: NonZeroU64) -> Self {
        let mut bucket = Self { per_second, level: 0, at: Moment(0) };
        bucket.level = bucket.capacity();
        bucket
    }

    fn capacity(&self) -> i128 {
        i128::from(self.per_second.get()) * PARTS
    }

    /// Takes so much, there or not; gives when it is paid for: now where it was there.
    pub(super) fn take(&mut self, count: u64, now: Moment) -> Moment {
        self.fill(now);
        self.level -= i128::from(count) * PARTS;
        if self.level >= 0 {
            return now;
        }
        let wait_ms = self.level.unsigned_abs().div_ceil(u128::from(self.per_second.get()));
        self.at.plus(u64::try_from(wait_ms).unwrap_or(u64::MAX))
    }

    /// How much is there.
    pub(super) fn available(&mut self, now: Moment) -> u64 {
        self.fill(now);
        u64::try_from(self.level.max(0) / PARTS).unwrap_or(u64::MAX)
    }

    /// Time passed. Threads ask for the time before they come here, so it may seem to run backward.
    fn fill(&mut self, now: Moment) {
        let gained = i128::from(now.since(self.at)) * i128::from(self.per_second.get());
        self.level = (self.level + gained).min(self.capacity());
        self.at = self.at.max(now);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const START: Moment = Moment(1_000_000);

    fn bucket(per_second: u64) -> Bucket {
        Bucket::new(NonZeroU64::new(per_second).unwrap())
    }

    #[test]
    fn a_second_is_there_at_once_and_what_is_more_is_paid_for_later() {
        let mut bucket = bucket(100);
        assert_eq!(bucket.available(START), 100);
        assert_eq!(bucket.take(100, START), START);
        assert_eq!(bucket.take(1, START), START.plus(10));
        assert_eq!(bucket.available(START), 0);
        assert_eq!(bucket.take(49, START), START.plus(500));
        assert_eq!(bucket.available(START.plus(509)), 0);
        assert_eq!(bucket.available(START.plus(510)), 1);
    }

    #[test]
    fn who_comes_later_is_through_later_and_nobody_waits_longer_for_those_behind() {
        let mut bucket = bucket(10);
        assert_eq!(bucket.take(15, START), START.plus(500));
        assert_eq!(bucket.take(5, START), START.plus(1000));
        // The first is through, and goes to the end.
        assert_eq!(bucket.take(5, START.plus(500)), START.plus(1500));
        assert_eq!(bucket.take(5, START.plus(1000)), START.plus(2000));
    }

    #[test]
    fn no_more_than_a_second_is_saved_however_long_nobody_takes_anything() {
        let mut bucket = bucket(5);
        assert_eq!(bucket.take(5, START), START);
        assert_eq!(bucket.available(START.plus(999)), 4);
        assert_eq!(bucket.available(START.plus(86_400_000)), 5);
    }

    #[test]
    fn thirds_of_a_millisecond_are_not_lost() {
        let mut bucket = bucket(3);
        assert_eq!(bucket.take(4, START), START.plus(334));
        assert_eq!(bucket.take(1, START.plus(334)), START.plus(667));
        assert_eq!(bucket.take(1, START.plus(667)), START.plus(1000));
        let mut taken = 0;
        for at in 1000..=61_000 {
            if bucket.available(START.plus(at)) > 0 {
                bucket.take(1, START.plus(at));
                taken += 1;
            }
        }
        assert_eq!(taken, 180, "3 in each of 60 seconds");
    }

    #[test]
    fn a_time_that_was_asked_for_before_changes_nothing() {
        let mut bucket = bucket(1000);
        assert_eq!(bucket.take(1500, START), START.plus(500));
        assert_eq!(bucket.take(0, START.minus(200)), START.plus(500));
        assert_eq!(bucket.available(START.plus(501)), 1);
    }

    #[test]
    fn the_largest_numbers_are_numbers_like_others() {
        let mut most = bucket(u64::MAX);
        assert_eq!(most.available(START), u64::MAX);
        assert_eq!(most.take(u64::MAX, START), START);
        assert_eq!(most.take(u64::MAX, START), START.plus(1000));
        let mut least = bucket(1);
        (0..3).for_each(|_| assert_eq!(least.take(u64::MAX, START), Moment(u64::MAX)));
    }
}
