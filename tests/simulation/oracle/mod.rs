//! The oracle: what must be where, known from what clients sent and what they got. Requests are
//! applied here in the order in which the broker took them; what came is matched against that. It
//! says what happened, as facts, and leaves it to the invariants what to make of it.
//!
//! It knows a thing exactly as long as everybody reads. What a client that does not read may have,
//! and what one took along that left so, is kept apart as not known: it may come again or not, with
//! the flag or without.
//!
//! Reading order: [`Oracle`], `declare`, `subscribe`, `publish`, `settle` (what is sent), `hear`
//! (what comes), `topology` and `queue` (what is kept).

mod declare;
mod hear;
mod lifecycle;
mod publish;
mod queue;
mod settle;
mod step;
mod subscribe;
mod topology;

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use crate::fact::{ChannelId, Fact, Kind};
use crate::operation::Operation;

pub(crate) use queue::{Queue, State};
pub(crate) use topology::Topology;

/// A client and one of its channels.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct At {
    pub(crate) client: usize,
    pub(crate) channel: u16,
}

/// Everything the oracle knows.
#[derive(Debug, Default)]
pub(crate) struct Oracle {
    pub(crate) topology: Topology,
    /// Every queue that ever was.
    pub(crate) queues: Vec<Queue>,
    /// Those that are, by name.
    pub(crate) names: BTreeMap<String, usize>,
    pub(crate) connections: BTreeMap<usize, Connection>,
    pub(crate) consumers: Vec<Consumer>,
    /// Clients that do not read.
    pub(crate) deaf: BTreeSet<usize>,
    /// Names of exclusive queues whose connection ended, to be looked for.
    pub(crate) orphans: Vec<String>,
    /// Queues of which a count would tell more.
    pub(crate) doubtful: BTreeSet<usize>,
    /// Addresses of direct replies that came along with requests.
    pub(crate) reply_keys: BTreeMap<String, ReplyPlace>,
    requests: BTreeMap<u64, ReplyPlace>,
    choices: Vec<Choice>,
    facts: Vec<Fact>,
    step: Step,
    last_id: u64,
    last_message: u64,
}

/// One connection.
#[derive(Debug)]
pub(crate) struct Connection {
    pub(crate) id: u64,
    pub(crate) channels: BTreeMap<u16, Channel>,
    /// It ended, but for the last words.
    pub(crate) is_ending: bool,
    expected: VecDeque<Expected>,
}

/// One channel.
#[derive(Debug)]
pub(crate) struct Channel {
    pub(crate) id: ChannelId,
    /// Something on it was refused, or it was closed: what follows is dropped.
    pub(crate) is_broken: bool,
    pub(crate) mode: Mode,
    pub(crate) unsettled: BTreeMap<u64, Origin>,
    /// Tags for which a settlement is on its way.
    pub(crate) claimed: BTreeSet<u64>,
    pub(crate) consumers: BTreeMap<String, usize>,
    prefetch_count: u16,
    limit: u16,
    expected: VecDeque<Expected>,
    /// Where direct replies go, while they are asked for: the consumer.
    reply_consumer: Option<usize>,
    replies_due: Vec<u64>,
}

/// What publishes on a channel mean.
#[derive(Debug)]
pub(crate) enum Mode {
    Plain,
    Confirm { last: u64 },
    Transaction { publishes: Vec<Pending>, settled: Vec<(u64, Origin, Outcome)> },
}

/// A publish that waits for tx.commit.
#[derive(Debug)]
pub(crate) struct Pending {
    message: u64,
    queues: Vec<usize>,
    mandatory: bool,
}

/// Where a delivery came from.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Origin {
    pub(crate) queue: Option<usize>,
    pub(crate) place: Option<usize>,
    pub(crate) consumer: Option<usize>,
}

/// How a delivery ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    Accepted,
    Requeued,
    Rejected,
}

