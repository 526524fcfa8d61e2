//! Exchanges and bindings by their names, and where a message goes: an own account of it, plain and
//! slow, beside the one under test. What is in queues is not here.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

/// Messages a recent history exchange keeps.
const HISTORY_LENGTH: usize = 20;

/// An exchange.
#[derive(Clone, Debug, Default)]
pub(crate) struct Exchange {
    pub(crate) kind: String,
    pub(crate) auto_delete: bool,
    pub(crate) internal: bool,
    pub(crate) alternate: Option<String>,
    pub(crate) history: VecDeque<u64>,
}

impl Exchange {
    /// It sends each message to one of its destinations, and the oracle cannot tell to which.
    pub(crate) fn chooses(&self) -> bool {
        let kinds = ["x-consistent-hash", "x-random", "x-local-random", "x-modulus-hash"];
        kinds.contains(&self.kind.as_str())
    }

    fn keeps_history(&self) -> bool {
        self.kind == "x-recent-history"
    }
}

/// A binding.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Binding {
    pub(crate) source: String,
    pub(crate) to_exchange: bool,
    pub(crate) destination: String,
    pub(crate) routing_key: String,
    pub(crate) header: Option<String>,
}

/// Where a message goes.
#[derive(Debug, Default)]
pub(crate) struct Route {
    /// Names of queues that get it.
    pub(crate) queues: BTreeSet<String>,
    /// Names of queues of which one gets it.
    pub(crate) choice: BTreeSet<String>,
}

/// What is declared, but for queues.
#[derive(Debug)]
pub(crate) struct Topology {
    pub(crate) exchanges: BTreeMap<String, Exchange>,
    pub(crate) bindings: BTreeSet<Binding>,
}

impl Default for Topology {
    fn default() -> Self {
        let system = [
            ("", "direct"),
            ("amq.direct", "direct"),
            ("amq.fanout", "fanout"),
            ("amq.topic", "topic"),
            ("amq.headers", "headers"),
        ];
        let exchange = |(name, kind): (&str, &str)| {
            (name.to_owned(), Exchange { kind: kind.to_owned(), ..Exchange::default() })
        };
        Self { exchanges: system.map(exchange).into(), bindings: BTreeSet::new() }
    }
}

impl Topology {
    /// Bindings from an exchange.
    pub(crate) fn bindings_from(&self, exchange: &str) -> impl Iterator<Item = &Binding> {
        self.bindings.iter().filter(move |binding| binding.source == exchange)
    }

    /// Takes a binding away, and with the last one an auto-delete exchange.
    pub(crate) fn unbind(&mut self, binding: &Binding) {
        if self.bindings.remove(binding) {
            self.delete_left_alone(&binding.source);
        }
    }

    /// A queue is gone, and all bindings to it.
    pub(crate) fn forget_queue(&mut self, queue: &str) {
        let is_to = |binding: &&Binding| !binding.to_exchange && binding.destination == queue;
        let lost: Vec<Binding> = self.bindings.iter().filter(is_to).cloned().collect();
        lost.iter().for_each(|binding| self.unbind(binding));
    }

    /// Deletes an exchange and the bindings on both sides.
    pub(crate) fn delete_exchange(&mut self, exchange: &str) {
        self.exchanges.remove(exchange);
        let is_its = |binding: &&Binding| {
            binding.source == exchange || (binding.to_exchange && binding.destination == exchange)
        };
        let lost: Vec<Binding> = self.bindings.iter().filter(is_its).cloned().collect();
        lost.iter().for_each(|binding| self.unbind(binding));
    }

    fn delete_left_alone(&mut self, exchange: &str) {
        let is_auto_delete = self.exchanges.get(exchange).is_some_and(|known| known.auto_delete);
        if is_auto_delete && self.bindings_from(exchange).next().is_none() {
            self.delete_exchange(exchange);
        }
    }

    /// What a newly bound queue gets.
    pub(crate) fn history(&self, exchange: &str) -> Vec<u64> {
        let exchange = self.exchanges.get(exchange);
        exchange.map_or_else(Vec::new, |exchange| exchange.history.iter().copied().collect())
    }

    /// Where a message goes; exchanges with a history keep it.
    pub(crate) fn route(
        &mut self,
        message: u64,
        exchange: &str,
        keys: &[&str],
        header: Option<&str>,
    ) -> Route {
        let mut route = Route::default();
        let (mut pending, mut visited) = (vec![exchange.to_owned()], BTreeSet::new());
        while let Some(name) = pending.pop() {
            if !visited.insert(name.clone()) {
                continue;
            }
            let Some(exchange) = self.exchanges.get_mut(&name) else { continue };
            if exchange.keeps_history() {
                exchange.history.push_back(message);
                if exchange.history.len() > HISTORY_LENGTH {
                    exchange.history.pop_front();
                }
            }
            if name.is_empty() {
                route.queues.extend(keys.iter().map(|key| (*key).to_owned()));
                continue;
            }
            self.follow(&name, keys, header, &mut route, &mut pending);
        }
        route
    }

    fn follow(
        &self,
        name: &str,
        keys: &[&str],
        header: Option<&str>,
        route: &mut Route,
        pending: &mut Vec<String>,
    ) {
        let Some(exchange) = self.exchanges.get(name) else { return };
        let mut is_routed = false;
        for binding in self.bindings_from(name) {
            if !matches(&exchange.kind, binding, keys, header) {
                continue;
            }
            is_routed = true;
            let destination = binding.destination.clone();
            match (binding.to_exchange, exchange.chooses()) {
                (true, _) => pending.push(destination),
                (false, true) => _ = route.choice.insert(destination),
                (false, false) => _ = route.queues.insert(destination),
            }
        }
        if !is_routed {
            pending.extend(exchange.alternate.clone());
        }
    }
}

fn matches(kind: &str, binding: &Binding, keys: &[&str], header: Option<&str>) -> bool {
    match kind {
        "direct" => keys.contains(&binding.routing_key.as_str()),
        "topic" => {
            let pattern: Vec<&str> = binding.routing_key.split('.').collect();
            keys.iter().any(|key| topic_matches(&pattern, &key.split('.').collect::<Vec<_>>()))
        }
        "headers" => binding.header.is_none() || binding.header.as_deref() == header,
        _ => true,
    }
}

fn topic_matches(pattern: &[&str], words: &[&str]) -> bool {
    match (pattern, words) {
        ([], []) => true,
        (["#", rest @ ..], _) => {
            (0..=words.len()).any(|count| topic_matches(rest, &words[count..]))
        }
        (["*", pattern @ ..], [_, words @ ..]) => topic_matches(pattern, words),
        ([word, pattern @ ..], [first, words @ ..]) => {
            word == first && topic_matches(pattern, words)
        }
        _ => false,
    }
}
