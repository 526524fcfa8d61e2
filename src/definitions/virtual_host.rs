//! All definitions of one virtual host, and what a deletion takes along.
//!
//! Plans do not change anything: they give the changes that follow from each other, in order, and
//! [`VirtualHostDefinitions::apply`] makes them true one by one.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use hashbrown::HashMap;

use super::{Binding, BindingEnd, Change, ExchangeDefinition, QueueDefinition};
use crate::message::Name;

type NameMap<T> = HashMap<Name, Arc<T>, foldhash::fast::FixedState>;

/// What is declared in one virtual host.
#[derive(Debug, Default)]
pub struct VirtualHostDefinitions {
    exchanges: NameMap<ExchangeDefinition>,
    queues: NameMap<QueueDefinition>,
    from: BTreeMap<Name, BTreeSet<Arc<Binding>>>,
    to: BTreeMap<BindingEnd, BTreeSet<Arc<Binding>>>,
}

impl VirtualHostDefinitions {
    /// The exchange of this name.
    #[must_use]
    pub fn exchange(&self, name: &str) -> Option<&Arc<ExchangeDefinition>> {
        self.exchanges.get(name)
    }

    /// The queue of this name.
    #[must_use]
    pub fn queue(&self, name: &str) -> Option<&Arc<QueueDefinition>> {
        self.queues.get(name)
    }

    /// The binding that equals this one.
    #[must_use]
    pub fn binding(&self, binding: &Binding) -> Option<&Arc<Binding>> {
        self.from.get(&binding.source)?.get(binding)
    }

    /// One end of the binding is there and does not survive a restart: neither does the binding.
    #[must_use]
    pub fn has_transient_end(&self, binding: &Binding) -> bool {
        let is_transient_exchange =
            |name: &str| self.exchange(name).is_some_and(|exchange| !exchange.durable);
        let is_transient_destination = match &binding.destination {
            BindingEnd::Queue(name) => self.queue(name).is_some_and(|queue| !queue.durable),
            BindingEnd::Exchange(name) => is_transient_exchange(name),
        };
        is_transient_destination || is_transient_exchange(&binding.source)
    }

    /// Bindings that leave this exchange, in a fixed order.
    pub fn bindings_from(&self, exchange: &str) -> impl Iterator<Item = &Arc<Binding>> {
        self.from.get(exchange).into_iter().flatten()
    }

    /// Bindings that lead to this queue or exchange, in a fixed order.
    pub fn bindings_to(&self, end: &BindingEnd) -> impl Iterator<Item = &Arc<Binding>> {
        self.to.get(end).into_iter().flatten()
    }

    /// All bindings, in a fixed order.
    pub fn bindings(&self) -> impl Iterator<Item = &Arc<Binding>> {
        self.from.values().flatten()
    }

    /// All exchanges, in no order.
    pub fn exchanges(&self) -> impl Iterator<Item = &Arc<ExchangeDefinition>> {
        self.exchanges.values()
    }

    /// All queues, in no order.
    pub fn queues(&self) -> impl Iterator<Item = &Arc<QueueDefinition>> {
        self.queues.values()
    }

    /// How many queues there are.
    #[must_use]
    pub fn queues_count(&self) -> usize {
        self.queues.len()
    }

    /// Makes one change true.
    pub fn apply(&mut self, change: &Change) {
        match change {
            Change::ExchangeDeclared(exchange) => {
                self.exchanges.insert(exchange.name.clone(), exchange.clone());
            }
            Change::ExchangeDeleted(exchange) => {
                self.exchanges.remove(&exchange.name);
            }
            Change::QueueDeclared(queue) | Change::QueueConfigured(queue) => {
                self.queues.insert(queue.name.clone(), queue.clone());
            }
            Change::QueueDeleted(queue) => {
                self.queues.remove(&queue.name);
            }
            Change::Bound(binding) => self.add(binding),
            Change::Unbound(binding) => self.remove(binding),
        }
    }

    fn add(&mut self, binding: &Arc<Binding>) {
        self.from.entry(binding.source.clone()).or_default().insert(binding.clone());
        self.to.entry(binding.destination.clone()).or_default().insert(binding.clone());
    }

