//! A broker over a store: what the last run left is put back, and the node's threads have their
//! handles. What a broker without a store does is in `shared`.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use std::task::Waker;

use super::durability::{Durability, MemoryOptions};
use super::lock::read;
use super::options::BrokerOptions;
use super::shared::Broker;
use super::virtual_host::VirtualHost;
use super::work::Work;
use crate::definitions::Change;
use crate::definitions::record::{self, Fact, RecordError};
use crate::message::{Charge, Moment, QueueId, VirtualHostNumber};
use crate::store::{Change as Gone, Definition, Log, Opened, Reader, RecoveredQueue, Writer};

/// What the store gives a broker that is opened.
#[derive(Debug)]
pub struct Left {
    /// Takes facts.
    pub log: Arc<Log>,
    /// Reads messages.
    pub reader: Reader,
    /// All definitions.
    pub definitions: Vec<Definition>,
    /// Queues that hold something, or did.
    pub queues: Vec<RecoveredQueue>,
    /// Above every number of a queue that was ever stored.
    pub next_queue: u64,
}

impl Left {
    /// Parts what was opened: the one that turns the log goes its own way.
    #[must_use]
    pub fn part(opened: Opened) -> (Writer, Self) {
        let Opened { writer, log, reader, definitions, queues, next_queue, .. } = opened;
        (writer, Self { log, reader, definitions, queues, next_queue })
    }
}

/// A definition that the store has and this version cannot read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnreadableDefinition(RecordError);

impl fmt::Display for UnreadableDefinition {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "a definition in the store cannot be read: {}", self.0)
    }
}

impl std::error::Error for UnreadableDefinition {}

/// What is put back, on its way.
struct Restoring<'a> {
    broker: &'a Broker,
    log: &'a Log,
    hosts: BTreeMap<VirtualHostNumber, Arc<VirtualHost>>,
    queues: BTreeMap<QueueId, RecoveredQueue>,
}

impl Broker {
    /// A broker as the last run left it. One that is new has nothing declared.
    ///
    /// # Errors
    /// A definition is of another version.
    pub fn open(
        options: BrokerOptions,
        seed: [u64; 2],
        left: Left,
        memory: MemoryOptions,
    ) -> Result<Self, UnreadableDefinition> {
        let Left { log, reader, definitions, queues, next_queue } = left;
        let mut broker = Self::empty(options, seed);
        broker.skip_ids_below(next_queue);
        let sessions = broker.connection_options.account.clone();
        let durability = Durability::new(log.clone(), reader, memory, sessions);
        broker.durability = Some(Arc::new(durability));
        broker.failure.guard(log.clone());
        let mut restoring = Restoring {
            broker: &broker,
            log: &log,
            hosts: BTreeMap::new(),
            queues: queues.into_iter().map(|queue| (queue.queue, queue)).collect(),
        };
        let mut facts = Vec::with_capacity(definitions.len());
        for (key, value) in definitions {
            let fact = record::decode(&key, &value).map_err(UnreadableDefinition)?;
            broker.skip_ids_below(highest_id(&fact) + 1);
            facts.push((key, fact));
        }
        // Keys sort by kind: virtual hosts and users, then exchanges, queues, bindings.
        facts.into_iter().for_each(|(key, fact)| restoring.restore(&key, fact));
        restoring.forget_rest();
        broker.take_up_queues();
        Ok(broker)
    }

    /// Queues go on with what the last life did not end: those that hold more than they may let it
    /// go, and what dies some time is looked at.
    fn take_up_queues(&self) {
        let hosts: Vec<Arc<VirtualHost>> = read(&self.virtual_hosts).values().cloned().collect();
        let mut work = Work::default();
        // Those that are always there were declared before the policies were known.
        for host in &hosts {
            host.put_exchange_policies_in_force(&host.definitions(), &mut work);
        }
        let queues = hosts.iter().flat_map(|host| [host.all_queues(), host.waiting_rooms()]);
        queues.flatten().for_each(|queue| queue.take_up(&mut work));
        self.look_after(&mut work);
    }

    /// Something was declared in an earlier life.
    #[must_use]
    pub fn is_defined(&self) -> bool {
        self.node_definitions().hosts().next().is_some()
    }

    /// Reads a queue again that left service, or bodies for the one that waits longest. False where
    /// none waits.
    pub fn fetch(&self, now: Moment) -> bool {
        let Some(durability) = &self.durability else { return false };
        let mut work = Work { now, ..Work::default() };
        let has_read = self.read_again(durability, &mut work) || durability.fetch(&mut work);
        self.look_after(&mut work);
        work.wake();
        has_read
    }

