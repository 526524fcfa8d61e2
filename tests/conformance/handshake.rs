//! From connection.start to connection.open-ok: properties, logins, limits, virtual hosts, and how
//! long all that may take. The header before it is in `header`.

use leveret::protocol::field::{FieldTable, FieldValue};
use leveret::protocol::frame::FrameKind;
use leveret::protocol::methods::{Method, channel, connection};

use crate::client::{Client, Step, frame_bytes};
use crate::login::{Login, with_capabilities};
use crate::script::{World, check, check_in_process};

/// How long a refused client hears nothing.
const SILENT_DELAY_MS: u64 = 3000;

const LOGIN_REFUSED: &str = "ACCESS_REFUSED - Login was refused using authentication mechanism \
                             PLAIN. For details see the broker logfile.";

fn text_of<'a>(table: &'a FieldTable, name: &str) -> &'a str {
    table.get(name).and_then(FieldValue::as_str).unwrap_or_else(|| panic!("{name} in {table:?}"))
}

// Rule: connection.start.server-properties.required-fields
#[test]
fn the_broker_introduces_itself() {
    check(|world| {
        let properties = world.plug().start().server_properties;
        assert_eq!(text_of(&properties, "product"), "RabbitMQ");
        for name in ["version", "platform", "copyright", "information", "cluster_name"] {
            assert!(!text_of(&properties, name).is_empty(), "{name}");
        }
        if world.is_leveret() {
            assert_eq!(text_of(&properties, "version"), "4.3.5");
            assert!(text_of(&properties, "platform").starts_with("Leveret "));
            assert!(text_of(&properties, "information").starts_with("Leveret "));
        }
    });
}

// Rule: rabbitmq.connection.start.server-properties
#[test]
fn the_broker_tells_what_it_can() {
    check(|world| {
        let start = world.plug().start();
        let Some(FieldValue::Table(capabilities)) = start.server_properties.get("capabilities")
        else {
            panic!("{start:?}")
        };
        for name in [
            "publisher_confirms",
            "exchange_exchange_bindings",
            "basic.nack",
            "consumer_cancel_notify",
            "connection.blocked",
            "consumer_priorities",
            "authentication_failure_close",
            "per_consumer_qos",
            "direct_reply_to",
        ] {
            assert_eq!(capabilities.get(name), Some(&FieldValue::Boolean(true)), "{name}");
        }
        let mechanisms = std::str::from_utf8(start.mechanisms).unwrap();
        let mechanisms: Vec<&str> = mechanisms.split(' ').collect();
        assert!(mechanisms.contains(&"PLAIN") && mechanisms.contains(&"AMQPLAIN"));
    });
}

// Rule: connection.start.locales.required-support
#[test]
fn american_english_is_offered() {
    check(|world| {
        let start = world.plug().start();
        let locales = std::str::from_utf8(start.locales).unwrap();
        assert!(locales.split(' ').any(|locale| locale == "en_US"), "{locales}");
    });
}

#[test]
fn the_limits_offered_are_those_of_rabbitmq() {
    check(|world| {
        let tune = world.plug().until_tune(&Login::default());
        let offered = connection::Tune { channel_max: 2047, frame_max: 131_072, heartbeat: 60 };
        assert_eq!(tune, offered);
    });
}

// Rule: rabbitmq.connection.start-ok.amqplain
#[test]
fn amqplain_takes_a_table_without_its_size() {
    check(|world| {
        let table: FieldTable = [("LOGIN", "guest"), ("PASSWORD", "guest")].into_iter().collect();
        let mut response = Vec::new();
        table.encode(&mut response);
        response.drain(..4);
        let login = Login { mechanism: "AMQPLAIN", response, ..Login::default() };
        world.log_in(&login).open_channel(1);
    });
}

/// Says start-ok and hears nothing until the socket is closed after the silent delay; each login is
/// a client of its own, and all wait at the same time.
fn expect_silent_ends(world: &World, logins: &[Login]) {
    let greeted = |login| {
        let mut client = world.plug();
        client.start();
        client.authenticate(login);
        client
    };
    let mut clients: Vec<Client> = logins.iter().map(greeted).collect();
    if world.is_in_process() {
        world.advance(SILENT_DELAY_MS - 1);
        clients.iter_mut().for_each(Client::expect_silence);
    }
    world.let_pass(1);
    clients.iter_mut().for_each(Client::expect_end);
}

