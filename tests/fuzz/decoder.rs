//! The fuzz target of the decoder: whatever the bytes are, reading them ends with an answer, and
//! what was read can be written and read again as the same. It knows no connection.

use leveret::protocol::field::FieldTable;
use leveret::protocol::frame::{self, ContentHeader};
use leveret::protocol::methods::Method;
use leveret::protocol::properties::{Properties, PropertyView};

/// The largest frame that is tried.
const FRAME_SIZE_MAX: usize = 4096;

/// Reads the bytes as everything they could be.
pub(crate) fn fuzz_decoder(bytes: &[u8]) {
    read_frames(bytes);
    read_method(bytes);
    read_properties(bytes);
    read_table(bytes);
    if let Ok(header) = ContentHeader::decode(bytes) {
        assert_eq!(header.properties.len() + 12, bytes.len());
        read_properties(header.properties);
    }
}

/// Frames follow each other without gaps, and each prefix of one is no frame yet.
fn read_frames(bytes: &[u8]) {
    let mut rest = bytes;
    while let Ok(Some((frame, size))) = frame::next(rest, FRAME_SIZE_MAX) {
        assert_eq!(frame.payload.len() + 8, size);
        assert_eq!(frame::next(&rest[..size - 1], FRAME_SIZE_MAX), Ok(None));
        assert!(matches!(frame::next(&rest[..size], FRAME_SIZE_MAX), Ok(Some(_))));
        read_method(frame.payload);
        rest = &rest[size..];
    }
}

fn read_method(bytes: &[u8]) {
    let Ok(method) = Method::decode(bytes) else { return };
    let mut written = Vec::new();
    method.encode(&mut written);
    assert_eq!(Method::decode(&written).as_ref(), Ok(&method));
    assert_eq!(written[..2], method.class_id().to_be_bytes());
    assert_eq!(written[2..4], method.method_id().to_be_bytes());
}

/// The view and the values agree on what is there.
fn read_properties(bytes: &[u8]) {
    let view = PropertyView::parse(bytes);
    let properties = Properties::decode(bytes);
    if let Ok(view) = view {
        assert_eq!(properties.is_ok(), view.headers_table().is_ok());
        assert_eq!(properties.is_ok(), view.has_sound_headers());
    } else {
        assert!(properties.is_err());
    }
    let Ok(properties) = properties else { return };
    let mut written = Vec::new();
    properties.encode(&mut written);
    assert_eq!(Properties::decode(&written).as_ref(), Ok(&properties));
}

fn read_table(bytes: &[u8]) {
    let Ok(table) = FieldTable::decode_body(bytes) else { return };
    let mut written = Vec::new();
    table.encode(&mut written);
    assert_eq!(FieldTable::decode_body(&written[4..]).as_ref(), Ok(&table));
}
