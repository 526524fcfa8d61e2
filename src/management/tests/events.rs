//! Watching events over HTTP: a queue that comes and goes with the watcher.

use std::future::poll_fn;

use super::*;

const PATH: &str = "/api/leveret/events";

fn world() -> World {
    let options =
        BrokerOptions { event_exchange: Some("/".to_owned()), ..BrokerOptions::default() };
    World::of(Arc::new(Broker::new(options, [1, 2]).unwrap()))
}

/// Reads until all of this has come.
async fn read_until(client: &mut (impl AsyncReadExt + Unpin), parts: &[&str]) -> String {
    let mut text = String::new();
    while !parts.iter().all(|part| text.contains(part)) {
        let mut bytes = [0; 4096];
        let count = client.read(&mut bytes).await.unwrap();
        assert!(count > 0, "it ended: {text}");
        text.push_str(&String::from_utf8_lossy(&bytes[..count]));
    }
    text
}

async fn watch(world: &World, query: &str) -> tokio::io::DuplexStream {
    let (mut client, server) = tokio::io::duplex(1 << 16);
    let login = STANDARD.encode("guest:guest");
    let request =
        format!("GET {PATH}{query} HTTP/1.1\r\nHost: hare\r\nAuthorization: Basic {login}\r\n\r\n");
    client.write_all(request.as_bytes()).await.unwrap();
    let peer = Peer { address: Some("127.0.0.1".parse::<IpAddr>().unwrap()) };
    let serving = world.management.clone().serve(server, peer, pending());
    #[expect(clippy::disallowed_methods, reason = "the test is its own node")]
    tokio::spawn(serving);
    client
}

#[tokio::test]
async fn what_happens_is_told_as_json_and_the_queue_goes_with_the_watcher() {
    let world = world();
    let mut watcher = watch(&world, "").await;
    read_until(&mut watcher, &["200 OK"]).await;
    assert_eq!(world.broker.queues("/").len(), 1);
    world.broker.declare_virtual_host("fields", HostSettings::default());
    world.broker.elapse(Moment(2));
    let parts = ["{\"event\":\"vhost.created\",", "\"name\":\"fields\"", "timestamp_in_ms"];
    let told = read_until(&mut watcher, &parts).await;
    assert!(!told.contains("queue.created") && !told.contains("binding.created"), "{told}");
    drop(watcher);
    let gone = poll_fn(|context| {
        context.waker().wake_by_ref();
        match world.broker.queues("/").is_empty() {
            true => std::task::Poll::Ready(()),
            false => std::task::Poll::Pending,
        }
    });
    tokio::time::timeout(std::time::Duration::from_secs(20), gone).await.unwrap();
}

#[tokio::test]
async fn only_events_that_match_are_told() {
    let world = world();
    let mut watcher = watch(&world, "?pattern=vhost").await;
    read_until(&mut watcher, &["200 OK"]).await;
    world.add_users(&["monitoring"]);
    world.broker.elapse(Moment(2));
    let told = read_until(&mut watcher, &["vhost.created"]).await;
    assert!(!told.contains("user.created"), "{told}");
    let answer = world.ask("GET", &format!("{PATH}?pattern=%28"), "").await;
    assert_eq!(answer.status, 400, "{answer:?}");
}

#[tokio::test]
async fn where_events_are_switched_off_that_is_said() {
    let world = World::new();
    let answer = world.ask("GET", PATH, "").await;
    assert_eq!(answer.status, 503);
    assert!(answer.reason().contains("event_exchange.enabled"), "{}", answer.reason());
    assert_eq!(world.ask_as("monitoring", "GET", PATH, "").await.status, 401);
}
