//! Rates: of what is looked at twice, and what charts get.

use super::client::{Client, NAME};
use super::*;
use crate::protocol::methods::basic;

/// A world with a queue, whose clock moves by hand.
async fn world() -> (World, impl Fn(u64)) {
    let (world, clock) = World::with_clock();
    assert_eq!(world.change("PUT", "/api/queues/%2F/q", &json!({})).await, 201);
    let wait = move |ms| {
        clock.fetch_add(ms, Ordering::Relaxed);
    };
    (world, wait)
}

async fn rate(world: &World, path: &str, name: &str) -> f64 {
    let shown = world.get(path).await;
    shown["message_stats"][format!("{name}_details")]["rate"].as_f64().unwrap_or(-1.0)
}

/// What autoscalers poll.
#[tokio::test]
async fn a_queue_that_is_polled_tells_how_fast_messages_come() {
    let (world, wait) = world().await;
    let path = "/api/queues/%2F/q";
    assert!(world.get(path).await.get("message_stats").is_none(), "nothing ever came");
    wait(3000);
    world.publish("q", &["x"; 30]);
    assert_eq!(rate(&world, path, "publish").await, 10.0);
    for _ in 0..10 {
        wait(3000);
        world.publish("q", &["x"; 60]);
        assert!(rate(&world, path, "publish").await > 9.0);
    }
    assert_eq!(rate(&world, path, "publish").await, 20.0);
    let messages = world.get(path).await["messages_details"]["rate"].as_f64();
    assert_eq!(messages, Some(20.0));
    wait(30_000);
    assert_eq!(rate(&world, path, "publish").await, 0.0);
    assert_eq!(rate(&world, "/api/queues/%2F/q?disable_stats=true", "publish").await, -1.0);
}

#[tokio::test]
async fn everything_that_passes_messages_on_tells_its_figures() {
    let (world, wait) = world().await;
    let mut client = Client::open(&world);
    client.publish(3, "q");
    client.publish(3, "nowhere");
    client.consume("q", "tag", false);
    client.hear();
    client.send(3, &basic::Ack { delivery_tag: 1, multiple: false });
    let channel = format!("/api/channels/{} (3)", NAME).replace(' ', "%20").replace('>', "%3E");
    let figures = async |path: &str, names: &[&str]| {
        let stats = world.get(path).await["message_stats"].clone();
        names.iter().map(|name| stats[name].as_u64()).collect::<Vec<_>>()
    };
    let all = ["publish", "drop_unroutable", "confirm", "deliver", "deliver_get", "ack"];
    for path in [&*channel, "/api/vhosts/%2F", "/api/overview"] {
        let expected = [2, 1, 0, 1, 1, 1].map(Some);
        assert_eq!(figures(path, &all).await, expected, "{path}");
    }
    let queue = figures("/api/queues/%2F/q", &["publish", "deliver", "get", "ack"]).await;
    assert_eq!(queue, [1, 1, 0, 1].map(Some));
    let exchange = "/api/exchanges/%2F/amq.default";
    assert_eq!(figures(exchange, &["publish_in", "publish_out"]).await, [2, 1].map(Some));
    assert!(world.get("/api/exchanges/%2F/amq.topic").await.get("message_stats").is_none());
    wait(2000);
    (0..8).for_each(|_| client.publish(3, "q"));
    for (path, name) in [
        (&*channel, "publish"),
        ("/api/vhosts/%2F", "publish"),
        ("/api/overview", "publish"),
        (exchange, "publish_in"),
        ("/api/queues/%2F/q", "publish"),
    ] {
        assert_eq!(rate(&world, path, name).await, 4.0, "{path}");
    }
    drop(client);
    assert_eq!(figures("/api/overview", &["publish"]).await, [Some(10)], "it stays");
    let lists = ["/api/exchanges", "/api/queues", "/api/vhosts"];
    for path in lists {
        let shown = world.get(path).await;
        assert!(shown[0]["message_stats"].is_object(), "{path}");
    }
}

