//! How long a consumer may hold what it was given, and since when it holds what it has: kept in
//! steps of time, never per message. It knows neither messages nor whose they are, and not what
//! becomes of a consumer whose time is over.

use std::collections::VecDeque;

use crate::limits::{CONSUMER_TIMEOUT_STEP_MS, CONSUMER_TIMEOUT_STEPS};
use crate::message::Moment;

/// How long a consumer may hold a delivery, besides what its queue says of all its consumers. 0 is
/// for ever.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Patience {
    /// `x-consumer-timeout` of the consumer, which goes before everything else.
    pub own_ms: Option<u64>,
    /// What holds where neither it nor its queue says something.
    pub otherwise_ms: Option<u64>,
}

impl Patience {
    /// How long that is; none where it is for ever.
    #[must_use]
    pub fn timeout_ms(self, of_queue_ms: Option<u64>) -> Option<u64> {
        self.own_ms.or(of_queue_ms).or(self.otherwise_ms).filter(|timeout_ms| *timeout_ms > 0)
    }
}

/// By how much later than in its moment a timeout may be noticed, twice: once for deliveries that
/// are counted together, once because nobody looks more often.
#[must_use]
pub fn step_ms(timeout_ms: u64) -> u64 {
    (timeout_ms / CONSUMER_TIMEOUT_STEPS).max(CONSUMER_TIMEOUT_STEP_MS)
}

/// Which mark a delivery is counted in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MarkId(u32);

impl MarkId {
    /// It is in none: it may be held for ever.
    pub const NONE: Self = Self(0);
}

/// Deliveries that went out within one step and are not settled.
#[derive(Debug)]
struct Mark {
    count: u64,
    opened: Moment,
    /// When the last of them went out: the time of none is over before its own is.
    last: Moment,
}

/// What one consumer has out, by when it went out.
///
/// ```text
/// mark        7        8        9
/// went out    0..15    20..30   41
/// unsettled   3        0        12       oldest: 15
/// ```
#[derive(Debug)]
pub struct Watch {
    marks: VecDeque<Mark>,
    first: u32,
}

impl Default for Watch {
    fn default() -> Self {
        Self { marks: VecDeque::new(), first: MarkId::NONE.0 + 1 }
    }
}

impl Watch {
    /// Deliveries go out now.
    pub fn give_out(&mut self, count: usize, now: Moment, step_ms: u64) -> MarkId {
        let count = count as u64;
        match self.marks.back_mut().filter(|mark| now < mark.opened.plus(step_ms)) {
            Some(mark) => {
                mark.count += count;
                mark.last = now;
            }
            None => {
                if self.next() == MarkId::NONE.0 {
                    self.marks.push_back(Mark { count: 0, opened: now, last: now });
                }
                self.marks.push_back(Mark { count, opened: now, last: now });
                self.drop_settled();
            }
        }
        MarkId(self.next().wrapping_sub(1))
    }

    /// So many of a mark are settled.
    pub fn settled(&mut self, mark: MarkId, count: usize) {
        let index = mark.0.wrapping_sub(self.first) as usize;
        let Some(mark) = self.marks.get_mut(index) else { return };
        mark.count = mark.count.saturating_sub(count as u64);
        if mark.count == 0 {
            self.drop_settled();
        }
    }

    /// When the oldest delivery that is not settled went out, or a little later.
    #[must_use]
    pub fn oldest(&self) -> Option<Moment> {
        self.marks.front().filter(|mark| mark.count > 0).map(|mark| mark.last)
    }

    /// The number of the mark after the last one.
    fn next(&self) -> u32 {
        let count = u32::try_from(self.marks.len()).unwrap_or(u32::MAX);
        self.first.wrapping_add(count)
    }

    /// Leaves no empty mark in front, but for the last one: that may get more.
    fn drop_settled(&mut self) {
        while self.marks.len() > 1 && self.marks.pop_front_if(|mark| mark.count == 0).is_some() {
            self.first = self.first.wrapping_add(1);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_consumers_own_time_goes_before_its_queues_and_that_before_the_nodes() {
        let all = Patience { own_ms: Some(1), otherwise_ms: Some(3) };
        assert_eq!(all.timeout_ms(Some(2)), Some(1));
        let not_own = Patience { own_ms: None, ..all };
        assert_eq!(not_own.timeout_ms(Some(2)), Some(2));
        assert_eq!(not_own.timeout_ms(None), Some(3));
        assert_eq!(Patience::default().timeout_ms(None), None);
    }

    #[test]
    fn zero_is_for_ever_whoever_says_so() {
        let own = Patience { own_ms: Some(0), otherwise_ms: Some(3) };
        assert_eq!(own.timeout_ms(Some(2)), None);
        assert_eq!(Patience { own_ms: None, ..own }.timeout_ms(Some(0)), None);
    }

    #[test]
    fn the_oldest_is_known_though_later_ones_are_settled() {
        let mut watch = Watch::default();
        let marks = [0, 100, 200].map(|now| watch.give_out(2, Moment(now), 50));
        watch.settled(marks[1], 2);
        assert_eq!(watch.oldest(), Some(Moment(0)));
        watch.settled(marks[0], 1);
        assert_eq!(watch.oldest(), Some(Moment(0)));
        watch.settled(marks[0], 1);
        assert_eq!(watch.oldest(), Some(Moment(200)));
        watch.settled(marks[2], 2);
        assert_eq!(watch.oldest(), None);
    }

    #[test]
    fn what_goes_out_within_a_step_is_counted_together() {
        let mut watch = Watch::default();
        let first = watch.give_out(1, Moment(1000), 50);
        assert_eq!(watch.give_out(1, Moment(1049), 50), first);
        assert_ne!(watch.give_out(1, Moment(1050), 50), first);
        watch.settled(first, 1);
        assert_eq!(watch.oldest(), Some(Moment(1049)), "never too early for any of them");
    }

    #[test]
    fn marks_are_as_many_as_steps_however_many_deliveries_there_are() {
        let mut watch = Watch::default();
        let held = watch.give_out(1, Moment(0), 10);
        for now in 0..640 {
            let mark = watch.give_out(3, Moment(now), 10);
            watch.settled(mark, 3);
        }
        assert_eq!(watch.marks.len(), 64);
        watch.settled(held, 1);
        assert_eq!((watch.marks.len(), watch.oldest()), (1, None));
    }

    #[test]
    fn numbers_of_marks_begin_anew_without_being_mistaken() {
        let mut watch = Watch { first: u32::MAX, ..Watch::default() };
        let marks = [0, 10, 20].map(|now| watch.give_out(1, Moment(now), 10));
        assert_eq!(marks, [MarkId(u32::MAX), MarkId(1), MarkId(2)]);
        watch.settled(MarkId::NONE, 1);
        watch.settled(marks[0], 1);
        assert_eq!(watch.oldest(), Some(Moment(10)));
        watch.settled(marks[1], 1);
        assert_eq!(watch.oldest(), Some(Moment(20)));
    }
}
