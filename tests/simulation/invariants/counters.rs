//! Counters add up: the messages and consumers that answers tell of are those that are there. Where
//! messages may be on their way to a client that does not read, a range is allowed.
//!
//! Source: rules `rabbitmq.basic.get`, `rabbitmq.queue.delete.discards` and
//! `queue.purge.unacknowledged`.

use super::Invariant;
use crate::fact::Fact;

/// Counters add up.
#[derive(Debug)]
pub(super) struct Counters;

impl Invariant for Counters {
    fn name(&self) -> &'static str {
        "counters"
    }

    fn check(&mut self, fact: &Fact) -> Result<(), String> {
        let Fact::Counted { queue_name, what, told, least, most } = fact else { return Ok(()) };
        if (*least..=*most).contains(&(*told as usize)) {
            return Ok(());
        }
        Err(format!("'{queue_name}' told {told} {what}, not {least} to {most}"))
    }
}
