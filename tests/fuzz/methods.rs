//! Methods as a script asks for them: well-formed, with arguments that may make no sense. Frames
//! that are not well-formed come from the connection target itself.

use leveret::protocol::field::{FieldTable, FieldValue};
use leveret::protocol::frame::{write_body, write_header, write_method};
use leveret::protocol::methods::{
    access, basic, channel, confirm, connection, exchange, queue, tx,
};
use leveret::protocol::properties::Properties;

use crate::script::Script;

/// Names of arguments that somebody looks at.
const ARGUMENTS: [&str; 10] = [
    "x-queue-type",
    "x-single-active-consumer",
    "x-priority",
    "x-max-length",
    "x-message-ttl",
    "x-match",
    "alternate-exchange",
    "x-recent-history-length",
    "hash-header",
    "x-name-prefix",
];

/// Bodies are shorter than this, now and then much longer.
const BODY_SIZE: u64 = 64;

/// Types of exchanges, and one that is none.
const KINDS: [&str; 10] = [
    "direct",
    "fanout",
    "topic",
    "headers",
    "x-consistent-hash",
    "x-random",
    "x-local-random",
    "x-modulus-hash",
    "x-recent-history",
    "x-none",
];

/// Writes the method that the script asks for.
pub(crate) fn write(script: &mut Script<'_>, out: &mut Vec<u8>) {
    let channel = channel(script);
    match script.octet() % 36 {
        35 => write_method(out, channel, &channel::Open {}),
        1 => {
            let close =
                channel::Close { reply_code: 200, reply_text: "", class_id: 0, method_id: 0 };
            write_method(out, channel, &close);
        }
        2 => write_method(out, channel, &channel::CloseOk {}),
        3 => write_method(out, channel, &channel::Flow { active: script.octet() != 255 }),
        4 => write_method(out, channel, &confirm::Select { nowait: script.flag() }),
        5 => write_method(out, channel, &tx::Select {}),
        6 => write_method(out, channel, &tx::Commit {}),
        7 => write_method(out, channel, &tx::Rollback {}),
        8 => write_connection_method(script, out),
        9..21 => write_definition(script, channel, out),
        _ => write_basic(script, channel, out),
    }
}

/// One that is open, mostly.
pub(crate) fn channel(script: &mut Script<'_>) -> u16 {
    let octet = u16::from(script.octet());
    if octet == 255 { 0 } else { 1 + octet % 3 }
}

fn table(script: &mut Script<'_>) -> FieldTable {
    let count = script.octet() % 4;
    (0..count)
        .map(|_| {
            let name = ARGUMENTS[usize::from(script.octet()) % ARGUMENTS.len()];
            let value = match script.octet() % 6 {
                0 => FieldValue::Boolean(script.flag()),
                1 => FieldValue::I64(script.number().cast_signed()),
                2 => FieldValue::I8(script.octet().cast_signed()),
                3 => FieldValue::from(script.name()),
                4 => FieldValue::Void,
                _ => FieldValue::from(
                    ["classic", "quorum", "all", "any"][usize::from(script.octet() % 4)],
                ),
            };
            (name, value)
        })
        .collect()
}

/// A content header and bodies, as announced or not.
pub(crate) fn write_content(script: &mut Script<'_>, channel: u16, out: &mut Vec<u8>) {
    let bits = script.octet();
    let size = match bits {
        255 => script.number() << 8,
        250..255 => 5000,
        _ => u64::from(script.octet()) % BODY_SIZE,
    };
    let class_id = if bits == 249 { 50 } else { 60 };
    write_header(out, channel, class_id, size, &properties(script));
    if size == 0 || size > 6000 {
        return;
    }
    let body = vec![bits; usize::try_from(size).unwrap()];
    let pieces = if bits & 1 == 0 { body.len() } else { 7 };
    for piece in body.chunks(pieces.max(1)) {
        write_body(out, channel, piece);
    }
}

/// Properties that the broker looks at, or bytes that are none.
fn properties(script: &mut Script<'_>) -> Vec<u8> {
    let size = usize::from(script.octet() % 24);
    let mut bytes = Vec::new();
    match script.octet() % 16 {
        0 => bytes.extend_from_slice(script.take(size)),
        1 => {
            let keys = vec![FieldValue::from(script.name()), FieldValue::from(script.name())];
            let name = if script.flag() { "CC" } else { "BCC" };
            let headers: FieldTable = [(name, keys)].into_iter().collect();
            Properties { headers: Some(headers), ..Properties::default() }.encode(&mut bytes);
        }
        2 => {
            let reply_to = Some(script.name().into());
            Properties { reply_to, ..Properties::default() }.encode(&mut bytes);
        }
        3 => {
            let headers = Some(table(script));
            let expiration = Some("1000".into());
            Properties { headers, expiration, ..Properties::default() }.encode(&mut bytes);
        }
        _ => bytes.extend_from_slice(&[0, 0]),
    }
    bytes
}

