//! Logs of the node: their level, their file, and who may see them.

use super::node_control::TestControl;
use super::*;

const LEVEL: &str = "/api/leveret/log-level";
const ROTATION: &str = "/api/leveret/log-rotation";
const STREAM: &str = "/api/leveret/log-stream";

fn world(log: Option<Vec<&'static str>>) -> (World, Arc<TestControl>) {
    World::controlled(TestControl { log, ..TestControl::default() })
}

#[tokio::test]
async fn a_level_is_set_for_all_or_for_a_category() {
    let (world, control) = world(None);
    assert_eq!(world.change("PUT", LEVEL, &json!({"level": "debug"})).await, 204);
    let body = json!({"level": "error", "category": "queue"});
    assert_eq!(world.change("PUT", LEVEL, &body).await, 204);
    assert_eq!(control.done(), ["level debug None", "level error Some(\"queue\")"]);
    for body in [json!({}), json!({"level": 1}), json!({"level": "info", "category": []})] {
        assert_eq!(world.change("PUT", LEVEL, &body).await, 400, "{body}");
    }
    let refused = world.refused("PUT", LEVEL, &json!({"level": "loud"})).await;
    assert_eq!(refused, (400, "level loud is not supported".to_owned()));
    assert!(control.done().is_empty());
}

#[tokio::test]
async fn the_log_file_is_opened_anew_and_followed() {
    let (world, control) = world(Some(vec!["", "one\n", "", "two\n"]));
    assert_eq!(world.change("POST", ROTATION, &json!({})).await, 204);
    assert_eq!(control.done(), ["reopen"]);
    let answer = world.ask("GET", STREAM, "").await;
    assert_eq!((answer.status, answer.body), (200, json!("one\ntwo\n")));
    assert!(answer.head.contains("content-type: text/plain"), "{}", answer.head);
}

#[tokio::test]
async fn without_a_log_file_there_is_nothing_to_open_or_to_follow() {
    let (world, _) = world(None);
    for (method, path) in [("POST", ROTATION), ("GET", STREAM)] {
        let refused = world.refused(method, path, &json!({})).await;
        assert_eq!(refused, (400, "the node logs to no file".to_owned()), "{path}");
    }
}

#[tokio::test]
async fn logs_are_for_administrators() {
    let (world, control) = world(Some(vec!["one\n"]));
    world.add_users(&["monitoring"]);
    for (method, path) in [("PUT", LEVEL), ("POST", ROTATION), ("GET", STREAM)] {
        let answer = world.ask_as("monitoring", method, path, r#"{"level": "info"}"#).await;
        assert_eq!(answer.status, 401, "{path}");
    }
    assert!(control.done().is_empty());
}
