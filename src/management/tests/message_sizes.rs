//! Sizes of messages that clients published, in buckets.

use super::client::Client;
use super::*;

const PATH: &str = "/api/leveret/message-sizes";

#[tokio::test]
async fn messages_of_clients_are_counted_by_their_size() {
    let world = World::new();
    let before = world.get(PATH).await;
    assert_eq!(
        before[0],
        json!({
            "above_bytes": null, "up_to_bytes": 100, "count": 0, "percentage": 0.0
        })
    );
    let mut client = Client::open(&world);
    client.declare_exclusive("q");
    for _ in 0..3 {
        client.publish(3, "q");
    }
    let after = world.get(PATH).await;
    assert_eq!((&after[0]["count"], &after[0]["percentage"]), (&json!(3), &json!(100.0)));
    let last = after.as_array().unwrap().last().unwrap();
    assert_eq!((&last["above_bytes"], &last["up_to_bytes"]), (&json!(100_000_000), &json!(null)));
    assert_eq!(world.ask_as("management", "GET", PATH, "").await.status, 401);
}
