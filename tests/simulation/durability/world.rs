//! The world: a broker over a store, its clients, the disk, the log's thread and time, all turned
//! from one seed. What a step means, `acts`, `hear` and `restart` know.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use leveret::broker::{Broker, MemoryOptions};
use leveret::limits::COMPACTION_REST_MS;
use leveret::message::Moment;
use leveret::store::{Failure as DiskFailure, Faults, Health, MemoryStorage, Operation, Writer};

use super::coverage::Coverage;
use super::gate::Gate;
use super::history::History;
use super::model::Model;
use super::plants::Plant;
use super::recovered::Numbers;
use super::seat::Seat;
use crate::chance::Chance;

/// Clients that do things, by number.
pub(super) const CLIENTS: std::ops::Range<usize> = 1..5;

/// Steps of a seed.
const STEPS: u64 = 1500;

/// Steps that are told when a run fails.
const STEPS_TOLD: usize = 40;

/// Small windows, so that bodies leave RAM and come back.
pub(super) const MEMORY: MemoryOptions = MemoryOptions { window_size: 4096, unlogged_max: 2048 };

/// The whole disk.
pub(super) const DISK_SIZE: u64 = 1 << 30;

/// What the disk is like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Weather {
    /// It works until the power fails.
    Calm,
    /// Now and then it is full.
    Full,
    /// Now and then a call fails.
    Failing,
}

impl Weather {
    pub(super) const ALL: [Self; 3] = [Self::Calm, Self::Full, Self::Failing];
}

/// What a run is made of.
#[derive(Clone, Copy, Debug)]
pub(super) struct Run {
    pub(super) seed: u64,
    pub(super) weather: Weather,
    pub(super) plant: Option<Plant>,
}

/// A run in which a promise was broken.
#[derive(Debug)]
pub(super) struct Failure {
    pub(super) seed: u64,
    pub(super) text: String,
    pub(super) steps: Vec<String>,
}

/// The process: what a crash ends.
#[derive(Debug)]
pub(super) struct Node {
    pub(super) disk: MemoryStorage,
    pub(super) gate: Gate,
    pub(super) faults: Faults,
    pub(super) writer: Writer,
    pub(super) broker: Arc<Broker>,
    pub(super) seats: BTreeMap<usize, Seat>,
}

/// Everything.
#[derive(Debug)]
pub(super) struct World {
    pub(super) run: Run,
    pub(super) node: Node,
    pub(super) model: Model,
    /// Counts the changes of the model.
    pub(super) version: u64,
    /// When what is there was declared, and what is not was deleted.
    pub(super) definitions: BTreeMap<String, u64>,
    pub(super) history: History,
    pub(super) numbers: Numbers,
    pub(super) chance: Chance,
    pub(super) now: Moment,
    pub(super) next_message: u64,
    pub(super) coverage: Coverage,
    steps: VecDeque<String>,
}

impl Run {
    /// Runs it to its end.
    pub(super) fn run(self) -> Result<Coverage, Box<Failure>> {
        let told = |text, steps| Box::new(Failure { seed: self.seed, text, steps });
        let mut world = World::new(self).map_err(|text| told(text, Vec::new()))?;
        match world.live() {
            Ok(()) => Ok(world.coverage),
            Err(text) => Err(told(text, world.steps.into())),
        }
    }
}

impl World {
    pub(super) fn new(run: Run) -> Result<Self, String> {
        let mut chance = Chance::new(run.seed, 10);
        let now = Moment(1_000_000);
        let (node, _) = Node::open(MemoryStorage::new(DISK_SIZE), &run, &mut chance, None)?;
        let mut world = Self {
            run,
            node,
            model: Model::default(),
            version: 0,
            definitions: BTreeMap::new(),
            history: History::new(0, Model::default()),
            numbers: Numbers::default(),
            chance,
            now,
            next_message: 0,
            coverage: Coverage::default(),
            steps: VecDeque::new(),
        };
        world.define()?;
        Ok(world)
    }

    fn live(&mut self) -> Result<(), String> {
        for _ in 0..STEPS {
            if self.chance.one_in(2) {
                self.act()?;
            } else {
                self.turn()?;
            }
            self.change_weather();
            if self.is_poisoned() && !self.node.gate.is_blown() {
                self.suffer()?;
            } else if self.chance.one_in(25) || self.node.gate.is_blown() {
                self.end_node()?;
            }
        }
        self.stop()
    }

    pub(super) fn note(&mut self, step: String) {
        if self.steps.len() == STEPS_TOLD {
            self.steps.pop_front();
        }
        self.steps.push_back(step);
    }

    /// The model changed.
    pub(super) fn changed(&mut self) -> u64 {
        self.version += 1;
        self.version
    }

