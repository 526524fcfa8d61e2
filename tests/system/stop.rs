//! The end of the process: clients are told, have a while to answer, and the exit is a clean one.

use std::net::TcpStream;
use std::time::Duration;

use leveret::protocol::methods::{Method, connection};
use leveret::server::Clock;
use rustix::process::Signal;

use crate::process::Process;
use crate::wire::Wire;

/// Well below the patience with clients that do not answer.
const SOON: Duration = Duration::from_secs(3);

/// The patience with them, and what a busy machine may add.
const LATE: Duration = Duration::from_secs(9);

fn expect_shutdown(wire: &mut Wire) {
    match wire.next_method().method() {
        Method::ConnectionClose(close) => {
            assert_eq!(close.reply_code, 320);
            let text =
                "CONNECTION_FORCED - broker forced connection closure with reason 'shutdown'";
            assert_eq!(close.reply_text, text);
            assert_eq!((close.class_id, close.method_id), (0, 0));
        }
        other => panic!("{other:?}"),
    }
}

fn stops_cleanly_by(signal: Signal) {
    let mut process = Process::start();
    let mut clients = [(); 3].map(|()| Wire::with_channel(process.address()));
    let clock = Clock::start();
    process.signal(signal);
    for client in &mut clients {
        expect_shutdown(client);
        client.send(0, &connection::CloseOk {});
        assert!(client.read_to_end().is_empty());
    }
    let (status, lines) = process.ended();
    assert_eq!(status.code(), Some(0), "{lines:#?}");
    assert!(clock.elapsed() < SOON, "all had answered, and it took {:?}", clock.elapsed());
}

#[test]
fn sigterm_closes_every_connection_with_320_and_ends_with_zero() {
    stops_cleanly_by(Signal::TERM);
}

#[test]
fn sigint_does_the_same() {
    stops_cleanly_by(Signal::INT);
}

#[test]
fn an_idle_broker_stops_at_once() {
    let mut process = Process::start();
    let clock = Clock::start();
    process.stop();
    assert!(clock.elapsed() < SOON, "{:?}", clock.elapsed());
}

#[test]
fn a_client_that_never_answers_is_waited_for_and_then_dropped() {
    let mut process = Process::start();
    let mut silent = Wire::with_channel(process.address());
    let clock = Clock::start();
    process.signal(Signal::TERM);
    expect_shutdown(&mut silent);
    let line = process.logged("connections that did not answer are dropped");
    assert!(line.contains("[warning]") && line.contains("sessions=1"), "{line}");
    let (status, lines) = process.ended();
    assert_eq!(status.code(), Some(0), "{lines:#?}");
    let took = clock.elapsed();
    assert!(took >= SOON && took < LATE, "{took:?}");
}

#[test]
fn nobody_is_let_in_while_it_stops() {
    let mut process = Process::start();
    let address = process.address();
    let mut silent = Wire::connect(address);
    process.signal(Signal::TERM);
    // Clients are told only after the listeners are closed.
    expect_shutdown(&mut silent);
    let is_let_in = TcpStream::connect(address).is_ok_and(|stream| {
        let mut late = Wire::of(stream);
        late.write_while_taken(b"AMQP\x00\x00\x09\x01", SOON);
        !late.read_to_end().is_empty()
    });
    assert!(!is_let_in);
    silent.send(0, &connection::CloseOk {});
    assert!(process.ended().0.success());
}

#[test]
fn its_port_is_free_for_the_next_one() {
    let mut process = Process::start();
    let address = process.address();
    let client = Wire::connect(address);
    client.close();
    process.stop();
    let again = Process::start_with(&["--listen", &address.to_string()]);
    assert_eq!(again.address(), address);
    Wire::connect(address).close();
}
