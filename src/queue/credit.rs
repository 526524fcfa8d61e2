//! A limit that several queues share: the prefetch of a whole channel, the byte window of a
//! session. It is the only thing here that two threads touch at once, so it is an atomic and
//! nothing else.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

/// What may still be taken until something is given back.
#[derive(Debug, Default)]
pub struct Credit {
    limit: AtomicU64,
    used: AtomicU64,
    came_short: AtomicBool,
}

impl Credit {
    /// A credit of `limit` units; 0 means without limit.
    #[must_use]
    pub fn new(limit: u64) -> Self {
        Self {
            limit: AtomicU64::new(limit),
            used: AtomicU64::new(0),
            came_short: AtomicBool::new(false),
        }
    }

    /// Sets another limit; what was taken stays taken. True where somebody came short before.
    pub fn limit_to(&self, limit: u64) -> bool {
        self.limit.store(limit, Ordering::SeqCst);
        self.has_room() && self.came_short.swap(false, Ordering::SeqCst)
    }

    /// Takes `units` while the limit is not reached; the last one taken may pass it.
    ///
    /// A refusal is remembered, so that [`Credit::give`] can tell that queues wait.
    pub fn take(&self, units: u64) -> bool {
        if !self.has_room() {
            self.came_short.store(true, Ordering::SeqCst);
            // What was given back between the two looks would otherwise wake nobody.
            if !self.has_room() {
                return false;
            }
        }
        self.used.fetch_add(units, Ordering::SeqCst);
        true
    }

    /// Takes at most `units`, as far as the limit goes, and tells how many. Whoever gets less than
    /// it wants and goes on wanting calls [`Credit::take`], which remembers that.
    pub fn take_at_most(&self, units: u64) -> u64 {
        let limit = self.limit.load(Ordering::SeqCst);
        if limit == 0 {
            self.used.fetch_add(units, Ordering::SeqCst);
            return units;
        }
        let granted = |used: u64| units.min(limit.saturating_sub(used));
        let add = |used: u64| Some(used + granted(used));
        self.used.fetch_update(Ordering::SeqCst, Ordering::SeqCst, add).map_or(0, granted)
    }

    /// Takes one cost after the other while the limit is not reached; the last one may pass it, and
    /// so may what others take at the same time. Tells how many it took and what they add up to.
    pub fn take_run(&self, costs: impl Iterator<Item = u64>) -> (u64, u64) {
        let (limit, used) = (self.limit.load(Ordering::SeqCst), self.used.load(Ordering::SeqCst));
        let room = if limit == 0 { u64::MAX } else { limit.saturating_sub(used) };
        let (mut count, mut sum) = (0, 0);
        for cost in costs {
            if sum >= room {
                break;
            }
            count += 1;
            sum += cost;
        }
        self.used.fetch_add(sum, Ordering::SeqCst);
        (count, sum)
    }

    /// Gives `units` back. True where somebody came short and there is room now: the caller offers
    /// again to the queues that share this credit.
    pub fn give(&self, units: u64) -> bool {
        let before = self.used.load(Ordering::SeqCst);
        self.used.fetch_sub(units.min(before), Ordering::SeqCst);
        self.has_room() && self.came_short.swap(false, Ordering::SeqCst)
    }

    /// Puts back what was taken a moment ago and not used. Whoever came short before still waits
    /// for [`Credit::give`].
    pub fn put_back(&self, units: u64) {
        self.used.fetch_sub(units, Ordering::SeqCst);
    }

    /// The limit; 0 means none.
    #[must_use]
    pub fn limit(&self) -> u64 {
        self.limit.load(Ordering::SeqCst)
    }

    /// What is taken.
    #[must_use]
    pub fn used(&self) -> u64 {
        self.used.load(Ordering::SeqCst)
    }

    fn has_room(&self) -> bool {
        let limit = self.limit.load(Ordering::SeqCst);
        limit == 0 || self.used.load(Ordering::SeqCst) < limit
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_credit_of_zero_never_runs_out() {
        let credit = Credit::new(0);
        assert!((0..1000).all(|_| credit.take(1000)));
    }

    #[test]
    fn giving_back_tells_whether_somebody_came_short() {
        let credit = Credit::new(2);
        assert!(credit.take(1) && credit.take(1));
        assert!(!credit.give(1));
        assert!(credit.take(1));
        assert!(!credit.take(1));
        assert!(credit.give(1));
        assert!(!credit.give(1));
    }

    #[test]
    fn what_is_put_back_unused_does_not_silence_who_came_short() {
        let credit = Credit::new(1);
        assert!(credit.take(1) && !credit.take(1));
        credit.put_back(1);
        assert!(credit.take(1));
        assert!(credit.give(1));
    }

    #[test]
    fn a_higher_limit_wakes_who_came_short() {
        let credit = Credit::new(1);
        assert!(credit.take(1) && !credit.take(1));
        assert!(credit.limit_to(2));
        assert!(credit.take(1));
    }
}
