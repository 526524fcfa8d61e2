//! Channels: shapes, what is counted on them, and who sees which.

use super::client::{Client, NAME};
use super::*;
use crate::protocol::methods::{basic, channel, confirm, tx};

const PATH: &str = "/api/channels/192.0.2.7:50007%20-%3E%20192.0.2.1:5672%20(3)";

async fn world() -> World {
    let world = World::new();
    assert_eq!(world.change("PUT", "/api/queues/%2F/q", &json!({})).await, 201);
    world
}

fn names(rows: &Value) -> Vec<String> {
    let rows = rows.as_array().unwrap().iter();
    rows.map(|row| row["name"].as_str().unwrap().replace(NAME, "client")).collect()
}

#[tokio::test]
async fn a_channel_is_told_as_it_is() {
    let world = world().await;
    assert_eq!(world.get("/api/channels").await, json!([]));
    let mut client = Client::open(&world);
    let mut expected = json!({
        "name": format!("{NAME} (3)"), "number": 3,
        "connection_details": {"name": NAME, "peer_host": "192.0.2.7", "peer_port": 50007},
        "vhost": "/", "user": "guest", "user_who_performed_action": "guest",
        "node": "leveret@hare", "state": "running", "confirm": false, "transactional": false,
        "consumer_count": 0, "prefetch_count": 0, "global_prefetch_count": 0,
        "messages_unacknowledged": 0, "messages_unconfirmed": 0, "messages_uncommitted": 0,
        "acks_uncommitted": 0, "pending_raft_commands": 0,
    });
    assert_eq!(world.get("/api/channels").await, json!([expected]));
    client.send(3, &confirm::Select { nowait: false });
    client.send(3, &basic::Qos { prefetch_size: 0, prefetch_count: 7, global: true });
    client.consume("q", "tag", false);
    expected["confirm"] = true.into();
    expected["prefetch_count"] = 2.into();
    expected["global_prefetch_count"] = 7.into();
    expected["consumer_count"] = 1.into();
    assert_eq!(world.get("/api/channels").await, json!([expected]));
    let alone = world.get(PATH).await;
    assert_eq!(alone["consumer_details"][0]["consumer_tag"], "tag");
    assert_eq!(alone["consumer_details"].as_array().unwrap().len(), 1);
    client.send(3, &basic::Cancel { consumer_tag: "tag", nowait: true });
    expected["consumer_count"] = 0.into();
    assert_eq!(world.get("/api/channels").await, json!([expected]));
    assert_eq!(world.get(PATH).await["consumer_details"], json!([]));
}

#[tokio::test]
async fn what_waits_on_a_channel_is_counted() {
    let world = world().await;
    let mut client = Client::open(&world);
    let waiting = async || {
        let channel = world.get(PATH).await;
        let count = |name: &str| channel[name].as_u64().unwrap();
        (count("messages_unacknowledged"), count("messages_uncommitted"))
    };
    world.publish("q", &["a", "b", "c", "d", "e"]);
    for no_ack in [false, true, false] {
        client.send(3, &basic::Get { queue: "q", no_ack });
    }
    assert_eq!(waiting().await, (2, 0), "one needs no settlement");
    client.consume("q", "tag", false);
    client.hear();
    assert_eq!(waiting().await, (4, 0));
    client.send(3, &basic::Ack { delivery_tag: 1, multiple: false });
    assert_eq!(waiting().await, (3, 0), "one that it got");
    client.send(3, &basic::Ack { delivery_tag: 4, multiple: true });
    assert_eq!(waiting().await, (1, 0), "one that it got, and one for the consumer");
    client.send(3, &tx::Select {});
    client.send(3, &basic::Ack { delivery_tag: 5, multiple: false });
    assert_eq!(world.get(PATH).await["acks_uncommitted"], 1);
    assert_eq!(waiting().await, (0, 0), "it is settled, if it is committed");
    client.publish(3, "nowhere");
    client.publish(3, "nowhere");
    assert_eq!(waiting().await, (0, 2));
    client.send(3, &tx::Rollback {});
    assert_eq!(waiting().await, (1, 0));
    client.publish(3, "nowhere");
    client.send(3, &tx::Commit {});
    assert_eq!(waiting().await, (1, 0));
    assert_eq!(world.get(PATH).await["transactional"], true);
}

#[tokio::test]
async fn channels_come_and_go() {
    let world = world().await;
    let mut client = Client::open(&world);
    client.send(1, &channel::Open {});
    let other = "192.0.2.8:50008 -> 192.0.2.1:5672";
    let _other = Client::open_as(&world, other, ("management", "x"), "v1");
    let of_other = &*format!("{other} (3)");
    assert_eq!(names(&world.get("/api/channels").await), ["client (1)", "client (3)", of_other]);
    let path = PATH.replace("channels", "connections").replace("%20(3)", "/channels");
    assert_eq!(names(&world.get(&path).await), ["client (1)", "client (3)"]);
    let page = world.get("/api/channels?page=2&page_size=1").await;
    assert_eq!(
        (names(&page["items"]), &page["page_count"]),
        (vec!["client (3)".into()], &json!(3))
    );
    let (reply_code, reply_text, class_id, method_id) = (200, "", 0, 0);
    client.send(3, &channel::Close { reply_code, reply_text, class_id, method_id });
    assert_eq!(names(&world.get("/api/vhosts/%2F/channels").await), ["client (1)"]);
    assert_eq!(world.ask("GET", PATH, "").await.status, 404);
    drop(client);
    assert_eq!(names(&world.get("/api/channels").await), [of_other]);
}

#[tokio::test]
async fn who_is_no_monitor_sees_its_own_channels() {
    let world = world().await;
    let _client = Client::open(&world);
    let of_connection = PATH.replace("channels", "connections").replace("%20(3)", "/channels");
    for (user, path, status, count) in [
        ("management", "/api/channels", 200, 0),
        ("monitoring", "/api/channels", 200, 1),
        ("management", "/api/vhosts/%2F/channels", 401, 0),
        ("management", "/api/vhosts/nope/channels", 404, 0),
        ("management", PATH, 401, 0),
        ("management", &of_connection, 401, 0),
        ("monitoring", &of_connection, 200, 1),
        ("monitoring", "/api/channels/nope", 404, 0),
        ("monitoring", "/api/connections/nope/channels", 404, 0),
    ] {
        let answer = world.ask_as(user, "GET", path, "").await;
        let seen = answer.body.as_array().map_or(0, Vec::len);
        assert_eq!((answer.status, seen), (status, count), "{user} {path}");
    }
}
