//! When the messages of a queue came: not of each, but of some places, evenly over the time in
//! which all came that it has. So an age is known to an eighth of the highest one, whatever waits.

use std::collections::VecDeque;

use super::live_queue::Live;
use crate::limits::TRAIL_MARKS_MAX;
use crate::message::{Moment, Sequence};

/// Places with the moment at which their message came.
#[derive(Debug, Default)]
pub(super) struct Trail {
    /// In their order; messages between two came between their moments.
    marks: VecDeque<(Sequence, Moment)>,
    /// Messages from here on came after the last look.
    next: Sequence,
    /// Moments are at least this far apart.
    step_ms: u64,
}

impl Trail {
    /// All messages below this one are there now. True where the moment is worth a mark.
    #[inline]
    pub(super) fn is_behind(&self, next: Sequence, now: Moment) -> bool {
        next > self.next
            && self.marks.back().is_none_or(|(_, at)| now.since(*at) >= self.step_ms.max(1))
    }

    /// They came since the last look. Nothing is asked any more of what is below `oldest`.
    pub(super) fn mark(&mut self, next: Sequence, oldest: Sequence, now: Moment) {
        if self.marks.len() >= TRAIL_MARKS_MAX {
            self.forget_below(oldest);
        }
        if self.marks.len() >= TRAIL_MARKS_MAX {
            self.thin();
        }
        // Of what was there before the first look nobody knows more.
        let first = if self.marks.is_empty() { 0 } else { self.next };
        self.marks.push_back((first, now));
        self.next = next;
    }

    /// The last look was just now.
    #[inline]
    pub(super) fn pass(&mut self, next: Sequence) {
        self.next = next;
    }

    /// When a message came, or a little earlier; nothing of one that came since the last look.
    pub(super) fn at(&self, sequence: Sequence) -> Option<Moment> {
        if sequence >= self.next {
            return None;
        }
        let behind = self.marks.partition_point(|(first, _)| *first <= sequence);
        self.marks.get(behind.checked_sub(1)?).map(|(_, at)| *at)
    }

    fn forget_below(&mut self, oldest: Sequence) {
        while self.marks.get(1).is_some_and(|(first, _)| *first <= oldest) {
            self.marks.pop_front();
        }
        if self.marks.len() < TRAIL_MARKS_MAX / 2 {
            self.step_ms /= 2;
        }
    }

    /// Every other mark is enough from now on.
    fn thin(&mut self) {
        let mut is_kept = false;
        self.marks.retain(|_| {
            is_kept = !is_kept;
            is_kept
        });
        self.step_ms = (self.step_ms * 2).max(1);
    }
}

impl Live {
    /// A step is done: what came in it came now.
    #[inline]
    pub(super) fn note_arrivals(&mut self, now: Moment) {
        let next = self.queue.next_sequence();
        match &mut self.trail {
            Some(trail) if trail.is_behind(next, now) => {
                trail.mark(next, self.queue.oldest(), now);
            }
            Some(trail) => trail.pass(next),
            None if next > 0 => {
                let mut trail = Box::<Trail>::default();
                trail.mark(next, 0, now);
                self.trail = Some(trail);
            }
            None => {}
        }
    }

    /// When a message came that is in it; nothing of one that came in this step.
    pub(super) fn came_at(&self, sequence: Sequence) -> Option<Moment> {
        self.trail.as_ref()?.at(sequence)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// One message in each millisecond, of which the queue has those from `oldest` on.
    fn walked(trail: &mut Trail, moments: std::ops::Range<u64>, oldest: impl Fn(u64) -> Sequence) {
        for now in moments {
            match trail.is_behind(now + 1, Moment(now)) {
                true => trail.mark(now + 1, oldest(now), Moment(now)),
                false => trail.pass(now + 1),
            }
        }
    }

    #[test]
    fn a_message_came_when_it_was_first_seen() {
        let mut trail = Trail::default();
        assert_eq!(trail.at(0), None);
        assert!(trail.is_behind(3, Moment(10)));
        trail.mark(3, 0, Moment(10));
        assert!(!trail.is_behind(3, Moment(50)), "nothing came");
        assert!(trail.is_behind(5, Moment(50)));
        trail.mark(5, 0, Moment(50));
        let came = [0, 2, 3, 4, 5].map(|sequence| trail.at(sequence));
        let (first, second) = (Some(Moment(10)), Some(Moment(50)));
        assert_eq!(came, [first, first, second, second, None]);
    }

    #[test]
    fn ages_of_a_long_queue_stay_nearly_right_with_few_marks() {
        let mut trail = Trail::default();
        walked(&mut trail, 0..100_000, |_| 0);
        assert!(trail.marks.len() <= TRAIL_MARKS_MAX);
        for sequence in [0, 10_000, 50_000, 99_000, 99_999] {
            let age = trail.at(sequence).map(|at| Moment(100_000).since(at)).unwrap();
            let right = 100_000 - sequence;
            assert!(age >= right && age <= right + 100_000 / 8, "{sequence}: {age}");
        }
    }

    #[test]
    fn a_queue_that_is_short_again_has_close_marks_again() {
        let mut trail = Trail::default();
        walked(&mut trail, 0..100_000, |_| 0);
        let coarse = trail.step_ms;
        walked(&mut trail, 100_000..900_000, |now| now - 5);
        assert!(trail.step_ms < coarse / 8, "{} and {coarse}", trail.step_ms);
    }
}
