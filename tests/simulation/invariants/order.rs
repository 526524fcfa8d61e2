//! Order: what goes out for the first time from one queue on one channel goes out in the order in
//! which it came in, nothing that waits is passed over, and delivery tags count up by one. Where
//! messages come back to is `requeue`.
//!
//! Source: AMQP 0-9-1, section 4.7 (content ordering guarantees); rules `basic.order` and
//! `domain.delivery-tag.non-zero`.

use std::collections::BTreeMap;

use super::Invariant;
use crate::fact::{ChannelId, Delivered, Fact, Match, Seen};

/// Order.
#[derive(Debug, Default)]
pub(super) struct Order {
    last_places: BTreeMap<(ChannelId, usize), usize>,
    last_tags: BTreeMap<ChannelId, u64>,
}

impl Invariant for Order {
    fn name(&self) -> &'static str {
        "order"
    }

    fn check(&mut self, fact: &Fact) -> Result<(), String> {
        match fact {
            Fact::Delivered(delivered) => self.delivered(delivered),
            Fact::PassedOver { queue_name, message, was_returned: false } => {
                Err(format!("message {message} of '{queue_name}' was passed over"))
            }
            Fact::ChannelEnded(channel) => {
                self.last_tags.remove(channel);
                self.last_places.retain(|(known, _), _| known != channel);
                Ok(())
            }
            _ => Ok(()),
        }
    }
}

impl Order {
    fn delivered(&mut self, delivered: &Delivered) -> Result<(), String> {
        let channel = delivered.channel;
        let last_tag = self.last_tags.insert(channel, delivered.tag).unwrap_or(0);
        if delivered.tag != last_tag + 1 {
            return Err(format!("tag {} follows {last_tag} on {channel:?}", delivered.tag));
        }
        let is_first = !delivered.redelivered && delivered.seen == Seen::No;
        let (Some(queue), Some(place), true, false, Match::Ready) =
            (delivered.queue, delivered.place, is_first, delivered.was_returned, delivered.matched)
        else {
            return Ok(());
        };
        match self.last_places.insert((channel, queue), place) {
            Some(last) if last >= place => Err(format!(
                "message {} of '{}' came after a later one on {channel:?}",
                delivered.message, delivered.queue_name
            )),
            _ => Ok(()),
        }
    }
}
