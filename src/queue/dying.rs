//! Which ready messages die when: those that die in the order in which they came are found at the
//! front of the fresh ones, the others are listed here. Of what is on disk only, it may have to be
//! read. Not what becomes of them.

use std::collections::BTreeSet;

use super::contents::Contents;
use super::due::Due;
use super::paging::Wanted;
use super::stretch::Stretch;
use crate::message::{Moment, Sequence, SequenceRange};

/// Listed names of stretches that left may be so many more than those that are there.
const STALE_MAX: usize = 256;

/// What a queue knows whose messages do not live for ever.
///
/// ```text
/// fresh:   5 due at 70, 6..9 due at 80, 11..20 later than 80 (on disk)     in this order
/// apart:   10 due at 50, 21 (on disk: unknown)                             listed here
/// ```
#[derive(Debug, Default)]
pub(super) struct Dying {
    /// Of those apart: when, and the first place. What it names may be gone.
    apart: BTreeSet<(Moment, Sequence)>,
    /// First places of those apart of which only the disk knows.
    unknown: BTreeSet<Sequence>,
    /// No fresh one dies later.
    latest: Moment,
    /// Of fresh ones below, only the disk knows.
    unknown_below: Sequence,
}

impl Dying {
    /// A stretch apart begins here.
    fn list(&mut self, first: Sequence, due: Due) {
        match due.is_exact() {
            true => self.apart.insert((due.at(), first)),
            false => self.unknown.insert(first),
        };
    }
}

impl Contents {
    /// Some messages may die.
    pub(super) fn has_dying(&self) -> bool {
        self.dying.is_some()
    }

    fn dying(&mut self) -> &mut Dying {
        // What is there lives for ever.
        let latest = if self.fresh.is_empty() { Moment(0) } else { Due::NEVER.at() };
        self.dying.get_or_insert_with(|| Box::new(Dying { latest, ..Dying::default() }))
    }

    /// Adds what just came and dies some time. Where that is not before any of the fresh ones, it
    /// is one of them.
    pub(super) fn push_dying(&mut self, stretch: Stretch, is_uniform: bool) {
        let due = stretch.marks().due;
        let first = self.fresh.front().map(Stretch::first);
        let dying = self.dying();
        if first.is_none() {
            (dying.latest, dying.unknown_below) = (Moment(0), 0);
        }
        let is_known = is_uniform || first.is_none_or(|first| first >= dying.unknown_below);
        if is_known && due.at() >= dying.latest {
            dying.latest = due.at();
            self.append(stretch);
        } else {
            self.put_back(stretch);
        }
    }

    /// The same of what lives for ever: what comes behind it and dies, is apart.
    #[inline]
    pub(super) fn push_lasting(&mut self, stretch: Stretch) {
        if self.dying.is_some() {
            self.dying().latest = Due::NEVER.at();
        }
        self.append(stretch);
    }

    /// Adds what the disk has, and of which it only knows when it dies: fresh ones do so in their
    /// order.
    pub(super) fn recover_dying(&mut self, stretch: Stretch, is_in_order: bool) {
        let end = stretch.last() + 1;
        if !is_in_order {
            return self.put_back(stretch);
        }
        self.dying().unknown_below = end;
        self.append(stretch);
    }

    /// A stretch that is apart begins here.
    pub(super) fn list_dying(&mut self, first: Sequence, due: Due) {
        if due.is_never() {
            return;
        }
        let is_late = self.dying().apart.len() > 2 * self.returned.len() + STALE_MAX;
        if is_late {
            let all = self.returned.iter().map(|stretch| (stretch.first(), stretch.marks().due));
            let mut listed = Dying::default();
            all.filter(|(_, due)| !due.is_never()).for_each(|(at, due)| listed.list(at, due));
            let dying = self.dying();
            (dying.apart, dying.unknown) = (listed.apart, listed.unknown);
        }
        self.dying().list(first, due);
    }

    /// What began here and was to die then is not there any more.
    pub(super) fn unlist_dying(&mut self, first: Sequence, at: Moment) {
        if let Some(dying) = &mut self.dying {
            dying.apart.remove(&(at, first));
        }
    }

    /// Takes messages that die before this moment, as far as that is known.
    pub(super) fn take_due(&mut self, before: Moment) -> Option<Stretch> {
        let front = self.fresh.front().map(|stretch| (stretch.marks().due, stretch.first()));
        let front = front.filter(|(due, _)| due.is_exact() && due.at() < before);
        let front = front.map(|(due, first)| (due.at(), first));
        // Of those whose time is over, who died first leaves first.
        let is_next = |apart: &(Moment, Sequence)| {
            apart.0 < before && front.is_none_or(|front| *apart < front)
        };
        let dying = self.dying.as_mut()?;
        while let Some((at, first)) = dying.apart.first().copied().filter(is_next) {
            dying.apart.pop_first();
            let place = SequenceRange::one(first);
            let due = Due::exact(at);
            if self.returned.get(place).is_some_and(|stretch| stretch.marks().due == due)
                && let Some((stretch, ())) = self.returned.take_whole(place)
            {
                self.totals -= stretch.totals();
                return Some(stretch);
            }
        }
        front?;
        let stretch = self.pop_fresh(usize::MAX)?;
        self.totals -= stretch.totals();
        Some(stretch)
    }

