//! The keys of messages that an exchange has seen, so many at the most and each for so long. A key
//! is claimed by a message on its way, and is seen when that one came to its queues; one that came
//! to none gives it back. It knows no disk: each key has a place, which the next one takes over,
//! so that who writes them down by their places needs to strike out none.

use std::collections::{BTreeMap, BTreeSet};

use hashbrown::HashMap;

use crate::limits::SEEN_KEYS_FORGOTTEN_MAX;
use crate::message::{DeduplicationKey, Moment, SeenKey};

/// What there is of a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Look {
    /// Nobody had it: it is claimed.
    New(SeenKey),
    /// Another message is on its way with it, which claimed it under this number.
    Claimed(u64),
    /// It was seen: this is where in the log it stands.
    Seen(u64),
}

/// Keys that were seen.
#[derive(Debug)]
pub(super) struct SeenKeys {
    size: usize,
    entries: HashMap<DeduplicationKey, Entry, foldhash::fast::FixedState>,
    /// By number: the oldest first.
    by_age: BTreeMap<u64, DeduplicationKey>,
    /// Those that are forgotten at some moment, and their numbers.
    by_end: BTreeSet<(Moment, u64)>,
    /// Places below `places_used` that no key has.
    free: Vec<u32>,
    places_used: u32,
    next_number: u64,
}

#[derive(Clone, Copy, Debug)]
struct Entry {
    seen: SeenKey,
    /// None while it is only claimed.
    position: Option<u64>,
}

impl SeenKeys {
    /// Room for so many.
    pub(super) fn new(size: usize) -> Self {
        Self {
            size: size.max(1),
            entries: HashMap::default(),
            by_age: BTreeMap::new(),
            by_end: BTreeSet::new(),
            free: Vec::new(),
            places_used: 0,
            next_number: 1,
        }
    }

    /// Claims a key that is not there, for so long from now on. Where there is no room, the oldest
    /// is forgotten.
    pub(super) fn claim(
        &mut self,
        key: DeduplicationKey,
        ttl_ms: Option<u64>,
        now: Moment,
    ) -> Look {
        self.forget_old(now);
        if let Some(entry) = self.entries.get(&key).copied() {
            if entry.seen.until.is_none_or(|until| until > now) {
                return entry.position.map_or(Look::Claimed(entry.seen.number), Look::Seen);
            }
            self.remove(&entry.seen);
        }
        if self.entries.len() >= self.size
            && let Some((_, oldest)) = self.by_age.first_key_value()
            && let Some(entry) = self.entries.get(oldest).copied()
        {
            self.remove(&entry.seen);
        }
        let (place, number) = (self.next_place(), self.next_number);
        let until = ttl_ms.map(|milliseconds| now.plus(milliseconds));
        let seen = SeenKey { place, key, number, until };
        self.insert(seen, None);
        Look::New(seen)
    }

    /// The message that claimed it is in its queues; all of that stands in the log up to there.
    pub(super) fn keep(&mut self, claimed: &SeenKey, position: u64) {
        if let Some(entry) = self.entries.get_mut(&claimed.key)
            && entry.seen.number == claimed.number
        {
            entry.position = Some(position);
        }
    }

    /// The message that claimed it came to nothing.
    pub(super) fn release(&mut self, claimed: &SeenKey) {
        if self.has(claimed) {
            self.remove(claimed);
        }
    }

    /// Whether nobody else has taken its place meanwhile.
    pub(super) fn has(&self, claimed: &SeenKey) -> bool {
        let entry = self.entries.get(&claimed.key);
        entry.is_some_and(|entry| entry.seen.number == claimed.number)
    }

    /// One that an earlier life saw; they come in the order of their places.
    pub(super) fn restore(&mut self, seen: SeenKey) {
        if seen.place < self.places_used || usize::try_from(seen.place).unwrap_or(0) >= self.size {
            return;
        }
        self.free.extend(self.places_used..seen.place);
        self.places_used = seen.place + 1;
        match self.entries.get(&seen.key).copied() {
            // It was forgotten and seen again, and the first place is not written over yet.
            Some(known) if known.seen.number > seen.number => self.free.push(seen.place),
            known => {
                known.into_iter().for_each(|known| self.remove(&known.seen));
                self.insert(seen, Some(0));
            }
        }
    }

    /// All places below this one may be written down.
    pub(super) fn places_used(&self) -> u32 {
        self.places_used
    }

    fn next_place(&mut self) -> u32 {
        self.free.pop().unwrap_or_else(|| {
            self.places_used += 1;
            self.places_used - 1
        })
    }

    fn insert(&mut self, seen: SeenKey, position: Option<u64>) {
        self.next_number = self.next_number.max(seen.number + 1);
        self.entries.insert(seen.key, Entry { seen, position });
        self.by_age.insert(seen.number, seen.key);
        self.by_end.extend(seen.until.map(|until| (until, seen.number)));
    }

    fn remove(&mut self, seen: &SeenKey) {
        self.entries.remove(&seen.key);
        self.by_age.remove(&seen.number);
        if let Some(until) = seen.until {
            self.by_end.remove(&(until, seen.number));
        }
        self.free.push(seen.place);
    }

