//! How a node ends, and what must be there when it starts again: every disk that a power loss may
//! leave is read and compared with what may be there, and the last of them is where the run goes
//! on.

use std::collections::BTreeMap;
use std::sync::Arc;

use leveret::broker::{Broker, BrokerOptions, Left};
use leveret::message::Moment;
use leveret::store::{self, Faults, FaultyStorage, MemoryStorage, Opened, Storage, StoreOptions};

use super::gate::Gate;
use super::history::History;
use super::model::Model;
use super::plants::Plant;
use super::recovered::Recovered;
use super::seat::{Awaited, CONSUMING, Seat};
use super::tamper;
use super::world::{DISK_SIZE, MEMORY, Node, Run, Weather, World};
use crate::chance::Chance;
use crate::operation::Operation;

/// Disks that are looked at for each power loss.
const LOSSES: usize = 4;

/// The client that only looks.
const AUDITOR: usize = 0;

fn options(run: &Run) -> StoreOptions {
    StoreOptions {
        file_size: 4096,
        ready_size: 1024,
        is_synced: run.plant != Some(Plant::ConfirmBeforeSync),
        reserve_size: if run.weather == Weather::Full { 16 * 1024 } else { 0 },
        accepts_damaged_definitions: false,
    }
}

impl Node {
    /// Opens what is on a disk, and tells what was found. With a fuse, the power fails on the way
    /// at that call, or never.
    pub(super) fn open(
        disk: MemoryStorage,
        run: &Run,
        chance: &mut Chance,
        fuse: Option<u64>,
    ) -> Result<(Self, Found), String> {
        let gate = Gate::new(disk.clone(), run.plant);
        gate.set_fuse(fuse);
        let faults = Faults::new();
        let storage = FaultyStorage::new(Arc::new(gate.clone()), faults.clone());
        let opened = open_store(Arc::new(storage), run)?;
        let recovered = Recovered::read(&opened)?;
        let found =
            Found { recovered, was_clean: opened.was_clean, torn_size: opened.damage.torn_size };
        gate.set_fuse(None);
        Ok((Self::start((disk, gate, faults), opened, run, chance)?, found))
    }

    /// Starts the broker on a store that is open.
    pub(super) fn start(
        (disk, gate, faults): (MemoryStorage, Gate, Faults),
        opened: Opened,
        run: &Run,
        chance: &mut Chance,
    ) -> Result<Self, String> {
        let (writer, mut left) = Left::part(opened);
        if run.plant == Some(Plant::SequenceReused) {
            for queue in &mut left.queues {
                let last = queue.runs.iter().map(|run| run.range.last + 1).max();
                queue.next_sequence = last.unwrap_or(0);
            }
        }
        let seed = [run.seed, chance.below(1 << 30) as u64];
        let broker = Broker::open(BrokerOptions::default(), seed, left, MEMORY);
        let broker = Arc::new(broker.map_err(|error| error.to_string())?);
        let node = Self { disk, gate, faults, writer, broker, seats: BTreeMap::new() };
        node.plant(run);
        Ok(node)
    }

    /// One of the disks that a power loss of this moment may leave.
    pub(super) fn disk_after_loss(&self, chance: &mut Chance) -> MemoryStorage {
        let temper = chance.below(6);
        let disk = self.disk.crash(&mut |count| match temper {
            0 => 0,
            1 | 2 => count - 1,
            _ => chance.below(count),
        });
        // Somebody makes room, where it was full, before the node is started again.
        disk.set_capacity(DISK_SIZE);
        disk
    }

    /// The power fails at one of the next calls; tells at which.
    pub(super) fn doom(&self, chance: &mut Chance) -> String {
        let calls = chance.below(12) as u64;
        self.gate.set_fuse(Some(calls));
        format!("the power fails after {calls} calls")
    }

    /// All that waits for bodies gets them; tells how many times something was read.
    pub(super) fn fetch_all(&self, now: Moment) -> u64 {
        let mut fetches = 0;
        while self.broker.fetch(now) {
            fetches += 1;
        }
        fetches
    }

    /// Faults that are planted for good.
    pub(super) fn plant(&self, run: &Run) {
        self.faults.skip_sync(run.plant == Some(Plant::SyncSkipped));
        self.faults.skip_sync_directory(run.plant == Some(Plant::DirectoryNotSynced));
    }
}

