//! What of a queue moves only with consumers, time and a disk: each value is seen before and after.
//! What is told of any queue by itself is in `object_tests`.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use super::door_tests::{body, broker, declaration, lines_of};
use super::tests::options;
use super::{Metrics, MetricsOptions};
use crate::broker::{Broker, BrokerOptions, DirectChannel, Left, MemoryOptions};
use crate::connection::Command;
use crate::connection::command::{Consume, DeclareQueue};
use crate::message::{Body, ConsumerKey, Envelope, Message, Moment};
use crate::protocol::field::FieldTable;
use crate::store::{MemoryStorage, StoreOptions, Writer};

/// A channel at a moment.
struct Client(DirectChannel);

impl Client {
    fn of(broker: &Arc<Broker>) -> Self {
        let user = broker.user("guest").unwrap();
        Self(DirectChannel::open(broker, &user, "/", Moment(0)).unwrap())
    }

    fn publish(&mut self, bodies: &[&str], is_persistent: bool, second: u64) {
        for body in bodies {
            let properties: &[u8] = &[0, 0];
            let envelope = Envelope { exchange: "", routing_key: "q", properties, is_persistent };
            let message = Message::new(envelope, Body::Copied(body.as_bytes()));
            self.0.publish(message, Moment(second * 1000));
        }
    }

    fn consume(&mut self, prefetch_count: u16, second: u64) {
        let consume = Consume {
            queue: "q".into(),
            consumer: ConsumerKey { channel: 1, number: 1 },
            consumer_tag: "tag".into(),
            no_ack: false,
            exclusive: false,
            arguments: FieldTable::new(),
        };
        let now = Moment(second * 1000);
        self.0.ask(Command::Qos { prefetch_count, global: false }, now);
        self.0.ask(Command::Consume(consume), now);
    }
}

/// Metrics whose clock is set by hand, to a second.
fn metrics(broker: &Arc<Broker>) -> (Arc<Metrics>, Arc<AtomicU64>) {
    let second = Arc::new(AtomicU64::new(0));
    let clock = second.clone();
    let clock = Box::new(move || Moment(clock.load(Ordering::Relaxed) * 1000));
    let options = MetricsOptions { clock, ..options() };
    (Arc::new(Metrics::new(broker.clone(), options)), second)
}

/// The values of the only queue, by these names.
async fn values(metrics: &Arc<Metrics>, path: &str, names: &[&str]) -> Vec<String> {
    let told = body(metrics, path).await;
    let value = |name: &&str| lines_of(&told, name).concat();
    names.iter().map(value).collect()
}

const Q: &str = "{vhost=\"/\",queue=\"q\"}";

#[tokio::test]
async fn consumers_that_cannot_keep_up_lower_their_capacity() {
    let broker = broker();
    let (metrics, clock) = metrics(&broker);
    let mut client = Client::of(&broker);
    client.0.ask(Command::DeclareQueue(declaration("q")), Moment(0));
    let seen = async |second: u64| {
        clock.store(second, Ordering::Relaxed);
        let names = ["consumer_capacity", "consumer_utilisation"];
        let all = names.map(|name| format!("rabbitmq_queue_{name}{Q} "));
        let all = all.each_ref().map(|name| &**name);
        let told = values(&metrics, "/metrics/per-object", &all).await;
        assert_eq!(told[0], told[1], "both are the same");
        told[0].clone()
    };
    assert_eq!(seen(1).await, "0.000", "there is no consumer");
    client.consume(1, 1);
    assert_eq!(seen(2).await, "1.000", "nothing waits");
    client.publish(&["a", "b"], false, 10);
    assert_eq!(seen(12).await, "0.800", "two of ten seconds");
    assert_eq!(seen(30).await, "0.000");
    client.0.ask(Command::PurgeQueue { queue: "q".into() }, Moment(31_000));
    assert_eq!(seen(34).await, "0.137", "three of the last twenty-two seconds");
    assert_eq!(seen(40).await, "0.900");
    assert_eq!(seen(50).await, "1.000");
}

fn stored() -> (Arc<Broker>, Writer, MemoryStorage) {
    let disk = MemoryStorage::new(1 << 26);
    let (broker, writer) = opened(&disk);
    broker.declare_defaults().unwrap();
    (broker, writer, disk)
}

