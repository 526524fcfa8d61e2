//! HTTP on connections that others accept: one router for all resources. What a resource answers is
//! in its own file; who listens, and which task this runs in, the node says.

use std::future::{Future, ready};
use std::pin::pin;
use std::sync::{Arc, LazyLock};
use std::time::Duration;

use axum::http::{HeaderValue, Request, StatusCode, header};
use axum::middleware::{from_fn_with_state, map_response};
use axum::response::{Redirect, Response};
use axum::routing::get as by_get;
use axum::{Extension, Router};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::{Service, service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::Semaphore;
use tracing::debug;

use super::api::Api;
use super::caller::OwnsMachine;
use super::description::Description;
use super::patient_stream::PatientStream;
use super::refusal::Refusal;
use super::routes::Routes;
use super::visitors::{Acquaintance, Visitors};
use super::websocket::{Upgraded, Visit};
use super::{
    CrossOrigin, ManagementOptions, absent, alarm_limits, auth_attempts, bindings, channels,
    cluster_name, connections, consumers, definitions, description, effective_config, events,
    exchanges, features, front_page, get, global_parameters, hash_password, headers, health, login,
    logs, maintenance, matching_policies, message_sizes, methods, node_memory, node_operations,
    nodes, overview, parameters, permissions, policies, publish, queues, replicas, tls,
    topic_permissions, user_limits, users, virtual_host_limits, virtual_hosts, websocket, whoami,
};
use crate::broker::{Broker, Peer};
use crate::definitions::PolicyKind;
use crate::limits::{
    MANAGEMENT_BUFFER_SIZE_MAX, MANAGEMENT_CONNECTIONS_MAX, MANAGEMENT_END_PATIENCE_MS,
    MANAGEMENT_IDLE_PATIENCE_MS, MANAGEMENT_STRANGER_PATIENCE_MS, MANAGEMENT_WRITE_PATIENCE_MS,
};

/// A door to the HTTP API of one node.
#[derive(Debug)]
pub struct Management {
    resources: Arc<Resources>,
    /// The paths begin with nothing, whatever others begin with.
    is_at_root: bool,
    /// One for each connection that may be open.
    permits: Semaphore,
    visitors: Visitors,
    pub(super) patience: Patience,
}

/// All that is served, made when somebody comes: a node that nobody asks has no use for it.
type Resources = LazyLock<Routers, Box<dyn FnOnce() -> Routers + Send>>;

/// The same resources twice.
#[derive(Debug)]
struct Routers {
    /// Below the prefix that is wished for.
    prefixed: Router,
    root: Router,
}

/// How long clients may take.
#[derive(Debug)]
pub(super) struct Patience {
    /// On a connection, before somebody has logged in.
    pub(super) stranger: Duration,
    /// Without a whole head of a request.
    pub(super) idle: Duration,
    /// Without reading anything of an answer.
    pub(super) write: Duration,
}

impl Default for Patience {
    fn default() -> Self {
        Self {
            stranger: Duration::from_millis(MANAGEMENT_STRANGER_PATIENCE_MS),
            idle: Duration::from_millis(MANAGEMENT_IDLE_PATIENCE_MS),
            write: Duration::from_millis(MANAGEMENT_WRITE_PATIENCE_MS),
        }
    }
}

/// All resources.
pub(super) fn resources() -> Routes {
    Routes::new()
        .merge(absent::routes())
        .merge(alarm_limits::routes())
        .merge(auth_attempts::routes())
        .merge(bindings::routes())
        .merge(channels::routes())
        .merge(cluster_name::routes())
        .merge(connections::routes())
        .merge(definitions::routes())
        .merge(consumers::routes())
        .merge(description::routes())
        .merge(effective_config::routes())
        .merge(events::routes())
        .merge(exchanges::routes())
        .merge(features::routes())
        .merge(global_parameters::routes())
        .merge(hash_password::routes())
        .merge(health::routes())
        .merge(login::routes())
        .merge(logs::routes())
        .merge(maintenance::routes())
        .merge(matching_policies::routes())
        .merge(message_sizes::routes())
        .merge(node_memory::routes())
        .merge(node_operations::routes())
        .merge(nodes::routes())
        .merge(overview::routes())
        .merge(parameters::routes())
        .merge(permissions::routes())
        .merge(get::routes())
        .merge(policies::routes("/policies", PolicyKind::User))
        .merge(policies::routes("/operator-policies", PolicyKind::Operator))
        .merge(publish::routes())
        .merge(queues::routes())
        .merge(replicas::routes())
        .merge(tls::routes())
        .merge(topic_permissions::routes())
        .merge(user_limits::routes())
        .merge(users::routes())
        .merge(virtual_host_limits::routes())
        .merge(virtual_hosts::routes())
        .merge(whoami::routes())
}

/// A request without a slash at the end of its path.
fn plain(mut request: Request<Incoming>) -> Request<Incoming> {
    if let Some(uri) = methods::without_last_slash(request.uri()) {
        *request.uri_mut() = uri;
    }
    request
}

/// Puts all below a prefix, where there is one; who asks for nothing is sent there.
fn below(prefix: &str, all: Router) -> Router {
    if prefix.is_empty() {
        return all;
    }
    let home = format!("{prefix}/");
    let there = Redirect::permanent(&home);
    let routes = Router::new().route("/", by_get(async move || there));
    routes.route(&home, front_page::page()).nest(prefix, all).fallback(async || Refusal::NotFound)
}

/// What a client meets around the resources.
fn met(resources: Router, cross_origin: &Arc<CrossOrigin>) -> Router {
    // Which methods a resource has stands in the answer only when the routes are done with it.
    Router::new()
        .fallback_service(resources)
        .layer(from_fn_with_state(cross_origin.clone(), headers::add))
}

impl Routers {
    fn new(broker: Arc<Broker>, options: ManagementOptions) -> Self {
        let (resources, operations) = resources().into_parts();
        let prefix = options.path_prefix.clone();
        let description = Description::new(operations, format!("{prefix}/api"));
        let cross_origin = Arc::new(options.cross_origin.clone());
        let api = Arc::new(Api::new(broker, options, description));
        let all = front_page::routes().merge(websocket::routes()).nest("/api", resources);
        let all = all.fallback(async || Refusal::NotFound).with_state(api);
        let root = met(all.clone(), &cross_origin);
        Self { prefixed: met(below(&prefix, all), &cross_origin), root }
    }
}

impl Management {
    /// The API of this broker.
    #[must_use]
    pub fn new(broker: Arc<Broker>, options: ManagementOptions) -> Self {
        let make: Box<dyn FnOnce() -> Routers + Send> =
            Box::new(move || Routers::new(broker, options));
        Self::with(Arc::new(LazyLock::new(make)), false)
    }

    /// Another door to the same, without the prefix of its paths: nobody fills it by coming to
    /// the first one.
    #[must_use]
    pub fn at_root(&self) -> Self {
        Self::with(self.resources.clone(), true)
    }

    fn with(resources: Arc<Resources>, is_at_root: bool) -> Self {
        Self {
            resources,
            is_at_root,
            permits: Semaphore::new(MANAGEMENT_CONNECTIONS_MAX),
            visitors: Visitors::default(),
            patience: Patience::default(),
        }
    }

    fn router(&self) -> Router {
        let Routers { prefixed, root } = &**self.resources;
        if self.is_at_root { root.clone() } else { prefixed.clone() }
    }

    /// Answers on one connection, a `visit`, until its client is done, or soon after
    /// `closing` is. One too many is closed unanswered, and one on which nobody logs in soon.
    pub async fn serve<Stream>(
        self: Arc<Self>,
        stream: Stream,
        visit: impl Into<Visit>,
        closing: impl Future<Output = ()>,
    ) where
        Stream: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        self.answer(stream, visit.into(), None, closing).await;
    }

    /// The same on a connection of who owns the machine, which needs no login.
    pub async fn serve_machine_owner<Stream>(
        self: Arc<Self>,
        stream: Stream,
        closing: impl Future<Output = ()>,
    ) where
        Stream: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let visit = Visit::from(Peer { address: None });
        self.answer(stream, visit, Some(OwnsMachine), closing).await;
    }

    async fn answer<Stream>(
        &self,
        stream: Stream,
        visit: Visit,
        owner: Option<OwnsMachine>,
        closing: impl Future<Output = ()>,
    ) where
        Stream: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let permit = self.permits.try_acquire().ok();
        let Some((_permit, _visitor)) = permit.zip(self.visitors.enter(visit.peer)) else {
            debug!(target: "management", "too many connections");
            return;
        };
        let (acquaintance, upgraded) = (Acquaintance::default(), Upgraded::default());
        let mut resources = self.resources_for(visit, &acquaintance, upgraded.clone());
        if let Some(owner) = owner {
            resources = resources.layer(Extension(owner));
        }
        let resources = TowerToHyperService::new(resources);
        let connection = http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(self.patience.idle)
            .max_buf_size(MANAGEMENT_BUFFER_SIZE_MAX)
            .serve_connection(
                TokioIo::new(PatientStream::new(stream, self.patience.write, upgraded)),
                service_fn(move |request| resources.call(plain(request))),
            )
            .with_upgrades();
        let mut connection = pin!(connection);
        let result = tokio::select! {
            result = connection.as_mut() => result,
            () = acquaintance.is_missed(self.patience.stranger) => {
                debug!(target: "management", "nobody logged in");
                Ok(())
            }
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

    /// All resources as one connection finds them. Where nobody has logged in, its first answer is
    /// its last.
    fn resources_for(
        &self,
        visit: Visit,
        acquaintance: &Acquaintance,
        upgraded: Upgraded,
    ) -> Router {
        let known = acquaintance.clone();
        let part = move |mut response: Response| {
            let is_http = response.status() != StatusCode::SWITCHING_PROTOCOLS;
            if is_http && !known.is_made() {
                let close = HeaderValue::from_static("close");
                response.headers_mut().insert(header::CONNECTION, close);
            }
            ready(response)
        };
        self.router()
            .layer(Extension(visit.peer))
            .layer(Extension(visit))
            .layer(Extension(upgraded))
            .layer(Extension(acquaintance.clone()))
            .layer(map_response(part))
    }
}
