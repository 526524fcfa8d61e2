//! Limits of users: shapes, and what is refused. What they do, the broker's tests show.

use super::*;

#[tokio::test]
async fn a_limit_is_set_shown_and_taken_away() {
    let world = World::new();
    assert_eq!(world.get("/api/user-limits").await, json!([]));
    for (limit, value) in [("max-channels", 3), ("max-channels", -1), ("max-connections", 4)] {
        let path = format!("/api/user-limits/guest/{limit}");
        assert_eq!(world.change("PUT", &path, &json!({"value": value})).await, 204);
    }
    let both = json!([{"user": "guest", "value": {"max-channels": -1, "max-connections": 4}}]);
    assert_eq!(world.get("/api/user-limits").await, both);
    assert_eq!(world.get("/api/user-limits/guest").await, both);
    assert_eq!(world.get("/api/user-limits/monitoring").await, json!([]));
    for limit in ["max-channels", "max-connections", "max-connections", "zzz"] {
        let path = format!("/api/user-limits/guest/{limit}");
        assert_eq!(world.ask("DELETE", &path, "").await.status, 204);
    }
    assert_eq!(world.get("/api/user-limits").await, json!([]));
}

#[tokio::test]
async fn limits_on_publishing_are_limits_like_others() {
    let world = World::new();
    for (limit, value) in [("max-publish-rate", -1), ("max-publish-bytes-rate", 5000)] {
        let path = format!("/api/user-limits/guest/{limit}");
        assert_eq!(world.change("PUT", &path, &json!({"value": value})).await, 204);
    }
    let value = json!({"max-publish-rate": -1, "max-publish-bytes-rate": 5000});
    let both = json!([{"user": "guest", "value": value}]);
    assert_eq!(world.get("/api/user-limits").await, both);
    for limit in ["max-publish-rate", "max-publish-bytes-rate"] {
        let path = format!("/api/user-limits/guest/{limit}");
        assert_eq!(world.ask("DELETE", &path, "").await.status, 204);
    }
    assert_eq!(world.get("/api/user-limits").await, json!([]));
}

#[tokio::test]
async fn what_is_no_limit_is_refused_in_rabbitmqs_words() {
    let world = World::new();
    for (path, body, reason) in [
        (
            "guest/max-zzz",
            json!({"value": 3}),
            json!("Unrecognised terms [{<<\"max-zzz\">>,3}] in user-limits"),
        ),
        (
            "guest/max-channels",
            json!({"value": "x"}),
            json!("max-channels should be a number, actually was <<\"x\">>"),
        ),
        (
            "guest/max-publish-bytes-rate",
            json!({"value": 0}),
            json!(
                "max-publish-bytes-rate should be above 0, or below for no limit, actually was 0"
            ),
        ),
        ("guest/max-channels", json!({}), json!("[{key_missing,value}]")),
        ("nope/max-channels", json!({"value": 1}), json!(["no_such_user", "nope"])),
    ] {
        let answer = world.ask("PUT", &format!("/api/user-limits/{path}"), &body.to_string()).await;
        assert_eq!((answer.status, &answer.body["reason"]), (400, &reason), "{path}");
    }
    for (method, path) in [("GET", "nope"), ("DELETE", "nope/max-channels")] {
        let answer = world.ask(method, &format!("/api/user-limits/{path}"), "").await;
        assert_eq!(answer.status, 404);
    }
}
