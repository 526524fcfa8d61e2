//! Channels as such: opening, closing, the state between channel.close and close-ok, flow, and how
//! many there may be. What is done on them is in other files.

use leveret::protocol::frame::FrameKind;
use leveret::protocol::methods::{Method, channel, confirm, queue};
use leveret::protocol::properties::Properties;

use crate::client::Step;
use crate::expect::starts;
use crate::login::Login;
use crate::plain;
use crate::script::check;

const NOT_OPEN: &str = "CHANNEL_ERROR - expected 'channel.open'";

const CLOSE: channel::Close<'_> =
    channel::Close { reply_code: 200, reply_text: "", class_id: 0, method_id: 0 };

// Rule: channel.open.state
#[test]
fn a_channel_is_opened_once() {
    check(|world| {
        let mut client = world.client();
        client.send(1, &channel::Open {});
        let text = "CHANNEL_ERROR - second 'channel.open' seen";
        client.expect_connection_close(504, text, (20, 10));
    });
}

// Rule: rabbitmq.channel.not-open
#[test]
fn methods_on_a_channel_that_is_not_open_are_refused() {
    check(|world| {
        let cases: [(Step<'_>, (u16, u16)); 6] = [
            (&|client| client.send(5, &CLOSE), (20, 40)),
            (&|client| client.send(5, &channel::CloseOk {}), (20, 41)),
            (&|client| client.send(1, &plain::queue_declare("q")), (50, 10)),
            (&|client| client.publish(1, "", "q", b"body"), (60, 40)),
            (&|client| client.send(1, &channel::Flow { active: true }), (20, 20)),
            (&|client| client.send(7, &confirm::Select { nowait: true }), (85, 10)),
        ];
        for (step, ids) in cases {
            let mut client = world.connect();
            step(&mut client);
            client.expect_connection_close(504, NOT_OPEN, ids);
        }
    });
}

// Rule: rabbitmq.channel.not-open
#[test]
fn content_on_a_channel_that_is_not_open_is_refused() {
    check(|world| {
        let text = "UNEXPECTED_FRAME - expected method frame, got non method frame instead";
        let mut client = world.connect();
        client.send_body(5, b"abc");
        client.expect_connection_close(505, text, (0, 0));
        let mut client = world.connect();
        client.send_header(5, 0, &Properties::default());
        client.expect_connection_close(505, text, (0, 0));
    });
}

// Rule: rabbitmq.connection.channel-zero
#[test]
fn content_does_not_belong_on_channel_zero() {
    check(|world| {
        for kind in [2, 3] {
            let mut client = world.connect();
            client.send_frame(kind, 0, b"\x00\x3c\0\0\0\0\0\0\0\0\0\0\0\0");
            client.expect_connection_close(505, starts("UNEXPECTED_FRAME - "), (0, 0));
        }
    });
}

// Rule: rabbitmq.channel.not-open
#[test]
fn a_channel_that_was_closed_is_not_open() {
    check(|world| {
        let mut client = world.client();
        client.close_channel(1);
        client.send(1, &plain::queue_declare("q"));
        client.expect_connection_close(504, NOT_OPEN, (50, 10));
    });
}

#[test]
fn a_closed_number_can_be_opened_again() {
    check(|world| {
        let mut client = world.client();
        for _ in 0..3 {
            client.close_channel(1);
            client.open_channel(1);
        }
        client.expect_nothing(1);
    });
}

#[test]
fn channels_are_numbered_as_the_client_likes() {
    check(|world| {
        let mut client = world.connect();
        for number in [2047, 5, 1] {
            client.open_channel(number);
        }
        client.close_channel(5);
        client.expect_nothing(2047);
        client.expect_nothing(1);
    });
}

// Rule: rabbitmq.channel.limit
#[test]
fn more_channels_than_agreed_are_refused() {
    check(|world| {
        let mut client = world.log_in(&Login { channel_max: 2, ..Login::default() });
        client.open_channel(1);
        client.open_channel(2);
        client.close_channel(1);
        client.open_channel(1);
        client.send(3, &channel::Open {});
        let text = "NOT_ALLOWED - number of channels opened (2) has reached the negotiated \
                    channel_max (2)";
        client.expect_connection_close(530, text, (0, 0));
    });
}

// Rule: rabbitmq.channel.limit
#[test]
fn a_number_above_the_agreed_maximum_is_refused() {
    check(|world| {
        let mut client = world.log_in(&Login { channel_max: 10, ..Login::default() });
        client.open_channel(10);
        client.send(11, &channel::Open {});
        client.expect_connection_close(530, starts("NOT_ALLOWED - "), (0, 0));
    });
}

// Rule: channel.close.stability
#[test]
fn after_channel_close_everything_is_dropped_until_it_is_answered() {
    check(|world| {
        let (missing, dropped) = (world.name("missing"), world.name("dropped"));
        let mut client = world.client();
        client.open_channel(2);
        client.send(1, &queue::Declare { passive: true, ..plain::queue_declare(&missing) });
        let text = format!("NOT_FOUND - no queue '{missing}' in vhost '/'");
        client.expect_channel_close_unanswered(1, 404, &text, (50, 10));
        client.send(1, &plain::queue_declare(&dropped));
        client.publish(1, "", "nobody", b"body");
        client.publish(1, "no such exchange", "", b"body");
        client.expect_nothing(2);
        client.send(1, &CLOSE);
        client.expect(1, &channel::CloseOk {});
        client.send(1, &channel::CloseOk {});
        client.open_channel(1);
        client.expect_no_queue(1, &dropped);
    });
}

#[test]
fn what_was_sent_behind_a_failing_method_is_not_done() {
    check(|world| {
        let (missing, dropped) = (world.name("missing"), world.name("dropped"));
        let mut client = world.client();
        client.send(1, &queue::Declare { passive: true, ..plain::queue_declare(&missing) });
        client.send(1, &plain::queue_declare(&dropped));
        let text = format!("NOT_FOUND - no queue '{missing}' in vhost '/'");
        client.expect_channel_close(1, 404, &text, (50, 10));
        client.open_channel(1);
        client.expect_no_queue(1, &dropped);
    });
}

#[test]
fn an_error_on_one_channel_leaves_the_others_alone() {
    check(|world| {
        let missing = world.name("missing");
        let mut client = world.client();
        client.open_channel(2);
        client.expect_no_queue(1, &missing);
        client.expect_nothing(2);
    });
}

#[test]
fn closing_a_channel_gives_back_what_it_had_out() {
    check(|world| {
        let queue = world.name("out");
        let mut client = world.client();
        client.open_channel(2);
        client.declare_queue(1, &queue);
        client.publish(1, "", &queue, b"one");
        assert!(client.get(1, &queue, false).is_some());
        assert!(client.get(2, &queue, false).is_none());
        client.close_channel(1);
        let again = client.get(2, &queue, true).expect("the message");
        assert!(again.method.redelivered);
    });
}

// Rule: channel.flow.initial-state
#[test]
fn a_new_channel_is_active() {
    check(|world| {
        let queue = world.name("active");
        let mut client = world.client();
        client.declare_queue(1, &queue);
        client.consume(1, &plain::consume(&queue, "t"));
        client.publish(1, "", &queue, b"one");
        assert_eq!(client.expect_delivery(1).content.text(), "one");
        client.expect_nothing(1);
    });
}

// Rule: channel.flow.bidirectional
#[test]
fn flow_is_answered_while_messages_are_delivered() {
    check(|world| {
        let queue = world.name("busy");
        let mut client = world.client();
        client.declare_queue(1, &queue);
        for _ in 0..1000 {
            client.publish(1, "", &queue, &[b'x'; 100]);
        }
        client.expect_nothing(1);
        let mut consume = plain::consume(&queue, "t");
        consume.no_ack = true;
        client.consume(1, &consume);
        client.send(1, &channel::Flow { active: true });
        let (mut deliveries, mut answers) = (0, 0);
        while deliveries < 1000 || answers < 1 {
            match client.expect_method(1) {
                Method::BasicDeliver(_) => {
                    assert_eq!(client.expect_content(1).body.len(), 100);
                    deliveries += 1;
                }
                Method::ChannelFlowOk(answer) => {
                    assert!(answer.active);
                    answers += 1;
                }
                other => panic!("{other:?}"),
            }
        }
        client.expect_nothing(1);
    });
}

// Rule: channel.flow.throttling, channel.flow.expected-behaviour
// Rule: rabbitmq.channel.flow.never-sent
#[test]
fn a_publisher_that_never_reads_is_not_told_to_stop() {
    check(|world| {
        let queue = world.name("flood");
        let mut client = world.client();
        client.declare_queue(1, &queue);
        for _ in 0..10_000 {
            client.publish(1, "", &queue, b"body");
        }
        assert_eq!(client.read_until_flow_ok(1), []);
        client.expect_message_count(1, &queue, 10_000);
    });
}

// Rule: rabbitmq.channel.flow.inactive
#[test]
fn a_client_cannot_stop_a_channel() {
    check(|world| {
        let mut client = world.client();
        client.expect_nothing(1);
        client.send(1, &channel::Flow { active: false });
        client.expect_connection_close(540, "NOT_IMPLEMENTED - active=false", (20, 20));
    });
}

// Rule: rabbitmq.connection.channel-zero
#[test]
fn channel_zero_is_the_connections_own() {
    check(|world| {
        let text = "CHANNEL_ERROR - unexpected method in connection state running";
        let cases: [(Step<'_>, (u16, u16)); 4] = [
            (&|client| client.send(0, &plain::queue_declare("q")), (50, 10)),
            (&|client| client.send(0, &channel::Open {}), (20, 10)),
            (&|client| client.send(0, &plain::publish("", "q")), (60, 40)),
            (&|client| client.send(0, &channel::Flow { active: true }), (20, 20)),
        ];
        for (step, ids) in cases {
            let mut client = world.connect();
            step(&mut client);
            client.expect_connection_close(504, text, ids);
        }
    });
}

#[test]
fn channels_by_the_hundred_answer_each_for_itself() {
    check(|world| {
        let mut client = world.connect();
        for number in 1..=500 {
            client.send(number, &channel::Open {});
        }
        let mut seen = [false; 501];
        for _ in 1..=500 {
            let frame = client.next_frame();
            assert_eq!(frame.kind, FrameKind::Method);
            assert!(matches!(frame.method(), Method::ChannelOpenOk(_)), "{frame:?}");
            assert!(!std::mem::replace(&mut seen[usize::from(frame.channel)], true));
        }
        client.expect_nothing(500);
    });
}