    /// When the next one dies, or must be looked at. What must be looked at already is on its way.
    pub(super) fn next_due(&self, now: Moment) -> Option<Moment> {
        let apart = self.dying.as_ref()?.apart.first().map(|(at, _)| *at);
        let front = self.fresh.front().map(|stretch| stretch.marks().due);
        let front = front.filter(|due| !due.is_never() && (due.is_exact() || due.at() > now));
        apart.into_iter().chain(front.map(Due::at)).min()
    }

    /// Bodies on disk that must be read to know when they die, since it may be now.
    pub(super) fn wants_due(&mut self, now: Moment) -> Option<SequenceRange> {
        let front = self.fresh.front().filter(|stretch| {
            let due = stretch.marks().due;
            !due.is_exact() && due.at() <= now
        });
        let dying = self.dying.as_mut()?;
        let mut found = front;
        while found.is_none() {
            let place = SequenceRange::one(*dying.unknown.first()?);
            found = self.returned.get(place).filter(|stretch| !stretch.marks().due.is_exact());
            if found.is_none() {
                dying.unknown.pop_first();
            }
        }
        found.map(Wanted::head_of)
    }
}

#[cfg(test)]
mod tests {
    use super::super::paging::Pages;
    use super::*;
    use crate::message::{Body, Envelope, Message, MessageRun, ReadBack};
    use crate::queue::due::{Arrival, Lifetime};
    use crate::queue::stretch::Marks;

    fn message() -> Message {
        let envelope =
            Envelope { exchange: "", routing_key: "q", properties: &[0, 0], is_persistent: false };
        Message::new(envelope, Body::Copied(b"x"))
    }

    fn exact(at: u64) -> Due {
        Due::exact(Moment(at))
    }

    /// Messages that die at these moments; none that lives for ever.
    fn filled(dues: &[u64]) -> Contents {
        let mut contents = Contents::default();
        for at in dues {
            let due = if *at == 0 { Due::NEVER } else { exact(*at) };
            contents.push(MessageRun::one(message()), false, Arrival { due, ..Arrival::LASTING });
        }
        contents
    }

    fn dead(contents: &mut Contents, before: u64) -> Vec<(Sequence, Sequence)> {
        let taken = std::iter::from_fn(|| contents.take_due(Moment(before)));
        taken.map(|stretch| (stretch.first(), stretch.last())).collect()
    }

    fn order(contents: &mut Contents) -> Vec<Sequence> {
        std::iter::from_fn(|| contents.pop(2)).flat_map(|stretch| stretch.range().iter()).collect()
    }

    #[test]
    fn each_dies_in_its_time_wherever_it_stands() {
        let mut contents = filled(&[50, 50, 20, 0, 30, 60, 30]);
        assert_eq!(contents.next_due(Moment(0)), Some(Moment(20)));
        assert_eq!(dead(&mut contents, 20), [], "not at its moment, but after it");
        assert_eq!(dead(&mut contents, 21), [(2, 2)]);
        assert_eq!(contents.next_due(Moment(21)), Some(Moment(30)));
        assert_eq!(dead(&mut contents, 55), [(4, 4), (6, 6), (0, 1)], "as they died");
        assert_eq!(dead(&mut contents, 1000), [(5, 5)]);
        assert_eq!(contents.next_due(Moment(1000)), None);
        assert_eq!(order(&mut contents), [3]);
    }

    #[test]
    fn what_dies_in_one_moment_leaves_in_the_order_in_which_it_came() {
        let mut contents = filled(&[50, 90, 50, 40]);
        assert_eq!(dead(&mut contents, 51), [(3, 3), (0, 0), (2, 2)]);
    }

    #[test]
    fn where_they_stand_is_where_they_are_delivered() {
        let mut contents = filled(&[50, 20, 70, 0, 10, 10, 0]);
        let places: Vec<Sequence> = contents.stretches().map(Stretch::first).collect();
        assert_eq!(places, [0, 1, 2, 3, 4, 6]);
        assert_eq!(order(&mut contents), [0, 1, 2, 3, 4, 5, 6]);
    }

    #[test]
    fn what_comes_back_keeps_its_time_and_what_left_has_none() {
        let mut contents = filled(&[50, 50, 20, 20]);
        let front = contents.pop(1).unwrap();
        let back = contents.pop(1).unwrap();
        assert_eq!((front.first(), back.first()), (0, 1));
        let apart = contents.pop(1).unwrap();
        contents.put_back(apart);
        contents.put_back(front);
        assert_eq!(dead(&mut contents, 30), [(2, 3)]);
        assert_eq!(dead(&mut contents, 60), [(0, 0)]);
    }

