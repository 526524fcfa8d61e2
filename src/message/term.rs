//! How RabbitMQ writes the type and the value of a table field into an error text. Clients match
//! on these texts, so the names and the brackets are part of the protocol. Not a parser, and not
//! a form that anything reads back. Floor 1.

use std::borrow::Cow;
use std::fmt::Write;

use crate::protocol::field::{FieldTable, FieldValue};

/// A reply text is cut to 255 bytes, and what an event tells of arguments is for people to read.
/// The bound also ends the walk into a table that is nested deeply.
const TEXT_LENGTH_MAX: usize = 2000;

/// The name of a value's type, for instance `signedint` or `longstr`.
pub(super) fn type_name(value: &FieldValue) -> &'static str {
    match value {
        FieldValue::Boolean(_) => "bool",
        FieldValue::I8(_) => "byte",
        FieldValue::U8(_) => "unsignedbyte",
        FieldValue::I16(_) => "short",
        FieldValue::U16(_) => "unsignedshort",
        FieldValue::I32(_) => "signedint",
        FieldValue::U32(_) => "unsignedint",
        FieldValue::I64(_) => "long",
        FieldValue::F32(_) => "float",
        FieldValue::F64(_) => "double",
        FieldValue::Decimal { .. } => "decimal",
        FieldValue::LongString(_) => "longstr",
        FieldValue::Array(_) => "array",
        FieldValue::Timestamp(_) => "timestamp",
        FieldValue::Table(_) => "table",
        FieldValue::Void => "void",
        FieldValue::Bytes(_) => "binary",
    }
}

/// The value as it stands between quotes in a text: a string as it is, all else as a term.
pub(super) fn bare(value: &FieldValue) -> Cow<'_, str> {
    match value {
        FieldValue::LongString(bytes) | FieldValue::Bytes(bytes) => String::from_utf8_lossy(bytes),
        other => {
            let mut out = String::new();
            write_term(&mut out, other);
            Cow::Owned(out)
        }
    }
}

/// A word as a term, as RabbitMQ keeps the types of exchanges: one that is more than a plain word
/// stands in quotes.
pub(super) fn atom(word: &str) -> Cow<'_, str> {
    let is_plain = word.starts_with(|first: char| first.is_ascii_lowercase())
        && word.chars().all(|c| c.is_ascii_alphanumeric() || c == '_' || c == '@');
    if is_plain { Cow::Borrowed(word) } else { Cow::Owned(format!("'{word}'")) }
}

/// A string as a term: in double quotes where every character can be shown, else the list of
/// its bytes.
pub(super) fn quoted(text: &str) -> String {
    match escaped(text) {
        Some(shown) => format!("\"{shown}\""),
        None => format!("[{}]", byte_list(text.as_bytes())),
    }
}

fn escaped(text: &str) -> Option<String> {
    let mut out = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            '\u{8}' => out.push_str("\\b"),
            '\u{b}' => out.push_str("\\v"),
            '\u{c}' => out.push_str("\\f"),
            '\u{1b}' => out.push_str("\\e"),
            control if control.is_control() => return None,
            shown => out.push(shown),
        }
    }
    Some(out)
}

fn byte_list(bytes: &[u8]) -> String {
    bytes.iter().map(u8::to_string).collect::<Vec<_>>().join(",")
}

/// The entries of a table, each as a term: `{<<"name">>,type,value}`.
pub fn table_terms(table: &FieldTable) -> impl Iterator<Item = String> {
    table.iter().map(|(name, value)| {
        let mut out = format!("{{{},{},", binary(name.as_bytes()), type_name(value));
        write_term(&mut out, value);
        out.push('}');
        out
    })
}

/// A text as a term.
#[must_use]
pub fn binary_term(text: &str) -> String {
    binary(text.as_bytes())
}

fn binary(bytes: &[u8]) -> String {
    if bytes.is_empty() {
        return "<<>>".to_owned();
    }
    match std::str::from_utf8(bytes).ok().and_then(escaped) {
        Some(shown) => format!("<<\"{shown}\">>"),
        None => format!("<<{}>>", byte_list(bytes)),
    }
}

