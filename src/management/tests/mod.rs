//! What an HTTP client gets: requests over a pipe to a broker in this process. Shapes and texts are
//! those of a RabbitMQ that was asked the same.

mod absent;
mod alarm_limits;
mod auth_attempts;
mod bindings;
mod body;
mod channels;
mod client;
mod connections;
mod consumers;
mod definitions;
mod description;
mod door;
mod events;
mod exchanges;
mod features;
mod global_parameters;
mod hash_password;
mod headers;
mod health;
mod lists;
mod login;
mod logs;
mod machine_owner;
mod maintenance;
mod matching_policies;
mod message_sizes;
mod messages;
mod node_control;
mod nodes;
mod overview;
mod parameters;
mod permissions;
mod permitted;
mod policies;
mod queues;
mod rates;
mod replicas;
mod stored;
mod tls;
mod topic_permissions;
mod turns;
mod user_limits;
mod users;
mod virtual_host_limits;
mod virtual_hosts;

use std::future::pending;
use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use node_control::TestControl;

use super::{
    CrossOrigin, ListenerFacts, ListenerProtocol, Management, ManagementOptions, NodeFacts, Place,
    ProcessFigures, TlsOffer, direct,
};
use crate::broker::{Alarm, Broker, BrokerOptions, DirectChannel, Peer};
use crate::connection::Command;
use crate::connection::command::Bind;
use crate::definitions::import::Definitions;
use crate::definitions::{HostSettings, PermissionDefinition, UserDefinition};
use crate::message::{Body, Envelope, Message, Moment};
use crate::protocol::field::FieldTable;
use crate::protocol::properties::Properties;

/// A broker and its API.
struct World {
    broker: Arc<Broker>,
    management: Arc<Management>,
}

/// An answer, taken apart.
#[derive(Debug)]
struct Answer {
    status: u16,
    head: String,
    body: Value,
}

impl Answer {
    /// Its reason, where it is a refusal.
    fn reason(&self) -> &str {
        self.body["reason"].as_str().unwrap_or_default()
    }
}

fn options() -> ManagementOptions {
    ManagementOptions {
        node: "leveret@hare".into(),
        body_size_max: 1000,
        path_prefix: String::new(),
        cross_origin: CrossOrigin::default(),
        configuration: Box::new(|| vec![("heartbeat".into(), "60".into())]),
        clock: Box::new(|| Moment(1)),
        facts: facts(),
        amqp: None,
        certificates: Box::new(Vec::new),
        stop: Box::new(|| {}),
        process: Box::new(|| ProcessFigures { memory_bytes: Some(900), open_files: Some(12) }),
    }
}

fn facts() -> NodeFacts {
    let listener = |protocol, address: &str| {
        let address = address.parse().unwrap();
        ListenerFacts { protocol, is_encrypted: false, place: Place::Address(address) }
    };
    NodeFacts {
        started_at: Moment(0),
        process_id: 42,
        processors: 2,
        open_files_max: Some(1024),
        data_dir: "/var/lib/hare".into(),
        config_files: vec!["/etc/hare.conf".to_owned()],
        logs: vec!["<stdout>".into()],
        auth_mechanisms: vec!["PLAIN".into()],
        listeners: vec![
            listener(ListenerProtocol::Amqp, "0.0.0.0:5671"),
            listener(ListenerProtocol::Amqp, "[::]:5671"),
            listener(ListenerProtocol::Http, "127.0.0.1:15671"),
        ],
        tls_spoken: TlsOffer::default(),
        control: Arc::new(TestControl::default()),
    }
}

impl World {
    /// With the virtual hosts `/`, `v1` and `v2`, and a user for each tag, named after it, who may
    /// enter `v1`.
    fn new() -> Self {
        let broker = Broker::new(BrokerOptions::default(), [1, 2]).unwrap();
        let world = Self::of(Arc::new(broker));
        for host in ["v1", "v2"] {
            world.broker.declare_virtual_host(host, HostSettings::default());
        }
        for tag in ["none", "management", "policymaker", "monitoring", "administrator"] {
            world.add_user(tag, &[tag]);
        }
        world
    }

    fn of(broker: Arc<Broker>) -> Self {
        Self::with(broker, options())
    }

    fn with(broker: Arc<Broker>, options: ManagementOptions) -> Self {
        let management = Arc::new(Management::new(broker.clone(), options));
        Self { broker, management }
    }

