//! Requests: declarations, bindings, consumers and the rest, such that most succeed.

use super::messages::{HEADERS, KEYS};
use super::names::{
    EXCHANGES, INNER_EXCHANGES, SHARED_QUEUES, declare_exchange, declare_queue, exclusive_queue,
};
use crate::chance::Chance;
use crate::operation::{Bind, Consume, DeclareQueue, Operation, REPLY_TO};
use crate::oracle::{At, Mode, Oracle};

/// Topic patterns.
const PATTERNS: [&str; 5] = ["#", "a.*", "*.b", "a.#", "#.a"];

/// Any request.
pub(super) fn any(chance: &mut Chance, oracle: &mut Oracle, at: At) -> Option<Operation> {
    let nowait = chance.one_in(6);
    match chance.below(100) {
        0..14 => Some(declare_a_queue(chance, at, nowait)),
        14..22 => Some(declare_an_exchange(chance, nowait)),
        22..36 => bind(chance, oracle, at, nowait),
        36..40 => unbind(chance, oracle, at, nowait),
        40..44 => own_queue(chance, oracle, at).map(|queue| Operation::PurgeQueue {
            queue: oracle.queues[queue].name.clone(),
            nowait,
        }),
        44..47 => delete_queue(chance, oracle, at, nowait),
        47..49 => delete_exchange(chance, oracle, nowait),
        49..63 => consume(chance, oracle, at, nowait),
        63..68 => cancel(chance, oracle, at, true),
        68..76 => get(chance, oracle, at),
        76..82 => Some(qos(chance)),
        82..84 => Some(Operation::Recover { is_async: nowait }),
        84..92 => transact_or_confirm(chance, oracle, at, nowait),
        92..94 => Some(Operation::Flow),
        94..95 => Some(Operation::RequestAccess),
        _ => look(chance, oracle, at),
    }
}

/// Requests that cannot fail, and take nothing away that a neighbor needs.
pub(super) fn safe(chance: &mut Chance, oracle: &Oracle, at: At) -> Option<Operation> {
    match chance.below(10) {
        0..2 => get(chance, oracle, at),
        2 => cancel(chance, oracle, at, false),
        3 => Some(qos(chance)),
        4 => look(chance, oracle, at),
        5 => Some(Operation::Flow),
        6 => own_queue(chance, oracle, at).map(|queue| Operation::PurgeQueue {
            queue: oracle.queues[queue].name.clone(),
            nowait: false,
        }),
        _ => match oracle.channel(at)?.mode {
            Mode::Transaction { .. } if chance.one_in(3) => Some(Operation::Rollback),
            Mode::Transaction { .. } => Some(Operation::Commit),
            Mode::Plain | Mode::Confirm { .. } => None,
        },
    }
}

fn declare_a_queue(chance: &mut Chance, at: At, nowait: bool) -> Operation {
    let declare = match chance.below(10) {
        0..7 => declare_queue(chance.pick(&SHARED_QUEUES).unwrap()),
        7..9 => declare_queue(&exclusive_queue(at.client, chance.below(2))),
        _ => {
            let (exclusive, auto_delete) = (true, chance.one_in(2));
            return Operation::DeclareQueue(DeclareQueue {
                exclusive,
                auto_delete,
                ..DeclareQueue::default()
            });
        }
    };
    Operation::DeclareQueue(DeclareQueue { nowait, ..declare })
}

fn declare_an_exchange(chance: &mut Chance, nowait: bool) -> Operation {
    let (name, kind) = chance.pick(&EXCHANGES).unwrap();
    let mut declare = declare_exchange(name, kind);
    declare.nowait = nowait;
    Operation::DeclareExchange(declare)
}

/// A queue that this client may use.
fn own_queue(chance: &mut Chance, oracle: &Oracle, at: At) -> Option<usize> {
    let queues = oracle.names.values().copied();
    chance.pick_from(queues.filter(|queue| !oracle.is_locked(at, *queue)))
}

fn bind(chance: &mut Chance, oracle: &Oracle, at: At, nowait: bool) -> Option<Operation> {
    let sources = oracle.topology.exchanges.keys().filter(|name| !name.is_empty());
    let source = chance.pick_from(sources.cloned())?;
    let known = oracle.topology.exchanges.get(&source)?;
    let mut bind = Bind { source, nowait, ..Bind::default() };
    match known.kind.as_str() {
        "topic" => bind.routing_key = (*chance.pick(&PATTERNS)?).to_owned(),
        "direct" => bind.routing_key = (*chance.pick(&KEYS)?).to_owned(),
        "headers" => bind.header = chance.pick(&HEADERS).map(|value| (*value).to_owned()),
        // A weight; two weights of one queue would count once.
        "x-consistent-hash" => bind.routing_key = "1".to_owned(),
        _ => {}
    }
    let is_simple = !known.chooses() && known.kind != "x-recent-history";
    if is_simple && chance.one_in(5) {
        let inner = chance.pick(&INNER_EXCHANGES)?;
        bind.to_exchange = oracle.topology.exchanges.contains_key(*inner);
        bind.destination = (*inner).to_owned();
        return bind.to_exchange.then_some(Operation::Bind(bind));
    }
    let queue = &oracle.queues[own_queue(chance, oracle, at)?];
    // A queue that others cannot look at would leave the choice unknown.
    if known.chooses() && queue.owner.is_some() {
        return None;
    }
    bind.destination.clone_from(&queue.name);
    Some(Operation::Bind(bind))
}

