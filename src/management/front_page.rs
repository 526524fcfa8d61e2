//! A page for people who open the port in a browser: what is where. It asks nobody who they are,
//! and tells nothing of the node.

use axum::Router;
use axum::response::Html;
use axum::routing::{MethodRouter, get};

use super::api::Shared;

const PAGE: &str = include_str!("front_page.html");

pub(super) fn routes() -> Router<Shared> {
    Router::new().route("/", page()).route("/api", page()).route("/api/index.html", page())
}

/// The page alone, wherever it is to be.
pub(super) fn page<State: Clone + Send + Sync + 'static>() -> MethodRouter<State> {
    get(show)
}

async fn show() -> Html<&'static str> {
    Html(PAGE)
}
