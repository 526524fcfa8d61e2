//! What a start found in the store, read by hand: definitions, messages, numbers. It is compared
//! with what may be there; the numbers are remembered, since none may ever be used again.

use std::collections::BTreeMap;

use leveret::definitions::record::{self, Fact};
use leveret::definitions::{BindingEnd, Change};
use leveret::message::{QueueId, ReadBack, Sequence};
use leveret::store::{Opened, Reader, RecoveredQueue};

use super::model::{Kept, Lasting, Model};
use crate::operation::Publish;

/// What is in the store, and where.
#[derive(Debug, Default)]
pub(super) struct Recovered {
    pub(super) lasting: Lasting,
    /// Names of queues, by number.
    names: BTreeMap<u64, String>,
    messages: BTreeMap<(u64, Sequence), u64>,
    next_sequences: BTreeMap<u64, Sequence>,
}

/// Numbers that were seen in use.
#[derive(Debug, Default)]
pub(super) struct Numbers {
    /// Queues with their lives.
    names: BTreeMap<u64, (String, u64)>,
    messages: BTreeMap<(u64, Sequence), u64>,
    next_sequences: BTreeMap<u64, Sequence>,
}

impl Recovered {
    /// Reads everything.
    ///
    /// # Errors
    /// Something is not as it was written.
    pub(super) fn read(opened: &Opened) -> Result<Self, String> {
        let mut recovered = Self::default();
        for (key, value) in &opened.definitions {
            let fact = record::decode(key, value).map_err(|error| error.to_string())?;
            if let Fact::Host(_, change) = fact {
                recovered.declare(&change);
            }
        }
        for found in &opened.queues {
            if found.queue.0 >= opened.next_queue {
                return Err(format!("{:?} is not below {}", found.queue, opened.next_queue));
            }
            recovered.fill(found, &opened.reader)?;
        }
        Ok(recovered)
    }

    fn declare(&mut self, change: &Change) {
        match change {
            Change::QueueDeclared(queue) => {
                self.names.insert(queue.id.0, queue.name.to_string());
                self.lasting.queues.insert(queue.name.to_string(), Vec::new());
            }
            Change::ExchangeDeclared(exchange) if !exchange.is_system() => {
                self.lasting.exchanges.insert(exchange.name.to_string());
            }
            Change::Bound(binding) => {
                if let BindingEnd::Queue(queue) = &binding.destination {
                    let source = binding.source.to_string();
                    let key = binding.routing_key.to_string();
                    self.lasting.bindings.insert((source, queue.to_string(), key));
                }
            }
            _ => {}
        }
    }

    fn fill(&mut self, found: &RecoveredQueue, reader: &Reader) -> Result<(), String> {
        let RecoveredQueue { queue, next_sequence, runs } = found;
        self.next_sequences.insert(queue.0, *next_sequence);
        // Queues that ended with the process are forgotten by the broker.
        let Some(name) = self.names.get(&queue.0).cloned() else { return Ok(()) };
        let mut kept: Vec<Kept> = Vec::new();
        for run in runs {
            if run.range.last >= *next_sequence {
                return Err(format!("{name}: {:?} is not below {next_sequence}", run.range));
            }
            let read =
                reader.read(*queue, run.range, u64::MAX).map_err(|error| error.to_string())?;
            let mut bytes = 0;
            if read.messages.len() as u64 != run.range.count() {
                return Err(format!("{name}: of {run:?} {} are there", read.messages.len()));
            }
            for ReadBack { sequence, message, .. } in read.messages {
                let body = message.body_to_vec();
                bytes += body.len() as u64;
                let number = number_of(&body).ok_or_else(|| format!("{name}: a wrong body"))?;
                self.messages.insert((queue.0, sequence), number);
                kept.push((number, run.counts, run.is_redelivered));
            }
            if bytes != run.bytes {
                return Err(format!("{name}: {run:?} has {bytes} bytes"));
            }
        }
        self.lasting.queues.insert(name, kept);
        Ok(())
    }
}

impl Numbers {
    /// Every number that was seen before has the queue it had then. A queue that was deleted and
    /// declared again, both not on disk yet, looks like itself, but for its number.
    pub(super) fn fit(&self, recovered: &Recovered, model: &Model) -> bool {
        recovered.names.iter().all(|(queue, name)| {
            let life = model.queues.get(name).map_or(0, |queue| queue.life);
            self.names.get(queue).is_none_or(|known| *known == (name.clone(), life))
        })
    }

    /// Remembers the numbers in use.
    ///
    /// # Errors
    /// One of them was used before for something else.
    pub(super) fn learn(&mut self, recovered: &Recovered, model: &Model) -> Result<(), String> {
        for (queue, name) in &recovered.names {
            let life = model.queues.get(name).map_or(0, |queue| queue.life);
            let now = (name.clone(), life);
            let known = self.names.entry(*queue).or_insert_with(|| now.clone());
            if *known != now {
                return Err(format!("number {queue} of {known:?} is used again for {now:?}"));
            }
        }
        for (place, number) in &recovered.messages {
            let known = *self.messages.entry(*place).or_insert(*number);
            if known != *number {
                let text = format!("place {place:?} of message {known} is used again");
                return Err(format!("{text} for message {number}"));
            }
        }
        for (queue, next) in &recovered.next_sequences {
            let known = self.next_sequences.entry(*queue).or_default();
            if next < known {
                return Err(format!("{:?} goes on at {next}, was at {known}", QueueId(*queue)));
            }
            *known = *next;
        }
        Ok(())
    }
}

/// The number in a body that is as it was published.
fn number_of(body: &[u8]) -> Option<u64> {
    let number = u64::from_be_bytes(*body.first_chunk()?);
    (body == Publish::body(number, body.len())).then_some(number)
}
