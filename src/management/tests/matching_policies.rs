//! Which policies match a queue or an exchange: all, the one that applies first.

use super::*;

async fn set_policy(world: &World, name: &str, body: Value) {
    let path = format!("/api/policies/v1/{name}");
    assert_eq!(world.change("PUT", &path, &body).await, 201, "{name}");
}

async fn world() -> World {
    let world = World::new();
    world.permit("guest", "v1", "");
    for (name, pattern, applies_to, priority) in [
        ("low", "^a", "all", 1),
        ("high", "^a", "queues", 5),
        ("other", "^b", "all", 9),
        ("quorum", "^a", "quorum_queues", 7),
        ("exchanges", "^a", "exchanges", 2),
    ] {
        let definition = match applies_to {
            "exchanges" | "all" => json!({"alternate-exchange": "x"}),
            _ => json!({"max-length": 5}),
        };
        let body = json!({
            "pattern": pattern, "definition": definition, "apply-to": applies_to,
            "priority": priority,
        });
        set_policy(&world, name, body).await;
    }
    world
}

fn names(policies: &Value) -> Vec<&str> {
    policies.as_array().unwrap().iter().map(|policy| policy["name"].as_str().unwrap()).collect()
}

#[tokio::test]
async fn all_policies_that_match_are_told_and_the_one_that_applies_is_the_first() {
    let world = world().await;
    for (queue, kind) in [("ab", "classic"), ("aq", "quorum")] {
        let body = json!({"durable": true, "arguments": {"x-queue-type": kind}});
        assert_eq!(world.change("PUT", &format!("/api/queues/v1/{queue}"), &body).await, 201);
    }
    const PATH: &str = "/api/leveret/matching-policies/v1";
    let of_classic = world.get(&format!("{PATH}/queue/ab")).await;
    assert_eq!(names(&of_classic)[0], "high");
    assert!(!names(&of_classic).contains(&"quorum") && !names(&of_classic).contains(&"other"));
    assert_eq!(of_classic[0]["priority"], 5);
    let applied = world.get("/api/queues/v1/ab?columns=policy").await;
    assert_eq!(applied, json!({"policy": "high"}));
    assert_eq!(names(&world.get(&format!("{PATH}/queue/aq")).await)[..2], ["quorum", "high"]);
    let of_exchange = world.get(&format!("{PATH}/exchange/anything")).await;
    assert_eq!(names(&of_exchange), ["exchanges", "low"]);
}

#[tokio::test]
async fn a_queue_has_to_be_there_and_who_asks_has_to_set_policies() {
    let world = world().await;
    const QUEUE: &str = "/api/leveret/matching-policies/v1/queue/none";
    const EXCHANGE: &str = "/api/leveret/matching-policies/v1/exchange/none";
    assert_eq!(world.ask("GET", QUEUE, "").await.status, 404);
    assert_eq!(world.ask_as("management", "GET", EXCHANGE, "").await.status, 401);
    assert_eq!(world.ask_as("policymaker", "GET", EXCHANGE, "").await.status, 200);
    let nowhere = "/api/leveret/matching-policies/nowhere/exchange/a";
    assert_eq!(world.ask("GET", nowhere, "").await.status, 404);
}
