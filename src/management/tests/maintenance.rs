//! Maintenance: clients have to go, health checks tell it, and HTTP goes on.

use super::client::Client;
use super::node_control::TestControl;
use super::*;

const SUSPEND: &str = "/api/leveret/suspend-listeners";
const RESUME: &str = "/api/leveret/resume-listeners";
const DRAIN: &str = "/api/leveret/drain";
const REVIVE: &str = "/api/leveret/revive";

async fn order(world: &World, path: &str) {
    let answer = world.ask("POST", path, "").await;
    assert_eq!(answer.status, 204, "{path}: {answer:?}");
}

async fn status(world: &World, check: &str) -> u16 {
    world.ask("GET", &format!("/api/health/checks/{check}"), "").await.status
}

#[tokio::test]
async fn suspended_listeners_are_not_there_for_health_checks() {
    let (world, _) = World::controlled(TestControl::default());
    let mut client = Client::open(&world);
    order(&world, SUSPEND).await;
    for check in ["port-listener/5671", "protocol-listener/amqp", "ready-to-serve-clients"] {
        assert_eq!(status(&world, check).await, 503, "{check}");
    }
    for check in ["port-listener/15671", "protocol-listener/http", "is-in-service"] {
        assert_eq!(status(&world, check).await, 200, "{check}");
    }
    assert!(client.hear().is_empty(), "who is inside stays");
    order(&world, RESUME).await;
    for check in ["port-listener/5671", "protocol-listener/amqp", "ready-to-serve-clients"] {
        assert_eq!(status(&world, check).await, 200, "{check}");
    }
}

#[tokio::test]
async fn a_node_under_maintenance_sends_its_clients_away_and_says_so() {
    let (world, control) = World::controlled(TestControl::default());
    let mut client = Client::open(&world);
    order(&world, DRAIN).await;
    assert_eq!(control.done(), ["suspend"]);
    let told = String::from_utf8_lossy(&client.hear()).into_owned();
    assert!(told.contains("CONNECTION_FORCED - Node was put into maintenance mode"), "{told}");
    let node = world.get("/api/nodes/leveret@hare?columns=being_drained").await;
    assert_eq!(node, json!({"being_drained": true}));
    let answer = world.ask("GET", "/api/health/checks/is-in-service", "").await;
    let reason = "this rabbit node is not currently available to serve";
    assert_eq!((answer.status, answer.reason()), (503, reason));
    order(&world, RESUME).await;
    assert_eq!(status(&world, "is-in-service").await, 503, "resumed is not revived");
    order(&world, REVIVE).await;
    assert_eq!(status(&world, "is-in-service").await, 200);
    let node = world.get("/api/nodes/leveret@hare?columns=being_drained").await;
    assert_eq!(node, json!({"being_drained": false}));
}

#[tokio::test]
async fn who_cannot_listen_again_stays_under_maintenance() {
    let trouble = Some("cannot listen on 0.0.0.0:5672: it is taken".to_owned());
    let (world, control) = World::controlled(TestControl { trouble, ..TestControl::default() });
    order(&world, DRAIN).await;
    let refused = world.refused("POST", REVIVE, &json!({})).await;
    assert_eq!(refused, (500, "cannot listen on 0.0.0.0:5672: it is taken".to_owned()));
    assert!(control.service.lock().unwrap().is_drained);
}

#[tokio::test]
async fn maintenance_is_for_administrators() {
    let (world, control) = World::controlled(TestControl::default());
    world.add_users(&["monitoring"]);
    for path in [SUSPEND, RESUME, DRAIN, REVIVE] {
        assert_eq!(world.ask_as("monitoring", "POST", path, "").await.status, 401, "{path}");
    }
    assert!(control.done().is_empty());
}
