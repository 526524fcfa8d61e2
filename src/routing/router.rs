//! All exchanges of a virtual host: bindings from exchange to exchange, alternate exchanges, the
//! default exchange. Many threads route at once; a change of bindings locks its exchange only.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use hashbrown::{HashMap, HashSet};
use smallvec::SmallVec;

use super::deduplication::Deduplicated;
use super::destination::{BindingKey, Destination};
use super::exchange::Exchange;
use super::table::RouteInput;
use crate::message::{ExchangeId, Name, QueueId, delay};

/// Up to this many numbers are searched for duplicates one by one.
const LINEAR_SEARCH_COUNT_MAX: usize = 16;

/// Numbers that were seen: a short list, and behind it a set where there are many.
struct Seen<Id> {
    first: SmallVec<[Id; LINEAR_SEARCH_COUNT_MAX]>,
    others: HashSet<Id, foldhash::fast::FixedState>,
}

impl<Id: Copy + Eq + std::hash::Hash> Seen<Id> {
    fn new() -> Self {
        Self { first: SmallVec::new(), others: HashSet::default() }
    }

    /// False where it was seen before.
    fn insert(&mut self, id: Id) -> bool {
        if self.first.contains(&id) {
            return false;
        }
        if self.first.len() < LINEAR_SEARCH_COUNT_MAX {
            self.first.push(id);
            return true;
        }
        self.others.insert(id)
    }
}

/// The names of queues, which the default exchange routes by.
pub trait QueueNames {
    /// The queue of this name.
    fn queue_id(&self, name: &str) -> Option<QueueId>;
}

/// Where a message goes.
#[derive(Debug, Default)]
pub struct Route {
    /// The queues, each once.
    pub queues: Vec<QueueId>,
    /// The same key will go there again until a binding changes.
    pub depends_on_key_only: bool,
    /// Exchanges on the way that keep the latest messages.
    pub histories: Vec<Arc<Exchange>>,
    /// What exchanges on the way said that let equal messages pass once.
    pub deduplicated: Deduplicated,
}

/// The exchanges of one virtual host.
#[derive(Debug, Default)]
pub struct Router {
    exchanges: RwLock<Exchanges>,
    generation: AtomicU64,
}

#[derive(Debug, Default)]
struct Exchanges {
    by_name: HashMap<Name, Arc<Exchange>, foldhash::fast::FixedState>,
    by_id: HashMap<ExchangeId, Arc<Exchange>, foldhash::fast::FixedState>,
}

impl Router {
    /// Adds an exchange.
    pub fn add(&self, exchange: Exchange) {
        let exchange = Arc::new(exchange);
        let mut exchanges = self.exchanges_mut();
        exchanges.by_id.insert(exchange.id, exchange.clone());
        exchanges.by_name.insert(exchange.name.clone(), exchange);
        drop(exchanges);
        self.changed();
    }

    /// Takes an exchange away.
    pub fn remove(&self, name: &str) {
        let mut exchanges = self.exchanges_mut();
        if let Some(exchange) = exchanges.by_name.remove(name) {
            exchanges.by_id.remove(&exchange.id);
        }
        drop(exchanges);
        self.changed();
    }

    /// The exchange of this name.
    #[must_use]
    pub fn exchange(&self, name: &str) -> Option<Arc<Exchange>> {
        self.exchanges().by_name.get(name).cloned()
    }

    /// How many exchanges there are.
    #[must_use]
    pub fn exchange_count(&self) -> usize {
        self.exchanges().by_name.len()
    }

    /// The exchange of this number.
    #[must_use]
    pub fn exchange_by_id(&self, id: ExchangeId) -> Option<Arc<Exchange>> {
        self.exchanges().by_id.get(&id).cloned()
    }

