//! Nothing waits for nothing: when all is quiet, no message is ready in a queue that has a consumer
//! with room for it.
//!
//! Source: rules `rabbitmq.basic.consume.round-robin` and `channel.flow.initial-state`.

use super::Invariant;
use crate::fact::Fact;

/// Nothing waits for nothing.
#[derive(Debug)]
pub(super) struct Waiting;

impl Invariant for Waiting {
    fn name(&self) -> &'static str {
        "waiting"
    }

    fn check(&mut self, fact: &Fact) -> Result<(), String> {
        match fact {
            Fact::Waiting { queue_name, message, consumer_tag } => Err(format!(
                "message {message} of '{queue_name}' waits though consumer '{consumer_tag}' has \
                 room"
            )),
            _ => Ok(()),
        }
    }
}
