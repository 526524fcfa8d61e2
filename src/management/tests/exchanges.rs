//! Exchanges: their shape, who may do what, and what is refused.

use super::*;

const REFUSED: &str = "Access refused.";
const NO_ACCESS: &str = "User not authorised to access virtual host";

fn direct() -> Value {
    json!({"type": "direct", "durable": true})
}

#[tokio::test]
async fn an_exchange_is_declared_shown_and_deleted() {
    let world = World::new();
    let one = "/api/exchanges/%2F/a%2Fb";
    let body = json!({
        "type": "topic", "durable": "true", "auto_delete": true, "internal": true, "foo": "bar",
        "arguments": {"alternate-exchange": "amq.fanout", "n": 1, "f": 1.5, "o": {"k": ["v"]}},
    });
    assert_eq!(world.change("PUT", one, &body).await, 201);
    assert_eq!(world.change("PUT", one, &body).await, 204);
    let expected = json!({
        "name": "a/b", "vhost": "/", "type": "topic", "durable": true, "auto_delete": true,
        "internal": true, "incoming": [], "outgoing": [], "user_who_performed_action": "guest",
        "arguments": {"alternate-exchange": "amq.fanout", "n": 1, "f": 1.5, "o": {"k": ["v"]}},
    });
    assert_eq!(world.get(one).await, expected);
    assert_eq!(world.get(&format!("{one}?columns=name,o.k")).await, json!({"name": "a/b"}));
    assert_eq!(world.change("DELETE", one, &Value::Null).await, 204);
    assert_eq!(world.refused("DELETE", one, &Value::Null).await, (404, "Not Found".into()));
    assert_eq!(world.refused("GET", one, &Value::Null).await, (404, "Not Found".into()));
}

#[tokio::test]
async fn without_a_body_an_exchange_is_direct_and_does_not_last() {
    let world = World::new();
    assert_eq!(world.ask("PUT", "/api/exchanges/%2F/x", "").await.status, 201);
    let exchange = world.get("/api/exchanges/%2F/x?columns=type,durable,auto_delete").await;
    assert_eq!(exchange, json!({"type": "direct", "durable": false, "auto_delete": false}));
}

#[tokio::test]
async fn the_default_exchange_has_a_name_in_paths_and_none_in_answers() {
    let world = World::new();
    let exchange = world.get("/api/exchanges/%2F/amq.default").await;
    assert_eq!((&exchange["name"], &exchange["type"]), (&json!(""), &json!("direct")));
    for method in ["PUT", "DELETE"] {
        let refused = world.refused(method, "/api/exchanges/%2F/amq.default", &direct()).await;
        assert_eq!(refused, (401, REFUSED.into()), "{method}");
    }
}

#[tokio::test]
async fn a_policy_that_applies_is_told() {
    let world = World::new();
    let policy = json!({"pattern": "^p", "definition": {"alternate-exchange": "y"}});
    assert_eq!(world.change("PUT", "/api/policies/%2F/one", &policy).await, 201);
    for name in ["px", "x"] {
        assert_eq!(
            world.change("PUT", &format!("/api/exchanges/%2F/{name}"), &direct()).await,
            201
        );
    }
    let policy = |exchange: Value| exchange.get("policy").cloned();
    assert_eq!(policy(world.get("/api/exchanges/%2F/px").await), Some(json!("one")));
    assert_eq!(policy(world.get("/api/exchanges/%2F/x").await), None);
}

#[tokio::test]
async fn what_amqp_refuses_is_refused_in_its_words() {
    let world = World::new();
    let x = "/api/exchanges/%2F/x";
    assert_eq!(world.change("PUT", x, &direct()).await, 201);
    let long = format!("/api/exchanges/%2F/{}", "n".repeat(256));
    for (path, body, reason) in [
        (
            x,
            json!({"type": "fanout", "durable": true}),
            "inequivalent arg 'type' for exchange 'x' in vhost '/': received 'fanout' but current \
             is 'direct'",
        ),
        (x, json!({"type": "zzz"}), "unknown exchange type 'zzz'"),
        (
            "/api/exchanges/%2F/y",
            json!({"arguments": {"alternate-exchange": 5}}),
            "invalid type 'long' for arg 'alternate-exchange' in exchange 'y' in vhost '/'",
        ),
        ("/api/exchanges/%2F/y", json!({"arguments": {"a": [null]}}), "null_not_allowed"),
        (
            "/api/exchanges/%2F/y",
            json!({"node": "leveret@elsewhere"}),
            "Node leveret@elsewhere could not be contacted",
        ),
        (&long, json!({}), "exchange should be less than 255 bytes, actually was 256\n"),
    ] {
        assert_eq!(world.refused("PUT", path, &body).await, (400, reason.into()), "{body}");
    }
    for (body, reason) in [
        (json!({"durable": "yes"}), json!(["not_boolean", "yes"])),
        (json!({"internal": null}), json!(["not_boolean", null])),
        (json!({"type": 5}), json!(["not_string", "type"])),
    ] {
        let answer = world.ask("PUT", x, &body.to_string()).await;
        assert_eq!((answer.status, &answer.body["reason"]), (400, &reason), "{body}");
    }
    let passive = json!({"passive": true});
    let absent = (404, "no exchange 'y' in vhost '/'".into());
    assert_eq!(world.refused("PUT", "/api/exchanges/%2F/y", &passive).await, absent);
    let own = json!({"node": "leveret@hare", "arguments": []});
    assert_eq!(world.change("PUT", "/api/exchanges/%2F/own", &own).await, 201);
}