/// What a start found.
#[derive(Debug)]
pub(super) struct Found {
    recovered: Recovered,
    was_clean: bool,
    torn_size: u64,
}

/// Opens a store that only lost its power.
pub(super) fn open_store(storage: Arc<dyn Storage>, run: &Run) -> Result<Opened, String> {
    let opened = store::open(storage, options(run)).map_err(|error| format!("open: {error}"))?;
    if !opened.damage.quarantined.is_empty() {
        return Err(format!("damage on a disk that only lost its power: {:?}", opened.damage));
    }
    Ok(opened)
}

impl World {
    /// The first start: what every node has is declared, and is on disk.
    pub(super) fn define(&mut self) -> Result<(), String> {
        if !self.node.broker.is_defined() {
            self.node.broker.declare_defaults().map_err(|error| format!("{error:?}"))?;
        }
        self.flush()
    }

    /// The node ends, one way or another.
    pub(super) fn end_node(&mut self) -> Result<(), String> {
        if self.node.gate.is_blown() {
            self.coverage.add("powers lost in a call", 1);
            return self.lose_power();
        }
        match self.chance.below(10) {
            0 => self.stop(),
            1 | 2 => {
                self.coverage.add("processes killed", 1);
                self.note("killed".to_owned());
                let disk = self.node.disk.kill();
                disk.set_capacity(DISK_SIZE);
                self.go_on(disk, false)
            }
            3..6 => self.lose_power(),
            // At one of the next calls.
            _ => {
                let doom = self.node.doom(&mut self.chance);
                self.note(doom);
                Ok(())
            }
        }
    }

    fn lose_power(&mut self) -> Result<(), String> {
        self.coverage.add("powers lost", 1);
        self.note("the power fails".to_owned());
        for _ in 1..LOSSES {
            let disk = self.disk_after_loss();
            self.coverage.add("crash points", 1);
            let opened = open_store(Arc::new(disk), &self.run)?;
            let found = Recovered::read(&opened)?;
            self.history.find(&found.lasting, false, |_| true)?;
        }
        let disk = self.disk_after_loss();
        self.go_on(disk, false)
    }

    fn disk_after_loss(&mut self) -> MemoryStorage {
        let disk = self.node.disk_after_loss(&mut self.chance);
        if self.run.plant == Some(Plant::StaleRecord) {
            tamper::revive_stale(&disk);
        }
        disk
    }

    /// Everybody leaves, the log is closed, and the power may go.
    pub(super) fn stop(&mut self) -> Result<(), String> {
        if self.is_poisoned() || self.node.gate.is_blown() {
            return self.lose_power();
        }
        self.node.gate.set_fuse(None);
        self.flush()?;
        self.coverage.add("clean stops", 1);
        for client in self.node.seats.keys().copied().collect::<Vec<_>>() {
            self.lose(client);
        }
        self.note("stopped".to_owned());
        self.node.broker.tell_delivered();
        self.history.note(self.version, &self.model);
        self.node.writer.stop(self.now).map_err(|error| format!("the stop: {error}"))?;
        self.history.is_told(self.version);
        let disk = self.disk_after_loss();
        self.go_on(disk, true)
    }

    /// A new node on what is left.
    fn go_on(&mut self, mut disk: MemoryStorage, is_clean: bool) -> Result<(), String> {
        self.coverage.add("crash points", 1);
        self.count_node();
        let mut must_be_clean = is_clean;
        let (node, found) = loop {
            let fuse = self.chance.one_in(3).then(|| self.chance.below(10) as u64);
            let result = Node::open(disk.clone(), &self.run, &mut self.chance, fuse);
            match result {
                Err(_) if fuse.is_some() && is_dead(&disk) => {
                    self.coverage.add("powers lost in a recovery", 1);
                    self.coverage.add("crash points", 1);
                    let chance = &mut self.chance;
                    disk = disk.crash(&mut |count| chance.below(count));
                    // It was opened once: from now on it is as after any crash.
                    must_be_clean = false;
                }
                other => break other?,
            }
        };
        let (is_clean, must) = (found.was_clean, must_be_clean);
        if must && !is_clean {
            return Err("the stop was in order, and the start does not see that".to_owned());
        }
        self.coverage.add("torn tails", u64::from(found.torn_size > 0));
        let recovered = &found.recovered;
        let fits = |model: &Model| self.numbers.fit(recovered, model);
        let model = self.history.find(&recovered.lasting, is_clean, fits)?.restarted(is_clean);
        self.numbers.learn(&found.recovered, &model)?;
        self.node = node;
        self.model = model;
        self.version += 1;
        self.definitions.clear();
        self.history = History::new(self.version, self.model.clone());
        self.define()?;
        self.audit()
    }

