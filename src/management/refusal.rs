//! Why a request is not answered as it wishes: each reason knows its status and its JSON, which are
//! RabbitMQ's.

use std::sync::Arc;

use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};

use super::answer::json_of;
use crate::broker::DeclarationRefused;

/// How a client is asked to say who it is.
const REALM: HeaderValue = HeaderValue::from_static("Basic realm=\"RabbitMQ Management\"");

/// Why a request is refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Refusal {
    /// Nobody knows who asks.
    NotLoggedIn,
    /// Who asks may not.
    Forbidden(&'static str),
    /// What is asked about is not there.
    NotFound,
    /// What is needed for it is not there.
    Missing(&'static str),
    /// AMQP says of something that it is not there.
    Absent(String),
    /// AMQP says that who asks may not.
    Denied(String),
    /// It is protected from that.
    Protected(String),
    /// No page from there may ask, whoever it asks for.
    Foreign(&'static str),
    /// Not now.
    Unavailable(&'static str),
    /// There is no such page.
    Page(&'static str, String),
    /// It makes no sense.
    Bad(Value),
    /// Its body did not come in time.
    Slow,
    /// It was carried out, and the log failed before it was on disk.
    NotStored(Arc<str>),
    /// It failed, for a reason of the broker's.
    Failed(String),
}

impl Refusal {
    /// It makes no sense, for this reason.
    pub(super) fn bad(reason: impl Into<String>) -> Self {
        Self::Bad(Value::String(reason.into()))
    }

    /// The same, as RabbitMQ says it of runtime parameters.
    pub(super) fn invalid(reason: &str) -> Self {
        Self::bad(format!("Validation failed\n\n{reason}\n"))
    }

    fn parts(self) -> (StatusCode, &'static str, Value) {
        match self {
            Self::NotLoggedIn => {
                (StatusCode::UNAUTHORIZED, "not_authorized", "Not_Authorized".into())
            }
            Self::Forbidden(reason) => (StatusCode::UNAUTHORIZED, "not_authorised", reason.into()),
            Self::NotFound => (StatusCode::NOT_FOUND, "Object Not Found", "Not Found".into()),
            Self::Missing(what) => (StatusCode::NOT_FOUND, "not_found", what.into()),
            Self::Absent(text) => (StatusCode::NOT_FOUND, "not_found", text.into()),
            Self::Denied(text) => (StatusCode::UNAUTHORIZED, "not_authorised", text.into()),
            Self::Protected(text) => {
                (StatusCode::PRECONDITION_FAILED, "precondition_failed", text.into())
            }
            Self::Foreign(reason) => (StatusCode::FORBIDDEN, "forbidden", reason.into()),
            Self::Unavailable(reason) => {
                (StatusCode::SERVICE_UNAVAILABLE, "service_unavailable", reason.into())
            }
            Self::Page(error, reason) => (StatusCode::BAD_REQUEST, error, reason.into()),
            Self::Failed(reason) => {
                (StatusCode::INTERNAL_SERVER_ERROR, "internal_error", reason.into())
            }
            Self::Bad(reason) => (StatusCode::BAD_REQUEST, "bad_request", reason),
            Self::Slow => {
                let reason = "the body of the request did not come in time";
                (StatusCode::REQUEST_TIMEOUT, "bad_request", reason.into())
            }
            Self::NotStored(why) => {
                let reason = format!("the definition could not be stored: {why}");
                (StatusCode::INTERNAL_SERVER_ERROR, "internal_error", reason.into())
            }
        }
    }
}

impl From<DeclarationRefused> for Refusal {
    fn from(refused: DeclarationRefused) -> Self {
        match refused {
            DeclarationRefused::NoVirtualHost(_) => Self::Missing("vhost_not_found"),
            DeclarationRefused::NoUser(name) => Self::Bad(json!(["no_such_user", &*name])),
            DeclarationRefused::BadPassword => Self::bad(refused.to_string()),
            DeclarationRefused::Full(reason) => Self::bad(reason),
            DeclarationRefused::BadPattern(reason) | DeclarationRefused::Invalid(reason) => {
                Self::invalid(&reason)
            }
        }
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let asks_who = self == Self::NotLoggedIn;
        let (status, error, reason) = self.parts();
        let mut response = json_of(status, &json!({"error": error, "reason": reason}));
        if asks_who {
            let headers = response.headers_mut();
            headers.insert(header::WWW_AUTHENTICATE, REALM);
            // Who guesses comes again for each guess.
            headers.insert(header::CONNECTION, HeaderValue::from_static("close"));
        }
        response
    }
}