#[tokio::test]
async fn names_and_exchanges_of_the_broker_are_refused() {
    let world = World::new();
    for (method, name) in [("PUT", "amq.mine"), ("DELETE", "amq.direct")] {
        let path = format!("/api/exchanges/%2F/{name}");
        assert_eq!(world.refused(method, &path, &direct()).await, (401, REFUSED.into()), "{name}");
    }
    assert_eq!(world.change("PUT", "/api/exchanges/%2F/amq.direct", &direct()).await, 204);
}

#[tokio::test]
async fn an_exchange_in_use_is_kept_if_that_is_asked_for() {
    let world = World::new();
    for name in ["x", "y"] {
        let path = format!("/api/exchanges/%2F/{name}");
        assert_eq!(world.change("PUT", &path, &direct()).await, 201);
    }
    world.bind_exchanges("x", "y").await;
    let path = "/api/exchanges/%2F/x?if-unused=true";
    let in_use = (400, "exchange 'x' in vhost '/' in use".into());
    assert_eq!(world.refused("DELETE", path, &Value::Null).await, in_use);
    assert_eq!(
        world.change("DELETE", "/api/exchanges/%2F/x?if-unused=no", &Value::Null).await,
        204
    );
}

#[tokio::test]
async fn a_user_sees_what_is_in_its_virtual_hosts_and_changes_what_its_permissions_allow() {
    let world = World::new();
    world.permit("management", "v1", "mine");
    let body = direct().to_string();
    for (user, method, path, status, reason) in [
        ("management", "GET", "/api/exchanges/v1/amq.direct", 200, ""),
        ("management", "GET", "/api/exchanges/v2/amq.direct", 401, NO_ACCESS),
        ("monitoring", "GET", "/api/exchanges/v2", 401, NO_ACCESS),
        ("management", "GET", "/api/exchanges/nope", 404, "Not Found"),
        ("none", "GET", "/api/exchanges", 401, "Not management user"),
        ("management", "PUT", "/api/exchanges/v1/mine", 201, ""),
        ("management", "PUT", "/api/exchanges/v1/other", 401, REFUSED),
        ("management", "PUT", "/api/exchanges/v2/mine", 401, NO_ACCESS),
        ("management", "PUT", "/api/exchanges/nope/mine", 404, "vhost_not_found"),
        ("monitoring", "DELETE", "/api/exchanges/v1/mine", 401, REFUSED),
        ("administrator", "GET", "/api/exchanges/v2/amq.direct", 200, ""),
        ("administrator", "PUT", "/api/exchanges/v2/x", 401, REFUSED),
        ("management", "DELETE", "/api/exchanges/v1/mine", 204, ""),
    ] {
        let answer = world.ask_as(user, method, path, &body).await;
        assert_eq!((answer.status, answer.reason()), (status, reason), "{user} {method} {path}");
    }
    let hosts = |answer: Answer| {
        let rows = answer.body.as_array().unwrap().clone();
        let mut hosts: Vec<Value> = rows.iter().map(|row| row["vhost"].clone()).collect();
        hosts.dedup();
        hosts
    };
    let seen = hosts(world.ask_as("management", "GET", "/api/exchanges", "").await);
    assert_eq!(seen, [json!("v1")]);
    let seen = hosts(world.ask_as("administrator", "GET", "/api/exchanges", "").await);
    assert_eq!(seen, [json!("/"), json!("v1"), json!("v2")]);
}

#[tokio::test]
async fn who_asks_by_this_door_is_no_connection() {
    let world = World::new();
    world.broker.by_node().set_host_limit("/", "max-connections", 0.into()).unwrap();
    world.broker.by_node().set_user_limit("guest", "max-channels", 0.into()).unwrap();
    assert_eq!(world.change("PUT", "/api/exchanges/%2F/x", &direct()).await, 201);
    assert_eq!(world.broker.session_count(), 0);
}
