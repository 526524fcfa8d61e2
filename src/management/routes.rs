//! Routes that say what they do: a path and a method cannot be had without an [`Operation`], and of
//! these the description of the whole API is made (`description`). Nothing is asked or answered
//! here.

use std::collections::BTreeMap;

use axum::handler::Handler;
use axum::routing::{self, MethodRouter};
use axum::{Extension, Router};

use super::api::Shared;
use super::operation::Operation;

/// What is done at which path by which method, in lower case.
pub(super) type Operations = BTreeMap<(String, &'static str), Operation>;

/// Some routes of the API, below its root.
#[derive(Debug, Default)]
pub(super) struct Routes {
    router: Router<Shared>,
    operations: Operations,
}

impl Routes {
    pub(super) fn new() -> Self {
        Self::default()
    }

    pub(super) fn get<H: Handler<T, Shared>, T: 'static>(
        self,
        path: &str,
        operation: Operation,
        handler: H,
    ) -> Self {
        self.add("get", path, operation, routing::get(handler))
    }

    pub(super) fn put<H: Handler<T, Shared>, T: 'static>(
        self,
        path: &str,
        operation: Operation,
        handler: H,
    ) -> Self {
        self.add("put", path, operation, routing::put(handler))
    }

    pub(super) fn post<H: Handler<T, Shared>, T: 'static>(
        self,
        path: &str,
        operation: Operation,
        handler: H,
    ) -> Self {
        self.add("post", path, operation, routing::post(handler))
    }

    pub(super) fn delete<H: Handler<T, Shared>, T: 'static>(
        self,
        path: &str,
        operation: Operation,
        handler: H,
    ) -> Self {
        self.add("delete", path, operation, routing::delete(handler))
    }

    fn add(
        mut self,
        method: &'static str,
        path: &str,
        operation: Operation,
        route: MethodRouter<Shared>,
    ) -> Self {
        self.operations.insert((path.to_owned(), method), operation);
        Self { router: self.router.route(path, route), ..self }
    }

    pub(super) fn merge(mut self, other: Self) -> Self {
        self.operations.extend(other.operations);
        Self { router: self.router.merge(other.router), ..self }
    }

    /// Gives all handlers a value.
    pub(super) fn with<V: Clone + Send + Sync + 'static>(self, value: V) -> Self {
        Self { router: self.router.layer(Extension(value)), ..self }
    }

    pub(super) fn into_parts(self) -> (Router<Shared>, Operations) {
        (self.router, self.operations)
    }
}
