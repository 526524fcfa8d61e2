//! Users: shapes, what a body must say, and what becomes of users who are changed or deleted.

use super::*;
use crate::auth::Login;

/// The hash of `test12` that stands in RabbitMQ's documentation of passwords.
const HASH: &str = "kI3GCqW5JLMJa4iX1lo7X4D6XbYqlLgxIs30+P6tENUV2POR";

fn may_log_in(world: &World, user: &str, password: &str) -> bool {
    let login = Login { user: user.into(), password: password.into() };
    let check = world.broker.begin_login(login, Peer { address: None });
    world.broker.poll_login(&check, std::task::Waker::noop(), Moment(1)).unwrap().is_ok()
}

fn names(users: &Value) -> Vec<&str> {
    users.as_array().unwrap().iter().map(|user| user["name"].as_str().unwrap()).collect()
}

#[tokio::test]
async fn a_user_is_made_changed_and_deleted() {
    let world = World::new();
    let path = "/api/users/ann%20b";
    let body = json!({"password": "x", "tags": "monitoring, policymaker"});
    assert_eq!(world.change("PUT", path, &body).await, 201);
    assert!(may_log_in(&world, "ann b", "x"));
    let shown = world.get(path).await;
    assert_eq!(shown["tags"], json!(["monitoring", "policymaker"]));
    let body = json!({"password_hash": HASH, "tags": ["a"], "limits": {"max-channels": 3}});
    assert_eq!(world.change("PUT", path, &body).await, 204);
    let expected = json!({
        "name": "ann b", "password_hash": HASH, "tags": ["a"], "limits": {"max-channels": 3},
        "hashing_algorithm": "rabbit_password_hashing_sha256",
    });
    assert_eq!(world.get(path).await, expected);
    assert!(may_log_in(&world, "ann b", "test12") && !may_log_in(&world, "ann b", "x"));
    assert!(world.get("/api/users").await.as_array().unwrap().contains(&expected));
    assert_eq!(world.ask("DELETE", path, "").await.status, 204);
    assert!(!may_log_in(&world, "ann b", "test12"));
    for method in ["GET", "DELETE"] {
        assert_eq!(world.ask(method, path, "").await.status, 404);
    }
}

#[tokio::test]
async fn an_algorithm_goes_with_its_hash() {
    let world = World::new();
    let (md5, name) = ("kI3GChNpte2FApYFXScl+0dIluk=", "rabbit_password_hashing_md5");
    let body = json!({"password_hash": md5, "hashing_algorithm": name, "tags": ""});
    assert_eq!(world.change("PUT", "/api/users/old", &body).await, 201);
    assert_eq!(world.get("/api/users/old").await["hashing_algorithm"], name);
    assert!(may_log_in(&world, "old", "test12"));
    let body = json!({"password": "new", "tags": ""});
    assert_eq!(world.change("PUT", "/api/users/old", &body).await, 204);
    let expected = "rabbit_password_hashing_sha256";
    assert_eq!(world.get("/api/users/old").await["hashing_algorithm"], expected);
}

#[tokio::test]
async fn without_a_password_a_user_has_none_and_keeps_its_limits() {
    let world = World::new();
    let body = json!({"password": "x", "tags": "", "limits": {"max-connections": 5}});
    assert_eq!(world.change("PUT", "/api/users/ann", &body).await, 201);
    let body = json!({"tags": "", "limits": {"max-channels": 6}});
    assert_eq!(world.change("PUT", "/api/users/ann", &body).await, 204);
    let shown = world.get("/api/users/ann").await;
    assert_eq!(shown["password_hash"], "");
    assert_eq!(shown["limits"], json!({"max-channels": 6, "max-connections": 5}));
    assert!(!may_log_in(&world, "ann", "x") && !may_log_in(&world, "ann", ""));
}

#[tokio::test]
async fn what_says_nothing_clear_of_a_user_is_refused() {
    let world = World::new();
    for (body, reason) in [
        (json!({"password": "x"}), json!("tags_not_present")),
        (
            json!({"password": "x", "password_hash": HASH, "tags": ""}),
            json!("both_password_and_password_hash_are_provided"),
        ),
        (json!({"password_hash": "?", "tags": ""}), json!(["not_base64", "?"])),
        (
            json!({"password_hash": HASH, "hashing_algorithm": "rot13", "tags": ""}),
            json!("hashing_algorithm 'rot13' is not known"),
        ),
        (
            json!({"password": "", "tags": ""}),
            json!("a blank password proves nothing: leave it out, or give one"),
        ),
        (json!({"password": null, "tags": ""}), json!("password should be a binary but was null")),
        (
            json!({"password": "x", "tags": 5}),
            json!("expected tags: a list of texts, or one text with commas"),
        ),
    ] {
        let answer = world.ask("PUT", "/api/users/ann", &body.to_string()).await;
        assert_eq!((answer.status, &answer.body["reason"]), (400, &reason), "{body}");
    }
    let body = json!({"tags": "", "limits": {"max-zzz": 1}});
    assert_eq!(world.change("PUT", "/api/users/ann", &body).await, 400);
    assert_eq!(world.ask("PUT", "/api/users/ann", "").await.reason(), "tags_not_present");
    assert_eq!(world.ask("GET", "/api/users/ann", "").await.status, 404);
}

