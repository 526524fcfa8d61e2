//! What a scraper gets of each queue, exchange and virtual host, and by which names. Channels and
//! connections need clients, which the real binary has in `tests/system/metrics.rs`.

use std::sync::Arc;

use super::channel_families::CHANNELS;
use super::connection_families::CONNECTIONS;
use super::door_tests::{body, broker, declaration, fill, metrics};
use super::exchange_families::{EXCHANGES, EXCHANGES_OF_CLUSTER, HOSTS_OF_CLUSTER};
use super::memory_families::MEMORY;
use super::object_family::{Group, Object};
use super::queue_families::{QUEUE_AGES, QUEUE_INFO, QUEUE_LATENCIES, QUEUES};
use super::tests::options;
use super::text::Kind;
use super::{Metrics, MetricsOptions};
use crate::broker::{Broker, DirectChannel};
use crate::connection::Command;
use crate::connection::command::Bind;
use crate::message::Moment;
use crate::protocol::field::FieldTable;

/// The values, without those that every answer has.
fn samples(body: &str) -> Vec<&str> {
    let is_common = |line: &str| line.starts_with('#') || line.contains("_info{rabbitmq_");
    body.lines().filter(|line| !is_common(line)).collect()
}

fn channel(broker: &Arc<Broker>, host: &str) -> DirectChannel {
    let user = broker.user("guest").unwrap();
    DirectChannel::open(broker, &user, host, Moment(0)).unwrap()
}

/// A broker with a virtual host more, that guest may enter.
fn with_host(name: &str) -> Arc<Broker> {
    let broker = broker();
    broker.declare_virtual_host(name, crate::definitions::HostSettings::default());
    let all = || ".*".to_owned();
    let permission = crate::definitions::PermissionDefinition {
        user: "guest".into(),
        host: name.into(),
        configure: all(),
        write: all(),
        read: all(),
    };
    broker.by_node().set_permission(&permission).unwrap();
    broker
}

#[tokio::test]
async fn each_queue_is_told_by_itself() {
    let broker = broker();
    fill(&broker);
    let metrics = metrics(&broker, "/metrics");
    let told = body(&metrics, "/metrics/per-object").await;
    for line in [
        "rabbitmq_queue_messages_ready{vhost=\"/\",queue=\"q\"} 1",
        "rabbitmq_queue_messages_unacked{vhost=\"/\",queue=\"q\"} 0",
        "rabbitmq_queue_messages{vhost=\"/\",queue=\"q\"} 1",
        "rabbitmq_queue_consumers{vhost=\"/\",queue=\"q\"} 0",
        "rabbitmq_queue_messages_bytes{vhost=\"/\",queue=\"q\"} 1",
        "rabbitmq_queue_messages_ready_bytes{vhost=\"/\",queue=\"q\"} 1",
        "rabbitmq_queue_messages_unacked_bytes{vhost=\"/\",queue=\"q\"} 0",
        "rabbitmq_queue_messages_ram{vhost=\"/\",queue=\"q\"} 1",
        "rabbitmq_queue_messages_ram_bytes{vhost=\"/\",queue=\"q\"} 1",
        "rabbitmq_queue_messages_paged_out{vhost=\"/\",queue=\"q\"} 0",
        "rabbitmq_queue_info{vhost=\"/\",queue=\"q\",queue_type=\"rabbit_classic_queue\"} 1",
        "rabbitmq_queue_exchange_messages_published_total{vhost=\"/\",queue=\"q\"} 1",
        "rabbitmq_queue_messages_published_total{queue_vhost=\"/\",queue=\"q\"} 1",
        "rabbitmq_exchange_messages_published_total{vhost=\"/\",exchange=\"\"} 1",
        "rabbitmq_exchange_messages_confirmed_total{vhost=\"/\",exchange=\"\"} 1",
        "rabbitmq_exchange_messages_unroutable_returned_total{vhost=\"/\",exchange=\"\"} 0",
        "rabbitmq_exchange_messages_unroutable_dropped_total{vhost=\"/\",exchange=\"\"} 0",
        "rabbitmq_exchange_messages_published_total{vhost=\"/\",exchange=\"amq.topic\"} 0",
        "leveret_queue_oldest_ready_age_seconds{vhost=\"/\",queue=\"q\"} 100.000",
        "rabbitmq_queues 1",
        "rabbitmq_global_messages_received_total{protocol=\"amqp091\"} 1",
    ] {
        assert!(told.lines().any(|told| told == line), "{line} in {told}");
    }
    assert!(told.contains("rabbitmq_endpoint=\"per-object\"} 1\n"), "{told}");
    assert!(!told.contains("\nrabbitmq_queue_messages_ready 1\n"), "not all together, too");
    fill(&broker);
    let told = body(&metrics, "/metrics/per-object").await;
    assert!(
        told.contains("\nrabbitmq_queue_messages_ready{vhost=\"/\",queue=\"q\"} 2\n"),
        "{told}"
    );
}

