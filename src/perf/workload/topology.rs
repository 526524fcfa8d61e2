//! The exchange, the queues and the bindings of a run: what they are called, how they come and go,
//! and which messages go where. What goes through them is not here.

use super::{ExchangeKind, QueueLife, Workload};
use crate::perf::wire::{CHANNEL, Output, Wire, WireError};
use crate::protocol::field::{FieldTable, FieldValue};
use crate::protocol::methods::{Method, exchange, queue};

/// How many bindings are made before the broker is asked whether it has them.
const BINDINGS_PER_ANSWER: usize = 500;

/// The header that tells bindings of a headers exchange apart.
const HEADER: &str = "number";

/// All that is declared for a run.
#[derive(Clone, Debug)]
pub(in crate::perf) struct Topology {
    workload: Workload,
    exchange: String,
    queues: Vec<String>,
}

/// How to reach one queue.
#[derive(Clone, Debug, PartialEq)]
pub(in crate::perf) struct Route {
    pub(in crate::perf) queue: u32,
    pub(in crate::perf) routing_key: String,
    pub(in crate::perf) headers: Option<FieldTable>,
}

/// Which of so many things belong to one of so many owners, each thing to at least one, and each
/// owner one at least.
pub(in crate::perf) fn share(owner: u32, owners: u32, things: u32) -> Vec<u32> {
    if owners > things {
        return vec![owner % things.max(1)];
    }
    (owner..things).step_by(owners.max(1) as usize).collect()
}

impl Topology {
    /// Names begin with the prefix; all queues' names have one length.
    pub(in crate::perf) fn new(workload: &Workload, prefix: &str) -> Self {
        let queues = (0..workload.queues).map(|number| format!("{prefix}-{}", digits(number)));
        let exchange = match workload.exchange {
            ExchangeKind::Default => String::new(),
            _ => format!("{prefix}-exchange"),
        };
        Self { workload: workload.clone(), exchange, queues: queues.collect() }
    }

    pub(in crate::perf) fn exchange(&self) -> &str {
        &self.exchange
    }

    pub(in crate::perf) fn queue(&self, number: u32) -> &str {
        self.queues.get(number as usize).map_or("", String::as_str)
    }

    /// The routes that a publisher takes in turn: one for each binding of its queues. With a fanout
    /// exchange all are the same.
    pub(in crate::perf) fn routes(&self, publisher: u32) -> Vec<Route> {
        let Workload { publishers, queues, .. } = self.workload;
        match self.workload.exchange {
            ExchangeKind::Fanout => {
                vec![Route { queue: 0, routing_key: String::new(), headers: None }]
            }
            ExchangeKind::Default => {
                share(publisher, publishers, queues).into_iter().map(|q| self.route(q)).collect()
            }
            ExchangeKind::Direct | ExchangeKind::Topic | ExchangeKind::Headers => {
                let own = share(publisher, publishers, queues);
                let bindings = 0..self.workload.bindings;
                let is_own = |binding: &u32| own.binary_search(&(binding % queues)).is_ok();
                bindings.filter(is_own).map(|binding| self.route(binding)).collect()
            }
        }
    }

    /// The route of one binding, or of one queue.
    fn route(&self, number: u32) -> Route {
        let routing_key = match self.workload.exchange {
            ExchangeKind::Default => self.queue(number).to_owned(),
            ExchangeKind::Direct => digits(number),
            ExchangeKind::Topic => format!("perf.{}.message", digits(number)),
            ExchangeKind::Fanout | ExchangeKind::Headers => String::new(),
        };
        let headers = (self.workload.exchange == ExchangeKind::Headers)
            .then(|| [(HEADER, FieldValue::U32(number))].into_iter().collect());
        Route { queue: number % self.workload.queues.max(1), routing_key, headers }
    }

    /// Declares the exchange, and what does not belong to consumers.
    pub(in crate::perf) fn declare(&self, wire: &mut Wire) -> Result<(), WireError> {
        if !self.exchange.is_empty() {
            let declare = exchange::Declare {
                exchange: &self.exchange,
                kind: self.exchange_type(),
                passive: false,
                durable: false,
                auto_delete: false,
                internal: false,
                nowait: false,
                arguments: FieldTable::default(),
            };
            wire.request(CHANNEL, &declare, |m| matches!(m, Method::ExchangeDeclareOk(_)))?;
        }
        if self.workload.is_exclusive() && self.workload.consumers > 0 {
            return Ok(());
        }
        let all: Vec<u32> = (0..self.workload.queues).collect();
        self.declare_queues(wire, &all)
    }

