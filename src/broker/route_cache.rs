//! What a channel remembers of where its keys lead. An answer holds while no binding of the virtual
//! host changed; a queue that is gone says so itself. It does not route.

use std::hash::{Hash, Hasher};
use std::sync::Arc;

use hashbrown::HashMap;
use hashbrown::hash_map::Entry;
use indexmap::{Equivalent, IndexMap};
use smallvec::SmallVec;

use super::queue_handle::QueueHandle;
use crate::limits::ROUTE_CACHE_COUNT_MAX;
use crate::message::QueueId;
use crate::routing::Exchange;

/// Where messages with one exchange and key go.
#[derive(Debug)]
pub(super) struct CachedRoute {
    pub(super) queues: SmallVec<[Arc<QueueHandle>; 2]>,
    /// Where they enter.
    pub(super) exchange: Option<Arc<Exchange>>,
    /// How many of the queues are such that clients know.
    pub(super) declared_count: u64,
}

impl CachedRoute {
    pub(super) fn new(
        queues: SmallVec<[Arc<QueueHandle>; 2]>,
        exchange: Option<Arc<Exchange>>,
    ) -> Self {
        let declared_count = queues.iter().filter(|queue| !queue.is_waiting_room).count() as u64;
        Self { queues, exchange, declared_count }
    }

    fn is_stale(&self) -> bool {
        self.queues.iter().any(|queue| queue.is_gone())
    }

    fn is_same(&self, other: &Self) -> bool {
        let is_same = |(one, other)| Arc::ptr_eq(one, other);
        self.exchange.as_ref().map(Arc::as_ptr) == other.exchange.as_ref().map(Arc::as_ptr)
            && self.queues.len() == other.queues.len()
            && self.queues.iter().zip(&other.queues).all(is_same)
    }

    /// What it is known by: the numbers of its exchange and its queues.
    fn ids(&self) -> Ids {
        let exchange = self.exchange.as_ref().map(|exchange| exchange.waiting_room());
        exchange.into_iter().chain(self.queues.iter().map(|queue| queue.id())).collect()
    }
}

type Ids = SmallVec<[QueueId; 3]>;

/// The routes of one channel.
#[derive(Debug, Default)]
pub(super) struct RouteCache {
    generation: u64,
    /// In the order in which they came: with many keys, what a look-up costs is the memory that it
    /// goes to, and keys that are used together were mostly remembered together.
    routes: IndexMap<Key, Arc<CachedRoute>, foldhash::fast::FixedState>,
    /// Keys that lead from one exchange to the same queues have one route, which the processor has
    /// at hand.
    by_queues: HashMap<Ids, Arc<CachedRoute>, foldhash::fast::FixedState>,
}

/// Exchange and routing key, one behind the other.
#[derive(Debug, PartialEq, Eq)]
struct Key {
    exchange_size: u8,
    names: Box<[u8]>,
}

impl Key {
    fn parts(&self) -> (&[u8], &[u8]) {
        self.names.split_at_checked(usize::from(self.exchange_size)).unwrap_or_default()
    }
}

impl Hash for Key {
    fn hash<H: Hasher>(&self, state: &mut H) {
        let (exchange, routing_key) = self.parts();
        Borrowed { exchange, routing_key }.hash(state);
    }
}

/// A key that owns nothing, to look up with.
#[derive(Hash)]
struct Borrowed<'a> {
    exchange: &'a [u8],
    routing_key: &'a [u8],
}

impl Equivalent<Key> for Borrowed<'_> {
    fn equivalent(&self, key: &Key) -> bool {
        (self.exchange, self.routing_key) == key.parts()
    }
}

impl RouteCache {
    /// The route of this key, if it still holds.
    pub(super) fn route(
        &mut self,
        generation: u64,
        exchange: &str,
        routing_key: &str,
    ) -> Option<Arc<CachedRoute>> {
        if self.generation != generation {
            self.generation = generation;
            self.clear();
        }
        let (exchange, routing_key) = (exchange.as_bytes(), routing_key.as_bytes());
        let route = self.routes.get(&Borrowed { exchange, routing_key })?;
        (!route.is_stale()).then(|| route.clone())
    }

    /// Remembers a route that was found under `generation`.
    pub(super) fn remember(
        &mut self,
        generation: u64,
        exchange: &str,
        routing_key: &str,
        mut route: Arc<CachedRoute>,
    ) {
        if self.generation != generation {
            return;
        }
        if self.routes.len() >= ROUTE_CACHE_COUNT_MAX {
            self.clear();
        }
        match self.by_queues.entry(route.ids()) {
            Entry::Occupied(known) if known.get().is_same(&route) => route = known.get().clone(),
            other => {
                other.insert(route.clone());
            }
        }
        let Ok(exchange_size) = u8::try_from(exchange.len()) else { return };
        let names = [exchange.as_bytes(), routing_key.as_bytes()].concat().into();
        self.routes.insert(Key { exchange_size, names }, route);
    }

    fn clear(&mut self) {
        self.routes.clear();
        self.by_queues.clear();
    }
}