#[tokio::test]
async fn the_common_path_tells_of_each_where_the_operator_wants_that() {
    let broker = broker();
    fill(&broker);
    let options = MetricsOptions { is_of_each: true, ..options() };
    let metrics = Arc::new(Metrics::new(broker, options));
    let told = body(&metrics, "/metrics").await;
    assert!(
        told.contains("\nrabbitmq_queue_messages_ready{vhost=\"/\",queue=\"q\"} 1\n"),
        "{told}"
    );
    assert!(told.contains("rabbitmq_endpoint=\"per-object\"} 1\n"), "{told}");
}

#[tokio::test]
async fn a_scraper_gets_the_groups_that_it_asks_for() {
    let broker = broker();
    fill(&broker);
    let metrics = metrics(&broker, "/metrics");
    let told = body(&metrics, "/metrics/detailed").await;
    assert!(samples(&told).is_empty(), "{told}");
    assert!(told.contains("rabbitmq_endpoint=\"detailed\"} 1\n"), "{told}");
    assert!(told.contains("\nrabbitmq_build_info{"), "{told}");
    let told = body(&metrics, "/metrics/detailed?family=nothing&family=queue_consumer_count").await;
    let expected = [
        "rabbitmq_detailed_queue_consumers{vhost=\"/\",queue=\"q\"} 0",
        "rabbitmq_detailed_queue_info{vhost=\"/\",queue=\"q\",\
         queue_type=\"rabbit_classic_queue\"} 1",
    ];
    assert_eq!(samples(&told), expected);
    let both = "/metrics/detailed?family=queue_metrics&family=queue_consumer_count";
    for path in [both, "/metrics/detailed?family=queue_metrics"] {
        let told = body(&metrics, path).await;
        let name = "rabbitmq_detailed_queue_consumers";
        let lines = told.lines().filter(|line| line.starts_with(&format!("{name}{{")));
        assert_eq!(lines.count(), 1, "{told}");
        assert_eq!(told.matches(&format!("# TYPE {name} ")).count(), 1, "{told}");
    }
    let path = "/metrics/detailed?family=connection_churn_metrics";
    let expected = [
        ("connections_opened", 0),
        ("connections_closed", 0),
        ("channels_opened", 0),
        ("channels_closed", 0),
        ("queues_declared", 1),
        ("queues_created", 1),
        ("queues_deleted", 0),
    ];
    let expected = expected.map(|(name, value)| format!("rabbitmq_detailed_{name}_total {value}"));
    assert_eq!(samples(&body(&metrics, path).await), expected);
}

#[tokio::test]
async fn a_scraper_gets_the_virtual_hosts_that_it_asks_for() {
    let broker = with_host("a b");
    fill(&broker);
    channel(&broker, "a b").ask(Command::DeclareQueue(declaration("r")), Moment(0));
    let metrics = metrics(&broker, "/metrics");
    let told = async |hosts: &str| {
        let path = format!("/metrics/detailed?family=queue_coarse_metrics{hosts}");
        let told = body(&metrics, &path).await;
        let begin = "rabbitmq_detailed_queue_messages_ready";
        let lines = told.lines().filter_map(|line| line.strip_prefix(begin));
        lines.map(str::to_owned).collect::<Vec<_>>()
    };
    let (first, second) = ("{vhost=\"/\",queue=\"q\"} 1", "{vhost=\"a b\",queue=\"r\"} 0");
    assert_eq!(told("").await, [first, second]);
    assert_eq!(told("&vhost=%2F").await, [first]);
    assert_eq!(told("&vhost=a+b").await, [second]);
    assert_eq!(told("&vhost=a%20b&vhost=%2F").await, [first, second]);
    assert_eq!(told("&vhost=none").await, [""; 0]);
}