    /// Declares the queues that belong to a consumer's connection.
    pub(in crate::perf) fn declare_own(
        &self,
        wire: &mut Wire,
        queues: &[u32],
    ) -> Result<(), WireError> {
        if self.workload.is_exclusive() { self.declare_queues(wire, queues) } else { Ok(()) }
    }

    fn declare_queues(&self, wire: &mut Wire, queues: &[u32]) -> Result<(), WireError> {
        for queue in queues {
            let declare = self.declaration(self.queue(*queue));
            wire.request(CHANNEL, &declare, |m| matches!(m, Method::QueueDeclareOk(_)))?;
        }
        if self.exchange.is_empty() {
            return Ok(());
        }
        let (all, count) = (self.workload.bindings, self.workload.queues.max(1));
        let is_meant = |binding: &u32| queues.binary_search(&(binding % count)).is_ok();
        let bindings: Vec<u32> = (0..all).filter(is_meant).collect();
        bindings.chunks(BINDINGS_PER_ANSWER).try_for_each(|some| self.bind(wire, some))
    }

    /// Binds, and waits for the answer to the last.
    fn bind(&self, wire: &mut Wire, bindings: &[u32]) -> Result<(), WireError> {
        let mut output = Output::default();
        for (index, binding) in bindings.iter().enumerate() {
            let (routing_key, arguments) = self.binding(*binding);
            let bind = queue::Bind {
                queue: self.queue(binding % self.workload.queues.max(1)),
                exchange: &self.exchange,
                routing_key: &routing_key,
                nowait: index + 1 < bindings.len(),
                arguments,
            };
            output.method(CHANNEL, &bind);
        }
        wire.write(output.waiting())?;
        wire.answer(|method| matches!(method, Method::QueueBindOk(_)).then_some(()))
    }

    /// Key and arguments of a binding that the messages of one route match, and no others.
    fn binding(&self, number: u32) -> (String, FieldTable) {
        let route = self.route(number);
        match self.workload.exchange {
            ExchangeKind::Topic => (format!("perf.{}.*", digits(number)), FieldTable::default()),
            ExchangeKind::Fanout => (digits(number), FieldTable::default()),
            ExchangeKind::Headers => {
                let mut arguments = route.headers.unwrap_or_default();
                arguments.insert("x-match", "all");
                (String::new(), arguments)
            }
            ExchangeKind::Default | ExchangeKind::Direct => {
                (route.routing_key, FieldTable::default())
            }
        }
    }

    /// How many messages are waiting in all queues.
    pub(in crate::perf) fn message_count(&self, wire: &mut Wire) -> Result<u64, WireError> {
        let mut count = 0;
        for name in &self.queues {
            wire.send(CHANNEL, &queue::Declare { passive: true, ..self.declaration(name) })?;
            count += wire.answer(|method| match method {
                Method::QueueDeclareOk(answer) => Some(u64::from(answer.message_count)),
                _ => None,
            })?;
        }
        Ok(count)
    }

    /// Deletes what does not go by itself.
    pub(in crate::perf) fn delete(&self, wire: &mut Wire) -> Result<(), WireError> {
        if !self.workload.is_exclusive() {
            for queue in &self.queues {
                let delete =
                    queue::Delete { queue, if_unused: false, if_empty: false, nowait: false };
                wire.request(CHANNEL, &delete, |m| matches!(m, Method::QueueDeleteOk(_)))?;
            }
        }
        if !self.exchange.is_empty() {
            let exchange = &self.exchange;
            let delete = exchange::Delete { exchange, if_unused: false, nowait: false };
            wire.request(CHANNEL, &delete, |m| matches!(m, Method::ExchangeDeleteOk(_)))?;
        }
        Ok(())
    }