// Rule: connection.start-ok.mechanism.validity
#[test]
fn a_mechanism_that_was_not_offered_ends_the_socket_in_silence() {
    check(|world| {
        let able = Login { mechanism: "FOO", ..Login::default() };
        let plain = Login { mechanism: "FOO", ..Login::without_capabilities() };
        expect_silent_ends(world, &[able, plain]);
    });
}

// Rule: rabbitmq.connection.start-ok.plain-layout
#[test]
fn a_plain_response_of_another_layout_ends_the_socket_in_silence() {
    check(|world| {
        let responses = [&b"guestguest"[..], b"", b"guest\0guest", b"\0guest"];
        let login = |response: &[u8]| Login { response: response.to_vec(), ..Login::default() };
        expect_silent_ends(world, &responses.map(login));
    });
}

// Rule: rabbitmq.connection.start-ok.login-refused
#[test]
fn a_refused_login_is_told_to_clients_that_understand_it() {
    check(|world| {
        for response in [&b"\0guest\0wrong"[..], b"\0\xff\xfe\0guest"] {
            let mut client = expect_refused(world, response);
            if world.is_in_process() {
                world.advance(SILENT_DELAY_MS - 1);
                client.expect_silence();
            }
            world.let_pass(1);
            client.expect_end();
        }
    });
}

// Rule: rabbitmq.connection.start-ok.login-refused
#[test]
fn who_was_told_of_a_refused_login_may_hang_up_at_once() {
    check(|world| {
        let mut client = expect_refused(world, b"\0guest\0wrong");
        client.send(0, &connection::CloseOk {});
        client.expect_end();
    });
}

/// A client whose login with this response of PLAIN is refused, and which is told at once.
fn expect_refused(world: &World, response: &[u8]) -> Client {
    let login = Login {
        client_properties: with_capabilities(&["authentication_failure_close"]),
        response: response.to_vec(),
        ..Login::default()
    };
    let mut client = world.plug();
    client.start();
    client.authenticate(&login);
    client.expect_connection_close_unanswered(403, LOGIN_REFUSED, (0, 0));
    client
}

// Rule: rabbitmq.connection.start-ok.login-refused
#[test]
fn a_refused_login_ends_the_socket_in_silence_for_other_clients() {
    check(|world| {
        let responses = [&b"\0guest\0wrong"[..], b"\0nobody\0guest", b"\0guest\0"];
        expect_silent_ends(
            world,
            &responses.map(|response| Login {
                response: response.to_vec(),
                ..Login::without_capabilities()
            }),
        );
    });
}

// Rule: rabbitmq.connection.start-ok.login-refused
#[test]
fn guest_is_refused_from_other_machines() {
    check_in_process(|world| {
        let mut client = world.plug_from("203.0.113.7".parse().unwrap());
        client.start();
        client.authenticate(&Login::default());
        client.expect_connection_close_unanswered(403, LOGIN_REFUSED, (0, 0));
        for address in ["127.0.0.1", "127.8.8.8", "::1", "::ffff:127.0.0.1"] {
            world.plug_from(address.parse().unwrap()).log_in(&Login::default());
        }
    });
}

/// A start-ok whose frame has this many octets in all.
fn start_ok_of_size(size: usize) -> Vec<u8> {
    let bytes = |padding: usize| {
        let mut arguments = Vec::new();
        let properties: FieldTable = [("padding", "x".repeat(padding))].into_iter().collect();
        properties.encode(&mut arguments);
        arguments.extend_from_slice(b"\x05PLAIN\x00\x00\x00\x0c\0guest\0guest\x05en_US");
        frame_bytes(1, 0, &[b"\x00\x0a\x00\x0b", &arguments[..]].concat())
    };
    bytes(size - bytes(0).len())
}

// Rule: connection.tune.frame-max.minimum, rabbitmq.frame.size-limit
#[test]
fn before_tuning_a_frame_may_have_4096_octets_and_eight_of_slack() {
    check(|world| {
        for size in [4095, 4096, 4104] {
            let mut client = world.plug();
            client.start();
            client.send_bytes(&start_ok_of_size(size));
            assert!(matches!(client.expect_method(0), Method::ConnectionTune(_)), "{size}");
        }
    });
}

