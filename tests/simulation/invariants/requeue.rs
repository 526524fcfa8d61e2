//! Requeue to the original place: what came back is delivered before what came in after it. Order
//! among messages that were never out is `order`.
//!
//! Source: rule `rabbitmq.basic.nack.requeue-position`.

use super::Invariant;
use crate::fact::Fact;

/// Requeue to the original place.
#[derive(Debug)]
pub(super) struct Requeue;

impl Invariant for Requeue {
    fn name(&self) -> &'static str {
        "requeue"
    }

    fn check(&mut self, fact: &Fact) -> Result<(), String> {
        match fact {
            Fact::PassedOver { queue_name, message, was_returned: true } => {
                Err(format!("message {message} came back to '{queue_name}' and was passed over"))
            }
            _ => Ok(()),
        }
    }
}
