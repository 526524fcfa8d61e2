//! `/ws/amqp`: AMQP over a WebSocket, for programs in web browsers. The bytes of AMQP are those of
//! binary messages, wherever those are cut; what they mean, and who may log in, the node's other
//! door knows.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use axum::body::Bytes;
use axum::extract::State;
use axum::extract::ws::{CloseFrame, Message, WebSocket, WebSocketUpgrade, close_code};
use axum::http::{HeaderMap, HeaderValue, header};
use axum::response::Response;
use axum::routing::any;
use axum::{Extension, Router};
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex};
use tracing::warn;

use super::api::Shared;
use super::headers::CrossOrigin;
use super::node_control::Service;
use super::refusal::Refusal;
use crate::broker::{Encryption, Peer};
use crate::limits::{PIPE_BUFFER_SIZE, SHOWN_ORIGIN_SIZE_MAX, WEBSOCKET_MESSAGE_SIZE_MAX};

/// What WebSockets that carry AMQP say of themselves.
const PROTOCOL: &str = "amqp";

/// Begins a session of AMQP over a stream.
pub type AmqpDoor = Box<dyn Fn(DuplexStream, Visit) + Send + Sync>;

/// A connection as the node hands it in.
#[derive(Clone, Debug)]
pub struct Visit {
    /// Where its client is.
    pub peer: Peer,
    /// Where it comes from and goes to.
    pub name: String,
    /// How it is encrypted.
    pub encryption: Option<Encryption>,
}

impl From<Peer> for Visit {
    fn from(peer: Peer) -> Self {
        Self { peer, name: "in process".to_owned(), encryption: None }
    }
}

/// Whether a connection has become a WebSocket: HTTP's deadlines are no longer its own.
#[derive(Clone, Debug, Default)]
pub(super) struct Upgraded(Arc<AtomicBool>);

impl Upgraded {
    pub(super) fn is_set(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }

