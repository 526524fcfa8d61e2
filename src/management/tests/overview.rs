//! The overview: who answers, and what there is.

use super::client::Client;
use super::*;

#[tokio::test]
async fn the_overview_says_who_answers() {
    let world = World::new();
    let shown = world.get("/api/overview").await;
    for (name, value) in [
        ("management_version", "4.3.5"),
        ("rabbitmq_version", "4.3.5"),
        ("product_name", "Leveret"),
        ("product_version", env!("CARGO_PKG_VERSION")),
        ("cluster_name", "leveret@localhost"),
        ("node", "leveret@hare"),
        ("default_queue_type", "classic"),
        ("rates_mode", "basic"),
    ] {
        assert_eq!(shown[name], value, "{name}");
    }
    let types = shown["exchange_types"].as_array().unwrap();
    let names: Vec<&str> = types.iter().map(|each| each["name"].as_str().unwrap()).collect();
    assert_eq!(names[..4], ["direct", "fanout", "topic", "headers"]);
    let listener = json!({
        "node": "leveret@hare", "protocol": "amqp", "ip_address": "0.0.0.0", "port": 5671,
        "tls": false,
    });
    assert_eq!(shown["listeners"][0], listener);
    let context = json!([{
        "node": "leveret@hare", "description": "HTTP API", "path": "/", "ip": "127.0.0.1",
        "port": "15671", "ssl_opts": [],
    }]);
    assert_eq!(shown["contexts"], context);
}

#[tokio::test]
async fn the_overview_counts_what_there_is() {
    let world = World::new();
    assert_eq!(world.change("PUT", "/api/queues/%2F/q", &json!({})).await, 201);
    world.publish("q", &["a", "b", "c"]);
    let mut client = Client::open(&world);
    client.consume("q", "tag", false);
    let shown = world.get("/api/overview").await;
    let still = json!({"rate": 0.0});
    let messages = json!({
        "messages": 3, "messages_ready": 1, "messages_unacknowledged": 2,
        "messages_details": still, "messages_ready_details": still,
        "messages_unacknowledged_details": still,
    });
    assert_eq!(shown["queue_totals"], messages);
    let objects =
        json!({"channels": 1, "connections": 1, "consumers": 1, "exchanges": 21, "queues": 1});
    assert_eq!(shown["object_totals"], objects);
    drop(client);
    let shown = world.get("/api/overview?columns=churn_rates,object_totals.connections").await;
    for (name, count) in [
        ("connection_created", 1),
        ("connection_closed", 1),
        ("channel_created", 1),
        ("channel_closed", 1),
        ("queue_declared", 1),
        ("queue_created", 1),
        ("queue_deleted", 0),
    ] {
        assert_eq!(shown["churn_rates"][name], count, "{name}");
        assert_eq!(shown["churn_rates"][format!("{name}_details")], still, "{name}");
    }
    assert_eq!(shown["object_totals"], json!({"connections": 0}));
}

#[tokio::test]
async fn who_is_no_monitor_sees_numbers_of_its_own_things() {
    let world = World::new();
    assert_eq!(world.change("PUT", "/api/queues/%2F/q", &json!({})).await, 201);
    let _client = Client::open(&world);
    for (user, exchanges, queues, connections, is_monitor) in
        [("management", 7, 0, 0, false), ("monitoring", 21, 1, 1, true)]
    {
        let shown = world.ask_as(user, "GET", "/api/overview", "").await.body;
        let counted = &shown["object_totals"];
        let counts = ["exchanges", "queues", "connections"].map(|name| counted[name].as_u64());
        assert_eq!(counts, [Some(exchanges), Some(queues), Some(connections)], "{user}");
        assert_eq!(shown.get("listeners").is_some(), is_monitor, "{user}");
    }
}
