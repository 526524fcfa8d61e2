//! Bodies of ready messages leave RAM and come back: which may be forgotten, which are worth asking
//! for, and what to make of those that were read. It reads and writes nothing itself.

use std::collections::VecDeque;

use super::contents::Contents;
use super::stretch::{Marks, Stretch};
use super::totals::resident_size;
use crate::limits::{FETCH_COUNT_MAX, FETCH_SIZE_MAX};
use crate::message::{Message, Sequence, SequenceRange};

/// What may be forgotten, and how much was.
#[derive(Debug)]
pub struct Forgetting {
    /// The log has stored everything at lower places.
    pub stored_below: Sequence,
    /// Bytes at the front that stay.
    pub keep_bytes: u64,
    /// Places that are left alone: somebody reads the bodies there.
    pub fetching: Option<SequenceRange>,
    /// Bytes of RAM that were forgotten.
    pub forgotten: u64,
}

impl Forgetting {
    /// Forgets the bodies of a stretch as far as that is allowed; gives its parts.
    pub fn apply(&mut self, mut stretch: Stretch, put: &mut dyn FnMut(Stretch)) {
        let kept_count = self.keep(&stretch);
        let is_read = self.fetching.is_some_and(|range| range.overlaps(stretch.range()));
        if is_read || stretch.is_paged() || !stretch.marks().is_logged {
            return put(stretch);
        }
        if let Some(kept) = stretch.split_front(kept_count) {
            put(kept);
        } else if kept_count > 0 {
            return put(stretch);
        }
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

    /// How many of the stretch's first messages are among the bytes that stay.
    fn keep(&mut self, stretch: &Stretch) -> usize {
        let size = stretch.resident_size();
        if size <= self.keep_bytes {
            self.keep_bytes -= size;
            return if stretch.is_paged() { 0 } else { stretch.len() };
        }
        let room = std::mem::take(&mut self.keep_bytes);
        let mut used = 0;
        let fits = |message: &&Message| {
            used += resident_size(message);
            used <= room
        };
        stretch.messages().take_while(fits).count()
    }
}

/// Messages as they are added, at consecutive places.
pub type Added = (Sequence, Vec<Message>);

impl Contents {
    /// Forgets bodies from the back on.
    pub fn forget(&mut self, forgetting: &mut Forgetting) {
        let all = self.take_all();
        for stretch in all.returned.into_stretches() {
            forgetting.apply(stretch, &mut |part| self.put_back(part));
        }
        for stretch in all.fresh {
            forgetting.apply(stretch, &mut |part| self.append(part));
        }
    }

    /// Marks messages that are in RAM only as logged, from the back on, about `bytes_max` of them;
    /// gives them as they are to be added to the log.
    pub fn log_unlogged(&mut self, mut bytes_max: u64) -> Vec<Added> {
        let (mut added, mut parts) = (Vec::new(), Vec::new());
        let all = self.take_all();
        for stretch in all.fresh.into_iter().rev() {
            log_tail(stretch, &mut bytes_max, &mut added, &mut |part| parts.push(part));
        }
        parts.drain(..).rev().for_each(|part| self.append(part));
        for stretch in all.returned.into_stretches().rev() {
            log_tail(stretch, &mut bytes_max, &mut added, &mut |part| parts.push(part));
        }
        parts.into_iter().rev().for_each(|part| self.put_back(part));
        added.reverse();
        added
    }

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
        Some(SequenceRange { first: first.first(), last: wanted.last })
    }

    /// Takes in bodies that were read. What is on disk only, was asked for and not found, is lost;
    /// tells which.
    pub fn fetched(
        &mut self,
        asked: SequenceRange,
        mut found: Vec<(Sequence, Message)>,
    ) -> Vec<SequenceRange> {
        found.sort_unstable_by_key(|(sequence, _)| *sequence);
        let mut returning = Returning { asked, found: found.into(), lost: Vec::new() };
        let mut places = asked;
        while let Some((stretch, ())) = self.returned.take_whole(places) {
            places.first = stretch.last() + 1;
            self.totals -= stretch.totals();
            returning.fill(stretch, &mut |part| self.put_back(part));
            if places.first > places.last {
                break;
            }
        }
        self.fetched_fresh(&mut returning);
        returning.lost
    }

    /// What was asked for is near the front, so little is before it.
    fn fetched_fresh(&mut self, returning: &mut Returning) {
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

/// Marks messages at the end of a stretch as logged while `bytes_max` lasts; gives its parts, the
/// last one first.
fn log_tail(
    mut stretch: Stretch,
    bytes_max: &mut u64,
    all: &mut Vec<Added>,
    put: &mut dyn FnMut(Stretch),
) {
    if stretch.is_paged() || stretch.marks().is_logged || *bytes_max == 0 {
        return put(stretch);
    }
    let mut count = 0;
    for message in stretch.messages().rev() {
        if *bytes_max == 0 {
            break;
        }
        *bytes_max = bytes_max.saturating_sub(resident_size(message));
        count += 1;
    }
    let before = stretch.split_front(stretch.len() - count);
    all.push((stretch.first(), stretch.messages().cloned().collect()));
    stretch.mark(Marks { is_logged: true, ..stretch.marks() });
    put(stretch);
    before.into_iter().for_each(put);
}

/// What one fetch asks for, as it grows.
#[derive(Debug)]
struct Wanted {
    first: Sequence,
    last: Sequence,
    bytes: u64,
}

impl Wanted {
    fn new(first: Sequence) -> Self {
        Self { first, last: first, bytes: 0 }
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
struct Returning {
    asked: SequenceRange,
    found: VecDeque<(Sequence, Message)>,
    lost: Vec<SequenceRange>,
}

impl Returning {
    /// Gives the parts of a stretch, with the bodies that were read.
    fn fill(&mut self, mut stretch: Stretch, put: &mut dyn FnMut(Stretch)) {
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
        let read_bytes = self.fill_all(&part, put);
        if let Some(mut rest) = rest {
            // Now the share of those that were read is known.
            rest.set_body_bytes(body_bytes.saturating_sub(read_bytes));
            put(rest);
        }
    }

    /// Gives the messages of a stretch as far as they were found; tells the bytes of their bodies.
    fn fill_all(&mut self, part: &Stretch, put: &mut dyn FnMut(Stretch)) -> u64 {
        let mut body_bytes = 0;
        for sequence in part.range().iter() {
            while self.found.pop_front_if(|(found, _)| *found < sequence).is_some() {}
            match self.found.pop_front_if(|(found, _)| *found == sequence) {
                Some((_, message)) => {
                    body_bytes += message.body_size();
                    put(Stretch::one(sequence, message, part.marks()));
                }
                None => self.lose(sequence),
            }
        }
        body_bytes
    }

    fn lose(&mut self, sequence: Sequence) {
        let range = SequenceRange::one(sequence);
        if !self.lost.last_mut().is_some_and(|last| last.join(range)) {
            self.lost.push(range);
        }
    }
}
