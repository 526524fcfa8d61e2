//! The HTTP API of the node as a verb asks it: one request, one answer, in time. Where the node is,
//! is in `place`; what an answer means, the verb knows.

use std::future::{pending, poll_fn};
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use axum::body::{Body, to_bytes};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hyper::body::{Body as _, Frame, Incoming};
use hyper::client::conn::http1::{Connection, SendRequest, handshake};
use hyper::header::{AUTHORIZATION, CONNECTION, CONTENT_TYPE, HOST, HeaderValue};
use hyper::{Method, Request, Response};
use hyper_util::rt::TokioIo;
use rustls::ClientConfig;
use serde_json::Value;
use tokio::runtime::Runtime;

use super::common::Common;
use super::failure::Failure;
use super::place::{Place, Wire};
use super::url;
use crate::limits::{CTL_ANSWER_SIZE_MAX, CTL_RETRY_MS};

/// Where the node says what it wants to be known beside an answer.
const WARNING_HEADER: &str = "x-leveret-warning";

/// The API.
#[derive(Debug)]
pub(super) struct Api {
    runtime: Runtime,
    place: Place,
    tls: Option<Arc<ClientConfig>>,
    login: Option<HeaderValue>,
    patience: Duration,
}

/// Where requests go, and what carries them.
type Connected = (SendRequest<Body>, Connection<TokioIo<Box<dyn Wire>>, Body>);

/// Why there is no answer, or not the one that was wished for.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Trouble {
    Refused { status: u16, reason: String },
    Unreachable(String),
    TimedOut(u64),
}

/// An answer.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) body: Vec<u8>,
    /// What the node wants to be known beside it.
    pub(super) warnings: Vec<String>,
}

/// One request.
#[derive(Debug, Default)]
pub(super) struct Asked {
    pub(super) method: Method,
    /// From `/api` on.
    pub(super) path: String,
    pub(super) body: Vec<u8>,
    /// Why a connection is closed.
    pub(super) reason: Option<String>,
}

