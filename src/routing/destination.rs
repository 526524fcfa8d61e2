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

/// Destinations in the order of their numbers, each with the number of bindings that lead there:
/// bindings may differ in what a type of exchange does not look at.
#[derive(Clone, Debug, Default)]
pub struct DestinationSet(SmallVec<[(Destination, u32); 1]>);

impl DestinationSet {
    /// One more binding leads there.
    pub fn add(&mut self, destination: Destination) {
        match self.place(destination) {
            Ok(index) => {
                if let Some((_, count)) = self.0.get_mut(index) {
                    *count += 1;
                }
            }
            Err(index) => self.0.insert(index, (destination, 1)),
        }
    }

    /// One binding less leads there. False where none did.
    pub fn remove(&mut self, destination: Destination) -> bool {
        let Ok(index) = self.place(destination) else { return false };
        let Some((_, count)) = self.0.get_mut(index) else { return false };
        *count -= 1;
        if *count == 0 {
            self.0.remove(index);
        }
        true
    }

    /// No binding is left.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// How many destinations there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// The destination at a place in the order.
    #[must_use]
    pub fn at(&self, index: usize) -> Option<Destination> {
        self.0.get(index).map(|(destination, _)| *destination)
    }

    /// All of them, in order.
    pub fn iter(&self) -> impl Iterator<Item = Destination> + '_ {
        self.0.iter().map(|(destination, _)| *destination)
    }

    fn place(&self, destination: Destination) -> Result<usize, usize> {
        self.0.binary_search_by_key(&destination, |(known, _)| *known)
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
}