    /// Forgets some of those whose time is over: always more than come.
    fn forget_old(&mut self, now: Moment) {
        for _ in 0..SEEN_KEYS_FORGOTTEN_MAX {
            let first = self.by_end.first().filter(|(until, _)| *until <= now);
            let key = first.and_then(|(_, number)| self.by_age.get(number));
            let Some(entry) = key.and_then(|key| self.entries.get(key)).copied() else { return };
            self.remove(&entry.seen);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(byte: u8) -> DeduplicationKey {
        DeduplicationKey([byte; 16])
    }

    /// Claims a key at a moment, and keeps it. True where it was new.
    fn see(keys: &mut SeenKeys, byte: u8, ttl_ms: Option<u64>, at: u64) -> bool {
        match keys.claim(key(byte), ttl_ms, Moment(at)) {
            Look::New(seen) => {
                keys.keep(&seen, 7);
                true
            }
            Look::Seen(_) | Look::Claimed(_) => false,
        }
    }

    #[test]
    fn a_key_is_new_once() {
        let mut keys = SeenKeys::new(10);
        assert!(see(&mut keys, 1, None, 0) && see(&mut keys, 2, None, 0));
        assert_eq!(keys.claim(key(1), None, Moment(u64::MAX)), Look::Seen(7));
    }

    #[test]
    fn the_oldest_makes_room() {
        let mut keys = SeenKeys::new(2);
        assert!(see(&mut keys, 1, None, 0) && see(&mut keys, 2, None, 0));
        assert!(!see(&mut keys, 1, None, 0), "a duplicate makes nothing younger");
        assert!(see(&mut keys, 3, None, 0));
        assert!(!see(&mut keys, 2, None, 0) && see(&mut keys, 1, None, 0));
        assert_eq!(keys.places_used(), 2);
    }

    #[test]
    fn a_key_is_forgotten_in_its_time_and_leaves_its_room() {
        let mut keys = SeenKeys::new(2);
        assert!(see(&mut keys, 1, None, 0) && see(&mut keys, 2, Some(10), 0));
        assert!(!see(&mut keys, 2, Some(10), 9));
        assert!(see(&mut keys, 3, Some(10), 10));
        assert!(!see(&mut keys, 1, None, 10), "who lasts is not pushed out");
        assert!(see(&mut keys, 2, Some(0), 20) && see(&mut keys, 2, Some(0), 20));
    }

    #[test]
    fn many_that_are_over_are_forgotten_little_by_little() {
        let mut keys = SeenKeys::new(200);
        assert!((0..200).all(|byte| see(&mut keys, byte, Some(10), 0)));
        assert!(see(&mut keys, 250, None, 10));
        assert_eq!(keys.entries.len(), 201 - SEEN_KEYS_FORGOTTEN_MAX);
        assert!(see(&mut keys, 199, None, 10), "also one whose turn has not come");
    }

    #[test]
    fn a_claimed_key_is_neither_new_nor_seen_until_its_message_arrived_or_failed() {
        let mut keys = SeenKeys::new(10);
        let Look::New(claimed) = keys.claim(key(1), None, Moment(0)) else { panic!() };
        assert_eq!(keys.claim(key(1), None, Moment(0)), Look::Claimed(claimed.number));
        keys.release(&claimed);
        let Look::New(again) = keys.claim(key(1), None, Moment(0)) else { panic!() };
        keys.keep(&claimed, 3);
        keys.release(&claimed);
        assert!(!keys.has(&claimed) && keys.has(&again));
        assert_eq!(keys.claim(key(1), None, Moment(0)), Look::Claimed(again.number));
        keys.keep(&again, 5);
        assert_eq!(keys.claim(key(1), None, Moment(0)), Look::Seen(5));
    }

    #[test]
    fn what_is_written_down_by_places_comes_back() {
        let mut keys = SeenKeys::new(3);
        let mut written = BTreeMap::new();
        let mut see_and_write = |keys: &mut SeenKeys, byte| {
            let Look::New(seen) = keys.claim(key(byte), None, Moment(0)) else { panic!() };
            keys.keep(&seen, 1);
            written.insert(seen.place, seen);
        };
        (1..=4).for_each(|byte| see_and_write(&mut keys, byte));
        let mut again = SeenKeys::new(3);
        written.into_values().for_each(|seen| again.restore(seen));
        assert_eq!(again.claim(key(4), None, Moment(0)), Look::Seen(0));
        assert!(see(&mut again, 5, None, 0), "pushes out 2, now the oldest");
        assert!(!see(&mut again, 3, None, 0) && see(&mut again, 2, None, 0));
        assert_eq!(again.places_used(), 3);
    }

    #[test]
    fn of_a_key_that_is_written_down_twice_the_later_counts() {
        let seen = |place, byte, number| SeenKey { place, key: key(byte), number, until: None };
        let mut keys = SeenKeys::new(10);
        for each in [seen(1, 1, 5), seen(3, 1, 9), seen(4, 2, 8), seen(5, 2, 7), seen(99, 3, 1)] {
            keys.restore(each);
        }
        assert_eq!(keys.by_age.keys().copied().collect::<Vec<_>>(), [8, 9]);
        let mut free = keys.free.clone();
        free.sort_unstable();
        assert_eq!((free, keys.places_used()), (vec![0, 1, 2, 5], 6));
    }
}
