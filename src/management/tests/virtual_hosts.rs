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
        let user = world.broker.check_login(&login, Peer { address: None }, Moment(1)).unwrap();
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