fn write_connection_method(script: &mut Script<'_>, out: &mut Vec<u8>) {
    match script.octet() % 8 {
        0 => {
            let close =
                connection::Close { reply_code: 200, reply_text: "", class_id: 0, method_id: 0 };
            write_method(out, 0, &close);
        }
        1 => write_method(out, 0, &connection::CloseOk {}),
        2 => write_method(out, 0, &connection::UpdateSecret { new_secret: b"a", reason: "b" }),
        3 => write_method(out, 0, &connection::Open { virtual_host: script.name() }),
        4 => write_method(out, 0, &connection::Unblocked {}),
        5 => {
            let tune_ok = connection::TuneOk {
                channel_max: u16::from(script.octet()),
                frame_max: 4096 * u32::from(script.octet()),
                heartbeat: u16::from(script.octet()),
            };
            write_method(out, 0, &tune_ok);
        }
        6 => write_method(out, 1, &connection::CloseOk {}),
        _ => {
            let start_ok = connection::StartOk {
                client_properties: table(script),
                mechanism: if script.flag() { "PLAIN" } else { "AMQPLAIN" },
                response: script.take(12),
                locale: "en_US",
            };
            write_method(out, 0, &start_ok);
        }
    }
}

fn write_definition(script: &mut Script<'_>, channel: u16, out: &mut Vec<u8>) {
    let bits = script.octet();
    let bit = |place: u8| bits >> place & 1 == 1;
    let (one, other, routing_key) = (script.name(), script.name(), script.name());
    let arguments = table(script);
    let nowait = bit(0);
    match script.octet() % 12 {
        0..3 => {
            let declare = queue::Declare {
                queue: one,
                passive: bit(1),
                durable: bit(2),
                exclusive: bit(3),
                auto_delete: bit(4),
                nowait,
                arguments,
            };
            write_method(out, channel, &declare);
        }
        3 => {
            let kind = KINDS[usize::from(script.octet()) % KINDS.len()];
            write_method(out, channel, &declare_exchange(one, kind, bits, arguments));
        }
        4 => write_method(
            out,
            channel,
            &queue::Bind { queue: one, exchange: other, routing_key, nowait, arguments },
        ),
        5 => write_method(
            out,
            channel,
            &queue::Unbind { queue: one, exchange: other, routing_key, arguments },
        ),
        6 => write_method(
            out,
            channel,
            &exchange::Bind { destination: one, source: other, routing_key, nowait, arguments },
        ),
        7 => write_method(
            out,
            channel,
            &exchange::Unbind { destination: one, source: other, routing_key, nowait, arguments },
        ),
        8 => write_method(
            out,
            channel,
            &queue::Delete { queue: one, if_unused: bit(1), if_empty: bit(2), nowait },
        ),
        9 => write_method(
            out,
            channel,
            &exchange::Delete { exchange: one, if_unused: bit(1), nowait },
        ),
        10 => write_method(out, channel, &queue::Purge { queue: one, nowait }),
        _ => {
            let request = access::Request {
                realm: "/",
                exclusive: false,
                passive: true,
                active: true,
                write: true,
                read: true,
            };
            write_method(out, channel, &request);
        }
    }
}

fn declare_exchange<'a>(
    exchange: &'a str,
    kind: &'a str,
    bits: u8,
    arguments: FieldTable,
) -> exchange::Declare<'a> {
    let bit = |place: u8| bits >> place & 1 == 1;
    exchange::Declare {
        exchange,
        kind,
        passive: bit(1),
        durable: bit(2),
        auto_delete: bit(3),
        internal: bit(4),
        nowait: bit(0),
        arguments,
    }
}

fn write_basic(script: &mut Script<'_>, channel: u16, out: &mut Vec<u8>) {
    let bits = script.octet();
    let bit = |place: u8| bits >> place & 1 == 1;
    let name = script.name();
    let delivery_tag = u64::from(script.octet() % 8);
    match script.octet() % 16 {
        0..3 | 12.. => {
            let publish = basic::Publish {
                exchange: if bits.is_multiple_of(8) { name } else { "" },
                routing_key: script.name(),
                mandatory: bit(1),
                immediate: bits > 250,
            };
            write_method(out, channel, &publish);
            if bits % 16 != 15 {
                write_content(script, channel, out);
            }
        }
        3 => {
            let consume = basic::Consume {
                queue: name,
                consumer_tag: script.name(),
                no_local: bit(0),
                no_ack: bit(1),
                exclusive: bit(2),
                nowait: bit(3),
                arguments: table(script),
            };
            write_method(out, channel, &consume);
        }
        4 => write_method(out, channel, &basic::Cancel { consumer_tag: name, nowait: bit(0) }),
        5 => write_method(out, channel, &basic::Get { queue: name, no_ack: bit(0) }),
        6 => write_method(out, channel, &basic::Ack { delivery_tag, multiple: bit(0) }),
        7 => write_method(
            out,
            channel,
            &basic::Nack { delivery_tag, multiple: bit(0), requeue: bit(1) },
        ),
        8 => write_method(out, channel, &basic::Reject { delivery_tag, requeue: bit(0) }),
        9 => {
            let prefetch_count = u16::from(script.octet() % 4);
            let prefetch_size = u32::from(bits > 250);
            write_method(
                out,
                channel,
                &basic::Qos { prefetch_size, prefetch_count, global: bit(0) },
            );
        }
        10 => write_method(out, channel, &basic::Recover { requeue: bits < 250 }),
        11 => write_method(out, channel, &basic::RecoverAsync { requeue: bits < 250 }),
    }
}
