//! Operations that are refused, each in its own way.

use super::names::{SHARED_QUEUES, declare_exchange, declare_queue, exclusive_queue};
use crate::chance::Chance;
use crate::operation::{Bind, Consume, DeclareQueue, Operation, Publish};
use crate::oracle::{At, Oracle};

/// One of them.
pub(super) fn any(chance: &mut Chance, oracle: &mut Oracle, at: At) -> Option<Operation> {
    match chance.below(12) {
        0 => Some(Operation::Ack { tag: 999_999, multiple: chance.one_in(2) }),
        1 => Some(publish(chance, oracle)),
        2 => Some(Operation::Get { queue: "missing".into(), no_ack: true }),
        3 => Some(Operation::PurgeQueue { queue: "missing".into(), nowait: chance.one_in(2) }),
        4 => others_queue(chance, oracle, at),
        5 => Some(Operation::DeleteExchange {
            exchange: "amq.topic".into(),
            if_unused: false,
            nowait: false,
        }),
        6 => Some(Operation::DeclareExchange(declare_exchange("amq.topic", "fanout"))),
        7 => {
            let declare = declare_queue(chance.pick(&SHARED_QUEUES)?);
            let auto_delete = !declare.auto_delete;
            oracle
                .names
                .contains_key(&declare.queue)
                .then_some(Operation::DeclareQueue(DeclareQueue { auto_delete, ..declare }))
        }
        8 => Some(Operation::Bind(Bind {
            source: "amq.topic".into(),
            destination: "missing".into(),
            ..Bind::default()
        })),
        9 => Some(Operation::Commit),
        10 => used_tag(chance, oracle, at),
        _ => Some(Operation::Consume(Consume {
            queue: "missing".into(),
            consumer_tag: "missing".into(),
            ..Consume::default()
        })),
    }
}

fn publish(chance: &mut Chance, oracle: &mut Oracle) -> Operation {
    let has_internal = oracle.topology.exchanges.contains_key("e-internal");
    let message = oracle.next_message();
    let publish = Publish { message, routing_key: "q0".into(), ..Publish::default() };
    Operation::Publish(match chance.below(5) {
        0 => Publish { immediate: true, ..publish },
        1 => Publish { bad_expiration: true, ..publish },
        2 if has_internal => Publish { exchange: "e-internal".into(), ..publish },
        _ => Publish { exchange: "missing".into(), ..publish },
    })
}

/// The exclusive queue of another client.
fn others_queue(chance: &mut Chance, oracle: &Oracle, at: At) -> Option<Operation> {
    let name = exclusive_queue(1 + chance.below(4), chance.below(2));
    let queue = *oracle.names.get(&name)?;
    if !oracle.is_locked(at, queue) {
        return None;
    }
    Some(match chance.below(3) {
        0 => Operation::DeclareQueue(declare_queue(&name)),
        1 => Operation::Get { queue: name, no_ack: false },
        _ => {
            Operation::DeleteQueue { queue: name, if_unused: false, if_empty: false, nowait: false }
        }
    })
}

/// A consumer tag that is in use.
fn used_tag(chance: &mut Chance, oracle: &Oracle, at: At) -> Option<Operation> {
    let consumers = oracle.channel(at)?.consumers.values();
    let id = chance.pick_from(consumers.filter(|id| !oracle.consumers[**id].is_ended))?;
    Some(Operation::Consume(Consume {
        queue: (*chance.pick(&SHARED_QUEUES)?).to_owned(),
        consumer_tag: oracle.consumers[*id].consumer_tag.clone(),
        ..Consume::default()
    }))
}
