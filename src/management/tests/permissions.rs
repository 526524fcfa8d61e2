//! Permissions: shapes, statuses, and what is refused. What they allow, the broker's tests show.

use super::*;

fn permission(user: &str, host: &str, read: &str) -> Value {
    json!({"user": user, "vhost": host, "configure": "", "write": "", "read": read})
}

#[tokio::test]
async fn a_permission_is_set_shown_and_taken_away() {
    let world = World::new();
    let path = "/api/permissions/v2/none";
    assert_eq!(world.ask("GET", path, "").await.status, 404);
    let body = json!({"configure": "", "write": "", "read": "^a"});
    assert_eq!(world.change("PUT", path, &body).await, 201);
    assert_eq!(world.change("PUT", path, &body).await, 204);
    let shown = permission("none", "v2", "^a");
    assert_eq!(world.get(path).await, shown);
    assert_eq!(world.get("/api/vhosts/v2/permissions").await, json!([shown]));
    let of_user = json!([permission("none", "v1", ""), shown]);
    assert_eq!(world.get("/api/users/none/permissions").await, of_user);
    assert!(world.get("/api/permissions").await.as_array().unwrap().contains(&shown));
    assert_eq!(world.ask("DELETE", path, "").await.status, 204);
    assert_eq!(world.ask("DELETE", path, "").await.status, 404);
    assert_eq!(world.get("/api/vhosts/v2/permissions").await, json!([]));
}

#[tokio::test]
async fn a_permission_needs_three_patterns_a_user_and_a_virtual_host() {
    let world = World::new();
    let whole = json!({"configure": "", "write": "", "read": ""});
    for (path, body, reason) in [
        ("v1/none", json!({}), "[{key_missing,configure},{key_missing,write},{key_missing,read}]"),
        ("v1/none", json!({"configure": "", "write": ""}), "[{key_missing,read}]"),
        (
            "v1/none",
            json!({"configure": "", "write": 5, "read": ""}),
            "write should be a binary but was 5",
        ),
        ("v1/nobody", whole.clone(), "vhost_or_user_not_found"),
        ("nowhere/none", whole, "vhost_or_user_not_found"),
        ("nowhere/none", json!({}), "vhost_or_user_not_found"),
    ] {
        let path = format!("/api/permissions/{path}");
        assert_eq!(world.refused("PUT", &path, &body).await, (400, reason.to_owned()), "{body}");
    }
    for path in [
        "permissions/v1/nobody",
        "permissions/nowhere/none",
        "permissions/v1",
        "permissions/%2F/none",
    ] {
        assert_eq!(world.ask("GET", &format!("/api/{path}"), "").await.status, 404, "{path}");
    }
    for path in ["users/nobody/permissions", "vhosts/nowhere/permissions"] {
        assert_eq!(world.ask("GET", &format!("/api/{path}"), "").await.status, 404, "{path}");
    }
}

#[tokio::test]
async fn a_pattern_that_is_none_is_named_and_changes_nothing() {
    let world = World::new();
    let body = json!({"configure": ".*", "write": "a(", "read": ".*"});
    let answer = world.ask("PUT", "/api/permissions/v1/none", &body.to_string()).await;
    let reason = &answer.body["reason"];
    assert_eq!(
        (answer.status, &reason[0], &reason[1]),
        (400, &json!("invalid_regexp"), &json!("a("))
    );
    let told = reason[2].as_str().unwrap();
    assert!(told.starts_with("'a(' is no regular expression: "), "{told}");
    assert_eq!(world.get("/api/permissions/v1/none").await, permission("none", "v1", ""));
}
