//! Attempts to log in: counted over AMQP and over HTTP, and forgotten when somebody says so.

use super::client::Client;
use super::*;

const PATH: &str = "/api/auth/attempts/leveret@hare";

fn shape(protocol: &str, succeeded: u64, failed: u64) -> Value {
    json!({
        "protocol": protocol, "auth_attempts": succeeded + failed,
        "auth_attempts_failed": failed, "auth_attempts_succeeded": succeeded,
    })
}

#[tokio::test]
async fn attempts_are_counted_by_protocol_until_they_are_forgotten() {
    let world = World::new();
    let _client = Client::open(&world);
    assert_eq!(world.ask_as("nobody", "GET", "/api/whoami", "").await.status, 401);
    assert_eq!(world.get(PATH).await, json!([shape("amqp091", 1, 0), shape("http", 1, 1)]));
    assert_eq!(world.change("DELETE", PATH, &json!({})).await, 204);
    assert_eq!(world.get(PATH).await, json!([shape("amqp091", 0, 0), shape("http", 1, 0)]));
    assert_eq!(world.get(&format!("{PATH}/source")).await, json!([]));
    assert_eq!(world.ask("GET", "/api/auth/attempts/other", "").await.status, 404);
    assert_eq!(world.ask_as("management", "GET", PATH, "").await.status, 401);
}
