//! `/api/auth/attempts`: how often somebody tried to log in since the node started, or since an
//! operator said to count anew. Where they came from is not counted.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use axum::extract::State;
use axum::response::Response;
use serde_json::{Value, json};

use super::answer;
use super::api::{Api, Shared};
use super::caller::Caller;
use super::names::Names;
use super::operation::Operation;
use super::refusal::Refusal;
use super::routes::Routes;

pub(super) fn routes() -> Routes {
    const ALL: &str = "/auth/attempts/{node}";
    const BY_SOURCE: &str = "/auth/attempts/{node}/source";
    let anew = || Operation::done("Counts attempts to log in anew");
    Routes::new()
        .get(ALL, Operation::all("How often somebody tried to log in"), show)
        .delete(ALL, anew(), forget)
        .get(BY_SOURCE, Operation::all("The same by where it came from: not counted"), sources)
        .delete(BY_SOURCE, anew(), forget)
}

/// Attempts to log in over HTTP, and what was counted when an operator last said to forget it.
#[derive(Debug, Default)]
pub(super) struct Attempts {
    succeeded: AtomicU64,
    failed: AtomicU64,
    forgotten: Mutex<Counts>,
}

/// Attempts over AMQP and over HTTP.
#[derive(Clone, Copy, Debug, Default)]
struct Counts {
    amqp: Count,
    http: Count,
}

#[derive(Clone, Copy, Debug, Default)]
struct Count {
    succeeded: u64,
    failed: u64,
}

impl Count {
    fn shape_since(self, forgotten: Self, protocol: &str) -> Value {
        let succeeded = self.succeeded.saturating_sub(forgotten.succeeded);
        let failed = self.failed.saturating_sub(forgotten.failed);
        json!({
            "protocol": protocol,
            "auth_attempts": succeeded + failed,
            "auth_attempts_failed": failed,
            "auth_attempts_succeeded": succeeded,
        })
    }
}

impl Attempts {
    /// Somebody tried to log in over HTTP.
    pub(super) fn count(&self, has_succeeded: bool) {
        let count = if has_succeeded { &self.succeeded } else { &self.failed };
        count.fetch_add(1, Ordering::Relaxed);
    }

    fn counts(&self, api: &Api) -> Counts {
        let churn = api.broker.figures().churn;
        let amqp = Count { succeeded: churn.logins_succeeded, failed: churn.logins_failed };
        let http = Count {
            succeeded: self.succeeded.load(Ordering::Relaxed),
            failed: self.failed.load(Ordering::Relaxed),
        };
        Counts { amqp, http }
    }

    fn forgotten(&self) -> MutexGuard<'_, Counts> {
        self.forgotten.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

async fn show(
    State(api): State<Shared>,
    caller: Caller,
    Names(node): Names<String>,
) -> Result<Response, Refusal> {
    caller.check_monitor()?;
    api.check_node(&node)?;
    let now = api.attempts.counts(&api);
    let forgotten = *api.attempts.forgotten();
    Ok(answer::json(&json!([
        now.amqp.shape_since(forgotten.amqp, "amqp091"),
        now.http.shape_since(forgotten.http, "http"),
    ])))
}

async fn sources(
    State(api): State<Shared>,
    caller: Caller,
    Names(node): Names<String>,
) -> Result<Response, Refusal> {
    caller.check_monitor()?;
    api.check_node(&node)?;
    Ok(answer::json(&json!([])))
}

async fn forget(
    State(api): State<Shared>,
    caller: Caller,
    Names(node): Names<String>,
) -> Result<Response, Refusal> {
    caller.check_monitor()?;
    api.check_node(&node)?;
    *api.attempts.forgotten() = api.attempts.counts(&api);
    Ok(answer::done())
}
