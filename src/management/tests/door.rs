//! What the door bounds: connections, those of one address, and how long clients may take.

use std::pin::Pin;
use std::time::Duration;

use futures_lite::future::poll_once;
use tokio::io::DuplexStream;

use super::*;
use crate::limits::{
    LOGIN_FAILURES_FREE, MANAGEMENT_CONNECTIONS_MAX, MANAGEMENT_CONNECTIONS_PER_PEER_MAX,
};
use crate::management::door::Patience;

/// How long nothing here takes.
const LONG: Duration = Duration::from_secs(60);
const SHORT: Duration = Duration::from_millis(20);

#[tokio::test]
async fn one_connection_too_many_is_closed() {
    let world = World::new();
    let mut held = Vec::new();
    for _ in 0..MANAGEMENT_CONNECTIONS_MAX {
        let (client, server) = tokio::io::duplex(1 << 10);
        let peer = Peer { address: None };
        let mut future = Box::pin(world.management.clone().serve(server, peer, pending()));
        assert!(poll_once(&mut future).await.is_none());
        held.push((client, future));
    }
    let (mut client, server) = tokio::io::duplex(1 << 10);
    world.management.clone().serve(server, Peer { address: None }, pending()).await;
    assert_eq!(client.read(&mut [0]).await.unwrap(), 0, "nothing is said");
    held.pop();
    assert_eq!(world.ask("GET", "/api/whoami", "").await.status, 200);
}

#[tokio::test]
async fn who_says_half_of_a_request_is_hung_up_on() {
    for begun in ["", "GET /api/wh"] {
        let world = World::new();
        let mut management = Management::new(world.broker.clone(), options());
        management.patience.idle = Duration::from_millis(10);
        let (mut client, server) = tokio::io::duplex(1 << 10);
        client.write_all(begun.as_bytes()).await.unwrap();
        Arc::new(management).serve(server, Peer { address: None }, pending()).await;
        let mut rest = String::new();
        client.read_to_string(&mut rest).await.unwrap();
        assert!(!rest.contains("200 OK"), "{rest}");
    }
}

/// A connection that is held open, unless it was closed at once.
async fn held(
    world: &World,
    address: &str,
) -> Option<(DuplexStream, Pin<Box<dyn Future<Output = ()>>>)> {
    let (client, server) = tokio::io::duplex(1 << 10);
    let peer = Peer { address: Some(address.parse::<IpAddr>().unwrap()) };
    let mut serving = Box::pin(world.management.clone().serve(server, peer, pending()));
    let is_open = poll_once(&mut serving).await.is_none();
    is_open.then_some((client, serving))
}

#[tokio::test]
async fn one_address_does_not_take_the_whole_door() {
    let world = World::new();
    for (address, neighbor, other) in [
        ("192.0.2.1", "::ffff:192.0.2.1", "192.0.2.2"),
        ("2001:db8::1", "2001:db8::ffff:1", "2001:db8:0:1::1"),
    ] {
        let mut all = Vec::new();
        for _ in 0..MANAGEMENT_CONNECTIONS_PER_PEER_MAX {
            all.push(held(&world, address).await.unwrap());
        }
        assert!(held(&world, address).await.is_none() && held(&world, neighbor).await.is_none());
        assert!(held(&world, other).await.is_some());
        all.pop();
        assert!(held(&world, address).await.is_some());
    }
    let mut all = Vec::new();
    for _ in 0..=MANAGEMENT_CONNECTIONS_PER_PEER_MAX {
        all.push(held(&world, "127.0.0.1").await.expect("this machine may"));
    }
}

fn impatient(world: &World, patience: Patience) -> World {
    let mut management = Management::new(world.broker.clone(), options());
    management.patience = patience;
    World { broker: world.broker.clone(), management: Arc::new(management) }
}

/// What is said to these bytes until the connection ends, which must be soon.
async fn said(world: &World, bytes: &str) -> String {
    let (mut client, server) = tokio::io::duplex(1 << 16);
    client.write_all(bytes.as_bytes()).await.unwrap();
    let serving = world.management.clone().serve(server, Peer { address: None }, pending());
    tokio::time::timeout(LONG / 2, serving).await.expect("it is hung up on");
    let mut said = String::new();
    client.read_to_string(&mut said).await.unwrap();
    said
}

