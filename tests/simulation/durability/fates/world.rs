//! The world: a node over its disk, its clients, the log's thread and time, all turned from one
//! seed. What clients do, `acts` knows, and how the node ends, `ends`.

use std::collections::{BTreeMap, VecDeque};

use leveret::definitions::{PolicyDefinition, PolicyKind, PolicyTarget};
use leveret::limits::COMPACTION_REST_MS;
use leveret::message::Moment;
use leveret::store::MemoryStorage;

use super::book::{AllRules, Book, Key};
use super::rules::{QUEUES, QueueRules, Rules};
use crate::chance::Chance;
use crate::durability::coverage::Coverage;
use crate::durability::world::{DISK_SIZE, Node, Run, Weather};

/// Steps of a seed.
const STEPS: u64 = 1200;

/// Steps that are told when a run fails.
const STEPS_TOLD: usize = 60;

/// Policies that a queue has in one run: few enough that it forgets no time to live.
const CHANGES_MAX: usize = 12;

/// What a run is made of.
#[derive(Clone, Copy, Debug)]
pub(super) struct FateRun {
    pub(super) seed: u64,
}

/// A run in which something became of a message that may not.
#[derive(Debug)]
pub(super) struct Failure {
    pub(super) text: String,
    pub(super) steps: Vec<String>,
}

/// What a client knows beside its seat.
#[derive(Debug, Default)]
pub(super) struct Client {
    pub(super) published: u64,
    /// Messages without an answer, by the number of their publish.
    pub(super) unanswered: BTreeMap<u64, u64>,
    pub(super) out: BTreeMap<u64, Key>,
    /// Queues by consumer tag, and whether nothing is acknowledged.
    pub(super) consumers: BTreeMap<String, (&'static str, bool)>,
    pub(super) consumer_count: u64,
}

/// Everything.
#[derive(Debug)]
pub(super) struct World {
    pub(super) run: Run,
    pub(super) node: Node,
    pub(super) clients: BTreeMap<usize, Client>,
    pub(super) rules: AllRules,
    /// Policies by their priority, which tells them apart after a crash.
    pub(super) issued: Vec<Rules>,
    pub(super) book: Book,
    pub(super) chance: Chance,
    pub(super) now: Moment,
    pub(super) next_message: u64,
    /// Dead letters that a queue had no room for, in earlier lives.
    pub(super) refused_before: u64,
    pub(super) coverage: Coverage,
    steps: VecDeque<String>,
}

impl FateRun {
    /// Runs it to its end.
    pub(super) fn run(self) -> Result<Coverage, Box<Failure>> {
        let told = |text, steps| Box::new(Failure { text, steps });
        let mut world = World::new(self.seed).map_err(|text| told(text, Vec::new()))?;
        match world.live() {
            Ok(()) => Ok(world.coverage),
            Err(text) => Err(told(text, world.steps.into())),
        }
    }
}

impl World {
    fn new(seed: u64) -> Result<Self, String> {
        let run = Run { seed, weather: Weather::Calm, plant: None };
        let mut chance = Chance::new(seed, 20);
        let now = Moment(1_000_000);
        let (node, _) = Node::open(MemoryStorage::new(DISK_SIZE), &run, &mut chance, None)?;
        let rules = QUEUES.iter().map(|queue| {
            let rules = QueueRules::random(&mut chance, queue, now.0);
            (*queue, rules)
        });
        let rules = rules.collect();
        let mut world = Self {
            run,
            node,
            clients: BTreeMap::new(),
            rules,
            issued: Vec::new(),
            book: Book::default(),
            chance,
            now,
            next_message: 0,
            refused_before: 0,
            coverage: Coverage::default(),
            steps: VecDeque::new(),
        };
        world.node.broker.declare_defaults().map_err(|error| format!("{error:?}"))?;
        for queue in QUEUES {
            if let Some(policy) = world.rules[queue].policy.clone() {
                world.set_policy(queue, policy)?;
            }
        }
        world.declare()?;
        world.flush()?;
        Ok(world)
    }

    fn live(&mut self) -> Result<(), String> {
        for _ in 0..STEPS {
            match self.chance.below(10) {
                0..6 => self.act()?,
                6..8 => self.turn()?,
                _ => self.pass_time()?,
            }
            if self.node.gate.is_blown() || self.chance.one_in(150) {
                self.end_node()?;
            } else if self.chance.one_in(60) {
                self.flush()?;
            } else if self.chance.one_in(60) {
                self.change_policy()?;
            }
        }
        self.finish()
    }

