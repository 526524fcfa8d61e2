//! Bodies of ready messages leave RAM and come back: which may be forgotten, which are worth asking
//! for, and what to make of those that were read. It reads and writes nothing itself.

use super::contents::Contents;
use super::due::{Due, Lifetime};
use super::stretch::{Marks, Stretch};
use super::totals::{Totals, resident_size};
use crate::limits::{FETCH_COUNT_MAX, FETCH_SIZE_MAX};
use crate::message::{Message, Moment, ReadBack, Sequence, SequenceRange};

/// What may be forgotten, and how much was.
#[derive(Debug)]
pub struct Forgetting {
    /// The log has stored everything at lower places.
    pub stored_below: Sequence,
    /// Places that are left alone: somebody reads the bodies there.
    pub fetching: Option<SequenceRange>,
    /// Bytes of RAM that were forgotten.
    pub forgotten: u64,
}

impl Forgetting {
    /// Forgets the bodies of a stretch as far as that is allowed, but for the first `keep_bytes`;
    /// gives its parts.
    pub fn apply(&mut self, mut stretch: Stretch, keep_bytes: u64, put: &mut dyn FnMut(Stretch)) {
        let is_read = self.fetching.is_some_and(|range| range.overlaps(stretch.range()));
        if is_read || stretch.is_paged() || !stretch.marks().is_logged {
            return put(stretch);
        }
        stretch.split_front(count_within(&stretch, keep_bytes)).into_iter().for_each(&mut *put);
        let stored = self.stored_below.saturating_sub(stretch.first());
        if stored == 0 {
            return put(stretch);
        }
        let rest = match stretch.split_front(usize::try_from(stored).unwrap_or(usize::MAX)) {
            Some(stored) => Some(std::mem::replace(&mut stretch, stored)),
            None => None,
        };
        self.forgotten += stretch.resident_size();
        stretch.forget();
        put(stretch);
        rest.into_iter().for_each(put);
    }
}

/// How many of a stretch's first messages take no more than `bytes` of RAM.
fn count_within(stretch: &Stretch, bytes: u64) -> usize {
    let mut used = 0;
    let fits = |message: &&Message| {
        used += resident_size(message);
        used <= bytes
    };
    stretch.messages().take_while(fits).count()
}

/// Messages as they are added, at consecutive places, and what is known of them.
pub type Added = (Sequence, Vec<Message>, Marks);

/// Marks the messages of a stretch as logged where they are in RAM only, but for the first
/// `keep_bytes`; gives its parts, and what is to be added to the log.
fn log(mut stretch: Stretch, keep_bytes: u64, put: &mut dyn FnMut(Stretch)) -> Option<Added> {
    if stretch.is_paged() || stretch.marks().is_logged {
        put(stretch);
        return None;
    }
    stretch.split_front(count_within(&stretch, keep_bytes)).into_iter().for_each(&mut *put);
    let messages = stretch.messages().cloned().collect();
    let added = (stretch.first(), messages, stretch.marks());
    stretch.mark(Marks { is_logged: true, ..stretch.marks() });
    put(stretch);
    Some(added)
}

/// Messages whose bodies can leave RAM: those at the back are needed last.
pub(super) trait Pages {
    /// What all of them add up to.
    fn totals(&self) -> Totals;

    /// Takes stretches from the back while what is left has more than `keep_bytes` of a kind, and
    /// puts back what `change` makes of each when it is told how many bytes of its front must stay.
    fn change_back(
        &mut self,
        kind: impl Fn(Totals) -> u64,
        keep_bytes: u64,
        change: impl FnMut(Stretch, u64, &mut dyn FnMut(Stretch)),
    );

    /// Forgets bodies from the back on, until `keep_bytes` of what was given to the log are left.
    fn forget(&mut self, keep_bytes: u64, forgetting: &mut Forgetting) {
        let logged = |totals: Totals| totals.resident.logged;
        self.change_back(logged, keep_bytes, |stretch, keep, put| {
            forgetting.apply(stretch, keep, put);
        });
    }

    /// Marks messages that are in RAM only as logged, from the back on, about `bytes_max` of them;
    /// gives them as they are to be added to the log.
    fn log_unlogged(&mut self, bytes_max: u64) -> Vec<Added> {
        let mut added = Vec::new();
        let unlogged = |totals: Totals| totals.resident.unlogged;
        let keep_bytes = unlogged(self.totals()).saturating_sub(bytes_max);
        self.change_back(unlogged, keep_bytes, |stretch, keep, put| {
            added.extend(log(stretch, keep, put));
        });
        added
    }
}

impl Pages for Contents {
    fn totals(&self) -> Totals {
        self.totals
    }

