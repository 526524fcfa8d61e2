//! Parsers from bytes to values, on whole payloads only: a field that is not all there is an error,
//! never a reason to wait. They allocate no more than a small multiple of what they read.

use nom::IResult;
use nom::Parser;
use nom::bytes::complete::take;
use nom::combinator::map;
use nom::multi::length_data;
use nom::number::complete::{
    be_f32, be_f64, be_i8, be_i16, be_i32, be_i64, be_u8, be_u16, be_u32, be_u64,
};

use super::field::{FieldTable, FieldValue};
use crate::limits::TABLE_DEPTH_MAX;

/// Why bytes are not what they should be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DecodeError {
    /// What is wrong.
    pub kind: DecodeErrorKind,
}

/// What is wrong with bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DecodeErrorKind {
    /// The method is none there is.
    Unknown {
        /// Its class.
        class_id: u16,
        /// Its number.
        method_id: u16,
    },
    /// A field is cut off, too long, or of no known type.
    Malformed,
    /// A short string is not text.
    InvalidUtf8,
}

impl std::fmt::Display for DecodeError {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "{:?}", self.kind)
    }
}

impl std::error::Error for DecodeError {}

impl nom::error::ParseError<&[u8]> for DecodeError {
    fn from_error_kind(_: &[u8], _: nom::error::ErrorKind) -> Self {
        Self { kind: DecodeErrorKind::Malformed }
    }

    fn append(_: &[u8], _: nom::error::ErrorKind, other: Self) -> Self {
        other
    }
}

/// What a parser gives: the rest, and the value.
pub(super) type Parsed<'a, T> = IResult<&'a [u8], T, DecodeError>;

/// Takes the value of a parser that used everything.
pub(super) fn finish<T>(result: Parsed<'_, T>) -> Result<T, DecodeError> {
    match result {
        Ok(([], value)) => Ok(value),
        Ok(_) | Err(nom::Err::Incomplete(_)) => {
            Err(DecodeError { kind: DecodeErrorKind::Malformed })
        }
        Err(nom::Err::Error(error) | nom::Err::Failure(error)) => Err(error),
    }
}

pub(super) fn octet(input: &[u8]) -> Parsed<'_, u8> {
    be_u8(input)
}

pub(super) fn short(input: &[u8]) -> Parsed<'_, u16> {
    be_u16(input)
}

pub(super) fn long(input: &[u8]) -> Parsed<'_, u32> {
    be_u32(input)
}

pub(super) fn long_long(input: &[u8]) -> Parsed<'_, u64> {
    be_u64(input)
}

/// A string of at most 255 bytes that must be text.
pub(super) fn short_string(input: &[u8]) -> Parsed<'_, &str> {
    let (rest, bytes) = length_data(be_u8).parse(input)?;
    match std::str::from_utf8(bytes) {
        Ok(text) => Ok((rest, text)),
        Err(_) => Err(nom::Err::Failure(DecodeError { kind: DecodeErrorKind::InvalidUtf8 })),
    }
}

/// A property's text. Properties pass through as they came, so what is no text is only seen as the
/// replacement character.
pub(super) fn property_text(input: &[u8]) -> Parsed<'_, &str> {
    let text = |bytes| std::str::from_utf8(bytes).unwrap_or("\u{FFFD}");
    map(length_data(be_u8), text).parse(input)
}

/// Any bytes.
pub(super) fn long_string(input: &[u8]) -> Parsed<'_, &[u8]> {
    length_data(be_u32).parse(input)
}

/// A table with its size in front.
pub(super) fn table(input: &[u8]) -> Parsed<'_, FieldTable> {
    table_at(input, 0)
}

impl FieldTable {
    /// Reads the entries of a table that has no size in front.
    ///
    /// # Errors
    /// The bytes are no entries.
    pub fn decode_body(bytes: &[u8]) -> Result<Self, DecodeError> {
        finish(entries(bytes, 0))
    }
}

fn table_at(input: &[u8], depth: usize) -> Parsed<'_, FieldTable> {
    let (rest, body) = length_data(be_u32).parse(input)?;
    let (_, table) = entries(body, depth)?;
    Ok((rest, table))
}

/// Entries are counted before room is made for them, so that a table needs what it holds and not
/// twice that.
fn entries(body: &[u8], depth: usize) -> Parsed<'_, FieldTable> {
    let mut table = FieldTable::with_capacity(count(body, true)?);
    let mut rest = body;
    while !rest.is_empty() {
        let (input, name) = length_data(be_u8).parse(rest)?;
        let (input, entry) = value(input, depth)?;
        table.insert(name, entry);
        rest = input;
    }
    Ok((rest, table))
}

