//! `/api/leveret/events`: what happens in the node as lines of JSON, as RabbitMQ's
//! `consume_event_stream` has them. It watches as a client could: a queue of its own is bound to
//! the event exchange, and goes when the watcher does. Who reads too slowly loses the oldest.

use std::fmt::Write;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::task::{Poll, Waker};

use axum::body::Bytes;
use axum::extract::State;
use axum::response::Response;
use serde_json::Value;

use super::api::{Api, Shared};
use super::caller::Caller;
use super::direct::{self, declaration_refused};
use super::growing_text::GrowingText;
use super::operation::Operation;
use super::query::Query;
use super::refusal::Refusal;
use super::routes::Routes;
use super::{answer, properties};
use crate::broker::DirectChannel;
use crate::connection::command::{Bind, Command, DeclareQueue};
use crate::connection::{Event, Reply};
use crate::definitions::Pattern;
use crate::limits::{STREAM_CHUNK_SIZE, WATCHED_EVENTS_MAX};
use crate::message::{Delivery, Name, Outcome};
use crate::protocol::field::{FieldTable, FieldValue};

/// The exchange that tells.
const EXCHANGE: &str = "amq.rabbitmq.event";

/// What every event matches: RabbitMQ's default.
const ALL: &str = ".*";

/// Why there is nothing to watch.
const SWITCHED_OFF: &str =
    "events are switched off: event_exchange.enabled in the configuration switches them on";

pub(super) fn routes() -> Routes {
    let events = Operation::text("What happens in the node, as it happens").asks(&["pattern"]);
    Routes::new().get("/leveret/events", events, watch)
}

async fn watch(
    State(api): State<Shared>,
    caller: Caller,
    query: Query,
) -> Result<Response, Refusal> {
    caller.check_administrator()?;
    let pattern = Pattern::parse(query.value("pattern").unwrap_or(ALL));
    let pattern = pattern.map_err(|error| Refusal::bad(format!("Invalid pattern: {error}")))?;
    let host = host(&api).ok_or(Refusal::Unavailable(SWITCHED_OFF))?;
    let number = api.watchers.fetch_add(1, Ordering::Relaxed);
    let queue: Name = format!("amq.gen-events-{}-{number}", api.now().0).into();
    let mut channel = api.channel(&caller, &host)?;
    for command in [declare(queue.clone()), bind(queue.clone())] {
        channel.ask(command, api.now());
        direct::answer(&mut channel).await.map_err(declaration_refused)?;
    }
    let mut watcher = Watcher { api, channel, host, queue, pattern };
    Ok(answer::text_stream(GrowingText::new(move || watcher.gather())))
}

/// The virtual host that has the exchange.
fn host(api: &Api) -> Option<Name> {
    let mut hosts = api.broker.host_names().into_iter();
    hosts.find(|host| api.broker.exchange(host, EXCHANGE).is_some())
}

fn declare(queue: Name) -> Command {
    let entries = [
        ("x-max-length", FieldValue::I64(WATCHED_EVENTS_MAX)),
        ("x-overflow", "drop-head".into()),
        ("x-queue-type", "classic".into()),
    ];
    Command::DeclareQueue(DeclareQueue {
        queue,
        is_server_named: true,
        passive: false,
        durable: false,
        exclusive: true,
        auto_delete: true,
        arguments: entries.into_iter().collect(),
    })
}

fn bind(queue: Name) -> Command {
    Command::Bind(Bind {
        is_unbind: false,
        source: EXCHANGE.into(),
        destination: queue,
        to_exchange: false,
        routing_key: "#".into(),
        arguments: FieldTable::new(),
    })
}

/// Who takes events as they come.
struct Watcher {
    api: Arc<Api>,
    channel: DirectChannel,
    host: Name,
    queue: Name,
    pattern: Pattern,
}

impl Watcher {
    /// What is there to tell; nothing where the queue is gone.
    fn gather(&mut self) -> Option<Bytes> {
        let mut text = String::new();
        while text.len() < STREAM_CHUNK_SIZE && self.has_messages()? {
            let Some(delivery) = self.take() else { break };
            self.tell(&delivery, &mut text);
        }
        self.channel.settle(Outcome::Accepted, self.api.now());
        Some(text.into())
    }

    /// Looking is no get, of which there are statistics.
    fn has_messages(&self) -> Option<bool> {
        Some(self.api.broker.queue(&self.host, &self.queue)?.counts().ready > 0)
    }

    /// The next one. It is in memory: nobody has to be waited for.
    fn take(&mut self) -> Option<Delivery> {
        let get = Command::Get { queue: self.queue.clone(), no_ack: false };
        self.channel.ask(get, self.api.now());
        loop {
            match self.channel.poll(Waker::noop()) {
                Poll::Ready(Event::Answered { reply: Reply::Got { delivery, .. }, .. }) => {
                    return Some(delivery);
                }
                Poll::Ready(Event::Answered { .. } | Event::Refused { .. }) | Poll::Pending => {
                    return None;
                }
                Poll::Ready(_) => {}
            }
        }
    }

    /// Adds an event where it is wished for. What the watcher itself does is none.
    fn tell(&self, delivery: &Delivery, text: &mut String) {
        let message = &delivery.message;
        let key = message.routing_key();
        let properties = properties::shape(message.properties());
        let headers = properties.get("headers").and_then(Value::as_object);
        let is_own = |name: &str| {
            let value = headers.and_then(|headers| headers.get(name)).and_then(Value::as_str);
            value == Some(&*self.queue)
        };
        if !self.pattern.matches(key) || is_own("name") || is_own("destination_name") {
            return;
        }
        // What it is comes first, for the eyes of people.
        let _ = write!(text, "{{\"event\":{}", Value::from(key));
        for (name, value) in headers.into_iter().flatten() {
            let _ = write!(text, ",{}:{value}", Value::from(name.as_str()));
        }
        text.push_str("}\n");
    }
}
