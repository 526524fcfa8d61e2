//! What the broker must hold, and the part of it that a restart must bring back. A model is cheap
//! to copy, so that every state the log could end with is kept; which one counts is for
//! `history` to decide.

use std::collections::{BTreeMap, BTreeSet};

use leveret::message::DeliveryCounts;
use leveret::protocol::field::FieldTable;

/// A message in a place of a queue.
#[derive(Clone, Debug)]
pub(super) struct Held {
    pub(super) number: u64,
    pub(super) is_persistent: bool,
    pub(super) is_redelivered: bool,
    pub(super) counts: DeliveryCounts,
    /// It is out with this client.
    pub(super) holder: Option<usize>,
}

/// A queue.
#[derive(Clone, Debug)]
pub(super) struct QueueModel {
    /// A name that is declared again is another queue.
    pub(super) life: u64,
    pub(super) durable: bool,
    pub(super) auto_delete: bool,
    pub(super) owner: Option<usize>,
    /// It counts what comes back in whichever way, and tells.
    pub(super) tells_counts: bool,
    pub(super) places: BTreeMap<u64, Held>,
    next_place: u64,
    pub(super) consumers: BTreeSet<(usize, String)>,
}

/// An exchange.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct ExchangeModel {
    pub(super) is_fanout: bool,
    pub(super) durable: bool,
}

/// An exchange, a queue and a key.
pub(super) type BindingModel = (String, String, String);

/// Everything.
#[derive(Clone, Debug, Default)]
pub(super) struct Model {
    pub(super) queues: BTreeMap<String, QueueModel>,
    pub(super) exchanges: BTreeMap<String, ExchangeModel>,
    pub(super) bindings: BTreeSet<BindingModel>,
    lives: u64,
}

/// One message as a restart finds it: its number, how often it came back, its flag.
pub(super) type Kept = (u64, DeliveryCounts, bool);

/// What outlives the process.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Lasting {
    pub(super) queues: BTreeMap<String, Vec<Kept>>,
    pub(super) exchanges: BTreeSet<String>,
    pub(super) bindings: BTreeSet<BindingModel>,
}

impl Model {
    /// Gives the queue's life.
    pub(super) fn declare(&mut self, name: &str, owner: Option<usize>) -> u64 {
        self.lives += 1;
        let queue = QueueModel {
            life: self.lives,
            durable: !name.starts_with('t') && owner.is_none(),
            auto_delete: name.starts_with('a'),
            owner,
            tells_counts: tells_counts(name),
            places: BTreeMap::new(),
            next_place: 0,
            consumers: BTreeSet::new(),
        };
        self.queues.insert(name.to_owned(), queue);
        self.lives
    }

    pub(super) fn delete_queue(&mut self, name: &str) {
        self.queues.remove(name);
        self.bindings.retain(|(_, queue, _)| queue != name);
    }

    pub(super) fn delete_exchange(&mut self, name: &str) {
        self.exchanges.remove(name);
        self.bindings.retain(|(exchange, ..)| exchange != name);
    }

    /// The queue of this life; a later one of the same name is none.
    pub(super) fn queue(&mut self, name: &str, life: u64) -> Option<&mut QueueModel> {
        self.queues.get_mut(name).filter(|queue| queue.life == life)
    }

    /// The queues a message goes to.
    pub(super) fn route(&self, exchange: &str, key: &str) -> Vec<String> {
        if exchange.is_empty() {
            return self.queues.keys().filter(|name| *name == key).cloned().collect();
        }
        let Some(known) = self.exchanges.get(exchange) else { return Vec::new() };
        let of = self
            .bindings
            .iter()
            .filter(|(from, _, bound)| from == exchange && (known.is_fanout || bound == key));
        of.map(|(_, queue, _)| queue.clone()).collect::<BTreeSet<_>>().into_iter().collect()
    }

