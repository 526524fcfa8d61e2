//! The HTTP API of the real binary over a socket: where it listens, that a change is there at once
//! and after a kill, and what it does to clients. Shapes are shown beside the door.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::time::Duration;

use lapin::options::BasicPublishOptions;
use lapin::{BasicProperties, Channel, Connection, ConnectionProperties};
use rustix::process::Signal;
use tokio::time::Instant;

use crate::durability::connect;
use crate::inspect::declare;
use crate::process::{PATIENCE, Process};

pub(crate) const MANAGED: [&str; 6] = [
    "--listen",
    "127.0.0.1:0",
    "--set",
    "management.tcp.port=0",
    "--set",
    "management.tcp.ip=127.0.0.1",
];

/// `guest:guest`.
const LOGIN: &str = "Authorization: Basic Z3Vlc3Q6Z3Vlc3Q=\r\n";

/// Where it says that its API is.
pub(crate) fn place(process: &mut Process) -> SocketAddr {
    let line = process.output_line();
    let (_, rest) = line.split_once("; management on ").expect(&line);
    rest.split_once(';').expect(&line).0.parse().expect(&line)
}

/// The status and the body of an answer.
pub(crate) fn ask(process: &mut Process, method: &str, path: &str, body: &str) -> (u16, String) {
    let mut stream = TcpStream::connect_timeout(&place(process), PATIENCE).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    let size = body.len();
    write!(
        stream,
        "{method} {path} HTTP/1.1\r\nHost: hare\r\nConnection: close\r\n{LOGIN}\
         Content-Type: application/json\r\nContent-Length: {size}\r\n\r\n{body}"
    )
    .unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").expect(&answer);
    let status = head.split(' ').nth(1).and_then(|status| status.parse().ok());
    let is_chunked = head.to_ascii_lowercase().contains("transfer-encoding: chunked");
    (status.expect(&answer), if is_chunked { joined(body) } else { body.to_owned() })
}

/// The content of a body that came in pieces, each behind its size.
fn joined(mut body: &str) -> String {
    let mut whole = String::new();
    while let Some((size, rest)) = body.split_once("\r\n") {
        let size = usize::from_str_radix(size, 16).expect(size);
        whole.push_str(&rest[..size]);
        body = rest[size..].trim_start_matches("\r\n");
    }
    whole
}

