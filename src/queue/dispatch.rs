//! Gathers what one step of a queue gives to each consumer, so that a consumer is handed one run
//! and not one message after the other.

use smallvec::SmallVec;

use crate::message::{ConsumerId, Delivery, Run};

/// Runs per consumer, in the order in which consumers were first served.
#[derive(Debug, Default)]
pub struct Gathered {
    runs: SmallVec<[(ConsumerId, Run); 1]>,
    /// Where the last push went: neighbours mostly follow each other round the ring.
    last: usize,
}

impl Gathered {
    /// Adds `count` deliveries to the consumer's run.
    pub fn extend(
        &mut self,
        consumer: ConsumerId,
        count: usize,
        deliveries: impl Iterator<Item = Delivery>,
    ) {
        let next = self.last + 1;
        let found = [self.last, if next < self.runs.len() { next } else { 0 }]
            .into_iter()
            .find(|index| self.runs.get(*index).is_some_and(|(id, _)| *id == consumer))
            .or_else(|| self.runs.iter().position(|(id, _)| *id == consumer));
        match found.and_then(|index| self.runs.get_mut(index).map(|(_, run)| (index, run))) {
            Some((index, run)) => {
                self.last = index;
                fill(run, count, deliveries);
            }
            None => {
                self.last = self.runs.len();
                let mut run = Run::new();
                fill(&mut run, count, deliveries);
                self.runs.push((consumer, run));
            }
        }
    }

    /// Everything gathered.
    pub fn into_runs(self) -> impl Iterator<Item = (ConsumerId, Run)> {
        self.runs.into_iter()
    }
}

/// Each is pushed by itself: the iterators here are cheaper to drive from within.
fn fill(run: &mut Run, count: usize, deliveries: impl Iterator<Item = Delivery>) {
    run.reserve(count);
    deliveries.for_each(|delivery| run.push(delivery));
}
