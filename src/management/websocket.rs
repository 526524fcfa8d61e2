//! `/ws/amqp`: AMQP over a WebSocket, for programs in web browsers. The bytes of AMQP are those of
//! binary messages, wherever those are cut; what they mean, and who may log in, the node's other
//! door knows.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use axum::body::Bytes;
use axum::extract::State;
use axum::extract::ws::{CloseFrame, Message, WebSocket, WebSocketUpgrade, close_code};
use axum::response::{IntoResponse, Response};
use axum::routing::any;
use axum::{Extension, Router};
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex};

use super::api::Shared;
use super::node_control::Service;
use super::refusal::Refusal;
use crate::broker::{Encryption, Peer};
use crate::limits::{PIPE_BUFFER_SIZE, WEBSOCKET_MESSAGE_SIZE_MAX};

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
    socket: WebSocketUpgrade,
) -> Response {
    if api.options.amqp.is_none() {
        return Refusal::NotFound.into_response();
    }
    let Service { is_suspended, is_drained } = api.options.facts.control.service();
    if is_suspended || is_drained {
        return Refusal::Unavailable("the node lets no clients in").into_response();
    }
    socket
        .protocols([PROTOCOL])
        .max_frame_size(WEBSOCKET_MESSAGE_SIZE_MAX)
        .max_message_size(WEBSOCKET_MESSAGE_SIZE_MAX)
        .on_upgrade(move |socket| async move {
            upgraded.set();
            let (near, far) = duplex(PIPE_BUFFER_SIZE);
            if let Some(begin) = &api.options.amqp {
                begin(far, visit);
                drop(api);
                carry(socket, near).await;
            }
        })
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
