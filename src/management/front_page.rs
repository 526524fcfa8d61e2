//! A page for people who open the port in a browser: what is where. It asks nobody who they are,
//! and tells nothing of the node.

use axum::Router;
use axum::response::Html;
use axum::routing::get;

use super::api::Shared;

const PAGE: &str = include_str!("front_page.html");

pub(super) fn routes() -> Router<Shared> {
    Router::new().route("/", get(show)).route("/api", get(show)).route("/api/index.html", get(show))
}

async fn show() -> Html<&'static str> {
    Html(PAGE)
}