#[tokio::test]
async fn a_deleted_user_leaves_nothing_to_another_of_its_name() {
    let world = World::new();
    let topic = json!({"exchange": "amq.topic", "write": "a", "read": "b"});
    assert_eq!(world.change("PUT", "/api/topic-permissions/v1/none", &topic).await, 201);
    assert_eq!(
        world.change("PUT", "/api/user-limits/none/max-channels", &json!({"value": 1})).await,
        204
    );
    assert_eq!(world.ask("DELETE", "/api/users/none", "").await.status, 204);
    world.change("PUT", "/api/users/none", &json!({"tags": ""})).await;
    assert_eq!(world.get("/api/users/none/permissions").await, json!([]));
    assert_eq!(world.get("/api/users/none/topic-permissions").await, json!([]));
    assert_eq!(world.get("/api/users/none").await["limits"], json!({}));
}

#[tokio::test]
async fn users_without_permissions_are_listed() {
    let world = World::new();
    assert_eq!(world.get("/api/users/without-permissions").await, json!([]));
    world.change("PUT", "/api/users/ann", &json!({"tags": ""})).await;
    assert_eq!(names(&world.get("/api/users/without-permissions").await), ["ann"]);
}

#[tokio::test]
async fn many_users_are_deleted_at_once_or_none() {
    let world = World::new();
    let path = "/api/users/bulk-delete";
    let body = json!({"users": ["none", "nobody"]});
    let answer = world.ask("POST", path, &body.to_string()).await;
    assert_eq!((answer.status, &answer.body["reason"]), (400, &json!(["no_such_user", "nobody"])));
    assert!(names(&world.get("/api/users").await).contains(&"none"));
    let body = json!({"users": ["none", "management", "none"]});
    assert_eq!(world.change("POST", path, &body).await, 204);
    let left = ["administrator", "guest", "monitoring", "policymaker"];
    assert_eq!(names(&world.get("/api/users").await), left);
    for (body, reason) in [
        (json!({}), "[{key_missing,users}]"),
        (json!({"users": "guest"}), "users should be a list of names"),
        (json!({"users": [5]}), "users should be a list of names"),
    ] {
        assert_eq!(world.refused("POST", path, &body).await, (400, reason.to_owned()));
    }
    assert_eq!(world.change("POST", path, &json!({"users": []})).await, 204);
}

#[tokio::test]
async fn users_and_permissions_are_for_administrators() {
    let world = World::new();
    for path in [
        "users",
        "users/guest",
        "users/without-permissions",
        "users/guest/permissions",
        "users/guest/topic-permissions",
        "permissions",
        "permissions/v1/guest",
        "topic-permissions",
        "topic-permissions/v1/guest",
        "topic-permissions/v1/guest/x",
        "vhosts/v1/permissions",
        "vhosts/v1/topic-permissions",
    ] {
        for user in ["management", "policymaker", "monitoring"] {
            let answer = world.ask_as(user, "GET", &format!("/api/{path}"), "").await;
            let expected = (401, "Not administrator user");
            assert_eq!((answer.status, answer.reason()), expected, "{user} {path}");
        }
        let answer = world.ask_as("administrator", "GET", &format!("/api/{path}"), "").await;
        assert_ne!(answer.status, 401, "{path}");
    }
    for (method, path) in [
        ("PUT", "users/new"),
        ("DELETE", "users/guest"),
        ("POST", "users/bulk-delete"),
        ("DELETE", "permissions/v1/none"),
        ("DELETE", "topic-permissions/v1/none"),
        ("DELETE", "topic-permissions/v1/none/x"),
    ] {
        let answer = world.ask_as("policymaker", method, &format!("/api/{path}"), "{}").await;
        assert_eq!(answer.status, 401, "{method} {path}");
    }
}

#[tokio::test]
async fn a_password_that_breaks_the_rule_is_refused_and_a_hash_is_not_looked_at() {
    let options = BrokerOptions {
        password_rule: crate::auth::PasswordRule::Length(8),
        ..BrokerOptions::default()
    };
    let world = World::of(Arc::new(Broker::new(options, [1, 2]).unwrap()));
    let refused = (400, "credential_validation_failed".to_owned());
    let short = json!({"password": "short", "tags": ""});
    assert_eq!(world.refused("PUT", "/api/users/ann", &short).await, refused);
    assert_eq!(world.ask("GET", "/api/users/ann", "").await.status, 404);
    let long = json!({"password": "long enough", "tags": ""});
    assert_eq!(world.change("PUT", "/api/users/ann", &long).await, 201);
    let hash = json!({"password_hash": HASH, "tags": ""});
    assert_eq!(world.change("PUT", "/api/users/bob", &hash).await, 201);
    let file = json!({"users": [{"name": "eve", "password": "short", "tags": ""}]});
    let definitions = Definitions::read(file.to_string().as_bytes()).unwrap();
    let failure = world.broker.by_node().import(&definitions, Moment(1)).unwrap_err();
    assert!(failure.to_string().contains("credential_validation_failed"), "{failure}");
}
