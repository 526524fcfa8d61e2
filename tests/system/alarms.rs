//! The memory alarm of the real binary: who is blocked, who is not, what is logged, and that the
//! limit can be set while it runs. What decides is shown beside the broker; the disk has `disk`.

use std::time::Duration;

use futures_lite::StreamExt;
use lapin::options::{BasicConsumeOptions, BasicPublishOptions, QueueDeclareOptions};
use lapin::types::FieldTable;
use lapin::{BasicProperties, Channel, Connection};
use tokio::time::{Instant, sleep, timeout};

use crate::durability::connect;
use crate::management::{MANAGED, ask};
use crate::process::{PATIENCE, Process};

const WATERMARK: &str = "/api/leveret/memory-high-watermark";
const NODES: &str = "/api/nodes?columns=mem_alarm,mem_limit,disk_free_alarm";

fn start(settings: &[&str]) -> Process {
    let mut flags = MANAGED.to_vec();
    settings.iter().for_each(|setting| flags.extend(["--set", setting]));
    Process::start_with(&flags)
}

/// Publishes, and does not wait for the confirm.
async fn publish(channel: &Channel, body: &[u8]) {
    let options = BasicPublishOptions::default();
    let sent =
        channel.basic_publish("".into(), "q".into(), options, body, BasicProperties::default());
    drop(sent.await.unwrap());
}

async fn declare(channel: &Channel) {
    let options = QueueDeclareOptions::default();
    channel.queue_declare("q".into(), options, FieldTable::default()).await.unwrap();
}

async fn becomes(connection: &Connection, is_blocked: bool) {
    let end = Instant::now() + PATIENCE;
    while connection.status().blocked() != is_blocked {
        assert!(Instant::now() < end, "the client is never told");
        sleep(Duration::from_millis(10)).await;
    }
}

#[tokio::test]
async fn too_much_memory_blocks_publishers_until_the_limit_is_set_higher() {
    let mut process = start(&["vm_memory_high_watermark.absolute=1MiB"]);
    process.logged("Memory high watermark set to 1 MiB (1048576 bytes) of ");
    process.logged("vm_memory_high_watermark set. Memory used:");
    process.logged("memory resource limit alarm set on node 'leveret@");
    let (_, nodes) = ask(&mut process, "GET", NODES, "");
    let expected = r#"[{"disk_free_alarm":false,"mem_alarm":true,"mem_limit":1048576}]"#;
    assert_eq!(nodes, expected);
    let (status, health) = ask(&mut process, "GET", "/api/health/checks/local-alarms", "");
    assert_eq!(status, 503);
    assert!(health.contains("\"resource\":\"memory\""), "{health}");

    let (consuming, consumed) = connect(&process).await;
    declare(&consumed).await;
    let (options, none) = (BasicConsumeOptions::default(), FieldTable::default());
    let mut consumer = consumed.basic_consume("q".into(), "".into(), options, none).await.unwrap();
    let (publishing, channel) = connect(&process).await;
    publish(&channel, b"the one that is read").await;
    becomes(&publishing, true).await;
    // The client itself keeps it until it is unblocked.
    let waits = publish(&channel, b"one that waits");
    let goes_on = async {
        let mut next = async || {
            let delivery = timeout(PATIENCE, consumer.next()).await.unwrap().unwrap().unwrap();
            String::from_utf8(delivery.data).unwrap()
        };
        assert_eq!(next().await, "the one that is read");
        let (status, answer) = ask(
            &mut process,
            "POST",
            "/api/exchanges/%2F/amq.default/publish",
            r#"{"properties": {}, "routing_key": "q", "payload": "over HTTP",
            "payload_encoding": "string"}"#,
        );
        assert_eq!((status, answer.as_str()), (200, "{\"routed\":true}"));
        assert_eq!(next().await, "over HTTP", "who only consumes goes on");
        assert!(!consuming.status().blocked());

        assert_eq!(ask(&mut process, "PUT", WATERMARK, r#"{"relative": 1.0}"#).0, 204);
        process.logged("memory resource limit alarm cleared on node 'leveret@");
        becomes(&publishing, false).await;
        assert_eq!(next().await, "one that waits");
    };
    tokio::join!(waits, goes_on);
    assert_eq!(ask(&mut process, "GET", "/api/health/checks/alarms", "").0, 200);
}

#[tokio::test]
async fn memory_is_looked_at_again_and_again() {
    let settings = ["total_memory_available_override_value=400MB", "memory_monitor_interval=20"];
    let mut process = start(&settings);
    let (_, nodes) = ask(&mut process, "GET", NODES, "");
    assert!(nodes.contains("\"mem_alarm\":false,\"mem_limit\":240000000"), "{nodes}");
    let (connection, _) = connect(&process).await;
    // What waits for a commit is in memory and nowhere else.
    let channel = connection.create_channel().await.unwrap();
    channel.tx_select().await.unwrap();
    let body = vec![b'x'; 8 * 1024 * 1024];
    let publishing = async {
        loop {
            publish(&channel, &body).await;
        }
    };
    tokio::select! {
        () = becomes(&connection, true) => {}
        () = publishing => {}
    }
    process.logged("memory resource limit alarm set");
}
