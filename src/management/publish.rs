//! `/api/exchanges/.../publish`: one message, answered when it is safe, as a confirm is.

use std::future::poll_fn;
use std::time::Duration;

use axum::body::Body;
use axum::extract::State;
use axum::response::Response;
use serde_json::{Value, json};

use super::api::{Api, Shared};
use super::caller::Caller;
use super::direct::{ACCESS_REFUSED, event, refused};
use super::exchanges::named;
use super::names::Names;
use super::operation::{Field, Kind, Operation};
use super::publish_wish::PublishWish;
use super::refusal::Refusal;
use super::routes::Routes;
use super::{answer, body, properties, wish};
use crate::broker::{DirectChannel, Rejection};
use crate::connection::Event;
use crate::limits::{BODY_COPIED_SIZE_MAX, MANAGEMENT_PUBLISH_PATIENCE_MS};
use crate::message::{Body as MessageBody, Envelope, Message};

pub(super) fn routes() -> Routes {
    let message = Operation::item("Publishes a message").needs(FIELDS);
    Routes::new().post("/exchanges/{vhost}/{exchange}/publish", message, publish)
}

const FIELDS: &[Field] = &[
    ("properties", Kind::Object),
    ("routing_key", Kind::Text),
    ("payload", Kind::Text),
    ("payload_encoding", Kind::Text),
];

async fn publish(
    State(api): State<Shared>,
    caller: Caller,
    Names((host, exchange)): Names<(String, String)>,
    body: Body,
) -> Result<Response, Refusal> {
    let message = read(&api, &caller, (&host, &exchange), body).await?;
    let size = message.body_size() + message.properties().len() as u64;
    // Nobody else counts it before it is in a queue.
    let charge = api.broker.charge(size);
    let patience = Duration::from_millis(MANAGEMENT_PUBLISH_PATIENCE_MS);
    let mut channel = channel_in_turn(&api, &caller, &host, &message, patience).await?;
    channel.publish(message, api.now());
    drop(charge);
    let is_routed = is_routed(&mut channel).await?;
    Ok(answer::json(&json!({"routed": is_routed})))
}

/// The message that a body describes.
async fn read(
    api: &Api,
    caller: &Caller,
    (host, exchange): (&str, &str),
    body: Body,
) -> Result<Message, Refusal> {
    let check = |caller: &Caller| check_enters(api, caller, host);
    let bytes = body::bytes(body, api, caller, api.options.body_size_max, check).await?;
    message(exchange, PublishWish::read(&bytes)?)
}

/// Who has messages published or got needs access to the virtual host. That there is none of its
/// name RabbitMQ tells nobody here.
pub(super) fn check_enters(api: &Api, caller: &Caller, host: &str) -> Result<(), Refusal> {
    api.check_host(host).map_err(|_| ACCESS_REFUSED)?;
    caller.check_sees_in(host)
}

fn message(exchange: &str, wish: PublishWish) -> Result<Message, Refusal> {
    let PublishWish { payload, fields } = wish;
    let exchange = wish::name("exchange", named(exchange))?;
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

/// A channel whose turn it is. What holds publishers back who have a connection holds here, too,
/// for so long.
pub(super) async fn channel_in_turn(
    api: &Api,
    caller: &Caller,
    host: &str,
    message: &Message,
    patience: Duration,
) -> Result<DirectChannel, Refusal> {
    let next = next_channel(api, caller, host, message.is_persistent());
    let late = |_| Err(Refusal::Unavailable("publishers are held back, and it took too long"));
    tokio::time::timeout(patience, next).await.unwrap_or_else(late)
}

async fn next_channel(
    api: &Api,
    caller: &Caller,
    host: &str,
    is_persistent: bool,
) -> Result<DirectChannel, Refusal> {
    loop {
        // After each wait it is another one: who may enter may have changed.
        let channel = api.channel(&caller.as_it_is_now(api)?, host)?;
        if wait_for_turn(api, &channel, is_persistent).await? {
            return Ok(channel);
        }
    }
}

/// Waits for what comes first in the way. True where nothing does.
async fn wait_for_turn(
    api: &Api,
    channel: &DirectChannel,
    is_persistent: bool,
) -> Result<bool, Refusal> {
    if channel.is_held_back(is_persistent) {
        poll_fn(|context| channel.poll_room(context.waker())).await;
        return Ok(false);
    }
    let now = api.now();
    match channel.may_publish_at(now).since(now) {
        0 => Ok(true),
        wait_ms if wait_ms > MANAGEMENT_PUBLISH_PATIENCE_MS => {
            Err(Refusal::Unavailable("more was published than a limit allows"))
        }
        wait_ms => {
            tokio::time::sleep(Duration::from_millis(wait_ms)).await;
            Ok(false)
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
            Event::Rejected { .. } => return Err(rejected(channel.rejection())),
            Event::Refused { error, .. } => return Err(refused(error)),
            // Nothing else is asked for.
            _ => {}
        }
    }
}

fn rejected(rejection: Rejection) -> Refusal {
    match rejection {
        Rejection::Full => Refusal::bad("rejected Unable to publish message. Check queue limits."),
        Rejection::OutOfService => {
            Refusal::Failed("the message was rejected: a queue is out of service".into())
        }
        Rejection::NotStored(why) => {
            Refusal::Failed(format!("the message could not be stored: {why}"))
        }
    }
}
