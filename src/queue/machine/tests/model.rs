//! The queue beside a slow and obviously correct model of one: random steps, and after each of them
//! both have delivered the same messages, let the same ones die for the same reasons, and count the
//! same. Everything is on: priorities, times, limits, dead letters, retries that wait, policies
//! that change these, bodies on disk, restarts.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use super::*;
use crate::message::{Era, Random};
use crate::protocol::field::FieldValue;
use crate::protocol::properties::Properties;
use crate::queue::{Backoff, LengthLimit, Lifetime, Priorities, Retry};

const STEPS: usize = 3000;
const SEEDS: u64 = 14;

/// What a queue of this run is like.
#[derive(Clone, Debug)]
struct Plan {
    ttl_ms: Option<u64>,
    count_max: Option<u64>,
    deliveries: Option<u64>,
    priorities: Option<Priorities>,
    has_dead_letters: bool,
    retry: Option<Retry>,
    tells_counts: bool,
}

impl Plan {
    fn random(random: &mut Random) -> Self {
        let mut one_of_two = || random.draw().is_multiple_of(2);
        Self {
            ttl_ms: one_of_two().then_some(41),
            count_max: one_of_two().then_some(8),
            deliveries: one_of_two().then_some(2),
            priorities: one_of_two().then_some(Priorities { max: 5, base: 2 }),
            has_dead_letters: one_of_two(),
            retry: one_of_two().then(|| Retry {
                failed: one_of_two(),
                returned: one_of_two(),
                backoff: Backoff { step_ms: 9, max_ms: one_of_two().then_some(22) },
            }),
            tells_counts: one_of_two(),
        }
    }

    /// What a policy may change: whether the length is limited stays, because of what is on disk.
    fn changed(&self, random: &mut Random) -> Self {
        let other = Self::random(random);
        let ttl_ms = other.ttl_ms.map(|ttl_ms| ttl_ms >> (1 + random.draw() % 3) | 1);
        let count_max = self.count_max.map(|_| 3 + random.draw() % 8);
        Self { ttl_ms, count_max, priorities: self.priorities, ..other }
    }

    fn traits(&self, before: &[Era]) -> QueueTraits {
        let length = LengthLimit { count_max: self.count_max, ..LengthLimit::default() };
        let limits = Limits {
            deliveries: self.deliveries,
            length: self.count_max.map(|_| length),
            lifetime: Lifetime {
                ttl_ms: self.ttl_ms,
                before: before.to_vec(),
                ..Lifetime::default()
            },
            priorities: self.priorities,
            consumer_timeout_ms: None,
            retry: self.retry,
            stays_in_memory: false,
        };
        let Self { has_dead_letters, tells_counts, .. } = *self;
        QueueTraits { has_dead_letters, tells_counts, ..durable() }.limited(limits)
    }
}

/// A message by its number, and what its headers say of how often it came back.
type Told = (u64, DeliveryCounts);

/// A message as the model knows it.
#[derive(Clone, Debug)]
struct Known {
    id: u64,
    priority: u8,
    due: u64,
    counts: DeliveryCounts,
    is_persistent: bool,
}

/// The one consumer there may be.
#[derive(Debug)]
struct Window {
    prefetch: usize,
    has: BTreeSet<Sequence>,
    backoff: Option<Backoff>,
}

/// A queue that goes through all it has for everything it does. Moments are odd and lives too, so
/// nothing dies in the very moment in which somebody may still have it.
#[derive(Debug)]
struct Model {
    plan: Plan,
    now: u64,
    ready: BTreeMap<Sequence, Known>,
    out: BTreeMap<Sequence, Known>,
    /// What waits to be tried again, each with its moment.
    held: BTreeMap<Sequence, (u64, Known)>,
    dead: Vec<(DeathReason, u64)>,
    window: Option<Window>,
    delivered: Vec<Told>,
}

impl Model {
    fn next(&self) -> Option<Sequence> {
        let urgency = |(place, known): &(&Sequence, &Known)| (u8::MAX - known.priority, **place);
        self.ready.iter().min_by_key(urgency).map(|(place, _)| *place)
    }

    /// What whoever gets it is told.
    fn told(&self, known: &Known) -> DeliveryCounts {
        if self.plan.tells_counts { known.counts } else { DeliveryCounts::NONE }
    }

