//! Values to bytes, appended to a buffer the caller owns. The opposite of `decode`.

use super::field::{FieldTable, FieldValue};

pub(super) fn octet(out: &mut Vec<u8>, value: u8) {
    out.push(value);
}

pub(super) fn short(out: &mut Vec<u8>, value: u16) {
    out.extend_from_slice(&value.to_be_bytes());
}

pub(super) fn long(out: &mut Vec<u8>, value: u32) {
    out.extend_from_slice(&value.to_be_bytes());
}

pub(super) fn long_long(out: &mut Vec<u8>, value: u64) {
    out.extend_from_slice(&value.to_be_bytes());
}

/// A short string; what passes 255 bytes is cut at a character's edge.
pub(super) fn short_string(out: &mut Vec<u8>, text: &str) {
    let end = text.floor_char_boundary(usize::from(u8::MAX));
    short_bytes(out, text.as_bytes().get(..end).unwrap_or(&[]));
}

fn short_bytes(out: &mut Vec<u8>, bytes: &[u8]) {
    let bytes = bytes.get(..bytes.len().min(usize::from(u8::MAX))).unwrap_or(&[]);
    out.push(u8::try_from(bytes.len()).unwrap_or(u8::MAX));
    out.extend_from_slice(bytes);
}

pub(super) fn long_string(out: &mut Vec<u8>, bytes: &[u8]) {
    long(out, u32::try_from(bytes.len()).unwrap_or(u32::MAX));
    out.extend_from_slice(bytes);
}

pub(super) fn table(out: &mut Vec<u8>, table: &FieldTable) {
    table.encode(out);
}

impl FieldTable {
    /// Writes the table with its size in front.
    pub fn encode(&self, out: &mut Vec<u8>) {
        sized(out, |out| {
            for (name, entry) in self {
                short_bytes(out, name.as_bytes());
                value(out, entry);
            }
        });
    }
}

fn value(out: &mut Vec<u8>, value: &FieldValue) {
    match value {
        FieldValue::Boolean(value) => out.extend_from_slice(&[b't', u8::from(*value)]),
        FieldValue::I8(value) => tagged(out, b'b', &value.to_be_bytes()),
        FieldValue::U8(value) => tagged(out, b'B', &[*value]),
        FieldValue::I16(value) => tagged(out, b's', &value.to_be_bytes()),
        FieldValue::U16(value) => tagged(out, b'u', &value.to_be_bytes()),
        FieldValue::I32(value) => tagged(out, b'I', &value.to_be_bytes()),
        FieldValue::U32(value) => tagged(out, b'i', &value.to_be_bytes()),
        FieldValue::I64(value) => tagged(out, b'l', &value.to_be_bytes()),
        FieldValue::F32(value) => tagged(out, b'f', &value.to_be_bytes()),
        FieldValue::F64(value) => tagged(out, b'd', &value.to_be_bytes()),
        FieldValue::Timestamp(value) => tagged(out, b'T', &value.to_be_bytes()),
        FieldValue::Void => out.push(b'V'),
        FieldValue::Decimal { scale, value } => {
            tagged(out, b'D', &[*scale]);
            long(out, *value);
        }
        FieldValue::LongString(bytes) => {
            out.push(b'S');
            long_string(out, bytes);
        }
        FieldValue::Bytes(bytes) => {
            out.push(b'x');
            long_string(out, bytes);
        }
        FieldValue::Array(values) => {
            out.push(b'A');
            sized(out, |out| values.iter().for_each(|entry| self::value(out, entry)));
        }
        FieldValue::Table(table) => {
            out.push(b'F');
            table.encode(out);
        }
    }
}

fn tagged(out: &mut Vec<u8>, letter: u8, bytes: &[u8]) {
    out.push(letter);
    out.extend_from_slice(bytes);
}

/// Writes something with its size, as a long, in front.
fn sized(out: &mut Vec<u8>, content: impl FnOnce(&mut Vec<u8>)) {
    let start = out.len();
    long(out, 0);
    content(out);
    let size = u32::try_from(out.len() - start - 4).unwrap_or(u32::MAX);
    if let Some(place) = out.get_mut(start..start + 4) {
        place.copy_from_slice(&size.to_be_bytes());
    }
}
