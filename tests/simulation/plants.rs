//! Faults that are planted on the wires, between clients and broker: each breaks one invariant, so
//! that a test can show that the invariant notices. The broker itself is never touched.

use std::collections::BTreeMap;

use crate::chance::Chance;
use crate::client::{Delivery, Incoming, What};
use crate::operation::{Consume, DeclareQueue, Operation};

/// A fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Plant {
    /// A publish is swallowed.
    LosePublish,
    /// A delivery brings a message that nobody published.
    InventMessage,
    /// A delivery comes twice.
    DoubleDelivery,
    /// Two deliveries to one consumer change places.
    SwapDeliveries,
    /// What is to be put back is put at the end.
    MisplaceRequeued,
    /// The broker hears of a larger prefetch.
    RaisePrefetch,
    /// The broker hears of a larger prefetch of the channel.
    RaiseChannelPrefetch,
    /// A declare-ok counts one message too many.
    MiscountMessages,
    /// A declare-ok counts one consumer too many.
    MiscountConsumers,
    /// A confirm is swallowed.
    LoseConfirm,
    /// A confirm comes twice.
    DoubleConfirm,
    /// A confirm comes before the return.
    LateReturn,
    /// A return is swallowed.
    LoseReturn,
    /// The redelivered flag is missing.
    HideRedelivery,
    /// The redelivered flag is set for nothing.
    FeignRedelivery,
    /// A queue that was to be exclusive is not.
    ShareExclusive,
    /// An answer is swallowed.
    LoseReply,
    /// Two answers change places.
    SwapReplies,
    /// The broker hears of a smaller prefetch.
    LowerPrefetch,
    /// A consumer's deliveries come before consume-ok.
    LateConsumeOk,
}

/// A plant at work.
#[derive(Debug)]
pub(crate) struct Tamper {
    plant: Plant,
    chance: Chance,
    /// What is held until something else passed, by client.
    held: BTreeMap<usize, Incoming>,
}

impl Tamper {
    pub(crate) fn new(plant: Plant, chance: Chance) -> Self {
        Self { plant, chance, held: BTreeMap::new() }
    }

    /// What goes to the broker in place of an operation; none where it is swallowed.
    pub(crate) fn outgoing(&mut self, operation: &Operation) -> Option<Operation> {
        let mut operation = operation.clone();
        match (self.plant, &mut operation) {
            (Plant::LosePublish, Operation::Publish(publish))
                if publish.exchange.is_empty() && self.chance.one_in(8) =>
            {
                return None;
            }
            // Acknowledged and published again is how a message gets to the end.
            (Plant::MisplaceRequeued, Operation::Nack { requeue, .. }) => *requeue = false,
            (Plant::RaisePrefetch, Operation::Qos { prefetch_count, global: false })
            | (Plant::RaiseChannelPrefetch, Operation::Qos { prefetch_count, global: true })
                if *prefetch_count > 0 =>
            {
                *prefetch_count += 2;
            }
            (Plant::LowerPrefetch, Operation::Qos { prefetch_count, .. }) => *prefetch_count = 1,
            (Plant::ShareExclusive, Operation::DeclareQueue(DeclareQueue { exclusive, .. })) => {
                *exclusive = false;
            }
            (Plant::LateConsumeOk, Operation::Consume(Consume { nowait, .. })) => *nowait = true,
            _ => {}
        }
        Some(operation)
    }

    /// What a client hears in place of what was said.
    pub(crate) fn incoming(&mut self, client: usize, heard: Vec<Incoming>) -> Vec<Incoming> {
        let mut told = Vec::new();
        for incoming in heard {
            self.pass(client, incoming, &mut told);
        }
        // Nothing came to change places with.
        told.extend(self.held.remove(&client));
        told
    }

    fn pass(&mut self, client: usize, mut incoming: Incoming, told: &mut Vec<Incoming>) {
        let one_in = |chance: &mut Chance, count: usize| chance.one_in(count);
        match (self.plant, &mut incoming.what) {
            (Plant::InventMessage, What::Delivery(delivery)) if one_in(&mut self.chance, 10) => {
                delivery.message += 1_000_000;
            }
            (Plant::DoubleDelivery, What::Delivery(delivery)) if one_in(&mut self.chance, 10) => {
                let (channel, again) = (incoming.channel, delivery.clone());
                told.push(Incoming { channel, what: What::Delivery(again) });
            }
            (Plant::HideRedelivery, What::Delivery(delivery)) => delivery.redelivered = false,
            (Plant::FeignRedelivery, What::Delivery(delivery)) if one_in(&mut self.chance, 10) => {
                delivery.redelivered = true;
            }
            (Plant::MiscountMessages, What::Declared { messages, .. })
                if one_in(&mut self.chance, 5) =>
            {
                *messages += 1;
            }
            (Plant::MiscountConsumers, What::Declared { consumers, .. })
                if one_in(&mut self.chance, 5) =>
            {
                *consumers += 1;
            }
            (Plant::LoseConfirm, What::Confirm { .. })
            | (Plant::LoseReturn, What::Returned { .. })
            | (Plant::LoseReply, What::Answer("queue.bind-ok" | "basic.qos-ok"))
                if one_in(&mut self.chance, 5) =>
            {
                return;
            }
            (Plant::DoubleConfirm, What::Confirm { .. }) if one_in(&mut self.chance, 5) => {
                told.push(incoming.clone());
            }
            _ => return self.pass_in_turn(client, incoming, told),
        }
        told.push(incoming);
    }

    /// Faults that change the order: one is held until the next of its kind passed.
    fn pass_in_turn(&mut self, client: usize, incoming: Incoming, told: &mut Vec<Incoming>) {
        if let Some(held) = self.held.remove(&client) {
            match swapped(self.plant, &held, &incoming) {
                Some((first, second)) => told.extend([first, second]),
                None => told.extend([held, incoming]),
            }
        } else if self.is_to_hold(&incoming) {
            self.held.insert(client, incoming);
        } else {
            told.push(incoming);
        }
    }

    fn is_to_hold(&mut self, incoming: &Incoming) -> bool {
        match (self.plant, &incoming.what) {
            (Plant::SwapDeliveries, What::Delivery(delivery)) => {
                !delivery.redelivered && delivery.consumer_tag.is_some()
            }
            (Plant::LateReturn, What::Returned { .. })
            | (Plant::SwapReplies, What::Answer("basic.qos-ok" | "basic.cancel-ok")) => true,
            _ => false,
        }
    }
}

/// The two in the other order, where the fault means them.
fn swapped(plant: Plant, held: &Incoming, next: &Incoming) -> Option<(Incoming, Incoming)> {
    if held.channel != next.channel {
        return None;
    }
    match (plant, &held.what, &next.what) {
        (Plant::SwapDeliveries, What::Delivery(first), What::Delivery(second))
            if first.consumer_tag == second.consumer_tag && !second.redelivered =>
        {
            // The tags stay where they are; the messages change places.
            let with_tag = |delivery: &Delivery, tag| {
                let delivery = Delivery { tag, ..delivery.clone() };
                Incoming { channel: held.channel, what: What::Delivery(delivery) }
            };
            Some((with_tag(second, first.tag), with_tag(first, second.tag)))
        }
        (Plant::LateReturn, What::Returned { .. }, What::Confirm { .. })
        | (Plant::SwapReplies, What::Answer(_), What::Answer(_)) => {
            Some((next.clone(), held.clone()))
        }
        _ => None,
    }
}