    /// What the node did counts.
    fn count_node(&mut self) {
        let counts = self.node.writer.counts();
        let passed = self.node.gate.passed();
        for (name, count) in [
            ("checkpoints", counts.checkpoints),
            ("syncs", counts.syncs),
            ("moves", counts.moved),
            ("files made", passed.made),
            ("files recycled", passed.recycled),
            ("files given back", passed.given_back),
        ] {
            self.coverage.add(name, count);
        }
    }

    /// Somebody looks at every queue with get, from its front to its end, and puts all back.
    pub(super) fn audit(&mut self) -> Result<(), String> {
        if self.node.gate.is_blown() || self.is_poisoned() {
            return Ok(());
        }
        self.fetch_all();
        self.settle()?;
        let seat = Seat::new(self.node.broker.clone(), false, 0, self.now);
        self.node.seats.insert(AUDITOR, seat);
        self.settle()?;
        let shared = self.model.queues.iter().filter(|(_, queue)| queue.owner.is_none());
        let shared: Vec<_> = shared.map(|(name, queue)| (name.clone(), queue.life)).collect();
        for (name, life) in shared {
            self.audit_queue(&name, life)?;
        }
        self.node.seats.remove(&AUDITOR);
        self.settle()
    }

    fn audit_queue(&mut self, name: &str, life: u64) -> Result<(), String> {
        let Some(queue) = self.model.queue(name, life) else { return Ok(()) };
        let ready = queue.places.iter().filter(|(_, held)| held.holder.is_none());
        let places: Vec<u64> = ready.map(|(place, _)| *place).collect();
        for place in places.iter().copied().map(Some).chain([None]) {
            let now = self.now;
            let seat = self.seat(AUDITOR);
            let queue = name.to_owned();
            seat.awaited = Some(Awaited::Get { queue: queue.clone(), life, no_ack: false });
            seat.send(CONSUMING, &Operation::Get { queue, no_ack: false }, now);
            self.settle()?;
            self.fetch_all();
            self.settle()?;
            let seat = self.seat(AUDITOR);
            let got = seat.out.last_key_value().map(|(_, out)| out.place);
            let is_new =
                seat.out.len() > places.iter().take_while(|at| Some(**at) != place).count();
            let got = got.filter(|_| is_new);
            if got != place {
                return Err(format!("'{name}': place {got:?} comes, and not {place:?}"));
            }
        }
        // Everything goes back to where it was.
        let seat = self.seat(AUDITOR);
        let out = std::mem::take(&mut seat.out);
        let nack = Operation::Nack { tag: 0, multiple: true, requeue: true };
        if out.is_empty() {
            return Ok(());
        }
        for out in out.values() {
            if let Some(queue) = self.model.queue(name, life) {
                queue.put_back(out.place, false);
            }
        }
        self.changed();
        let now = self.now;
        self.seat(AUDITOR).send(CONSUMING, &nack, now);
        self.settle()
    }

    /// The log is poisoned: whoever waits is refused, and so is who comes.
    pub(super) fn suffer(&mut self) -> Result<(), String> {
        self.coverage.add("poisoned logs", 1);
        self.settle()?;
        for (client, seat) in &self.node.seats {
            let waits = seat.unconfirmed.values().any(Option::is_some);
            if waits && !seat.is_closed {
                return Err(format!("client {client} waits for a poisoned log: {seat:?}"));
            }
        }
        self.lose_power()
    }
}

/// Its power failed.
fn is_dead(disk: &MemoryStorage) -> bool {
    disk.list().is_err()
}
