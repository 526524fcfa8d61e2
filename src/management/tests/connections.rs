//! Connections: shapes, who sees which, and how they are closed.

use super::client::{Client, NAME};
use super::*;

const OTHER: &str = "192.0.2.8:50008 -> 192.0.2.1:5672";

/// A name as it stands in a path.
fn path_of(name: &str) -> String {
    name.replace(' ', "%20").replace('>', "%3E")
}

fn names(rows: &Value) -> Vec<&str> {
    rows.as_array().unwrap().iter().map(|row| row["name"].as_str().unwrap()).collect()
}

/// A client of guest in `/`, and one of the user `management` in `v1`.
fn two_clients(world: &World) -> (Client, Client) {
    (Client::open(world), Client::open_as(world, OTHER, ("management", "x"), "v1"))
}

#[tokio::test]
async fn a_connection_is_told_as_it_is() {
    let world = World::new();
    assert_eq!(world.get("/api/connections").await, json!([]));
    let mut client = Client::open(&world);
    client.count_traffic(100, 30);
    client.count_traffic(11, 4);
    let expected = json!({
        "name": NAME, "vhost": "/", "user": "guest", "user_who_performed_action": "guest",
        "user_provided_name": "mine",
        "client_properties": {"connection_name": "mine", "product": "test"},
        "node": "leveret@hare", "type": "network", "protocol": "AMQP 0-9-1",
        "auth_mechanism": "PLAIN", "state": "running", "connected_at": 7,
        "peer_host": "192.0.2.7", "peer_port": 50007, "host": "192.0.2.1", "port": 5672,
        "ssl": false, "channels": 1, "channel_max": 9, "frame_max": 131_072, "timeout": 20,
        "recv_oct": 111, "recv_cnt": 2, "send_oct": 34, "send_cnt": 2, "send_pend": 0,
        "recv_oct_details": {"rate": 0.0}, "send_oct_details": {"rate": 0.0},
        "ssl_protocol": "", "ssl_key_exchange": "", "ssl_cipher": "", "ssl_hash": "",
        "peer_cert_subject": "", "peer_cert_issuer": "", "peer_cert_validity": "",
    });
    let path = format!("/api/connections/{}", path_of(NAME));
    assert_eq!(world.get(&path).await, expected);
    assert_eq!(world.get("/api/connections").await, json!([expected]));
    drop(client);
    assert_eq!(world.get("/api/connections").await, json!([]));
    assert_eq!(world.ask("GET", &path, "").await.status, 404);
}

#[tokio::test]
async fn connections_are_listed_by_virtual_host_and_in_pages() {
    let world = World::new();
    world.permit("guest", "v1", "");
    let _clients = two_clients(&world);
    assert_eq!(names(&world.get("/api/connections").await), [NAME, OTHER]);
    assert_eq!(names(&world.get("/api/vhosts/v1/connections").await), [OTHER]);
    assert_eq!(names(&world.get("/api/connections/username/guest").await), [NAME]);
    assert_eq!(names(&world.get("/api/connections/username/nope").await), [""; 0]);
    let page = world.get("/api/connections?page=1&name=50008&sort=user&columns=user").await;
    let counts = (&page["total_count"], &page["filtered_count"]);
    assert_eq!(counts, (&json!(2), &json!(1)));
    assert_eq!(page["items"], json!([{"user": "management"}]));
}

#[tokio::test]
async fn who_is_no_monitor_sees_its_own_connections() {
    let world = World::new();
    let _clients = two_clients(&world);
    let (of_guest, own) = (path_of(NAME), path_of(OTHER));
    for (user, path, status, count) in [
        ("management", "/api/connections".to_owned(), 200, 1),
        ("policymaker", "/api/connections".to_owned(), 200, 0),
        ("monitoring", "/api/connections".to_owned(), 200, 2),
        ("administrator", "/api/connections".to_owned(), 200, 2),
        ("management", "/api/vhosts/v1/connections".to_owned(), 200, 1),
        ("policymaker", "/api/vhosts/v1/connections".to_owned(), 200, 0),
        ("monitoring", "/api/vhosts/v1/connections".to_owned(), 200, 1),
        ("monitoring", "/api/vhosts/%2F/connections".to_owned(), 401, 0),
        ("management", "/api/vhosts/nope/connections".to_owned(), 404, 0),
        ("management", "/api/connections/username/management".to_owned(), 200, 1),
        ("management", "/api/connections/username/guest".to_owned(), 401, 0),
        ("monitoring", "/api/connections/username/guest".to_owned(), 200, 1),
        ("management", format!("/api/connections/{own}"), 200, 0),
        ("management", format!("/api/connections/{of_guest}"), 401, 0),
        ("monitoring", format!("/api/connections/{of_guest}"), 200, 0),
        ("management", "/api/connections/nope".to_owned(), 404, 0),
    ] {
        let answer = world.ask_as(user, "GET", &path, "").await;
        let seen = answer.body.as_array().map_or(0, Vec::len);
        assert_eq!((answer.status, seen), (status, count), "{user} {path}");
    }
}

