//! What happens next: who does what, by dice. It looks at what the oracle knows, so that most of
//! what is sent makes sense, and now and then sends what does not.

mod flaws;
mod messages;
mod names;
mod requests;

use crate::chance::Chance;
use crate::operation::Operation;
use crate::oracle::{At, Oracle};

/// Channels a client uses.
const CHANNELS: usize = 3;

/// How often a request is looked for that can be made now.
const TRIES: usize = 20;

/// One step of a run.
#[derive(Clone, Debug)]
pub(crate) enum Step {
    /// A client connects.
    Connect { client: usize, frame_max: u32, heartbeat: u16 },
    /// The socket of a client is gone.
    Abort { client: usize },
    /// A client stops reading.
    Pause { client: usize },
    /// It reads again.
    Resume { client: usize },
    /// Milliseconds pass, and whoever agreed to heartbeats sends them.
    Wait { milliseconds: u64 },
    /// A client that agreed to heartbeats sends none any more.
    Silence { client: usize },
    /// A client sends; the last bytes may stay behind for a while.
    Send { client: usize, operations: Vec<(u16, Operation)>, holds_back: bool },
}

/// A client as far as its wire shows it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Candidate {
    pub(crate) client: usize,
    pub(crate) has_heartbeats: bool,
    /// Bytes of it are still on the way.
    pub(crate) has_held_back: bool,
    /// It said close-ok to a channel's end, and the broker has not read that yet.
    pub(crate) has_answer_on_its_way: bool,
}

/// Chooses the next step of a client.
pub(crate) fn next(chance: &mut Chance, oracle: &mut Oracle, candidate: Candidate) -> Step {
    let Candidate { client, has_heartbeats, has_held_back, has_answer_on_its_way } = candidate;
    if !oracle.connections.contains_key(&client) {
        let frame_max = if chance.one_in(2) { 4096 } else { 131_072 };
        let heartbeat = if chance.one_in(2) { 0 } else { 10 };
        return Step::Connect { client, frame_max, heartbeat };
    }
    let is_deaf = oracle.deaf.contains(&client);
    match chance.below(300) {
        0..=2 => return Step::Abort { client },
        // What was begun is done before anything else.
        _ if has_held_back => return send(client, Vec::new()),
        // Behind its close-ok a client sends nothing on a channel that is no more.
        _ if has_answer_on_its_way && is_deaf => return Step::Resume { client },
        _ if has_answer_on_its_way => return send(client, Vec::new()),
        3..6 if is_deaf => return Step::Abort { client },
        6..26 if is_deaf => return Step::Resume { client },
        40..44 => return Step::Wait { milliseconds: 1000 + chance.below(3000) as u64 },
        46 if has_heartbeats && !is_deaf => return Step::Silence { client },
        50..58 if !is_deaf => return Step::Pause { client },
        58 if !is_deaf => return send(client, vec![(0, Operation::CloseConnection)]),
        60..62 if !is_deaf => return send(client, vec![(0, Operation::UpdateSecret)]),
        _ => {}
    }
    let operations = if is_deaf {
        unheard(chance, oracle, client)
    } else if chance.one_in(4) {
        several(chance, oracle, client)
    } else {
        one(chance, oracle, client)
    };
    let holds_back = !is_deaf && may_be_late(&operations) && chance.one_in(30);
    Step::Send { client, operations, holds_back }
}

/// Several might fail in part if others change things meanwhile, and whether a queue is empty is
/// known only now.
fn may_be_late(operations: &[(u16, Operation)]) -> bool {
    matches!(operations, [(_, operation)] if !matches!(operation, Operation::DeleteQueue { .. }))
}

fn send(client: usize, operations: Vec<(u16, Operation)>) -> Step {
    Step::Send { client, operations, holds_back: false }
}

fn any_channel(chance: &mut Chance, client: usize) -> At {
    At { client, channel: u16::try_from(1 + chance.below(CHANNELS)).unwrap() }
}

/// One operation of any kind.
fn one(chance: &mut Chance, oracle: &mut Oracle, client: usize) -> Vec<(u16, Operation)> {
    let at = any_channel(chance, client);
    if oracle.channel(at).is_none() {
        return vec![(at.channel, Operation::OpenChannel)];
    }
    for _ in 0..TRIES {
        let operation = match chance.below(100) {
            0..2 => flaws::any(chance, oracle, at),
            2..3 => Some(Operation::CloseChannel),
            3..45 => requests::any(chance, oracle, at),
            45..75 => messages::publish(chance, oracle, at),
            _ => messages::settle(chance, oracle, at, true),
        };
        if let Some(operation) = operation {
            claim(oracle, at, &operation);
            return vec![(at.channel, operation)];
        }
    }
    Vec::new()
}

/// Several that cannot fail, written at once.
fn several(chance: &mut Chance, oracle: &mut Oracle, client: usize) -> Vec<(u16, Operation)> {
    let mut operations = Vec::new();
    for _ in 0..2 + chance.below(8) {
        let at = any_channel(chance, client);
        if oracle.channel(at).is_none() {
            continue;
        }
        let operation = match chance.below(10) {
            0..5 => messages::publish(chance, oracle, at),
            5..8 => messages::settle(chance, oracle, at, false),
            _ => requests::safe(chance, oracle, at),
        };
        if let Some(operation) = operation {
            claim(oracle, at, &operation);
            operations.push((at.channel, operation));
        }
    }
    operations
}

/// What a client sends that does not read: it cannot fail, whatever else happens meanwhile.
fn unheard(chance: &mut Chance, oracle: &mut Oracle, client: usize) -> Vec<(u16, Operation)> {
    let mut operations = Vec::new();
    for _ in 0..1 + chance.below(3) {
        let at = any_channel(chance, client);
        if oracle.channel(at).is_none() {
            continue;
        }
        let operation = if chance.one_in(2) {
            Some(messages::publish_surely(chance, oracle))
        } else {
            messages::settle(chance, oracle, at, false)
        };
        if let Some(operation) = operation {
            claim(oracle, at, &operation);
            operations.push((at.channel, operation));
        }
    }
    operations
}

fn claim(oracle: &mut Oracle, at: At, operation: &Operation) {
    match operation {
        Operation::Ack { tag, multiple } | Operation::Nack { tag, multiple, .. } => {
            oracle.claim(at, *tag, *multiple);
        }
        Operation::Reject { tag, .. } => oracle.claim(at, *tag, false),
        _ => {}
    }
}