    /// A node that is controlled as is told, and what is done to it.
    fn controlled(control: TestControl) -> (Self, Arc<TestControl>) {
        let broker = Arc::new(Broker::new(BrokerOptions::default(), [1, 2]).unwrap());
        let control = Arc::new(control);
        let facts = NodeFacts { control: control.clone(), ..facts() };
        (Self::with(broker, ManagementOptions { facts, ..options() }), control)
    }

    /// A user for each of these tags, named after it, who may enter `v1`.
    fn add_users(&self, tags: &[&str]) {
        self.broker.declare_virtual_host("v1", HostSettings::default());
        tags.iter().for_each(|tag| self.add_user(tag, &[tag]));
    }

    /// The same with a clock that is moved by hand.
    fn with_clock() -> (Self, Arc<AtomicU64>) {
        let broker = Arc::new(Broker::new(BrokerOptions::default(), [1, 2]).unwrap());
        let clock = Arc::new(AtomicU64::new(1_000_000));
        let hand = clock.clone();
        let now = move || Moment(hand.load(Ordering::Relaxed));
        let options = ManagementOptions { clock: Box::new(now), ..options() };
        let management = Arc::new(Management::new(broker.clone(), options));
        (Self { broker, management }, clock)
    }

    fn add_user(&self, name: &str, tags: &[&str]) {
        self.broker.declare_user(UserDefinition {
            name: name.into(),
            password: self.broker.hash_password(name, "x"),
            tags: tags.iter().map(|tag| (*tag).into()).collect(),
            limits: std::collections::BTreeMap::new(),
        });
        let none = String::new;
        let (user, host) = (name.into(), "v1".into());
        let (configure, write, read) = (none(), none(), none());
        let permission = PermissionDefinition { user, host, configure, write, read };
        self.broker.by_node().set_permission(&permission).unwrap();
    }

    /// Lets a user do what it likes with names that begin like this in a virtual host.
    fn permit(&self, user: &str, host: &str, begin: &str) {
        let pattern = format!("^{begin}");
        let (configure, write, read) = (pattern.clone(), pattern.clone(), pattern);
        let (user, host) = (user.into(), host.into());
        let permission = PermissionDefinition { user, host, configure, write, read };
        self.broker.by_node().set_permission(&permission).unwrap();
    }

    /// Binds an exchange of `/` to another, as a client does.
    async fn bind_exchanges(&self, source: &str, destination: &str) {
        let user = self.broker.user("guest").unwrap();
        let mut channel = DirectChannel::open(&self.broker, &user, "/", Moment(1)).unwrap();
        let bind = Bind {
            is_unbind: false,
            source: source.into(),
            destination: destination.into(),
            to_exchange: true,
            routing_key: "".into(),
            arguments: FieldTable::new(),
        };
        channel.ask(Command::Bind(bind), Moment(1));
        direct::answer(&mut channel).await.unwrap();
    }

    /// Publishes to a queue of `/`, as a client does.
    fn publish(&self, queue: &str, bodies: &[&str]) {
        let user = self.broker.user("guest").unwrap();
        let mut channel = DirectChannel::open(&self.broker, &user, "/", Moment(1)).unwrap();
        let mut properties = Vec::new();
        let timestamp = Some(1_700_000_000);
        Properties { timestamp, ..Properties::default() }.encode(&mut properties);
        for body in bodies {
            let (exchange, routing_key, properties) = ("", queue, &*properties);
            let envelope = Envelope { exchange, routing_key, properties, is_persistent: false };
            channel.publish(Message::new(envelope, Body::Copied(body.as_bytes())), Moment(1));
        }
    }

    /// What a user gets, whose password is `x` but for guest's.
    async fn ask_as(&self, user: &str, method: &str, path: &str, body: &str) -> Answer {
        let password = if user == "guest" { "guest" } else { "x" };
        let login = STANDARD.encode(format!("{user}:{password}"));
        let head = format!("Authorization: Basic {login}\r\n");
        self.ask_from("127.0.0.1", method, path, &head, body).await
    }

    async fn ask(&self, method: &str, path: &str, body: &str) -> Answer {
        self.ask_as("guest", method, path, body).await
    }

    async fn get(&self, path: &str) -> Value {
        let answer = self.ask("GET", path, "").await;
        assert_eq!(answer.status, 200, "{answer:?}");
        answer.body
    }

