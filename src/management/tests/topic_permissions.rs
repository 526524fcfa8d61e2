//! Topic permissions: one entry for each exchange of what a user has in a virtual host.

use super::*;

fn entry(exchange: &str, read: &str) -> Value {
    json!({"user": "none", "vhost": "v1", "exchange": exchange, "write": "w", "read": read})
}

#[tokio::test]
async fn topic_permissions_are_set_shown_and_taken_away_by_exchange() {
    let world = World::new();
    let path = "/api/topic-permissions/v1/none";
    assert_eq!(world.get("/api/topic-permissions").await, json!([]));
    let body = json!({"exchange": "a", "write": "w", "read": "r"});
    assert_eq!(world.change("PUT", path, &body).await, 201);
    let body = json!({"exchange": "b", "write": "w", "read": "r"});
    assert_eq!(world.change("PUT", &format!("{path}/b"), &body).await, 204);
    let body = json!({"exchange": "b", "write": "w", "read": "again"});
    assert_eq!(world.change("PUT", path, &body).await, 204);
    let both = json!([entry("a", "r"), entry("b", "again")]);
    for path in [
        path,
        "/api/topic-permissions/v1/none/a",
        "/api/topic-permissions",
        "/api/users/none/topic-permissions",
        "/api/vhosts/v1/topic-permissions",
    ] {
        assert_eq!(world.get(path).await, both, "{path}");
    }
    assert_eq!(world.get("/api/vhosts/v2/topic-permissions").await, json!([]));
    assert_eq!(world.ask("DELETE", &format!("{path}/a"), "").await.status, 204);
    assert_eq!(world.ask("DELETE", &format!("{path}/unknown"), "").await.status, 204);
    assert_eq!(world.get(path).await, json!([entry("b", "again")]));
    assert_eq!(world.ask("DELETE", path, "").await.status, 204);
    for method in ["GET", "DELETE"] {
        assert_eq!(world.ask(method, path, "").await.status, 404);
        assert_eq!(world.ask(method, &format!("{path}/a"), "").await.status, 404);
    }
}

#[tokio::test]
async fn a_topic_permission_needs_an_exchange_and_two_patterns() {
    let world = World::new();
    let whole = json!({"exchange": "a", "write": "", "read": ""});
    for (path, body, reason) in [
        (
            "v1/none",
            json!({}),
            json!("[{key_missing,exchange},{key_missing,write},{key_missing,read}]"),
        ),
        ("v1/none/a", json!({"write": "", "read": ""}), json!("[{key_missing,exchange}]")),
        (
            "v1/none",
            json!({"exchange": 5, "write": "", "read": ""}),
            json!("exchange should be a binary but was 5"),
        ),
        ("v1/nobody", whole.clone(), json!("vhost_or_user_not_found")),
        ("nowhere/none", whole, json!("vhost_or_user_not_found")),
    ] {
        let path = format!("/api/topic-permissions/{path}");
        let answer = world.ask("PUT", &path, &body.to_string()).await;
        assert_eq!((answer.status, &answer.body["reason"]), (400, &reason), "{path} {body}");
    }
    let body = json!({"exchange": "a", "write": "(", "read": ""}).to_string();
    let answer = world.ask("PUT", "/api/topic-permissions/v1/none", &body).await;
    assert_eq!((answer.status, &answer.body["reason"][1]), (400, &json!("(")));
    assert_eq!(world.get("/api/topic-permissions").await, json!([]));
    for path in ["users/nobody/topic-permissions", "vhosts/nowhere/topic-permissions"] {
        assert_eq!(world.ask("GET", &format!("/api/{path}"), "").await.status, 404, "{path}");
    }
}

#[tokio::test]
async fn keys_that_a_user_may_not_use_are_refused_over_http_too() {
    let world = World::new();
    world.permit("management", "v1", "");
    let queue = world.ask_as("management", "PUT", "/api/queues/v1/q", "{}").await;
    assert_eq!(queue.status, 201);
    let body = json!({"exchange": "amq.topic", "write": "^w-{username}", "read": "^r"});
    let path = "/api/topic-permissions/v1/management";
    assert_eq!(world.change("PUT", path, &body).await, 201);
    for (key, status) in [("w-management", 200), ("w-guest", 400)] {
        let body = json!({
            "properties": {}, "routing_key": key, "payload": "x", "payload_encoding": "string",
        });
        let path = "/api/exchanges/v1/amq.topic/publish";
        let answer = world.ask_as("management", "POST", path, &body.to_string()).await;
        assert_eq!(answer.status, status, "{key}");
        let reason = "403 ACCESS_REFUSED - write access to topic 'w-guest' in exchange 'amq.topic' \
                      in vhost 'v1' refused for user 'management'";
        assert!(status == 200 || answer.reason() == reason, "{}", answer.reason());
    }
    for (key, status) in [("r.1", 201), ("w", 401)] {
        let body = json!({"routing_key": key, "arguments": {}}).to_string();
        let path = "/api/bindings/v1/e/amq.topic/q/q";
        let answer = world.ask_as("management", "POST", path, &body).await;
        assert_eq!(answer.status, status, "{key}");
    }
}
