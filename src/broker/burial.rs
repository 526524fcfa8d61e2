//! Dead letters of one queue on their way: which of them came to which queues, and which are to be
//! tried again. Who brings them away, and where they go, is in `dead_letters`.

use std::sync::Arc;

use smallvec::SmallVec;

use super::dead_letter_counts::Strategy;
use super::queue_handle::QueueHandle;
use super::work::Work;
use crate::message::{DeathReason, Message, QueueId, SequenceRange};
use crate::queue::{DeadLetters, Leave};

/// Dead letters, and the queue they died in.
#[derive(Debug)]
pub(super) struct Burial {
    pub(super) source: Arc<QueueHandle>,
    pub(super) reason: DeathReason,
    pub(super) letters: Vec<Letter>,
    /// What the source waits to hear; of its places, the letters know theirs.
    leave: Option<Leave>,
    /// Nobody tried yet to bring them away.
    pub(super) is_new: bool,
}

/// One of them.
#[derive(Debug)]
pub(super) struct Letter {
    pub(super) message: Message,
    /// How far behind the first place of its burial it stands.
    offset: u64,
    /// Queues that have it, where another one refused it.
    pub(super) had_by: SmallVec<[QueueId; 1]>,
    /// Nothing is left to do for it.
    pub(super) is_done: bool,
}

impl Burial {
    pub(super) fn new(source: Arc<QueueHandle>, letters: DeadLetters) -> Self {
        let DeadLetters { reason, messages, leave } = letters;
        let had_by = SmallVec::new;
        let letter =
            |(message, offset)| Letter { message, offset, had_by: had_by(), is_done: false };
        let letters = messages.into_iter().zip(0..).map(letter).collect();
        Self { source, reason, letters, leave, is_new: true }
    }

    /// The source keeps what came to no queue.
    pub(super) fn may_wait(&self) -> bool {
        self.leave.is_some() && self.source.keeps_dead_letters()
    }

    /// What the source does with those that no queue takes.
    pub(super) fn strategy(&self) -> Strategy {
        if self.may_wait() { Strategy::AtLeastOnce } else { Strategy::AtMostOnce }
    }

    /// How many came to all their queues.
    pub(super) fn arrived_count(&self) -> usize {
        let arrived = |letter: &&Letter| letter.is_done && !letter.had_by.is_empty();
        self.letters.iter().filter(arrived).count()
    }

    /// Nothing is left to do for any of them, or all is to be tried again.
    pub(super) fn set_done(&mut self, is_done: bool) {
        self.letters.iter_mut().for_each(|letter| letter.is_done = is_done);
    }

    /// Lets go of those that are done, and has the source do so. False where it is not there any
    /// more to keep the others: it was deleted, or is read again with all it had.
    pub(super) fn let_go(&mut self, work: &mut Work) -> bool {
        let done: Vec<u64> = self
            .letters
            .iter()
            .filter(|letter| letter.is_done)
            .map(|letter| letter.offset)
            .collect();
        self.letters.retain(|letter| !letter.is_done);
        let Some(leave) = self.leave else { return true };
        let told = self.source.with(work, |live| {
            for range in ranges(leave.places.first, &done) {
                live.queue.left(Leave { places: range, ..leave });
            }
            !live.queue.is_gone()
        });
        told.unwrap_or(false)
    }
}

/// Neighboring places as ranges; offsets rise.
fn ranges(first: u64, offsets: &[u64]) -> impl Iterator<Item = SequenceRange> {
    let runs = offsets.chunk_by(|one, next| one + 1 == *next);
    runs.filter_map(move |run| SequenceRange::starting(first + run.first()?, run.len() as u64))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_that_follow_each_other_are_let_go_together() {
        let found: Vec<_> = ranges(10, &[0, 1, 2, 5, 7, 8]).map(|r| (r.first, r.last)).collect();
        assert_eq!(found, [(10, 12), (15, 15), (17, 18)]);
        assert_eq!(ranges(10, &[]).count(), 0);
    }
}
