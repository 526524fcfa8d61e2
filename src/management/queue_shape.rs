//! What is told of a queue, under RabbitMQ's names. What the broker does not know is left out;
//! names of Leveret's own begin with `leveret_`.

use serde_json::{Map, Value, json};

use super::look::{Look, rounded};
use super::message_stats::MessageStats;
use super::samples::Subject;
use super::view::View;
use super::{arguments, connection_name, consumer_shape};
use crate::broker::{ListedQueue, QueueReport};
use crate::message::queue_options::DeliveryLimit;
use crate::message::{Message, QueueKind};
use crate::policy::Applied;
use crate::protocol::properties::PropertyView;
use crate::queue::{Counts, Report};

impl View {
    pub(super) fn shape(&self, queue: &ListedQueue) -> Value {
        let mut shape = self.basics(queue);
        if self.has_stats {
            self.add_stats(queue, &mut shape);
            return Value::Object(shape);
        }
        if self.has_totals {
            shape.extend(lengths(queue.counts()).map(|(name, count)| field(name, count)));
        }
        let policy = queue.policies().and_then(|applied| applied.user);
        shape.extend(policy.map(|policy| field("policy", &*policy)));
        Value::Object(shape)
    }

    /// One field that is there without the others.
    pub(super) fn field(&self, queue: &ListedQueue, name: &str) -> Option<Value> {
        let definition = queue.definition();
        match name {
            "name" => return Some((&*definition.name).into()),
            "vhost" => return Some(queue.virtual_host().into()),
            "durable" => return Some(definition.durable.into()),
            "type" => return Some(definition.options.kind.name().into()),
            _ => {}
        }
        if !self.has_stats {
            return None;
        }
        number(queue, name).map(Value::from)
    }

    fn basics(&self, queue: &ListedQueue) -> Map<String, Value> {
        let definition = queue.definition();
        let kind = definition.options.kind;
        let node = self.api.options.node.as_str();
        let state = if queue.is_out_of_service() { "crashed" } else { "running" };
        let mut shape = Map::from_iter([
            field("name", &*definition.name),
            field("vhost", queue.virtual_host()),
            field("type", kind.name()),
            field("durable", definition.durable),
            field("auto_delete", definition.auto_delete),
            field("exclusive", definition.is_exclusive()),
            field("arguments", arguments::shape(&definition.arguments)),
            field("node", node),
            field("state", state),
        ]);
        if kind == QueueKind::Quorum {
            let nodes = || json!([node]);
            shape.extend([field("leader", node), field("members", nodes())]);
            shape.extend([field("online", nodes())]);
        }
        shape
    }

    fn add_stats(&self, queue: &ListedQueue, shape: &mut Map<String, Value>) {
        let report = queue.report();
        let stats = MessageStats::of_queue(&report.traffic);
        let mut numbers = stats.numbers();
        let backlog = numbers.len();
        numbers.push(report.backlog.until(self.api.now()));
        let counters = numbers.len();
        let lengths = lengths(report.held.counts);
        numbers.extend(lengths.map(|(_, count)| count));
        let look = self.look(Subject::Queue(queue.incarnation()), numbers, counters);
        shape.extend(look.told(&lengths, counters, self.spans.lengths));
        let stats = stats.shape(&look, self.spans.rates);
        shape.extend(stats.map(|stats| field("message_stats", stats)));
        shape.extend(self.idle_since(report.used_at).map(|since| field("idle_since", since)));
        let capacity = capacity(&report, &look, backlog);
        shape.extend([field("consumer_capacity", capacity.clone())]);
        shape.extend([field("consumer_utilisation", capacity)]);
        shape.extend(figures(&report));
        shape.extend(policies(queue.policies()));
        shape.extend(by_kind(queue, &report));
        if let Some(connection) = queue.owner(&self.api.broker) {
            shape.insert("owner_pid_details".into(), connection_name::shape(&connection));
        }
    }
}

/// A number that is told without making JSON of all others.
fn number(queue: &ListedQueue, name: &str) -> Option<u64> {
    let counts = queue.counts();
    let count = match name {
        "messages" => counts.ready + counts.unsettled,
        "messages_ready" => counts.ready,
        "messages_unacknowledged" => counts.unsettled,
        "consumers" => counts.consumers,
        "leveret_messages_held" => counts.delayed_retry,
        "messages_ram" => queue.report().held.in_memory(),
        _ => return number_of_bytes(queue, name),
    };
    Some(count as u64)
}

