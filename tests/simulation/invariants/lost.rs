//! Nothing is lost: a message that was routed to a queue ends acknowledged, rejected, taken without
//! acknowledgement, purged, or deleted with its queue; until then it is there. Not how soon it is
//! delivered: that is `waiting`.
//!
//! Source: rules `basic.explicit-ack` and `queue.purge.unacknowledged`; RabbitMQ's guide "Consumer
//! Acknowledgements and Publisher Confirms" for what a confirm promises.

use super::Invariant;
use crate::fact::Fact;

/// Nothing is lost.
#[derive(Debug)]
pub(super) struct Lost;

impl Invariant for Lost {
    fn name(&self) -> &'static str {
        "lost"
    }

    fn check(&mut self, fact: &Fact) -> Result<(), String> {
        match fact {
            Fact::Vanished { queue_name, message } => {
                Err(format!("message {message} is no more in queue '{queue_name}'"))
            }
            _ => Ok(()),
        }
    }
}