#[test]
fn what_is_answered_survives_a_kill() {
    let mut process = Process::start_with(&MANAGED);
    let policy = r#"{"pattern": "^a", "definition": {"max-length": 5}}"#;
    assert_eq!(ask(&mut process, "PUT", "/api/vhosts/new", r#"{"tags": "a"}"#).0, 201);
    assert_eq!(ask(&mut process, "PUT", "/api/policies/new/p", policy).0, 201);
    let limit = ask(&mut process, "PUT", "/api/vhost-limits/new/max-queues", r#"{"value": 3}"#);
    assert_eq!(limit.0, 204);
    let user = r#"{"password": "x", "tags": "monitoring"}"#;
    assert_eq!(ask(&mut process, "PUT", "/api/users/ann", user).0, 201);
    let permission = r#"{"configure": "", "write": "", "read": "^a"}"#;
    assert_eq!(ask(&mut process, "PUT", "/api/permissions/new/ann", permission).0, 201);
    assert_eq!(ask(&mut process, "PUT", "/api/cluster-name", r#"{"name": "east"}"#).0, 204);
    let file = r#"{
        "exchanges": [{"name": "x", "type": "fanout"}],
        "queues": [{"name": "q"}],
        "bindings": [{"source": "x", "destination": "q", "destination_type": "queue"}]
    }"#;
    assert_eq!(ask(&mut process, "POST", "/api/definitions/new", file).0, 204);
    let (_, exported) = ask(&mut process, "GET", "/api/definitions/new", "");
    assert!(exported.contains("\"destination\":\"q\""), "{exported}");
    assert_eq!(ask(&mut process, "DELETE", "/api/vhosts/%2F", "").0, 204);
    let mut command = std::process::Command::new(crate::process::binary());
    command.arg("serve").args(MANAGED);
    let mut process = process.restart_by(Signal::KILL, command);
    let (status, hosts) = ask(&mut process, "GET", "/api/vhosts", "");
    assert!(status == 200 && hosts.contains("\"name\":\"new\""), "{hosts}");
    assert!(!hosts.contains("\"name\":\"/\""), "{hosts}");
    let (_, policies) = ask(&mut process, "GET", "/api/policies", "");
    assert!(policies.contains("\"max-length\":5"), "{policies}");
    let (_, limits) = ask(&mut process, "GET", "/api/vhost-limits", "");
    assert_eq!(limits, r#"[{"value":{"max-queues":3},"vhost":"new"}]"#);
    let (_, permissions) = ask(&mut process, "GET", "/api/users/ann/permissions", "");
    let expected = r#"[{"configure":"","read":"^a","user":"ann","vhost":"new","write":""}]"#;
    assert_eq!(permissions, expected);
    let (status, again) = ask(&mut process, "GET", "/api/definitions/new", "");
    assert_eq!((status, again), (200, exported));
    let (_, name) = ask(&mut process, "GET", "/api/cluster-name", "");
    assert_eq!(name, r#"{"name":"east"}"#);
}

#[test]
fn a_topology_and_its_messages_survive_a_kill() {
    let mut process = Process::start_with(&MANAGED);
    let durable = r#"{"durable": true, "type": "topic"}"#;
    let message = r#"{"properties": {"delivery_mode": 2}, "routing_key": "a.b", "payload": "hop",
        "payload_encoding": "string"}"#;
    for (method, path, body, status) in [
        ("PUT", "/api/exchanges/%2F/x", durable, 201),
        ("PUT", "/api/queues/%2F/q", durable, 201),
        ("POST", "/api/bindings/%2F/e/x/q/q", r##"{"routing_key": "a.#"}"##, 201),
        ("POST", "/api/exchanges/%2F/x/publish", message, 200),
    ] {
        let answer = ask(&mut process, method, path, body);
        assert_eq!(answer.0, status, "{path}: {}", answer.1);
    }
    let mut command = std::process::Command::new(crate::process::binary());
    command.arg("serve").args(MANAGED);
    let mut process = process.restart_by(Signal::KILL, command);
    let (_, binding) = ask(&mut process, "GET", "/api/bindings/%2F/e/x/q/q/a.%2523", "");
    assert!(binding.contains("\"routing_key\":\"a.#\""), "{binding}");
    let get = r#"{"count": 5, "ackmode": "ack_requeue_false", "encoding": "auto"}"#;
    let (status, messages) = ask(&mut process, "POST", "/api/queues/%2F/q/get", get);
    assert!(status == 200 && messages.contains("\"payload\":\"hop\""), "{messages}");
    let (_, empty) = ask(&mut process, "POST", "/api/queues/%2F/q/get", get);
    assert_eq!(empty, "[]");
}

#[tokio::test]
async fn consumers_are_listed_with_the_names_of_their_connections() {
    let mut process = Process::start_with(&MANAGED);
    let (connection, channel) = connect(&process).await;
    declare(&channel, "q").await;
    let consumer =
        channel.basic_consume("q".into(), "tag".into(), Default::default(), Default::default());
    let consumer = consumer.await.unwrap();
    let (status, consumers) = ask(&mut process, "GET", "/api/consumers/%2F", "");
    assert_eq!(status, 200, "{consumers}");
    let to = format!(" -> {}\"", process.address());
    assert!(
        consumers.contains("\"consumer_tag\":\"tag\"") && consumers.contains(&to),
        "{consumers}"
    );
    assert!(consumers.contains("\"peer_host\":\"127.0.0.1\""), "{consumers}");
    drop((consumer, connection));
}

#[tokio::test]
async fn clients_of_a_deleted_virtual_host_are_told() {
    let mut process = Process::start_with(&MANAGED);
    let (connection, channel) = connect(&process).await;
    declare(&channel, "q").await;
    assert_eq!(ask(&mut process, "DELETE", "/api/vhosts/%2F", "").0, 204);
    process.logged("deleting vhost '/'");
    let uri = format!("amqp://guest:guest@{}/%2f", process.address());
    let refused = Connection::connect(&uri, ConnectionProperties::default()).await.unwrap_err();
    assert!(refused.to_string().contains("vhost / not found"), "{refused}");
    let closed = channel.queue_purge("q".into(), Default::default()).await;
    assert!(closed.is_err(), "its connection is closed");
    drop(connection);
}

/// 100 at once, and 100 in each of two seconds, but for the few that one turn brings.
#[tokio::test]
async fn who_publishes_faster_than_it_may_is_slowed_down_and_loses_nothing() {
    let mut process = Process::start_with(&MANAGED);
    let (connection, channel) = connect(&process).await;
    declare(&channel, "q").await;
    let path = "/api/vhost-limits/%2F/max-publish-rate";
    assert_eq!(ask(&mut process, "PUT", path, r#"{"value": 100}"#).0, 204);
    let begin = Instant::now();
    for _ in 0..300 {
        publish(&channel, b"x").await;
    }
    assert!(channel.wait_for_confirms().await.unwrap().is_empty());
    let elapsed = begin.elapsed();
    assert!(elapsed >= Duration::from_millis(1800), "{elapsed:?}");
    drop(connection);
}

#[tokio::test]
async fn who_waits_for_a_limit_goes_on_when_it_is_taken_away() {
    let mut process = Process::start_with(&MANAGED);
    let (connection, channel) = connect(&process).await;
    declare(&channel, "q").await;
    let path = "/api/user-limits/guest/max-publish-bytes-rate";
    assert_eq!(ask(&mut process, "PUT", path, r#"{"value": 1}"#).0, 204);
    // It pays for nearly three hours.
    publish(&channel, &[0; 10_000]).await;
    assert!(channel.wait_for_confirms().await.unwrap().is_empty());
    publish(&channel, b"x").await;
    assert_eq!(ask(&mut process, "DELETE", path, "").0, 204);
    let confirms = tokio::time::timeout(PATIENCE, channel.wait_for_confirms());
    assert!(confirms.await.expect("it goes on").unwrap().is_empty());
    drop(connection);
}

async fn publish(channel: &Channel, body: &[u8]) {
    let (options, properties) = (BasicPublishOptions::default(), BasicProperties::default());
    let sent = channel.basic_publish("".into(), "q".into(), options, body, properties);
    drop(sent.await.unwrap());
}

#[test]
fn the_api_listens_where_it_is_told_and_not_beside_listeners_of_flags() {
    assert!(!Process::start().output_line().contains("management"));
    let holder = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let address = holder.local_addr().unwrap();
    let port = format!("management.tcp.port={}", address.port());
    let mut flags = MANAGED.to_vec();
    flags[3] = &port;
    let (status, lines) = Process::launch_with(&flags).ended();
    assert_eq!(status.code(), Some(69), "{lines:#?}");
    let expected = format!("cannot listen on {address}: Address already in use");
    assert!(lines.iter().any(|line| line.text.contains(&expected)), "{lines:#?}");
}

#[test]
fn a_stop_does_not_wait_for_clients_of_the_api() {
    let mut process = Process::start_with(&MANAGED);
    let mut halfway = TcpStream::connect_timeout(&place(&mut process), PATIENCE).unwrap();
    halfway.write_all(b"PUT /api/vhosts/new HTTP/1.1\r\nContent-Length: 5\r\n\r\n{").unwrap();
    process.stop();
}

/// With Argon2 no session checks a password itself.
#[tokio::test]
async fn a_new_virtual_host_begins_as_it_is_written_and_is_protected_over_a_kill() {
    let flags = [
        "--set",
        "default_users.tester.vhost_pattern=^qa",
        "--set",
        "default_users.tester.password=secret",
        "--set",
        "default_limits.vhosts.1.max_queues=7",
        "--set",
        "default_policies.operator.short.expires=1h",
        "--set",
        "password_hashing_module=leveret_password_hashing_argon2id",
    ];
    let flags = [&MANAGED[..], &flags].concat();
    let mut process = Process::start_with(&flags);
    let body = r#"{"protected_from_deletion": true}"#;
    assert_eq!(ask(&mut process, "PUT", "/api/vhosts/qa1", body).0, 201);
    let mut command = std::process::Command::new(crate::process::binary());
    command.arg("serve").args(MANAGED);
    let mut process = process.restart_by(Signal::KILL, command);
    assert_eq!(ask(&mut process, "DELETE", "/api/vhosts/qa1", "").0, 412);
    let (_, limits) = ask(&mut process, "GET", "/api/vhost-limits/qa1", "");
    assert_eq!(limits, r#"[{"value":{"max-queues":7},"vhost":"qa1"}]"#);
    let (_, policies) = ask(&mut process, "GET", "/api/operator-policies/qa1", "");
    assert!(policies.contains("\"expires\":3600000"), "{policies}");
    let (_, users) = ask(&mut process, "GET", "/api/users", "");
    assert_eq!(users.matches("leveret_password_hashing_argon2id").count(), 2, "{users}");
    let connect = async |password: &str| {
        let uri = format!("amqp://tester:{password}@{}/qa1", process.address());
        Connection::connect(&uri, ConnectionProperties::default()).await
    };
    assert!(connect("wrong").await.is_err());
    assert!(connect("secret").await.is_ok() && connect("secret").await.is_ok());
}