fn number_of_bytes(queue: &ListedQueue, name: &str) -> Option<u64> {
    let held = || queue.report().held;
    let sum = |held: Report| held.counts.ready_bytes + held.unsettled_bytes;
    match name {
        "message_bytes" => Some(sum(held())),
        "message_bytes_ready" => Some(queue.counts().ready_bytes),
        "message_bytes_unacknowledged" => Some(held().unsettled_bytes),
        "message_bytes_ram" => Some(held().in_memory_bytes),
        _ => None,
    }
}

/// The same with each of its consumers, as it is told of a queue alone.
pub(super) fn consumers_too(view: &View, queue: &ListedQueue) -> Value {
    let mut shape = view.shape(queue);
    if let Some(shape) = shape.as_object_mut().filter(|_| view.has_stats) {
        let node = &view.api.options.node;
        let consumers = queue.consumers();
        let consumers = consumers.iter().map(|consumer| consumer_shape::shape(consumer, node));
        shape.insert("consumer_details".into(), consumers.collect());
        // To tell exchanges and channels apart would cost each message and each acknowledgement.
        shape.extend(["incoming", "deliveries"].map(|name| field(name, json!([]))));
    }
    shape
}

fn field(name: &str, value: impl Into<Value>) -> (String, Value) {
    (name.to_owned(), value.into())
}

/// How many messages it has.
fn lengths(counts: Counts) -> [(&'static str, u64); 3] {
    [
        ("messages", (counts.ready + counts.unsettled) as u64),
        ("messages_ready", counts.ready as u64),
        ("messages_unacknowledged", counts.unsettled as u64),
    ]
}

/// For which part of the time since an earlier look its consumers could have taken more at once.
fn capacity(report: &QueueReport, look: &Look, backlog: usize) -> Value {
    if report.held.counts.consumers == 0 {
        return 0.into();
    }
    let is_waiting = report.held.counts.ready > 0;
    let waited = look.share(backlog).unwrap_or(if is_waiting { 1.0 } else { 0.0 });
    rounded((1.0 - waited).clamp(0.0, 1.0)).into()
}

fn figures(report: &QueueReport) -> [(String, Value); 17] {
    let held = &report.held;
    let counts = held.counts;
    let (count, bytes) =
        (counts.ready + counts.unsettled, counts.ready_bytes + held.unsettled_bytes);
    [
        field("memory", report.memory_bytes),
        field("messages_persistent", held.logged),
        field("message_bytes_persistent", held.logged_bytes),
        field("messages_ready_ram", held.ready_in_memory),
        field("messages_unacknowledged_ram", held.unsettled_in_memory),
        field("messages_paged_out", count.saturating_sub(held.in_memory())),
        field("message_bytes_paged_out", bytes.saturating_sub(held.in_memory_bytes)),
        field("message_bytes", bytes),
        field("message_bytes_ready", counts.ready_bytes),
        field("message_bytes_unacknowledged", held.unsettled_bytes),
        field("messages_ram", held.in_memory()),
        field("message_bytes_ram", held.in_memory_bytes),
        field("leveret_messages_held", counts.delayed_retry),
        field("consumers", counts.consumers),
        field("exclusive_consumer_tag", report.exclusive_consumer_tag.as_deref()),
        field("single_active_consumer_tag", report.single_active_consumer_tag.as_deref()),
        field("head_message_timestamp", held.head.as_ref().and_then(timestamp)),
    ]
}

fn policies(applied: Option<Applied>) -> [(String, Value); 3] {
    let Applied { user, operator, settings } = applied.unwrap_or_default();
    [
        field("policy", user.as_deref()),
        field("operator_policy", operator.as_deref()),
        field("effective_policy_definition", settings),
    ]
}

/// What only queues of one type have in RabbitMQ. Of others it is told where it is set.
fn by_kind(queue: &ListedQueue, report: &QueueReport) -> Vec<(String, Value)> {
    let is_quorum = queue.definition().options.kind == QueueKind::Quorum;
    let mut fields = Vec::new();
    match queue.delivery_limit() {
        DeliveryLimit::Returns(limit) => fields.push(field("delivery_limit", limit)),
        DeliveryLimit::Unlimited if is_quorum => fields.push(field("delivery_limit", "unlimited")),
        DeliveryLimit::Unlimited => {}
    }
    if is_quorum || report.held.dead_letters > 0 {
        fields.push(field("messages_dlx", report.held.dead_letters));
        fields.push(field("message_bytes_dlx", report.held.dead_letter_bytes));
    }
    if !is_quorum {
        fields.push(field("storage_version", 2));
    }
    fields
}

/// When a message was made, as its publisher says.
fn timestamp(message: &Message) -> Option<u64> {
    PropertyView::parse(message.properties()).ok()?.timestamp
}
