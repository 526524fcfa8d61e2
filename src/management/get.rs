//! `/api/queues/.../get`: some messages, which go back to their queue or are gone. This is for
//! looking at a queue, not for consuming it.

use axum::Router;
use axum::body::Body;
use axum::extract::State;
use axum::response::Response;
use axum::routing::post;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value, json};

use super::api::{Api, Shared};
use super::body::Fields;
use super::caller::Caller;
use super::direct::{answer as next_answer, get_refused};
use super::names::Names;
use super::publish::check_enters;
use super::refusal::Refusal;
use super::{answer, properties, wish};
use crate::broker::DirectChannel;
use crate::connection::{Command, Reply};
use crate::limits::{MANAGEMENT_GET_COUNT_MAX, MANAGEMENT_GET_SIZE_MAX};
use crate::message::{Delivery, Name, Outcome};

pub(super) fn routes() -> Router<Shared> {
    Router::new().route("/queues/{vhost}/{queue}/get", post(get))
}

/// What is asked of a queue.
#[derive(Debug)]
struct GetWish {
    outcome: Outcome,
    count: usize,
    /// Payloads are encoded also where they are text.
    is_base64: bool,
    /// Bytes of a payload that are shown at most.
    shown_size_max: usize,
}

async fn get(
    State(api): State<Shared>,
    caller: Caller,
    Names((host, queue)): Names<(String, String)>,
    body: Body,
) -> Result<Response, Refusal> {
    let check = |caller: &Caller| check_enters(&api, caller, &host);
    let fields = Fields::read(body, &api, &caller, check).await?;
    fields.check_has(&["ackmode", "count", "encoding"])?;
    let wish = GetWish::of(&fields.0)?;
    let mut channel = api.channel(&caller, &host)?;
    let messages = messages(&api, &mut channel, &queue.into(), &wish).await?;
    channel.settle(wish.outcome, api.now());
    Ok(answer::json(&Value::Array(messages)))
}

impl GetWish {
    fn of(fields: &Map<String, Value>) -> Result<Self, Refusal> {
        let number = |name| fields.get(name).map(wish::integer).transpose();
        let count = number("count")?.unwrap_or_default();
        let shown_size_max = number("truncate")?.map(usize::try_from);
        Ok(Self {
            outcome: outcome(fields)?,
            // One below zero is never reached: all there are.
            count: usize::try_from(count).unwrap_or(usize::MAX).min(MANAGEMENT_GET_COUNT_MAX),
            is_base64: is_base64(fields)?,
            shown_size_max: match shown_size_max {
                None => usize::MAX,
                Some(Ok(size)) => size,
                Some(Err(_)) => return Err(Refusal::bad("truncate must not be negative")),
            },
        })
    }
}

/// What becomes of messages that were shown.
fn outcome(fields: &Map<String, Value>) -> Result<Outcome, Refusal> {
    match fields.get("ackmode").and_then(Value::as_str) {
        Some("ack_requeue_true") => Ok(Outcome::Requeued),
        Some("ack_requeue_false") => Ok(Outcome::Accepted),
        Some("reject_requeue_true") => Ok(Outcome::Failed),
        Some("reject_requeue_false") => Ok(Outcome::Rejected),
        _ => Err(Refusal::bad(
            "ackmode must be one of ack_requeue_true, ack_requeue_false, reject_requeue_true, \
             reject_requeue_false",
        )),
    }
}

fn is_base64(fields: &Map<String, Value>) -> Result<bool, Refusal> {
    match fields.get("encoding").and_then(Value::as_str) {
        Some("auto") => Ok(false),
        Some("base64") => Ok(true),
        _ => Err(Refusal::bad("Unsupported encoding. Please use auto or base64.")),
    }
}

/// Gets one after the other. They stay out meanwhile: what goes back at once would come again, and
/// what is acknowledged only when all are there is not lost to a client that goes away.
async fn messages(
    api: &Api,
    channel: &mut DirectChannel,
    queue: &Name,
    wish: &GetWish,
) -> Result<Vec<Value>, Refusal> {
    let (mut messages, mut size) = (Vec::new(), 0);
    while messages.len() < wish.count && size < MANAGEMENT_GET_SIZE_MAX {
        channel.ask(Command::Get { queue: queue.clone(), no_ack: false }, api.now());
        let reply = next_answer(channel).await.map_err(get_refused)?;
        let Reply::Got { delivery, message_count, .. } = reply else { break };
        let mut payload = delivery.message.body_to_vec();
        payload.truncate(wish.shown_size_max);
        size += payload.len();
        messages.push(shape(&delivery, message_count, payload, wish.is_base64));
    }
    Ok(messages)
}

fn shape(delivery: &Delivery, left_count: u32, payload: Vec<u8>, is_base64: bool) -> Value {
    let message = &delivery.message;
    let text = if is_base64 { Err(payload) } else { text(payload) };
    let (payload, encoding) = match text {
        Ok(text) => (text, "string"),
        Err(bytes) => (STANDARD.encode(bytes), "base64"),
    };
    json!({
        "payload_bytes": message.body_size(),
        "redelivered": delivery.is_redelivered,
        "exchange": message.exchange(),
        "routing_key": message.routing_key(),
        "message_count": left_count,
        "properties": properties::shape(message.properties()),
        "payload": payload,
        "payload_encoding": encoding,
    })
}

/// The text that bytes are, or the bytes.
fn text(bytes: Vec<u8>) -> Result<String, Vec<u8>> {
    String::from_utf8(bytes).map_err(std::string::FromUtf8Error::into_bytes)
}
