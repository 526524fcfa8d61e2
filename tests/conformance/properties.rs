//! Properties and headers as bytes: what a publisher wrote is what a consumer reads, octet by
//! octet, whatever its types.

use leveret::protocol::frame::ContentHeader;
use leveret::protocol::methods::{Method, basic};
use leveret::protocol::properties::Properties;

use crate::client::{BASIC, Client};
use crate::plain;
use crate::script::check;

/// All fourteen properties.
const ALL: u16 = 0xFFFC;
const HEADERS_ONLY: u16 = 1 << 13;
const BODY: &[u8] = b"body";

fn short(text: &str) -> Vec<u8> {
    let size = u8::try_from(text.len()).expect("a short string");
    [&[size][..], text.as_bytes()].concat()
}

fn long(bytes: &[u8]) -> Vec<u8> {
    let size = u32::try_from(bytes.len()).expect("a long string");
    [&size.to_be_bytes()[..], bytes].concat()
}

/// An entry of a table: its name, the letter of its type, its value.
fn entry(name: &str, kind: u8, value: &[u8]) -> Vec<u8> {
    [&short(name)[..], &[kind], value].concat()
}

/// One value of every type that there is, tables in arrays in tables too.
fn every_type() -> Vec<u8> {
    let nested = [entry("in", b'S', &long(b"side")), entry("deep", b'F', &long(&[]))].concat();
    let array = [
        vec![b't', 0],
        [b"S".as_slice(), &long(b"text")].concat(),
        [b"F".as_slice(), &long(&nested)].concat(),
        [b"A".as_slice(), &long(b"V")].concat(),
    ];
    [
        entry("boolean", b't', &[1]),
        entry("i8", b'b', &[0x80]),
        entry("u8", b'B', &[0xFF]),
        entry("i16", b's', &[0x80, 0]),
        entry("u16", b'u', &[0xFF, 0xFE]),
        entry("i32", b'I', &i32::MIN.to_be_bytes()),
        entry("u32", b'i', &u32::MAX.to_be_bytes()),
        entry("i64", b'l', &i64::MIN.to_be_bytes()),
        entry("another i64", b'L', &i64::MAX.to_be_bytes()),
        entry("f32", b'f', &1.5_f32.to_be_bytes()),
        entry("f64", b'd', &(-0.1_f64).to_be_bytes()),
        entry("decimal", b'D', &[2, 0, 0, 1, 0]),
        entry("text", b'S', &long("häslein".as_bytes())),
        entry("not text", b'S', &long(&[0xFF, 0, 0xFE])),
        entry("array", b'A', &long(&array.concat())),
        entry("timestamp", b'T', &u64::MAX.to_be_bytes()),
        entry("table", b'F', &long(&nested)),
        entry("void", b'V', &[]),
        entry("bytes", b'x', &long(&[0, 1, 2])),
        entry("twice", b'I', &[0, 0, 0, 1]),
        entry("twice", b'I', &[0, 0, 0, 2]),
        entry("", b't', &[0]),
    ]
    .concat()
}

/// Flags and list of all properties.
fn all_properties(expiration: &str) -> Vec<u8> {
    [
        ALL.to_be_bytes().to_vec(),
        short("text/plain"),
        short("utf-8"),
        long(&every_type()),
        vec![2],
        vec![200],
        short("correlation"),
        short("reply"),
        short(expiration),
        short("message"),
        1_700_000_000_u64.to_be_bytes().to_vec(),
        short("type"),
        short("guest"),
        short("application"),
        short("cluster"),
    ]
    .concat()
}

/// Publishes a message with these octets for flags and list.
fn publish(client: &mut Client, routing_key: &str, properties: &[u8]) {
    client.send(1, &plain::publish("", routing_key));
    let size = (BODY.len() as u64).to_be_bytes();
    let header = [&BASIC.to_be_bytes()[..], &[0, 0], &size, properties].concat();
    client.send_frame(2, 1, &header);
    client.send_body(1, BODY);
}

// Rule: rabbitmq.basic.properties.unchanged, rabbitmq.field-table.types
#[test]
fn all_properties_arrive_octet_by_octet() {
    check(|world| {
        let mut client = world.client();
        let name = client.new_queue(world, "q");
        let sent = all_properties("600000");
        publish(&mut client, &name, &sent);
        publish(&mut client, &name, &sent);
        let got = client.get(1, &name, true).expect("a message");
        assert_eq!(got.content.property_bytes, sent);
        client.perform(&plain::consume(&name, "t"));
        assert_eq!(client.expect_delivery(1).content.property_bytes, sent);
    });
}

