//! Methods as such: ids that do not exist or are not for servers, arguments that cannot be read,
//! and what holds for methods of many classes: names, tables, reply texts.

use leveret::protocol::field::{FieldTable, FieldValue};
use leveret::protocol::methods::{Method, access, exchange, queue};
use leveret::protocol::properties::Properties;

use crate::client::{BASIC, Step, frame_bytes};
use crate::expect::starts;
use crate::plain;
use crate::script::check;

const UNIMPLEMENTED: &str = "COMMAND_INVALID - unimplemented method";

// Rule: rabbitmq.method.unknown
#[test]
fn ids_that_do_not_exist_are_not_implemented() {
    check(|world| {
        for (channel, ids) in [(1, (99, 10)), (1, (60, 99)), (1, (0, 0)), (0, (10, 99))] {
            let mut client = world.client();
            client.send_method(channel, ids, b"");
            client.expect_connection_close(540, starts("NOT_IMPLEMENTED - "), ids);
        }
    });
}

// Rule: rabbitmq.method.not-for-servers
#[test]
fn methods_that_only_clients_receive_are_refused() {
    check(|world| {
        let cases: [((u16, u16), &[u8]); 7] = [
            ((20, 21), b"\x01"),
            ((50, 11), b"\x01q\0\0\0\0\0\0\0\0"),
            ((20, 41), b""),
            ((20, 11), b"\0\0\0\0"),
            ((40, 11), b""),
            ((60, 21), b"\x01t"),
            ((90, 11), b""),
        ];
        for (ids, arguments) in cases {
            let mut client = world.client();
            client.send_method(1, ids, arguments);
            client.expect_connection_close(503, UNIMPLEMENTED, ids);
        }
    });
}

// Rule: rabbitmq.method.not-for-servers
#[test]
fn a_delivery_from_a_client_is_refused() {
    check(|world| {
        let mut client = world.client();
        client.send_method(1, (60, 60), b"\x01t\0\0\0\0\0\0\0\x01\0\0\0");
        client.send_header(1, 0, &Properties::default());
        client.expect_connection_close(503, UNIMPLEMENTED, (60, 60));
    });
}

// Rule: rabbitmq.frame.undecodable-arguments
#[test]
fn arguments_that_cannot_be_read_are_refused() {
    check(|world| {
        let cases: [((u16, u16), &[u8]); 6] = [
            // A table longer than its frame.
            ((50, 10), b"\0\0\x01q\0\0\0\0\x09"),
            ((60, 20), b"\0\0\x01q\x01"),
            // A short string longer than its frame.
            ((50, 10), b"\0\0\x20ab"),
            // Something left over.
            ((90, 10), b"xx"),
            // Nothing where there should be something.
            ((60, 80), b""),
            ((20, 20), b""),
        ];
        for (ids, arguments) in cases {
            let mut client = world.client();
            client.send_method(1, ids, arguments);
            client.expect_connection_close(501, starts("FRAME_ERROR - cannot decode"), ids);
        }
    });
}

// Rule: rabbitmq.frame.undecodable-arguments
#[test]
fn a_table_with_a_malformed_field_is_refused() {
    check(|world| {
        // A type that does not exist, a value that is cut off, a name that is cut off.
        for table in [&b"\0\0\0\x03\x01aZ"[..], b"\0\0\0\x03\x01aI", b"\0\0\0\x02\x05a"] {
            let mut client = world.client();
            client.send_method(1, (50, 10), &[b"\0\0\x01q\0", table].concat());
            client.expect_connection_close(501, starts("FRAME_ERROR - cannot decode"), (50, 10));
        }
    });
}

// Rule: rabbitmq.frame.malformed
#[test]
fn a_method_frame_too_short_for_its_ids_is_refused() {
    check(|world| {
        for payload in [&b""[..], b"\x00\x32", b"\x00\x32\x00"] {
            let mut client = world.client();
            client.send_frame(1, 1, payload);
            client.expect_connection_close(501, starts("FRAME_ERROR - "), (0, 0));
        }
    });
}

// Rule: rabbitmq.frame.undecodable-arguments
#[test]
fn names_that_are_no_text_are_refused() {
    check(|world| {
        let mut client = world.client();
        client.send_method(1, (50, 10), b"\0\0\x02\xff\xfe\0\0\0\0\0");
        let text = "FRAME_ERROR - Malformed UTF-8 in shortstr";
        client.expect_connection_close(501, text, (0, 0));
    });
}

// Rule: rabbitmq.access.request
#[test]
fn access_is_granted_to_whoever_asks() {
    check(|world| {
        let mut client = world.client();
        let request = access::Request {
            realm: "/data",
            exclusive: true,
            passive: true,
            active: true,
            write: true,
            read: true,
        };
        client.send(1, &request);
        client.expect(1, &access::RequestOk { ticket: 1 });
    });
}

// Rule: rabbitmq.names.any-text
#[test]
fn names_are_any_text_without_line_breaks() {
    check(|world| {
        let (named, kept) = ("we ird\r\n/é!", "we ird/é!");
        let mut client = world.client();
        let declare = queue::Declare { exclusive: true, ..plain::queue_declare(named) };
        assert_eq!(client.declare(1, &declare).queue, kept);
        client.send(
            1,
            &exchange::Declare { auto_delete: true, ..plain::exchange_declare(named, "fanout") },
        );
        client.expect(1, &exchange::DeclareOk {});
        client.send(
            1,
            &exchange::Declare { passive: true, ..plain::exchange_declare(kept, "fanout") },
        );
        client.expect(1, &exchange::DeclareOk {});
        client.send(1, &plain::exchange_delete(kept));
        client.expect(1, &exchange::DeleteOk {});
    });
}

