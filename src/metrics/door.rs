//! HTTP for scrapers: a few paths that answer GET, on connections that others accept. What they
//! tell is in `table` and `detail`; who listens, and which task this runs in, the node says.

use std::future::Future;
use std::pin::pin;
use std::sync::{Arc, LazyLock, Mutex, PoisonError};
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderValue, Uri, header};
use axum::response::Response;
use axum::routing::get;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::Semaphore;
use tracing::debug;

use super::MetricsOptions;
use super::detail::{self, Wish};
use super::family::Seen;
use super::text::CONTENT_TYPE;
use crate::broker::{Broker, QueueFigures};
use crate::limits::{
    METRICS_BUFFER_SIZE_MAX, METRICS_CONNECTIONS_MAX, METRICS_END_PATIENCE_MS,
    METRICS_IDLE_PATIENCE_MS, METRICS_WALK_PAUSE_MS,
};

/// The metrics of one node.
#[derive(Debug)]
pub struct Metrics {
    router: LazyRouter,
    /// One for each connection that may be open.
    permits: Semaphore,
    /// How long a connection may go without a whole request.
    pub(super) patience: Duration,
}

/// Made when somebody comes: a node that nobody scrapes has no use for it.
type LazyRouter = LazyLock<Router, Box<dyn FnOnce() -> Router + Send>>;

/// What an answer is made of.
#[derive(Debug)]
struct Source {
    broker: Arc<Broker>,
    options: MetricsOptions,
    /// What the last walk over queues came to, and when that was.
    walk: Mutex<Option<(u64, QueueFigures)>>,
}

type Shared = Arc<Source>;

impl Source {
    /// How everything is now, for one of the answers.
    fn see(&self, endpoint: &'static str) -> Seen<'_> {
        let seen = self.see_but_queues(endpoint);
        Seen { queues: self.queues(seen.process.uptime_ms), ..seen }
    }

    /// The same for answers that tell nothing of all queues together.
    fn see_but_queues(&self, endpoint: &'static str) -> Seen<'_> {
        Seen {
            options: &self.options,
            now: (self.options.clock)(),
            endpoint,
            cluster: self.broker.cluster_name(),
            queues: QueueFigures::default(),
            broker: self.broker.figures(),
            process: (self.options.process)(),
        }
    }

    /// What all queues hold: at most a second ago, however many ask. Who asks during a walk waits
    /// for what it comes to.
    fn queues(&self, now_ms: u64) -> QueueFigures {
        let mut last = self.walk.lock().unwrap_or_else(PoisonError::into_inner);
        match *last {
            Some((at_ms, figures)) if now_ms < at_ms + METRICS_WALK_PAUSE_MS => figures,
            _ => last.insert((now_ms, self.broker.queue_figures())).1,
        }
    }
}

fn router(broker: Arc<Broker>, options: MetricsOptions) -> Router {
    // A brace in a path stands for itself.
    let path = options.path.replace('{', "{{").replace('}', "}}");
    let base = path.trim_end_matches('/').to_owned();
    let source = Arc::new(Source { broker, options, walk: Mutex::default() });
    let mut router = Router::new()
        .without_v07_checks()
        .route(&path, get(scrape))
        .route(&format!("{base}/per-object"), get(scrape_each))
        .route(&format!("{base}/detailed"), get(scrape_wished))
        .route(&format!("{base}/memory-breakdown"), get(scrape_memory));
    if path == base {
        router = router.route(&format!("{base}/"), get(scrape));
    }
    router.with_state(source)
}

impl Metrics {
    /// Metrics of this broker.
    #[must_use]
    pub fn new(broker: Arc<Broker>, options: MetricsOptions) -> Self {
        let make: Box<dyn FnOnce() -> Router + Send> = Box::new(move || router(broker, options));
        Self {
            router: LazyLock::new(make),
            permits: Semaphore::new(METRICS_CONNECTIONS_MAX),
            patience: Duration::from_millis(METRICS_IDLE_PATIENCE_MS),
        }
    }

    /// Answers on one connection until its client is done, or soon after `closing` is. One too many
    /// is closed unanswered.
    pub async fn serve<Stream>(self: Arc<Self>, stream: Stream, closing: impl Future<Output = ()>)
    where
        Stream: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let Ok(_permit) = self.permits.try_acquire() else {
            debug!(target: "metrics", "too many connections");
            return;
        };
        let service = TowerToHyperService::new(self.router.clone());
        let connection = http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(self.patience)
            .max_buf_size(METRICS_BUFFER_SIZE_MAX)
            .serve_connection(TokioIo::new(stream), service);
        let mut connection = pin!(connection);
        let result = tokio::select! {
            result = connection.as_mut() => result,
            () = closing => {
                connection.as_mut().graceful_shutdown();
                let patience = Duration::from_millis(METRICS_END_PATIENCE_MS);
                tokio::time::timeout(patience, connection).await.unwrap_or(Ok(()))
            }
        };
        if let Err(error) = result {
            debug!(target: "metrics", %error, "a scrape was not answered to its end");
        }
    }
}

async fn scrape(State(source): State<Shared>, uri: Uri) -> Response {
    if source.options.is_of_each {
        return each(&source, &uri);
    }
    told(Body::new(detail::of_all(&source.broker, &source.see("aggregated"))))
}

async fn scrape_each(State(source): State<Shared>, uri: Uri) -> Response {
    each(&source, &uri)
}

fn each(source: &Source, uri: &Uri) -> Response {
    let wish = Wish::read(uri.query().unwrap_or_default());
    told(Body::new(detail::of_each(&source.broker, &source.see("per-object"), &wish)))
}

async fn scrape_wished(State(source): State<Shared>, uri: Uri) -> Response {
    let wish = Wish::read(uri.query().unwrap_or_default());
    told(Body::new(detail::of_wish(&source.broker, &source.see_but_queues("detailed"), &wish)))
}

async fn scrape_memory(State(source): State<Shared>) -> Response {
    told(Body::from(detail::of_memory(&source.see_but_queues("memory-breakdown"))))
}

fn told(body: Body) -> Response {
    let mut response = Response::new(body);
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(CONTENT_TYPE));
    response
}
