//! Nothing is invented: whatever a client gets was published, was routed to the queue it comes
//! from, and looks as it is to look. Whether it should come once more is `delivered_twice`.
//!
//! Source: rules `rabbitmq.basic.properties.unchanged`, `rabbitmq.basic.publish.copies` and
//! `queue.bind.unique`.

use super::Invariant;
use crate::fact::{Delivered, Fact, Match};

/// Nothing is invented.
#[derive(Debug)]
pub(super) struct Invented;

impl Invariant for Invented {
    fn name(&self) -> &'static str {
        "invented"
    }

    fn check(&mut self, fact: &Fact) -> Result<(), String> {
        let Fact::Delivered(delivered) = fact else { return Ok(()) };
        let Delivered { message, queue_name, channel, .. } = &**delivered;
        if delivered.matched == Match::Never {
            return Err(format!(
                "message {message} came from '{queue_name}' on {channel:?} and never went there"
            ));
        }
        if delivered.is_altered {
            return Err(format!("message {message} came with properties nobody is to see"));
        }
        Ok(())
    }
}
