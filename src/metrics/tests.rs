//! What a scraper gets, by values: every metric of the node from a value of its own. Requests are
//! in `door_tests`, objects in `object_tests`.

use super::family::Seen;
use super::table::{self, families};
use super::text::Kind;
use super::{MetricsOptions, ProcessFigures};
use crate::broker::{
    Alarm, Alarms, BrokerFigures, ChurnFigures, DeadLetterFigures, DeadLettersSent,
    MeasuredFigures, MessageFigures, Passed, QueueFigures, Strategy, TrafficFigures,
};
use crate::connection::{Consumed, Published};
use crate::message::{DeathReason, HistogramFigures, Moment, QueueKind};
use crate::store::{Health, StoreFigures};

/// When all are asked.
pub(super) const NOW: Moment = Moment(100_000);

pub(super) fn options() -> MetricsOptions {
    MetricsOptions {
        path: "/metrics".into(),
        node: "leveret@hare".into(),
        is_of_each: false,
        rabbitmq_version: "4.3.5".into(),
        clock: Box::new(|| NOW),
        process: Box::new(process),
    }
}

pub(super) fn process() -> ProcessFigures {
    ProcessFigures {
        uptime_ms: 35_999,
        resident_bytes: Some(36),
        open_files: Some(37),
        open_files_max: Some(38),
    }
}

/// Every number another one, from the first on.
fn consumed(first: u64) -> Consumed {
    let mut numbers = [0; 7];
    numbers.iter_mut().zip(first..).for_each(|(place, number)| *place = number);
    Consumed::from_array(numbers)
}

fn figures() -> BrokerFigures {
    BrokerFigures {
        connections: 2,
        queues: 3,
        logged_body_bytes: 4,
        unlogged_body_bytes: 5,
        session_bytes: 6,
        dead_letters: DeadLetterFigures {
            sent: vec![
                DeadLettersSent {
                    kind: QueueKind::Classic,
                    strategy: Strategy::AtMostOnce,
                    by_reason: vec![
                        (DeathReason::Rejected, 21),
                        (DeathReason::Expired, 22),
                        (DeathReason::MaxLength, 23),
                        (DeathReason::DeliveryLimit, 24),
                    ],
                    confirmed: 0,
                },
                DeadLettersSent {
                    kind: QueueKind::Quorum,
                    strategy: Strategy::AtLeastOnce,
                    by_reason: vec![(DeathReason::Rejected, 25)],
                    confirmed: 29,
                },
            ],
            unroutable: 26,
            cycles: 27,
            refused: 28,
        },
        traffic: TrafficFigures {
            published: Published::from_array([40, 41, 42, 43, 44, 45]),
            classic: consumed(50),
            quorum: consumed(60),
        },
        churn: ChurnFigures {
            connections: Passed { opened: 70, closed: 71 },
            channels: Passed { opened: 73, closed: 5 },
            publishers: Passed { opened: 9, closed: 2 },
            queues_declared: 74,
            queues_created: 75,
            queues_deleted: 76,
            logins_succeeded: 77,
            logins_failed: 78,
        },
        measured: MeasuredFigures {
            sizes: HistogramFigures { bounds: &[100], counts: vec![90, 91], sum: 92 },
            confirm_ms: HistogramFigures { bounds: &[2], counts: vec![93, 94], sum: 95 },
            sync_us: HistogramFigures { bounds: &[50], counts: vec![96, 97], sum: 98 },
            deliver_ms: HistogramFigures { bounds: &[5], counts: vec![1, 2], sum: 1001 },
        },
        messages: MessageFigures {
            delayed: 30,
            retried: 31,
            seen_by_exchanges: 32,
            present_in_queues: 33,
        },
        is_unlogged_over: false,
        unlogged_limit: Some(84),
        alarms: Alarms::default(),
        memory_limit: 34,
        disk_free_limit: 1,
        health: Health::Good,
        store: store_figures(),
    }
}

fn store_figures() -> StoreFigures {
    StoreFigures {
        batches: 7,
        syncs: 8,
        log_bytes: 9,
        index_bytes: 10,
        checkpoint_bytes: 11,
        moved_bytes: 12,
        log_files: 13,
        free_bytes: 14,
        quarantined_places: 15,
        quarantined_bytes: 16,
        torn_bytes: 17,
        damaged_checkpoints: 18,
        written_messages: 19,
        read_messages: 20,
    }
}

fn text(broker: BrokerFigures) -> String {
    text_of(broker, process())
}