    fn die(&mut self, known: &Known, reason: DeathReason) {
        if self.plan.has_dead_letters {
            self.dead.push((reason, known.id));
        }
    }

    fn expire(&mut self, before: u64) {
        self.release(|_, known| known.due < before);
        let due: Vec<Sequence> =
            self.ready.iter().filter(|(_, known)| known.due < before).map(|(at, _)| *at).collect();
        for place in due {
            let known = self.ready.remove(&place).unwrap();
            self.die(&known, DeathReason::Expired);
        }
    }

    /// What waits and is meant is ready.
    fn release(&mut self, is_meant: impl Fn(u64, &Known) -> bool) {
        let is_meant = |_: &Sequence, (until, known): &mut (u64, Known)| is_meant(*until, known);
        let released = self.held.extract_if(.., is_meant);
        self.ready.extend(released.map(|(place, (_, known))| (place, known)));
    }

    fn drop_excess(&mut self) {
        while self.plan.count_max.is_some_and(|max| self.ready.len() as u64 > max) {
            let place = self.next().unwrap();
            let known = self.ready.remove(&place).unwrap();
            self.die(&known, DeathReason::MaxLength);
        }
    }

    /// What follows from the last step.
    fn settle_down(&mut self) {
        let now = self.now;
        self.release(|until, _| until <= now);
        self.expire(self.now);
        while self.window.as_ref().is_some_and(|window| window.has.len() < window.prefetch) {
            let Some(place) = self.next() else { break };
            let known = self.ready.remove(&place).unwrap();
            self.delivered.push((known.id, self.told(&known)));
            if let Some(window) = &mut self.window {
                window.has.insert(place);
            }
            self.out.insert(place, known);
        }
        self.expire(self.now + 1);
        self.drop_excess();
    }

    fn settle(&mut self, place: Sequence, outcome: Outcome) {
        let Some(mut known) = self.out.remove(&place) else { return };
        let holder = self.window.as_mut().and_then(|window| {
            let is_its = window.has.remove(&place);
            is_its.then_some(window)
        });
        let own = holder.and_then(|window| window.backoff);
        match outcome {
            Outcome::Accepted => {}
            Outcome::Rejected => self.die(&known, DeathReason::Rejected),
            Outcome::Requeued => {
                known.counts.acquired += u32::from(self.plan.tells_counts);
                self.take_back(place, known, own, outcome);
            }
            Outcome::Failed => {
                known.counts.failed += 1;
                known.counts.acquired += 1;
                let failed = u64::from(known.counts.failed);
                match self.plan.deliveries.is_some_and(|limit| failed > limit) {
                    true => self.die(&known, DeathReason::DeliveryLimit),
                    false => self.take_back(place, known, own, outcome),
                }
            }
        }
        // A queue looks at its length whenever something comes back.
        self.drop_excess();
    }

    fn take_back(&mut self, place: Sequence, known: Known, own: Option<Backoff>, outcome: Outcome) {
        let of_queue = self.plan.retry.filter(|retry| match outcome {
            Outcome::Failed => retry.failed,
            _ => retry.returned,
        });
        let Some(backoff) = own.or(of_queue.map(|retry| retry.backoff)) else {
            self.ready.insert(place, known);
            return;
        };
        let failed = u64::from(known.counts.failed.max(1));
        let wait = (backoff.step_ms * failed).min(backoff.max_ms.unwrap_or(999));
        self.held.insert(place, (self.now + wait, known));
    }
}

/// What the log has.
#[derive(Debug, Default)]
struct Disk {
    messages: BTreeMap<Sequence, (ReadBack, Option<u8>)>,
    counts: BTreeMap<Sequence, DeliveryCounts>,
}

impl Disk {
    fn counts_at(&self, place: Sequence) -> DeliveryCounts {
        self.counts.get(&place).copied().unwrap_or_default()
    }
}

/// Both, and what the queue did.
struct World {
    random: Random,
    model: Model,
    queue: Queue,
    disk: Disk,
    dead: Vec<(DeathReason, u64)>,
    delivered: Vec<Told>,
    next_id: u64,
    consumer_id: u64,
    lives: u64,
    /// What a later life must know of earlier times to live.
    ttl_before: Vec<Era>,
    changes: u64,
    /// How often something waited.
    held_count: u64,
}

