//! Bodies of requests: what is refused, and that nobody makes the node read one who may not.

use futures_lite::future::poll_once;

use super::*;
use crate::limits::{MANAGEMENT_DEPTH_MAX, MANAGEMENT_FIELDS_SIZE_MAX};

#[tokio::test]
async fn a_body_that_is_no_object_or_too_large_is_refused() {
    let world = World::new();
    for body in ["{bad", "[]", "5"] {
        let answer = world.ask("PUT", "/api/vhosts/v3", body).await;
        assert_eq!((answer.status, answer.reason()), (400, "not_json"), "{body}");
    }
    let answer = world.ask("PUT", "/api/vhosts/v3", &" ".repeat(1001)).await;
    let reason = "Exceeded HTTP request body size limit";
    assert_eq!((answer.status, answer.reason()), (400, reason));
    assert_eq!(world.ask("GET", "/api/vhosts/v3", "").await.status, 404);
}

/// A value nested so deep that no import took the export with it was once taken.
#[tokio::test]
async fn what_is_nested_too_deep_for_an_export_is_refused() {
    let world = World::new();
    let nested = |depth: usize| format!("{}1{}", "[".repeat(depth), "]".repeat(depth));
    let path = "/api/global-parameters/g";
    for (depth, status) in [(MANAGEMENT_DEPTH_MAX, 201), (MANAGEMENT_DEPTH_MAX + 1, 400)] {
        let body = format!("{{\"value\": {}}}", nested(depth));
        assert_eq!(world.ask("PUT", path, &body).await.status, status, "{depth}");
    }
    let file = world.broker.inventory().cluster_file(&world.broker.origin());
    assert!(Definitions::read(file.as_bytes()).is_ok());
}

#[tokio::test]
async fn a_body_is_small_whatever_the_operator_lets_bodies_be() {
    let world = World::new();
    let body_size_max = u64::MAX;
    let options = ManagementOptions { body_size_max, ..options() };
    let management = Arc::new(Management::new(world.broker.clone(), options));
    let world = World { management, ..world };
    let size_max = usize::try_from(MANAGEMENT_FIELDS_SIZE_MAX).unwrap();
    for (size, status) in [(size_max, 201), (size_max + 1, 400)] {
        let body = format!("{{{}}}", " ".repeat(size - 2));
        assert_eq!(world.ask("PUT", "/api/vhosts/v3", &body).await.status, status, "{size}");
    }
}

/// A request whose body has not come, and what was said to it all the same.
struct Begun {
    client: tokio::io::DuplexStream,
    serving: std::pin::Pin<Box<dyn Future<Output = ()>>>,
    answer: Option<Answer>,
}

async fn begin(world: &World, user: &str, path: &str) -> Begun {
    let (mut client, server) = tokio::io::duplex(1 << 16);
    let login = STANDARD.encode(format!("{user}:x"));
    let head = format!(
        "PUT {path} HTTP/1.1\r\nHost: hare\r\nAuthorization: Basic {login}\r\n\
         Connection: close\r\nContent-Length: 12\r\n\r\n"
    );
    client.write_all(head.as_bytes()).await.unwrap();
    let peer = Peer { address: None };
    let mut serving = Box::pin(world.management.clone().serve(server, peer, pending()));
    poll_once(&mut serving).await;
    let mut said = [0; 4096];
    let said_count = poll_once(client.read(&mut said)).await;
    let answer = said_count.map(|count| std::str::from_utf8(&said[..count.unwrap()]).unwrap());
    let answer = answer.map(parse);
    Begun { client, serving, answer }
}

impl Begun {
    /// The answer when the body came.
    async fn end(mut self) -> Answer {
        self.client.write_all(br#"{"value": 1}"#).await.unwrap();
        self.serving.await;
        let mut answer = String::new();
        self.client.read_to_string(&mut answer).await.unwrap();
        parse(&answer)
    }
}

const PATHS: [&str; 11] = [
    "/api/policies/v1/p",
    "/api/operator-policies/v1/p",
    "/api/vhosts/v3",
    "/api/vhost-limits/v1/max-queues",
    "/api/user-limits/guest/max-channels",
    "/api/users/new",
    "/api/permissions/v1/none",
    "/api/topic-permissions/v1/none",
    "/api/parameters/vhost-limits/v1/limits",
    "/api/global-parameters/g",
    "/api/cluster-name",
];

#[tokio::test]
async fn who_may_not_is_told_so_before_the_body_comes() {
    let world = World::new();
    for path in PATHS {
        let begun = begin(&world, "management", path).await;
        assert_eq!(begun.answer.map(|answer| answer.status), Some(401), "{path}");
    }
}

#[tokio::test]
async fn who_may_no_longer_when_the_body_has_come_is_refused() {
    for path in PATHS {
        let world = World::new();
        let begun = begin(&world, "administrator", path).await;
        assert!(begun.answer.is_none(), "{path}");
        world.add_user("administrator", &["management"]);
        assert_eq!(begun.end().await.status, 401, "{path}");
    }
}

/// Nobody once counted what came of a body.
#[tokio::test]
async fn what_came_of_a_body_counts_with_what_clients_hold() {
    let world = World::new();
    let mut begun = begin(&world, "administrator", PATHS[0]).await;
    assert_eq!(world.broker.session_memory(), 0);
    begun.client.write_all(b"{").await.unwrap();
    assert!(poll_once(&mut begun.serving).await.is_none());
    assert!(world.broker.session_memory() > 0);
    drop(begun);
    assert_eq!(world.broker.session_memory(), 0);
}
