//! The node: what it is, how it fares, and who may know.

use super::*;
use crate::broker::Watermark;

#[tokio::test]
async fn the_node_tells_what_it_is_and_how_it_fares() {
    let world = World::new();
    world.broker.set_memory_high_watermark(Watermark::Absolute(5000));
    world.broker.set_disk_free_limit(Watermark::Absolute(300));
    let shown = world.get("/api/nodes/leveret@hare").await;
    for (name, value) in [
        ("name", json!("leveret@hare")),
        ("type", json!("disc")),
        ("running", json!(true)),
        ("partitions", json!([])),
        ("os_pid", json!("42")),
        ("processors", json!(2)),
        ("uptime", json!(1)),
        ("mem_used", json!(900)),
        ("mem_limit", json!(5000)),
        ("mem_alarm", json!(false)),
        ("disk_free", json!(0)),
        ("disk_free_limit", json!(300)),
        ("disk_free_alarm", json!(false)),
        ("fd_used", json!(12)),
        ("fd_total", json!(1024)),
        ("sockets_used", json!(0)),
        ("run_queue", json!(0)),
        ("proc_used", json!(0)),
        ("db_dir", json!("/var/lib/hare")),
        ("config_files", json!(["/etc/hare.conf"])),
        ("log_files", json!(["<stdout>"])),
        ("auth_mechanisms", json!([{"name": "PLAIN", "enabled": true}])),
    ] {
        assert_eq!(shown[name], value, "{name}");
    }
    let plugins = shown["enabled_plugins"].as_array().unwrap();
    assert!(plugins.contains(&json!("rabbitmq_management")));
    assert!(!plugins.contains(&json!("rabbitmq_prometheus")), "nobody can scrape it");
    assert_eq!(world.get("/api/nodes").await, json!([shown]));
    for (alarm, expected) in [
        (Alarm::Disk, json!([{"disk_free_alarm": true, "mem_alarm": false}])),
        (Alarm::Memory, json!([{"disk_free_alarm": true, "mem_alarm": true}])),
    ] {
        world.broker.set_alarm(alarm, true);
        assert_eq!(world.get("/api/nodes?columns=disk_free_alarm,mem_alarm").await, expected);
    }
}

#[tokio::test]
async fn the_memory_of_the_node_is_told_by_what_is_in_it() {
    let world = World::new();
    let shown = world.get("/api/nodes/leveret@hare/memory").await;
    let memory = &shown["memory"];
    assert_eq!(memory["total"], json!({"rss": 900, "allocated": 900, "erlang": 900}));
    let parts = memory.as_object().unwrap().values().filter_map(Value::as_u64);
    assert_eq!(parts.sum::<u64>(), 900);
    assert_eq!((&memory["strategy"], &memory["mnesia"]), (&json!("rss"), &json!(0)));
}

#[tokio::test]
async fn the_node_is_for_monitors() {
    let world = World::new();
    for (user, path, status) in [
        ("management", "/api/nodes", 401),
        ("policymaker", "/api/nodes/leveret@hare", 401),
        ("management", "/api/nodes/nope", 401),
        ("management", "/api/nodes/leveret@hare/memory", 401),
        ("monitoring", "/api/nodes", 200),
        ("monitoring", "/api/nodes/leveret@hare/memory", 200),
        ("monitoring", "/api/nodes/nope", 404),
        ("monitoring", "/api/nodes/nope/memory", 404),
    ] {
        let answer = world.ask_as(user, "GET", path, "").await;
        assert_eq!(answer.status, status, "{user} {path}");
        if status == 401 {
            assert_eq!(answer.reason(), "Not monitor user");
        }
    }
}

#[tokio::test]
async fn memory_is_told_in_percent_as_well() {
    let world = World::new();
    let memory = &world.get("/api/nodes/leveret@hare/memory/relative").await["memory"];
    assert_eq!((&memory["total"], &memory["other_system"]), (&json!(100), &json!(100)));
    assert_eq!(memory["strategy"], Value::Null);
    let tables = json!({"ets_tables_memory": "no_tables"});
    for path in ["memory/ets", "memory/ets/relative", "memory/ets/a", "memory/ets/a/relative"] {
        assert_eq!(world.get(&format!("/api/nodes/leveret@hare/{path}")).await, tables);
    }
    assert_eq!(world.ask("GET", "/api/nodes/other/memory/ets", "").await.status, 404);
}

#[tokio::test]
async fn administrators_see_what_the_configuration_comes_to() {
    let world = World::new();
    let expected = json!({"node": "leveret@hare", "config": {"heartbeat": "60"}});
    assert_eq!(world.get("/api/config/effective").await, expected);
    let answer = world.ask_as("monitoring", "GET", "/api/config/effective", "").await;
    assert_eq!(answer.status, 401);
}

#[tokio::test]
async fn the_plugin_of_events_is_listed_where_events_are_told() {
    for event_exchange in [None, Some("/".to_owned())] {
        let is_told = event_exchange.is_some();
        let options = BrokerOptions { event_exchange, ..BrokerOptions::default() };
        let world = World::of(Arc::new(Broker::new(options, [1, 2]).unwrap()));
        let nodes = world.get("/api/nodes").await;
        let plugins = nodes[0]["enabled_plugins"].as_array().unwrap();
        assert_eq!(plugins.contains(&json!("rabbitmq_event_exchange")), is_told);
    }
}