fn id_of(message: &Message) -> u64 {
    String::from_utf8(message.body_to_vec()).unwrap().parse().unwrap()
}

/// What a delivery says.
fn told(message: &Message) -> Told {
    let headers = Properties::decode(message.properties()).unwrap().headers.unwrap_or_default();
    let count = |name| {
        let count = headers.get(name).and_then(FieldValue::as_integer);
        count.map_or(0, |count| u32::try_from(count).unwrap())
    };
    (id_of(message), times(count("x-delivery-count"), count("x-acquired-count")))
}

impl World {
    fn new(seed: u64) -> Self {
        let mut random = Random::new([seed, 7]);
        let plan = Plan::random(&mut random);
        let mut queue = Queue::new(plan.traits(&[]));
        queue.elapse(Moment(1));
        let model = Model {
            plan,
            now: 1,
            ready: BTreeMap::new(),
            out: BTreeMap::new(),
            held: BTreeMap::new(),
            dead: Vec::new(),
            window: None,
            delivered: Vec::new(),
        };
        let (disk, dead, delivered) = (Disk::default(), Vec::new(), Vec::new());
        Self {
            random,
            model,
            queue,
            disk,
            dead,
            delivered,
            next_id: 0,
            consumer_id: 0,
            lives: 1,
            ttl_before: Vec::new(),
            changes: 0,
            held_count: 0,
        }
    }

    fn below(&mut self, end: u64) -> u64 {
        self.random.draw() % end
    }

    fn step(&mut self) {
        match self.below(20) {
            0..7 => self.publish(),
            7 => {
                self.model.now += 2 * self.below(8);
                self.queue.elapse(Moment(self.model.now));
            }
            8 | 9 => self.get(),
            10..14 => self.settle(),
            14 => self.subscribe(),
            15 => self.unsubscribe(),
            16 | 17 => self.forget(),
            18 if self.below(10) == 0 => self.purge(),
            18 if self.below(10) == 0 => self.configure(),
            19 if self.below(10) == 0 => self.restart(),
            _ => {}
        }
        self.model.settle_down();
        self.come_to_rest();
        self.check();
    }

    fn publish(&mut self) {
        for _ in 0..=self.below(3) {
            let id = self.next_id;
            self.next_id += 1;
            let priority =
                self.below(3).checked_sub(1).map(|_| u8::try_from(self.below(8)).unwrap());
            let expiration = (self.below(3) == 0).then(|| 2 * self.below(40) + 1);
            let is_persistent = self.below(4) > 0;
            let mut properties = Vec::new();
            let text = expiration.map(|milliseconds| milliseconds.to_string().into());
            Properties { priority, expiration: text, ..Properties::default() }
                .encode(&mut properties);
            let envelope =
                Envelope { exchange: "", routing_key: "q", properties: &properties, is_persistent };
            let message = Message::new(envelope, Body::Copied(id.to_string().as_bytes()));
            let place = self.queue.enqueue(message);
            let plan = &self.model.plan;
            let life = plan.ttl_ms.into_iter().chain(expiration).min();
            let known = Known {
                id,
                priority: plan
                    .priorities
                    .map_or(0, |all| priority.unwrap_or(all.base).min(all.max)),
                due: life.map_or(u64::MAX, |life| self.model.now + life),
                counts: times(0, 0),
                is_persistent,
            };
            self.model.ready.insert(place, known);
        }
    }

    /// Where a body must be read first, the answer comes with it.
    fn get(&mut self) {
        self.model.expire(self.model.now + 1);
        match self.queue.get(false, GetId(1)) {
            Fetched::Empty => assert!(self.model.ready.is_empty()),
            Fetched::Got(delivery, left) => {
                self.model_gets(delivery.sequence, told(&delivery.message));
                assert_eq!(left, self.model.ready.len());
            }
            Fetched::Later => self.come_to_rest(),
        }
    }

    fn model_gets(&mut self, place: Sequence, told: Told) {
        assert_eq!(self.model.next(), Some(place));
        let known = self.model.ready.remove(&place).unwrap();
        assert_eq!((known.id, self.model.told(&known)), told);
        self.model.out.insert(place, known);
    }