    /// What this costs does not grow with the queue, but for stretches of another kind between.
    fn change_back(
        &mut self,
        kind: impl Fn(Totals) -> u64,
        keep_bytes: u64,
        mut change: impl FnMut(Stretch, u64, &mut dyn FnMut(Stretch)),
    ) {
        let (mut fresh, mut returned) = (Vec::new(), Vec::new());
        while kind(self.totals) > keep_bytes {
            let (list, taken) = match self.fresh.pop_back() {
                Some(stretch) => (&mut fresh, stretch),
                None => match self.returned.take_last() {
                    Some((stretch, ())) => (&mut returned, stretch),
                    None => break,
                },
            };
            self.totals -= taken.totals();
            list.push((taken, keep_bytes.saturating_sub(kind(self.totals))));
        }
        for (stretch, keep) in returned.into_iter().rev() {
            change(stretch, keep, &mut |part| self.put_back(part));
        }
        for (stretch, keep) in fresh.into_iter().rev() {
            change(stretch, keep, &mut |part| self.append(part));
        }
    }
}

impl Contents {
    /// The bodies that are needed next and are on disk, where there are not enough in RAM before
    /// them.
    #[must_use]
    pub fn wants(&self) -> Option<SequenceRange> {
        if !self.has_paged() {
            return None;
        }
        let mut ahead = 0;
        let mut stretches = self.stretches().skip_while(|stretch| {
            ahead += stretch.len();
            !stretch.is_paged() && ahead < FETCH_COUNT_MAX / 2
        });
        let first = stretches.next().filter(|stretch| stretch.is_paged())?;
        let mut wanted = Wanted::new(first.first());
        wanted.add(first);
        stretches.take_while(|stretch| wanted.add(stretch)).for_each(drop);
        Some(wanted.range())
    }

    /// Takes in bodies that were read, and knows when they die if it did not. What is on disk only,
    /// was asked for and not found, is lost; tells which.
    pub fn fetched(
        &mut self,
        asked: SequenceRange,
        found: Vec<ReadBack>,
        lifetime: &Lifetime,
    ) -> Vec<SequenceRange> {
        let mut returning = Returning::new(asked, found, lifetime);
        let mut places = asked;
        while let Some((stretch, ())) = self.returned.take_whole(places) {
            places.first = stretch.last() + 1;
            self.totals -= stretch.totals();
            returning.fill(stretch, &mut |part| self.put_back(part));
            if places.first > places.last {
                break;
            }
        }
        returning.is_in_order = true;
        self.fetched_fresh(&mut returning);
        returning.into_lost()
    }

    /// The body at this place is on disk only.
    pub(super) fn has_paged_at(&self, place: Sequence) -> bool {
        let before = self.fresh.partition_point(|stretch| stretch.last() < place);
        let places = SequenceRange::one(place);
        let fresh = self.fresh.get(before).filter(|stretch| stretch.range().overlaps(places));
        fresh.or_else(|| self.returned.get(places)).is_some_and(Stretch::is_paged)
    }

    /// What was asked for is near the front, so little is before it.
    fn fetched_fresh(&mut self, returning: &mut Returning<'_>) {
        let before = self.fresh.partition_point(|stretch| stretch.last() < returning.asked.first);
        let at = self.fresh.get(before);
        if !at.is_some_and(|stretch| stretch.range().overlaps(returning.asked)) {
            return;
        }
        let is_concerned = |stretch: &mut Stretch| stretch.first() <= returning.asked.last;
        let mut concerned = Vec::new();
        while let Some(stretch) = self.fresh.pop_front_if(is_concerned) {
            self.totals -= stretch.totals();
            concerned.push(stretch);
        }
        let rest = std::mem::take(&mut self.fresh);
        for stretch in concerned {
            returning.fill(stretch, &mut |part| self.append(part));
        }
        let mut front = std::mem::replace(&mut self.fresh, rest);
        while let Some(mut last) = front.pop_back() {
            if let Some(next) = self.fresh.pop_front()
                && let Err(next) = last.join(next)
            {
                self.fresh.push_front(next);
            }
            self.fresh.push_front(last);
        }
    }
}

/// What one fetch asks for, as it grows.
#[derive(Debug)]
pub(super) struct Wanted {
    first: Sequence,
    last: Sequence,
    bytes: u64,
}

impl Wanted {
    fn new(first: Sequence) -> Self {
        Self { first, last: first, bytes: 0 }
    }

    /// The first bodies of a stretch on disk.
    pub(super) fn head_of(stretch: &Stretch) -> SequenceRange {
        let mut wanted = Self::new(stretch.first());
        wanted.add(stretch);
        wanted.range()
    }

