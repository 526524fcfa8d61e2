//! What clients are told, and what that promises: a delivery was waiting, a confirm is for good.

use leveret::message::DeliveryCounts;

use super::seat::{Awaited, Out};
use super::world::World;
use crate::client::{Delivery, Incoming, What};

impl World {
    pub(super) fn hear(&mut self, client: usize, incoming: Incoming) -> Result<(), String> {
        let Incoming { channel, what } = incoming;
        self.note(format!("  {client} hears {what:?}, version {}", self.version));
        match what {
            What::Delivery(delivery) => self.hear_delivery(client, &delivery),
            What::Confirm { tag, multiple, is_refusal } => {
                self.hear_confirm(client, tag, multiple, is_refusal)
            }
            What::Returned { message } => self.hear_return(client, message),
            What::Declared { .. } => self.hear_answer(client, "queue.declare-ok"),
            What::Counted { name, .. } => self.hear_answer(client, name),
            What::Answer("basic.get-empty") => self.hear_empty(client),
            What::Answer(name) if is_of_login(name) => Ok(()),
            What::Answer(name) => self.hear_answer(client, name),
            What::ConsumerGone { consumer_tag } => {
                self.seat(client).consumers.remove(&consumer_tag);
                Ok(())
            }
            What::Refused { code } => {
                self.seat(client).is_closed = true;
                if self.is_poisoned() && code == 541 {
                    // A connection error: what it held goes to others at once.
                    self.give_back(client);
                    return Ok(());
                }
                Err(format!("client {client} is refused on channel {channel}: {code}"))
            }
            What::Heartbeat => Ok(()),
        }
    }

    fn hear_answer(&mut self, client: usize, told: &str) -> Result<(), String> {
        match self.seat(client).awaited.take() {
            Some(Awaited::Answer { name, version }) if name == told => {
                self.promised(version);
                if name == "tx.commit-ok" {
                    self.coverage.add("commits", 1);
                }
                Ok(())
            }
            other => Err(format!("client {client} is told {told} and waits for {other:?}")),
        }
    }

    fn promised(&mut self, version: Option<u64>) {
        version.into_iter().for_each(|version| self.history.is_told(version));
    }

    fn hear_empty(&mut self, client: usize) -> Result<(), String> {
        match self.seat(client).awaited.take() {
            Some(Awaited::Get { .. }) => Ok(()),
            other => Err(format!("client {client} is told get-empty and waits for {other:?}")),
        }
    }

    fn hear_return(&mut self, client: usize, message: u64) -> Result<(), String> {
        self.coverage.add("returns", 1);
        if self.seat(client).returns.remove(&message) {
            return Ok(());
        }
        Err(format!("message {message} of client {client} came back"))
    }

    fn hear_confirm(
        &mut self,
        client: usize,
        tag: u64,
        multiple: bool,
        is_refusal: bool,
    ) -> Result<(), String> {
        if is_refusal && !self.is_poisoned() {
            return Err(format!("publish {tag} of client {client} is refused"));
        }
        let unconfirmed = &mut self.seat(client).unconfirmed;
        let first = if multiple { 0 } else { tag };
        let tags: Vec<u64> = unconfirmed.range(first..=tag).map(|(tag, _)| *tag).collect();
        let versions: Vec<_> = tags.iter().filter_map(|tag| unconfirmed.remove(tag)).collect();
        if tags.last() != Some(&tag) {
            return Err(format!("client {client} is told of publish {tag} again"));
        }
        let name = if is_refusal { "refusals" } else { "confirms" };
        self.coverage.add(name, tags.len() as u64);
        if !is_refusal {
            self.promised(versions.into_iter().flatten().max());
        }
        Ok(())
    }

    fn hear_delivery(&mut self, client: usize, delivery: &Delivery) -> Result<(), String> {
        let number = delivery.message;
        let source = match &delivery.consumer_tag {
            Some(tag) => {
                let consumer = self.seat(client).consumers.get(tag).cloned();
                consumer.map(|consumer| (consumer.queue, consumer.life, consumer.no_ack))
            }
            None => match self.seat(client).awaited.take() {
                Some(Awaited::Get { queue, life, no_ack }) => Some((queue, life, no_ack)),
                _ => None,
            },
        };
        let Some((queue, life, no_ack)) = source else {
            return Err(format!("client {client} gets message {number} for nothing"));
        };
        let Some(known) = self.model.queue(&queue, life) else {
            // A log that fails closes connections, perhaps that of the last consumer, while others
            // have not heard yet what was sent to them before.
            if self.is_poisoned() {
                return Ok(());
            }
            return Err(format!("message {number} comes from '{queue}', which is gone"));
        };
        let place = known.place_of(number);
        let held = place.and_then(|place| known.places.get_mut(&place));
        let (Some(place), Some(held)) = (place, held.filter(|held| held.holder.is_none())) else {
            return Err(format!("message {number} of '{queue}' is delivered, and does not wait"));
        };
        if held.is_redelivered != delivery.redelivered {
            return Err(format!("the flag of message {number} of '{queue}' is wrong: {held:?}"));
        }
        let counts = if known.tells_counts { held.counts } else { DeliveryCounts::NONE };
        if counts != delivery.counts {
            return Err(format!("what message {number} of '{queue}' tells is wrong: {held:?}"));
        }
        held.holder = Some(client);
        self.coverage.add("counts told", u64::from(!counts.is_none()));
        self.coverage.add("redeliveries", u64::from(delivery.redelivered));
        self.coverage.add("deliveries", 1);
        if no_ack {
            known.places.remove(&place);
        } else {
            self.seat(client).out.insert(delivery.tag, Out { queue, life, place });
        }
        self.changed();
        Ok(())
    }
}

fn is_of_login(name: &str) -> bool {
    name.starts_with("connection.")
        || ["channel.open-ok", "confirm.select-ok", "tx.select-ok", "basic.qos-ok"].contains(&name)
}