    fn settle(&mut self) {
        let count = self.model.out.len() as u64;
        if count == 0 {
            return;
        }
        let at = usize::try_from(self.below(count)).unwrap();
        let place = *self.model.out.keys().nth(at).unwrap();
        let all = [Outcome::Accepted, Outcome::Rejected, Outcome::Requeued, Outcome::Failed];
        let outcome = all[usize::try_from(self.below(4)).unwrap()];
        self.queue.settle(&[SequenceRange::one(place)], outcome);
        self.model.settle(place, outcome);
        self.held_count += u64::from(self.model.held.contains_key(&place));
    }

    fn subscribe(&mut self) {
        if self.model.window.is_none() {
            let prefetch = 1 + u32::try_from(self.below(4)).unwrap();
            // Nobody has the number of one that left.
            self.consumer_id += 1;
            let step_ms = self.below(20);
            let backoff = (step_ms > 10).then_some(Backoff { step_ms, max_ms: Some(33) });
            let consumer =
                Consumer { prefetch_count: prefetch, backoff, ..consumer(self.consumer_id) };
            self.queue.subscribe(consumer).unwrap();
            let prefetch = prefetch as usize;
            self.model.window = Some(Window { prefetch, has: BTreeSet::new(), backoff });
        }
    }

    /// What the consumer has stays out.
    fn unsubscribe(&mut self) {
        self.queue.unsubscribe(ConsumerId(self.consumer_id), &mut Vec::new());
        self.model.window = None;
    }

    /// Bodies leave RAM. Where the length is limited they stay: what is on disk cannot be had at
    /// once, so that more would go than the model lets go.
    fn forget(&mut self) {
        if self.model.plan.count_max.is_none() {
            if self.below(3) == 0 {
                self.queue.store_transient(u64::MAX);
                self.come_to_rest();
            }
            let next = self.queue.next_sequence();
            let keep = self.below(300);
            self.queue.shed(next, keep);
        }
    }

    fn purge(&mut self) {
        assert_eq!(self.queue.purge().len(), self.model.ready.len());
        self.model.ready.clear();
    }

    /// Policies change. What is there keeps the time to live that it came with.
    fn configure(&mut self) {
        self.changes += 1;
        let before = self.model.plan.clone();
        self.model.plan = before.changed(&mut self.random);
        if before.retry.is_some() && self.model.plan.retry.is_none() {
            self.model.release(|_, _| true);
        }
        let traits = self.model.plan.traits(&[]);
        if let Some(ttl_before) = self.queue.configure(traits) {
            self.ttl_before = ttl_before;
        }
        self.model.now += 2;
        self.queue.elapse(Moment(self.model.now));
    }

    /// Only what is persistent is there again, ready; and priorities, times and counts as before.
    fn restart(&mut self) {
        self.lives += 1;
        self.model.window = None;
        let out = std::mem::take(&mut self.model.out);
        self.model.ready.extend(out);
        self.model.release(|_, _| true);
        self.model.ready.retain(|_, known| known.is_persistent);
        // What is over its time goes before what is too much.
        self.model.expire(self.model.now + 1);
        self.disk.messages.retain(|_, (read, _)| read.message.is_persistent());
        let next_sequence = self.queue.next_sequence();
        let runs = self.disk.messages.iter().map(|(place, (read, level))| RecoveredRun {
            range: SequenceRange::one(*place),
            bytes: read.message.body_size(),
            is_redelivered: true,
            counts: self.disk.counts_at(*place),
            expires: read.message.has_expiration(),
            level: *level,
        });
        let traits = self.model.plan.traits(&self.ttl_before);
        self.queue = Queue::recovered(traits, next_sequence, runs);
        self.queue.elapse(Moment(self.model.now));
    }

    /// Effects are carried out until there are none.
    fn come_to_rest(&mut self) {
        loop {
            let mut effects = Vec::new();
            self.queue.dispatch(&mut effects);
            if effects.is_empty() {
                return;
            }
            effects.into_iter().collect::<VecDeque<_>>().into_iter().for_each(|effect| {
                self.carry_out(effect);
            });
        }
    }

