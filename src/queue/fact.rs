//! What happened to a queue's messages, for the log: outcomes, in the order in which they hold. A
//! fact decides nothing; that was done before.

use crate::message::{DeliveryCounts, Message, Moment, Sequence, SequenceRange};

/// Something that holds from now on.
#[derive(Clone, Debug)]
pub enum Fact {
    /// These messages are at consecutive places.
    Added {
        /// The place of the first.
        first: Sequence,
        /// They are persistent, or are to leave RAM.
        messages: Vec<Message>,
        /// When they came.
        arrived: Moment,
        /// Their priority, where it is another than the queue takes without being told.
        level: Option<u8>,
    },
    /// These are gone; all of them were added before.
    Removed(SequenceRange),
    /// These came back from whom they were given to.
    Returned {
        /// Their places; all of them were added before.
        range: SequenceRange,
        /// How often that is by now.
        counts: DeliveryCounts,
    },
}

/// Facts that nobody was told yet; neighbors of one kind are one.
#[derive(Debug, Default)]
pub(super) struct Facts(Vec<Fact>);

impl Facts {
    pub(super) fn add(
        &mut self,
        place: Sequence,
        mut added: Vec<Message>,
        now: Moment,
        priority: Option<u8>,
    ) {
        match self.0.last_mut() {
            Some(Fact::Added { first, messages, arrived, level })
                if *first + messages.len() as u64 == place
                    && (*arrived, *level) == (now, priority) =>
            {
                messages.append(&mut added);
            }
            _ => self.push(Fact::Added {
                first: place,
                messages: added,
                arrived: now,
                level: priority,
            }),
        }
    }

    pub(super) fn remove(&mut self, range: SequenceRange) {
        let joined = match self.0.last_mut() {
            Some(Fact::Removed(last)) => last.join(range),
            _ => false,
        };
        if !joined {
            self.0.push(Fact::Removed(range));
        }
    }

    pub(super) fn take_back(&mut self, range: SequenceRange, counts: DeliveryCounts) {
        let joined = match self.0.last_mut() {
            Some(Fact::Returned { range: last, counts: known }) => {
                *known == counts && last.join(range)
            }
            _ => false,
        };
        if !joined {
            self.0.push(Fact::Returned { range, counts });
        }
    }

    pub(super) fn push(&mut self, fact: Fact) {
        self.0.push(fact);
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(super) fn take(&mut self) -> Vec<Fact> {
        std::mem::take(&mut self.0)
    }
}