fn write_term(out: &mut String, value: &FieldValue) {
    // Writing to a String cannot fail, so the results are dropped.
    let _ = match value {
        FieldValue::Boolean(value) => write!(out, "{value}"),
        FieldValue::I8(value) => write!(out, "{value}"),
        FieldValue::U8(value) => write!(out, "{value}"),
        FieldValue::I16(value) => write!(out, "{value}"),
        FieldValue::U16(value) => write!(out, "{value}"),
        FieldValue::I32(value) => write!(out, "{value}"),
        FieldValue::U32(value) => write!(out, "{value}"),
        FieldValue::I64(value) => write!(out, "{value}"),
        FieldValue::Timestamp(value) => write!(out, "{value}"),
        FieldValue::F32(value) => write!(out, "{}", float(f64::from(*value))),
        FieldValue::F64(value) => write!(out, "{}", float(*value)),
        FieldValue::Decimal { scale, value } => write!(out, "{{{scale},{value}}}"),
        FieldValue::LongString(bytes) | FieldValue::Bytes(bytes) => {
            write!(out, "{}", binary(bytes))
        }
        FieldValue::Void => write!(out, "undefined"),
        FieldValue::Array(items) => {
            let items = items.iter().map(|item| (None, item));
            return write_list(out, items);
        }
        FieldValue::Table(table) => {
            let items = table.iter().map(|(name, item)| (Some(binary(name.as_bytes())), item));
            return write_list(out, items);
        }
    };
}

/// `[{type,value},...]` for an array and `[{<<"name">>,type,value},...]` for a table.
fn write_list<'a>(out: &mut String, items: impl Iterator<Item = (Option<String>, &'a FieldValue)>) {
    out.push('[');
    for (index, (name, item)) in items.enumerate() {
        if out.len() > TEXT_LENGTH_MAX {
            break;
        }
        out.push_str(if index == 0 { "{" } else { ",{" });
        if let Some(name) = name {
            out.push_str(&name);
            out.push(',');
        }
        out.push_str(type_name(item));
        out.push(',');
        write_term(out, item);
        out.push('}');
    }
    out.push(']');
}

/// A float always shows a point: `2.0`, `1.0e22`.
fn float(value: f64) -> String {
    let shown = format!("{value:?}");
    match shown.split_once('e') {
        Some((mantissa, exponent)) if !mantissa.contains('.') => format!("{mantissa}.0e{exponent}"),
        _ => shown,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::field::FieldTable;

    #[test]
    fn scalars_are_written_bare() {
        assert_eq!(bare(&FieldValue::from("it's \"q\" é")), "it's \"q\" é");
        assert_eq!(bare(&FieldValue::I32(-5)), "-5");
        assert_eq!(bare(&FieldValue::F64(2.0)), "2.0");
        assert_eq!(bare(&FieldValue::F64(1e22)), "1.0e22");
        assert_eq!(bare(&FieldValue::Void), "undefined");
        assert_eq!(bare(&FieldValue::Decimal { scale: 1, value: 15 }), "{1,15}");
    }

    #[test]
    fn arrays_and_tables_are_written_as_typed_lists() {
        let mut table = FieldTable::new();
        table.insert("b", true);
        let array = FieldValue::Array(vec![
            FieldValue::I32(1),
            FieldValue::from("a"),
            FieldValue::Table(table),
        ]);
        assert_eq!(
            bare(&array),
            "[{signedint,1},{longstr,<<\"a\">>},{table,[{<<\"b\">>,bool,true}]}]"
        );
    }

    #[test]
    fn a_deep_nesting_is_not_followed_beyond_what_a_client_can_see() {
        let mut value = FieldValue::Void;
        for _ in 0..500 {
            value = FieldValue::Array(vec![value]);
        }
        let shown = bare(&value).len();
        assert!((255..5000).contains(&shown), "{shown}");
    }

    #[test]
    fn a_string_that_cannot_be_shown_is_a_list_of_bytes() {
        assert_eq!(quoted("a\"b\n"), "\"a\\\"b\\n\"");
        assert_eq!(quoted("a\0"), "[97,0]");
    }
}
