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
        ("db_dir", json!("/var/lib/hare")),
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
    assert_eq!(memory["total"], json!({"rss": 900}));
    let parts = [
        "leveret_bodies_on_disk_too",
        "leveret_bodies_in_memory_only",
        "leveret_connections",
        "other_system",
    ];
    let sum: u64 = parts.map(|name| memory[name].as_u64().unwrap()).iter().sum();
    assert_eq!(sum, 900);
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