// Rule: rabbitmq.frame.size-limit
#[test]
fn before_tuning_a_larger_frame_ends_the_socket_in_silence() {
    check(|world| {
        let mut client = world.plug();
        client.start();
        client.send_bytes(&start_ok_of_size(4105));
        world.let_pass(SILENT_DELAY_MS);
        client.expect_end();
    });
}

/// Sends tune-ok with these limits, and connection.open behind it.
fn tune_and_open(client: &mut Client, channel_max: u16, frame_max: u32) {
    client.until_tune(&Login::default());
    client.send(0, &connection::TuneOk { channel_max, frame_max, heartbeat: 0 });
    client.send(0, &connection::Open { virtual_host: "/" });
}

/// The connection ends, whatever is said before, and it is never opened.
fn expect_never_open(world: &World, client: &mut Client) {
    world.let_pass(SILENT_DELAY_MS);
    if let Some(frame) = client.next_of_any_kind(true) {
        assert!(matches!(frame.method(), Method::ConnectionClose(_)), "{frame:?}");
        client.send(0, &connection::CloseOk {});
    }
    client.expect_end();
}

// Rule: connection.tune-ok.channel-max.upper-limit
#[test]
fn more_channels_than_offered_are_not_agreed_to() {
    check(|world| {
        let mut client = world.plug();
        tune_and_open(&mut client, 2048, 131_072);
        expect_never_open(world, &mut client);
    });
}

// Rule: connection.tune-ok.frame-max.upper-limit
#[test]
fn larger_frames_than_offered_are_not_agreed_to() {
    check(|world| {
        let mut client = world.plug();
        tune_and_open(&mut client, 2047, 131_073);
        expect_never_open(world, &mut client);
    });
}

// Rule: connection.tune-ok.frame-max.minimum
#[test]
fn frames_of_4096_octets_are_the_smallest_agreed_to() {
    check(|world| {
        let mut client = world.plug();
        tune_and_open(&mut client, 2047, 4096);
        client.expect(0, &connection::OpenOk {});
        let mut client = world.plug();
        tune_and_open(&mut client, 2047, 4095);
        expect_never_open(world, &mut client);
    });
}

// Rule: rabbitmq.connection.tune-ok.refused
#[test]
fn limits_that_are_refused_are_told() {
    check(|world| {
        let higher = |limit: &str, value: &str, maximum: u32| {
            format!(
                "NOT_ALLOWED - negotiated {limit} = {value} is higher than the maximum allowed \
                 value ({maximum})"
            )
        };
        let lower = "NOT_ALLOWED - negotiated frame_max = 4095 is lower than the minimum allowed \
                     value (4096)";
        for (channel_max, frame_max, text) in [
            (2048, 131_072, higher("channel_max", "2048", 2047)),
            (65_535, 131_072, higher("channel_max", "65535", 2047)),
            (0, 131_072, higher("channel_max", "0 (no limit)", 2047)),
            (2047, 131_073, higher("frame_max", "131073", 131_072)),
            (2047, 0, higher("frame_max", "0 (no limit)", 131_072)),
            (2047, 4095, lower.to_owned()),
        ] {
            let mut client = world.plug();
            tune_and_open(&mut client, channel_max, frame_max);
            client.expect_connection_close(530, &text, (10, 31));
        }
    });
}

#[test]
fn a_client_may_agree_to_less_than_offered() {
    check(|world| {
        let login = Login { channel_max: 1, frame_max: 4096, heartbeat: 7, ..Login::default() };
        world.log_in(&login).open_channel(1);
    });
}

// Rule: connection.open.virtual-host.security
#[test]
fn a_virtual_host_that_does_not_exist_is_not_opened() {
    check(|world| {
        let mut client = world.plug();
        client.until_tune(&Login::default());
        client.tune(&Login::default());
        client.send(0, &connection::Open { virtual_host: "nope" });
        client.expect_connection_close(530, "NOT_ALLOWED - vhost nope not found", (10, 40));
    });
}

