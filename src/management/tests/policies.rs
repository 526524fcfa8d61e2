//! Policies and those of the operator: shapes, and what is refused.

use super::*;

#[tokio::test]
async fn a_policy_is_set_shown_changed_and_taken_away() {
    let world = World::new();
    for path in ["/api/policies", "/api/operator-policies"] {
        let one = format!("{path}/%2F/p%2Fq");
        assert_eq!(world.get(path).await, json!([]));
        let body = json!({"pattern": "^a", "definition": {"max-length": 5}});
        assert_eq!(world.change("PUT", &one, &body).await, 201);
        let shape = |length: u64, priority: i64, applies_to: &str| {
            json!({
                "vhost": "/", "name": "p/q", "pattern": "^a", "apply-to": applies_to,
                "definition": {"max-length": length}, "priority": priority,
            })
        };
        assert_eq!(world.get(&one).await, shape(5, 0, "all"));
        let body = json!({
            "pattern": "^a", "definition": {"max-length": 6}, "priority": 2, "apply-to": "queues",
        });
        assert_eq!(world.change("PUT", &one, &body).await, 204);
        assert_eq!(world.get(path).await, json!([shape(6, 2, "queues")]));
        assert_eq!(world.get(&format!("{path}/%2F")).await, json!([shape(6, 2, "queues")]));
        assert_eq!(world.get(&format!("{path}/v1")).await, json!([]));
        assert_eq!(world.change("DELETE", &one, &Value::Null).await, 204);
        assert_eq!(world.change("DELETE", &one, &Value::Null).await, 404);
        assert_eq!(world.ask("GET", &one, "").await.status, 404);
    }
}

#[tokio::test]
async fn the_two_kinds_do_not_see_each_other() {
    let world = World::new();
    let body = json!({"pattern": "", "definition": {"max-length": 5}});
    assert_eq!(world.change("PUT", "/api/policies/%2F/p", &body).await, 201);
    assert_eq!(world.change("PUT", "/api/operator-policies/%2F/p", &body).await, 201);
    assert_eq!(world.change("DELETE", "/api/policies/%2F/p", &Value::Null).await, 204);
    assert_eq!(world.get("/api/operator-policies/%2F/p").await["name"], "p");
}

#[tokio::test]
async fn who_may_ask_for_policies_is_told_that_a_virtual_host_is_not_there() {
    let world = World::new();
    let body = json!({"pattern": "x", "definition": {"max-length": 6}}).to_string();
    let forbidden = "User not authorised to access object";
    for (user, method, status, reason) in [
        ("policymaker", "GET", 404, "Not Found"),
        ("policymaker", "PUT", 404, "vhost_not_found"),
        ("policymaker", "DELETE", 404, "Not Found"),
        ("management", "GET", 401, forbidden),
        ("management", "PUT", 401, forbidden),
        ("monitoring", "DELETE", 401, forbidden),
    ] {
        let answer = world.ask_as(user, method, "/api/policies/nope/p", &body).await;
        assert_eq!((answer.status, answer.reason()), (status, reason), "{user} {method}");
        let path = "/api/operator-policies/nope/p";
        let answer = world.ask_as(user, method, path, &body).await;
        assert_eq!((answer.status, answer.reason()), (401, "Not administrator user"));
    }
}

#[tokio::test]
async fn a_policy_that_makes_no_sense_is_refused_in_rabbitmqs_words() {
    let world = World::new();
    let invalid = |reason: &str| format!("Validation failed\n\n{reason}\n");
    for (body, reason) in [
        (json!({}), "[{key_missing,pattern},{key_missing,definition}]".to_owned()),
        (json!({"pattern": "x"}), "[{key_missing,definition}]".to_owned()),
        (
            json!({"pattern": 5, "definition": {"max-length": 6}}),
            invalid("pattern should be a binary but was 5"),
        ),
        (
            json!({"pattern": "x", "definition": {"max-length": 6}, "priority": "7"}),
            invalid("priority should be a number, actually was <<\"7\">>"),
        ),
        (json!({"pattern": "x", "definition": {}}), invalid("no policy provided")),
        (
            json!({"pattern": "x", "definition": {"foo": 1}}),
            invalid("[\"foo\"] are not recognised policy settings"),
        ),
        (
            json!({"pattern": "x", "definition": {"max-length": 6}, "apply-to": "zzz"}),
            invalid(
                "apply-to 'zzz' unrecognised; should be one of all, exchanges, queues, \
                 classic_queues, quorum_queues, streams",
            ),
        ),
    ] {
        assert_eq!(world.refused("PUT", "/api/policies/%2F/p", &body).await, (400, reason));
    }
    let body = json!({"pattern": "x", "definition": {"max-length": 6}});
    let missing = (404, "vhost_not_found".to_owned());
    assert_eq!(world.refused("PUT", "/api/policies/nope/p", &body).await, missing);
    let missing = (404, "Not Found".to_owned());
    assert_eq!(world.refused("GET", "/api/policies/nope", &Value::Null).await, missing);
}
