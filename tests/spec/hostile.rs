//! Bytes of ill will: whatever comes, the codec answers, and never panics. What it accepts it can
//! write, and read again as the same.

use leveret::protocol::field::FieldTable;
use leveret::protocol::frame::{self, ContentHeader};
use leveret::protocol::methods::Method;
use leveret::protocol::properties::{Properties, PropertyView};

use crate::payloads::{self, Numbers};
use crate::specification;

const ROUNDS: usize = 100_000;

#[test]
fn chance_bytes_never_panic() {
    let mut numbers = Numbers::seeded(0x6c65_7665_7265_7401);
    for _ in 0..ROUNDS {
        let size = numbers.below(64);
        let mut bytes = numbers.bytes(size);
        read_as_everything(&bytes);
        // Few chance bytes name a class and a method; these do.
        if let [class_high, class_low, method_high, method_low, ..] = &mut bytes[..] {
            let class = [10, 20, 30, 40, 50, 60, 85, 90][numbers.below(8)];
            let method = u8::try_from(10 * (1 + numbers.below(12)) + numbers.below(3)).unwrap();
            (*class_high, *class_low, *method_high, *method_low) = (0, class, 0, method);
        }
        read_as_everything(&bytes);
    }
}

#[test]
fn valid_methods_with_changed_bytes_never_panic() {
    let specification = specification();
    let mut numbers = Numbers::seeded(0x6c65_7665_7265_7403);
    for round in 0..ROUNDS / specification.classes.len() {
        for class in &specification.classes {
            let method = &class.methods[round % class.methods.len()];
            let mut bytes = payloads::payload(class, method, &mut numbers);
            for _ in 0..=numbers.below(3) {
                let place = numbers.below(bytes.len());
                bytes[place] = numbers.next().to_be_bytes()[5];
            }
            let end = numbers.below(bytes.len() + 1);
            read_as_everything(&bytes);
            read_as_everything(&bytes[..end]);
        }
    }
}

/// The results count only where reading worked: then writing must give the same value again.
fn read_as_everything(bytes: &[u8]) {
    if let Ok(Some((frame, consumed))) = frame::next(bytes, 4096) {
        assert!(consumed <= bytes.len() && frame.payload.len() + 8 == consumed);
    }
    if let Ok(header) = ContentHeader::decode(bytes) {
        assert_eq!(header.properties.len() + 12, bytes.len());
    }
    if let Ok(method) = Method::decode(bytes) {
        let mut written = Vec::new();
        method.encode(&mut written);
        assert_eq!(Method::decode(&written).as_ref(), Ok(&method));
    }
    if let Ok(view) = PropertyView::parse(bytes) {
        assert_eq!(Properties::decode(bytes).is_ok(), view.headers_table().is_ok());
    }
    if let Ok(properties) = Properties::decode(bytes) {
        let mut written = Vec::new();
        properties.encode(&mut written);
        assert_eq!(Properties::decode(&written).as_ref(), Ok(&properties));
    }
    if let Ok(table) = FieldTable::decode_body(bytes) {
        let mut written = Vec::new();
        table.encode(&mut written);
        assert_eq!(FieldTable::decode_body(&written[4..]).as_ref(), Ok(&table));
    }
}

/// Tables in tables, `depth` of them, as a body without its size.
fn nested_tables(depth: usize) -> Vec<u8> {
    (0..depth).fold(Vec::new(), |inner, _| {
        let mut outer = b"\x01kF".to_vec();
        payloads::long_string(&mut outer, &inner);
        outer
    })
}

/// Arrays in arrays, `depth` of them, under one name.
fn nested_arrays(depth: usize) -> Vec<u8> {
    let value = (0..depth).fold(b"V".to_vec(), |inner, _| {
        let mut outer = b"A".to_vec();
        payloads::long_string(&mut outer, &inner);
        outer
    });
    [b"\x01k", &value[..]].concat()
}

#[test]
fn nesting_is_bounded_whatever_it_is_made_of() {
    let maximum = leveret::limits::TABLE_DEPTH_MAX;
    for nested in [nested_tables, nested_arrays] {
        assert!(FieldTable::decode_body(&nested(maximum)).is_ok());
        assert!(FieldTable::decode_body(&nested(maximum + 1)).is_err());
        assert!(FieldTable::decode_body(&nested(20_000)).is_err());
    }
}

#[test]
fn a_length_beyond_the_end_is_an_error_and_no_allocation() {
    for letter in [b'S', b'x', b'A', b'F'] {
        let body = [1, b'k', letter, 0xFF, 0xFF, 0xFF, 0xFF, 0];
        assert!(FieldTable::decode_body(&body).is_err(), "{}", char::from(letter));
    }
}
