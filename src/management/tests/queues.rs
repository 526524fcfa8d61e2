//! Queues: what is told of them, who may do what, and what is refused.

use super::client::{Client, NAME};
use super::*;

const REFUSED: &str = "Access refused.";
const NO_ACCESS: &str = "User not authorised to access virtual host";

fn durable() -> Value {
    json!({"durable": true})
}

impl World {
    /// Declares a queue in `/`.
    async fn declare(&self, queue: &str, body: &Value) {
        let path = format!("/api/queues/%2F/{queue}");
        let answer = self.ask("PUT", &path, &body.to_string()).await;
        assert_eq!(answer.status, 201, "{answer:?}");
    }

    async fn queue(&self, name: &str) -> Value {
        self.get(&format!("/api/queues/%2F/{name}")).await
    }
}

#[tokio::test]
async fn a_queue_is_declared_shown_and_deleted() {
    let world = World::new();
    let one = "/api/queues/%2F/a%2Fb";
    let body = json!({
        "durable": "true", "auto_delete": false, "node": "leveret@hare",
        "arguments": {"x-max-length": 5, "x-queue-type": "classic"},
    });
    assert_eq!(world.change("PUT", one, &body).await, 201);
    assert_eq!(world.change("PUT", one, &body).await, 204);
    let expected = json!({
        "name": "a/b", "vhost": "/", "type": "classic", "durable": true, "auto_delete": false,
        "exclusive": false, "arguments": {"x-max-length": 5, "x-queue-type": "classic"},
        "node": "leveret@hare", "state": "running",
        "messages": 0, "messages_ready": 0, "messages_unacknowledged": 0, "messages_ram": 0,
        "message_bytes": 0, "message_bytes_ready": 0, "message_bytes_unacknowledged": 0,
        "message_bytes_ram": 0, "leveret_messages_held": 0, "consumers": 0, "consumer_details": [],
        "exclusive_consumer_tag": null, "single_active_consumer_tag": null,
        "head_message_timestamp": null, "policy": null, "operator_policy": null,
        "effective_policy_definition": {}, "storage_version": 2,
        "messages_details": {"rate": 0.0}, "messages_ready_details": {"rate": 0.0},
        "messages_unacknowledged_details": {"rate": 0.0}, "messages_ready_ram": 0,
        "messages_unacknowledged_ram": 0, "messages_paged_out": 0, "message_bytes_paged_out": 0,
        "messages_persistent": 0, "message_bytes_persistent": 0, "consumer_capacity": 0,
        "consumer_utilisation": 0, "incoming": [], "deliveries": [],
    });
    let mut shown = world.get(one).await;
    let memory = shown.as_object_mut().unwrap().remove("memory").unwrap();
    assert!(memory.as_u64().unwrap() > 100, "{memory}");
    assert_eq!(shown, expected);
    assert_eq!(world.change("DELETE", one, &Value::Null).await, 204);
    assert_eq!(world.refused("DELETE", one, &Value::Null).await, (404, "Not Found".into()));
    assert_eq!(world.refused("GET", one, &Value::Null).await, (404, "Not Found".into()));
}

#[tokio::test]
async fn a_quorum_queue_has_members_and_a_delivery_limit() {
    let world = World::new();
    let quorum = |limit: Option<i64>| {
        let mut arguments = json!({"x-queue-type": "quorum"});
        if let Some(limit) = limit {
            arguments["x-delivery-limit"] = json!(limit);
        }
        json!({"durable": true, "arguments": arguments})
    };
    for (name, limit, told) in [
        ("q", None, json!(20)),
        ("five", Some(5), json!(5)),
        ("endless", Some(-1), json!("unlimited")),
    ] {
        world.declare(name, &quorum(limit)).await;
        let queue = world.queue(name).await;
        assert_eq!((&queue["type"], &queue["delivery_limit"]), (&json!("quorum"), &told));
        assert_eq!((&queue["leader"], &queue["messages_dlx"]), (&json!("leveret@hare"), &json!(0)));
        assert_eq!(queue["members"], json!(["leveret@hare"]));
        assert_eq!(queue["online"], json!(["leveret@hare"]));
        assert!(queue.get("storage_version").is_none());
    }
}

