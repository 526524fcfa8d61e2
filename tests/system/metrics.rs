//! What a scraper gets from the real binary over a socket: where it listens, what is told, and that
//! damage on disk is counted. Every name and value by itself is shown beside the table of metrics.

use std::fs;
use std::io::{ErrorKind, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};

use lapin::BasicProperties;
use lapin::options::{BasicGetOptions, BasicPublishOptions, BasicQosOptions};

use crate::durability::connect;
use crate::inspect::{declare, fill, flip, kill, publish};
use crate::process::{PATIENCE, Process};

const SCRAPED: [&str; 6] = [
    "--listen",
    "127.0.0.1:0",
    "--set",
    "prometheus.tcp.port=0",
    "--set",
    "prometheus.tcp.ip=127.0.0.1",
];

/// Where it says that its metrics are.
fn place(process: &mut Process) -> SocketAddr {
    let line = process.output_line();
    let (_, rest) = line.split_once("; metrics on ").expect(&line);
    rest.split_once(';').expect(&line).0.parse().expect(&line)
}

fn plug(process: &mut Process) -> TcpStream {
    let stream = TcpStream::connect_timeout(&place(process), PATIENCE).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream
}

/// The whole answer to a request.
fn answer(process: &mut Process, method: &str, path: &str) -> String {
    let mut stream = plug(process);
    write!(stream, "{method} {path} HTTP/1.1\r\nHost: hare\r\nConnection: close\r\n\r\n").unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}

/// What is told now.
fn scrape(process: &mut Process) -> String {
    let answer = answer(process, "GET", "/metrics");
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    assert!(head.starts_with("HTTP/1.1 200 OK\r\n"), "{head}");
    assert!(head.contains("\r\ncontent-type: text/plain; version=0.0.4"), "{head}");
    body.to_owned()
}

/// What another path tells, to who knows no pieces.
fn scrape_at(process: &mut Process, path: &str) -> String {
    let mut stream = plug(process);
    write!(stream, "GET {path} HTTP/1.0\r\nHost: hare\r\n\r\n").unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    assert!(head.starts_with("HTTP/1.0 200 OK\r\n"), "{head}");
    body.to_owned()
}

/// The only value of this name, whose labels have this part.
fn of_one(body: &str, name: &str, part: &str) -> u64 {
    let begin = format!("{name}{{");
    let mut lines = body.lines().filter(|line| line.starts_with(&begin) && line.contains(part));
    let line = lines.next().unwrap_or_else(|| panic!("{name} of {part} in {body}"));
    assert_eq!(lines.next(), None, "{name} of {part} is told once");
    line.rsplit(' ').next().unwrap().parse().unwrap()
}

/// One value, by its name and labels.
fn value(body: &str, name: &str) -> u64 {
    let mut lines = body.lines().filter_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
    let value = lines.next().unwrap_or_else(|| panic!("{name} in {body}"));
    assert_eq!(lines.next(), None, "{name} is told once");
    value.parse().unwrap()
}

/// TCP sockets on which a process listens.
fn listening_count(process: &Process) -> usize {
    let folder = format!("/proc/{}/fd", process.id());
    let links =
        fs::read_dir(folder).unwrap().filter_map(|entry| fs::read_link(entry.ok()?.path()).ok());
    let sockets: Vec<String> = links.map(|link| link.display().to_string()).collect();
    let is_own = |line: &str| {
        let columns: Vec<&str> = line.split_whitespace().collect();
        let is_listening = columns.get(3) == Some(&"0A");
        is_listening && columns.get(9).is_some_and(|n| sockets.contains(&format!("socket:[{n}]")))
    };
    let read = |name| fs::read_to_string(format!("/proc/net/{name}")).unwrap_or_default();
    [read("tcp"), read("tcp6")].iter().flat_map(|table| table.lines()).filter(|l| is_own(l)).count()
}