    pub(super) fn note(&mut self, step: String) {
        if self.steps.len() == STEPS_TOLD {
            self.steps.pop_front();
        }
        self.steps.push_back(step);
    }

    /// Time passes, up to the next moment at which something is due, or just so; somebody looks
    /// after what is due, or comes late.
    fn pass_time(&mut self) -> Result<(), String> {
        let due = self.node.broker.deadline().filter(|_| self.chance.one_in(2));
        let later = self.now.plus(self.chance.below(60) as u64);
        self.now = due.map_or(later, |due| due.min(later).max(self.now));
        self.note(format!("it is {}", self.now.0));
        if due.is_some() || self.chance.one_in(2) {
            self.node.broker.elapse(self.now);
        }
        self.settle()
    }

    /// The log's thread, the reader's, or the one that makes room does something.
    fn turn(&mut self) -> Result<(), String> {
        let now = self.now;
        let writer = &mut self.node.writer;
        let what = match self.chance.below(12) {
            0..4 => format!("turn: {}", writer.turn(now)),
            4 | 5 => format!("write: {}", writer.write(now, true)),
            6 => format!("sync: {}", writer.sync()),
            7 if self.chance.one_in(10) => {
                writer.tend(now);
                self.now = now.plus(COMPACTION_REST_MS);
                writer.tend(self.now);
                "tend".to_owned()
            }
            8 => {
                self.node.broker.make_room(now);
                "make room".to_owned()
            }
            9 if self.chance.one_in(6) => {
                writer.reclaim(now);
                "reclaim".to_owned()
            }
            _ => format!("fetch: {}", self.node.broker.fetch(now)),
        };
        self.note(what);
        self.settle()
    }

    /// Another policy for some queue, or none any more.
    fn change_policy(&mut self) -> Result<(), String> {
        let Some(queue) = self.chance.pick(&QUEUES[..QUEUES.len() - 1]).copied() else {
            return Ok(());
        };
        if self.rules[queue].change_count >= CHANGES_MAX {
            return Ok(());
        }
        match self.rules[queue].other_policy(&mut self.chance, queue) {
            Some(policy) => self.set_policy(queue, policy)?,
            None => {
                self.note(format!("no policy for {queue}"));
                self.coverage.add("policies cleared", 1);
                let now = self.now;
                let _ = self.node.broker.by_node().clear_policy(PolicyKind::User, "/", queue, now);
                self.policy_changed(queue, None);
            }
        }
        self.settle()
    }

    fn set_policy(&mut self, queue: &'static str, policy: Rules) -> Result<(), String> {
        self.note(format!("policy for {queue}: {policy:?}"));
        self.coverage.add("policies set", 1);
        let definition = PolicyDefinition {
            kind: PolicyKind::User,
            host: "/".into(),
            name: queue.into(),
            pattern: format!("^{queue}$"),
            applies_to: PolicyTarget::Queues,
            priority: i64::try_from(self.issued.len()).unwrap(),
            settings: policy.settings(),
        };
        self.issued.push(policy.clone());
        let set = self.node.broker.by_node().set_policy(&definition, self.now);
        set.map_err(|error| format!("{definition:?}: {error:?}"))?;
        self.policy_changed(queue, Some(policy));
        Ok(())
    }

    fn policy_changed(&mut self, queue: &'static str, policy: Option<Rules>) {
        let Some(rules) = self.rules.get_mut(queue) else { return };
        rules.policy = policy;
        rules.change_count += 1;
        rules.changed(self.now.0);
        self.book.released(queue);
    }

    /// A crash may have taken back what was said last: what is there counts.
    pub(super) fn read_policies(&mut self) {
        let found = self.node.broker.policies(PolicyKind::User, Some("/"));
        for queue in QUEUES {
            let policy = found.iter().find(|policy| &*policy.name == queue);
            let issued = policy.map(|policy| usize::try_from(policy.priority).unwrap());
            let policy = issued.map(|number| self.issued[number].clone());
            if self.rules[queue].policy != policy {
                self.policy_changed(queue, policy);
            }
        }
    }

    /// All that waits for bodies gets them.
    pub(super) fn fetch_all(&mut self) {
        self.node.fetch_all(self.now);
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