#[tokio::test]
async fn policies_that_are_in_force_are_told() {
    let world = World::new();
    world.declare("q", &durable()).await;
    for (kind, length) in [("policies", 5), ("operator-policies", 4)] {
        let body = json!({"pattern": "q", "definition": {"max-length": length}});
        assert_eq!(world.change("PUT", &format!("/api/{kind}/%2F/{kind}"), &body).await, 201);
    }
    let queue = world.queue("q").await;
    assert_eq!(queue["policy"], "policies");
    assert_eq!(queue["operator_policy"], "operator-policies");
    assert_eq!(queue["effective_policy_definition"], json!({"max-length": 4}));
    let queue = world.get("/api/queues/%2F/q?disable_stats=true").await;
    assert_eq!((&queue["policy"], queue.get("operator_policy")), (&json!("policies"), None));
}

#[tokio::test]
async fn messages_are_counted_where_they_are() {
    let world = World::new();
    world.declare("q", &durable()).await;
    world.publish("q", &["abc", "de", "f"]);
    let mut client = Client::open(&world);
    client.consume("q", "tag", false);
    let queue = world.queue("q").await;
    let expected = json!({
        "messages": 3, "messages_ready": 1, "messages_unacknowledged": 2, "messages_ram": 3,
        "message_bytes": 6, "message_bytes_ready": 1, "message_bytes_unacknowledged": 5,
        "message_bytes_ram": 6, "consumers": 1, "head_message_timestamp": 1_700_000_000,
    });
    for (name, value) in expected.as_object().unwrap() {
        assert_eq!(&queue[name], value, "{name}");
    }
}

#[tokio::test]
async fn consumers_are_told_with_the_queue_that_they_are_of() {
    let world = World::new();
    world.declare("q", &durable()).await;
    let mut client = Client::open(&world);
    client.consume("q", "tag", true);
    let queue = world.queue("q").await;
    assert_eq!(queue["exclusive_consumer_tag"], "tag");
    let expected = json!([{
        "consumer_tag": "tag", "queue": {"name": "q", "vhost": "/"}, "ack_required": true,
        "exclusive": true, "prefetch_count": 2, "active": true, "activity_status": "up",
        "arguments": {"x-priority": 1},
        "channel_details": {
            "name": format!("{NAME} (3)"), "number": 3, "connection_name": NAME,
            "peer_host": "192.0.2.7", "peer_port": 50007, "user": "guest", "node": "leveret@hare",
        },
    }]);
    assert_eq!(queue["consumer_details"], expected);
    let listed = world.get("/api/queues/%2F").await;
    assert!(listed[0].get("consumer_details").is_none());
    assert_eq!(listed[0]["consumers"], 1);
}

#[tokio::test]
async fn of_several_consumers_the_active_one_is_told() {
    let world = World::new();
    let body = json!({"durable": true, "arguments": {"x-single-active-consumer": true}});
    world.declare("q", &body).await;
    let mut client = Client::open(&world);
    client.consume("q", "first", false);
    client.consume("q", "second", false);
    let queue = world.queue("q").await;
    assert_eq!(queue["single_active_consumer_tag"], "first");
    let states = queue["consumer_details"].as_array().unwrap().iter();
    let states: Vec<_> = states.map(|one| (&one["active"], &one["activity_status"])).collect();
    let (active, waiting) = (json!("single_active"), json!("waiting"));
    assert_eq!(states, [(&json!(true), &active), (&json!(false), &waiting)]);
}

#[tokio::test]
async fn an_exclusive_queue_tells_whose_it_is_and_is_left_alone() {
    let world = World::new();
    let mut client = Client::open(&world);
    client.declare_exclusive("q");
    let queue = world.queue("q").await;
    let owner = json!({"name": NAME, "peer_host": "192.0.2.7", "peer_port": 50007});
    assert_eq!((&queue["exclusive"], &queue["owner_pid_details"]), (&json!(true), &owner));
    let locked = "cannot obtain exclusive access to locked queue 'q' in vhost '/'. It could be \
                  originally declared on another connection or the exclusive property value does \
                  not match that of the original declaration.";
    for (method, path) in [
        ("PUT", "/api/queues/%2F/q"),
        ("DELETE", "/api/queues/%2F/q"),
        ("DELETE", "/api/queues/%2F/q/contents"),
    ] {
        let (status, reason) = world.refused(method, path, &json!({})).await;
        assert!(status == 400 && locked.starts_with(&reason), "{method} {path}: {reason}");
    }
    drop(client);
    assert_eq!(world.ask("GET", "/api/queues/%2F/q", "").await.status, 404);
}

