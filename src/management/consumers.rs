//! `/api/consumers`: who consumes from which queue. What is told of one is in `consumer_shape`.

use axum::extract::State;
use axum::response::Response;
use serde_json::Value;

use super::api::{Api, Shared};
use super::caller::Caller;
use super::consumer_shape;
use super::list::{self, ListWish, Row};
use super::names::Names;
use super::operation::Operation;
use super::query::Query;
use super::refusal::Refusal;
use super::routes::Routes;
use super::turns::Turns;
use crate::broker::ListedConsumer;

pub(super) fn routes() -> Routes {
    Routes::new().get("/consumers", Operation::list("All consumers"), list).get(
        "/consumers/{vhost}",
        Operation::list("Consumers in a virtual host"),
        list_in_host,
    )
}

async fn list(
    State(api): State<Shared>,
    caller: Caller,
    query: Query,
) -> Result<Response, Refusal> {
    let mut rows = Vec::new();
    for host in api.broker.host_names() {
        if caller.may_see_in(&host) {
            rows.append(&mut consumers(&api, &host).await);
        }
    }
    list::answer(rows, ListWish::whole(&query)).await
}

/// Who has no access sees none, as in RabbitMQ.
async fn list_in_host(
    State(api): State<Shared>,
    caller: Caller,
    Names(host): Names<String>,
    query: Query,
) -> Result<Response, Refusal> {
    api.check_host(&host)?;
    let sees_them = caller.may_see_in(&host);
    let rows = if sees_them { consumers(&api, &host).await } else { Vec::new() };
    list::answer(rows, ListWish::whole(&query)).await
}

/// Every queue is asked, and others have their turns in between.
async fn consumers(api: &Api, host: &str) -> Vec<ConsumerRow> {
    let (mut rows, mut turns) = (Vec::new(), Turns::default());
    for queue in api.broker.queues(host) {
        let consumers = queue.consumers();
        turns.spend(1 + consumers.len()).await;
        let row = |consumer| ConsumerRow { consumer, node: api.options.node.clone() };
        rows.extend(consumers.into_iter().map(row));
    }
    rows
}

/// A consumer in a list.
struct ConsumerRow {
    consumer: ListedConsumer,
    node: String,
}

impl Row for ConsumerRow {
    type Key<'a> = (&'a str, &'a str, &'a str, Option<&'a str>, u16);

    fn key(&self) -> Self::Key<'_> {
        let consumer = &self.consumer;
        let connection = consumer.connection.as_ref().map(|(connection, _)| &**connection);
        let queue = &consumer.queue;
        (queue.virtual_host(), self.name(), &consumer.consumer_tag, connection, consumer.channel)
    }

    fn virtual_host(&self) -> &str {
        self.consumer.queue.virtual_host()
    }

    fn name(&self) -> &str {
        &self.consumer.queue.definition().name
    }

    fn shape(&self) -> Value {
        consumer_shape::shape(&self.consumer, &self.node)
    }
}
