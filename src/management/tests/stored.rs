//! An answer to a change comes when the change is on disk, and never where it cannot be.

use std::collections::BTreeMap;

use futures_lite::future::poll_once;

use super::*;
use crate::broker::{Left, MemoryOptions};
use crate::limits::LOG_PENDING_SIZE_MAX;
use crate::management::api::Api;
use crate::management::caller::Caller;
use crate::management::description::Description;
use crate::management::publish;
use crate::management::refusal::Refusal;
use crate::store::{MemoryStorage, StoreOptions, Writer};

const TOPIC: &str = r#"{"exchange": "x", "write": "", "read": ""}"#;

fn world() -> (World, Writer) {
    let (world, mut writer) = opened(MemoryStorage::new(1 << 26));
    world.broker.declare_defaults().unwrap();
    turn(&mut writer);
    (world, writer)
}

fn opened(disk: MemoryStorage) -> (World, Writer) {
    let opened = crate::store::open(Arc::new(disk), StoreOptions::default()).unwrap();
    let (writer, left) = Left::part(opened);
    let (options, memory) = (BrokerOptions::default(), MemoryOptions::default());
    let broker = Broker::open(options, [1, 2], left, memory).unwrap();
    (World::of(Arc::new(broker)), writer)
}

fn turn(writer: &mut Writer) {
    writer.write(Moment(1), true);
    writer.sync();
}

