//! Lists of what there is little of: what is told of each is made before it is sorted. Without a
//! wish they are in the order they come in. What there may be very much of has rows of its own.

use axum::response::Response;
use serde_json::Value;

use super::list::{self, ListWish, Row};
use super::query::Query;
use super::refusal::Refusal;

/// Answers with all of them, as RabbitMQ does whatever page is asked for.
pub(super) async fn list(shapes: Vec<Value>, query: &Query) -> Result<Response, Refusal> {
    answer(shapes, ListWish::whole(query)).await
}

/// Answers with a page of them, where one is asked for.
pub(super) async fn pages(shapes: Vec<Value>, query: &Query) -> Result<Response, Refusal> {
    answer(shapes, ListWish::of(query)?).await
}

async fn answer(shapes: Vec<Value>, wish: ListWish) -> Result<Response, Refusal> {
    let rows = shapes.into_iter().enumerate().map(|(at, shape)| ShapedRow { at, shape });
    list::answer(rows.collect(), wish).await
}

/// What is told of one thing, and which of all it is.
struct ShapedRow {
    at: usize,
    shape: Value,
}

impl Row for ShapedRow {
    type Key<'a> = usize;

    fn key(&self) -> usize {
        self.at
    }

    /// Its place says all.
    fn virtual_host(&self) -> &'static str {
        ""
    }

    fn lead(&self) -> &'static str {
        ""
    }

    fn name(&self) -> &str {
        self.shape.get("name").and_then(Value::as_str).unwrap_or_default()
    }

    fn shape(&self) -> Value {
        self.shape.clone()
    }

    fn field(&self, name: &str) -> Option<Value> {
        self.shape.get(name).cloned()
    }
}