#[tokio::test]
async fn a_scrape_follows_what_clients_do() {
    let mut process = Process::start_with(&SCRAPED);
    let before = scrape(&mut process);
    let version = env!("CARGO_PKG_VERSION");
    assert!(
        before.contains(&format!("product_name=\"Leveret\",product_version=\"{version}\"}} 1"))
    );
    assert!(before.contains("rabbitmq_identity_info{rabbitmq_node=\"leveret@"), "{before}");
    assert_eq!(value(&before, "rabbitmq_connections"), 0);
    assert_eq!(value(&before, "rabbitmq_queues"), 0);
    assert_eq!(value(&before, "rabbitmq_disk_space_available_limit_bytes"), 50_000_000);
    assert!(value(&before, "rabbitmq_disk_space_available_bytes") > 0);
    assert_eq!(value(&before, "leveret_store_log_files"), 1);
    let (open, max) = ("rabbitmq_process_open_fds", "rabbitmq_process_max_fds");
    assert!(value(&before, open) > 0 && value(&before, open) < value(&before, max), "{before}");
    assert!(value(&before, "rabbitmq_process_resident_memory_bytes") > 1_000_000);
    assert!(value(&before, "rabbitmq_resident_memory_limit_bytes") > 1_000_000);
    assert!(value(&before, "rabbitmq_erlang_uptime_seconds") < PATIENCE.as_secs());
    let (_connection, channel) = connect(&process).await;
    declare(&channel, "q").await;
    publish(&channel, "", "q", &[b'x'; 5000]).await;
    let after = scrape(&mut process);
    assert_eq!(value(&after, "rabbitmq_connections"), 1);
    assert_eq!(value(&after, "rabbitmq_queues"), 1);
    assert!(value(&after, "leveret_memory_body_bytes{kind=\"logged\"}") >= 5000);
    let rise = |name: &str| value(&after, name) - value(&before, name);
    assert!(rise("leveret_store_written_bytes_total{kind=\"log\"}") >= 5000);
    assert!(rise("leveret_store_batches_total") >= 2);
    assert!(rise("leveret_store_syncs_total") >= 2);
    assert_eq!(rise("rabbitmq_message_size_bytes_bucket{protocol=\"amqp091\",le=\"1000\"}"), 0);
    assert_eq!(rise("rabbitmq_message_size_bytes_bucket{protocol=\"amqp091\",le=\"10000\"}"), 1);
    assert_eq!(rise("rabbitmq_message_size_bytes_sum{protocol=\"amqp091\"}"), 5000);
    assert_eq!(rise("leveret_confirm_seconds_count"), 1);
    assert!(rise("leveret_store_sync_seconds_count") >= 1);
    assert_eq!(value(&after, "rabbitmq_process_open_tcp_sockets"), 1);
    assert_eq!(rise("rabbitmq_connection_channels"), 1);
    assert!(rise("rabbitmq_connection_incoming_bytes_total") >= 5000);
    assert!(rise("rabbitmq_connection_outgoing_packets_total") > 0);
    for name in ["connections_opened_total", "channels_opened_total", "queues_created_total"] {
        assert_eq!(rise(&format!("rabbitmq_{name}")), 1, "{name}");
    }
    for name in ["received", "routed"] {
        let name = format!("rabbitmq_global_messages_{name}_total{{protocol=\"amqp091\"}}");
        assert_eq!(rise(&name), 1, "{name}");
    }
    for name in ["is_poisoned", "is_full", "quarantined_places_total", "torn_bytes"] {
        assert_eq!(value(&after, &format!("leveret_store_{name}")), 0);
    }
}

