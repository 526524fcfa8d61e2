//! Virtual hosts: shapes, who may enter a new one, and what goes with a deleted one.

use super::*;
use crate::broker::NodeLimits;

fn shape(name: &str, description: &str, tags: &[&str], kind: &str) -> Value {
    json!({
        "name": name, "description": description, "tags": tags, "default_queue_type": kind,
        "metadata": {"description": description, "tags": tags, "default_queue_type": kind},
        "tracing": false, "protected_from_deletion": false,
        "cluster_state": {"leveret@hare": "running"},
        "messages": 0, "messages_ready": 0, "messages_unacknowledged": 0,
        "messages_details": {"rate": 0.0}, "messages_ready_details": {"rate": 0.0},
        "messages_unacknowledged_details": {"rate": 0.0},
    })
}

#[tokio::test]
async fn a_virtual_host_is_made_described_anew_and_deleted() {
    let world = World::new();
    let path = "/api/vhosts/new%2Fone";
    assert_eq!(world.ask("PUT", path, "").await.status, 201);
    assert_eq!(world.get(path).await, shape("new/one", "", &[], "classic"));
    let body = json!({"description": "d", "tags": ["a", "b"], "default_queue_type": "quorum"});
    assert_eq!(world.change("PUT", path, &body).await, 204);
    assert_eq!(world.get(path).await, shape("new/one", "d", &["a", "b"], "quorum"));
    let body = json!({"tags": "c, d", "tracing": true, "metadata": {"owner": "ann"}});
    assert_eq!(world.change("PUT", path, &body).await, 204);
    let shown = world.get(path).await;
    assert_eq!(shown["metadata"]["owner"], "ann");
    assert_eq!(shown["tracing"], true);
    assert_eq!(world.change("PUT", path, &json!({"tags": "c, d"})).await, 204);
    assert_eq!(world.get(path).await["tracing"], true, "as long as nobody says otherwise");
    assert_eq!(world.change("PUT", path, &json!({"tracing": "maybe"})).await, 400);
    assert_eq!(world.change("PUT", path, &json!({"tags": "c,d", "tracing": "false"})).await, 204);
    let shown = world.get(path).await;
    assert_eq!(shown["tracing"], false);
    assert_eq!((&shown["tags"], &shown["description"]), (&json!(["c", "d"]), &json!("")));
    assert_eq!(world.get("/api/vhosts").await.as_array().unwrap().len(), 4);
    assert_eq!(world.ask("DELETE", path, "").await.status, 204);
    assert_eq!(world.ask("DELETE", path, "").await.status, 404);
    assert_eq!(world.ask("GET", path, "").await.status, 404);
}

#[tokio::test]
async fn a_virtual_host_tells_what_its_queues_hold() {
    let world = World::new();
    for queue in ["a", "b"] {
        let path = format!("/api/queues/%2F/{queue}");
        assert_eq!(world.change("PUT", &path, &json!({})).await, 201);
        world.publish(queue, &["x", "y"]);
    }
    let mut client = client::Client::open(&world);
    client.consume("a", "tag", false);
    let shown = world.get("/api/vhosts/%2F").await;
    let messages = ["messages", "messages_ready", "messages_unacknowledged"];
    assert_eq!(messages.map(|name| shown[name].as_u64().unwrap()), [4, 2, 2]);
    let all = world.get("/api/vhosts").await;
    assert_eq!((&all[0], all[1]["messages"].as_u64()), (&shown, Some(0)));
}

#[tokio::test]
async fn who_makes_a_virtual_host_may_enter_it() {
    let world = World::new();
    let may_enter = |user: &str, host: &str| {
        let login = crate::auth::Login { user: user.into(), password: b"x".to_vec() };
        let check = world.broker.begin_login(login, Peer { address: None });
        let user = world.broker.poll_login(&check, std::task::Waker::noop(), Moment(1));
        let user = user.unwrap().unwrap();
        user.permissions.contains_key(host)
    };
    assert_eq!(world.ask_as("administrator", "PUT", "/api/vhosts/mine", "").await.status, 201);
    assert_eq!(world.ask_as("administrator", "PUT", "/api/vhosts/v2", "").await.status, 204);
    assert!(may_enter("administrator", "mine") && !may_enter("monitoring", "mine"));
    assert!(!may_enter("administrator", "v2"), "it was there before");
}

#[tokio::test]
async fn settings_that_make_no_sense_are_refused() {
    let world = World::new();
    for (path, body) in [
        ("/api/vhosts/bad", json!({"default_queue_type": "zzz"})),
        ("/api/vhosts/bad", json!({"tags": 5})),
        ("/api/vhosts/bad", json!({"description": 5})),
        (&*format!("/api/vhosts/{}", "n".repeat(256)), json!({})),
    ] {
        let (status, reason) = world.refused("PUT", path, &body).await;
        assert_eq!(status, 400, "{body}");
        assert!(!reason.is_empty(), "{body}");
    }
    assert_eq!(world.ask("GET", "/api/vhosts/bad", "").await.status, 404);
}