#[tokio::test]
async fn without_stats_the_declaration_is_told_and_the_numbers_if_they_are_asked_for() {
    let world = World::new();
    world.declare("q", &durable()).await;
    world.publish("q", &["abc"]);
    let basics = json!({
        "name": "q", "vhost": "/", "type": "classic", "durable": true, "auto_delete": false,
        "exclusive": false, "arguments": {}, "node": "leveret@hare", "state": "running",
    });
    let with_totals = |mut basics: Value| {
        let totals = json!({"messages": 1, "messages_ready": 1, "messages_unacknowledged": 0});
        basics.as_object_mut().unwrap().extend(totals.as_object().unwrap().clone());
        basics
    };
    let path = "/api/queues/%2F/q?disable_stats=true";
    assert_eq!(world.get(path).await, basics);
    let path = "/api/queues?disable_stats=true&enable_queue_totals=true";
    assert_eq!(world.get(path).await, json!([with_totals(basics)]));
}

#[tokio::test]
async fn a_queue_goes_unless_it_must_be_unused_or_empty_and_is_not() {
    let world = World::new();
    world.declare("q", &durable()).await;
    let mut client = Client::open(&world);
    client.consume("q", "tag", false);
    let in_use = (400, "queue 'q' in vhost '/' in use".into());
    let refused = world.refused("DELETE", "/api/queues/%2F/q?if-unused=true", &Value::Null).await;
    assert_eq!(refused, in_use);
    drop(client);
    world.publish("q", &["a", "b"]);
    let not_empty = (400, "queue 'q' in vhost '/' not empty".into());
    let refused = world.refused("DELETE", "/api/queues/%2F/q?if-empty=true", &Value::Null).await;
    assert_eq!(refused, not_empty);
    assert_eq!(world.change("DELETE", "/api/queues/%2F/q/contents", &Value::Null).await, 204);
    assert_eq!(world.queue("q").await["messages"], 0);
    let path = "/api/queues/%2F/q?if-empty=true&if-unused=true";
    assert_eq!(world.change("DELETE", path, &Value::Null).await, 204);
    let absent = (404, "Not Found".into());
    let refused = world.refused("DELETE", "/api/queues/%2F/q/contents", &Value::Null).await;
    assert_eq!(refused, absent);
    world.declare("qq", &json!({"durable": true, "arguments": {"x-queue-type": "quorum"}})).await;
    let (status, reason) =
        world.refused("DELETE", "/api/queues/%2F/qq?if-empty=true", &Value::Null).await;
    let expected = "cannot delete queue 'qq' in vhost '/'. queue.delete operations with if-empty \
                    flag set are not supported by quorum queues";
    assert_eq!((status, &*reason), (400, expected));
}

#[tokio::test]
async fn what_amqp_refuses_is_refused_in_its_words() {
    let world = World::new();
    world.declare("q", &json!({"durable": true, "arguments": {"x-max-length": 5}})).await;
    let long = format!("/api/queues/%2F/{}", "n".repeat(301));
    let q = "/api/queues/%2F/q";
    let new = "/api/queues/%2F/new";
    for (path, body, reason) in [
        (
            q,
            json!({}),
            "inequivalent arg 'durable' for queue 'q' in vhost '/': received 'false' but current \
             is 'true'",
        ),
        (
            q,
            json!({"durable": true, "arguments": {"x-max-length": 6}}),
            "inequivalent arg 'x-max-length' for queue 'q' in vhost '/': received '6' but current \
             is '5'",
        ),
        (
            new,
            json!({"arguments": {"x-max-length": "a"}}),
            "invalid arg 'x-max-length' for queue 'new' in vhost '/': \"expected integer, got \
             longstr\"",
        ),
        (
            new,
            json!({"arguments": {"x-storage": "memory"}}),
            "invalid arg 'x-storage' for queue 'new' in vhost '/': \"memory storage needs \
             x-max-length or x-max-length-bytes\"",
        ),
        (
            new,
            json!({"durable": false, "arguments": {"x-queue-type": "quorum"}}),
            "invalid property 'non-durable' for queue 'new' in vhost '/'",
        ),
        (&long, json!({}), "queue should be less than 255 bytes, actually was 301\n"),
    ] {
        assert_eq!(world.refused("PUT", path, &body).await, (400, reason.into()), "{body}");
    }
    let reserved = world.refused("PUT", "/api/queues/%2F/amq.q", &durable()).await;
    assert_eq!(reserved, (401, REFUSED.into()));
    let absent = (404, "no queue 'new' in vhost '/'".into());
    assert_eq!(world.refused("PUT", new, &json!({"passive": true})).await, absent);
    world.broker.by_node().set_host_limit("/", "max-queues", 1.into()).unwrap();
    let reached =
        "cannot declare queue 'new' in vhost '/': queue limit in vhost '/' (1) is reached";
    assert_eq!(world.refused("PUT", new, &durable()).await, (400, reached.into()));
}