#[tokio::test]
async fn a_channel_and_its_exchanges_tell_what_goes_from_one_to_the_other() {
    let (world, wait) = world().await;
    let mut client = Client::open(&world);
    client.publish(3, "q");
    client.publish(3, "nowhere");
    let channel = format!("/api/channels/{} (3)", NAME).replace(' ', "%20").replace('>', "%3E");
    let exchange = "/api/exchanges/%2F/amq.default";
    let lists = [(&*channel, "publishes"), (exchange, "incoming")];
    for (path, list) in lists {
        let row = world.get(path).await[list][0].clone();
        let stats = &row["stats"];
        let names = ["publish", "confirm", "return_unroutable", "drop_unroutable"];
        assert_eq!(names.map(|name| stats[name].as_u64()), [2, 0, 0, 1].map(Some), "{row}");
        assert_eq!(stats["publish_details"]["rate"], 0.0);
    }
    wait(2000);
    (0..8).for_each(|_| client.publish(3, "q"));
    for (path, list) in lists {
        let shown = world.get(path).await;
        assert_eq!(shown[list].as_array().unwrap().len(), 1, "{shown}");
        assert_eq!(shown[list][0]["stats"]["publish_details"]["rate"], 4.0, "{path}");
    }
    let row = world.get(&channel).await["publishes"][0].clone();
    assert_eq!(row["exchange"], json!({"name": "", "vhost": "/"}));
    let row = world.get(exchange).await["incoming"][0].clone();
    let expected = json!([format!("{NAME} (3)"), 3, NAME, "guest"]);
    let details = ["name", "number", "connection_name", "user"];
    assert_eq!(json!(details.map(|name| &row["channel_details"][name])), expected);
    for (path, list) in [(&*channel, "deliveries"), (exchange, "outgoing")] {
        assert_eq!(world.get(path).await[list], json!([]), "{path}");
    }
    assert_eq!(world.get("/api/exchanges/%2F/amq.topic").await["incoming"], json!([]));
    drop(client);
    assert_eq!(world.get(exchange).await["incoming"], json!([]), "it is gone");
}

#[tokio::test]
async fn charts_get_their_samples() {
    let (world, wait) = world().await;
    let path = "/api/queues/%2F/q?msg_rates_age=10&msg_rates_incr=5&lengths_age=10&lengths_incr=5";
    for _ in 0..4 {
        world.publish("q", &["x"; 10]);
        world.get(path).await;
        wait(5000);
    }
    let shown = world.get(path).await;
    let expected = json!({
        "rate": 0.0, "avg_rate": 1.0, "avg": 36.667,
        "samples": [
            {"sample": 40, "timestamp": 1_020_000},
            {"sample": 40, "timestamp": 1_015_000},
            {"sample": 30, "timestamp": 1_010_000},
        ],
    });
    let stats = &shown["message_stats"];
    assert_eq!(shown["messages_details"], expected);
    assert_eq!(stats["publish_details"], expected);
    assert_eq!(world.get("/api/queues/%2F/q").await["messages_details"], json!({"rate": 0.0}));
}

#[tokio::test]
async fn what_nobody_uses_for_a_while_is_idle() {
    let (world, wait) = world().await;
    let mut client = Client::open(&world);
    client.publish(3, "q");
    let channel = format!("/api/channels/{} (3)", NAME).replace(' ', "%20").replace('>', "%3E");
    wait(60_000);
    for path in ["/api/queues/%2F/q", &channel] {
        let since = world.get(path).await["idle_since"].clone();
        assert!(since.as_str().unwrap().starts_with("1970-01-01T00:"), "{path}: {since}");
    }
}

#[tokio::test]
async fn consumers_are_as_able_as_messages_need_not_wait_for_them() {
    let (world, _wait) = world().await;
    let capacity = async || world.get("/api/queues/%2F/q").await["consumer_utilisation"].as_f64();
    assert_eq!(capacity().await, Some(0.0));
    let mut client = Client::open(&world);
    client.consume("q", "tag", false);
    assert_eq!(capacity().await, Some(1.0));
    world.publish("q", &["x"; 9]);
    assert_eq!(capacity().await, Some(0.0), "the prefetch is 2");
}

/// It once did nothing.
#[tokio::test]
async fn a_reset_forgets_what_was_seen_before() {
    let (world, wait) = world().await;
    let path = "/api/queues/%2F/q?msg_rates_age=10&msg_rates_incr=5";
    for reset in ["/api/reset", "/api/reset/leveret@hare"] {
        world.publish("q", &["x"; 50]);
        world.get(path).await;
        wait(5000);
        world.publish("q", &["x"; 50]);
        assert_eq!(rate(&world, path, "publish").await, 10.0);
        assert_eq!(world.change("DELETE", reset, &json!({})).await, 204);
        let details = world.get(path).await["message_stats"]["publish_details"].clone();
        assert_eq!((&details["rate"], &details["avg_rate"]), (&json!(0.0), &json!(0.0)));
        wait(5000);
    }
    assert_eq!(world.get(path).await["message_stats"]["publish"], 200, "what is counted goes on");
}
