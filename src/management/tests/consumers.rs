//! Consumers of all queues.

use super::client::{Client, NAME};
use super::*;

#[tokio::test]
async fn consumers_of_all_queues_are_listed() {
    let world = World::new();
    for queue in ["b", "a"] {
        let path = format!("/api/queues/%2F/{queue}");
        assert_eq!(world.change("PUT", &path, &json!({})).await, 201);
    }
    assert_eq!(world.get("/api/consumers").await, json!([]));
    let mut client = Client::open(&world);
    for (queue, tag) in [("b", "y"), ("b", "x"), ("a", "z")] {
        client.consume(queue, tag, false);
    }
    let path = "/api/consumers/%2F?columns=queue.name,consumer_tag,channel_details.connection_name";
    let row = |queue: &str, tag: &str| {
        let channel = json!({"connection_name": NAME});
        json!({"queue": {"name": queue}, "consumer_tag": tag, "channel_details": channel})
    };
    assert_eq!(world.get(path).await, json!([row("a", "z"), row("b", "x"), row("b", "y")]));
    let all = world.get("/api/consumers?sort=consumer_tag&sort_reverse=true&columns=consumer_tag");
    let expected = json!([{"consumer_tag": "z"}, {"consumer_tag": "y"}, {"consumer_tag": "x"}]);
    assert_eq!(all.await, expected);
    drop(client);
    assert_eq!(world.get("/api/consumers").await, json!([]));
}

#[tokio::test]
async fn who_has_no_access_to_a_virtual_host_sees_no_consumers() {
    let world = World::new();
    assert_eq!(world.change("PUT", "/api/queues/%2F/q", &json!({})).await, 201);
    let mut client = Client::open(&world);
    client.consume("q", "tag", false);
    for (user, path, status, count) in [
        ("guest", "/api/consumers/%2F", 200, 1),
        ("guest", "/api/consumers/v1", 200, 0),
        ("management", "/api/consumers", 200, 0),
        ("monitoring", "/api/consumers/%2F", 200, 0),
        ("administrator", "/api/consumers/%2F", 200, 1),
        ("guest", "/api/consumers/nope", 404, 0),
    ] {
        let answer = world.ask_as(user, "GET", path, "").await;
        let seen = answer.body.as_array().map_or(0, Vec::len);
        assert_eq!((answer.status, seen), (status, count), "{user} {path}");
    }
}

/// A list once copied the arguments of each, with its queue locked.
#[tokio::test]
async fn lists_share_the_arguments_of_consumers() {
    let world = World::new();
    assert_eq!(world.change("PUT", "/api/queues/%2F/q", &json!({})).await, 201);
    let mut client = Client::open(&world);
    client.consume("q", "tag", false);
    let queue = world.broker.queue("/", "q").unwrap();
    let arguments = || queue.consumers().remove(0).arguments.unwrap();
    assert!(Arc::ptr_eq(&arguments(), &arguments()));
    let row = world.get("/api/consumers?columns=arguments").await;
    assert_eq!(row, json!([{"arguments": {"x-priority": 1}}]));
}
