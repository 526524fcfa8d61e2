//! Floor 3: what the router takes for one message, by type of exchange and number of bindings. A
//! publish asks it only where the channel does not remember the route.

use std::hint::black_box;

use leveret::message::{ExchangeId, Moment, QueueId};
use leveret::protocol::field::FieldTable;
use leveret::protocol::properties::Properties;
use leveret::routing::{
    BindingKey, Destination, Exchange, ExchangeKind, QueueNames, Route, RouteInput, Router,
};

use crate::{Operation, Round};

const EXCHANGE: &str = "instructions";

/// Queues that bindings lead to, where each binding needs none of its own.
const QUEUE_COUNT: u64 = 10;

/// Messages that are routed in turn, each with a key of its own.
const INPUT_COUNT: usize = 16;

pub(crate) fn operations() -> Vec<Operation> {
    use ExchangeKind::{Direct, Fanout, Headers, Topic};
    let kinds = [(Direct, "direct"), (Fanout, "fanout"), (Topic, "topic"), (Headers, "headers")];
    let sizes = kinds.into_iter().flat_map(|kind| [1, 100, 10_000].map(|count| (kind, count)));
    let operation = |((kind, name), count)| {
        Operation::new(format!("route_{name}_{count}"), move || route(kind, count))
    };
    sizes.map(operation).collect()
}

/// No message goes by the default exchange.
struct NoNames;

impl QueueNames for NoNames {
    fn queue_id(&self, _: &str) -> Option<QueueId> {
        None
    }
}

/// The binding of this number: a fanout's has a queue of its own, the others match one message.
fn binding(kind: ExchangeKind, number: u64) -> BindingKey {
    let queue = if kind == ExchangeKind::Fanout { number } else { number % QUEUE_COUNT };
    let routing_key = match kind {
        ExchangeKind::Topic => format!("orders.{number}.*"),
        _ => key(number),
    };
    let arguments = match kind {
        ExchangeKind::Headers => headers(number),
        _ => FieldTable::new(),
    };
    let destination = Destination::Queue(QueueId(queue + 1));
    BindingKey { routing_key: routing_key.into(), arguments, destination }
}

fn key(number: u64) -> String {
    format!("orders.{number}.created")
}

fn headers(number: u64) -> FieldTable {
    [("kind", "created".to_owned()), ("order", number.to_string())].into_iter().collect()
}

fn properties(kind: ExchangeKind, number: u64) -> Vec<u8> {
    let headers = (kind == ExchangeKind::Headers).then(|| headers(number));
    let mut bytes = Vec::new();
    Properties { headers, ..Properties::default() }.encode(&mut bytes);
    bytes
}

fn route(kind: ExchangeKind, binding_count: u64) -> Round {
    let router = Router::default();
    let exchange = Exchange::new(ExchangeId(1), EXCHANGE.into(), kind, false, &FieldTable::new());
    router.add(exchange.expect("an exchange"));
    (0..binding_count).for_each(|number| router.bind(EXCHANGE, &binding(kind, number)));
    // Spread over all bindings, the first and the last among them.
    let number = |input| input * (binding_count - 1) / (INPUT_COUNT as u64 - 1);
    let inputs = (0..INPUT_COUNT as u64).map(number);
    let inputs: Vec<_> = inputs.map(|number| (key(number), properties(kind, number))).collect();
    let expected = if kind == ExchangeKind::Fanout { binding_count } else { 1 };
    Box::new(move || {
        for (routing_key, properties) in &inputs {
            let routing_keys = &[routing_key.as_str()][..];
            let input = RouteInput { routing_keys, properties, random: 0, now: Moment(0) };
            let mut route = Route::default();
            let exchange = router.exchange(EXCHANGE).expect("it was added");
            router.route(&exchange, black_box(&input), &NoNames, &mut route);
            assert_eq!(route.queues.len() as u64, expected, "routed elsewhere");
        }
        INPUT_COUNT as u64
    })
}
