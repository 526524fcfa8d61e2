//! Frames as such: how large they may be, how they end, which kinds there are, and that they may
//! come in any pieces. What is inside them is in `methods` and `content`.

use leveret::protocol::methods::{Method, channel, queue};

use crate::client::frame_bytes;
use crate::expect::starts;
use crate::login::Login;
use crate::plain;
use crate::script::check;

/// The smallest frames that can be agreed to.
fn small_frames() -> Login {
    Login { frame_max: 4096, ..Login::default() }
}

// Rule: rabbitmq.frame.size-limit
#[test]
fn a_payload_of_the_agreed_size_is_taken() {
    check(|world| {
        let queue = world.name("sizes");
        let mut client = world.log_in(&small_frames());
        client.open_channel(1);
        client.declare_queue(1, &queue);
        for size in [4088, 4089, 4096] {
            let body = vec![b'x'; size];
            client.send(1, &plain::publish("", &queue));
            client.send_header(1, size as u64, &Default::default());
            client.send_body(1, &body);
            let got = client.get(1, &queue, true).expect("a message");
            assert_eq!(got.content.body.len(), size);
        }
    });
}

// Rule: rabbitmq.frame.size-limit
#[test]
fn a_payload_over_the_agreed_size_is_refused_before_it_comes() {
    check(|world| {
        let mut client = world.log_in(&small_frames());
        client.open_channel(1);
        client.send_bytes(&[1, 0, 1, 0, 0, 0x10, 0x01]);
        client.expect_connection_close(501, starts("FRAME_ERROR - "), (0, 0));
    });
}

#[test]
fn no_frame_that_is_sent_is_over_the_agreed_size() {
    check(|world| {
        let queue = world.name("sizes");
        let mut client = world.log_in(&small_frames());
        client.open_channel(1);
        client.declare_queue(1, &queue);
        client.publish(1, "", &queue, &vec![b'x'; 20_000]);
        client.send(1, &leveret::protocol::methods::basic::Get { queue: &queue, no_ack: true });
        assert!(matches!(client.expect_method(1), Method::BasicGetOk(_)));
        client.next_frame();
        let mut size = 0;
        while size < 20_000 {
            let payload = client.next_frame().payload;
            assert!(payload.len() <= 4088, "{}", payload.len());
            size += payload.len();
        }
    });
}

// Rule: rabbitmq.frame.malformed
#[test]
fn malformed_frames_are_answered_with_501() {
    check(|world| {
        let mut without_end = frame_bytes(1, 1, b"\x00\x5a\x00\x0a");
        *without_end.last_mut().unwrap() = 0;
        for bytes in [
            frame_bytes(9, 1, b"x"),
            frame_bytes(0, 0, b""),
            frame_bytes(4, 1, b"x"),
            frame_bytes(255, 1, b"x"),
            without_end,
        ] {
            let mut client = world.client();
            client.send_bytes(&bytes);
            client.expect_connection_close(501, starts("FRAME_ERROR - "), (0, 0));
        }
    });
}

// Rule: rabbitmq.connection.heartbeat.channel
#[test]
fn a_heartbeat_belongs_on_channel_zero() {
    check(|world| {
        let mut client = world.client();
        client.send_frame(8, 0, b"");
        client.expect_nothing(1);
        client.send_frame(8, 1, b"");
        client.expect_connection_close(505, starts("UNEXPECTED_FRAME - "), (0, 0));
    });
}

// Rule: rabbitmq.connection.heartbeat.channel
#[test]
fn a_heartbeat_carries_nothing() {
    check(|world| {
        let mut client = world.client();
        client.send_frame(8, 0, b"x");
        client.expect_connection_close(501, starts("FRAME_ERROR - "), (0, 0));
    });
}

#[test]
fn frames_may_come_octet_by_octet() {
    check(|world| {
        let mut client = world.client();
        for octet in frame_bytes(1, 1, b"\x00\x14\x00\x14\x01") {
            client.send_bytes(&[octet]);
        }
        client.expect(1, &channel::FlowOk { active: true });
    });
}

#[test]
fn many_frames_may_come_at_once() {
    check(|world| {
        let queue = world.name("many");
        let mut client = world.client();
        let mut bytes = Vec::new();
        for channel in 2..=50_u16 {
            bytes.extend(frame_bytes(1, channel, b"\x00\x14\x00\x0a\x00"));
        }
        client.send_bytes(&bytes);
        // Channels answer each for itself, in any order.
        let mut opened: Vec<u16> = (2..=50)
            .map(|_| client.next_frame())
            .inspect(|answer| assert!(matches!(answer.method(), Method::ChannelOpenOk(_))))
            .map(|answer| answer.channel)
            .collect();
        opened.sort_unstable();
        assert_eq!(opened, (2..=50).collect::<Vec<_>>());
        client.send(50, &queue::Declare { exclusive: true, ..plain::queue_declare(&queue) });
        assert!(matches!(client.expect_method(50), Method::QueueDeclareOk(_)));
    });
}

#[test]
fn what_follows_a_malformed_frame_is_not_read() {
    check(|world| {
        let queue = world.name("after");
        let mut client = world.client();
        client.send_frame(9, 1, b"x");
        client.send(1, &plain::queue_declare(&queue));
        client.expect_connection_close_unanswered(501, starts("FRAME_ERROR - "), (0, 0));
        world.client().expect_no_queue(1, &queue);
    });
}
