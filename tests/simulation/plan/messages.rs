//! Publishes and settlements that make sense.

use super::names::SHARED_QUEUES;
use crate::chance::Chance;
use crate::operation::{Operation, Publish};
use crate::oracle::{At, Mode, Oracle};

/// Routing keys of the exchanges that look at them.
pub(super) const KEYS: [&str; 5] = ["a", "b", "a.b", "b.a", "a.b.a"];

/// Values of the header that header exchanges look at.
pub(super) const HEADERS: [&str; 2] = ["1", "2"];

/// A publish that is not refused.
pub(super) fn publish(chance: &mut Chance, oracle: &mut Oracle, at: At) -> Option<Operation> {
    let channel = oracle.channel(at)?;
    let is_transaction = matches!(channel.mode, Mode::Transaction { .. });
    let waits_for_replies = channel.waits_for_replies();
    if !is_transaction && chance.one_in(8) {
        let key = chance.pick_from(oracle.reply_keys.keys().cloned());
        if let Some(routing_key) = key {
            let message = oracle.next_message();
            let mandatory = chance.one_in(2);
            let reply = Publish { message, routing_key, mandatory, ..Publish::default() };
            return Some(Operation::Publish(reply));
        }
    }
    let exchange = any_exchange(chance, oracle, is_transaction);
    let chooses = oracle.topology.exchanges.get(&exchange).is_some_and(|known| known.chooses());
    let mut publish = Publish {
        message: oracle.next_message(),
        routing_key: any_key(chance, oracle, &exchange),
        header: chance.pick(&HEADERS).map(|value| (*value).to_owned()),
        wants_reply: waits_for_replies && chance.one_in(3),
        mandatory: chance.one_in(3),
        size: any_size(chance),
        ..Publish::default()
    };
    if !chooses && chance.one_in(8) {
        publish.copies.push(any_key(chance, oracle, &exchange));
    }
    if !chooses && chance.one_in(10) {
        publish.blind_copies.push(any_key(chance, oracle, &exchange));
    }
    publish.exchange = exchange;
    Some(Operation::Publish(publish))
}

/// A publish to an exchange that is always there.
pub(super) fn publish_surely(chance: &mut Chance, oracle: &mut Oracle) -> Operation {
    let exchange = chance.pick(&["", "amq.direct", "amq.fanout", "amq.topic"]).unwrap();
    Operation::Publish(Publish {
        message: oracle.next_message(),
        routing_key: any_key(chance, oracle, exchange),
        exchange: (*exchange).to_owned(),
        mandatory: chance.one_in(3),
        size: any_size(chance),
        ..Publish::default()
    })
}

/// Transactions are routed when they are published and enqueued when they are committed; for
/// exchanges that choose, or remember, that is left out.
fn any_exchange(chance: &mut Chance, oracle: &Oracle, is_transaction: bool) -> String {
    if chance.one_in(3) {
        return String::new();
    }
    let exchanges = oracle.topology.exchanges.iter().filter(|(_, known)| {
        let is_plain = !known.chooses() && known.kind != "x-recent-history";
        !known.internal && (is_plain || !is_transaction)
    });
    let names: Vec<&String> = exchanges.map(|(name, _)| name).collect();
    chance.pick(&names).map_or_else(String::new, |name| (*name).clone())
}

fn any_key(chance: &mut Chance, oracle: &Oracle, exchange: &str) -> String {
    if !exchange.is_empty() {
        return chance.pick(&KEYS).map_or_else(String::new, |key| (*key).to_owned());
    }
    let known = chance.pick_from(oracle.names.keys().cloned());
    match known {
        Some(name) if !chance.one_in(15) => name,
        _ => (*chance.pick(&SHARED_QUEUES).unwrap()).to_owned(),
    }
}

/// Mostly small, now and then several frames.
fn any_size(chance: &mut Chance) -> usize {
    match chance.below(120) {
        0..2 => 150_000,
        2..6 => 4000 + chance.below(6000),
        _ => 8 + chance.below(100),
    }
}

/// The end of a delivery, or of several. Tag 0 means whatever is out, so it is sent only where that
/// is known.
pub(super) fn settle(
    chance: &mut Chance,
    oracle: &Oracle,
    at: At,
    is_single: bool,
) -> Option<Operation> {
    let channel = oracle.channel(at)?;
    let free = channel.unsettled.keys().filter(|tag| !channel.claimed.contains(tag));
    let tag = chance.pick_from(free.copied())?;
    let multiple = chance.one_in(4);
    let tag = if multiple && is_single && chance.one_in(4) { 0 } else { tag };
    Some(match chance.below(20) {
        0..12 => Operation::Ack { tag, multiple },
        12..17 => Operation::Nack { tag, multiple, requeue: chance.below(3) > 0 },
        _ if tag == 0 => Operation::Nack { tag, multiple, requeue: true },
        _ => Operation::Reject { tag, requeue: chance.below(3) > 0 },
    })
}