#[tokio::test]
async fn a_user_sees_what_is_in_its_virtual_hosts_and_changes_what_its_permissions_allow() {
    let world = World::new();
    world.permit("management", "v1", "mine");
    let dead_lettering = json!({"arguments": {"x-dead-letter-exchange": "other"}}).to_string();
    for (user, method, path, body, status, reason) in [
        ("management", "GET", "/api/queues/v1", "", 200, ""),
        ("management", "GET", "/api/queues/v2", "", 401, NO_ACCESS),
        ("monitoring", "GET", "/api/queues/v2", "", 401, NO_ACCESS),
        ("management", "GET", "/api/queues/nope", "", 404, "Not Found"),
        ("none", "GET", "/api/queues", "", 401, "Not management user"),
        ("management", "PUT", "/api/queues/v1/mine", &dead_lettering, 401, REFUSED),
        ("management", "PUT", "/api/queues/v1/mine", "{}", 201, ""),
        ("management", "PUT", "/api/queues/v1/other", "{}", 401, REFUSED),
        ("management", "PUT", "/api/queues/v2/mine", "{}", 401, NO_ACCESS),
        ("management", "PUT", "/api/queues/nope/mine", "{}", 404, "vhost_not_found"),
        ("monitoring", "GET", "/api/queues/v1/mine", "", 200, ""),
        ("monitoring", "DELETE", "/api/queues/v1/mine", "", 401, REFUSED),
        ("monitoring", "DELETE", "/api/queues/v1/mine/contents", "", 401, REFUSED),
        ("administrator", "GET", "/api/queues/v2", "", 200, ""),
        ("administrator", "PUT", "/api/queues/v2/x", "{}", 401, REFUSED),
        ("management", "DELETE", "/api/queues/v1/mine/contents", "", 204, ""),
        ("management", "DELETE", "/api/queues/v1/mine", "", 204, ""),
    ] {
        let answer = world.ask_as(user, method, path, body).await;
        assert_eq!((answer.status, answer.reason()), (status, reason), "{user} {method} {path}");
    }
}

#[tokio::test]
async fn actions_on_mirrors_are_taken_from_administrators_and_do_nothing() {
    let world = World::new();
    world.declare("q", &durable()).await;
    let path = "/api/queues/%2F/q/actions";
    for action in ["sync", "cancel_sync"] {
        assert_eq!(world.change("POST", path, &json!({"action": action})).await, 204);
    }
    let answer = world.ask("POST", path, r#"{"action": "zzz"}"#).await;
    assert_eq!((answer.status, &answer.body["reason"]), (400, &json!(["unknown", "zzz"])));
    let missing = (400, "[{key_missing,action}]".into());
    assert_eq!(world.refused("POST", path, &json!({})).await, missing);
    let sync = json!({"action": "sync"});
    let absent = (404, "Not Found".into());
    assert_eq!(world.refused("POST", "/api/queues/%2F/nope/actions", &sync).await, absent);
    let answer = world.ask_as("monitoring", "POST", path, &sync.to_string()).await;
    assert_eq!((answer.status, answer.reason()), (401, "Not administrator user"));
}

#[tokio::test]
async fn queues_are_sorted_by_what_they_hold_and_told_by_column() {
    let world = World::new();
    for (name, bodies) in [("a", &["x"; 2][..]), ("b", &["xxxx"; 1]), ("c", &["x"; 3]), ("d", &[])]
    {
        world.declare(name, &durable()).await;
        world.publish(name, bodies);
    }
    for (sort, expected) in [
        ("messages", "dbac"),
        ("messages_ready&sort_reverse=true", "cabd"),
        ("message_bytes_ready", "dacb"),
        ("message_bytes", "dacb"),
        ("consumers&sort_reverse=true", "dcba"),
        ("type", "abcd"),
        ("effective_policy_definition.x", "abcd"),
    ] {
        for path in ["/api/queues", "/api/queues/%2F", "/api/queues/detailed"] {
            let rows = world.get(&format!("{path}?columns=name&sort={sort}")).await;
            let names = rows.as_array().unwrap().iter().map(|row| row["name"].as_str().unwrap());
            assert_eq!(names.collect::<String>(), expected, "{path} {sort}");
        }
    }
    let path = "/api/queues/%2F?page=1&page_size=1&name=c&columns=messages,name";
    assert_eq!(world.get(path).await["items"], json!([{"messages": 3, "name": "c"}]));
}