    /// Tells an exchange what policies say: which exchange gets what nobody else takes, unless the
    /// declaration named one, and whether messages wait in it where its type does not say so.
    pub fn set_policies(&self, exchange: &str, alternate: Option<Arc<str>>, is_delayed: bool) {
        if let Some(exchange) = self.exchange(exchange)
            && exchange.set_policies(alternate, is_delayed)
        {
            self.changed();
        }
    }

    /// Whether a binding may be made.
    ///
    /// # Errors
    /// The explanation of a 406.
    pub fn validate(&self, exchange: &str, binding: &BindingKey) -> Result<(), String> {
        self.exchange(exchange).map_or(Ok(()), |exchange| exchange.table().validate(binding))
    }

    /// Adds a binding.
    pub fn bind(&self, exchange: &str, binding: &BindingKey) {
        if let Some(exchange) = self.exchange(exchange) {
            exchange.table_mut().bind(binding);
            self.changed();
        }
    }

    /// Takes a binding away.
    pub fn unbind(&self, exchange: &str, binding: &BindingKey) {
        if let Some(exchange) = self.exchange(exchange) {
            exchange.table_mut().unbind(binding);
            self.changed();
        }
    }

    /// Rises with every change of exchanges and bindings; what was remembered before is stale.
    /// Queues that come and go do not raise it.
    #[must_use]
    pub fn generation(&self) -> u64 {
        self.generation.load(Ordering::Acquire)
    }

    fn changed(&self) {
        self.generation.fetch_add(1, Ordering::AcqRel);
    }

    /// Finds the queues of a message that is published to `exchange`. Each exchange is visited
    /// once, so cycles end.
    pub fn route(
        &self,
        exchange: &Arc<Exchange>,
        input: &RouteInput<'_>,
        names: &dyn QueueNames,
        route: &mut Route,
    ) {
        route.depends_on_key_only = true;
        let mut pending: SmallVec<[Arc<Exchange>; 2]> = SmallVec::from_iter([exchange.clone()]);
        let mut visited = Seen::new();
        let mut found = Vec::new();
        while let Some(exchange) = pending.pop() {
            if !visited.insert(exchange.id) {
                continue;
            }
            let passage = match exchange.is_special() {
                false => Passage::Free,
                true => pass_special(&exchange, input, route),
            };
            found.clear();
            match passage {
                Passage::Free => {
                    route.depends_on_key_only &= visit(&exchange, input, names, &mut found);
                }
                Passage::Closed => {}
                Passage::Waits => continue,
            }
            self.follow(&exchange, &found, route, &mut pending);
        }
        remove_duplicates(&mut route.queues);
    }

    /// Takes the queues found, and the exchanges to look at next.
    fn follow(
        &self,
        exchange: &Exchange,
        found: &[Destination],
        route: &mut Route,
        pending: &mut SmallVec<[Arc<Exchange>; 2]>,
    ) {
        if found.is_empty() {
            let alternate = exchange.alternate();
            // It may be declared later, which raises the generation.
            pending.extend(alternate.and_then(|name| self.exchange(&name)));
        }
        for destination in found {
            match destination {
                Destination::Queue(id) => route.queues.push(*id),
                Destination::Exchange(id) => {
                    pending.extend(self.exchanges().by_id.get(id).cloned())
                }
            }
        }
    }

