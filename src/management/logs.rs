//! `/api/leveret/log-level`, `log-rotation` and `log-stream`: the logs of the node, which RabbitMQ
//! has in its command line tools only. What is set holds until the node stops. It is for
//! administrators: lines tell who connects from where.

use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::response::Response;
use hyper::body::Frame;
use serde_json::Value;
use tokio::time::{Interval, MissedTickBehavior, interval};
use tracing::{info, warn};

use super::answer;
use super::api::Shared;
use super::body::Fields;
use super::caller::Caller;
use super::node_control::LogTail;
use super::operation::{Field, Kind, Operation};
use super::refusal::Refusal;
use super::routes::Routes;
use crate::limits::STREAM_LOOK_MS;

const NEEDED: &[Field] = &[("level", Kind::Text)];

const OPTIONAL: &[Field] = &[("category", Kind::Text)];

pub(super) fn routes() -> Routes {
    let level = Operation::done("Sets which lines pass to the logs").needs(NEEDED).takes(OPTIONAL);
    Routes::new()
        .put("/leveret/log-level", level, set_level)
        .post("/leveret/log-rotation", Operation::done("Opens the log file anew"), rotate)
        .get("/leveret/log-stream", Operation::text("Lines of the log as they come"), follow)
}

async fn set_level(
    State(api): State<Shared>,
    caller: Caller,
    body: Body,
) -> Result<Response, Refusal> {
    let fields = Fields::read(body, &api, &caller, Caller::check_administrator).await?;
    fields.check_has(&["level"])?;
    let text = |name: &str| match fields.0.get(name) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) => Ok(Some(text.as_str())),
        Some(_) => Err(Refusal::bad(format!("{name} should be text"))),
    };
    let (level, category) = (text("level")?.unwrap_or_default(), text("category")?);
    api.options.facts.control.set_log_level(level, category).map_err(Refusal::bad)?;
    let user = &caller.user.name;
    warn!(target: "management", "user '{user}' set the level of logs to {level}");
    Ok(answer::done())
}

async fn rotate(State(api): State<Shared>, caller: Caller) -> Result<Response, Refusal> {
    caller.check_administrator()?;
    api.options.facts.control.reopen_log().map_err(Refusal::bad)?;
    info!(target: "management", "user '{}' had the log file opened anew", caller.user.name);
    Ok(answer::done())
}

async fn follow(State(api): State<Shared>, caller: Caller) -> Result<Response, Refusal> {
    caller.check_administrator()?;
    let tail = api.options.facts.control.follow_log().map_err(Refusal::bad)?;
    Ok(answer::text_stream(LogStream::new(tail)))
}

/// The log as it grows. It ends when the client goes, or when the file cannot be read any more.
struct LogStream {
    tail: Box<dyn LogTail>,
    looks: Interval,
}

impl LogStream {
    fn new(tail: Box<dyn LogTail>) -> Self {
        let mut looks = interval(Duration::from_millis(STREAM_LOOK_MS));
        looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        Self { tail, looks }
    }
}

impl hyper::body::Body for LogStream {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        loop {
            ready!(self.looks.poll_tick(context));
            match self.tail.read() {
                Ok(bytes) if bytes.is_empty() => {}
                Ok(bytes) => {
                    // There may be more.
                    self.looks.reset_immediately();
                    return Poll::Ready(Some(Ok(Frame::data(bytes))));
                }
                Err(error) => {
                    warn!(target: "management", %error, "the log file cannot be followed");
                    return Poll::Ready(None);
                }
            }
        }
    }
}
