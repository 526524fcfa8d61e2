//! Limits of virtual hosts: shapes, and what is refused. What they do, the broker's tests show.

use super::*;

#[tokio::test]
async fn a_limit_is_set_shown_and_taken_away() {
    let world = World::new();
    assert_eq!(world.get("/api/vhost-limits").await, json!([]));
    for (limit, value) in [("max-queues", 3), ("max-queues", 4), ("max-connections", -1)] {
        let path = format!("/api/vhost-limits/v1/{limit}");
        assert_eq!(world.change("PUT", &path, &json!({"value": value})).await, 204);
    }
    let both = json!([{"vhost": "v1", "value": {"max-connections": -1, "max-queues": 4}}]);
    assert_eq!(world.get("/api/vhost-limits").await, both);
    assert_eq!(world.get("/api/vhost-limits/v1").await, both);
    assert_eq!(world.get("/api/vhost-limits/v2").await, json!([]));
    for _ in 0..2 {
        assert_eq!(world.ask("DELETE", "/api/vhost-limits/v1/max-queues", "").await.status, 204);
    }
    let one = json!([{"vhost": "v1", "value": {"max-connections": -1}}]);
    assert_eq!(world.get("/api/vhost-limits").await, one);
    assert_eq!(world.ask("DELETE", "/api/vhost-limits/v1/max-connections", "").await.status, 204);
    assert_eq!(world.get("/api/vhost-limits").await, json!([]), "none are no limits");
    assert_eq!(world.ask("GET", "/api/vhost-limits/v1/max-queues", "").await.status, 405);
}

#[tokio::test]
async fn limits_on_publishing_are_limits_like_others() {
    let world = World::new();
    for (limit, value) in [("max-publish-rate", 100), ("max-publish-bytes-rate", -1)] {
        let path = format!("/api/vhost-limits/v1/{limit}");
        assert_eq!(world.change("PUT", &path, &json!({"value": value})).await, 204);
    }
    let value = json!({"max-publish-rate": 100, "max-publish-bytes-rate": -1});
    let both = json!([{"vhost": "v1", "value": value}]);
    assert_eq!(world.get("/api/vhost-limits").await, both);
    let path = "/api/vhost-limits/v1/max-publish-rate";
    assert_eq!(world.ask("DELETE", path, "").await.status, 204);
    let one = json!([{"vhost": "v1", "value": {"max-publish-bytes-rate": -1}}]);
    assert_eq!(world.get("/api/vhost-limits/v1").await, one);
}

#[tokio::test]
async fn what_is_no_limit_is_refused_in_rabbitmqs_words() {
    let world = World::new();
    let invalid = |reason: &str| (400, format!("Validation failed\n\n{reason}\n"));
    for (path, body, expected) in [
        (
            "v1/max-zzz",
            json!({"value": 3}),
            invalid("Unrecognised terms [{<<\"max-zzz\">>,3}] in limits"),
        ),
        (
            "v1/max-queues",
            json!({"value": "5"}),
            invalid("max-queues should be a number, actually was <<\"5\">>"),
        ),
        (
            "v1/max-publish-rate",
            json!({"value": 0}),
            invalid("max-publish-rate should be above 0, or below for no limit, actually was 0"),
        ),
        ("v1/max-queues", json!({}), (400, "[{key_missing,value}]".to_owned())),
        ("nope/max-queues", json!({"value": 1}), (404, "vhost_not_found".to_owned())),
    ] {
        let path = format!("/api/vhost-limits/{path}");
        assert_eq!(world.refused("PUT", &path, &body).await, expected);
    }
    for (method, path) in [("GET", "nope"), ("DELETE", "nope/max-queues")] {
        let path = format!("/api/vhost-limits/{path}");
        assert_eq!(world.ask(method, &path, "").await.status, 404);
    }
}