#[test]
fn steps_out_of_order_never_open_the_connection() {
    check(|world| {
        let open = connection::Open { virtual_host: "/" };
        let tune_ok = connection::TuneOk { channel_max: 0, frame_max: 4096, heartbeat: 0 };
        let steps: [Step<'_>; 5] = [
            &|client| client.send(0, &open),
            &|client| client.send(0, &tune_ok),
            &|client| client.send(1, &channel::Open {}),
            &|client| client.send(0, &channel::Open {}),
            &|client| client.send_body(1, b"body"),
        ];
        let mut clients = steps.map(|step| {
            let mut client = world.plug();
            client.start();
            step(&mut client);
            client
        });
        clients.iter_mut().for_each(|client| expect_never_open(world, client));
    });
}

// Rule: rabbitmq.connection.handshake.deadline
#[test]
fn a_handshake_has_ten_seconds() {
    check_in_process(|world| {
        let login = Login::default();
        let steps: [Step<'_>; 4] = [
            &|_| {},
            &|client| client.send_bytes(b"AMQP"),
            &|client| drop(client.start()),
            &|client| {
                client.until_tune(&login);
                client.tune(&login);
            },
        ];
        for step in steps {
            let mut client = world.plug();
            step(&mut client);
            world.advance(9999);
            client.expect_silence();
            world.advance(1);
            client.expect_end();
        }
    });
}

#[test]
fn an_open_connection_has_no_deadline() {
    check_in_process(|world| {
        let mut client = world.client();
        world.advance(3_600_000);
        client.expect_silence();
        client.expect_nothing(1);
    });
}

/// Heartbeats that are here, and nothing else.
fn heartbeats(client: &mut Client) -> usize {
    let mut count = 0;
    while let Some(frame) = client.next_of_any_kind(false) {
        assert_eq!((frame.kind, frame.channel), (FrameKind::Heartbeat, 0), "{frame:?}");
        assert!(frame.payload.is_empty(), "{frame:?}");
        count += 1;
    }
    count
}

// Rule: rabbitmq.connection.heartbeat.sent
#[test]
fn a_heartbeat_comes_when_nothing_else_does() {
    check_in_process(|world| {
        let mut client = world.log_in(&Login { heartbeat: 2, ..Login::default() });
        for second in 0..30 {
            client.send_frame(8, 0, &[]);
            world.advance(1000);
            assert!(heartbeats(&mut client) >= 1, "second {second}");
        }
    });
}

// Rule: rabbitmq.connection.heartbeat.sent
#[test]
fn heartbeats_can_be_turned_off() {
    check_in_process(|world| {
        let mut client = world.client();
        world.advance(60_000);
        assert_eq!(heartbeats(&mut client), 0);
        client.expect_nothing(1);
    });
}

// Rule: rabbitmq.connection.heartbeat.missed
#[test]
fn a_silent_client_is_cut_off_without_a_word() {
    check_in_process(|world| {
        let mut client = world.log_in(&Login { heartbeat: 2, ..Login::default() });
        world.advance(3999);
        heartbeats(&mut client);
        client.expect_silence();
        world.advance(2001);
        heartbeats(&mut client);
        client.expect_end();
    });
}

// Rule: rabbitmq.connection.heartbeat.missed
#[test]
fn any_bytes_of_the_client_count_as_a_sign_of_life() {
    check_in_process(|world| {
        let mut client = world.log_in(&Login { heartbeat: 2, ..Login::default() });
        client.open_channel(1);
        let flow = frame_bytes(1, 1, b"\x00\x14\x00\x14\x01");
        for octet in flow {
            world.advance(3000);
            client.send_bytes(&[octet]);
        }
        client.expect(1, &channel::FlowOk { active: true });
        world.advance(6000);
        heartbeats(&mut client);
        client.expect_end();
    });
}

// Rule: rabbitmq.connection.heartbeat.channel
#[test]
fn heartbeats_before_tuning_are_passed_over() {
    check(|world| {
        let mut client = world.plug();
        client.start();
        client.send_frame(8, 0, &[]);
        client.authenticate(&Login::default());
        assert!(matches!(client.expect_method(0), Method::ConnectionTune(_)));
        client.send_frame(8, 0, &[]);
        client.tune(&Login::default());
        client.send_frame(8, 0, &[]);
        client.send(0, &connection::Open { virtual_host: "/" });
        client.expect(0, &connection::OpenOk {});
    });
}
