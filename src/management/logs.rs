//! `/api/leveret/log-level`, `log-rotation` and `log-stream`: the logs of the node, which RabbitMQ
//! has in its command line tools only. What is set holds until the node stops. It is for
//! administrators: lines tell who connects from where.

use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::response::Response;
use serde_json::Value;
use tracing::{info, warn};

use super::answer;
use super::api::Shared;
use super::body::Fields;
use super::caller::Caller;
use super::growing_text::GrowingText;
use super::node_control::LogTail;
use super::operation::{Field, Kind, Operation};
use super::refusal::Refusal;
use super::routes::Routes;

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
    let mut tail = api.options.facts.control.follow_log().map_err(Refusal::bad)?;
    Ok(answer::text_stream(GrowingText::new(move || read(&mut *tail))))
}

/// What the log has grown by; nothing when the file cannot be read any more.
fn read(tail: &mut dyn LogTail) -> Option<Bytes> {
    let told = |error: &_| warn!(target: "management", %error, "the log file cannot be followed");
    tail.read().inspect_err(told).ok()
}