const LOGIN: &str = "Authorization: Basic Z3Vlc3Q6Z3Vlc3Q=\r\n";
const WRONG: &str = "Authorization: Basic Z3Vlc3Q6d3Jvbmc=\r\n";

fn request(path: &str, head: &str) -> String {
    format!("GET {path} HTTP/1.1\r\nHost: hare\r\n{head}\r\n")
}

#[tokio::test]
async fn who_does_not_log_in_gets_one_answer_and_who_does_gets_all() {
    let short = || Patience { idle: SHORT, write: LONG, stranger: LONG };
    for (first, count) in [
        (request("/", ""), 1),
        (request("/api/whoami", ""), 1),
        (request("/api/whoami", WRONG), 1),
        (request("/api/whoami", LOGIN), 3),
        (request("/api/whoami", LOGIN) + &request("/", ""), 4),
        (request("/api/whoami", LOGIN) + &request("/api/whoami", WRONG), 2),
    ] {
        let world = impatient(&World::new(), short());
        let rest = request("/", "").repeat(2);
        let said = said(&world, &(first.clone() + &rest)).await;
        assert_eq!(said.matches("HTTP/1.1 ").count(), count, "{first}{said}");
        let is_closed = said.contains("connection: close");
        assert_eq!(is_closed, count < 3, "{first}{said}");
    }
}

#[tokio::test]
async fn on_a_connection_somebody_logs_in_soon() {
    let patience = Patience { stranger: SHORT, idle: LONG, write: LONG };
    let world = impatient(&World::new(), patience);
    assert_eq!(said(&world, "GET / HTTP/1.1\r\n").await, "");
    let (mut client, server) = tokio::io::duplex(1 << 16);
    client.write_all(request("/api/whoami", LOGIN).as_bytes()).await.unwrap();
    let serving = world.management.clone().serve(server, Peer { address: None }, pending());
    let serving = tokio::time::timeout(SHORT * 5, serving).await;
    assert!(serving.is_err(), "who did may stay");
}

/// The answer to a guess that is slowed came too late for its own connection, and never.
#[tokio::test]
async fn a_slowed_refusal_is_told_though_nobody_logs_in_soon() {
    let patience = Patience { stranger: SHORT, idle: LONG, write: LONG };
    let world = impatient(&World::new(), patience);
    for _ in 0..LOGIN_FAILURES_FREE {
        let answer = world.ask_from("192.0.2.1", "GET", "/api/whoami", WRONG, "").await;
        assert_eq!(answer.status, 401);
    }
    let mut asking = Box::pin(world.ask_from("192.0.2.1", "GET", "/api/whoami", WRONG, ""));
    assert!(tokio::time::timeout(SHORT, &mut asking).await.is_err(), "it is slowed");
    assert_eq!(asking.await.status, 401);
}

#[tokio::test]
async fn who_is_refused_does_not_stay_by_not_ending_its_request() {
    let patience = Patience { stranger: SHORT, idle: LONG, write: LONG };
    let world = impatient(&World::new(), patience);
    let request = request("/api/whoami", &format!("{WRONG}Content-Length: 9\r\n"));
    let said = said(&world, &(request + "half")).await;
    assert!(said.starts_with("HTTP/1.1 401"), "{said}");
}

#[tokio::test]
async fn who_does_not_read_its_answers_is_hung_up_on() {
    let patience = Patience { write: SHORT, idle: LONG, stranger: LONG };
    let world = impatient(&World::new(), patience);
    let (mut client, server) = tokio::io::duplex(512);
    let serving = world.management.clone().serve(server, Peer { address: None }, pending());
    let asking = async {
        let request = request("/api/whoami", LOGIN);
        while client.write_all(request.as_bytes()).await.is_ok() {}
    };
    let both = async { tokio::join!(serving, asking) };
    tokio::time::timeout(LONG / 2, both).await.expect("it is hung up on");
}