impl Api {
    pub(super) fn new(common: &Common, place: Place) -> Result<Self, Failure> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let runtime = runtime.map_err(|error| Failure::Software(error.to_string()))?;
        let login = common.username.as_ref().and_then(|user| {
            let password = common.password.as_deref().unwrap_or_default();
            let encoded = STANDARD.encode(format!("{user}:{password}"));
            HeaderValue::try_from(format!("Basic {encoded}")).ok()
        });
        let tls = match place.is_encrypted() {
            true => Some(common.tls.config(|name| std::env::var(name).ok())?),
            false if common.tls.is_empty() => None,
            false => {
                let why = "--ca-file, --certificate, --key and --insecure are for https";
                return Err(Failure::Usage(why.to_owned()));
            }
        };
        Ok(Self { runtime, place, tls, login, patience: common.patience() })
    }

    /// Where it asks, for people.
    pub(super) fn place(&self) -> &Place {
        &self.place
    }

    pub(super) fn get(&self, path: String) -> Result<Value, Trouble> {
        let answer = self.ask(Asked { path, ..Asked::default() })?;
        serde_json::from_slice(&answer.body).map_err(|error| {
            let status = answer.status;
            Trouble::Refused {
                status,
                reason: format!("the answer of the node is no JSON: {error}"),
            }
        })
    }

    /// All items of a list.
    pub(super) fn list(&self, path: String) -> Result<Vec<Value>, Trouble> {
        match self.get(path)? {
            Value::Array(items) => Ok(items),
            _ => Ok(Vec::new()),
        }
    }

    pub(super) fn put(&self, path: String, body: &Value) -> Result<Answer, Trouble> {
        self.send(Method::PUT, path, body)
    }

    pub(super) fn post(&self, path: String, body: &Value) -> Result<Answer, Trouble> {
        self.send(Method::POST, path, body)
    }

    pub(super) fn delete(&self, path: String) -> Result<Answer, Trouble> {
        self.ask(Asked { method: Method::DELETE, path, ..Asked::default() })
    }

    fn send(&self, method: Method, path: String, body: &Value) -> Result<Answer, Trouble> {
        let body = body.to_string().into_bytes();
        self.ask(Asked { method, path, body, reason: None })
    }

    /// An answer below 300, and the reason where it is none.
    pub(super) fn ask(&self, asked: Asked) -> Result<Answer, Trouble> {
        let answer = self.ask_any(asked)?;
        match answer.status {
            ..300 => Ok(answer),
            status => Err(Trouble::Refused { status, reason: self.reason(&answer) }),
        }
    }

    /// Any answer. One part of a path that is empty would make it that of many things.
    pub(super) fn ask_any(&self, asked: Asked) -> Result<Answer, Trouble> {
        if url::has_empty_part(&asked.path) {
            let reason = "a name cannot be an empty string".to_owned();
            return Err(Trouble::Refused { status: 400, reason });
        }
        let answer = async { tokio::time::timeout(self.patience, self.exchange(asked)).await };
        match self.runtime.block_on(answer) {
            Ok(answer) => answer,
            Err(_) => Err(Trouble::TimedOut(self.patience.as_secs())),
        }
    }

    /// Asks again and again until the answer is as it should be. Nothing where that took longer
    /// than it may.
    pub(super) fn wait_until(
        &self,
        path: &str,
        patience: Duration,
        is_reached: impl Fn(&Result<Answer, Trouble>) -> bool,
    ) -> Option<()> {
        let reached = async {
            loop {
                let asked = Asked { path: path.to_owned(), ..Asked::default() };
                if is_reached(&self.exchange(asked).await) {
                    return;
                }
                tokio::time::sleep(Duration::from_millis(CTL_RETRY_MS)).await;
            }
        };
        self.runtime.block_on(async { tokio::time::timeout(patience, reached).await }).ok()
    }

    /// Gives what comes to `take`, piece by piece, until that has gone on for so long, the node
    /// ends it, or nobody takes it any more.
    pub(super) fn follow(
        &self,
        path: String,
        duration: Duration,
        take: impl FnMut(&[u8]) -> io::Result<()>,
    ) -> Result<(), Trouble> {
        let stream = self.stream(Asked { path, ..Asked::default() }, take);
        match self.runtime.block_on(async { tokio::time::timeout(duration, stream).await }) {
            Ok(answered) => answered,
            Err(_) => Ok(()),
        }
    }

    async fn stream(
        &self,
        asked: Asked,
        take: impl FnMut(&[u8]) -> io::Result<()>,
    ) -> Result<(), Trouble> {
        let unreachable = |error: &dyn std::fmt::Display| self.unreachable(error);
        let (mut sender, connection) = self.connect().await?;
        let request = self.request(asked).map_err(|error| unreachable(&error))?;
        let driven = async {
            // What it ends with, the body tells.
            let _ = connection.await;
            pending::<()>().await;
        };
        let taken = async {
            let sent = tokio::time::timeout(self.patience, sender.send_request(request)).await;
            let response = sent.map_err(|_| Trouble::TimedOut(self.patience.as_secs()))?;
            let response = response.map_err(|error| unreachable(&error))?;
            if response.status() == 200 {
                return take_all(response.into_body(), take).await;
            }
            let answer = read(response).await.map_err(|error| unreachable(&error))?;
            let (status, reason) = (answer.status, self.reason(&answer));
            Err(Trouble::Refused { status, reason })
        };
        tokio::select! {
            taken = taken => taken,
            () = driven => Ok(()),
        }
    }

    /// The runtime of this thread, for what is not HTTP.
    pub(super) fn runtime(&self) -> &Runtime {
        &self.runtime
    }

    async fn exchange(&self, asked: Asked) -> Result<Answer, Trouble> {
        let unreachable = |error: &dyn std::fmt::Display| self.unreachable(error);
        let (mut sender, connection) = self.connect().await?;
        let request = self.request(asked).map_err(|error| unreachable(&error))?;
        // Bytes move only while somebody drives the connection.
        let answered = async move {
            let response = sender.send_request(request).await?;
            Ok::<_, hyper::Error>(read(response).await)
        };
        let (_, answered) = tokio::join!(connection, answered);
        answered.map_err(|error| unreachable(&error))?.map_err(|error| unreachable(&error))
    }

    async fn connect(&self) -> Result<Connected, Trouble> {
        let stream = self.place.connect(self.tls.as_ref()).await;
        let stream = stream.map_err(|error| self.unreachable(&error))?;
        handshake(TokioIo::new(stream)).await.map_err(|error| self.unreachable(&error))
    }

    fn request(&self, asked: Asked) -> Result<Request<Body>, hyper::http::Error> {
        let mut request = Request::builder()
            .method(asked.method)
            .uri(format!("{}{}", self.place.prefix(), asked.path))
            .header(HOST, "localhost")
            .header(CONNECTION, "close");
        if let Some(login) = &self.login {
            request = request.header(AUTHORIZATION, login);
        }
        if let Some(reason) = asked.reason {
            request = request.header("X-Reason", HeaderValue::from_bytes(reason.as_bytes())?);
        }
        request.header(CONTENT_TYPE, "application/json").body(Body::from(asked.body))
    }

    fn unreachable(&self, error: &dyn std::fmt::Display) -> Trouble {
        Trouble::Unreachable(format!(
            "unable to perform an operation on the node at {}: {error}\n\n\
             Most common reasons for this are:\n\n \
             * The node is not running\n \
             * It is elsewhere: --data-dir names its data directory, --socket its socket, --url an \
             address of its HTTP API\n \
             * Its socket belongs to another user: root and the user that the broker runs as may \
             use it\n",
            self.place
        ))
    }

    /// What the node says of an answer that is a refusal.
    fn reason(&self, answer: &Answer) -> String {
        let body: Value = serde_json::from_slice(&answer.body).unwrap_or_default();
        let reason = match body.get("reason") {
            Some(Value::String(reason)) => reason.trim_end().to_owned(),
            Some(reason) => reason.to_string(),
            None => format!("the node answered with status {}", answer.status),
        };
        match (answer.status, &self.login) {
            (401, None) => format!(
                "{reason}: only root and the user that the broker runs as may ask without a \
                 password; give --username and --password"
            ),
            _ => reason,
        }
    }
}

/// Hands on all of a body that has no end: where it ends, the node has gone.
async fn take_all(
    mut body: Incoming,
    mut take: impl FnMut(&[u8]) -> io::Result<()>,
) -> Result<(), Trouble> {
    while let Some(frame) = poll_fn(|context| Pin::new(&mut body).poll_frame(context)).await {
        let Ok(Ok(bytes)) = frame.map(Frame::into_data) else { break };
        if take(&bytes).is_err() {
            // Whoever read it has gone.
            return Ok(());
        }
    }
    let reason = "the node does not go on telling: it stops, or has stopped".to_owned();
    Err(Trouble::Refused { status: 200, reason })
}

async fn read(response: Response<Incoming>) -> Result<Answer, axum::Error> {
    let (head, body) = response.into_parts();
    let body = to_bytes(Body::new(body), CTL_ANSWER_SIZE_MAX).await?;
    let warnings = head.headers.get_all(WARNING_HEADER).iter();
    let warnings = warnings.map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned());
    Ok(Answer { status: head.status.as_u16(), body: body.to_vec(), warnings: warnings.collect() })
}
