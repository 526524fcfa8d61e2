//! HTTP on connections that others accept: one router for all resources. What a resource answers is
//! in its own file; who listens, and which task this runs in, the node says.

use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use axum::{Extension, Router};
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::Semaphore;
use tracing::debug;

use super::api::{Api, Shared};
use super::refusal::Refusal;
use super::{
    ManagementOptions, front_page, policies, user_limits, virtual_host_limits, virtual_hosts,
    whoami,
};
use crate::broker::{Broker, Peer};
use crate::definitions::PolicyKind;
use crate::limits::{
    MANAGEMENT_BUFFER_SIZE_MAX, MANAGEMENT_CONNECTIONS_MAX, MANAGEMENT_END_PATIENCE_MS,
    MANAGEMENT_IDLE_PATIENCE_MS,
};

/// The HTTP API of one node.
#[derive(Debug)]
pub struct Management {
    router: Router,
    /// One for each connection that may be open.
    permits: Semaphore,
    /// How long a connection may go without a whole head of a request.
    pub(super) patience: Duration,
}

/// All resources.
fn resources() -> Router<Shared> {
    Router::new()
        .merge(policies::routes("/policies", PolicyKind::User))
        .merge(policies::routes("/operator-policies", PolicyKind::Operator))
        .merge(user_limits::routes())
        .merge(virtual_host_limits::routes())
        .merge(virtual_hosts::routes())
        .merge(whoami::routes())
}

impl Management {
    /// The API of this broker.
    #[must_use]
    pub fn new(broker: Arc<Broker>, options: ManagementOptions) -> Self {
        let router = Router::new()
            .merge(front_page::routes())
            .nest("/api", resources())
            .fallback(async || Refusal::NotFound)
            .with_state(Arc::new(Api { broker, options }));
        Self {
            router,
            permits: Semaphore::new(MANAGEMENT_CONNECTIONS_MAX),
            patience: Duration::from_millis(MANAGEMENT_IDLE_PATIENCE_MS),
        }
    }

    /// Answers on one connection, which comes from `peer`, until its client is done, or soon after
    /// `closing` is. One too many is closed unanswered.
    pub async fn serve<Stream>(
        self: Arc<Self>,
        stream: Stream,
        peer: Peer,
        closing: impl Future<Output = ()>,
    ) where
        Stream: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let Ok(_permit) = self.permits.try_acquire() else {
            debug!(target: "management", "too many connections");
            return;
        };
        let service = TowerToHyperService::new(self.router.clone().layer(Extension(peer)));
        let connection = http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(self.patience)
            .max_buf_size(MANAGEMENT_BUFFER_SIZE_MAX)
            .serve_connection(TokioIo::new(stream), service);
        let mut connection = pin!(connection);
        let result = tokio::select! {
            result = connection.as_mut() => result,
            () = closing => {
                connection.as_mut().graceful_shutdown();
                let patience = Duration::from_millis(MANAGEMENT_END_PATIENCE_MS);
                tokio::time::timeout(patience, connection).await.unwrap_or(Ok(()))
            }
        };
        if let Err(error) = result {
            debug!(target: "management", %error, "a request was not answered to its end");
        }
    }
}