    #[test]
    fn the_rest_of_what_was_taken_in_part_is_still_listed() {
        let mut contents = filled(&[0, 20, 20, 20]);
        assert_eq!(contents.pop(2).map(|stretch| stretch.first()), Some(0));
        assert_eq!(contents.pop(2).map(|stretch| stretch.range().iter()), Some(1..=2));
        assert_eq!(dead(&mut contents, 30), [(3, 3)]);
    }

    #[test]
    fn what_is_taken_out_and_put_back_on_the_way_changes_no_order() {
        let mut contents = filled(&[50, 20, 70]);
        contents.log_unlogged(u64::MAX);
        let due = exact(60);
        contents.push(MessageRun::one(message()), false, Arrival { due, ..Arrival::LASTING });
        assert_eq!(dead(&mut contents, 65), [(1, 1), (0, 0), (3, 3)]);
    }

    #[test]
    fn the_list_does_not_grow_with_what_was_consumed() {
        let mut contents = filled(&[0]);
        for number in 0..10_000 {
            let due = exact(100_000 - number);
            contents.push(MessageRun::one(message()), false, Arrival { due, ..Arrival::LASTING });
            assert_eq!(contents.pop(1).map(|stretch| stretch.first()), Some(number));
        }
        assert!(contents.dying().apart.len() < 2 * STALE_MAX);
    }

    fn recovered(ranges: &[(Sequence, Sequence)], is_in_order: bool) -> Contents {
        let mut contents = Contents::default();
        for (first, last) in ranges {
            let marks = Marks { is_logged: true, due: Due::UNKNOWN, ..Marks::default() };
            let range = SequenceRange { first: *first, last: *last };
            contents.recover_dying(Stretch::paged(range, range.count(), marks), is_in_order);
        }
        contents
    }

    fn read(range: SequenceRange, arrived: impl Fn(Sequence) -> u64) -> Vec<ReadBack> {
        let read = |sequence| ReadBack {
            sequence,
            arrived: Moment(arrived(sequence)),
            message: message(),
        };
        range.iter().map(read).collect()
    }

    const TTL: Lifetime = Lifetime { ttl_ms: Some(10), before: Vec::new(), is_by_delay: false };

    #[test]
    fn of_what_dies_in_its_order_only_the_head_is_read() {
        let mut contents = recovered(&[(0, 999)], true);
        let wanted = contents.wants_due(Moment(500)).unwrap();
        assert_eq!((wanted.first, contents.next_due(Moment(500))), (0, None));
        assert!(contents.fetched(wanted, read(wanted, |sequence| 500 + sequence), &TTL).is_empty());
        assert_eq!(contents.next_due(Moment(505)), Some(Moment(510)));
        assert_eq!(contents.wants_due(Moment(505)), None, "the rest dies later");
        assert_eq!(dead(&mut contents, 512), [(0, 0), (1, 1)]);
        let mut died = 2;
        while contents.take_due(Moment(2000)).is_some() {
            died += 1;
        }
        assert_eq!(died, wanted.count());
        let next = contents.wants_due(Moment(2000)).unwrap();
        assert_eq!(next.first, wanted.last + 1);
    }

    #[test]
    fn where_each_has_a_time_of_its_own_all_are_read() {
        let mut contents = recovered(&[(0, 299), (400, 400)], false);
        let mut read_ranges = Vec::new();
        while let Some(wanted) = contents.wants_due(Moment(0)) {
            read_ranges.push(wanted);
            let arrived = |sequence| if sequence == 270 { 5 } else { 1000 };
            contents.fetched(wanted, read(wanted, arrived), &TTL);
        }
        assert_eq!(read_ranges.len(), 3);
        assert_eq!(dead(&mut contents, 16), [(270, 270)]);
        assert_eq!(contents.next_due(Moment(16)), Some(Moment(1010)));
    }

    #[test]
    fn what_comes_behind_the_unknown_waits_for_it_only_where_all_live_equally_long() {
        let mut contents = recovered(&[(0, 9)], true);
        contents.push_dying(stretch(10, exact(70)), true);
        contents.push_dying(stretch(11, exact(60)), false);
        assert_eq!(dead(&mut contents, 1000), [(11, 11)], "apart");
        let wanted = contents.wants_due(Moment(0)).unwrap();
        contents.fetched(wanted, read(wanted, |_| 1), &TTL);
        assert_eq!(dead(&mut contents, 1000), [(0, 9), (10, 10)]);
    }

    fn stretch(first: Sequence, due: Due) -> Stretch {
        Stretch::one(first, message(), Marks { due, ..Marks::default() })
    }
}