fn unbind(chance: &mut Chance, oracle: &Oracle, at: At, nowait: bool) -> Option<Operation> {
    let known = chance.pick_from(oracle.topology.bindings.iter())?;
    let queue = oracle.names.get(&known.destination);
    if !known.to_exchange && queue.is_some_and(|queue| oracle.is_locked(at, *queue)) {
        return None;
    }
    Some(Operation::Bind(Bind {
        is_unbind: true,
        to_exchange: known.to_exchange,
        source: known.source.clone(),
        destination: known.destination.clone(),
        routing_key: known.routing_key.clone(),
        header: known.header.clone(),
        nowait,
    }))
}

fn delete_queue(chance: &mut Chance, oracle: &Oracle, at: At, nowait: bool) -> Option<Operation> {
    let queue = own_queue(chance, oracle, at)?;
    let known = &oracle.queues[queue];
    let (sure, most) = known.ready_range();
    let is_known = oracle.is_clear(queue) && sure == most;
    let if_empty = is_known && chance.one_in(4);
    let if_unused = chance.one_in(4);
    Some(Operation::DeleteQueue { queue: known.name.clone(), if_unused, if_empty, nowait })
}

fn delete_exchange(chance: &mut Chance, oracle: &Oracle, nowait: bool) -> Option<Operation> {
    let names = oracle.topology.exchanges.keys().filter(|name| name.starts_with("e-"));
    let exchange = chance.pick_from(names.cloned())?;
    Some(Operation::DeleteExchange { exchange, if_unused: chance.one_in(3), nowait })
}

fn consume(chance: &mut Chance, oracle: &Oracle, at: At, nowait: bool) -> Option<Operation> {
    let consumer_tag = format!("c{}", oracle.consumers.len());
    if chance.one_in(10) {
        if oracle.channel(at)?.waits_for_replies() {
            return None;
        }
        let queue = REPLY_TO.to_owned();
        let no_ack = true;
        return Some(Operation::Consume(Consume {
            queue,
            consumer_tag,
            no_ack,
            nowait,
            ..Consume::default()
        }));
    }
    let queue = &oracle.queues[own_queue(chance, oracle, at)?];
    if queue.consumers.len() >= 4 {
        return None;
    }
    Some(Operation::Consume(Consume {
        queue: queue.name.clone(),
        consumer_tag,
        no_ack: chance.one_in(4),
        exclusive: chance.one_in(20),
        priority: if chance.one_in(5) { 5 } else { 0 },
        nowait,
    }))
}

/// Ends a consumer; with `is_single` also one whose queue goes with it.
fn cancel(chance: &mut Chance, oracle: &Oracle, at: At, is_single: bool) -> Option<Operation> {
    let may_end = |id: &&usize| {
        let queue = oracle.consumers[**id].queue;
        is_single || queue.is_some_and(|queue| !oracle.queues[queue].auto_delete)
    };
    let id = chance.pick_from(oracle.channel(at)?.consumers.values().filter(may_end))?;
    let consumer_tag = oracle.consumers[*id].consumer_tag.clone();
    Some(Operation::Cancel { consumer_tag, nowait: chance.one_in(5) })
}

fn get(chance: &mut Chance, oracle: &Oracle, at: At) -> Option<Operation> {
    let queue = &oracle.queues[own_queue(chance, oracle, at)?];
    let no_ack = chance.one_in(3);
    (!queue.single_active).then(|| Operation::Get { queue: queue.name.clone(), no_ack })
}

fn qos(chance: &mut Chance) -> Operation {
    let prefetch_count = *chance.pick(&[0, 1, 1, 2, 3, 5]).unwrap();
    Operation::Qos { prefetch_count, global: chance.one_in(3) }
}

fn transact_or_confirm(
    chance: &mut Chance,
    oracle: &Oracle,
    at: At,
    nowait: bool,
) -> Option<Operation> {
    match oracle.channel(at)?.mode {
        Mode::Plain if chance.one_in(3) => Some(Operation::SelectTransaction),
        Mode::Plain | Mode::Confirm { .. } if chance.one_in(3) => {
            Some(Operation::SelectConfirm { nowait })
        }
        Mode::Plain | Mode::Confirm { .. } => None,
        Mode::Transaction { .. } if chance.one_in(3) => Some(Operation::Rollback),
        Mode::Transaction { .. } if chance.one_in(10) => Some(Operation::SelectTransaction),
        Mode::Transaction { .. } => Some(Operation::Commit),
    }
}

/// Looks at what is there.
fn look(chance: &mut Chance, oracle: &Oracle, at: At) -> Option<Operation> {
    let queue = &oracle.queues[own_queue(chance, oracle, at)?];
    let (queue, passive) = (queue.name.clone(), true);
    Some(Operation::DeclareQueue(DeclareQueue { queue, passive, ..DeclareQueue::default() }))
}