    fn carry_out(&mut self, effect: Effect) {
        match effect {
            Effect::Deliver(_, run) => {
                self.delivered.extend(run.iter().map(|delivery| told(&delivery.message)));
            }
            Effect::Append(Fact::Added { first, messages, arrived, level }) => {
                for (sequence, message) in (first..).zip(messages) {
                    let read = ReadBack { sequence, arrived, message };
                    assert!(self.disk.messages.insert(sequence, (read, level)).is_none());
                }
            }
            Effect::Append(Fact::Removed(range)) => {
                range.iter().for_each(|place| {
                    assert!(self.disk.messages.remove(&place).is_some(), "{place}");
                });
            }
            Effect::Append(Fact::Returned { range, counts }) => {
                self.disk.counts.extend(range.iter().map(|place| (place, counts)));
            }
            Effect::Fetch(range) => {
                let found = self.disk.messages.range(range.iter());
                let found = found.map(|(_, (read, _))| read.clone()).collect();
                assert_eq!(self.queue.fetched(range, found), 0);
            }
            Effect::DeadLetter(DeadLetters { reason, messages, leave }) => {
                let told = messages.iter().map(told);
                self.dead.extend(told.map(|(id, counts)| {
                    assert!(counts.is_none(), "of a dead letter that is told otherwise");
                    (reason, id)
                }));
                leave.into_iter().for_each(|leave| self.queue.left(leave));
            }
            Effect::Got { got, .. } => {
                if let Some((delivery, _)) = got {
                    self.model_gets(delivery.sequence, told(&delivery.message));
                }
            }
            Effect::TimedOut(..) => panic!("its consumers have all the time there is"),
            Effect::Expire => panic!("it is no queue that goes"),
        }
    }

    fn check(&mut self) {
        let sorted = |dead: &mut Vec<(DeathReason, u64)>| {
            dead.sort_by_key(|(reason, id)| (reason.name(), *id));
            std::mem::take(dead)
        };
        assert_eq!(sorted(&mut self.dead), sorted(&mut self.model.dead));
        let delivered = std::mem::take(&mut self.delivered);
        assert_eq!(delivered, std::mem::take(&mut self.model.delivered));
        let counts = self.queue.counts();
        let expected = (self.model.ready.len(), self.model.out.len(), self.model.held.len());
        assert_eq!((counts.ready, counts.unsettled, counts.delayed_retry), expected);
        let bytes: usize = self.model.ready.values().map(|known| known.id.to_string().len()).sum();
        assert_eq!(counts.ready_bytes, bytes as u64);
        let mut totals = Totals::default();
        self.queue.contents.stretches().for_each(|stretch| totals += stretch.totals());
        assert_eq!(self.queue.contents.totals(), totals);
        // It may look once more at what left meanwhile, but never too late.
        let due = self.model.ready.values().map(|known| known.due).filter(|due| *due < u64::MAX);
        // What dies while it waits may do so right behind its time.
        let until = self
            .model
            .held
            .values()
            .map(|(until, known)| *until.min(&(known.due.saturating_add(1))));
        let (deadline, due) = (self.queue.deadline().map(|at| at.0), due.chain(until).min());
        assert!(deadline.is_none_or(|at| at > self.model.now), "{deadline:?} is over");
        assert!(due.is_none_or(|due| deadline.is_some_and(|at| at <= due)), "{deadline:?} {due:?}");
        let here = |place: &Sequence| {
            self.model.ready.contains_key(place)
                || self.model.out.contains_key(place)
                || self.model.held.contains_key(place)
        };
        assert!(self.disk.messages.keys().all(here), "what is gone is gone from the log");
        let held = self.model.held.iter().map(|(place, (_, known))| (place, known));
        let kept = self.model.ready.iter().chain(&self.model.out).chain(held);
        for (place, known) in kept.filter(|(_, known)| known.is_persistent) {
            assert!(self.disk.messages.contains_key(place), "and nothing else");
            assert_eq!(self.disk.counts_at(*place), known.counts);
        }
    }
}

#[test]
fn a_queue_does_what_a_slow_and_plain_one_does() {
    for seed in 0..SEEDS {
        let mut world = World::new(seed);
        for step in 0..STEPS {
            let before = world.random.clone();
            let result = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| world.step()));
            assert!(result.is_ok(), "seed {seed}, step {step}, {:?} {before:?}", world.model.plan);
        }
        let has_happened =
            world.next_id > 500 && world.lives > 2 && world.changes > 2 && world.held_count > 20;
        assert!(has_happened, "too little happened: {}", world.next_id);
    }
}