    /// It changes only while the definitions are locked, whose owner sees to a panic.
    fn exchanges(&self) -> RwLockReadGuard<'_, Exchanges> {
        self.exchanges.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn exchanges_mut(&self) -> RwLockWriteGuard<'_, Exchanges> {
        self.exchanges.write().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What a message meets at an exchange.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Passage {
    /// It goes on by the bindings.
    Free,
    /// Its equal was there before: it goes on as one that no binding takes.
    Closed,
    /// It stays until its time is over.
    Waits,
}

/// What becomes of a message at an exchange that looks at more than its key.
#[inline(never)]
fn pass_special(exchange: &Arc<Exchange>, input: &RouteInput<'_>, route: &mut Route) -> Passage {
    if exchange.is_delayed() {
        route.depends_on_key_only = false;
        if delay::asked_for(input.properties).is_some() {
            route.queues.push(exchange.waiting_room());
            return Passage::Waits;
        }
    }
    if exchange.has_history() {
        route.histories.push(exchange.clone());
    }
    if route.deduplicated.passes(exchange, input) {
        return Passage::Free;
    }
    route.depends_on_key_only = false;
    Passage::Closed
}

/// One exchange's own answer, and whether the same key brings it again until a binding changes.
/// The default exchange knows every queue by its name; a name that nobody has may be declared at
/// any time, and that raises no generation.
fn visit(
    exchange: &Exchange,
    input: &RouteInput<'_>,
    names: &dyn QueueNames,
    found: &mut Vec<Destination>,
) -> bool {
    if exchange.name.is_empty() {
        let ids = input.routing_keys.iter().filter_map(|key| names.queue_id(key));
        found.extend(ids.map(Destination::Queue));
        found.len() == input.routing_keys.len()
    } else {
        exchange.table().route(input, found);
        exchange.kind.depends_on_key_only()
    }
}

/// Keeps the first of equals.
fn remove_duplicates(queues: &mut Vec<QueueId>) {
    if queues.len() > 1 {
        let mut seen = Seen::new();
        queues.retain(|id| seen.insert(*id));
    }
}

#[cfg(test)]
mod tests {
    use super::super::kind::ExchangeKind;
    use super::*;
    use crate::message::Moment;
    use crate::protocol::field::FieldTable;

    struct NoQueues;

    impl QueueNames for NoQueues {
        fn queue_id(&self, name: &str) -> Option<QueueId> {
            (name == "known").then_some(QueueId(99))
        }
    }

    fn add(router: &Router, id: u64, name: &str, kind: ExchangeKind, alternate: Option<&str>) {
        let arguments: FieldTable =
            alternate.map(|name| ("alternate-exchange", name)).into_iter().collect();
        router.add(Exchange::new(ExchangeId(id), name.into(), kind, false, &arguments).unwrap());
    }

    fn bind(router: &Router, source: &str, key: &str, destination: Destination) {
        let arguments = FieldTable::new();
        router.bind(source, &BindingKey { routing_key: key.into(), arguments, destination });
    }

    fn route_whole(router: &Router, exchange: &str, keys: &[&str]) -> Route {
        let mut route = Route::default();
        let input =
            RouteInput { routing_keys: keys, properties: &[0, 0], random: 0, now: Moment(0) };
        router.route(&router.exchange(exchange).unwrap(), &input, &NoQueues, &mut route);
        route
    }

    fn route(router: &Router, exchange: &str, keys: &[&str]) -> Vec<u64> {
        route_whole(router, exchange, keys).queues.into_iter().map(|id| id.0).collect()
    }

    fn queue(id: u64) -> Destination {
        Destination::Queue(QueueId(id))
    }

    #[test]
    fn a_queue_gets_one_copy_however_many_ways_lead_there() {
        let router = Router::default();
        add(&router, 1, "x", ExchangeKind::Direct, None);
        add(&router, 2, "y", ExchangeKind::Fanout, None);
        bind(&router, "x", "a", queue(7));
        bind(&router, "x", "b", queue(7));
        bind(&router, "x", "a", Destination::Exchange(ExchangeId(2)));
        bind(&router, "y", "", queue(7));
        assert_eq!(route(&router, "x", &["a", "b"]), [7]);
        assert_eq!(route(&router, "x", &["c"]), [0; 0]);
    }

    #[test]
    fn cycles_of_exchanges_end() {
        let router = Router::default();
        add(&router, 1, "x", ExchangeKind::Fanout, None);
        add(&router, 2, "y", ExchangeKind::Fanout, None);
        bind(&router, "x", "", Destination::Exchange(ExchangeId(2)));
        bind(&router, "y", "", Destination::Exchange(ExchangeId(1)));
        bind(&router, "y", "", queue(3));
        assert_eq!(route(&router, "x", &["k"]), [3]);
    }

