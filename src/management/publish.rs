//! `/api/exchanges/.../publish`: one message, answered when it is safe, as a confirm is.

use std::time::Duration;

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
use super::direct::{ACCESS_REFUSED, event, refused};
use super::exchanges::named;
use super::names::Names;
use super::refusal::Refusal;
use super::{answer, properties, wish};
use crate::broker::DirectChannel;
use crate::connection::Event;
use crate::limits::{BODY_COPIED_SIZE_MAX, MANAGEMENT_PUBLISH_PATIENCE_MS};
use crate::message::{Body as MessageBody, Envelope, Message};

pub(super) fn routes() -> Router<Shared> {
    Router::new().route("/exchanges/{vhost}/{exchange}/publish", post(publish))
}

async fn publish(
    State(api): State<Shared>,
    caller: Caller,
    Names((host, exchange)): Names<(String, String)>,
    body: Body,
) -> Result<Response, Refusal> {
    let check = |caller: &Caller| check_enters(&api, caller, &host);
    let size_max = api.options.body_size_max;
    let fields = Fields::read_up_to(size_max, body, &api, &caller, check).await?;
    fields.check_has(&["routing_key", "properties", "payload", "payload_encoding"])?;
    let message = message(&exchange, fields.0)?;
    let mut channel = api.channel(&caller, &host)?;
    wait_for_turn(&api, &channel).await?;
    channel.publish(message, api.now());
    let is_routed = is_routed(&mut channel).await?;
    Ok(answer::json(&json!({"routed": is_routed})))
}

/// Who has messages published or got needs access to the virtual host. That there is none of its
/// name RabbitMQ tells nobody here.
pub(super) fn check_enters(api: &Api, caller: &Caller, host: &str) -> Result<(), Refusal> {
    api.check_host(host).map_err(|_| ACCESS_REFUSED)?;
    caller.check_sees_in(host)
}

fn message(exchange: &str, mut fields: Map<String, Value>) -> Result<Message, Refusal> {
    let exchange = wish::name("exchange", named(exchange))?;
    let payload = payload(&mut fields)?;
    let routing_key = wish::short_text(&fields, "routing_key")?.unwrap_or_default();
    let read = properties::read(fields.get("properties").unwrap_or(&Value::Null))?;
    let mut properties = Vec::new();
    read.encode(&mut properties);
    let envelope = Envelope {
        exchange: &exchange,
        routing_key,
        properties: &properties,
        is_persistent: read.delivery_mode == Some(2),
    };
    let is_large = payload.len() as u64 > BODY_COPIED_SIZE_MAX;
    Ok(match is_large {
        true => Message::new(envelope, MessageBody::Shared(vec![payload.into()])),
        false => Message::new(envelope, MessageBody::Copied(&payload)),
    })
}

fn payload(fields: &mut Map<String, Value>) -> Result<Vec<u8>, Refusal> {
    let Some(Value::String(payload)) = fields.remove("payload") else {
        return Err(Refusal::bad("payload_not_string"));
    };
    match fields.get("payload_encoding").and_then(Value::as_str) {
        Some("string") => Ok(payload.into_bytes()),
        Some("base64") => {
            STANDARD.decode(&payload).map_err(|_| Refusal::Bad(json!(["not_base64", payload])))
        }
        _ => Err(Refusal::Bad(json!(["unsupported_encoding", fields.get("payload_encoding")]))),
    }
}

/// Limits on the rate of publishing hold here, too.
async fn wait_for_turn(api: &Api, channel: &DirectChannel) -> Result<(), Refusal> {
    if channel.is_blocked() {
        return Err(Refusal::Unavailable("publishers are blocked: low on disk"));
    }
    let now = api.now();
    match channel.may_publish_at(now).since(now) {
        0 => Ok(()),
        wait_ms if wait_ms > MANAGEMENT_PUBLISH_PATIENCE_MS => {
            Err(Refusal::Unavailable("more was published than a limit allows"))
        }
        wait_ms => {
            tokio::time::sleep(Duration::from_millis(wait_ms)).await;
            Ok(())
        }
    }
}

/// Whether any queue took what was published, once it is safe.
async fn is_routed(channel: &mut DirectChannel) -> Result<bool, Refusal> {
    let mut is_returned = false;
    loop {
        match event(channel).await {
            Event::Returned { .. } => is_returned = true,
            Event::Confirmed { .. } => return Ok(!is_returned),
            Event::Rejected { .. } => {
                let reason = "rejected Unable to publish message. Check queue limits.";
                return Err(Refusal::bad(reason));
            }
            Event::Refused { error, .. } => return Err(refused(error)),
            // Nothing else is asked for.
            _ => {}
        }
    }
}