#[tokio::test]
async fn the_first_virtual_host_may_be_deleted_like_any_other() {
    let world = World::new();
    let body = json!({"pattern": "", "definition": {"max-length": 5}});
    assert_eq!(world.change("PUT", "/api/policies/%2F/p", &body).await, 201);
    let limit = json!({"value": 5});
    assert_eq!(world.change("PUT", "/api/vhost-limits/%2F/max-queues", &limit).await, 204);
    assert_eq!(world.ask("DELETE", "/api/vhosts/%2F", "").await.status, 204);
    assert_eq!(world.ask("PUT", "/api/vhosts/%2F", "").await.status, 201);
    assert_eq!(world.get("/api/policies").await, json!([]), "what was said of it went too");
    assert_eq!(world.get("/api/vhost-limits").await, json!([]));
}

#[tokio::test]
async fn a_node_that_is_full_makes_no_virtual_host_and_still_changes_those_it_has() {
    let node_limits = NodeLimits { virtual_hosts: Some(2), ..NodeLimits::default() };
    let options = BrokerOptions { node_limits, ..BrokerOptions::default() };
    let world = World::of(Arc::new(Broker::new(options, [1, 2]).unwrap()));
    assert_eq!(world.change("PUT", "/api/vhosts/second", &json!({})).await, 201);
    let refused = world.refused("PUT", "/api/vhosts/third", &json!({})).await;
    let reason = "cannot create vhost 'third': vhost limit of 2 is reached";
    assert_eq!(refused, (400, reason.into()));
    assert_eq!(world.change("PUT", "/api/vhosts/second", &json!({"tags": "a"})).await, 204);
    assert_eq!(world.change("DELETE", "/api/vhosts/second", &json!({})).await, 204);
    assert_eq!(world.change("PUT", "/api/vhosts/third", &json!({})).await, 201);
}

#[tokio::test]
async fn a_virtual_host_that_is_protected_is_not_deleted() {
    let world = World::new();
    let path = "/api/vhosts/v1/deletion/protection";
    assert_eq!(world.change("POST", path, &json!({})).await, 204);
    assert_eq!(world.get("/api/vhosts/v1").await["protected_from_deletion"], true);
    let answer = world.ask("DELETE", "/api/vhosts/v1", "").await;
    let reason = "Refusing to delete virtual host 'v1' because it is protected from deletion";
    let expected = json!({"error": "precondition_failed", "reason": reason});
    assert_eq!((answer.status, answer.body), (412, expected));
    // What else is said of it says nothing of that.
    let body = json!({"description": "Mine"});
    assert_eq!(world.change("PUT", "/api/vhosts/v1", &body).await, 204);
    assert_eq!(world.change("DELETE", "/api/vhosts/v1", &json!({})).await, 412);
    assert_eq!(world.change("DELETE", path, &json!({})).await, 204);
    assert_eq!(world.change("DELETE", "/api/vhosts/v1", &json!({})).await, 204);
    assert_eq!(world.change("POST", path, &json!({})).await, 404);
    assert_eq!(world.ask_as("monitoring", "POST", path, "").await.status, 401);
}

#[tokio::test]
async fn a_protection_comes_with_a_body_and_goes_with_one_and_with_definitions() {
    let world = World::new();
    let body = |is_protected| json!({"protected_from_deletion": is_protected});
    assert_eq!(world.change("PUT", "/api/vhosts/new", &body(true)).await, 201);
    assert_eq!(world.change("DELETE", "/api/vhosts/new", &json!({})).await, 412);
    let file = world.get("/api/definitions").await;
    assert_eq!(world.change("PUT", "/api/vhosts/new", &body(false)).await, 204);
    assert_eq!(world.get("/api/vhosts/new").await["protected_from_deletion"], false);
    let other = World::new();
    let login = STANDARD.encode("guest:guest");
    let head = format!("Authorization: Basic {login}\r\nContent-Type: application/json\r\n");
    let vhosts = json!({"vhosts": file["vhosts"]}).to_string();
    let answer = other.ask_from("127.0.0.1", "POST", "/api/definitions", &head, &vhosts).await;
    assert_eq!(answer.status, 204, "{answer:?}");
    assert_eq!(other.change("DELETE", "/api/vhosts/new", &json!({})).await, 412);
}

#[tokio::test]
async fn limits_may_come_with_a_virtual_host() {
    let world = World::new();
    let body = json!({"limits": {"max-queues": 2}});
    assert_eq!(world.change("PUT", "/api/vhosts/new", &body).await, 201);
    let limits = world.get("/api/vhost-limits/new").await;
    assert_eq!(limits, json!([{"vhost": "new", "value": {"max-queues": 2}}]));
    let refused = world.refused("PUT", "/api/vhosts/bad", &json!({"limits": {"max-x": 1}})).await;
    let text = "Validation failed\n\nUnrecognised terms [{<<\"max-x\">>,1}] in limits\n";
    assert_eq!(refused, (400, text.into()));
    assert_eq!(world.ask("GET", "/api/vhosts/bad", "").await.status, 404);
}

#[tokio::test]
async fn a_virtual_host_runs_where_it_is_started() {
    let world = World::new();
    let start = |host, node| format!("/api/vhosts/{host}/start/{node}");
    assert_eq!(world.change("POST", &start("v1", "leveret@hare"), &json!({})).await, 204);
    assert_eq!(world.change("POST", &start("v1", "other"), &json!({})).await, 404);
    assert_eq!(world.change("POST", &start("none", "leveret@hare"), &json!({})).await, 404);
}
