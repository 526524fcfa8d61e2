//! The names that a path has between its slashes, decoded.

use axum::extract::{FromRequestParts, Path};
use axum::http::request::Parts;
use serde::de::DeserializeOwned;

use super::api::Shared;
use super::refusal::Refusal;

/// One name, or a pair of them.
#[derive(Debug)]
pub(super) struct Names<T>(pub(super) T);

impl<T: DeserializeOwned + Send> FromRequestParts<Shared> for Names<T> {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, api: &Shared) -> Result<Self, Refusal> {
        let path = Path::from_request_parts(parts, api).await;
        path.map(|Path(names)| Self(names)).map_err(|error| Refusal::bad(error.body_text()))
    }
}
