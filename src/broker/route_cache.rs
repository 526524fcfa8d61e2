//! What a channel remembers of where its keys lead. An answer holds while no binding of the virtual
//! host changed; a queue that is gone says so itself. It does not route.

use std::sync::Arc;

use hashbrown::HashMap;

use super::queue_handle::QueueHandle;
use crate::limits::ROUTE_CACHE_COUNT_MAX;

/// Where messages with one exchange and key go.
#[derive(Debug)]
pub(super) struct CachedRoute {
    pub(super) queues: Vec<Arc<QueueHandle>>,
}

impl CachedRoute {
    fn is_stale(&self) -> bool {
        self.queues.iter().any(|queue| queue.is_gone())
    }
}

/// The routes of one channel.
#[derive(Debug, Default)]
pub(super) struct RouteCache {
    generation: u64,
    routes: HashMap<Key, Arc<CachedRoute>, foldhash::fast::FixedState>,
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct Key {
    exchange: Box<str>,
    routing_key: Box<str>,
}

/// A key that owns nothing, to look up with.
#[derive(Hash)]
struct Borrowed<'a> {
    exchange: &'a str,
    routing_key: &'a str,
}

impl hashbrown::Equivalent<Key> for Borrowed<'_> {
    fn equivalent(&self, key: &Key) -> bool {
        *self.routing_key == *key.routing_key && *self.exchange == *key.exchange
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
            self.routes.clear();
        }
        let route = self.routes.get(&Borrowed { exchange, routing_key })?;
        (!route.is_stale()).then(|| route.clone())
    }

    /// Remembers a route that was found under `generation`.
    pub(super) fn remember(
        &mut self,
        generation: u64,
        exchange: &str,
        routing_key: &str,
        route: Arc<CachedRoute>,
    ) {
        if self.generation != generation {
            return;
        }
        if self.routes.len() >= ROUTE_CACHE_COUNT_MAX {
            self.routes.clear();
        }
        let key = Key { exchange: exchange.into(), routing_key: routing_key.into() };
        self.routes.insert(key, route);
    }
}
