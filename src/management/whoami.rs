//! `/api/whoami`: the user who asks.

use axum::Router;
use axum::response::Response;
use axum::routing::get;
use serde_json::json;

use super::answer;
use super::api::Shared;
use super::caller::Caller;

pub(super) fn routes() -> Router<Shared> {
    Router::new().route("/whoami", get(show))
}

async fn show(Caller { user }: Caller) -> Response {
    let tags: Vec<&str> = user.tags.iter().map(|tag| &**tag).collect();
    answer::json(&json!({"name": &*user.name, "tags": tags}))
}