    pub(super) fn is_poisoned(&self) -> bool {
        matches!(self.node.writer.log().health(), Health::Poisoned(_))
    }

    /// The log's thread, the reader's, or the one that makes room does something.
    fn turn(&mut self) -> Result<(), String> {
        self.now = self.now.plus(self.chance.below(30) as u64);
        self.history.note(self.version, &self.model);
        let now = self.now;
        let writer = &mut self.node.writer;
        let what = match self.chance.below(12) {
            0..5 => format!("turn: {}", writer.turn(now)),
            5 | 6 => format!("write: {}", writer.write(now, true)),
            7 => format!("sync: {}", writer.sync()),
            8 => {
                writer.tend(now);
                // Again, when what is sparse had its rest.
                self.now = now.plus(COMPACTION_REST_MS);
                writer.tend(self.now);
                "tend".to_owned()
            }
            9 => self.make_room(),
            10 if self.chance.one_in(6) => {
                writer.reclaim(now);
                "reclaim".to_owned()
            }
            _ => self.fetch(),
        };
        let is_full = self.node.writer.log().health() == Health::Full;
        self.coverage.add("turns of a full log", u64::from(is_full));
        self.note(what);
        self.settle()
    }

    fn make_room(&mut self) -> String {
        let before = self.node.broker.body_memory();
        self.node.broker.make_room(self.now);
        let after = self.node.broker.body_memory();
        self.coverage.add("page-outs", u64::from(after.0 < before.0));
        self.coverage.add("transient page-outs", u64::from(after.1 < before.1));
        format!("make room: {before:?} to {after:?}")
    }

    fn fetch(&mut self) -> String {
        let has_fetched = self.node.broker.fetch(self.now);
        self.coverage.add("fetches", u64::from(has_fetched));
        format!("fetch: {has_fetched}")
    }

    /// All that waits for bodies gets them.
    pub(super) fn fetch_all(&mut self) {
        self.coverage.add("fetches", self.node.fetch_all(self.now));
    }

    /// Everything said so far is on disk.
    pub(super) fn flush(&mut self) -> Result<(), String> {
        self.heal();
        for _ in 0..4 {
            self.now = self.now.plus(300);
            self.history.note(self.version, &self.model);
            self.node.writer.write(self.now, true);
            self.node.writer.sync();
            self.fetch_all();
            self.settle()?;
        }
        let health = self.node.writer.log().health();
        if health != Health::Good {
            return Err(format!("the log is {health:?} on a disk that works"));
        }
        for (client, seat) in &self.node.seats {
            if !seat.is_free() || !seat.unconfirmed.is_empty() {
                return Err(format!("client {client} waits for ever: {seat:?}"));
            }
        }
        Ok(())
    }

    /// The disk works again.
    pub(super) fn heal(&mut self) {
        self.node.faults.heal();
        self.node.plant(&self.run);
        self.node.disk.set_capacity(DISK_SIZE);
    }

    fn change_weather(&mut self) {
        if self.run.weather == Weather::Calm || !self.chance.one_in(40) {
            return;
        }
        match self.run.weather {
            Weather::Full if self.chance.one_in(2) => {
                self.note("the disk is full".to_owned());
                self.coverage.add("full disks", 1);
                self.node.disk.set_capacity(DISK_SIZE);
                let used = DISK_SIZE - self.node.writer.free_bytes().unwrap_or(0);
                let left = self.chance.below(6000) as u64;
                self.node.disk.set_capacity(used + left);
            }
            Weather::Full => {
                self.note("the disk has room".to_owned());
                self.node.disk.set_capacity(DISK_SIZE);
            }
            _ => {
                let calls = [
                    Operation::Write,
                    Operation::Sync,
                    Operation::Create,
                    Operation::Rename,
                    Operation::Remove,
                    Operation::SyncDirectory,
                ];
                let call = *self.chance.pick(&calls).unwrap();
                let nth = 1 + self.chance.below(4) as u64;
                self.note(format!("{call:?} number {nth} fails"));
                self.node.faults.fail_nth(call, nth, DiskFailure::InputOutput);
            }
        }
    }

    /// Everybody hears what there is, until nobody is told anything more. Nobody hears a dead node.
    pub(super) fn settle(&mut self) -> Result<(), String> {
        loop {
            let mut has_heard = false;
            for client in self.node.seats.keys().copied().collect::<Vec<_>>() {
                if self.node.gate.is_blown() {
                    return Ok(());
                }
                let Some(seat) = self.node.seats.get_mut(&client) else { continue };
                let heard = seat.hear(self.now)?;
                has_heard |= !heard.is_empty();
                for incoming in heard {
                    self.hear(client, incoming)?;
                }
            }
            if !has_heard {
                return Ok(());
            }
        }
    }
}
