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
