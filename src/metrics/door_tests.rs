//! Requests of scrapers over a pipe: what is answered on which path, when it is looked at anew, and
//! how connections end. What is told by itself is in `tests` and `object_tests`.

use std::future::{pending, ready};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream};

use super::family::Seen;
use super::table::{self, families};
use super::tests::{NOW, options, process};
use super::{Metrics, MetricsOptions, ProcessFigures};
use crate::broker::{Broker, BrokerOptions, DirectChannel, Peer, Session};
use crate::connection::Command;
use crate::connection::command::DeclareQueue;
use crate::definitions::{CLUSTER_NAME, GlobalParameterDefinition};
use crate::limits::METRICS_CONNECTIONS_MAX;
use crate::message::{Body, Envelope, Message, Moment};
use crate::protocol::field::FieldTable;

pub(super) fn metrics(broker: &Arc<Broker>, path: &str) -> Arc<Metrics> {
    Arc::new(Metrics::new(broker.clone(), MetricsOptions { path: path.into(), ..options() }))
}

pub(super) fn broker() -> Arc<Broker> {
    Arc::new(Broker::new(BrokerOptions::default(), [1, 2]).unwrap())
}

/// The client's end of a pipe to the door, once it has said this.
async fn said(request: &str) -> (DuplexStream, DuplexStream) {
    let (mut client, server) = tokio::io::duplex(64 * 1024);
    client.write_all(request.as_bytes()).await.unwrap();
    (client, server)
}

/// The whole answer to one request, after which the door closes.
pub(super) async fn answer(metrics: &Arc<Metrics>, method: &str, path: &str) -> String {
    let request = format!("{method} {path} HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n");
    answer_to(metrics, &request).await
}

pub(super) async fn answer_to(metrics: &Arc<Metrics>, request: &str) -> String {
    let (mut client, server) = said(request).await;
    let mut answer = String::new();
    let serving = metrics.clone().serve(server, pending());
    let reading = client.read_to_string(&mut answer);
    let (_, read) = tokio::join!(serving, reading);
    read.unwrap();
    answer
}

/// The body of an answer, which comes in one piece to who knows no pieces.
pub(super) async fn body(metrics: &Arc<Metrics>, path: &str) -> String {
    let answer = answer_to(metrics, &format!("GET {path} HTTP/1.0\r\nhost: a\r\n\r\n")).await;
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    assert!(head.starts_with("HTTP/1.0 200 OK\r\n"), "{head}");
    let kind = "\r\ncontent-type: text/plain; version=0.0.4; charset=utf-8";
    assert!(head.contains(kind), "{head}");
    body.to_owned()
}

/// What stands in an answer behind this beginning of lines.
pub(super) fn lines_of<'a>(body: &'a str, begin: &str) -> Vec<&'a str> {
    body.lines().filter_map(|line| line.strip_prefix(begin)).collect()
}

#[tokio::test]
async fn a_scrape_is_answered_with_what_is_now() {
    let world = broker();
    let metrics = metrics(&world, "/metrics");
    world.by_node().set_global_parameter(GlobalParameterDefinition {
        name: CLUSTER_NAME.into(),
        value: "set since".into(),
    });
    let before = answer(&metrics, "GET", "/metrics").await;
    assert!(before.starts_with("HTTP/1.1 200 OK\r\n"), "{before}");
    let kind = "\r\ncontent-type: text/plain; version=0.0.4; charset=utf-8\r\n";
    assert!(before.contains(kind), "{before}");
    let told = body(&metrics, "/metrics").await;
    let (options, cluster) = (options(), "set since".into());
    let (process, queues, broker_figures) = (process(), world.queue_figures(), world.figures());
    let (now, endpoint, broker) = (NOW, "aggregated", broker_figures);
    let seen = Seen { options: &options, now, endpoint, cluster, process, queues, broker };
    let expected = table::text(families(), &seen);
    let sums = told.strip_prefix(&*expected).unwrap();
    assert!(sums.contains("\nrabbitmq_channel_messages_unacked 0\n"), "{sums}");
    assert!(sums.ends_with("\nrabbitmq_connection_channels 0\n"), "{sums}");
    assert!(told.contains("\nrabbitmq_connections 0\n"), "{told}");
    let _session = Session::new(world.clone(), Peer { address: None }, Moment(0));
    let after = answer(&metrics, "GET", "/metrics").await;
    assert!(after.contains("\nrabbitmq_connections 1\n"), "{after}");
}