    #[test]
    fn an_alternate_takes_what_nobody_else_takes() {
        let router = Router::default();
        add(&router, 1, "x", ExchangeKind::Direct, Some("y"));
        add(&router, 2, "y", ExchangeKind::Direct, Some("x"));
        bind(&router, "x", "a", queue(1));
        bind(&router, "y", "b", queue(2));
        assert_eq!(route(&router, "x", &["a"]), [1]);
        assert_eq!(route(&router, "x", &["b"]), [2]);
        assert_eq!(route(&router, "x", &["c"]), [0; 0]);
    }

    #[test]
    fn the_default_exchange_knows_queues_by_name() {
        let router = Router::default();
        add(&router, 1, "", ExchangeKind::Direct, None);
        assert_eq!(route(&router, "", &["known"]), [99]);
        assert_eq!(route(&router, "", &["unknown"]), [0; 0]);
    }

    #[test]
    fn an_answer_lasts_unless_a_queue_of_that_name_may_still_be_declared() {
        let router = Router::default();
        add(&router, 1, "", ExchangeKind::Direct, None);
        add(&router, 2, "x", ExchangeKind::Direct, Some(""));
        bind(&router, "x", "bound", queue(1));
        let lasts = |exchange, key| route_whole(&router, exchange, &[key]).depends_on_key_only;
        assert!(lasts("", "known") && lasts("x", "known") && lasts("x", "bound"));
        assert!(!lasts("", "unknown") && !lasts("x", "unknown"));
        assert_eq!(route(&router, "x", &["known"]), [99]);
    }

    #[test]
    fn an_answer_that_looks_at_more_than_the_key_does_not_last() {
        let router = Router::default();
        add(&router, 1, "x", ExchangeKind::Fanout, None);
        add(&router, 2, "y", ExchangeKind::RecentHistory, None);
        bind(&router, "x", "", queue(1));
        assert!(route_whole(&router, "x", &[""]).depends_on_key_only);
        bind(&router, "x", "", Destination::Exchange(ExchangeId(2)));
        let route = route_whole(&router, "x", &[""]);
        assert!(!route.depends_on_key_only);
        assert_eq!(route.histories.iter().map(|exchange| exchange.id.0).collect::<Vec<_>>(), [2]);
    }

    #[test]
    fn each_of_many_exchanges_is_visited_once_and_each_queue_comes_once() {
        let router = Router::default();
        for id in 0..60 {
            add(&router, id, &format!("x{id}"), ExchangeKind::Fanout, None);
        }
        for id in 0..60 {
            for other in 0..60 {
                bind(&router, &format!("x{id}"), "", Destination::Exchange(ExchangeId(other)));
            }
            bind(&router, &format!("x{id}"), "", queue(id));
            bind(&router, &format!("x{id}"), "", queue(1000));
        }
        let mut ids = route(&router, "x7", &["k"]);
        assert_eq!(ids[..2], [7, 1000]);
        ids.sort_unstable();
        assert_eq!(ids, (0..60).chain([1000]).collect::<Vec<_>>());
    }

    #[test]
    fn every_change_raises_the_generation() {
        let router = Router::default();
        let mut last = router.generation();
        let mut rises = || std::mem::replace(&mut last, router.generation()) < router.generation();
        add(&router, 1, "x", ExchangeKind::Fanout, None);
        assert!(rises());
        bind(&router, "x", "", queue(1));
        assert!(rises() && !rises());
        let (routing_key, arguments) = ("".into(), FieldTable::new());
        router.unbind("x", &BindingKey { routing_key, arguments, destination: queue(1) });
        assert!(rises());
        router.remove("x");
        assert!(rises());
    }
}
