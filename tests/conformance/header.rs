//! The first eight bytes: which protocols are served, and what the others are told. What follows
//! connection.start is in `handshake`.

use leveret::protocol::PROTOCOL_HEADER;
use leveret::protocol::methods::{Method, connection};

use crate::login::Login;
use crate::script::check;

/// AMQP 0-9, whose clients number their versions differently.
const HEADER_0_9: &[u8] = b"AMQP\x01\x01\x00\x09";

// Rule: connection.start.protocol-name
#[test]
fn a_header_that_is_no_amqp_is_answered_with_ours() {
    check(|world| {
        let mut client = world.plug();
        client.send_bytes(b"XMQP\x00\x00\x09\x01");
        client.expect_bytes(&PROTOCOL_HEADER);
        client.expect_end();
    });
}

// Rule: connection.start.server-support
#[test]
fn versions_that_are_not_served_are_answered_with_ours() {
    check(|world| {
        for header in [
            b"AMQP\x00\x02\x00\x00",
            b"AMQP\x00\x01\x00\x00",
            b"AMQP\x00\x00\x0a\x00",
            b"AMQP\x00\x00\x09\x02",
            b"AMQP\x00\x00\x08\x00",
        ] {
            let mut client = world.plug();
            client.send_bytes(header);
            client.expect_bytes(&PROTOCOL_HEADER);
            client.expect_end();
        }
    });
}

// Rule: connection.start.server-support
#[test]
fn our_own_version_is_offered_as_zero_nine() {
    check(|world| {
        let start = world.plug().start();
        assert_eq!((start.version_major, start.version_minor), (0, 9));
    });
}

#[test]
fn a_header_may_come_in_pieces() {
    check(|world| {
        let mut client = world.plug();
        for octet in &PROTOCOL_HEADER[..7] {
            client.send_bytes(&[*octet]);
        }
        client.expect_silence();
        client.send_bytes(&PROTOCOL_HEADER[7..]);
        assert!(matches!(client.expect_method(0), Method::ConnectionStart(_)));
    });
}

// Rule: rabbitmq.connection.start.protocol-0-9
#[test]
fn the_header_of_zero_nine_is_served_to_the_end_of_the_handshake() {
    check(|world| {
        let mut client = world.plug();
        client.send_bytes(HEADER_0_9);
        assert!(matches!(client.expect_method(0), Method::ConnectionStart(_)));
        let login = Login::default();
        client.authenticate(&login);
        assert!(matches!(client.expect_method(0), Method::ConnectionTune(_)));
        client.tune(&login);
        client.send(0, &connection::Open { virtual_host: "/" });
        client.expect(0, &connection::OpenOk {});
        client.open_channel(1);
        client.close();
    });
}

// Rule: rabbitmq.connection.start.protocol-0-9
#[test]
fn the_header_of_zero_eight_is_answered_with_ours() {
    check(|world| {
        let mut client = world.plug();
        client.send_bytes(b"AMQP\x01\x01\x08\x00");
        client.expect_bytes(&PROTOCOL_HEADER);
        client.expect_end();
    });
}

// Rule: rabbitmq.connection.start.foreign-protocol
#[test]
fn bytes_of_tls_or_http_are_not_answered() {
    check(|world| {
        for bytes in [
            &b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"[..],
            b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
        ] {
            let mut client = world.plug();
            client.send_bytes(bytes);
            client.expect_end();
        }
    });
}

// Rule: rabbitmq.connection.start.foreign-protocol
#[test]
fn a_client_of_one_zero_is_told_what_is_spoken_here() {
    check(|world| {
        for header in [b"AMQP\x03\x01\x00\x00", b"AMQP\x00\x01\x00\x00"] {
            let mut client = world.plug();
            client.send_bytes(header);
            client.expect_bytes(&PROTOCOL_HEADER);
            client.expect_end();
        }
    });
}
