//! `/api/queues/.../get`: some messages, which go back to their queue or are gone. This is for
//! looking at a queue, not for consuming it.

use axum::body::Body;
use axum::extract::State;
use axum::response::Response;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::Serialize;
use serde_json::{Map, Value};
use tokio::task::yield_now;

use super::api::{Api, Shared};
use super::body::Fields;
use super::caller::Caller;
use super::charged::Charged;
use super::direct::{answer as next_answer, get_refused};
use super::names::Names;
use super::operation::{Field, Kind, Operation};
use super::publish::check_enters;
use super::refusal::Refusal;
use super::routes::Routes;
use super::{answer, properties, wish};
use crate::broker::DirectChannel;
use crate::connection::{Command, Reply};
use crate::limits::{LIST_CHUNK_SIZE, MANAGEMENT_GET_COUNT_MAX, MANAGEMENT_GET_SIZE_MAX};
use crate::message::{Delivery, Message, Name, Outcome};

pub(super) fn routes() -> Routes {
    let messages = Operation::all("Gets messages").needs(NEEDED).takes(OPTIONAL);
    Routes::new().post("/queues/{vhost}/{queue}/get", messages, get)
}

const NEEDED: &[Field] =
    &[("count", Kind::NumberOrText), ("ackmode", Kind::Text), ("encoding", Kind::Text)];

const OPTIONAL: &[Field] = &[("truncate", Kind::NumberOrText)];

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
    Ok(answer::made(messages.into_bytes()))
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
                None => MANAGEMENT_GET_SIZE_MAX,
                Some(Ok(size)) => size.min(MANAGEMENT_GET_SIZE_MAX),
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

/// Gets one after the other, as JSON. They stay out meanwhile: what goes back at once would come
/// again, and what is acknowledged only when all are there is not lost to a client that goes away.
async fn messages(
    api: &Api,
    channel: &mut DirectChannel,
    queue: &Name,
    wish: &GetWish,
) -> Result<Charged, Refusal> {
    let (mut all, mut size_before) = (Charged::new(api), 0);
    for at in 0..wish.count {
        if all.len() >= MANAGEMENT_GET_SIZE_MAX {
            break;
        }
        channel.ask(Command::Get { queue: queue.clone(), no_ack: false }, api.now());
        let reply = next_answer(channel).await.map_err(get_refused)?;
        let Reply::Got { delivery, message_count, .. } = reply else { break };
        all.extend(if at == 0 { b"[" } else { b"," });
        let payload = shown(&delivery.message, wish.shown_size_max);
        let shape = Shape::of(&delivery, message_count, payload, wish.is_base64);
        let written = serde_json::to_writer(&mut all, &shape);
        written.map_err(|error| Refusal::Failed(error.to_string()))?;
        if all.len() - size_before >= LIST_CHUNK_SIZE {
            size_before = all.len();
            yield_now().await;
        }
    }
    all.extend(if all.len() == 0 { &b"[]"[..] } else { b"]" });
    Ok(all)
}

/// The beginning of a body.
fn shown(message: &Message, size_max: usize) -> Vec<u8> {
    let size = usize::try_from(message.body_size()).unwrap_or(usize::MAX).min(size_max);
    let mut payload = Vec::with_capacity(size);
    for part in message.body() {
        let bytes = part.as_slice();
        let left = size - payload.len();
        payload.extend_from_slice(bytes.get(..left).unwrap_or(bytes));
    }
    payload
}

/// A message as it is told.
#[derive(Debug, Serialize)]
struct Shape<'a> {
    exchange: &'a str,
    message_count: u32,
    payload: String,
    payload_bytes: u64,
    payload_encoding: &'static str,
    properties: Value,
    redelivered: bool,
    routing_key: &'a str,
}

impl<'a> Shape<'a> {
    fn of(delivery: &'a Delivery, left_count: u32, payload: Vec<u8>, is_base64: bool) -> Self {
        let message = &delivery.message;
        let text = if is_base64 { Err(payload) } else { text(payload) };
        let (payload, payload_encoding) = match text {
            Ok(text) => (text, "string"),
            Err(bytes) => (STANDARD.encode(bytes), "base64"),
        };
        Self {
            exchange: message.exchange(),
            message_count: left_count,
            payload,
            payload_bytes: message.body_size(),
            payload_encoding,
            properties: properties::shape(message.properties()),
            redelivered: delivery.is_redelivered,
            routing_key: message.routing_key(),
        }
    }
}

/// The text that bytes are, or the bytes.
fn text(bytes: Vec<u8>) -> Result<String, Vec<u8>> {
    String::from_utf8(bytes).map_err(std::string::FromUtf8Error::into_bytes)
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;
    use crate::message::{Body as MessageBody, Envelope};

    /// All of a body was once copied, and the rest thrown away.
    #[test]
    fn of_a_body_no_more_is_copied_than_is_shown() {
        let envelope =
            Envelope { exchange: "", routing_key: "", properties: &[0, 0], is_persistent: false };
        let parts = ["ab", "cd", "ef"].map(Bytes::from).to_vec();
        let message = Message::new(envelope, MessageBody::Shared(parts));
        for (size_max, expected) in [(0, ""), (1, "a"), (2, "ab"), (3, "abc"), (9, "abcdef")] {
            let payload = shown(&message, size_max);
            assert_eq!(payload, expected.as_bytes());
            assert!(payload.capacity() <= size_max);
        }
        let message = Message::new(envelope, MessageBody::Copied(b"abc"));
        assert_eq!(shown(&message, 2), b"ab");
    }
}
