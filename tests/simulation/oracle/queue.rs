//! One life of a queue as the oracle keeps it: every message that ever came in, in order, and where
//! it is now. Who consumes is known here by number only.

use std::collections::BTreeSet;

use crate::fact::{Match, Seen};
use crate::operation::DeclareQueue;

/// Where a message is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum State {
    /// In the queue.
    Ready,
    /// Out with a client.
    Out,
    /// Settled, purged, or never here after all.
    Gone,
}

/// A message at its place.
#[derive(Clone, Debug)]
pub(crate) struct Entry {
    pub(crate) message: u64,
    pub(crate) state: State,
    /// It is here for sure; else a client that left may have taken it along, or an exchange that
    /// chooses may have sent it elsewhere.
    pub(crate) is_sure: bool,
    /// The choice it belongs to, until that is known.
    pub(crate) choice: Option<usize>,
    pub(crate) seen: Seen,
    pub(crate) was_returned: bool,
    /// The same message is here more than once, brought by a history, and nobody can tell one from
    /// the other.
    pub(crate) is_twin: bool,
}

/// A queue from its declaration to its deletion.
#[derive(Debug)]
pub(crate) struct Queue {
    pub(crate) name: String,
    /// The connection it belongs to.
    pub(crate) owner: Option<u64>,
    pub(crate) auto_delete: bool,
    pub(crate) single_active: bool,
    pub(crate) is_alive: bool,
    pub(crate) entries: Vec<Entry>,
    pub(crate) ready: BTreeSet<usize>,
    /// In the order in which they came.
    pub(crate) consumers: Vec<usize>,
}

impl Queue {
    pub(crate) fn new(declare: &DeclareQueue, name: String, connection: u64) -> Self {
        Self {
            name,
            owner: declare.exclusive.then_some(connection),
            auto_delete: declare.auto_delete,
            single_active: declare.single_active,
            is_alive: true,
            entries: Vec::new(),
            ready: BTreeSet::new(),
            consumers: Vec::new(),
        }
    }

    /// A message comes in; tells its place.
    pub(crate) fn push(&mut self, message: u64, choice: Option<usize>) -> usize {
        let place = self.entries.len();
        let mut is_twin = false;
        for known in self.entries.iter_mut().filter(|known| known.message == message) {
            known.is_twin = true;
            is_twin = true;
        }
        self.entries.push(Entry {
            message,
            state: State::Ready,
            is_sure: choice.is_none(),
            choice,
            seen: Seen::No,
            was_returned: false,
            is_twin,
        });
        self.ready.insert(place);
        place
    }

    /// What is known of a message that came from here.
    pub(crate) fn find(&self, message: u64) -> (Match, Option<usize>) {
        let is_it = |place: &usize| self.entries[*place].message == message;
        if let Some(place) = self.ready.iter().copied().find(is_it) {
            return (Match::Ready, Some(place));
        }
        let places: Vec<usize> = (0..self.entries.len()).filter(is_it).collect();
        let is_out = |place: &&usize| self.entries[**place].state == State::Out;
        match (places.iter().find(is_out), places.first()) {
            (Some(place), _) => (Match::Out, Some(*place)),
            (None, Some(place)) => (Match::Gone, Some(*place)),
            (None, None) => (Match::Never, None),
        }
    }

    /// Takes an entry out of the ready ones.
    pub(crate) fn take(&mut self, place: usize, state: State) {
        self.ready.remove(&place);
        self.entries[place].state = state;
    }

    /// Puts a delivered entry back, or drops it where the queue is gone.
    pub(crate) fn put_back(&mut self, place: usize) {
        let entry = &mut self.entries[place];
        if entry.state != State::Out {
            return;
        }
        entry.was_returned = true;
        if self.is_alive {
            entry.state = State::Ready;
            self.ready.insert(place);
        } else {
            entry.state = State::Gone;
        }
    }

    /// Whether an entry was delivered before, as far as that can be told.
    pub(crate) fn seen(&self, place: usize) -> Seen {
        let entry = &self.entries[place];
        if entry.is_twin { Seen::Maybe } else { entry.seen }
    }

    /// How many are ready: for sure, and at the most.
    pub(crate) fn ready_range(&self) -> (usize, usize) {
        let sure = self.ready.iter().filter(|place| self.entries[**place].is_sure).count();
        (sure, self.ready.len())
    }

    /// The first that is ready for sure.
    pub(crate) fn first_sure(&self) -> Option<&Entry> {
        self.ready.iter().map(|place| &self.entries[*place]).find(|entry| entry.is_sure)
    }

    /// What is ready is no more, or may be no more where that is not known.
    pub(crate) fn drop_ready(&mut self, is_exact: bool) {
        for place in self.ready.clone() {
            if is_exact {
                self.take(place, State::Gone);
            } else {
                self.entries[place].is_sure = false;
            }
        }
    }
}
