//! Parameters of components: limits and operator policies are what they are by their own
//! resources, those of plugins are kept.

use super::*;
use crate::definitions::ParameterDefinition;
use crate::message::Name;

fn limits(value: &Value) -> Value {
    json!({"component": "vhost-limits", "vhost": "v1", "name": "limits", "value": value})
}

#[tokio::test]
async fn limits_of_a_virtual_host_are_a_parameter() {
    let world = World::new();
    let path = "/api/parameters/vhost-limits/v1/limits";
    assert_eq!(world.get("/api/parameters").await, json!([]));
    assert_eq!(world.change("PUT", path, &json!({"value": {"max-queues": 3}})).await, 201);
    let body = json!({"value": {"max-queues": 4}, "name": "n", "vhost": "/", "component": "c"});
    assert_eq!(world.change("PUT", path, &body).await, 204);
    let shown = limits(&json!({"max-queues": 4}));
    assert_eq!(world.get(path).await, shown);
    for list in ["parameters", "parameters/vhost-limits", "parameters/vhost-limits/v1"] {
        assert_eq!(world.get(&format!("/api/{list}")).await, json!([shown]), "{list}");
    }
    let by_host = json!([{"vhost": "v1", "value": {"max-queues": 4}}]);
    assert_eq!(world.get("/api/vhost-limits").await, by_host);
    assert_eq!(world.get("/api/parameters/vhost-limits/v2").await, json!([]));
    assert_eq!(world.ask("DELETE", path, "").await.status, 204);
    assert_eq!(world.ask("DELETE", path, "").await.status, 404);
    assert_eq!(world.get("/api/vhost-limits").await, json!([]));
}

