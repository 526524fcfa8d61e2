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

/// Where messages with one exchange and key go.
#[derive(Debug)]
pub(super) struct CachedRoute {
    pub(super) queues: SmallVec<[Arc<QueueHandle>; 2]>,
}

impl CachedRoute {
    fn is_stale(&self) -> bool {
        self.queues.iter().any(|queue| queue.is_gone())
    }

    fn is_same(&self, other: &Self) -> bool {
        let is_same = |(one, other)| Arc::ptr_eq(one, other);
        self.queues.len() == other.queues.len()
            && self.queues.iter().zip(&other.queues).all(is_same)
    }

    fn ids(&self) -> QueueIds {
        self.queues.iter().map(|queue| queue.id()).collect()
    }
}

type QueueIds = SmallVec<[QueueId; 2]>;

/// The routes of one channel.
#[derive(Debug, Default)]
pub(super) struct RouteCache {
    generation: u64,
    /// In the order in which they came: with many keys, what a look-up costs is the memory that it
    /// goes to, and keys that are used together were mostly remembered together.
    routes: IndexMap<Key, Arc<CachedRoute>, foldhash::fast::FixedState>,
    /// Keys that lead to the same queues have one route, which the processor has at hand.
    by_queues: HashMap<QueueIds, Arc<CachedRoute>, foldhash::fast::FixedState>,
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
