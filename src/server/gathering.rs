//! Whether a session lets more events gather before it writes: it learns from whether that paid. It
//! knows no socket, and waits for nothing itself.

use crate::limits::GATHERING_MISSES_MAX;

/// A session that is woken by one small event is the next to run, ahead of others that are ready
/// and may have more for it: 32 clients that ask one server would be 32 writes. So it lets them go
/// first. Where nothing came of that, it does so more and more seldom.
#[derive(Debug, Default)]
pub(super) struct Gathering {
    /// How often nothing came since something last did.
    misses: u32,
    /// So many times it is left out.
    rests: u32,
}

impl Gathering {
    /// Whether to let the others go first this time.
    pub(super) fn is_due(&mut self) -> bool {
        let is_due = self.rests == 0;
        self.rests = self.rests.saturating_sub(1);
        is_due
    }

    /// Whether more came meanwhile.
    pub(super) fn learn(&mut self, has_paid: bool) {
        if has_paid {
            self.misses = 0;
            return;
        }
        self.misses = (self.misses + 1).min(GATHERING_MISSES_MAX);
        self.rests = 1 << self.misses;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn times_due(gathering: &mut Gathering, count: u32, has_paid: bool) -> usize {
        let mut learn = || {
            let is_due = gathering.is_due();
            if is_due {
                gathering.learn(has_paid);
            }
            is_due
        };
        (0..count).filter(|_| learn()).count()
    }

    #[test]
    fn what_pays_is_done_each_time_and_what_does_not_becomes_rare() {
        let mut gathering = Gathering::default();
        assert_eq!(times_due(&mut gathering, 1000, true), 1000);
        let in_vain = times_due(&mut gathering, 10_000, false);
        assert!((40..60).contains(&in_vain), "{in_vain} of 10,000");
    }

    #[test]
    fn one_time_that_pays_makes_up_for_all_in_vain() {
        let mut gathering = Gathering::default();
        times_due(&mut gathering, 10_000, false);
        while !gathering.is_due() {}
        gathering.learn(true);
        assert_eq!(times_due(&mut gathering, 1000, true), 1000);
    }
}
