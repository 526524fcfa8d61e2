//! How a connection ends, by whichever side, and what is refused on it as a whole. How it begins is
//! in `handshake`.

use leveret::protocol::methods::{channel, connection, queue};

use crate::client::Step;
use crate::expect::starts;
use crate::login::Login;
use crate::plain;
use crate::script::{check, check_in_process};

const SHUTDOWN: &str =
    "CONNECTION_FORCED - broker forced connection closure with reason 'shutdown'";

/// A method that closes the connection: there is no flow control by the client.
const FATAL: channel::Flow = channel::Flow { active: false };
const FATAL_TEXT: &str = "NOT_IMPLEMENTED - active=false";
const FATAL_IDS: (u16, u16) = (20, 20);

#[test]
fn a_client_closes_its_connection() {
    check(|world| {
        let mut client = world.client();
        client.send_close();
        client.expect(0, &connection::CloseOk {});
        if world.is_leveret() {
            client.expect_end();
        }
    });
}

#[test]
fn everything_sent_before_close_is_done_first() {
    check(|world| {
        let queue = world.name("last");
        let mut client = world.client();
        client.declare_queue(1, &queue);
        for _ in 0..100 {
            client.publish(1, "", &queue, b"body");
        }
        client.close();
        world.client().expect_message_count(1, &queue, 100);
    });
}

#[test]
fn nothing_sent_behind_close_is_done() {
    check(|world| {
        let queue = world.name("late");
        let mut client = world.client();
        client.send_close();
        client.send(1, &plain::queue_declare(&queue));
        client.expect(0, &connection::CloseOk {});
        world.client().expect_no_queue(1, &queue);
    });
}

// Rule: connection.close.stability
#[test]
fn after_connection_close_everything_is_dropped_but_the_closing_handshake() {
    check(|world| {
        let queue = world.name("dropped");
        let mut client = world.client();
        client.send(1, &FATAL);
        client.expect_connection_close_unanswered(540, FATAL_TEXT, FATAL_IDS);
        client.send(1, &plain::queue_declare(&queue));
        client.send(9, &channel::Open {});
        client.publish(1, "", "nobody", b"body");
        client.expect_silence();
        client.send_close();
        client.expect(0, &connection::CloseOk {});
        client.send(0, &connection::CloseOk {});
        client.expect_end();
        world.client().expect_no_queue(1, &queue);
    });
}

#[test]
fn what_was_sent_behind_a_fatal_method_is_not_done() {
    check(|world| {
        let queue = world.name("dropped");
        let mut client = world.client();
        client.send(1, &FATAL);
        client.send(1, &plain::queue_declare(&queue));
        client.expect_connection_close(540, FATAL_TEXT, FATAL_IDS);
        world.client().expect_no_queue(1, &queue);
    });
}

#[test]
fn a_connection_that_failed_gives_back_what_it_had_out() {
    check(|world| {
        let queue = world.name("out");
        let mut other = world.client();
        other.declare_queue(1, &queue);
        other.publish(1, "", &queue, b"one");
        let mut client = world.client();
        assert!(client.get(1, &queue, false).is_some());
        client.send(1, &FATAL);
        client.expect_connection_close(540, FATAL_TEXT, FATAL_IDS);
        other.expect_message_count(1, &queue, 1);
        assert!(other.get(1, &queue, true).unwrap().method.redelivered);
    });
}

#[test]
fn a_client_that_does_not_answer_close_is_cut_off() {
    check_in_process(|world| {
        for (heartbeat, patience_ms) in [(0, 30_000), (60, 30_000), (10, 10_000)] {
            let mut client = world.log_in(&Login { heartbeat, ..Login::default() });
            client.open_channel(1);
            client.send(1, &FATAL);
            client.expect_connection_close_unanswered(540, FATAL_TEXT, FATAL_IDS);
            world.advance(patience_ms - 1);
            client.expect_silence();
            world.advance(1);
            client.expect_end();
        }
    });
}

// Rule: rabbitmq.connection.channel-zero
#[test]
fn methods_of_the_connection_belong_on_channel_zero() {
    check(|world| {
        let mut client = world.client();
        let close =
            connection::Close { reply_code: 200, reply_text: "", class_id: 0, method_id: 0 };
        client.send(1, &close);
        client.expect_connection_close(503, "COMMAND_INVALID - unimplemented method", (10, 50));
    });
}

// Rule: rabbitmq.connection.channel-zero
#[test]
fn steps_of_the_handshake_are_not_repeated() {
    check(|world| {
        let text = "CHANNEL_ERROR - unexpected method in connection state running";
        let tune_ok = connection::TuneOk { channel_max: 1, frame_max: 4096, heartbeat: 0 };
        let open = connection::Open { virtual_host: "/" };
        let cases: [(Step<'_>, (u16, u16)); 4] = [
            (&|client| client.authenticate(&Login::default()), (10, 11)),
            (&|client| client.send(0, &tune_ok), (10, 31)),
            (&|client| client.send(0, &open), (10, 40)),
            (&|client| client.send(0, &connection::CloseOk {}), (10, 51)),
        ];
        for (step, ids) in cases {
            let mut client = world.connect();
            step(&mut client);
            client.expect_connection_close(504, text, ids);
        }
    });
}

// Rule: rabbitmq.connection.update-secret
#[test]
fn a_secret_is_updated_while_the_connection_goes_on() {
    check(|world| {
        let mut client = world.client();
        client.send(0, &connection::UpdateSecret { new_secret: b"guest", reason: "rotation" });
        client.expect(0, &connection::UpdateSecretOk {});
        client.expect_nothing(1);
    });
}

// Rule: rabbitmq.connection.update-secret
#[test]
fn a_secret_that_is_wrong_closes_the_connection() {
    check(|world| {
        let mut client = world.client();
        client.send(0, &connection::UpdateSecret { new_secret: b"wrong", reason: "rotation" });
        client.expect_connection_close(530, starts("NOT_ALLOWED - "), (10, 70));
    });
}

// Rule: rabbitmq.connection.closing.forced
#[test]
fn a_broker_that_stops_says_so() {
    check_in_process(|world| {
        let mut clients = [world.connect(), world.client()];
        clients[1].send(
            1,
            &queue::Declare { exclusive: true, nowait: true, ..plain::queue_declare("q") },
        );
        world.shut_down();
        for client in &mut clients {
            client.expect_connection_close(320, SHUTDOWN, (0, 0));
        }
    });
}

#[test]
fn a_dropped_socket_gives_back_what_the_client_had_out() {
    check(|world| {
        let queue = world.name("out");
        let mut other = world.client();
        other.declare_queue(1, &queue);
        other.publish(1, "", &queue, b"one");
        let mut client = world.client();
        client.consume(1, &plain::consume(&queue, "t"));
        client.expect_delivery(1);
        client.hang_up();
        other.expect_message_count(1, &queue, 1);
        assert!(other.get(1, &queue, true).unwrap().method.redelivered);
    });
}