fn text_of(broker: BrokerFigures, process: ProcessFigures) -> String {
    let queues = QueueFigures {
        ready: 80,
        unacked: 81,
        consumers: 82,
        ready_bytes: 83,
        unacked_bytes: 85,
        ready_in_memory: 50,
        unacked_in_memory: 36,
        in_memory_bytes: 87,
        next_came_at: Some(Moment(97_655)),
        unacked_came_at: None,
    };
    let (options, endpoint, cluster) = (&options(), "aggregated", "field".into());
    let seen = Seen { options, now: NOW, endpoint, cluster, process, queues, broker };
    table::text(families(), &seen)
}

/// The lines with values.
fn samples(text: &str) -> Vec<&str> {
    text.lines().filter(|line| !line.starts_with('#')).collect()
}

fn dead_lettered(reason: &str, kind: &str, strategy: &str, value: u64) -> String {
    format!(
        "rabbitmq_global_messages_dead_lettered_{reason}_total{{\
         queue_type=\"rabbit_{kind}_queue\",dead_letter_strategy=\"{strategy}\"}} {value}"
    )
}

/// A value of all queues, and one of each type of queues.
fn global(name: &str, value: u64) -> String {
    format!("rabbitmq_global_{name}{{protocol=\"amqp091\"}} {value}")
}

fn of_type(name: &str, kind: &str, value: u64) -> String {
    format!(
        "rabbitmq_global_messages_{name}_total{{protocol=\"amqp091\",\
         queue_type=\"rabbit_{kind}_queue\"}} {value}"
    )
}

