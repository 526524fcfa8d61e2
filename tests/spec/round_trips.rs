//! Values that are made, written and read again: tables, properties and frames.

use leveret::protocol::field::{FieldName, FieldTable, FieldValue};
use leveret::protocol::frame::{self, ContentHeader, Frame, FrameKind};
use leveret::protocol::properties::Properties;
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;

fn bytes() -> impl Strategy<Value = Box<[u8]>> {
    vec(any::<u8>(), 0..40).prop_map(Into::into)
}

fn simple_value() -> impl Strategy<Value = FieldValue> {
    prop_oneof![
        any::<bool>().prop_map(FieldValue::Boolean),
        any::<i8>().prop_map(FieldValue::I8),
        any::<u8>().prop_map(FieldValue::U8),
        any::<i16>().prop_map(FieldValue::I16),
        any::<u16>().prop_map(FieldValue::U16),
        any::<i32>().prop_map(FieldValue::I32),
        any::<u32>().prop_map(FieldValue::U32),
        any::<i64>().prop_map(FieldValue::I64),
        any::<u32>().prop_map(|bits| FieldValue::F32(f32::from_bits(bits))),
        any::<u64>().prop_map(|bits| FieldValue::F64(f64::from_bits(bits))),
        any::<(u8, u32)>().prop_map(|(scale, value)| FieldValue::Decimal { scale, value }),
        bytes().prop_map(FieldValue::LongString),
        any::<u64>().prop_map(FieldValue::Timestamp),
        Just(FieldValue::Void),
        bytes().prop_map(FieldValue::Bytes),
    ]
}

fn table_of(value: impl Strategy<Value = FieldValue>) -> impl Strategy<Value = FieldTable> {
    let name = vec(any::<u8>(), 0..256).prop_map(|name| FieldName::from(&name[..]));
    vec((name, value), 0..6).prop_map(|entries| entries.into_iter().collect())
}

fn value() -> impl Strategy<Value = FieldValue> {
    simple_value().prop_recursive(4, 24, 6, |inner| {
        prop_oneof![
            vec(inner.clone(), 0..6).prop_map(FieldValue::Array),
            table_of(inner).prop_map(FieldValue::Table),
        ]
    })
}

fn text() -> impl Strategy<Value = Option<Box<str>>> {
    option::of("\\PC{0,60}".prop_map(|text: String| text.into_boxed_str()))
}

prop_compose! {
    fn properties()(
        texts in (text(), text(), text(), text(), text()),
        others in (text(), text(), text(), text(), text()),
        headers in option::of(table_of(value())),
        delivery_mode in any::<Option<u8>>(),
        priority in any::<Option<u8>>(),
        timestamp in any::<Option<u64>>(),
    ) -> Properties {
        let (content_type, content_encoding, correlation_id, reply_to, expiration) = texts;
        let (message_id, kind, user_id, app_id, cluster_id) = others;
        Properties {
            content_type, content_encoding, headers, delivery_mode, priority, correlation_id,
            reply_to, expiration, message_id, timestamp, kind, user_id, app_id, cluster_id,
        }
    }
}

proptest! {
    #[test]
    fn tables_come_back_in_their_order(table in table_of(value())) {
        let mut written = Vec::new();
        table.encode(&mut written);
        let (size, body) = written.split_first_chunk::<4>().unwrap();
        prop_assert_eq!(u32::from_be_bytes(*size) as usize, body.len());
        prop_assert_eq!(FieldTable::decode_body(body), Ok(table));
    }

    #[test]
    fn properties_come_back(properties in properties()) {
        let mut written = Vec::new();
        properties.encode(&mut written);
        prop_assert_eq!(Properties::decode(&written), Ok(properties));
    }

    #[test]
    fn frames_come_back_one_after_the_other(
        channel in any::<u16>(),
        bodies in vec(vec(any::<u8>(), 0..300), 1..5),
    ) {
        let mut written = Vec::new();
        bodies.iter().for_each(|body| frame::write_body(&mut written, channel, body));
        let mut rest = &written[..];
        for body in &bodies {
            let (found, consumed) = frame::next(rest, 4096).unwrap().unwrap();
            prop_assert_eq!(found, Frame { kind: FrameKind::Body, channel, payload: body });
            prop_assert_eq!(frame::next(&rest[..consumed - 1], 4096), Ok(None));
            rest = &rest[consumed..];
        }
        prop_assert!(rest.is_empty());
    }

    #[test]
    fn content_headers_come_back(body_size in any::<u64>(), properties in properties()) {
        let (mut list, mut written) = (Vec::new(), Vec::new());
        properties.encode(&mut list);
        frame::write_header(&mut written, 1, 60, body_size, &list);
        let (found, _) = frame::next(&written, usize::MAX).unwrap().unwrap();
        let header = ContentHeader { class_id: 60, weight: 0, body_size, properties: &list };
        prop_assert_eq!(ContentHeader::decode(found.payload), Ok(header));
    }
}
