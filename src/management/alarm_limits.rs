//! `/api/leveret/memory-high-watermark` and `/api/leveret/disk-free-limit`: from where on
//! publishers are blocked, as `rabbitmqctl` sets it. RabbitMQ's API has nothing of the kind. What
//! is set holds until the node stops, as there.

use axum::body::Body;
use axum::extract::State;
use axum::response::Response;
use serde_json::{Map, Value, json};

use super::answer;
use super::api::Shared;
use super::body::Fields;
use super::caller::Caller;
use super::operation::{Field, Kind, Operation};
use super::refusal::Refusal;
use super::routes::Routes;
use crate::broker::Watermark;

pub(super) fn routes() -> Routes {
    const MEMORY: &str = "/leveret/memory-high-watermark";
    const DISK: &str = "/leveret/disk-free-limit";
    let limit = |summary| Operation::done(summary).takes(FIELDS);
    Routes::new()
        .get(MEMORY, Operation::item("From which memory on publishers are blocked"), memory)
        .put(MEMORY, limit("Sets from which memory on they are"), set_memory)
        .get(DISK, Operation::item("Below which free disk publishers are blocked"), disk)
        .put(DISK, limit("Sets below which free disk they are"), set_disk)
}

const FIELDS: &[Field] = &[("absolute", Kind::Number), ("relative", Kind::Any)];

const FRACTION: &str = "the threshold should be a fraction between 0.0 and 1.0";

async fn memory(State(api): State<Shared>, caller: Caller) -> Result<Response, Refusal> {
    caller.check_monitor()?;
    let broker = &api.broker;
    Ok(answer::json(&shape(broker.memory_high_watermark(), broker.memory_limit())))
}

async fn set_memory(
    State(api): State<Shared>,
    caller: Caller,
    body: Body,
) -> Result<Response, Refusal> {
    let fields = Fields::read(body, &api, &caller, Caller::check_administrator).await?;
    match watermark(&fields.0)? {
        // Above more than all memory nobody would ever be blocked.
        Watermark::Relative(part) if part > 1.0 => Err(Refusal::bad(FRACTION)),
        set => {
            api.broker.set_memory_high_watermark(set);
            Ok(answer::done())
        }
    }
}

async fn disk(State(api): State<Shared>, caller: Caller) -> Result<Response, Refusal> {
    caller.check_monitor()?;
    let broker = &api.broker;
    Ok(answer::json(&shape(broker.disk_free_watermark(), broker.disk_free_limit())))
}

async fn set_disk(
    State(api): State<Shared>,
    caller: Caller,
    body: Body,
) -> Result<Response, Refusal> {
    let fields = Fields::read(body, &api, &caller, Caller::check_administrator).await?;
    api.broker.set_disk_free_limit(watermark(&fields.0)?);
    Ok(answer::done())
}

/// As it was set, and the bytes that it comes to.
fn shape(set: Watermark, bytes: u64) -> Value {
    match set {
        Watermark::Absolute(absolute) => json!({"absolute": absolute, "bytes": bytes}),
        Watermark::Relative(relative) => json!({"relative": relative, "bytes": bytes}),
    }
}

/// One of the two ways to say it.
fn watermark(fields: &Map<String, Value>) -> Result<Watermark, Refusal> {
    let unclear = || Refusal::bad("expected {\"absolute\": BYTES} or {\"relative\": NUMBER}");
    match (fields.get("absolute"), fields.get("relative")) {
        (Some(bytes), None) => bytes.as_u64().map(Watermark::Absolute).ok_or_else(unclear),
        (None, Some(part)) => {
            let part = part.as_f64().filter(|part| *part >= 0.0 && part.is_finite());
            part.map(Watermark::Relative).ok_or_else(unclear)
        }
        (Some(_), Some(_)) | (None, None) => Err(unclear()),
    }
}