#[tokio::test]
async fn an_answer_waits_for_the_disk() {
    let (world, mut writer) = world();
    for (method, path, body, status) in [
        ("PUT", "/api/vhosts/new", "", 201),
        ("PUT", "/api/policies/new/p", r#"{"pattern": "", "definition": {"max-length": 1}}"#, 201),
        ("DELETE", "/api/policies/new/p", "", 204),
        ("PUT", "/api/vhost-limits/new/max-queues", r#"{"value": 1}"#, 204),
        ("PUT", "/api/user-limits/guest/max-channels", r#"{"value": 10}"#, 204),
        ("PUT", "/api/parameters/vhost-limits/new/limits", r#"{"value": {}}"#, 204),
        ("DELETE", "/api/parameters/vhost-limits/new/limits", "", 204),
        ("PUT", "/api/global-parameters/g", r#"{"value": 1}"#, 201),
        ("DELETE", "/api/global-parameters/g", "", 204),
        ("PUT", "/api/cluster-name", r#"{"name": "east"}"#, 204),
        ("PUT", "/api/users/ann", r#"{"tags": "", "password": "x"}"#, 201),
        ("PUT", "/api/permissions/new/ann", r#"{"configure": "", "write": "", "read": ""}"#, 201),
        ("PUT", "/api/topic-permissions/new/ann", TOPIC, 201),
        ("DELETE", "/api/topic-permissions/new/ann/x", "", 204),
        ("DELETE", "/api/permissions/new/ann", "", 204),
        ("DELETE", "/api/users/ann", "", 204),
        ("PUT", "/api/exchanges/new/x", r#"{"durable": true}"#, 201),
        ("PUT", "/api/queues/new/q", r#"{"durable": true}"#, 201),
        ("POST", "/api/bindings/new/e/x/q/q", "", 201),
        ("DELETE", "/api/bindings/new/e/x/q/q/~", "", 204),
        ("DELETE", "/api/exchanges/new/x", "", 204),
        ("DELETE", "/api/queues/new/q", "", 204),
        ("DELETE", "/api/vhosts/new", "", 204),
    ] {
        let mut asking = Box::pin(world.ask(method, path, body));
        assert!(poll_once(&mut asking).await.is_none(), "{method} {path}");
        turn(&mut writer);
        assert_eq!(asking.await.status, status, "{method} {path}");
    }
    assert_eq!(
        world.ask("PUT", "/api/user-limits/guest/max-channels", r#"{"value": 10}"#).await.status,
        204
    );
}

#[tokio::test]
async fn an_import_is_answered_when_all_of_it_is_on_disk() {
    let (world, mut writer) = world();
    let queue = json!({"vhost": "/", "name": "q", "durable": true});
    let mut bad = queue.clone();
    bad["name"] = json!("bad");
    bad["arguments"] = json!({"x-expires": 0});
    for (queues, status) in [(json!([queue]), 204), (json!([queue, bad]), 400)] {
        let file = json!({
            "exchanges": [{"vhost": "/", "name": format!("x{status}"), "type": "fanout"}],
            "queues": queues,
        });
        let file = file.to_string();
        let mut asking = Box::pin(definitions::post(&world, "/api/definitions", &file));
        assert!(poll_once(&mut asking).await.is_none(), "{status}");
        turn(&mut writer);
        assert_eq!(asking.await.status, status);
    }
}

#[tokio::test]
async fn what_will_never_be_on_disk_is_no_success() {
    for path in ["/api/vhosts/new", "/api/exchanges/%2F/x", "/api/queues/%2F/q"] {
        let (world, writer) = world();
        let mut asking = Box::pin(world.ask("PUT", path, r#"{"durable": true}"#));
        assert!(poll_once(&mut asking).await.is_none());
        writer.log().poison("it broke");
        let answer = asking.await;
        let reason = "the definition could not be stored: it broke";
        assert_eq!((answer.status, answer.reason()), (500, reason), "{path}");
    }
}

const PUBLISH: &str = "/api/exchanges/%2F/amq.default/publish";

fn message(delivery_mode: u64) -> String {
    json!({
        "properties": {"delivery_mode": delivery_mode}, "routing_key": "q", "payload": "a",
        "payload_encoding": "string",
    })
    .to_string()
}

async fn declare_queue(world: &World, writer: &mut Writer) {
    let mut asking = Box::pin(world.ask("PUT", "/api/queues/%2F/q", r#"{"durable": true}"#));
    assert!(poll_once(&mut asking).await.is_none());
    turn(writer);
    assert_eq!(asking.await.status, 201);
}

#[tokio::test]
async fn a_persistent_message_is_on_disk_before_its_publish_is_answered() {
    let (world, mut writer) = world();
    declare_queue(&world, &mut writer).await;
    let body = message(2);
    let mut asking = Box::pin(world.ask("POST", PUBLISH, &body));
    assert!(poll_once(&mut asking).await.is_none());
    turn(&mut writer);
    assert_eq!(asking.await.body, json!({"routed": true}));
    assert_eq!(world.ask("POST", PUBLISH, &message(1)).await.body, json!({"routed": true}));
    let mut asking = Box::pin(world.ask("POST", PUBLISH, &body));
    assert!(poll_once(&mut asking).await.is_none());
    writer.log().poison("it broke");
    let answer = asking.await;
    // It was once a queue that has a limit.
    let reason = "the message could not be stored: it broke";
    assert_eq!((answer.status, answer.reason()), (500, reason));
}

/// Fills what may wait to be written.
fn congest(world: &World) {
    let user = world.broker.user("guest").unwrap();
    let mut channel = DirectChannel::open(&world.broker, &user, "/", Moment(1)).unwrap();
    let (exchange, routing_key, properties) = ("", "q", &[0x10, 0, 2][..]);
    let envelope = Envelope { exchange, routing_key, properties, is_persistent: true };
    let body = vec![0; usize::try_from(LOG_PENDING_SIZE_MAX).unwrap() + 1];
    channel.publish(Message::new(envelope, Body::Shared(vec![body.into()])), Moment(1));
}

/// Who published over HTTP was once held back by nothing but a full disk.
#[tokio::test]
async fn while_the_log_has_too_much_to_write_persistent_messages_wait() {
    let (world, mut writer) = world();
    declare_queue(&world, &mut writer).await;
    congest(&world);
    let ready = async || world.get("/api/queues/%2F/q").await["messages"].clone();
    let body = message(2);
    let mut asking = Box::pin(world.ask("POST", PUBLISH, &body));
    assert!(poll_once(&mut asking).await.is_none());
    assert_eq!(ready().await, 1, "it is not published yet");
    assert_eq!(world.ask("POST", PUBLISH, &message(1)).await.body, json!({"routed": true}));
    turn(&mut writer);
    assert!(poll_once(&mut asking).await.is_none());
    assert_eq!(ready().await, 3, "the log has room");
    turn(&mut writer);
    assert_eq!(asking.await.body, json!({"routed": true}));
}

#[tokio::test]
async fn who_waits_for_the_disk_for_too_long_is_told() {
    let (world, mut writer) = world();
    declare_queue(&world, &mut writer).await;
    congest(&world);
    let api =
        Api::new(world.broker.clone(), options(), Description::new(BTreeMap::new(), String::new()));
    let caller = Caller { user: world.broker.user("guest").unwrap() };
    let envelope =
        Envelope { exchange: "", routing_key: "q", properties: &[0, 0], is_persistent: true };
    let message = Message::new(envelope, Body::Copied(b"x"));
    let patience = std::time::Duration::from_millis(1);
    let late = publish::channel_in_turn(&api, &caller, "/", &message, patience).await;
    let reason = "publishers are held back, and it took too long";
    assert_eq!(late.err(), Some(Refusal::Unavailable(reason)));
}

#[tokio::test]
async fn a_message_that_is_on_disk_only_is_read_for_who_gets_it() {
    let disk = MemoryStorage::new(1 << 26);
    let (world, mut writer) = opened(disk.clone());
    world.broker.declare_defaults().unwrap();
    declare_queue(&world, &mut writer).await;
    let body = message(2);
    let mut asking = Box::pin(world.ask("POST", PUBLISH, &body));
    assert!(poll_once(&mut asking).await.is_none());
    turn(&mut writer);
    asking.await;
    let (world, _writer) = opened(disk.kill());
    let body = r#"{"count": 2, "ackmode": "ack_requeue_false", "encoding": "auto"}"#;
    let mut asking = Box::pin(world.ask("POST", "/api/queues/%2F/q/get", body));
    assert!(poll_once(&mut asking).await.is_none());
    assert!(world.broker.fetch(Moment(1)));
    let answer = asking.await;
    assert_eq!((answer.status, &answer.body[0]["payload"]), (200, &json!("a")), "{answer:?}");
    assert_eq!(answer.body[0]["redelivered"], true, "it may have been delivered");
    assert_eq!(answer.body.as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn what_queues_write_and_read_back_is_in_their_statistics() {
    let disk = MemoryStorage::new(1 << 26);
    let (world, mut writer) = opened(disk.clone());
    world.broker.declare_defaults().unwrap();
    declare_queue(&world, &mut writer).await;
    world.publish("q", &["in memory only"]);
    let figures = async |world: &World, path| {
        let stats = world.get(path).await["message_stats"].clone();
        ["disk_reads", "disk_writes"].map(|name| stats[name].as_u64())
    };
    assert_eq!(figures(&world, "/api/queues/%2F/q").await, [None; 2], "nothing was written yet");
    for _ in 0..2 {
        let body = message(2);
        let mut asking = Box::pin(world.ask("POST", PUBLISH, &body));
        assert!(poll_once(&mut asking).await.is_none());
        turn(&mut writer);
        asking.await;
    }
    for path in ["/api/queues/%2F/q", "/api/overview"] {
        assert_eq!(figures(&world, path).await, [Some(0), Some(2)], "{path}");
    }
    let (world, _writer) = opened(disk.kill());
    let body = r#"{"count": 1, "ackmode": "ack_requeue_false", "encoding": "auto"}"#;
    let mut asking = Box::pin(world.ask("POST", "/api/queues/%2F/q/get", body));
    assert!(poll_once(&mut asking).await.is_none());
    assert!(world.broker.fetch(Moment(1)));
    asking.await;
    for path in ["/api/queues/%2F/q", "/api/overview"] {
        assert_eq!(figures(&world, path).await, [Some(2), Some(0)], "{path}");
    }
}