#[tokio::test]
async fn an_operator_policy_is_a_parameter_and_a_policy_is_only_shown_as_one() {
    let world = World::new();
    let policy = json!({
        "pattern": "a", "definition": {"max-length": 3}, "priority": 0, "apply-to": "queues",
    });
    let path = "/api/parameters/operator_policy/v1/p";
    assert_eq!(world.change("PUT", path, &json!({"value": policy})).await, 201);
    let shown = json!({
        "component": "operator_policy", "vhost": "v1", "name": "p", "value": policy,
    });
    assert_eq!(world.get(path).await, shown);
    assert_eq!(world.get("/api/operator-policies/v1/p").await["definition"]["max-length"], 3);
    assert_eq!(world.change("PUT", "/api/policies/v1/q", &policy).await, 201);
    assert_eq!(world.get("/api/parameters").await, json!([shown]));
    assert_eq!(world.get("/api/parameters/policy").await[0]["value"], policy);
    assert_eq!(world.get("/api/parameters/policy/v1/q").await["component"], "policy");
    let refused = world.refused("PUT", "/api/parameters/policy/v1/q", &json!({"value": {}})).await;
    assert_eq!(refused, (400, "policies may not be set using this method".to_owned()));
    let refused = world.refused("DELETE", "/api/parameters/policy/v1/q", &json!({})).await;
    assert_eq!(refused, (400, "policies may not be cleared using this method".to_owned()));
    assert_eq!(world.ask("DELETE", path, "").await.status, 204);
    assert_eq!(world.get("/api/operator-policies").await, json!([]));
    assert_eq!(world.get("/api/policies").await.as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn what_no_component_takes_is_refused() {
    let world = World::new();
    let limits = "vhost-limits/v1/limits";
    let policy = "operator_policy/v1/p";
    for (path, body, status, reason) in [
        (limits, json!({}), 400, "[{key_missing,value}]"),
        ("shovel/v1/s", json!({}), 400, "[{key_missing,value}]"),
        (
            "other/v1/s",
            json!({"value": {"a": 1}}),
            400,
            "Validation failed\n\ncomponent other not found\n",
        ),
        ("shovel/nope/s", json!({"value": 1}), 404, "vhost_not_found"),
        (limits, json!({"value": 5}), 400, "Validation failed\n\nlimits not a list 5\n"),
        (
            limits,
            json!({"value": {"max-q": 3}}),
            400,
            "Validation failed\n\nUnrecognised terms [{<<\"max-q\">>,3}] in limits\n",
        ),
        (
            "vhost-limits/v1/other",
            json!({"value": {}}),
            400,
            "Validation failed\n\nother should be limits\n",
        ),
        (policy, json!({"value": {}}), 400, "[{key_missing,pattern},{key_missing,definition}]"),
        (policy, json!({"value": []}), 400, "Validation failed\n\npolicy not a list []\n"),
        (
            policy,
            json!({"value": {"pattern": "", "definition": {"zzz": 1}}}),
            400,
            "Validation failed\n\n[\"zzz\"] are not recognised policy settings\n",
        ),
    ] {
        let refused = world.refused("PUT", &format!("/api/parameters/{path}"), &body).await;
        assert_eq!(refused, (status, reason.to_owned()), "{path} {body}");
    }
    assert_eq!(world.get("/api/parameters").await, json!([]));
    for path in ["shovel/nope", "shovel/v1/s", "policy/nope/p", "zzz/nope/x"] {
        assert_eq!(world.ask("GET", &format!("/api/parameters/{path}"), "").await.status, 404);
    }
    assert_eq!(world.get("/api/parameters/shovel/v1").await, json!([]));
}

#[tokio::test]
async fn what_a_file_brought_for_other_components_can_be_seen_and_cleared() {
    let world = World::new();
    let parameter = ParameterDefinition::<Name> {
        host: "v1".into(),
        component: "shovel".into(),
        name: "s".into(),
        value: json!({"src-uri": "amqp://"}),
    };
    world.broker.by_node().set_parameter(&parameter).unwrap();
    let path = "/api/parameters/shovel/v1/s";
    assert_eq!(world.get(path).await["value"], parameter.value);
    assert_eq!(world.ask_as("policymaker", "DELETE", path, "").await.status, 204);
    assert_eq!(world.get("/api/parameters").await, json!([]));
}

#[tokio::test]
async fn policymakers_see_parameters_of_their_hosts_and_change_none_of_the_operators() {
    let world = World::new();
    for host in ["v1", "v2"] {
        let path = format!("/api/parameters/vhost-limits/{host}/limits");
        assert_eq!(world.change("PUT", &path, &json!({"value": {}})).await, 201);
    }
    let asked = world.ask_as("policymaker", "GET", "/api/parameters", "").await;
    assert_eq!(asked.body, json!([limits(&json!({}))]));
    let reason = "User not authorised to access object";
    for (user, path) in [
        ("policymaker", "parameters/vhost-limits/v2"),
        ("policymaker", "parameters/vhost-limits/v2/limits"),
        ("management", "parameters/vhost-limits/v1/limits"),
        ("management", "parameters"),
        ("monitoring", "parameters"),
        ("monitoring", "parameters/vhost-limits"),
        ("monitoring", "global-parameters"),
    ] {
        let answer = world.ask_as(user, "GET", &format!("/api/{path}"), "").await;
        assert_eq!((answer.status, answer.reason()), (401, reason), "{user} {path}");
    }
    for component in ["vhost-limits", "operator_policy"] {
        let path = format!("/api/parameters/{component}/v1/limits");
        for method in ["PUT", "DELETE"] {
            let answer = world.ask_as("policymaker", method, &path, r#"{"value": {}}"#).await;
            assert_eq!((answer.status, answer.reason()), (401, "Not administrator user"), "{path}");
        }
    }
}

/// Terraform and others set shovels and upstreams: what is set is read back as it is, though
/// nothing runs it.
#[tokio::test]
async fn what_is_set_for_plugins_is_kept() {
    let world = World::new();
    let value = json!({"src-uri": "amqp://", "dest-uri": ["amqp://"], "src-queue": "q"});
    let policymaker = |component| format!("/api/parameters/{component}/v1/one");
    let upstreams = json!([{"upstream": "one"}]);
    for (component, value) in [
        ("shovel", &value),
        ("federation-upstream", &value),
        ("federation-upstream-set", &upstreams),
    ] {
        let path = policymaker(component);
        let body = json!({"value": value}).to_string();
        assert_eq!(world.ask_as("policymaker", "PUT", &path, &body).await.status, 201);
        assert_eq!(world.ask_as("management", "PUT", &path, &body).await.status, 401);
        let shape = json!({"component": component, "vhost": "v1", "name": "one", "value": value});
        assert_eq!(world.get(&path).await, shape);
        assert_eq!(world.get(&format!("/api/parameters/{component}")).await, json!([shape]));
        assert_eq!(world.ask_as("policymaker", "PUT", &path, &body).await.status, 204);
    }
    assert_eq!(world.get("/api/shovels").await, json!([]));
    let refused = world.refused("PUT", &policymaker("shovel"), &json!({"value": 5})).await;
    assert_eq!(refused, (400, "Validation failed\n\nshovel not a list 5\n".into()));
    assert_eq!(world.change("DELETE", &policymaker("shovel"), &json!({})).await, 204);
    assert_eq!(world.get("/api/parameters/shovel").await, json!([]));
}
