//! `/api/whoami`: the user who asks.

use axum::response::Response;
use serde_json::json;

use super::answer;
use super::caller::Caller;
use super::operation::Operation;
use super::routes::Routes;

pub(super) fn routes() -> Routes {
    Routes::new().get("/whoami", Operation::item("Who asks"), show)
}

async fn show(Caller { user }: Caller) -> Response {
    let tags: Vec<&str> = user.tags.iter().map(|tag| &**tag).collect();
    answer::json(&json!({"name": &*user.name, "tags": tags}))
}