    fn remove(&mut self, binding: &Arc<Binding>) {
        if let Some(set) = self.from.get_mut(&binding.source) {
            set.remove(binding);
            if set.is_empty() {
                self.from.remove(&binding.source);
            }
        }
        if let Some(set) = self.to.get_mut(&binding.destination) {
            set.remove(binding);
            if set.is_empty() {
                self.to.remove(&binding.destination);
            }
        }
    }

    /// What follows when a queue goes: its bindings, and exchanges that lived by them.
    #[must_use]
    pub fn plan_delete_queue(&self, queue: &Arc<QueueDefinition>) -> Vec<Change> {
        let mut plan = Plan::new(self);
        plan.unbind_all_to(&BindingEnd::Queue(queue.name.clone()));
        plan.changes.push(Change::QueueDeleted(queue.clone()));
        plan.delete_exchanges_left_alone();
        plan.changes
    }

    /// What follows when an exchange goes: bindings on both sides, and exchanges that lived by
    /// them.
    #[must_use]
    pub fn plan_delete_exchange(&self, exchange: &Arc<ExchangeDefinition>) -> Vec<Change> {
        let mut plan = Plan::new(self);
        plan.delete_exchange(exchange);
        plan.delete_exchanges_left_alone();
        plan.changes
    }

    /// What follows when the virtual host goes, after its queues: what is left of bindings, and its
    /// exchanges without those that every virtual host has.
    #[must_use]
    pub fn plan_delete_rest(&self) -> Vec<Change> {
        let bindings = self.from.values().flatten().cloned().map(Change::Unbound);
        let is_declared = |name: &str| !name.is_empty() && !name.starts_with("amq.");
        let exchanges = self.exchanges.values().filter(|exchange| is_declared(&exchange.name));
        let mut exchanges: Vec<_> = exchanges.cloned().collect();
        exchanges.sort_by_key(|exchange| exchange.id);
        bindings.chain(exchanges.into_iter().map(Change::ExchangeDeleted)).collect()
    }

    /// What follows when a binding goes: perhaps the exchange it left.
    #[must_use]
    pub fn plan_unbind(&self, binding: &Arc<Binding>) -> Vec<Change> {
        let mut plan = Plan::new(self);
        plan.unbind(binding);
        plan.delete_exchanges_left_alone();
        plan.changes
    }
}

/// Changes that follow from each other, before any of them is made.
struct Plan<'a> {
    definitions: &'a VirtualHostDefinitions,
    changes: Vec<Change>,
    unbound: BTreeSet<Arc<Binding>>,
    /// How many bindings each exchange has lost so far.
    lost: BTreeMap<Name, usize>,
    /// Exchanges that lost a binding and have not been looked at since.
    to_check: Vec<Name>,
    deleted: BTreeSet<Name>,
}

impl<'a> Plan<'a> {
    fn new(definitions: &'a VirtualHostDefinitions) -> Self {
        Self {
            definitions,
            changes: Vec::new(),
            unbound: BTreeSet::new(),
            lost: BTreeMap::new(),
            to_check: Vec::new(),
            deleted: BTreeSet::new(),
        }
    }

    fn unbind(&mut self, binding: &Arc<Binding>) {
        if self.unbound.insert(binding.clone()) {
            *self.lost.entry(binding.source.clone()).or_default() += 1;
            self.to_check.push(binding.source.clone());
            self.changes.push(Change::Unbound(binding.clone()));
        }
    }

    fn unbind_all_to(&mut self, end: &BindingEnd) {
        let definitions = self.definitions;
        definitions.bindings_to(end).for_each(|binding| self.unbind(binding));
    }

    fn delete_exchange(&mut self, exchange: &Arc<ExchangeDefinition>) {
        if !self.deleted.insert(exchange.name.clone()) {
            return;
        }
        let definitions = self.definitions;
        definitions.bindings_from(&exchange.name).for_each(|binding| self.unbind(binding));
        self.unbind_all_to(&BindingEnd::Exchange(exchange.name.clone()));
        self.changes.push(Change::ExchangeDeleted(exchange.clone()));
    }

