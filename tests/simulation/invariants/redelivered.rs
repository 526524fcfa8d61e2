//! The redelivered flag is honest: set on what somebody had before, and on nothing else. Where a
//! client left without a word, nobody can tell.
//!
//! Source: rule `domain.redelivered.implementation`.

use super::Invariant;
use crate::fact::{Delivered, Fact, Match, Seen};

/// The redelivered flag is honest.
#[derive(Debug)]
pub(super) struct Redelivered;

impl Invariant for Redelivered {
    fn name(&self) -> &'static str {
        "redelivered"
    }

    fn check(&mut self, fact: &Fact) -> Result<(), String> {
        let Fact::Delivered(delivered) = fact else { return Ok(()) };
        let Delivered { message, queue_name, channel, .. } = &**delivered;
        if delivered.matched != Match::Ready {
            return Ok(());
        }
        match (delivered.redelivered, delivered.seen) {
            (true, Seen::No) => Err(format!(
                "message {message} of '{queue_name}' came with the flag for the first time on \
                 {channel:?}"
            )),
            (false, Seen::Yes) => Err(format!(
                "message {message} of '{queue_name}' came again without the flag on {channel:?}"
            )),
            _ => Ok(()),
        }
    }
}
