//! An answer to a change comes when the change is on disk, and never where it cannot be.

use futures_lite::future::poll_once;

use super::*;
use crate::broker::{Left, MemoryOptions};
use crate::store::{MemoryStorage, StoreOptions, Writer};

const TOPIC: &str = r#"{"exchange": "x", "write": "", "read": ""}"#;

fn world() -> (World, Writer) {
    let disk = Arc::new(MemoryStorage::new(1 << 26));
    let opened = crate::store::open(disk, StoreOptions::default()).unwrap();
    let (mut writer, left) = Left::part(opened);
    let (options, memory) = (BrokerOptions::default(), MemoryOptions::default());
    let broker = Broker::open(options, [1, 2], left, memory).unwrap();
    broker.declare_defaults().unwrap();
    turn(&mut writer);
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