    fn range(&self) -> SequenceRange {
        SequenceRange { first: self.first, last: self.last }
    }

    /// Adds what is on disk of a stretch. False where there is no room for all of it.
    fn add(&mut self, stretch: &Stretch) -> bool {
        let end = self.first + FETCH_COUNT_MAX as u64;
        if stretch.first() >= end {
            return false;
        }
        if !stretch.is_paged() {
            return true;
        }
        let size = (stretch.body_bytes() / stretch.len() as u64).max(1);
        let room = FETCH_SIZE_MAX.saturating_sub(self.bytes) / size;
        let least = u64::from(self.bytes == 0);
        let places = end - stretch.first();
        let count = (stretch.len() as u64).min(places).min(room.max(least));
        if let Some(range) = SequenceRange::starting(stretch.first(), count) {
            self.last = range.last;
            self.bytes += count * size;
        }
        count == stretch.len() as u64
    }
}

/// Bodies that were read, on their way to where they are missing.
#[derive(Debug)]
pub(super) struct Returning<'a> {
    asked: SequenceRange,
    /// Rising. They are looked up more than once: what is apart comes first, wherever it stands.
    found: Vec<ReadBack>,
    /// Where the next one is likely to be.
    next: usize,
    lifetime: &'a Lifetime,
    /// They die in the order of their places.
    is_in_order: bool,
    lost: Vec<SequenceRange>,
}

impl<'a> Returning<'a> {
    /// These bodies were found at places that were asked for.
    pub(super) fn new(
        asked: SequenceRange,
        mut found: Vec<ReadBack>,
        lifetime: &'a Lifetime,
    ) -> Self {
        found.sort_unstable_by_key(|read| read.sequence);
        Self { asked, found, next: 0, lifetime, is_in_order: false, lost: Vec::new() }
    }

    /// Places whose bodies were missed.
    pub(super) fn into_lost(self) -> Vec<SequenceRange> {
        self.lost
    }

    /// Gives the parts of a stretch, with the bodies that were read.
    pub(super) fn fill(&mut self, mut stretch: Stretch, put: &mut dyn FnMut(Stretch)) {
        if !stretch.is_paged() || !stretch.range().overlaps(self.asked) {
            return put(stretch);
        }
        let count = |from: Sequence, to: Sequence| usize::try_from(to.saturating_sub(from));
        let before = count(stretch.first(), self.asked.first).unwrap_or(usize::MAX);
        stretch.split_front(before).into_iter().for_each(&mut *put);
        let body_bytes = stretch.body_bytes();
        let asked = count(stretch.first(), self.asked.last + 1).unwrap_or(usize::MAX);
        let (part, rest) = match stretch.split_front(asked) {
            Some(part) => (part, Some(stretch)),
            None => (stretch, None),
        };
        let (read_bytes, last_due) = self.fill_all(&part, put);
        if let Some(mut rest) = rest {
            // Now the share of those that were read is known.
            rest.set_body_bytes(body_bytes.saturating_sub(read_bytes));
            let marks = rest.marks();
            if !marks.due.is_exact() && self.is_in_order {
                let due = Due::not_before(marks.due.at().max(last_due));
                rest.mark(Marks { due, ..marks });
            }
            put(rest);
        }
    }

    /// Gives the messages of a stretch as far as they were found; tells the bytes of their bodies,
    /// and when the last one dies.
    fn fill_all(&mut self, part: &Stretch, put: &mut dyn FnMut(Stretch)) -> (u64, Moment) {
        let mut body_bytes = 0;
        let mut last_due = Moment(0);
        for sequence in part.range().iter() {
            match self.find(sequence) {
                Some(ReadBack { arrived, message, .. }) => {
                    body_bytes += message.body_size();
                    let mut marks = part.marks();
                    if !marks.due.is_exact() {
                        marks.due = self.lifetime.due(arrived, &message);
                    }
                    last_due = marks.due.at();
                    put(Stretch::one(sequence, message, marks));
                }
                None => self.lose(sequence),
            }
        }
        (body_bytes, last_due)
    }

    fn find(&mut self, sequence: Sequence) -> Option<ReadBack> {
        let is_next = self.found.get(self.next).is_some_and(|read| read.sequence == sequence);
        if !is_next {
            self.next = self.found.binary_search_by_key(&sequence, |read| read.sequence).ok()?;
        }
        let found = self.found.get(self.next).cloned();
        self.next += 1;
        found
    }

    fn lose(&mut self, sequence: Sequence) {
        let range = SequenceRange::one(sequence);
        if !self.lost.last_mut().is_some_and(|last| last.join(range)) {
            self.lost.push(range);
        }
    }
}
