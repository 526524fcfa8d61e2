//! A message on its way in: publish, header, body, in this order and of the sizes announced. What
//! becomes of a message that is whole, other files say.

use leveret::broker::BrokerOptions;
use leveret::protocol::methods::confirm;
use leveret::protocol::properties::Properties;

use crate::client::{BASIC, Client, frame_bytes};
use crate::expect::starts;
use crate::plain;
use crate::script::{check, check_with_options};

const PUBLISH: (u16, u16) = (60, 40);

const METHOD_EXPECTED: &str =
    "UNEXPECTED_FRAME - expected method frame, got non method frame instead";
const HEADER_EXPECTED: &str = "UNEXPECTED_FRAME - expected content header for class 60, got non \
                               content header frame instead";
const BODY_EXPECTED: &str =
    "UNEXPECTED_FRAME - expected content body, got non content body frame instead";

/// A content header of any class, weight and size, without properties.
fn header(class_id: u16, weight: u16, body_size: u64) -> Vec<u8> {
    let mut payload = class_id.to_be_bytes().to_vec();
    payload.extend_from_slice(&weight.to_be_bytes());
    payload.extend_from_slice(&body_size.to_be_bytes());
    payload.extend_from_slice(&[0, 0]);
    frame_bytes(2, 1, &payload)
}

fn body(bytes: &[u8]) -> Vec<u8> {
    frame_bytes(3, 1, bytes)
}

/// tx.select: any method will do.
fn method() -> Vec<u8> {
    frame_bytes(1, 1, b"\x00\x5a\x00\x0a")
}

// Rule: rabbitmq.frame.unexpected
#[test]
fn content_without_a_method_is_refused() {
    check(|world| {
        for bytes in [header(BASIC, 0, 3), body(b"abc")] {
            let mut client = world.client();
            client.send_bytes(&bytes);
            client.expect_connection_close(505, METHOD_EXPECTED, (0, 0));
        }
    });
}

// Rule: rabbitmq.frame.unexpected
#[test]
fn a_publish_is_followed_by_its_header() {
    check(|world| {
        let other_class = "UNEXPECTED_FRAME - expected content header for class 60, got one for \
                           class 50 instead";
        for (bytes, text) in [
            (method(), HEADER_EXPECTED),
            (body(b"abc"), HEADER_EXPECTED),
            (header(BASIC, 1, 3), HEADER_EXPECTED),
            (header(50, 0, 3), other_class),
        ] {
            let mut client = world.client();
            client.send(1, &plain::publish("", "nobody"));
            client.send_bytes(&bytes);
            client.expect_connection_close(505, text, PUBLISH);
        }
    });
}

// Rule: rabbitmq.frame.unexpected
#[test]
fn a_header_is_followed_by_its_body() {
    check(|world| {
        for bytes in [method(), header(BASIC, 0, 3)] {
            let mut client = world.client();
            client.send(1, &plain::publish("", "nobody"));
            client.send_bytes(&header(BASIC, 0, 3));
            client.send_bytes(&body(b"a"));
            client.send_bytes(&bytes);
            client.expect_connection_close(505, BODY_EXPECTED, PUBLISH);
        }
    });
}

// Rule: rabbitmq.frame.content-size
#[test]
fn a_body_announced_over_512_mib_is_refused_at_once() {
    check(|world| {
        let text = "FRAME_ERROR - content body size 536870913 exceeds maximum allowed size \
                    536870912";
        let mut client = world.client();
        client.send(1, &plain::publish("", "nobody"));
        client.send_bytes(&header(BASIC, 0, 536_870_913));
        client.expect_connection_close(501, text, PUBLISH);
    });
}

// Rule: rabbitmq.frame.content-size
#[test]
fn a_body_longer_than_announced_is_refused_at_once() {
    check(|world| {
        let text = "FRAME_ERROR - content body frame exceeds remaining content size";
        let mut client = world.client();
        client.send(1, &plain::publish("", "nobody"));
        client.send_bytes(&header(BASIC, 0, 3));
        client.send_bytes(&body(b"abcd"));
        client.expect_connection_close(501, text, PUBLISH);
    });
}