/// What the client is told of its end.
fn end(client: &mut Client) -> String {
    String::from_utf8_lossy(&client.hear()).into_owned()
}

#[tokio::test]
async fn a_closed_connection_hears_why() {
    let world = World::new();
    let (mut first, mut second) = two_clients(&world);
    let path = format!("/api/connections/{}", path_of(NAME));
    let head =
        format!("Authorization: Basic {}\r\nX-Reason: go away\r\n", STANDARD.encode("guest:guest"));
    let answer = world.ask_from("127.0.0.1", "DELETE", &path, &head, "").await;
    assert_eq!(answer.status, 204);
    assert!(end(&mut first).contains("\u{1}@\u{1b}CONNECTION_FORCED - go away"), "code 320");
    assert_eq!(world.get(&path).await["state"], "closing", "until it says close-ok");
    let path = format!("/api/connections/{}", path_of(OTHER));
    assert_eq!(world.ask_as("management", "DELETE", &path, "").await.status, 204);
    let text = "CONNECTION_FORCED - Closed via management plugin";
    assert!(end(&mut second).contains(text));
}

#[tokio::test]
async fn a_client_that_reads_nothing_is_closed_and_gives_back_what_it_has() {
    let world = World::new();
    assert_eq!(world.change("PUT", "/api/queues/%2F/q", &json!({})).await, 201);
    let mut client = Client::open(&world);
    client.consume("q", "tag", false);
    let large = "x".repeat(crate::limits::SESSION_OUTPUT_SIZE_MAX);
    for _ in 0..2 {
        world.publish("q", &[&large]);
        client.pump();
    }
    let path = format!("/api/connections/{}", path_of(NAME));
    assert_eq!(world.ask("DELETE", &path, "").await.status, 204);
    client.pump();
    assert_eq!(world.get(&path).await["state"], "closing");
    let queue = world.get("/api/queues/%2F/q?columns=messages_ready,consumers").await;
    assert_eq!(queue, json!({"messages_ready": 2, "consumers": 0}));
    assert!(end(&mut client).contains("CONNECTION_FORCED"));
}

#[tokio::test]
async fn all_connections_of_a_user_are_closed_at_once() {
    let world = World::new();
    let (mut of_guest, mut own) = two_clients(&world);
    let mut second = Client::open_as(&world, "a:1 -> b:2", ("management", "x"), "v1");
    let path = "/api/connections/username/management";
    assert_eq!(world.ask("DELETE", path, "").await.status, 204);
    assert!(end(&mut own).contains("CONNECTION_FORCED"));
    assert!(end(&mut second).contains("CONNECTION_FORCED"));
    assert_eq!(end(&mut of_guest), "");
    assert_eq!(world.ask("DELETE", "/api/connections/username/nope", "").await.status, 204);
}

#[tokio::test]
async fn only_administrators_close_connections_of_others() {
    let world = World::new();
    let (mut of_guest, _own) = two_clients(&world);
    let path = format!("/api/connections/{}", path_of(NAME));
    for user in ["management", "monitoring", "policymaker"] {
        for path in [&*path, "/api/connections/username/guest"] {
            let answer = world.ask_as(user, "DELETE", path, "").await;
            let reason = "User not authorised to access object";
            assert_eq!((answer.status, answer.reason()), (401, reason), "{user} {path}");
        }
    }
    assert_eq!(world.ask("DELETE", "/api/connections/nope", "").await.status, 404);
    assert_eq!(end(&mut of_guest), "", "it goes on");
    assert_eq!(world.ask_as("administrator", "DELETE", &path, "").await.status, 204);
    assert!(end(&mut of_guest).contains("CONNECTION_FORCED"));
}

#[tokio::test]
async fn an_alarm_shows_who_is_held_back() {
    let world = World::new();
    assert_eq!(world.change("PUT", "/api/queues/%2F/q", &json!({})).await, 201);
    let mut client = Client::open(&world);
    let state = async || world.get("/api/connections?columns=state").await[0]["state"].clone();
    world.broker.set_alarm(Alarm::Disk, true);
    client.hear();
    assert_eq!(state().await, "blocking");
    client.publish(3, "q");
    assert_eq!(state().await, "blocked");
    world.broker.set_alarm(Alarm::Disk, false);
    client.hear();
    assert_eq!(state().await, "running");
}

#[tokio::test]
async fn sessions_are_of_another_protocol() {
    let world = World::new();
    let _client = Client::open(&world);
    let path = format!("/api/connections/{}/sessions", path_of(NAME));
    let refused = world.refused("GET", &path, &json!({})).await;
    assert_eq!(refused, (400, "connection does not use AMQP 1.0".into()));
    assert_eq!(world.ask("GET", "/api/connections/none/sessions", "").await.status, 404);
}