    /// Why the node has to stop though nobody asked it to: something of ours broke that only a
    /// start puts right. Nothing is confirmed from then on.
    #[must_use]
    pub fn failure(&self) -> Option<&str> {
        self.failure.why()
    }

    /// A part of the node without which it cannot go on has ended.
    pub fn fail(&self, why: &str) {
        self.failure.report(why);
    }

    /// Wakes this waker when a queue waits for bodies. True where one does.
    pub fn register_reader(&self, waker: &Waker) -> bool {
        self.durability.as_ref().is_some_and(|durability| durability.register_reader(waker))
    }

    /// Lets queues give up bodies where too many are in RAM.
    pub fn make_room(&self, now: Moment) {
        if let Some(durability) = &self.durability {
            let mut work = Work { now, ..Work::default() };
            durability.ask_again(&mut work);
            durability.memory.tend(&mut work);
            self.look_after(&mut work);
            work.wake();
        }
    }

    /// Bytes of bodies in RAM: those on disk too, and those nowhere else.
    #[must_use]
    pub fn body_memory(&self) -> (u64, u64) {
        let used = self.durability.as_ref().map(|durability| durability.memory.used());
        used.map_or((0, 0), |used| (used.logged, used.unlogged))
    }

    /// Bytes that clients hold: bodies that came in part, transactions, buffers.
    #[must_use]
    pub fn session_memory(&self) -> u64 {
        self.connection_options.account.sum()
    }

    /// What a door holds for a client counts with that.
    #[must_use]
    pub fn charge(&self, size: u64) -> Charge {
        self.connection_options.account.charge(size)
    }

    /// Before a clean stop: the log hears what was delivered, so that the flag is exact.
    pub fn tell_delivered(&self) {
        let mut work = Work::default();
        for host in read(&self.virtual_hosts).values() {
            host.all_queues().iter().for_each(|queue| queue.tell_delivered(&mut work));
        }
        // What is delivered now comes to nobody.
        work.wake();
    }
}

impl Restoring<'_> {
    fn restore(&mut self, key: &[u8], fact: Fact) {
        match fact {
            Fact::Node(change) => {
                let mut definitions = self.broker.node_definitions();
                self.broker.restore_to_node(&mut definitions, &change);
                drop(definitions);
                if let crate::definitions::NodeChange::HostDeclared(host) = &change
                    && let Some(live) = self.broker.virtual_host(&host.key.name)
                {
                    let next_id = || self.broker.next_exchange_id();
                    live.declare_system_exchanges(&host.declared_by, next_id);
                    self.hosts.insert(host.key.number, live);
                }
            }
            Fact::Host(number, change) => match self.hosts.get(&number) {
                Some(host) => {
                    let recovered = match &change {
                        Change::QueueDeclared(queue) => self.queues.remove(&queue.id),
                        Change::ExchangeDeclared(exchange) => {
                            self.queues.remove(&QueueId(exchange.id.0))
                        }
                        _ => None,
                    };
                    let mut work = Work::default();
                    host.restore(&mut host.definitions(), &change, recovered, &mut work);
                }
                // Its virtual host was deleted, with all that was in it.
                None => self.forget(key),
            },
            Fact::Seen(number, exchange, seen) => {
                let host = self.hosts.get(&number);
                if !host.is_some_and(|host| host.restore_seen(exchange, seen)) {
                    self.forget(key);
                }
            }
        }
    }

    fn forget(&self, key: &[u8]) {
        self.log.append().changed(Gone { key: key.to_vec(), value: None });
    }

    /// Queues that hold something and are declared no longer: they ended with the last run.
    fn forget_rest(&self) {
        let mut appender = self.log.append();
        self.queues.keys().for_each(|queue| appender.forgotten(*queue));
    }
}

/// The highest number that a fact names.
fn highest_id(fact: &Fact) -> u64 {
    match fact {
        Fact::Node(crate::definitions::NodeChange::HostDeclared(host)) => host.key.number.0,
        Fact::Host(_, Change::QueueDeclared(queue)) => queue.id.0,
        Fact::Host(_, Change::ExchangeDeclared(exchange)) => exchange.id.0,
        Fact::Seen(_, exchange, _) => exchange.0,
        Fact::Node(_) | Fact::Host(..) => 0,
    }
}