// Rule: rabbitmq.frame.malformed
#[test]
fn a_header_too_short_for_its_fields_is_refused() {
    check(|world| {
        for payload in [&b""[..], b"\x00\x3c\x00\x00"] {
            let mut client = world.client();
            client.send(1, &plain::publish("", "nobody"));
            client.send_frame(2, 1, payload);
            client.expect_connection_close(501, starts("FRAME_ERROR - "), (0, 0));
        }
    });
}

// Rule: rabbitmq.frame.malformed
#[test]
fn properties_that_cannot_be_read_are_refused() {
    check(|world| {
        // A property that is not there, something left over, a header of a type there is not.
        for list in [&b"\x80\x00"[..], b"\x00\x00xx", b"\x20\x00\0\0\0\x03\x01aZ"] {
            let mut client = world.client();
            client.send(1, &plain::publish("", "nobody"));
            client.send_frame(2, 1, &[b"\x00\x3c\0\0\0\0\0\0\0\0\0\0", list].concat());
            client.expect_connection_close(501, starts("FRAME_ERROR - cannot decode"), PUBLISH);
        }
    });
}

// Rule: rabbitmq.basic.publish.message-size
#[test]
fn a_message_over_the_configured_size_closes_the_channel() {
    let mut options = BrokerOptions::default();
    options.connection.message_size_max = 1000;
    check_with_options(options, |world| {
        let mut client = world.client();
        client.declare_queue(1, "sizes");
        client.publish(1, "", "sizes", &[b'x'; 1000]);
        assert_eq!(client.message_count(1, "sizes"), 1);
        client.publish(1, "", "sizes", &[b'x'; 1001]);
        let text = "PRECONDITION_FAILED - message size 1001 is larger than configured max size \
                    1000";
        client.expect_channel_close(1, 406, text, PUBLISH);
        client.open_channel(1);
        assert_eq!(client.message_count(1, "sizes"), 1);
    });
}

/// Publishes in pieces and fetches the message again.
fn comes_back(client: &mut Client, queue: &str, size: u64, parts: &[&[u8]]) {
    client.send(1, &plain::publish("", queue));
    client.send_header(1, size, &Properties::default());
    for part in parts {
        client.send_body(1, part);
    }
    let got = client.get(1, queue, true).expect("a message");
    assert_eq!(got.content.body, parts.concat());
}

#[test]
fn a_body_may_come_in_frames_of_any_size() {
    check(|world| {
        let queue = world.name("pieces");
        let mut client = world.client();
        client.declare_queue(1, &queue);
        comes_back(&mut client, &queue, 0, &[]);
        comes_back(&mut client, &queue, 3, &[b"abc"]);
        comes_back(&mut client, &queue, 3, &[b"a", b"b", b"c"]);
        comes_back(&mut client, &queue, 3, &[b"", b"ab", b"", b"c"]);
        let large = vec![b'x'; 100_000];
        comes_back(&mut client, &queue, 200_001, &[&large, &large, b"y"]);
    });
}

#[test]
fn contents_of_two_channels_may_come_interleaved() {
    check(|world| {
        let queue = world.name("woven");
        let mut client = world.client();
        client.open_channel(2);
        client.declare_queue(1, &queue);
        client.send(1, &plain::publish("", &queue));
        client.send(2, &plain::publish("", &queue));
        client.send_header(1, 2, &Properties::default());
        client.send_body(1, b"a");
        client.send_header(2, 2, &Properties::default());
        client.send_body(2, b"cd");
        client.expect_nothing(2);
        client.send_body(1, b"b");
        client.expect_nothing(1);
        let bodies = [(); 2].map(|()| client.get(1, &queue, true).unwrap().content.body);
        assert_eq!(bodies, [b"cd", b"ab"]);
    });
}

#[test]
fn a_message_that_is_not_whole_is_never_published() {
    check(|world| {
        let queue = world.name("half");
        let mut client = world.client();
        client.declare_queue(1, &queue);
        let mut other = world.client();
        other.send(1, &confirm::Select { nowait: true });
        other.send(1, &plain::publish("", &queue));
        other.send_header(1, 4, &Properties::default());
        other.send_body(1, b"ab");
        other.expect_silence();
        other.hang_up();
        assert_eq!(client.message_count(1, &queue), 0);
    });
}