    fn set(&self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

pub(super) fn routes() -> Router<Shared> {
    Router::new().route("/ws/amqp", any(upgrade))
}

async fn upgrade(
    State(api): State<Shared>,
    Extension(visit): Extension<Visit>,
    Extension(upgraded): Extension<Upgraded>,
    headers: HeaderMap,
    socket: WebSocketUpgrade,
) -> Result<Response, Refusal> {
    if api.options.amqp.is_none() {
        return Err(Refusal::NotFound);
    }
    check_origin(&headers, &api.options.cross_origin, &visit.name)?;
    let socket = socket.protocols([PROTOCOL]);
    if headers.contains_key(header::SEC_WEBSOCKET_PROTOCOL) && socket.selected_protocol().is_none()
    {
        return Err(Refusal::bad("the subprotocol of this WebSocket is amqp"));
    }
    let Service { is_suspended, is_drained } = api.options.facts.control.service();
    if is_suspended || is_drained {
        return Err(Refusal::Unavailable("the node lets no clients in"));
    }
    let socket = socket
        .max_frame_size(WEBSOCKET_MESSAGE_SIZE_MAX)
        .max_message_size(WEBSOCKET_MESSAGE_SIZE_MAX);
    Ok(socket.on_upgrade(move |socket| async move {
        upgraded.set();
        let (near, far) = duplex(PIPE_BUFFER_SIZE);
        if let Some(begin) = &api.options.amqp {
            begin(far, visit);
            drop(api);
            carry(socket, near).await;
        }
    }))
}

/// Browsers let every page open a WebSocket to anywhere, and leave it to the other side whom it
/// lets in: a page that somebody here looks at could log in as guest.
fn check_origin(
    headers: &HeaderMap,
    cross_origin: &CrossOrigin,
    connection: &str,
) -> Result<(), Refusal> {
    let host = headers.get(header::HOST);
    let is_let = |origin: &&HeaderValue| is_own(origin, host) || cross_origin.lets(origin);
    let Some(origin) = headers.get_all(header::ORIGIN).iter().find(|origin| !is_let(origin)) else {
        return Ok(());
    };
    let origin = String::from_utf8_lossy(origin.as_bytes());
    let shown = origin.get(..origin.floor_char_boundary(SHOWN_ORIGIN_SIZE_MAX)).unwrap_or_default();
    warn!(
        target: "management",
        "connection {connection}: AMQP over a WebSocket refused to a page of '{shown}', which \
         management.cors.allow_origins does not list"
    );
    Err(Refusal::Foreign("pages of this origin may not use AMQP over WebSockets"))
}

/// The page comes from where it asks. Programs that are no pages say nothing.
fn is_own(origin: &HeaderValue, host: Option<&HeaderValue>) -> bool {
    let origin = origin.to_str().unwrap_or_default();
    let place = origin.strip_prefix("https://").or_else(|| origin.strip_prefix("http://"));
    let host = host.and_then(|host| host.to_str().ok());
    place.zip(host).is_some_and(|(place, host)| place.eq_ignore_ascii_case(host))
}

/// Carries bytes both ways, neither waiting for the other, until one end is gone.
async fn carry(mut socket: WebSocket, stream: DuplexStream) {
    let (mut reader, mut writer) = tokio::io::split(stream);
    let mut incoming = Bytes::new();
    let mut outgoing = vec![0; PIPE_BUFFER_SIZE];
    loop {
        tokio::select! {
            message = socket.recv(), if incoming.is_empty() => match message {
                Some(Ok(Message::Binary(bytes))) => incoming = bytes,
                Some(Ok(Message::Ping(_) | Message::Pong(_))) => {}
                Some(Ok(Message::Text(_))) => return end(socket, close_code::UNSUPPORTED).await,
                Some(Ok(Message::Close(_)) | Err(_)) | None => return,
            },
            written = writer.write(&incoming), if !incoming.is_empty() => match written {
                Ok(count) if count > 0 => drop(incoming.split_to(count)),
                _ => return end(socket, close_code::NORMAL).await,
            },
            read = reader.read(&mut outgoing) => match read {
                Ok(count) if count > 0 => {
                    let bytes = Bytes::copy_from_slice(outgoing.get(..count).unwrap_or(&[]));
                    if socket.send(Message::Binary(bytes)).await.is_err() {
                        return;
                    }
                }
                _ => return end(socket, close_code::NORMAL).await,
            },
        }
    }
}

async fn end(mut socket: WebSocket, code: u16) {
    let frame = CloseFrame { code, reason: "".into() };
    // Who is gone needs no word.
    let _ = socket.send(Message::Close(Some(frame))).await;
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lets(host: &str, origins: &[&str], listed: &[&str]) -> bool {
        let mut headers = HeaderMap::new();
        headers.insert(header::HOST, HeaderValue::from_str(host).unwrap());
        for origin in origins {
            headers.append(header::ORIGIN, HeaderValue::from_str(origin).unwrap());
        }
        let origins = listed.iter().map(|origin| (*origin).to_owned()).collect();
        let cross_origin = CrossOrigin { origins, max_age_seconds: None };
        check_origin(&headers, &cross_origin, "c").is_ok()
    }

    #[test]
    fn programs_and_pages_of_the_host_that_is_asked_are_let_in() {
        for origins in [&[][..], &["http://hare:15672"], &["https://HARE:15672"]] {
            assert!(lets("hare:15672", origins, &[]), "{origins:?}");
        }
        assert!(lets("[::1]:15672", &["http://[::1]:15672"], &[]));
        assert!(lets("hare", &["https://hare"], &[]));
    }

    #[test]
    fn pages_of_other_origins_are_let_in_only_where_they_are_listed() {
        let own = "http://hare:15672";
        for origins in [
            &["http://fox.example"][..],
            &["http://hare"],
            &["http://hare:80"],
            &["hare:15672"],
            &["file://hare:15672"],
            &["null"],
            &[""],
            &[own, "http://fox.example"],
        ] {
            assert!(!lets("hare:15672", origins, &["https://owl.example"]), "{origins:?}");
        }
        assert!(lets("hare", &["https://owl.example"], &["https://owl.example"]));
        assert!(lets("hare", &["https://owl.example"], &["*"]));
    }
}
