//! A queue whose messages only wait for their time, at random: each leaves in its time, once,
//! wherever its body is, also over restarts.

use std::collections::BTreeMap;

use super::*;
use crate::limits::FAR_MS;
use crate::message::Random;
use crate::protocol::field::FieldTable;
use crate::protocol::properties::Properties;
use crate::queue::Lifetime;

fn traits() -> QueueTraits {
    let lifetime = Lifetime { is_by_delay: true, ..Lifetime::default() };
    let traits = QueueTraits { has_dead_letters: true, ..durable() };
    traits.limited(Limits { lifetime, ..Limits::default() })
}

fn delayed(body: &str, delay_ms: u64) -> Message {
    let delay = i64::try_from(delay_ms).unwrap();
    let headers: FieldTable = [("x-delay", delay)].into_iter().collect();
    let mut properties = Vec::new();
    Properties { headers: Some(headers), ..Properties::default() }.encode(&mut properties);
    let envelope =
        Envelope { exchange: "x", routing_key: "k", properties: &properties, is_persistent: true };
    Message::new(envelope, Body::Copied(body.as_bytes()))
}

/// The queue, what the log has of it, and when each of its messages is to leave.
struct World {
    random: Random,
    queue: Queue,
    disk: BTreeMap<Sequence, ReadBack>,
    due: BTreeMap<String, u64>,
    left: usize,
    now: u64,
}

impl World {
    fn new(seed: u64) -> Self {
        let mut queue = Queue::new(traits());
        queue.elapse(Moment(1));
        Self {
            random: Random::new([seed, 3]),
            queue,
            disk: BTreeMap::new(),
            due: BTreeMap::new(),
            left: 0,
            now: 1,
        }
    }

    fn below(&mut self, end: u64) -> u64 {
        self.random.draw() % end
    }

    fn publish(&mut self, id: usize) {
        let delay = match self.below(3) {
            0 => 1 + self.below(20),
            1 => 1 + self.below(4 * FAR_MS),
            // Many that wait for one moment.
            _ => 10_000 - self.now % 100,
        };
        self.queue.enqueue(delayed(&id.to_string(), delay));
        self.due.insert(id.to_string(), self.now + delay);
    }

    fn restart(&mut self) {
        let runs = self.disk.keys().map(|place| RecoveredRun {
            range: SequenceRange::one(*place),
            bytes: 1,
            is_redelivered: false,
            counts: DeliveryCounts::NONE,
            expires: false,
            level: None,
        });
        self.queue = Queue::recovered(traits(), self.queue.next_sequence(), runs);
        self.queue.elapse(Moment(self.now));
    }

    /// Effects are carried out until there are none.
    fn come_to_rest(&mut self) {
        loop {
            let mut effects = Vec::new();
            self.queue.dispatch(&mut effects);
            if effects.is_empty() {
                break;
            }
            effects.into_iter().for_each(|effect| self.carry_out(effect));
        }
        let deadline = self.queue.deadline();
        assert!(deadline.is_none_or(|at| at.0 > self.now), "{deadline:?} is over");
    }

    fn carry_out(&mut self, effect: Effect) {
        match effect {
            Effect::Append(Fact::Added { first, messages, arrived, .. }) => {
                let read =
                    |(sequence, message)| (sequence, ReadBack { sequence, arrived, message });
                self.disk.extend((first..).zip(messages).map(read));
            }
            Effect::Append(Fact::Removed(range)) => {
                range.iter().for_each(|place| assert!(self.disk.remove(&place).is_some()));
            }
            Effect::Fetch(range) => {
                let found = self.disk.range(range.iter()).map(|(_, read)| read.clone()).collect();
                assert_eq!(self.queue.fetched(range, found), 0);
            }
            Effect::DeadLetter(DeadLetters { messages, leave, .. }) => {
                for message in messages {
                    let id = String::from_utf8(message.body_to_vec()).unwrap();
                    let due = self.due.remove(&id).expect("each leaves once");
                    assert!(due <= self.now, "{id} leaves {} too early", due - self.now);
                    self.left += 1;
                }
                self.queue.left(leave.unwrap());
            }
            other => panic!("{other:?}"),
        }
    }

    /// Time passes, up to each deadline on the way.
    fn pass(&mut self, milliseconds: u64) {
        let end = self.now + milliseconds;
        while self.now < end {
            let deadline = self.queue.deadline().map_or(end, |at| at.0);
            self.now = deadline.clamp(self.now + 1, end);
            self.queue.elapse(Moment(self.now));
            self.come_to_rest();
        }
        // Long delays end at a multiple of some milliseconds.
        let late = self.due.iter().find(|(_, due)| **due + crate::limits::DUE_STEP_MS < self.now);
        assert_eq!(late, None, "at {}", self.now);
    }
}

#[test]
fn each_leaves_in_its_time_and_once_wherever_its_body_is() {
    for seed in 0..12 {
        let mut world = World::new(seed);
        let mut had_far = false;
        for id in 0..2000 {
            world.publish(id);
            world.come_to_rest();
            match world.below(20) {
                0 => drop(world.queue.shed(world.queue.next_sequence(), 0)),
                1 => {
                    let time = world.below(50);
                    world.pass(time);
                }
                2 if world.below(10) == 0 => world.restart(),
                _ => {}
            }
            had_far |= world.queue.far().is_some_and(|far| far.len() > 10);
        }
        world.pass(20_000);
        assert_eq!((world.due.len(), world.left, world.disk.len()), (0, 2000, 0), "seed {seed}");
        assert!(had_far && world.queue.deadline().is_none());
    }
}