#[tokio::test]
async fn exchanges_with_their_bindings_and_virtual_hosts_are_told_of_the_cluster() {
    let broker = with_host("other");
    fill(&broker);
    let bind = Bind {
        is_unbind: false,
        source: "amq.topic".into(),
        destination: "q".into(),
        to_exchange: false,
        routing_key: "k".into(),
        arguments: FieldTable::new(),
    };
    channel(&broker, "/").ask(Command::Bind(bind), Moment(0));
    let metrics = metrics(&broker, "/metrics");
    let path = "/metrics/detailed?vhost=%2F&family=exchange_bindings&family=exchange_names";
    let told = body(&metrics, path).await;
    let of_topic = "{vhost=\"/\",exchange=\"amq.topic\",type=\"topic\"} 1";
    for name in ["exchange_bindings", "exchange_name"] {
        let line = format!("rabbitmq_cluster_{name}{of_topic}");
        assert!(samples(&told).contains(&line.as_str()), "{line} in {told}");
    }
    let line = "rabbitmq_cluster_exchange_bindings{vhost=\"/\",exchange=\"amq.fanout\",\
                type=\"fanout\"} 0";
    assert!(samples(&told).contains(&line), "{told}");
    assert!(!told.contains("exchange=\"\""), "nobody can bind to the default one: {told}");
    let told = body(&metrics, "/metrics/detailed?family=vhost_status").await;
    let expected =
        ["/", "other"].map(|host| format!("rabbitmq_cluster_vhost_status{{vhost=\"{host}\"}} 1"));
    assert_eq!(samples(&told), expected);
}

#[tokio::test]
async fn memory_is_told_by_what_is_in_it() {
    let broker = broker();
    let _held = broker.charge(7);
    let metrics = metrics(&broker, "/metrics");
    let told = body(&metrics, "/metrics/memory-breakdown").await;
    let session_bytes = broker.session_memory();
    let expected = [
        "rabbitmq_memory_binary_heap_bytes 0".to_owned(),
        format!("rabbitmq_memory_client_connection_other_bytes {session_bytes}"),
        format!("rabbitmq_memory_other_system_bytes {}", 36_u64.saturating_sub(session_bytes)),
    ];
    assert_eq!(samples(&told), expected);
    assert!(session_bytes >= 7 && told.contains("rabbitmq_endpoint=\"memory-breakdown\"} 1\n"));
}

#[tokio::test]
async fn all_of_very_many_queues_are_told() {
    let broker = broker();
    let mut channel = channel(&broker, "/");
    for number in 0..2000 {
        channel.ask(Command::DeclareQueue(declaration(&number.to_string())), Moment(0));
    }
    let metrics = metrics(&broker, "/metrics");
    let told = body(&metrics, "/metrics/per-object").await;
    let ready = told.lines().filter(|line| line.starts_with("rabbitmq_queue_messages_ready{"));
    assert_eq!(ready.count(), 2000);
    let heads: Vec<&str> = told.lines().filter(|line| line.starts_with("# TYPE")).collect();
    let mut once = heads.clone();
    once.sort_unstable();
    once.dedup();
    assert_eq!(once.len(), heads.len(), "each metric is one group");
}

fn families<T: Object>(groups: &'static [Group<T>]) -> Vec<(&'static str, Kind, &'static str)> {
    let families = groups.iter().flat_map(|group| group.families);
    families.map(|family| (family.name, family.kind, family.help)).collect()
}

#[test]
fn names_of_objects_are_as_prometheus_wants_them_and_documented() {
    let documentation = include_str!("../../docs/metrics.md");
    let of_memory = MEMORY.iter().map(|family| (family.name, family.kind, family.help));
    let all = [
        families(QUEUES),
        families(std::slice::from_ref(&QUEUE_INFO)),
        families(std::slice::from_ref(&QUEUE_AGES)),
        families(std::slice::from_ref(&QUEUE_LATENCIES)),
        families(CHANNELS),
        families(CONNECTIONS),
        families(EXCHANGES),
        families(EXCHANGES_OF_CLUSTER),
        families(HOSTS_OF_CLUSTER),
        of_memory.collect(),
    ];
    for (name, kind, help) in all.into_iter().flatten() {
        assert_eq!(name.ends_with("_total"), kind == Kind::Counter, "{name}");
        assert!(!help.is_empty() && !help.ends_with('.'), "{name}");
        let documented = format!("`{}`", name.trim_start_matches("rabbitmq_"));
        let is_documented =
            documentation.contains(&documented) || documentation.contains(&format!("`{name}`"));
        assert!(is_documented, "{name} in docs/metrics.md");
    }
    let groups = QUEUES.iter().map(|group| group.name);
    let groups = groups.chain(CHANNELS.iter().map(|group| group.name));
    let groups = groups.chain(EXCHANGES.iter().map(|group| group.name));
    let groups = groups.chain(CONNECTIONS.iter().map(|group| group.name));
    for group in groups {
        assert!(documentation.contains(&format!("`{group}`")), "{group} in docs/metrics.md");
    }
}