    /// The status of a change.
    async fn change(&self, method: &str, path: &str, body: &Value) -> u16 {
        self.ask(method, path, &body.to_string()).await.status
    }

    /// The status of a refusal with its reason.
    async fn refused(&self, method: &str, path: &str, body: &Value) -> (u16, String) {
        let answer = self.ask(method, path, &body.to_string()).await;
        (answer.status, answer.reason().to_owned())
    }

    async fn ask_from(
        &self,
        address: &str,
        method: &str,
        path: &str,
        head: &str,
        body: &str,
    ) -> Answer {
        let (mut client, server) = tokio::io::duplex(1 << 21);
        let size = body.len();
        let request = format!(
            "{method} {path} HTTP/1.1\r\nHost: hare\r\nConnection: close\r\n{head}\
             Content-Length: {size}\r\n\r\n{body}"
        );
        client.write_all(request.as_bytes()).await.unwrap();
        let peer = Peer { address: Some(address.parse::<IpAddr>().unwrap()) };
        let mut answer = String::new();
        let serving = self.management.clone().serve(server, peer, pending());
        let reading = client.read_to_string(&mut answer);
        let (_, read) = tokio::join!(serving, reading);
        read.unwrap();
        parse(&answer)
    }
}

fn parse(answer: &str) -> Answer {
    let (head, body) = answer.split_once("\r\n\r\n").expect(answer);
    let status = head.split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap();
    let head = head.to_ascii_lowercase();
    let is_chunked = head.contains("transfer-encoding: chunked");
    let body = if is_chunked { joined(body) } else { body.to_owned() };
    let body = serde_json::from_str(&body).unwrap_or_else(|_| Value::from(body));
    Answer { status, head, body }
}

/// A body that came in pieces, each behind its size.
fn joined(mut pieces: &str) -> String {
    let mut body = String::new();
    loop {
        let (size, rest) = pieces.split_once("\r\n").expect(pieces);
        let size = usize::from_str_radix(size, 16).unwrap();
        if size == 0 {
            return body;
        }
        body.push_str(&rest[..size]);
        pieces = &rest[size + 2..];
    }
}

#[tokio::test]
async fn what_is_not_there_and_what_is_not_done_is_said() {
    let world = World::new();
    let answer = world.ask("GET", "/api/nothing", "").await;
    let expected = json!({"error": "Object Not Found", "reason": "Not Found"});
    assert_eq!((answer.status, answer.body), (404, expected));
    let answer = world.ask("POST", "/api/policies", "").await;
    assert_eq!((answer.status, &answer.body["error"]), (405, &json!("method_not_allowed")));
    assert!(answer.head.contains("allow: head, get, options"), "{}", answer.head);
    let answer = world.ask("OPTIONS", "/api/queues/%2F/q", "").await;
    assert_eq!((answer.status, answer.body), (200, json!("")));
    assert!(answer.head.contains("allow: head, get, put, delete, options"), "{}", answer.head);
    assert_eq!(world.ask("GET", "/api/policies/", "").await.status, 200);
}

#[tokio::test]
async fn a_name_that_is_no_text_is_refused() {
    let world = World::new();
    let answer = world.ask("GET", "/api/vhosts/%FF", "").await;
    assert_eq!((answer.status, &answer.body["error"]), (400, &json!("bad_request")));
}

#[tokio::test]
async fn answers_are_json_that_nobody_keeps() {
    let world = World::new();
    let answer = world.ask("GET", "/api/whoami", "").await;
    assert_eq!(answer.body, json!({"name": "guest", "tags": ["administrator"]}));
    assert!(answer.head.contains("content-type: application/json"), "{}", answer.head);
    assert!(answer.head.contains("cache-control: no-cache"), "{}", answer.head);
    let answer = world.ask("HEAD", "/api/whoami", "").await;
    assert_eq!((answer.status, answer.body), (200, json!("")));
}

#[tokio::test]
async fn a_page_says_what_is_where_without_a_login() {
    let world = World::new();
    for path in ["/", "/api"] {
        let answer = world.ask_from("192.0.2.1", "GET", path, "", "").await;
        assert_eq!(answer.status, 200);
        assert!(answer.body.as_str().unwrap().contains("/api/vhosts"));
    }
}
