//! Limits from which on publishers are blocked: who sees them, who sets them, and that they hold.

use super::*;
use crate::broker::Watermark;

const MEMORY: &str = "/api/leveret/memory-high-watermark";
const DISK: &str = "/api/leveret/disk-free-limit";

#[tokio::test]
async fn a_limit_that_is_set_holds_at_once_and_is_shown() {
    let world = World::new();
    world.broker.see_memory(Some(900), Some(10_000));
    world.broker.see_disk(500, false);
    assert_eq!(world.get(MEMORY).await, json!({"relative": 0.6, "bytes": 6000}));
    assert_eq!(world.change("PUT", MEMORY, &json!({"absolute": 800})).await, 204);
    assert_eq!(world.get(MEMORY).await, json!({"absolute": 800, "bytes": 800}));
    assert_eq!(world.broker.alarms().reason(), Some("low on memory & disk"));
    assert_eq!(world.change("PUT", DISK, &json!({"relative": 0.01})).await, 204);
    assert_eq!(world.get(DISK).await, json!({"relative": 0.01, "bytes": 100}));
    assert_eq!(world.broker.alarms().reason(), Some("low on memory"));
    assert_eq!(world.change("PUT", MEMORY, &json!({"relative": 1})).await, 204);
    assert_eq!(world.broker.alarms().reason(), None);
    let shown = world.get("/api/nodes?columns=mem_limit,disk_free_limit").await;
    assert_eq!(shown, json!([{"mem_limit": 10_000, "disk_free_limit": 100}]));
}

#[tokio::test]
async fn a_limit_that_makes_no_sense_changes_nothing() {
    let world = World::new();
    world.broker.set_memory_high_watermark(Watermark::Absolute(7));
    for body in [
        json!({}),
        json!({"absolute": -1}),
        json!({"absolute": 1.5}),
        json!({"absolute": "much"}),
        json!({"relative": -0.1}),
        json!({"relative": null}),
        json!({"absolute": 1, "relative": 0.5}),
    ] {
        let (status, reason) = world.refused("PUT", MEMORY, &body).await;
        assert_eq!(status, 400, "{body}");
        assert!(reason.contains("expected {\"absolute\": BYTES}"), "{reason}");
    }
    let (status, reason) = world.refused("PUT", MEMORY, &json!({"relative": 1.5})).await;
    assert_eq!((status, reason.contains("between 0.0 and 1.0")), (400, true), "{reason}");
    assert_eq!(world.broker.memory_limit(), 7);
    assert_eq!(world.change("PUT", DISK, &json!({"relative": 1.5})).await, 204);
}

#[tokio::test]
async fn monitors_see_limits_and_administrators_set_them() {
    let world = World::new();
    for path in [MEMORY, DISK] {
        for (user, method, status) in [
            ("policymaker", "GET", 401),
            ("monitoring", "GET", 200),
            ("monitoring", "PUT", 401),
            ("administrator", "PUT", 204),
        ] {
            let answer = world.ask_as(user, method, path, r#"{"relative": 0.5}"#).await;
            assert_eq!(answer.status, status, "{user} {method} {path}");
        }
    }
}