#[tokio::test]
async fn each_queue_channel_and_connection_is_told_by_itself() {
    let mut process = Process::start_with(&SCRAPED);
    let (_connection, channel) = connect(&process).await;
    declare(&channel, "q").await;
    publish(&channel, "", "q", &[b'x'; 5000]).await;
    channel.basic_qos(7, BasicQosOptions::default()).await.unwrap();
    channel.basic_get("q".into(), BasicGetOptions { no_ack: false }).await.unwrap().unwrap();
    for (path, begin) in [
        ("/metrics/per-object", "rabbitmq"),
        (
            "/metrics/detailed?family=queue_coarse_metrics&family=queue_metrics\
             &family=channel_metrics&family=connection_metrics&family=connection_coarse_metrics\
             &family=queue_delivery_metrics&family=queue_exchange_metrics\
             &family=channel_queue_exchange_metrics&family=exchange_metrics\
             &family=channel_exchange_metrics&family=channel_queue_metrics\
             &family=leveret_queue_ages",
            "rabbitmq_detailed",
        ),
    ] {
        let body = scrape_at(&mut process, path);
        let told = |name: &str, part: &str| of_one(&body, &format!("{begin}_{name}"), part);
        assert_eq!(told("queue_messages_ready", "queue=\"q\""), 0);
        assert_eq!(told("queue_messages_unacked", "queue=\"q\""), 1);
        assert_eq!(told("queue_messages_unacked_bytes", "queue=\"q\""), 5000);
        assert_eq!(told("queue_exchange_messages_published_total", "queue=\"q\""), 1);
        assert_eq!(told("queue_messages_published_total", "queue_vhost=\"/\",queue=\"q\""), 1);
        assert_eq!(told("exchange_messages_published_total", "exchange=\"\""), 1);
        assert_eq!(told("queue_messages_persistent", "queue=\"q\""), 1);
        assert_eq!(told("queue_messages_persistent_bytes", "queue=\"q\""), 5000);
        assert_eq!(told("queue_disk_writes_total", "queue=\"q\""), 1);
        assert_eq!(told("queue_disk_reads_total", "queue=\"q\""), 0);
        assert!(body.contains(&format!(
            "{begin}_queue_consumer_capacity{{vhost=\"/\",queue=\"q\"}} 0.000"
        )));
        assert_eq!(told("channel_messages_published_total", "(1)\""), 1);
        assert_eq!(told("channel_messages_confirmed_total", "(1)\""), 1);
        for (name, count) in [("get_ack", 1), ("get", 0), ("get_empty", 0), ("messages_acked", 0)] {
            assert_eq!(told(&format!("queue_{name}_total"), "queue=\"q\""), count, "{name}");
            assert_eq!(told(&format!("channel_{name}_total"), "(1)\""), count, "{name}");
        }
        assert!(body.contains("leveret_queue_oldest_unacked_age_seconds{vhost=\"/\",queue=\"q\"}"));
        assert_eq!(told("channel_messages_unacked", "(1)\""), 1);
        assert_eq!(told("channel_messages_unconfirmed", "(1)\""), 0);
        assert_eq!(told("channel_consumers", "(1)\""), 0);
        assert_eq!(told("consumer_prefetch", "(1)\""), 7);
        assert_eq!(told("connection_channels", "127.0.0.1:"), 1);
        assert!(told("connection_incoming_bytes_total", "127.0.0.1:") > 5000);
        assert!(told("connection_outgoing_bytes_total", "127.0.0.1:") > 5000);
        assert!(told("connection_incoming_packets_total", "127.0.0.1:") > 2);
        assert!(told("connection_outgoing_packets_total", "127.0.0.1:") > 2);
    }
    let memory = scrape_at(&mut process, "/metrics/memory-breakdown");
    assert!(value(&memory, "rabbitmq_memory_binary_heap_bytes") >= 5000);
    assert!(value(&memory, "rabbitmq_memory_other_system_bytes") > 1_000_000);
}

#[tokio::test]
async fn each_exchange_tells_what_became_of_its_messages() {
    let mut process = Process::start_with(&SCRAPED);
    let (_connection, channel) = connect(&process).await;
    publish(&channel, "amq.fanout", "", b"x").await;
    let wanted_back = BasicPublishOptions { mandatory: true, ..Default::default() };
    let properties = BasicProperties::default();
    let sent = channel.basic_publish("amq.fanout".into(), "".into(), wanted_back, b"x", properties);
    sent.await.unwrap().await.unwrap();
    for (path, begin) in [
        ("/metrics/per-object", "rabbitmq"),
        ("/metrics/detailed?family=exchange_metrics", "rabbitmq_detailed"),
    ] {
        let body = scrape_at(&mut process, path);
        let told = |name: &str, part: &str| of_one(&body, &format!("{begin}_{name}"), part);
        for (name, count) in [
            ("published", 2),
            ("confirmed", 2),
            ("unroutable_returned", 1),
            ("unroutable_dropped", 1),
        ] {
            let name = format!("messages_{name}_total");
            assert_eq!(
                told(&format!("exchange_{name}"), "exchange=\"amq.fanout\""),
                count,
                "{name}"
            );
        }
        assert_eq!(told("exchange_messages_published_total", "exchange=\"amq.topic\""), 0);
    }
}

#[tokio::test]
async fn damage_that_the_start_found_is_counted() {
    let mut process = Process::start();
    fill(&process).await;
    kill(&mut process);
    let folder = process.data_folder();
    flip(folder, b"order two");
    let flags = [&SCRAPED[..], &["--data-dir", folder.to_str().unwrap()]].concat();
    let mut process = Process::start_with(&flags);
    process.logged("bytes were set aside as quarantine-log-000000000001-");
    let body = scrape(&mut process);
    assert_eq!(value(&body, "leveret_store_quarantined_places_total"), 1);
    assert!(value(&body, "leveret_store_quarantined_bytes") > 9);
    assert_eq!(value(&body, "rabbitmq_queues"), 3);
}