    /// An auto-delete exchange goes when the last binding from it goes.
    fn delete_exchanges_left_alone(&mut self) {
        while let Some(name) = self.to_check.pop() {
            let Some(exchange) = self.definitions.exchanges.get(&name) else { continue };
            let lost = self.lost.get(&name).copied().unwrap_or(0);
            let had = self.definitions.from.get(&name).map_or(0, BTreeSet::len);
            if exchange.auto_delete && lost == had {
                self.delete_exchange(&exchange.clone());
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::ExchangeId;
    use crate::protocol::field::FieldTable;

    fn exchange(name: &str, auto_delete: bool) -> Arc<ExchangeDefinition> {
        Arc::new(ExchangeDefinition {
            id: ExchangeId(1),
            name: name.into(),
            kind: "fanout".into(),
            durable: false,
            auto_delete,
            internal: false,
            arguments: FieldTable::new(),
            declared_by: "ann".into(),
        })
    }

    fn binding(source: &str, destination: BindingEnd) -> Arc<Binding> {
        Arc::new(Binding {
            source: source.into(),
            destination,
            routing_key: "".into(),
            arguments: FieldTable::new(),
        })
    }

    fn to_exchange(name: &str) -> BindingEnd {
        BindingEnd::Exchange(name.into())
    }

    fn names(changes: &[Change]) -> Vec<String> {
        changes
            .iter()
            .map(|change| match change {
                Change::ExchangeDeleted(exchange) => format!("-{}", exchange.name),
                Change::Unbound(binding) => {
                    format!("{}/{}", binding.source, binding.destination.name())
                }
                other => format!("{other:?}"),
            })
            .collect()
    }

    fn chain(auto_delete: bool) -> VirtualHostDefinitions {
        let mut definitions = VirtualHostDefinitions::default();
        for name in ["a", "b", "c"] {
            definitions.apply(&Change::ExchangeDeclared(exchange(name, auto_delete)));
        }
        definitions.apply(&Change::Bound(binding("a", to_exchange("b"))));
        definitions.apply(&Change::Bound(binding("b", to_exchange("c"))));
        definitions
    }

    #[test]
    fn deleting_an_exchange_takes_its_bindings_along() {
        let definitions = chain(false);
        let plan = definitions.plan_delete_exchange(&exchange("b", false));
        assert_eq!(names(&plan), ["b/c", "a/b", "-b"]);
    }

    #[test]
    fn auto_delete_exchanges_follow_each_other() {
        let definitions = chain(true);
        let plan = definitions.plan_delete_exchange(&exchange("c", true));
        assert_eq!(names(&plan), ["b/c", "-c", "a/b", "-b", "-a"]);
    }

    #[test]
    fn an_exchange_that_was_never_bound_stays() {
        let mut definitions = chain(true);
        definitions.apply(&Change::ExchangeDeclared(exchange("d", true)));
        let plan = definitions.plan_unbind(&binding("b", to_exchange("c")));
        assert_eq!(names(&plan), ["b/c", "a/b", "-b", "-a"]);
        assert!(definitions.exchange("d").is_some());
    }

    #[test]
    fn deleting_a_queue_takes_its_own_bindings_only() {
        let mut definitions = chain(false);
        for number in 0..1000 {
            let end = BindingEnd::Queue(format!("q{number}").as_str().into());
            definitions.apply(&Change::Bound(binding("a", end)));
        }
        let own = BindingEnd::Queue("q7".into());
        assert_eq!(definitions.bindings_to(&own).count(), 1);
        let mut plan = Plan::new(&definitions);
        plan.unbind_all_to(&own);
        assert_eq!(names(&plan.changes), ["a/q7"]);
    }

    #[test]
    fn bindings_that_differ_in_arguments_are_two() {
        let mut definitions = chain(false);
        let other: FieldTable = [("x", 1)].into_iter().collect();
        let with_arguments =
            Arc::new(Binding { arguments: other, ..(*binding("a", to_exchange("b"))).clone() });
        assert!(definitions.binding(&with_arguments).is_none());
        definitions.apply(&Change::Bound(with_arguments.clone()));
        assert_eq!(definitions.bindings_from("a").count(), 2);
        definitions.apply(&Change::Unbound(with_arguments));
        assert_eq!(definitions.bindings_to(&to_exchange("b")).count(), 1);
    }
}
