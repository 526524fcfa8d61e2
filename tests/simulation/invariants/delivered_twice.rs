//! Nothing is delivered twice: what is settled does not come again, and what is out with one client
//! does not go to another. What came back and goes out again is `redelivered`.
//!
//! Source: rules `basic.ack.multiple.exists` and `queue.bind.unique`.

use super::Invariant;
use crate::fact::{Delivered, Fact, Match};

/// Nothing is delivered twice.
#[derive(Debug)]
pub(super) struct DeliveredTwice;

impl Invariant for DeliveredTwice {
    fn name(&self) -> &'static str {
        "delivered_twice"
    }

    fn check(&mut self, fact: &Fact) -> Result<(), String> {
        let Fact::Delivered(delivered) = fact else { return Ok(()) };
        let Delivered { message, queue_name, channel, redelivered, .. } = &**delivered;
        let place = match delivered.matched {
            Match::Out => "is out with a client",
            Match::Gone => "is settled",
            Match::Ready | Match::Never => return Ok(()),
        };
        Err(format!(
            "message {message} of '{queue_name}' {place} and came again on {channel:?} \
             (redelivered: {redelivered})"
        ))
    }
}