// Rule: rabbitmq.basic.properties.unchanged
#[test]
fn a_message_without_properties_arrives_without_any() {
    check(|world| {
        let mut client = world.client();
        let name = client.new_queue(world, "q");
        publish(&mut client, &name, &[0, 0]);
        let got = client.get(1, &name, true).expect("a message");
        assert_eq!(got.content.property_bytes, [0, 0]);
        assert_eq!(got.content.properties, Properties::default());
        assert_eq!(got.content.body, BODY);
    });
}

// Rule: rabbitmq.basic.properties.unchanged
#[test]
fn each_property_arrives_alone_as_well() {
    check(|world| {
        let mut client = world.client();
        let name = client.new_queue(world, "q");
        for bit in 2..16_u16 {
            let value = match bit {
                13 => long(&[]),
                12 => vec![1],
                11 => vec![0],
                8 => short("100000"),
                6 => vec![0; 8],
                4 => short("guest"),
                _ => short(""),
            };
            let sent = [(1_u16 << bit).to_be_bytes().to_vec(), value].concat();
            publish(&mut client, &name, &sent);
            let got = client.get(1, &name, true).expect("a message");
            assert_eq!(got.content.property_bytes, sent, "bit {bit}");
        }
    });
}

// Rule: rabbitmq.basic.properties.unchanged, rabbitmq.field-table.types
#[test]
fn what_comes_back_and_what_comes_again_is_unchanged_too() {
    check(|world| {
        let mut client = world.client();
        let (name, missing) = (client.new_queue(world, "q"), world.name("missing"));
        let sent = [HEADERS_ONLY.to_be_bytes().to_vec(), long(&every_type())].concat();
        publish(&mut client, &name, &sent);
        assert!(client.get(1, &name, false).is_some());
        client.perform(&basic::Recover { requeue: true });
        let got = client.get(1, &name, true).expect("a message");
        assert_eq!(got.content.property_bytes, sent);

        let publish = plain::publish("", &missing);
        client.send(1, &basic::Publish { mandatory: true, ..publish });
        let header = [&BASIC.to_be_bytes()[..], &[0; 10], &sent].concat();
        client.send_frame(2, 1, &header);
        assert_eq!(client.expect_return(1).content.property_bytes, sent);
    });
}

// Rule: rabbitmq.basic.properties.unchanged
#[test]
fn properties_of_almost_a_frame_arrive() {
    check(|world| {
        let mut client = world.client();
        let name = client.new_queue(world, "q");
        let value = vec![b'x'; 100_000];
        let table = entry("large", b'S', &long(&value));
        let sent = [HEADERS_ONLY.to_be_bytes().to_vec(), long(&table)].concat();
        publish(&mut client, &name, &sent);
        let got = client.get(1, &name, true).expect("a message");
        assert!(got.content.property_bytes == sent);
    });
}

// Rule: rabbitmq.basic.properties.unchanged
#[test]
fn properties_that_are_cut_off_are_an_error_and_no_message() {
    check(|world| {
        let name = world.client().new_queue(world, "q");
        let headers = long(&every_type());
        let cut = [HEADERS_ONLY.to_be_bytes().to_vec(), headers[..headers.len() - 3].to_vec()];
        let lying = [ALL.to_be_bytes().to_vec(), short("text/plain")];
        for sent in [cut.concat(), lying.concat()] {
            let mut client = world.client();
            publish(&mut client, &name, &sent);
            let answer = client.next_frame().method();
            let is_error = matches!(answer, Method::ChannelClose(_) | Method::ConnectionClose(_));
            assert!(is_error, "{answer:?}");
        }
        assert!(world.client().drain(&name).is_empty());
    });
}

#[test]
fn the_octets_of_this_file_are_those_of_the_codec() {
    let sent = all_properties("600000");
    let header = [&BASIC.to_be_bytes()[..], &[0; 10], &sent].concat();
    let header = ContentHeader::decode(&header).expect("a content header");
    let properties = Properties::decode(header.properties).expect("properties");
    assert_eq!(properties.headers.expect("headers").len(), 22);
    assert_eq!(properties.expiration.as_deref(), Some("600000"));
}