/// One value of every type there is.
fn table_of_all_types() -> FieldTable {
    let mut table = FieldTable::new();
    let inner: FieldTable = [("a", 1), ("b", 2)].into_iter().collect();
    for (name, value) in [
        ("t", FieldValue::Boolean(true)),
        ("b", FieldValue::I8(-8)),
        ("B", FieldValue::U8(200)),
        ("s", FieldValue::I16(-16)),
        ("u", FieldValue::U16(60_000)),
        ("I", FieldValue::I32(-32)),
        ("i", FieldValue::U32(4_000_000_000)),
        ("l", FieldValue::I64(-64)),
        ("f", FieldValue::F32(1.5)),
        ("d", FieldValue::F64(-2.25)),
        ("D", FieldValue::Decimal { scale: 2, value: 314 }),
        ("S", FieldValue::from("text")),
        ("A", FieldValue::Array(vec![FieldValue::I32(1), FieldValue::Array(Vec::new())])),
        ("T", FieldValue::Timestamp(1_700_000_000)),
        ("F", FieldValue::Table(inner)),
        ("V", FieldValue::Void),
        ("x", FieldValue::Bytes([0, 255].into())),
        ("", FieldValue::Void),
    ] {
        table.insert(name, value);
    }
    table
}

// Rule: rabbitmq.field-table.types
#[test]
fn every_type_of_field_comes_back_as_it_was_sent() {
    check(|world| {
        let queue = world.name("fields");
        let mut client = world.client();
        client.declare_queue(1, &queue);
        let properties =
            Properties { headers: Some(table_of_all_types()), ..Properties::default() };
        client.publish_with(1, &plain::publish("", &queue), &properties, b"");
        let got = client.get(1, &queue, true).expect("a message");
        let mut sent = Vec::new();
        properties.encode(&mut sent);
        assert_eq!(got.content.property_bytes, sent);
    });
}

// Rule: rabbitmq.field-table.types
#[test]
fn a_field_of_type_capital_l_is_a_signed_integer() {
    check(|world| {
        let queue = world.name("fields");
        let mut client = world.client();
        client.declare_queue(1, &queue);
        client.send(1, &plain::publish("", &queue));
        let mut header = BASIC.to_be_bytes().to_vec();
        header.extend_from_slice(&[0; 10]);
        header.extend_from_slice(b"\x20\0\0\0\0\x0b\x01aL\xff\xff\xff\xff\xff\xff\xff\xfe");
        client.send_bytes(&frame_bytes(2, 1, &header));
        let got = client.get(1, &queue, true).expect("a message");
        let headers = got.content.properties.headers.expect("headers");
        assert_eq!(headers.get("a"), Some(&FieldValue::I64(-2)));
    });
}

// Rule: rabbitmq.reply-text
#[test]
fn a_reply_text_is_cut_to_what_a_short_string_holds() {
    check(|world| {
        let queue = "q".repeat(255);
        let mut client = world.client();
        let passive = queue::Declare { passive: true, ..plain::queue_declare(&queue) };
        match client.call(1, &passive) {
            Method::ChannelClose(close) => {
                assert_eq!(close.reply_code, 404);
                assert_eq!(close.reply_text.len(), 255);
                assert!(close.reply_text.starts_with("NOT_FOUND - no queue 'qqq"));
            }
            other => panic!("{other:?}"),
        }
    });
}

// Rule: rabbitmq.reply-text
#[test]
fn a_returned_message_says_no_route_and_nothing_more() {
    check(|world| {
        let nobody = world.name("nobody");
        let mut client = world.client();
        let mut publish = plain::publish("", &nobody);
        publish.mandatory = true;
        client.publish_with(1, &publish, &Properties::default(), b"body");
        let returned = client.expect_return(1);
        assert_eq!((returned.method.reply_code, returned.method.reply_text), (312, "NO_ROUTE"));
    });
}

#[test]
fn an_error_names_the_method_it_is_about() {
    check(|world| {
        let missing = world.name("missing");
        let text = format!("NOT_FOUND - no queue '{missing}' in vhost '/'");
        let mut client = world.client();
        let cases: [(Step<'_>, (u16, u16)); 5] = [
            (&|client| client.send(1, &plain::queue_bind(&missing, "amq.fanout", "")), (50, 20)),
            (&|client| client.send(1, &plain::queue_purge(&missing)), (50, 30)),
            (&|client| client.send(1, &plain::consume(&missing, "t")), (60, 20)),
            (
                &|client| {
                    let passive = plain::queue_declare(&missing);
                    client.send(1, &queue::Declare { passive: true, ..passive });
                },
                (50, 10),
            ),
            (
                &|client| {
                    let get =
                        leveret::protocol::methods::basic::Get { queue: &missing, no_ack: true };
                    client.send(1, &get);
                },
                (60, 70),
            ),
        ];
        for (step, ids) in cases {
            step(&mut client);
            client.expect_channel_close(1, 404, &text, ids);
            client.open_channel(1);
        }
    });
}
