//! Fields one after the other out of a key or a value, whatever the bytes are. It reserves nothing
//! that the bytes do not hold.

use serde_json::{Map, Value};

use super::{FORMAT, RecordError};
use crate::message::Name;
use crate::protocol::field::FieldTable;

/// What is left of a key or a value.
#[derive(Debug)]
pub(super) struct Reader<'a> {
    rest: &'a [u8],
    what: &'static str,
}

impl<'a> Reader<'a> {
    pub(super) fn new(bytes: &'a [u8], what: &'static str) -> Self {
        Self { rest: bytes, what }
    }

    pub(super) fn malformed(&self) -> RecordError {
        RecordError::Malformed(self.what)
    }

    /// The first byte of all.
    pub(super) fn format(&mut self) -> Result<(), RecordError> {
        match self.byte()? {
            FORMAT => Ok(()),
            format => Err(RecordError::UnknownFormat(format)),
        }
    }

    /// Nothing follows.
    pub(super) fn is_at_end(&self) -> bool {
        self.rest.is_empty()
    }

    /// Nothing may follow.
    pub(super) fn end(&self) -> Result<(), RecordError> {
        if self.rest.is_empty() { Ok(()) } else { Err(self.malformed()) }
    }

    pub(super) fn byte(&mut self) -> Result<u8, RecordError> {
        self.array().map(|[byte]| byte)
    }

    /// As many flags as are asked for; others must not be set.
    pub(super) fn flags<const COUNT: usize>(&mut self) -> Result<[bool; COUNT], RecordError> {
        let byte = self.byte()?;
        let mut bits = byte;
        let flags = [(); COUNT].map(|()| {
            let flag = bits & 1 == 1;
            bits >>= 1;
            flag
        });
        if bits == 0 { Ok(flags) } else { Err(self.malformed()) }
    }

    pub(super) fn number(&mut self) -> Result<u64, RecordError> {
        self.array().map(u64::from_be_bytes)
    }

    pub(super) fn signed(&mut self) -> Result<i64, RecordError> {
        self.array().map(i64::from_be_bytes)
    }

    pub(super) fn bytes(&mut self) -> Result<&'a [u8], RecordError> {
        let length = self.length()?;
        self.take(length)
    }

    pub(super) fn text(&mut self) -> Result<&'a str, RecordError> {
        let bytes = self.bytes()?;
        std::str::from_utf8(bytes).map_err(|_| self.malformed())
    }

    pub(super) fn name(&mut self) -> Result<Name, RecordError> {
        self.text().map(Name::from)
    }

    pub(super) fn json(&mut self) -> Result<Value, RecordError> {
        let text = self.text()?;
        serde_json::from_str(text).map_err(|_| self.malformed())
    }

    pub(super) fn object(&mut self) -> Result<Map<String, Value>, RecordError> {
        match self.json()? {
            Value::Object(object) => Ok(object),
            _ => Err(self.malformed()),
        }
    }

    pub(super) fn table(&mut self) -> Result<FieldTable, RecordError> {
        let body = self.bytes()?;
        FieldTable::decode_body(body).map_err(|_| self.malformed())
    }

    pub(super) fn list<T>(
        &mut self,
        mut read: impl FnMut(&mut Self) -> Result<T, RecordError>,
    ) -> Result<Vec<T>, RecordError> {
        let count = self.length()?;
        let mut items = Vec::new();
        for _ in 0..count {
            items.push(read(self)?);
        }
        Ok(items)
    }

    fn length(&mut self) -> Result<usize, RecordError> {
        let length = self.array().map(u32::from_be_bytes)?;
        usize::try_from(length).map_err(|_| self.malformed())
    }

    fn array<const COUNT: usize>(&mut self) -> Result<[u8; COUNT], RecordError> {
        let (array, rest) = self.rest.split_first_chunk().ok_or_else(|| self.malformed())?;
        self.rest = rest;
        Ok(*array)
    }

    fn take(&mut self, length: usize) -> Result<&'a [u8], RecordError> {
        let (taken, rest) = self.rest.split_at_checked(length).ok_or_else(|| self.malformed())?;
        self.rest = rest;
        Ok(taken)
    }
}