#[expect(clippy::too_many_lines, reason = "a line for each value")]
#[test]
fn every_metric_has_its_own_value() {
    let version = env!("CARGO_PKG_VERSION");
    let text = text(figures());
    let build = format!(
        "rabbitmq_build_info{{rabbitmq_version=\"4.3.5\",prometheus_plugin_version=\"{version}\",\
         prometheus_client_version=\"{version}\",erlang_version=\"none\",\
         product_name=\"Leveret\",product_version=\"{version}\"}} 1"
    );
    let expected = [
        build.as_str(),
        "rabbitmq_identity_info{rabbitmq_node=\"leveret@hare\",rabbitmq_cluster=\"field\",\
         rabbitmq_cluster_permanent_id=\"\",rabbitmq_endpoint=\"aggregated\"} 1",
        "rabbitmq_process_resident_memory_bytes 36",
        "rabbitmq_resident_memory_limit_bytes 34",
        "rabbitmq_process_open_fds 37",
        "rabbitmq_process_max_fds 38",
        "rabbitmq_process_open_tcp_sockets 2",
        "rabbitmq_process_max_tcp_sockets 38",
        "rabbitmq_erlang_uptime_seconds 35",
        "rabbitmq_disk_space_available_bytes 14",
        "rabbitmq_disk_space_available_limit_bytes 1",
        "rabbitmq_alarms_free_disk_space_watermark 0",
        "rabbitmq_alarms_memory_used_watermark 0",
        "rabbitmq_alarms_file_descriptor_limit 0",
        "leveret_memory_unlogged_limit_bytes 84",
        "leveret_memory_is_unlogged_over 0",
        "leveret_memory_body_bytes{kind=\"logged\"} 4",
        "leveret_memory_body_bytes{kind=\"unlogged\"} 5",
        "leveret_memory_body_bytes{kind=\"sessions\"} 6",
        "rabbitmq_connections 2",
        "rabbitmq_connections_opened_total 70",
        "rabbitmq_connections_closed_total 71",
        "rabbitmq_channels 68",
        "rabbitmq_channels_opened_total 73",
        "rabbitmq_channels_closed_total 5",
        "rabbitmq_consumers 82",
        "rabbitmq_queues 3",
        "rabbitmq_queues_declared_total 74",
        "rabbitmq_queues_created_total 75",
        "rabbitmq_queues_deleted_total 76",
        "rabbitmq_queue_messages_ready 80",
        "rabbitmq_queue_messages_unacked 81",
        "rabbitmq_queue_messages 161",
        "rabbitmq_queue_messages_bytes 168",
        "rabbitmq_queue_messages_ready_bytes 83",
        "rabbitmq_queue_messages_unacked_bytes 85",
        "rabbitmq_queue_messages_ram 86",
        "rabbitmq_queue_messages_ready_ram 50",
        "rabbitmq_queue_messages_unacked_ram 36",
        "rabbitmq_queue_messages_paged_out 75",
        "rabbitmq_queue_messages_paged_out_bytes 81",
        "rabbitmq_queue_messages_ram_bytes 87",
        "leveret_queue_oldest_ready_age_seconds 2.345",
        "leveret_queue_oldest_unacked_age_seconds 0.000",
        "rabbitmq_queue_consumers 82",
        "rabbitmq_auth_attempts_total{protocol=\"amqp091\"} 155",
        "rabbitmq_auth_attempts_succeeded_total{protocol=\"amqp091\"} 77",
        "rabbitmq_auth_attempts_failed_total{protocol=\"amqp091\"} 78",
        &global("publishers", 7),
        &global("consumers", 82),
        &global("messages_received_total", 40),
        &global("messages_received_confirm_total", 41),
        &global("messages_confirmed_total", 42),
        &global("messages_routed_total", 43),
        &global("messages_unroutable_dropped_total", 44),
        &global("messages_unroutable_returned_total", 45),
        &of_type("delivered", "classic", 50 + 51 + 52 + 53),
        &of_type("delivered", "quorum", 60 + 61 + 62 + 63),
        &of_type("delivered_consume_auto_ack", "classic", 50),
        &of_type("delivered_consume_auto_ack", "quorum", 60),
        &of_type("delivered_consume_manual_ack", "classic", 51),
        &of_type("delivered_consume_manual_ack", "quorum", 61),
        &of_type("delivered_get_auto_ack", "classic", 52),
        &of_type("delivered_get_auto_ack", "quorum", 62),
        &of_type("delivered_get_manual_ack", "classic", 53),
        &of_type("delivered_get_manual_ack", "quorum", 63),
        &of_type("get_empty", "classic", 54),
        &of_type("get_empty", "quorum", 64),
        &of_type("redelivered", "classic", 55),
        &of_type("redelivered", "quorum", 65),
        &of_type("acknowledged", "classic", 56),
        &of_type("acknowledged", "quorum", 66),
        &dead_lettered("rejected", "classic", "at_most_once", 21),
        &dead_lettered("rejected", "quorum", "at_least_once", 25),
        &dead_lettered("expired", "classic", "at_most_once", 22),
        &dead_lettered("maxlen", "classic", "at_most_once", 23),
        &dead_lettered("delivery_limit", "classic", "at_most_once", 24),
        &dead_lettered("confirmed", "quorum", "at_least_once", 29),
        "leveret_dead_letters_dropped_total{reason=\"unroutable\"} 26",
        "leveret_dead_letters_dropped_total{reason=\"cycle\"} 27",
        "leveret_dead_letters_dropped_total{reason=\"refused\"} 28",
        "rabbitmq_message_size_bytes_bucket{protocol=\"amqp091\",le=\"100\"} 90",
        "rabbitmq_message_size_bytes_bucket{protocol=\"amqp091\",le=\"+Inf\"} 181",
        "rabbitmq_message_size_bytes_sum{protocol=\"amqp091\"} 92",
        "rabbitmq_message_size_bytes_count{protocol=\"amqp091\"} 181",
        "leveret_confirm_seconds_bucket{le=\"0.002\"} 93",
        "leveret_confirm_seconds_bucket{le=\"+Inf\"} 187",
        "leveret_confirm_seconds_sum 0.095",
        "leveret_confirm_seconds_count 187",
        "leveret_deliver_seconds_bucket{le=\"0.005\"} 1",
        "leveret_deliver_seconds_bucket{le=\"+Inf\"} 3",
        "leveret_deliver_seconds_sum 1.001",
        "leveret_deliver_seconds_count 3",
        "leveret_messages_waiting{kind=\"delay\"} 30",
        "leveret_messages_waiting{kind=\"retry\"} 31",
        "leveret_duplicates_total{kind=\"exchange\"} 32",
        "leveret_duplicates_total{kind=\"queue\"} 33",
        "rabbitmq_channel_consumers 82",
        "rabbitmq_channel_messages_published_total 40",
        "rabbitmq_channel_messages_confirmed_total 42",
        "rabbitmq_channel_messages_unroutable_returned_total 45",
        "rabbitmq_channel_messages_unroutable_dropped_total 44",
        "rabbitmq_channel_get_ack_total 116",
        "rabbitmq_channel_get_total 114",
        "rabbitmq_channel_messages_delivered_ack_total 112",
        "rabbitmq_channel_messages_delivered_total 110",
        "rabbitmq_channel_messages_redelivered_total 120",
        "rabbitmq_channel_messages_acked_total 122",
        "rabbitmq_channel_get_empty_total 118",
        "rabbitmq_queue_messages_published_total 43",
        "rabbitmq_queue_disk_reads_total 20",
        "rabbitmq_queue_disk_writes_total 19",
        "leveret_store_quarantined_places_total 15",
        "leveret_store_quarantined_bytes 16",
        "leveret_store_torn_bytes 17",
        "leveret_store_damaged_checkpoints 18",
        "leveret_store_is_poisoned 0",
        "leveret_store_is_full 0",
        "leveret_store_written_bytes_total{kind=\"log\"} 9",
        "leveret_store_written_bytes_total{kind=\"index\"} 10",
        "leveret_store_written_bytes_total{kind=\"checkpoint\"} 11",
        "leveret_store_written_bytes_total{kind=\"moved\"} 12",
        "leveret_store_batches_total 7",
        "leveret_store_syncs_total 8",
        "leveret_store_sync_seconds_bucket{le=\"0.00005\"} 96",
        "leveret_store_sync_seconds_bucket{le=\"+Inf\"} 193",
        "leveret_store_sync_seconds_sum 0.000098",
        "leveret_store_sync_seconds_count 193",
        "leveret_store_log_files 13",
    ];
    assert_eq!(samples(&text), expected);
}

