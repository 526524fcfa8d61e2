//! Replicas of queues of quorum type: each has one, here.

use super::*;

async fn with_queues() -> World {
    let world = World::new();
    let quorum = json!({"durable": true, "arguments": {"x-queue-type": "quorum"}});
    assert_eq!(world.change("PUT", "/api/queues/%2F/q", &quorum).await, 201);
    assert_eq!(world.change("PUT", "/api/queues/%2F/c", &json!({"durable": true})).await, 201);
    world
}

#[tokio::test]
async fn a_queue_is_led_by_the_only_node() {
    let world = with_queues().await;
    let status = world.get("/api/queues/quorum/%2F/q/status").await;
    let expected =
        json!([{"Node Name": "leveret@hare", "Raft State": "leader", "Membership": "voter"}]);
    assert_eq!(status, expected);
    let classic = world.ask("GET", "/api/queues/quorum/%2F/c/status", "").await;
    let expected = json!({"status": "failed", "reason": "classic_queue_not_supported"});
    assert_eq!((classic.status, classic.body), (503, expected));
    assert_eq!(world.ask("GET", "/api/queues/quorum/%2F/n/status", "").await.status, 404);
}

#[tokio::test]
async fn a_replica_is_where_it_is_and_cannot_be_taken_away() {
    let world = with_queues().await;
    let replicas = "/api/queues/quorum/%2F/q/replicas";
    let here = json!({"node": "leveret@hare"});
    assert_eq!(world.change("POST", &format!("{replicas}/add"), &here).await, 204);
    let elsewhere = world.refused("POST", &format!("{replicas}/add"), &json!({"node": "x"})).await;
    assert_eq!(elsewhere, (503, "node_not_running".into()));
    let deleted = world.refused("DELETE", &format!("{replicas}/delete"), &here).await;
    assert_eq!(deleted, (503, "last_node".into()));
    let growth = json!({"vhost_pattern": ".*", "queue_pattern": ".*", "strategy": "all"});
    let on = "/api/queues/quorum/replicas/on/leveret@hare";
    assert_eq!(world.change("POST", &format!("{on}/grow"), &growth).await, 204);
    assert_eq!(world.change("DELETE", &format!("{on}/shrink"), &json!({})).await, 503);
    assert_eq!(world.ask_as("management", "DELETE", &format!("{on}/shrink"), "").await.status, 401);
}
