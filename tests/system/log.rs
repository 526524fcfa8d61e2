//! The lines of the log that operators and their tools search for.

use leveret::protocol::methods::{Method, basic, channel, connection};

use crate::process::{PATIENCE, Process};
use crate::wire::{Wire, declare};

/// The name under which a connection is logged.
fn name(process: &Process, wire: &Wire) -> String {
    format!("{} -> {}", wire.local_address(), process.address())
}

#[test]
fn a_line_has_the_shape_of_rabbitmq() {
    let mut process = Process::start();
    let line = process.logged("Server startup complete");
    let (time, rest) = line.split_once(" [info] <").expect("time, level, where from");
    let shape: String = time.chars().map(|c| if c.is_ascii_digit() { '0' } else { c }).collect();
    assert_eq!(shape, "0000-00-00 00:00:00.000000+00:00");
    assert!(rest.ends_with("> Server startup complete; 0 plugins started."), "{line}");
}

#[test]
fn a_connection_is_logged_from_its_begin_to_its_end() {
    let mut process = Process::start();
    let wire = Wire::connect(process.address());
    let name = name(&process, &wire);
    let line = process.logged("accepting AMQP connection");
    assert!(line.contains("[info]") && line.contains(&name), "{line}");
    let line = process.logged("authenticated");
    let text = "user 'guest' authenticated and granted access to vhost '/'";
    assert!(line.contains("[info]") && line.contains(text), "{line}");
    assert!(line.contains(&name), "which connection? {line}");
    wire.close();
    let line = process.logged("closing AMQP connection");
    assert!(line.contains("[info]") && line.contains(&name), "{line}");
}

// Rule: connection.close-ok.reporting
#[test]
fn a_socket_that_ends_without_the_closing_handshake_is_logged() {
    let mut process = Process::start();
    let wire = Wire::connect(process.address());
    let name = name(&process, &wire);
    wire.hang_up();
    let line = process.logged("client unexpectedly closed TCP connection");
    assert!(line.contains("[warning]") && line.contains(&name), "{line}");
}

// Rule: connection.close-ok.reporting
#[test]
fn a_socket_that_ends_before_it_answered_our_close_is_logged() {
    let mut process = Process::start();
    let mut wire = Wire::connect(process.address());
    let name = name(&process, &wire);
    // Nothing may be asked of a channel that is not open.
    wire.send(5, &declare("q", false));
    match wire.next_method().method() {
        Method::ConnectionClose(close) => assert_eq!(close.reply_code, 504),
        other => panic!("{other:?}"),
    }
    wire.hang_up();
    let line = process.logged("client unexpectedly closed TCP connection");
    assert!(line.contains(&name), "{line}");
}

// Rule: channel.close-ok.reporting
#[test]
fn a_socket_that_ends_while_a_channel_waits_for_its_close_ok_is_logged() {
    let mut process = Process::start();
    let mut wire = Wire::with_channel(process.address());
    let name = name(&process, &wire);
    wire.send(1, &declare("missing", true));
    match wire.next_method().method() {
        Method::ChannelClose(close) => assert_eq!(close.reply_code, 404),
        other => panic!("{other:?}"),
    }
    wire.hang_up();
    let line = process.logged("client unexpectedly closed TCP connection");
    assert!(line.contains("[warning]") && line.contains(&name), "{line}");
}

#[test]
fn an_error_that_closes_a_connection_is_logged_with_its_text() {
    let mut process = Process::start();
    let mut wire = Wire::with_channel(process.address());
    let name = name(&process, &wire);
    wire.send(1, &channel::Open {});
    assert!(matches!(wire.next_method().method(), Method::ConnectionClose(_)));
    wire.send(0, &connection::CloseOk {});
    assert!(wire.read_to_end().is_empty());
    let line = process.logged("closing AMQP connection");
    assert!(line.contains(&name) && line.contains("CHANNEL_ERROR"), "{line}");
}

#[test]
fn an_error_that_closes_a_channel_is_logged_with_its_text() {
    let mut process = Process::start();
    let mut wire = Wire::with_channel(process.address());
    let name = name(&process, &wire);
    wire.send(1, &basic::Get { queue: "missing", no_ack: true });
    assert!(matches!(wire.next_method().method(), Method::ChannelClose(_)));
    let line = process.logged("NOT_FOUND - no queue 'missing' in vhost '/'");
    assert!(line.contains(&name) && line.contains("channel 1"), "{line}");
}

#[test]
fn missed_heartbeats_are_logged_with_their_interval() {
    let mut process = Process::start();
    let mut wire = Wire::plug(process.address());
    wire.log_in(1);
    let name = name(&process, &wire);
    // Until it closes, the broker sends its own, and hears none of this client.
    wire.read_to_end();
    let line = process.logged("missed heartbeats from client, timeout: 1s");
    assert!(line.contains("closing AMQP connection") && line.contains(&name), "{line}");
}

#[test]
fn a_handshake_that_takes_too_long_is_ended_and_logged() {
    let flags = ["--listen", "127.0.0.1:0", "--set", "handshake_timeout=200"];
    let mut process = Process::start_with(&flags);
    let mut wire = Wire::plug(process.address());
    let name = name(&process, &wire);
    wire.write(b"AMQP");
    assert!(wire.read_to_end().is_empty());
    let line = process.logged("closing AMQP connection");
    assert!(line.contains(&name) && line.to_lowercase().contains("handshake"), "{line}");
}

#[test]
fn another_protocol_on_our_port_is_closed_without_an_answer_and_named() {
    let tls_hello = b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03";
    for (bytes, hint) in [(&b"GET / HTTP/1.1\r\n\r\n"[..], "HTTP"), (tls_hello, "TLS")] {
        let mut process = Process::start();
        let mut wire = Wire::plug(process.address());
        wire.write(bytes);
        assert!(wire.read_to_end().is_empty(), "{hint}");
        let line = process.logged("closing AMQP connection");
        assert!(line.contains(hint), "{line}");
    }
}

#[test]
fn connections_may_have_a_level_of_their_own() {
    let flags = ["--listen", "127.0.0.1:0", "--set", "log.connection.level=error"];
    let mut process = Process::start_with(&flags);
    Wire::connect(process.address()).close();
    process.logged("Server startup complete");
    process.stop();
    let (_, lines) = process.ended();
    let about: Vec<_> = lines.iter().filter(|l| l.text.contains("AMQP connection")).collect();
    assert!(about.is_empty(), "{about:#?}");
}

#[test]
fn lines_can_be_json() {
    let flags = ["--listen", "127.0.0.1:0", "--set", "log.console.formatter=json"];
    let mut process = Process::start_with(&flags);
    let line = process.logged("Server startup complete");
    let line: serde_json::Value = serde_json::from_str(&line).expect("JSON");
    assert_eq!(line["level"], "info");
    assert_eq!(line["msg"], "Server startup complete; 0 plugins started.");
}

#[test]
fn a_file_may_have_the_log() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("broker.log");
    let file = format!("log.file={}", path.display());
    let flags = ["--listen", "127.0.0.1:0", "--set", &file, "--set", "log.console=false"];
    let mut process = Process::start_with(&flags);
    let wire = Wire::connect(process.address());
    wire.close();
    process.stop();
    let (_, lines) = process.ended();
    assert!(lines.iter().all(|line| line.is_output), "in {PATIENCE:?}: {lines:#?}");
    let text = std::fs::read_to_string(&path).unwrap();
    for part in ["Server startup complete", "accepting AMQP connection", "stopped"] {
        assert!(text.contains(part), "{part} in\n{text}");
    }
}