fn value(input: &[u8], depth: usize) -> Parsed<'_, FieldValue> {
    let (input, letter) = be_u8(input)?;
    match letter {
        b't' => map(be_u8, |octet| FieldValue::Boolean(octet != 0)).parse(input),
        b'b' => map(be_i8, FieldValue::I8).parse(input),
        b'B' => map(be_u8, FieldValue::U8).parse(input),
        b's' => map(be_i16, FieldValue::I16).parse(input),
        b'u' => map(be_u16, FieldValue::U16).parse(input),
        b'I' => map(be_i32, FieldValue::I32).parse(input),
        b'i' => map(be_u32, FieldValue::U32).parse(input),
        b'l' | b'L' => map(be_i64, FieldValue::I64).parse(input),
        b'f' => map(be_f32, FieldValue::F32).parse(input),
        b'd' => map(be_f64, FieldValue::F64).parse(input),
        b'D' => {
            map((be_u8, be_u32), |(scale, value)| FieldValue::Decimal { scale, value }).parse(input)
        }
        b'T' => map(be_u64, FieldValue::Timestamp).parse(input),
        b'S' => map(long_string, |bytes| FieldValue::LongString(bytes.into())).parse(input),
        b'x' => map(long_string, |bytes| FieldValue::Bytes(bytes.into())).parse(input),
        b'V' => Ok((input, FieldValue::Void)),
        b'A' => nested(input, depth, array),
        b'F' => nested(input, depth, table_at).map(|(rest, table)| (rest, table.into())),
        _ => Err(malformed()),
    }
}

/// One level further down, as far as that is allowed.
fn nested<T>(
    input: &[u8],
    depth: usize,
    parse: impl FnOnce(&[u8], usize) -> Parsed<'_, T>,
) -> Parsed<'_, T> {
    if depth >= TABLE_DEPTH_MAX {
        return Err(malformed());
    }
    parse(input, depth + 1)
}

fn array(input: &[u8], depth: usize) -> Parsed<'_, FieldValue> {
    let (after, mut body) = length_data(be_u32).parse(input)?;
    let mut values = Vec::with_capacity(count(body, false)?);
    while !body.is_empty() {
        let (rest, entry) = value(body, depth)?;
        values.push(entry);
        body = rest;
    }
    Ok((after, FieldValue::Array(values)))
}

/// How many entries or values there are; what stands inside them is not looked into.
fn count(mut body: &[u8], has_names: bool) -> Result<usize, nom::Err<DecodeError>> {
    let mut count = 0;
    while !body.is_empty() {
        if has_names {
            (body, _) = length_data(be_u8).parse(body)?;
        }
        (body, ()) = pass_value(body, &|input| map(long_string, |_| ()).parse(input))?;
        count += 1;
    }
    Ok(count)
}

fn malformed() -> nom::Err<DecodeError> {
    nom::Err::Failure(DecodeError { kind: DecodeErrorKind::Malformed })
}

/// Whether bytes are the entries of a table, found out without making values of them.
pub(super) fn is_table(body: &[u8]) -> bool {
    pass_entries(body, 0).is_ok()
}

fn pass_entries(mut body: &[u8], depth: usize) -> Parsed<'_, ()> {
    while !body.is_empty() {
        (body, _) = length_data(be_u8).parse(body)?;
        (body, ()) = pass_deep(body, depth)?;
    }
    Ok((body, ()))
}

fn pass_values(mut body: &[u8], depth: usize) -> Parsed<'_, ()> {
    while !body.is_empty() {
        (body, ()) = pass_deep(body, depth)?;
    }
    Ok((body, ()))
}

/// Passes over a value and all that stands in it.
fn pass_deep(input: &[u8], depth: usize) -> Parsed<'_, ()> {
    let pass = if input.first() == Some(&b'A') { pass_values } else { pass_entries };
    pass_value(input, &|input| {
        nested(input, depth, |input, depth| {
            let (rest, body) = long_string(input)?;
            pass(body, depth)?;
            Ok((rest, ()))
        })
    })
}

/// Passes over a value; what to do with arrays and tables is the caller's.
fn pass_value<'a>(
    input: &'a [u8],
    container: &dyn Fn(&'a [u8]) -> Parsed<'a, ()>,
) -> Parsed<'a, ()> {
    let (input, letter) = be_u8(input)?;
    let size: u8 = match letter {
        b'V' => 0,
        b't' | b'b' | b'B' => 1,
        b's' | b'u' => 2,
        b'I' | b'i' | b'f' => 4,
        b'D' => 5,
        b'l' | b'L' | b'd' | b'T' => 8,
        b'S' | b'x' => return map(long_string, |_| ()).parse(input),
        b'A' | b'F' => return container(input),
        _ => return Err(malformed()),
    };
    map(take(size), |_: &[u8]| ()).parse(input)
}