/// One consumer.
#[derive(Debug)]
pub(crate) struct Consumer {
    pub(crate) at: At,
    pub(crate) consumer_tag: String,
    /// None for direct replies.
    pub(crate) queue: Option<usize>,
    pub(crate) is_ended: bool,
    no_ack: bool,
    is_exclusive: bool,
    prefetch_count: u16,
    is_told: bool,
    unsettled_count: u16,
}

/// Who waits for direct replies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ReplyPlace {
    at: At,
    consumer: usize,
}

/// A message that went to one of several queues.
#[derive(Debug)]
struct Choice {
    open: BTreeMap<usize, usize>,
    /// It may have gone where it was anyway, or where it was purged since.
    may_be_none: bool,
}

/// An answer that is due, and what is to be done when it comes.
#[derive(Debug)]
struct Expected {
    answers: Vec<Kind>,
    detail: Detail,
}

#[derive(Clone, Debug)]
enum Detail {
    None,
    /// queue.declare-ok: the queue, and whether its counts are known exactly.
    Counts {
        queue: usize,
        consumers: usize,
        messages: Option<(usize, usize)>,
    },
    /// queue.declare-ok brings the name.
    ServerNamed(Box<crate::operation::DeclareQueue>),
    /// purge-ok or delete-ok.
    Removed {
        queue_name: String,
        messages: (usize, usize),
    },
    /// Nothing there is to be found.
    Look {
        queue_name: String,
    },
    Get {
        queue: usize,
        no_ack: bool,
        is_exact: bool,
    },
    Consume {
        consumer: usize,
    },
    Limit {
        prefetch_count: u16,
    },
}

/// What happens between two moments of quiet.
#[derive(Debug, Default)]
struct Step {
    /// One operation only, and everybody else had nothing to say.
    is_single: bool,
    /// Messages came back in several goes, so that later ones may have left before earlier ones.
    is_scrambled: bool,
    delivered: BTreeMap<usize, Vec<usize>>,
}

impl Oracle {
    /// Facts since the last time.
    pub(crate) fn take_facts(&mut self) -> Vec<Fact> {
        std::mem::take(&mut self.facts)
    }

    /// A number for the next message.
    pub(crate) fn next_message(&mut self) -> u64 {
        self.last_message += 1;
        self.last_message
    }

    fn next_id(&mut self) -> u64 {
        self.last_id += 1;
        self.last_id
    }

    /// The channel, if it is there.
    pub(crate) fn channel(&self, at: At) -> Option<&Channel> {
        self.connections.get(&at.client)?.channels.get(&at.channel)
    }

    fn channel_mut(&mut self, at: At) -> Option<&mut Channel> {
        self.connections.get_mut(&at.client)?.channels.get_mut(&at.channel)
    }

    fn connection_id(&self, at: At) -> u64 {
        self.connections.get(&at.client).map_or(0, |connection| connection.id)
    }

    /// Nobody who does not read consumes from the queue, so its state is known.
    pub(crate) fn is_clear(&self, queue: usize) -> bool {
        let queue = &self.queues[queue];
        queue.consumers.iter().all(|id| !self.deaf.contains(&self.consumers[*id].at.client))
    }

    fn is_exact(&self, queue: usize) -> bool {
        self.step.is_single && self.is_clear(queue)
    }

    /// The broker took an operation of a client: it is carried out.
    pub(crate) fn apply(&mut self, at: At, operation: &Operation) {
        match operation {
            Operation::Header
            | Operation::StartOk
            | Operation::TuneOk { .. }
            | Operation::OpenConnection
            | Operation::UpdateSecret
            | Operation::CloseConnection
            | Operation::ConnectionCloseOk
            | Operation::Heartbeat => self.apply_to_connection(at, operation),
            Operation::OpenChannel => self.open_channel(at),
            Operation::ChannelCloseOk => {
                if let Some(connection) = self.connections.get_mut(&at.client) {
                    connection.channels.remove(&at.channel);
                }
            }
            Operation::CloseChannel => self.close_channel(at),
            _ => {
                if self.channel(at).is_some_and(|channel| !channel.is_broken) {
                    self.apply_to_channel(at, operation);
                }
            }
        }
    }

