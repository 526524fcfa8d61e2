//! The keys of all messages in a queue that takes no two equal ones, and their places. Which
//! messages are in the queue, the machine says.

use std::collections::BTreeMap;

use hashbrown::HashMap;

use crate::message::{DeduplicationKey, Sequence, SequenceRange};

/// Keys that are there.
#[derive(Debug, Default)]
pub(super) struct PresentKeys {
    by_key: HashMap<DeduplicationKey, Sequence, foldhash::fast::FixedState>,
    by_place: BTreeMap<Sequence, DeduplicationKey>,
}

impl PresentKeys {
    /// A message with this key is there.
    pub(super) fn has(&self, key: DeduplicationKey) -> bool {
        self.by_key.contains_key(&key)
    }

    /// A message with this key came to this place.
    pub(super) fn add(&mut self, place: Sequence, key: DeduplicationKey) {
        self.by_key.insert(key, place);
        self.by_place.insert(place, key);
    }

    /// What was at these places is gone. Of two equal ones, as a crash may leave them, the later
    /// counts.
    pub(super) fn remove(&mut self, range: SequenceRange) {
        while let Some((&place, _)) = self.by_place.range(range.first..=range.last).next()
            && let Some(key) = self.by_place.remove(&place)
        {
            if self.by_key.get(&key) == Some(&place) {
                self.by_key.remove(&key);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const A: DeduplicationKey = DeduplicationKey([1; 16]);
    const B: DeduplicationKey = DeduplicationKey([2; 16]);

    #[test]
    fn a_key_is_there_as_long_as_its_message() {
        let mut keys = PresentKeys::default();
        keys.add(3, A);
        keys.add(7, B);
        keys.remove(SequenceRange { first: 4, last: 6 });
        assert!(keys.has(A) && keys.has(B));
        keys.remove(SequenceRange { first: 0, last: 3 });
        assert!(!keys.has(A) && keys.has(B));
        keys.remove(SequenceRange { first: 0, last: Sequence::MAX });
        assert!(keys.by_key.is_empty() && keys.by_place.is_empty());
    }

    #[test]
    fn of_two_equal_ones_the_later_counts() {
        let mut keys = PresentKeys::default();
        keys.add(3, A);
        keys.add(7, A);
        keys.remove(SequenceRange::one(3));
        assert!(keys.has(A));
        keys.remove(SequenceRange::one(7));
        assert!(!keys.has(A));
    }
}
