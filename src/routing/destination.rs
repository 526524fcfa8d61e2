//! Where a binding leads, as a number, and sets of such.

use std::sync::Arc;

use smallvec::SmallVec;

use crate::message::{ExchangeId, QueueId};
use crate::protocol::field::FieldTable;

/// Where a binding leads.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Destination {
    /// A queue.
    Queue(QueueId),
    /// An exchange.
    Exchange(ExchangeId),
}

/// A binding as its source exchange knows it; all of it is its identity.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct BindingKey {
    /// The key it was made with.
    pub routing_key: Arc<str>,
    /// The arguments it was made with.
    pub arguments: FieldTable,
    /// Where it leads.
    pub destination: Destination,
}

/// Up to this many places are closed up at once when a destination goes.
const CLOSED_UP_COUNT_MAX: usize = 64;

/// Destinations in the order of their numbers, each with the number of bindings that lead there:
/// bindings may differ in what a type of exchange does not look at.
///
/// In a large set a destination that goes leaves its place with a count of zero, and the places
/// are closed up when half of them are such: one of very many goes without moving the others.
#[derive(Clone, Debug, Default)]
pub struct DestinationSet {
    places: SmallVec<[(Destination, u32); 1]>,
    left_count: usize,
}

impl DestinationSet {
    /// One more binding leads there.
    pub fn add(&mut self, destination: Destination) {
        match self.place(destination) {
            Ok(index) => {
                let Some((_, count)) = self.places.get_mut(index) else { return };
                *count += 1;
                if *count == 1 {
                    self.left_count -= 1;
                }
            }
            Err(index) => self.places.insert(index, (destination, 1)),
        }
    }

    /// One binding less leads there. False where none did.
    pub fn remove(&mut self, destination: Destination) -> bool {
        let Ok(index) = self.place(destination) else { return false };
        let Some((_, count)) = self.places.get_mut(index) else { return false };
        if *count == 0 {
            return false;
        }
        *count -= 1;
        if *count == 0 {
            self.left_count += 1;
            self.close_up();
        }
        true
    }

    fn close_up(&mut self) {
        let count = self.places.len();
        if count <= CLOSED_UP_COUNT_MAX || self.left_count * 2 > count {
            self.places.retain(|(_, count)| *count > 0);
            self.left_count = 0;
        }
    }

    /// No binding is left.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// How many destinations there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.places.len() - self.left_count
    }

    /// The destination at a place in the order.
    #[must_use]
    pub fn at(&self, index: usize) -> Option<Destination> {
        if self.left_count == 0 {
            return self.places.get(index).map(|(destination, _)| *destination);
        }
        self.iter().nth(index)
    }

    /// All of them, in order.
    pub fn iter(&self) -> impl Iterator<Item = Destination> + '_ {
        let taken = self.places.iter().filter(|(_, count)| *count > 0);
        taken.map(|(destination, _)| *destination)
    }

    fn place(&self, destination: Destination) -> Result<usize, usize> {
        self.places.binary_search_by_key(&destination, |(known, _)| *known)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_destination_stays_until_its_last_binding_goes() {
        let (mut set, queue) = (DestinationSet::default(), Destination::Queue(QueueId(1)));
        set.add(queue);
        set.add(queue);
        assert!(set.remove(queue) && !set.is_empty());
        assert!(set.remove(queue) && set.is_empty());
        assert!(!set.remove(queue));
    }

    #[test]
    fn a_large_set_with_places_left_is_as_if_they_were_not_there() {
        let queue = |id| Destination::Queue(QueueId(id));
        let mut set = DestinationSet::default();
        (0..200).for_each(|id| set.add(queue(id)));
        assert!((0..40).all(|id| set.remove(queue(id * 2))));
        assert!(set.left_count > 0, "too few to leave places");
        assert!(!set.remove(queue(0)));
        set.add(queue(2));
        let expected: Vec<_> =
            (0..200).filter(|id| *id == 2 || *id >= 80 || id % 2 == 1).map(queue).collect();
        assert_eq!(set.iter().collect::<Vec<_>>(), expected);
        assert_eq!(set.len(), expected.len());
        for (index, destination) in expected.iter().enumerate() {
            assert_eq!(set.at(index), Some(*destination));
        }
        assert_eq!(set.at(expected.len()), None);
        assert!(expected.into_iter().all(|destination| set.remove(destination)));
        assert!(set.is_empty() && set.places.is_empty());
    }
}
