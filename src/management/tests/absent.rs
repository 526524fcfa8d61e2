//! What is not here: lists are empty, and nothing can be made of it.

use super::*;

#[tokio::test]
async fn lists_of_what_is_not_here_are_empty() {
    let world = World::new();
    for path in [
        "shovels",
        "shovels/%2F",
        "federation-links",
        "federation-links/v1",
        "federation-links/state/down",
        "federation-links/v1/state/down",
        "stream/connections",
        "stream/publishers/%2F",
        "stream/consumers",
        "traces",
        "traces/node/leveret@hare",
        "trace-files",
    ] {
        assert_eq!(world.get(&format!("/api/{path}")).await, json!([]), "{path}");
        assert_eq!(world.ask_as("none", "GET", &format!("/api/{path}"), "").await.status, 401);
    }
    assert_eq!(world.ask_as("management", "GET", "/api/shovels/v2", "").await.status, 401);
    assert_eq!(world.ask("GET", "/api/shovels/nowhere", "").await.status, 404);
    assert_eq!(world.ask("GET", "/api/traces/node/other", "").await.status, 404);
}

#[tokio::test]
async fn what_is_not_here_is_not_found() {
    let world = World::new();
    for (method, path) in [
        ("GET", "shovels/vhost/%2F/s"),
        ("DELETE", "shovels/vhost/%2F/s/restart"),
        ("DELETE", "federation-links/vhost/%2F/id/leveret@hare/restart"),
        ("GET", "stream/connections/%2F/c/publishers"),
        ("GET", "stream/%2F/s/tracking"),
    ] {
        let path = format!("/api/{path}");
        assert_eq!(world.refused(method, &path, &json!({})).await, (404, "Not Found".into()));
    }
    let refused = world.refused("PUT", "/api/stream/super-streams/%2F/s", &json!({})).await;
    assert_eq!(refused, (400, "there are no streams".into()));
}

#[tokio::test]
async fn erlang_has_neither_processes_nor_tables_here() {
    let world = World::new();
    let expected = json!({"node": "leveret@hare", "row_count": 3, "processes": []});
    assert_eq!(world.get("/api/top/leveret@hare?row_count=3").await, expected);
    let expected = json!({"node": "leveret@hare", "row_count": 20, "ets_tables": []});
    assert_eq!(world.get("/api/top/ets-tables/leveret@hare").await, expected);
    assert_eq!(world.ask("GET", "/api/top/other", "").await.status, 404);
    assert_eq!(world.ask("GET", "/api/top/leveret@hare?row_count=x", "").await.status, 400);
    assert_eq!(world.ask_as("monitoring", "GET", "/api/top/leveret@hare", "").await.status, 401);
}