#[test]
fn what_is_wrong_is_one() {
    let flags = |broker: BrokerFigures| {
        let text = text(broker);
        let is_on = |name: &str| text.contains(&format!("\n{name} 1\n"));
        (
            is_on("rabbitmq_alarms_free_disk_space_watermark"),
            is_on("leveret_store_is_poisoned"),
            is_on("leveret_store_is_full"),
        )
    };
    assert_eq!(flags(figures()), (false, false, false));
    assert_eq!(
        flags(BrokerFigures { alarms: Alarms::from_iter([Alarm::Disk]), ..figures() }),
        (true, false, false)
    );
    let health = Health::Poisoned("it broke".into());
    assert_eq!(flags(BrokerFigures { health, ..figures() }), (false, true, false));
    let health = Health::Full;
    assert_eq!(flags(BrokerFigures { health, ..figures() }), (false, false, true));
}

#[test]
fn an_alarm_on_memory_or_open_files_is_one() {
    let is_on = |text: &str, alarm: &str| text.contains(&format!("\nrabbitmq_alarms_{alarm} 1\n"));
    let text = text(BrokerFigures { alarms: Alarms::from_iter([Alarm::Memory]), ..figures() });
    assert!(is_on(&text, "memory_used_watermark"), "{text}");
    let over = text_of(BrokerFigures { is_unlogged_over: true, ..figures() }, process());
    assert!(over.contains("\nleveret_memory_is_unlogged_over 1\n"), "{over}");
    assert!(!is_on(&over, "memory_used_watermark"), "{over}");
    for (open, is_reached) in [(37, false), (38, true)] {
        let process = ProcessFigures { open_files: Some(open), ..process() };
        let text = text_of(figures(), process);
        assert_eq!(is_on(&text, "file_descriptor_limit"), is_reached, "{text}");
    }
}

#[test]
fn what_the_system_does_not_say_is_left_out() {
    let text = text_of(figures(), ProcessFigures::default());
    for name in ["process_resident_memory_bytes", "process_open_fds", "process_max_fds"] {
        assert!(text.contains(&format!("# TYPE rabbitmq_{name} gauge\n")), "{text}");
        assert!(!text.contains(&format!("\nrabbitmq_{name} ")), "{text}");
    }
    assert!(text.contains("\nrabbitmq_alarms_file_descriptor_limit 0\n"), "{text}");
}

/// What `promtool check metrics` asks for.
#[test]
fn names_are_as_prometheus_wants_them() {
    let mut names: Vec<&str> = families().map(|family| family.name).collect();
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), families().count());
    for family in families() {
        let name = family.name;
        let fits = |letter: char| letter.is_ascii_lowercase() || letter == '_';
        assert!(name.chars().all(fits), "{name}");
        assert!(name.starts_with("rabbitmq_") || name.starts_with("leveret_"), "{name}");
        assert_eq!(name.ends_with("_total"), family.kind == Kind::Counter, "{name}");
        assert!(!name.ends_with("_count") && !name.ends_with("_sum"), "{name}");
        assert!(!family.help.is_empty() && !family.help.ends_with('.'), "{name}");
    }
}

#[test]
fn every_name_is_in_the_documentation() {
    let documentation = include_str!("../../docs/metrics.md");
    for family in families() {
        let name = format!("`{}`", family.name);
        assert!(documentation.contains(&name), "{name} in docs/metrics.md");
    }
}