#[tokio::test]
async fn scrapes_walk_over_queues_once_a_second() {
    let (broker, now_ms) = (broker(), Arc::new(AtomicU64::new(5000)));
    let clock = now_ms.clone();
    let process = move || ProcessFigures {
        uptime_ms: clock.load(Ordering::Relaxed),
        ..ProcessFigures::default()
    };
    let options = MetricsOptions { process: Box::new(process), ..options() };
    let metrics = Arc::new(Metrics::new(broker.clone(), options));
    let ready = async || {
        let answer = answer(&metrics, "GET", "/metrics").await;
        let name = "rabbitmq_queue_messages_ready ";
        answer.lines().find_map(|line| line.strip_prefix(name)).unwrap().to_owned()
    };
    assert_eq!(ready().await, "0");
    fill(&broker);
    now_ms.store(5999, Ordering::Relaxed);
    assert_eq!(ready().await, "0", "that was looked at just before");
    now_ms.store(6000, Ordering::Relaxed);
    assert_eq!(ready().await, "1");
}

/// Puts a message into a queue.
pub(super) fn fill(broker: &Arc<Broker>) {
    let user = broker.user("guest").unwrap();
    let mut channel = DirectChannel::open(broker, &user, "/", Moment(0)).unwrap();
    channel.ask(Command::DeclareQueue(declaration("q")), Moment(0));
    let envelope =
        Envelope { exchange: "", routing_key: "q", properties: &[0, 0], is_persistent: false };
    channel.publish(Message::new(envelope, Body::Copied(b"a")), Moment(0));
}

pub(super) fn declaration(queue: &str) -> DeclareQueue {
    DeclareQueue {
        queue: queue.into(),
        is_server_named: false,
        passive: false,
        durable: false,
        exclusive: false,
        auto_delete: false,
        arguments: FieldTable::new(),
    }
}

#[tokio::test]
async fn another_path_is_not_found_and_another_method_not_allowed() {
    let metrics = metrics(&broker(), "/a/{b}");
    for (method, path, status) in [
        ("GET", "/a/%7Bb%7D", "404 Not Found"),
        ("GET", "/a/{b}", "200 OK"),
        ("HEAD", "/a/{b}", "200 OK"),
        ("GET", "/a/{b}?family=x", "200 OK"),
        ("GET", "/a/{b}/per-object", "200 OK"),
        ("GET", "/a/{b}/detailed", "200 OK"),
        ("GET", "/a/{b}/memory-breakdown", "200 OK"),
        ("GET", "/a/{b}/nothing", "404 Not Found"),
        ("POST", "/a/{b}/per-object", "405 Method Not Allowed"),
        ("GET", "/a/c", "404 Not Found"),
        ("GET", "/", "404 Not Found"),
        ("POST", "/a/{b}", "405 Method Not Allowed"),
        ("DELETE", "/a/{b}", "405 Method Not Allowed"),
        ("POST", "/a/c", "404 Not Found"),
    ] {
        let answer = answer(&metrics, method, path).await;
        let expected = format!("HTTP/1.1 {status}\r\n");
        assert!(answer.starts_with(&expected), "{method} {path}: {answer}");
    }
}

#[tokio::test]
async fn one_connection_takes_several_scrapes_and_ends_with_the_node() {
    let metrics = metrics(&broker(), "/metrics");
    let request = "GET /metrics HTTP/1.1\r\nhost: a\r\n\r\n";
    let (mut client, server) = said(&request.repeat(2)).await;
    let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
    let closing = async {
        let _ = stopped.await;
    };
    let serving = metrics.serve(server, closing);
    let reading = async {
        let mut seen = Vec::new();
        while seen.windows(12).filter(|part| part == b"HTTP/1.1 200").count() < 2 {
            assert!(client.read_buf(&mut seen).await.unwrap() > 0, "it goes on");
        }
        stop.send(()).unwrap();
    };
    tokio::join!(serving, reading);
}

#[tokio::test]
async fn who_says_nothing_or_half_of_it_is_hung_up_on() {
    for (begun, is_closing) in [("", false), ("GET /met", false), ("GET /met", true)] {
        let options = MetricsOptions { path: "/metrics".into(), ..options() };
        let mut metrics = Metrics::new(broker(), options);
        if !is_closing {
            metrics.patience = Duration::from_millis(10);
        }
        let (mut client, server) = said(begun).await;
        if is_closing {
            Arc::new(metrics).serve(server, ready(())).await;
        } else {
            Arc::new(metrics).serve(server, pending()).await;
        }
        let mut rest = String::new();
        client.read_to_string(&mut rest).await.unwrap();
        assert!(!rest.contains("200 OK"), "{rest}");
    }
}

#[tokio::test]
async fn one_connection_too_many_is_closed() {
    let metrics = metrics(&broker(), "/metrics");
    let mut held = Vec::new();
    let mut serving = Vec::new();
    for _ in 0..METRICS_CONNECTIONS_MAX {
        let (client, server) = said("").await;
        held.push(client);
        let mut future = Box::pin(metrics.clone().serve(server, pending()));
        assert!(futures_lite::future::poll_once(&mut future).await.is_none());
        serving.push(future);
    }
    assert_eq!(answer(&metrics, "GET", "/metrics").await, "");
    serving.pop();
    assert!(answer(&metrics, "GET", "/metrics").await.starts_with("HTTP/1.1 200 OK\r\n"));
}
