//! What tools ask before they rely on something.

use super::*;

fn by_name<'a>(list: &'a Value, name: &str) -> Option<&'a Value> {
    list.as_array().unwrap().iter().find(|each| each["name"] == name)
}

#[tokio::test]
async fn version_and_ways_to_log_in_are_told_everybody() {
    let world = World::new();
    for (path, expected) in
        [("/api/version", json!("4.3.5")), ("/api/auth", json!({"oauth_enabled": false}))]
    {
        let answer = world.ask_from("192.0.2.1", "GET", path, "", "").await;
        assert_eq!((answer.status, answer.body), (200, expected));
    }
    let answer = world.ask_from("192.0.2.1", "GET", "/api/extensions", "", "").await;
    assert_eq!(answer.status, 401);
    assert_eq!(world.ask_as("management", "GET", "/api/extensions", "").await.body, json!([]));
}

#[tokio::test]
async fn what_is_not_here_is_not_enabled() {
    let world = World::new();
    let flags = world.get("/api/feature-flags").await;
    for (name, state) in [("quorum_queue", "enabled"), ("stream_queue", "unavailable")] {
        let flag = by_name(&flags, name).unwrap();
        assert_eq!((&flag["state"], &flag["stability"]), (&json!(state), &json!("stable")));
    }
    for (name, status) in [("quorum_queue", 204), ("stream_queue", 400), ("nope", 400)] {
        let path = format!("/api/feature-flags/{name}/enable");
        assert_eq!(world.ask("PUT", &path, "").await.status, status, "{name}");
        assert_eq!(world.ask_as("monitoring", "PUT", &path, "").await.status, 401);
    }
    for path in ["feature-flags", "deprecated-features", "deprecated-features/used"] {
        let answer = world.ask_as("monitoring", "GET", &format!("/api/{path}"), "").await;
        assert_eq!((answer.status, answer.reason()), (401, "Not administrator user"), "{path}");
    }
}

#[tokio::test]
async fn a_deprecated_feature_is_in_use_while_something_uses_it() {
    let world = World::new();
    let all = world.get("/api/deprecated-features").await;
    for (name, phase) in [
        ("transient_nonexcl_queues", "permitted_by_default"),
        ("global_qos", "permitted_by_default"),
        ("classic_queue_mirroring", "removed"),
    ] {
        assert_eq!(by_name(&all, name).unwrap()["deprecation_phase"], phase);
    }
    assert_eq!(world.get("/api/deprecated-features/used").await, json!([]));
    let declare = |name: &str, durable: bool| {
        let file = json!({"queues": [{"vhost": "v1", "name": name, "durable": durable}]});
        let file = Definitions::read(file.to_string().as_bytes()).unwrap();
        world.broker.by_node().import(&file, Moment(1)).unwrap();
    };
    declare("lasting", true);
    assert_eq!(world.get("/api/deprecated-features/used").await, json!([]));
    declare("passing", false);
    let used = world.get("/api/deprecated-features/used").await;
    assert_eq!(used, json!([by_name(&all, "transient_nonexcl_queues")]));
}
