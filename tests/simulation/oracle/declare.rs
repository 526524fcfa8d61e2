//! What is declared, bound, purged and deleted, and when that is refused.

use super::topology::{Binding, Exchange};
use super::{At, Detail, Oracle, Queue};
use crate::operation::{Bind, DeclareExchange, DeclareQueue};

impl Oracle {
    pub(super) fn declare_exchange(&mut self, at: At, declare: &DeclareExchange) {
        match self.topology.exchanges.get(&declare.exchange) {
            None if declare.passive => return self.refuse(at, 404),
            Some(known) if !declare.passive && known.kind != declare.kind => {
                return self.refuse(at, 406);
            }
            None => {
                let exchange = Exchange {
                    kind: declare.kind.clone(),
                    auto_delete: declare.auto_delete,
                    internal: declare.internal,
                    alternate: declare.alternate.clone(),
                    ..Exchange::default()
                };
                self.topology.exchanges.insert(declare.exchange.clone(), exchange);
            }
            Some(_) => {}
        }
        self.expect_unless(at, declare.nowait, "exchange.declare-ok", Detail::None);
    }

    pub(super) fn delete_exchange(&mut self, at: At, name: &str, if_unused: bool, nowait: bool) {
        if name.starts_with("amq.") {
            return self.refuse(at, 403);
        }
        if if_unused && self.topology.bindings_from(name).next().is_some() {
            return self.refuse(at, 406);
        }
        if self.topology.exchanges.contains_key(name) {
            self.topology.delete_exchange(name);
        }
        self.expect_unless(at, nowait, "exchange.delete-ok", Detail::None);
    }

    pub(super) fn bind(&mut self, at: At, bind: &Bind) {
        let binding = Binding {
            source: bind.source.clone(),
            to_exchange: bind.to_exchange,
            destination: bind.destination.clone(),
            routing_key: bind.routing_key.clone(),
            header: bind.header.clone(),
        };
        let queue = self.names.get(&bind.destination).copied();
        if !bind.to_exchange && queue.is_some_and(|queue| self.is_locked(at, queue)) {
            return self.refuse(at, 405);
        }
        if bind.is_unbind {
            self.topology.unbind(&binding);
        } else {
            let exchanges = &self.topology.exchanges;
            let is_there = match bind.to_exchange {
                true => exchanges.contains_key(&bind.destination),
                false => queue.is_some(),
            };
            if !is_there || !exchanges.contains_key(&bind.source) {
                return self.refuse(at, 404);
            }
            if self.topology.bindings.insert(binding) && !bind.to_exchange {
                self.replay(&bind.source, queue);
            }
        }
        let name = match (bind.is_unbind, bind.to_exchange) {
            (false, true) => "exchange.bind-ok",
            (true, true) => "exchange.unbind-ok",
            (false, false) => "queue.bind-ok",
            (true, false) => "queue.unbind-ok",
        };
        // queue.unbind knows no nowait.
        let nowait = bind.nowait && (bind.to_exchange || !bind.is_unbind);
        self.expect_unless(at, nowait, name, Detail::None);
    }

    /// A new binding to an exchange that keeps a history brings it along.
    fn replay(&mut self, exchange: &str, queue: Option<usize>) {
        let Some(queue) = queue else { return };
        for message in self.topology.history(exchange) {
            self.queues[queue].push(message, None);
        }
    }

    /// The queue is another connection's own.
    pub(crate) fn is_locked(&self, at: At, queue: usize) -> bool {
        self.queues[queue].owner.is_some_and(|owner| owner != self.connection_id(at))
    }

    pub(super) fn declare_queue(&mut self, at: At, declare: &DeclareQueue) {
        let DeclareQueue { queue: name, passive, nowait, .. } = declare;
        if name.is_empty() {
            let detail = Detail::ServerNamed(Box::new(declare.clone()));
            return self.expect(at, "queue.declare-ok", detail);
        }
        let look = Detail::Look { queue_name: name.clone() };
        let queue = match self.names.get(name) {
            None if *passive => return self.refuse_with(at, 404, look),
            None => self.add_queue(at, declare, name.clone()),
            Some(queue) if self.is_locked(at, *queue) => return self.refuse_with(at, 405, look),
            Some(queue) if !passive && self.queues[*queue].auto_delete != declare.auto_delete => {
                return self.refuse(at, 406);
            }
            Some(queue) => *queue,
        };
        let messages = self.step.is_single.then(|| self.possible_range(queue));
        let consumers = self.queues[queue].consumers.len();
        let detail = Detail::Counts { queue, consumers, messages };
        self.expect_unless(at, *nowait, "queue.declare-ok", detail);
    }

    pub(super) fn add_queue(&mut self, at: At, declare: &DeclareQueue, name: String) -> usize {
        let queue = self.queues.len();
        let connection = self.connection_id(at);
        self.queues.push(Queue::new(declare, name.clone(), connection));
        self.names.insert(name, queue);
        queue
    }

    /// How many messages may be ready, given who does not read.
    fn possible_range(&self, queue: usize) -> (usize, usize) {
        let (sure, most) = self.queues[queue].ready_range();
        if self.is_clear(queue) { (sure, most) } else { (0, most) }
    }

    pub(super) fn purge_queue(&mut self, at: At, name: &str, nowait: bool) {
        let Some(queue) = self.names.get(name).copied() else { return self.refuse(at, 404) };
        if self.is_locked(at, queue) {
            return self.refuse(at, 405);
        }
        let detail = self.removed(queue, name);
        let is_exact = self.is_exact(queue);
        self.let_choices_go(queue);
        self.queues[queue].drop_ready(is_exact);
        if !is_exact {
            self.doubtful.insert(queue);
        }
        self.expect_unless(at, nowait, "queue.purge-ok", detail);
    }

    fn removed(&self, queue: usize, name: &str) -> Detail {
        let (sure, most) = self.queues[queue].ready_range();
        let least = if self.is_exact(queue) { sure } else { 0 };
        Detail::Removed { queue_name: name.to_owned(), messages: (least, most) }
    }

    pub(super) fn delete_queue(
        &mut self,
        at: At,
        name: &str,
        (if_unused, if_empty): (bool, bool),
        nowait: bool,
    ) {
        let mut detail = Detail::Removed { queue_name: name.to_owned(), messages: (0, 0) };
        if let Some(queue) = self.names.get(name).copied() {
            if self.is_locked(at, queue) {
                return self.refuse(at, 405);
            }
            let known = &self.queues[queue];
            let is_used = if_unused && !known.consumers.is_empty();
            if is_used || (if_empty && known.ready_range().0 > 0) {
                return self.refuse(at, 406);
            }
            detail = self.removed(queue, name);
            self.remove_queue(queue);
        }
        self.expect_unless(at, nowait, "queue.delete-ok", detail);
    }
}