fn opened(disk: &MemoryStorage) -> (Arc<Broker>, Writer) {
    let opened = crate::store::open(Arc::new(disk.clone()), StoreOptions::default()).unwrap();
    let (writer, left) = Left::part(opened);
    let memory = MemoryOptions::default();
    (Arc::new(Broker::open(BrokerOptions::default(), [1, 2], left, memory).unwrap()), writer)
}

#[tokio::test]
async fn what_goes_to_the_disk_and_comes_from_it_is_told() {
    let (broker, mut writer, disk) = stored();
    let mut client = Client::of(&broker);
    let durable = DeclareQueue { durable: true, ..declaration("q") };
    client.0.ask(Command::DeclareQueue(durable), Moment(0));
    client.publish(&["aa", "bbb"], true, 1);
    client.publish(&["c"], false, 1);
    let seen = async |broker: &Arc<Broker>| {
        let path = "/metrics/detailed?family=queue_metrics";
        let names = ["messages_persistent", "messages_persistent_bytes"];
        let names = names.into_iter().chain(["disk_reads_total", "disk_writes_total"]);
        let names: Vec<_> =
            names.map(|name| format!("rabbitmq_detailed_queue_{name}{Q} ")).collect();
        let names: Vec<_> = names.iter().map(|name| &**name).collect();
        values(&metrics(broker).0, path, &names).await
    };
    assert_eq!(seen(&broker).await, ["2", "5", "0", "0"], "the log has them, and wrote none yet");
    writer.write(Moment(1000), true);
    writer.sync();
    assert_eq!(seen(&broker).await, ["2", "5", "0", "2"]);
    let all = ["rabbitmq_queue_disk_reads_total ", "rabbitmq_queue_disk_writes_total "];
    assert_eq!(values(&metrics(&broker).0, "/metrics", &all).await, ["0", "2"]);
    let disk = disk.kill();
    drop((client, broker, writer));
    let (broker, _writer) = opened(&disk);
    assert_eq!(seen(&broker).await, ["2", "5", "0", "0"]);
    Client::of(&broker).consume(9, 2);
    while broker.fetch(Moment(2000)) {}
    assert_eq!(seen(&broker).await, ["2", "5", "2", "0"]);
    assert_eq!(values(&metrics(&broker).0, "/metrics", &all).await, ["2", "0"]);
}

#[tokio::test]
async fn delivery_times_are_measured_of_the_queues_whose_times_are_asked_for() {
    let broker = broker();
    let metrics = metrics(&broker).0;
    let mut client = Client::of(&broker);
    client.0.ask(Command::DeclareQueue(declaration("q")), Moment(0));
    let name = "leveret_queue_deliver_seconds";
    let told = body(&metrics, "/metrics/per-object").await;
    assert!(!told.contains(name), "nobody asked for them: {told}");
    let paths = [
        "/metrics/detailed?family=leveret_queue_latencies",
        "/metrics/per-object?family=leveret_queue_latencies",
    ];
    let seen = async |path| {
        let begin = format!("{name}_bucket{{vhost=\"/\",queue=\"q\",le=");
        let told = body(&metrics, path).await;
        assert!(told.contains(&format!("# TYPE {name} histogram\n")), "{told}");
        let buckets = ["\"1\"} ", "\"5\"} ", "\"+Inf\"} "];
        let counts = buckets.map(|bound| lines_of(&told, &format!("{begin}{bound}")).concat());
        let sum = lines_of(&told, &format!("{name}_sum{Q} ")).concat();
        assert_eq!(lines_of(&told, &format!("{name}_count{Q} ")).concat(), counts[2]);
        (counts, sum)
    };
    let texts = |counts: [&str; 3], sum: &str| (counts.map(str::to_owned), sum.to_owned());
    assert_eq!(seen(paths[0]).await, texts(["0"; 3], "0"));
    client.publish(&["a"], false, 1);
    client.consume(2, 4);
    client.publish(&["b"], false, 5);
    for path in paths {
        assert_eq!(seen(path).await, texts(["1", "2", "2"], "3"), "{path}");
    }
}