/// The damage is in a sealed file behind a checkpoint, which a start does not read.
#[tokio::test]
async fn damage_that_is_found_by_reading_is_counted() {
    let mut process = Process::start();
    let (connection, channel) = connect(&process).await;
    declare(&channel, "large").await;
    for number in 0..40 {
        let mut body = format!("<large {number:03}>").into_bytes();
        body.resize(1024 * 1024, b'.');
        publish(&channel, "", "large", &body).await;
    }
    drop((channel, connection));
    kill(&mut process);
    let folder = process.data_folder();
    flip(folder, b"<large 003>");
    let flags = [&SCRAPED[..], &["--data-dir", folder.to_str().unwrap()]].concat();
    let mut process = Process::start_with(&flags);
    let body = scrape(&mut process);
    assert_eq!(value(&body, "leveret_store_quarantined_places_total"), 0);
    let (_connection, channel) = connect(&process).await;
    for number in [0, 1, 2, 4] {
        let options = BasicGetOptions { no_ack: true };
        let got = channel.basic_get("large".into(), options).await.unwrap().unwrap();
        assert!(got.delivery.data.starts_with(format!("<large {number:03}>").as_bytes()));
    }
    process.logged("messages are damaged on disk and are left out");
    let body = scrape(&mut process);
    assert_eq!(value(&body, "leveret_store_quarantined_places_total"), 1);
}

#[test]
fn a_broker_listens_for_scrapers_only_where_it_is_told_a_port() {
    let mut process = Process::start();
    assert_eq!(listening_count(&process), 1);
    assert!(!process.output_line().contains("metrics"));
    let mut flags = SCRAPED.to_vec();
    flags[3] = "prometheus.path=/elsewhere";
    assert_eq!(listening_count(&Process::start_with(&flags)), 1, "an address is no port");
    let process = Process::start_with(&SCRAPED);
    assert_eq!((listening_count(&process), process.addresses().len()), (2, 1));
}

#[test]
fn only_the_path_that_is_set_answers_and_only_get() {
    let flags = [&SCRAPED[..], &["--set", "prometheus.path=/elsewhere"]].concat();
    let mut process = Process::start_with(&flags);
    for (method, path, status) in [
        ("GET", "/elsewhere", "200 OK"),
        ("GET", "/elsewhere/", "200 OK"),
        ("GET", "/metrics", "404 Not Found"),
        ("POST", "/elsewhere", "405 Method Not Allowed"),
    ] {
        let answer = answer(&mut process, method, path);
        assert!(answer.starts_with(&format!("HTTP/1.1 {status}\r\n")), "{answer}");
    }
}

#[test]
fn a_port_in_use_is_told_as_for_other_listeners() {
    let holder = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let port = format!("prometheus.tcp.port={}", holder.local_addr().unwrap().port());
    let mut flags = SCRAPED.to_vec();
    flags[3] = &port;
    let (status, lines) = Process::launch_with(&flags).ended();
    assert_eq!(status.code(), Some(69), "{lines:#?}");
    let address = holder.local_addr().unwrap();
    let expected = format!("cannot listen on {address}: Address already in use");
    assert!(lines.iter().any(|line| line.text.contains(&expected)), "{lines:#?}");
    assert!(lines.iter().all(|line| !line.is_output), "it never listened: {lines:#?}");
}

#[test]
fn scrapers_that_are_connected_do_not_hold_up_a_stop() {
    let mut process = Process::start_with(&SCRAPED);
    let (mut silent, mut halfway, mut waiting) =
        (plug(&mut process), plug(&mut process), plug(&mut process));
    halfway.write_all(b"GET /met").unwrap();
    waiting.write_all(b"GET /metrics HTTP/1.1\r\nHost: hare\r\n\r\n").unwrap();
    let mut first = [0; 15];
    waiting.read_exact(&mut first).unwrap();
    assert_eq!(&first, b"HTTP/1.1 200 OK");
    process.stop();
    for stream in [&mut silent, &mut halfway, &mut waiting] {
        match stream.read_to_end(&mut Vec::new()) {
            Ok(_) => {}
            Err(error) => assert_eq!(error.kind(), ErrorKind::ConnectionReset),
        }
    }
}
