//! Messages that leave a queue for the dead-letter exchange, in the order in which they died: those
//! that wait for their bodies or for their turn, and how many somebody is bringing away. It does
//! not know where they go, nor why a message dies.

use std::collections::VecDeque;

use super::due::Lifetime;
use super::paging::{Forgetting, Returning, Wanted};
use super::stretch::Stretch;
use super::totals::Totals;
use crate::limits::{DEAD_LETTERS_OUT_MAX, FETCH_SIZE_MAX};
use crate::message::{DeathReason, DeliveryCounts, ReadBack, SequenceRange};

/// Messages that died.
///
/// ```text
/// out of the queue:   31, 32        somebody brings them to their queues
/// waiting:            33..90 maxlen, 7 rejected, ...
/// ```
#[derive(Debug, Default)]
pub(super) struct Leaving {
    waiting: VecDeque<(DeathReason, Stretch)>,
    totals: Totals,
    out_count: usize,
    /// Of those that are out, which were delivered before they died, and how often.
    out_delivered: Vec<(SequenceRange, DeliveryCounts)>,
    out_bytes: u64,
}

impl Leaving {
    /// What waits adds up to this.
    pub(super) fn totals(&self) -> Totals {
        self.totals
    }

    /// What waits, in its order.
    pub(super) fn iter(&self) -> impl Iterator<Item = &Stretch> {
        self.waiting.iter().map(|(_, stretch)| stretch)
    }

    /// Some wait, or are on their way.
    pub(super) fn has_any(&self) -> bool {
        self.out_count > 0 || !self.waiting.is_empty()
    }

    /// Adds messages that just died.
    pub(super) fn push(&mut self, reason: DeathReason, stretch: Stretch) {
        self.totals += stretch.totals();
        let left = match self.waiting.back_mut() {
            Some((last_reason, last)) if *last_reason == reason && last.has_room() => {
                last.join(stretch)
            }
            _ => Err(stretch),
        };
        self.waiting.extend(left.err().map(|stretch| (reason, stretch)));
    }

    /// Others are on their way: those that come next wait until these are there, so that all come
    /// in their order, whoever brings them.
    pub(super) fn is_busy(&self) -> bool {
        self.out_count > 0
    }

    /// Takes the next ones that can be brought away: their bodies are in RAM, and neither too
    /// many nor too large ones are on their way already.
    pub(super) fn pop(&mut self) -> Option<(DeathReason, Stretch)> {
        let room = DEAD_LETTERS_OUT_MAX.saturating_sub(self.out_count);
        let (reason, first) = self.waiting.front_mut()?;
        if room == 0 || first.is_paged() || self.out_bytes >= FETCH_SIZE_MAX {
            return None;
        }
        let reason = *reason;
        let size = (first.body_bytes() / first.len() as u64).max(1);
        let fitting = usize::try_from(FETCH_SIZE_MAX / size).unwrap_or(usize::MAX).max(1);
        let part = first.split_front(room.min(fitting));
        let taken = part.or_else(|| self.waiting.pop_front().map(|(_, stretch)| stretch))?;
        self.totals -= taken.totals();
        self.out_count += taken.len();
        self.out_bytes += taken.body_bytes();
        let marks = taken.marks();
        if marks.is_redelivered && marks.is_logged {
            self.out_delivered.push((taken.range(), marks.counts));
        }
        Some((reason, taken))
    }

    /// Those came to where they belong.
    pub(super) fn left(&mut self, places: SequenceRange) {
        let count = usize::try_from(places.count()).unwrap_or(usize::MAX);
        let delivered = std::mem::take(&mut self.out_delivered).into_iter();
        let rest = delivered.flat_map(|(range, counts)| {
            range.without(places).into_iter().flatten().map(move |range| (range, counts))
        });
        self.out_delivered = rest.collect();
        let before = self.out_count;
        self.out_count = before.saturating_sub(count);
        // They are taken to be of one size.
        self.out_bytes = match before {
            0 => 0,
            _ => self.out_bytes / before as u64 * self.out_count as u64,
        };
    }

    /// Of those that are on their way, which were delivered before they died, and how often.
    pub(super) fn out_delivered(&self) -> impl Iterator<Item = (SequenceRange, DeliveryCounts)> {
        self.out_delivered.iter().copied()
    }

    /// All that died and is still the queue's, as far as its length is asked for.
    pub(super) fn kept(&self) -> Totals {
        let count = self.totals.count + self.out_count;
        let body_bytes = self.totals.body_bytes + self.out_bytes;
        Totals { count, body_bytes, ..Totals::default() }
    }

    /// The bodies without which nothing goes on.
    pub(super) fn wants(&self) -> Option<SequenceRange> {
        let (_, first) = self.waiting.front().filter(|(_, first)| first.is_paged())?;
        Some(Wanted::head_of(first))
    }

    /// Takes in bodies that were read for the first ones. What was not found is lost; tells which.
    pub(super) fn fetched(
        &mut self,
        asked: SequenceRange,
        found: Vec<ReadBack>,
    ) -> Vec<SequenceRange> {
        let Some((reason, first)) = self.waiting.pop_front() else { return Vec::new() };
        self.totals -= first.totals();
        let mut parts: VecDeque<Stretch> = VecDeque::new();
        let lifetime = Lifetime::default();
        let mut returning = Returning::new(asked, found, &lifetime);
        returning.fill(first, &mut |part| {
            let left = match parts.back_mut() {
                Some(last) => last.join(part),
                None => Err(part),
            };
            parts.extend(left.err());
        });
        for part in parts.into_iter().rev() {
            self.totals += part.totals();
            self.waiting.push_front((reason, part));
        }
        returning.into_lost()
    }

    /// Forgets bodies, the latest first, until none is left that the log was given.
    pub(super) fn forget(&mut self, forgetting: &mut Forgetting) {
        let mut taken = Vec::new();
        while self.totals.resident.logged > 0
            && let Some((reason, stretch)) = self.waiting.pop_back()
        {
            self.totals -= stretch.totals();
            taken.push((reason, stretch));
        }
        for (reason, stretch) in taken.into_iter().rev() {
            forgetting.apply(stretch, 0, &mut |part| self.push(reason, part));
        }
    }
}
