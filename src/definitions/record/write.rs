//! Fields one after the other into a key or a value. What the fields are, it does not know.

use serde_json::{Map, Value};

use super::{FORMAT, Kind};
use crate::protocol::field::FieldTable;

/// Bytes that grow field by field.
#[derive(Debug)]
pub(super) struct Writer(Vec<u8>);

impl Writer {
    /// A key of this kind.
    pub(super) fn key(kind: Kind) -> Self {
        Self(vec![FORMAT, kind.byte()])
    }

    /// A value.
    pub(super) fn value() -> Self {
        Self(vec![FORMAT])
    }

    pub(super) fn finish(self) -> Vec<u8> {
        self.0
    }

    pub(super) fn byte(mut self, byte: u8) -> Self {
        self.0.push(byte);
        self
    }

    /// Several flags in one byte, the first lowest.
    pub(super) fn flags(self, flags: &[bool]) -> Self {
        let bits = flags.iter().rev().fold(0, |bits, flag| bits << 1 | u8::from(*flag));
        self.byte(bits)
    }

    /// Big-endian, so that keys sort as their numbers.
    pub(super) fn number(mut self, number: u64) -> Self {
        self.0.extend_from_slice(&number.to_be_bytes());
        self
    }

    pub(super) fn signed(self, number: i64) -> Self {
        self.number(number.cast_unsigned())
    }

    pub(super) fn bytes(mut self, bytes: &[u8]) -> Self {
        self = self.length(bytes.len());
        self.0.extend_from_slice(bytes);
        self
    }

    pub(super) fn text(self, text: &str) -> Self {
        self.bytes(text.as_bytes())
    }

    pub(super) fn json(self, value: &Value) -> Self {
        self.text(&value.to_string())
    }

    pub(super) fn object(self, object: &Map<String, Value>) -> Self {
        self.json(&Value::Object(object.clone()))
    }

    pub(super) fn table(mut self, table: &FieldTable) -> Self {
        table.encode(&mut self.0);
        self
    }

    /// A count, then each of them.
    pub(super) fn list<T>(
        self,
        items: impl ExactSizeIterator<Item = T>,
        write: impl Fn(Self, T) -> Self,
    ) -> Self {
        let writer = self.length(items.len());
        items.fold(writer, write)
    }

    /// Nothing that is declared comes near four gigabytes: names, patterns, arguments of one frame.
    fn length(mut self, length: usize) -> Self {
        let length = u32::try_from(length).unwrap_or(u32::MAX);
        self.0.extend_from_slice(&length.to_be_bytes());
        self
    }
}