    fn exchange_type(&self) -> &'static str {
        match self.workload.exchange {
            ExchangeKind::Default | ExchangeKind::Direct => "direct",
            ExchangeKind::Fanout => "fanout",
            ExchangeKind::Topic => "topic",
            ExchangeKind::Headers => "headers",
        }
    }

    /// A transient queue of several consumers is durable in name, for brokers refuse others by and
    /// by, and goes with its last consumer.
    fn declaration<'a>(&self, queue: &'a str) -> queue::Declare<'a> {
        let is_exclusive = self.workload.is_exclusive();
        queue::Declare {
            queue,
            passive: false,
            durable: !is_exclusive,
            exclusive: is_exclusive,
            auto_delete: !is_exclusive && self.workload.queue_life == QueueLife::Transient,
            nowait: false,
            arguments: self.workload.arguments(),
        }
    }
}

/// Numbers of one length.
fn digits(number: u32) -> String {
    format!("{number:06}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::perf::workload::named;

    fn topology(workload: &Workload) -> Topology {
        Topology::new(workload, "run")
    }

    #[test]
    fn every_thing_has_an_owner_and_every_owner_a_thing() {
        assert_eq!(
            [0, 1, 2].map(|owner| share(owner, 3, 7)),
            [vec![0, 3, 6], vec![1, 4], vec![2, 5]]
        );
        assert_eq!([0, 1, 2, 3].map(|owner| share(owner, 4, 2)), [[0], [1], [0], [1]]);
    }

    #[test]
    fn names_are_as_many_as_the_workload_has_queues_and_equally_long() {
        let topology = topology(&named("s8").unwrap());
        let mut names = topology.queues.clone();
        assert!(names.iter().all(|name| name.len() == names[0].len()));
        names.dedup();
        assert_eq!(names.len(), 100);
    }

    #[test]
    fn queues_are_declared_as_their_life_asks() {
        let declared = |workload: Workload| {
            let topology = topology(&workload);
            let declaration = topology.declaration("q");
            let kind = declaration.arguments.get("x-queue-type").and_then(FieldValue::as_str);
            (declaration.durable, declaration.exclusive, kind.map(str::to_owned))
        };
        let s2 = || named("s2").unwrap();
        assert_eq!(declared(s2()), (false, true, None));
        assert_eq!(declared(Workload { consumers: 2, ..s2() }), (true, false, None));
        assert_eq!(declared(named("s3").unwrap()), (true, false, None));
        let life = QueueLife::Durable;
        assert_eq!(declared(Workload { queue_life: life, ..s2() }), (true, false, None));
        assert_eq!(declared(named("s13").unwrap()), (true, false, Some("quorum".to_owned())));
    }

    #[test]
    fn the_routes_of_all_publishers_reach_every_binding_once() {
        for exchange in [ExchangeKind::Direct, ExchangeKind::Topic, ExchangeKind::Headers] {
            let workload = Workload { exchange, publishers: 3, ..named("s6").unwrap() };
            let topology = topology(&workload);
            let mut routes: Vec<Route> = (0..3).flat_map(|p| topology.routes(p)).collect();
            assert_eq!(routes.len(), 10_000);
            routes.dedup();
            assert_eq!(routes.len(), 10_000);
            assert_eq!(topology.routes(1)[1].queue, 4);
        }
    }

    #[test]
    fn a_topic_binding_matches_its_own_route_only() {
        let topology = topology(&named("s6").unwrap());
        assert_eq!(topology.route(12).routing_key, "perf.000012.message");
        assert_eq!(topology.binding(12).0, "perf.000012.*");
    }

    #[test]
    fn a_headers_binding_matches_its_own_route_only() {
        let workload = Workload { exchange: ExchangeKind::Headers, ..named("s6").unwrap() };
        let topology = topology(&workload);
        let (_, arguments) = topology.binding(12);
        assert_eq!(arguments.get("x-match").and_then(FieldValue::as_str), Some("all"));
        assert_eq!(arguments.get(HEADER).and_then(FieldValue::as_integer), Some(12));
        let headers = topology.route(12).headers.unwrap();
        assert_eq!(headers.get(HEADER).and_then(FieldValue::as_integer), Some(12));
    }

    #[test]
    fn a_fanout_is_one_route_whatever_the_number_of_queues() {
        assert_eq!(topology(&named("s5").unwrap()).routes(0).len(), 1);
    }
}