    /// Puts a message at the end of a queue. True where the disk is to have it.
    pub(super) fn push(&mut self, queue: &str, number: u64, is_persistent: bool) -> bool {
        let Some(queue) = self.queues.get_mut(queue) else { return false };
        let held = Held {
            number,
            is_persistent,
            is_redelivered: false,
            counts: DeliveryCounts::NONE,
            holder: None,
        };
        queue.places.insert(queue.next_place, held);
        queue.next_place += 1;
        queue.durable && is_persistent
    }

    /// A client takes its consumer out of a queue; one that nobody consumes may go.
    pub(super) fn cancel(&mut self, name: &str, life: u64, consumer: &(usize, String)) {
        let Some(queue) = self.queue(name, life) else { return };
        let was_there = queue.consumers.remove(consumer);
        if was_there && queue.auto_delete && queue.consumers.is_empty() {
            self.delete_queue(name);
        }
    }

    /// What a restart finds if the log ends here.
    pub(super) fn lasting(&self) -> Lasting {
        let durable = self.queues.iter().filter(|(_, queue)| queue.durable);
        let queues = durable.map(|(name, queue)| (name.clone(), queue.lasting())).collect();
        let exchanges = self.exchanges.iter().filter(|(_, exchange)| exchange.durable);
        let exchanges: BTreeSet<String> = exchanges.map(|(name, _)| name.clone()).collect();
        let is_lasting = |(exchange, queue, _): &&BindingModel| {
            exchanges.contains(exchange) && self.queues.get(queue).is_some_and(|q| q.durable)
        };
        let bindings = self.bindings.iter().filter(is_lasting).cloned().collect();
        Lasting { queues, exchanges, bindings }
    }

    /// The model after the restart that found it like this.
    pub(super) fn restarted(&self, is_clean: bool) -> Self {
        let mut model = self.clone();
        model.queues.retain(|_, queue| queue.durable);
        model.exchanges.retain(|_, exchange| exchange.durable);
        let (queues, exchanges) = (&model.queues, &model.exchanges);
        model.bindings.retain(|(exchange, queue, _)| {
            exchanges.contains_key(exchange) && queues.contains_key(queue)
        });
        for queue in model.queues.values_mut() {
            queue.consumers.clear();
            queue.places.retain(|_, held| held.is_persistent);
            for held in queue.places.values_mut() {
                held.is_redelivered |= held.holder.take().is_some() || !is_clean;
            }
        }
        model
    }
}

/// What queues of such a name are declared with: any limit is one that tells, also none.
pub(super) fn arguments_of(name: &str) -> FieldTable {
    let limit = tells_counts(name).then_some(("x-delivery-limit", -1));
    limit.into_iter().collect()
}

fn tells_counts(name: &str) -> bool {
    ["d1", "a0", "t1"].contains(&name)
}

impl QueueModel {
    fn lasting(&self) -> Vec<Kept> {
        let kept = self.places.values().filter(|held| held.is_persistent);
        kept.map(|held| (held.number, held.counts, held.is_redelivered || held.holder.is_some()))
            .collect()
    }

    /// The place of a message.
    pub(super) fn place_of(&self, number: u64) -> Option<u64> {
        self.places.iter().find(|(_, held)| held.number == number).map(|(place, _)| *place)
    }

    /// A message comes back to its place.
    pub(super) fn put_back(&mut self, place: u64, has_failed: bool) {
        if let Some(held) = self.places.get_mut(&place) {
            held.holder = None;
            held.is_redelivered = true;
            held.counts.failed += u32::from(has_failed);
            held.counts.acquired += u32::from(has_failed || self.tells_counts);
        }
    }

    /// Takes out all that wait.
    pub(super) fn purge(&mut self) {
        self.places.retain(|_, held| held.holder.is_some());
    }
}

impl Lasting {
    /// The same, but for flags: after an unclean stop all of them are set.
    pub(super) fn flagged(mut self) -> Self {
        self.queues.values_mut().flatten().for_each(|kept| kept.2 = true);
        self
    }
}