    fn apply_to_channel(&mut self, at: At, operation: &Operation) {
        match operation {
            Operation::DeclareExchange(declare) => self.declare_exchange(at, declare),
            Operation::DeleteExchange { exchange, if_unused, nowait } => {
                self.delete_exchange(at, exchange, *if_unused, *nowait);
            }
            Operation::Bind(bind) => self.bind(at, bind),
            Operation::DeclareQueue(declare) => self.declare_queue(at, declare),
            Operation::PurgeQueue { queue, nowait } => self.purge_queue(at, queue, *nowait),
            Operation::DeleteQueue { queue, if_unused, if_empty, nowait } => {
                self.delete_queue(at, queue, (*if_unused, *if_empty), *nowait);
            }
            Operation::Qos { prefetch_count, global } => {
                self.set_prefetch(at, *prefetch_count, *global);
            }
            Operation::Consume(consume) => self.consume(at, consume),
            Operation::Cancel { consumer_tag, nowait } => self.cancel(at, consumer_tag, *nowait),
            Operation::Get { queue, no_ack } => self.get(at, queue, *no_ack),
            Operation::Recover { is_async } => self.recover(at, *is_async),
            Operation::Publish(publish) => self.publish(at, publish),
            Operation::Ack { tag, multiple } => {
                self.settle(at, *tag, *multiple, Outcome::Accepted);
            }
            Operation::Nack { tag, multiple, requeue } => {
                self.settle(at, *tag, *multiple, refused(*requeue));
            }
            Operation::Reject { tag, requeue } => self.settle(at, *tag, false, refused(*requeue)),
            Operation::SelectConfirm { nowait } => self.select_confirm(at, *nowait),
            Operation::SelectTransaction => self.select_transaction(at),
            Operation::Commit => self.commit(at),
            Operation::Rollback => self.roll_back(at),
            Operation::Flow => self.expect(at, "channel.flow-ok", Detail::None),
            Operation::RequestAccess => self.expect(at, "access.request-ok", Detail::None),
            other => panic!("{other:?} belongs to no channel"),
        }
    }

    /// An answer of this name is due.
    fn expect(&mut self, at: At, name: &'static str, detail: Detail) {
        self.expect_one(at, vec![Kind::Named(name)], detail);
    }

    fn expect_unless(&mut self, at: At, nowait: bool, name: &'static str, detail: Detail) {
        if !nowait {
            self.expect(at, name, detail);
        }
    }

    fn expect_one(&mut self, at: At, answers: Vec<Kind>, detail: Detail) {
        let expected = Expected { answers: answers.clone(), detail };
        let Some(connection) = self.connections.get_mut(&at.client) else { return };
        let id = if at.channel == 0 {
            connection.expected.push_back(expected);
            ChannelId { connection: connection.id, number: 0, incarnation: 0 }
        } else {
            let Some(channel) = connection.channels.get_mut(&at.channel) else { return };
            channel.expected.push_back(expected);
            channel.id
        };
        self.facts.push(Fact::Asked { channel: id, answers });
    }

    /// The request is refused: the channel closes.
    fn refuse(&mut self, at: At, code: u16) {
        self.refuse_with(at, code, Detail::None);
    }

    fn refuse_with(&mut self, at: At, code: u16, detail: Detail) {
        self.expect_one(at, vec![Kind::Refused(code)], detail);
        self.end_channel(at);
    }

    /// The request ends the connection.
    fn refuse_connection(&mut self, at: At, code: u16) {
        let zero = At { channel: 0, ..at };
        self.expect_one(zero, vec![Kind::Refused(code)], Detail::None);
        self.end_connection(at.client);
    }
}

fn refused(requeue: bool) -> Outcome {
    if requeue { Outcome::Requeued } else { Outcome::Rejected }
}
