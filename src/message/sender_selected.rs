//! Sender-selected distribution: the headers `CC` and `BCC` of a message name further routing
//! keys, and `BCC` is taken out before anybody receives it. It reads and cuts the property bytes
//! as they came; what is not `BCC` stays byte for byte. Where the keys lead is routing's
//! business. Floor 1.

use std::borrow::Cow;
use std::ops::Range;

use super::raw_table::{self, RawEntry};
use crate::protocol::properties::PropertyView;
use crate::protocol::reply::ChannelError;

const CC: &[u8] = b"CC";
const BCC: &[u8] = b"BCC";

const CONTENT_TYPE_FLAG: u16 = 1 << 15;
const CONTENT_ENCODING_FLAG: u16 = 1 << 14;
const HEADERS_FLAG: u16 = 1 << 13;
const MORE_FLAGS: u16 = 1;

/// Where a table's length stands, and how many bytes it takes.
const TABLE_LENGTH_SIZE: usize = 4;

/// What a message's `CC` and `BCC` headers say.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct SenderSelected<'a> {
    /// The further routing keys, those of `CC` first.
    pub routing_keys: Vec<Cow<'a, str>>,
    /// Whether the message carries a `BCC` header, so that [`without_bcc`] has work to do.
    pub has_bcc: bool,
}

/// The further routing keys of a message. As RabbitMQ does, it refuses a header that is not an
/// array, passes over items that are no long strings, and of a header that is there twice takes
/// the first.
pub fn routing_keys<'a>(properties: &PropertyView<'a>) -> Result<SenderSelected<'a>, ChannelError> {
    let Some(headers) = properties.headers else { return Ok(SenderSelected::default()) };
    let mut routing_keys = Vec::new();
    add_routing_keys(headers, CC, &mut routing_keys)?;
    let has_bcc = add_routing_keys(headers, BCC, &mut routing_keys)?;
    Ok(SenderSelected { routing_keys, has_bcc })
}

/// The property bytes (flags and list) without `BCC`, or `None` if there is none in them. The
/// headers stay, be they empty.
#[must_use]
pub fn without_bcc(properties: &[u8]) -> Option<Vec<u8>> {
    let headers = headers_range(properties)?;
    let body = properties.get(headers.clone())?;
    let hidden: Vec<Range<usize>> = raw_table::entries(body)
        .filter(|entry| entry.name == BCC)
        .map(|entry| entry.span)
        .collect();
    let hidden_size: usize = hidden.iter().map(ExactSizeIterator::len).sum();
    if hidden.is_empty() {
        return None;
    }
    let kept_size = u32::try_from(body.len().checked_sub(hidden_size)?).ok()?;
    let mut out = Vec::with_capacity(properties.len() - hidden_size);
    out.extend_from_slice(properties.get(..headers.start.checked_sub(TABLE_LENGTH_SIZE)?)?);
    out.extend_from_slice(&kept_size.to_be_bytes());
    let mut position = 0;
    for span in hidden {
        out.extend_from_slice(body.get(position..span.start)?);
        position = span.end;
    }
    out.extend_from_slice(body.get(position..)?);
    out.extend_from_slice(properties.get(headers.end..)?);
    Some(out)
}

/// Adds the keys of one header, and tells whether it is there.
fn add_routing_keys<'a>(
    headers: &'a [u8],
    name: &[u8],
    routing_keys: &mut Vec<Cow<'a, str>>,
) -> Result<bool, ChannelError> {
    let Some(RawEntry { value, .. }) = raw_table::entries(headers).find(|entry| entry.name == name)
    else {
        return Ok(false);
    };
    let Some(items) = value.items() else {
        return Err(ChannelError::precondition_failed(format!(
            "invalid message: {{unacceptable_type_in_header,\"{}\",{}}}",
            String::from_utf8_lossy(name),
            value.type_name()
        )));
    };
    routing_keys.extend(
        items.filter(|item| item.letter == b'S').map(|item| String::from_utf8_lossy(item.content)),
    );
    Ok(true)
}

/// Where the body of the headers table stands in property bytes.
///
/// ```text
/// | flags, 2 bytes, more behind while bit 0 is set | content type | content encoding |
/// | length of the headers, 4 bytes | headers | all other properties |
/// ```
fn headers_range(properties: &[u8]) -> Option<Range<usize>> {
    let flags = flags_at(properties, 0)?;
    if flags & HEADERS_FLAG == 0 {
        return None;
    }
    let mut position = 2;
    let mut last_flags = flags;
    while last_flags & MORE_FLAGS != 0 {
        last_flags = flags_at(properties, position)?;
        position += 2;
    }
    for flag in [CONTENT_TYPE_FLAG, CONTENT_ENCODING_FLAG] {
        if flags & flag != 0 {
            position += 1 + usize::from(*properties.get(position)?);
        }
    }
    let (length, _) = properties.get(position..)?.split_first_chunk::<TABLE_LENGTH_SIZE>()?;
    let start = position + TABLE_LENGTH_SIZE;
    let end = start.checked_add(usize::try_from(u32::from_be_bytes(*length)).ok()?)?;
    (end <= properties.len()).then_some(start..end)
}

fn flags_at(properties: &[u8], position: usize) -> Option<u16> {
    let (flags, _) = properties.get(position..)?.split_first_chunk::<2>()?;
    Some(u16::from_be_bytes(*flags))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::field::{FieldTable, FieldValue};
    use crate::protocol::properties::Properties;

    fn strings(keys: &[&str]) -> FieldValue {
        FieldValue::Array(keys.iter().map(|key| FieldValue::from(*key)).collect())
    }

    fn encoded(properties: &Properties) -> Vec<u8> {
        let mut bytes = Vec::new();
        properties.encode(&mut bytes);
        bytes
    }

    fn with_headers(entries: Vec<(&str, FieldValue)>) -> Vec<u8> {
        encoded(&Properties {
            headers: Some(entries.into_iter().collect()),
            ..Properties::default()
        })
    }

    fn keys(bytes: &[u8]) -> Result<(Vec<String>, bool), String> {
        let view = PropertyView::parse(bytes).unwrap();
        let selected = routing_keys(&view).map_err(|error| error.text)?;
        Ok((selected.routing_keys.into_iter().map(Cow::into_owned).collect(), selected.has_bcc))
    }

    fn owned(keys: &[&str]) -> Vec<String> {
        keys.iter().map(|key| (*key).to_owned()).collect()
    }

    #[test]
    fn keys_of_cc_come_before_those_of_bcc() {
        let bytes = with_headers(vec![("BCC", strings(&["z"])), ("CC", strings(&["a", "b"]))]);
        assert_eq!(keys(&bytes).unwrap(), (owned(&["a", "b", "z"]), true));
    }

    #[test]
    fn a_message_without_them_has_no_further_keys() {
        assert_eq!(keys(&encoded(&Properties::default())).unwrap(), (vec![], false));
        let bytes = with_headers(vec![("cc", FieldValue::I32(5))]);
        assert_eq!(keys(&bytes).unwrap(), (vec![], false));
    }

    #[test]
    fn a_header_that_is_no_array_is_refused_with_its_type() {
        for (value, type_name) in [
            (FieldValue::from("a"), "longstr"),
            (FieldValue::I32(5), "signedint"),
            (FieldValue::Void, "void"),
            (FieldValue::Boolean(true), "bool"),
            (FieldValue::Table(FieldTable::new()), "table"),
        ] {
            for name in ["CC", "BCC"] {
                assert_eq!(
                    keys(&with_headers(vec![(name, value.clone())])).unwrap_err(),
                    format!(
                        "PRECONDITION_FAILED - invalid message: \
                         {{unacceptable_type_in_header,\"{name}\",{type_name}}}"
                    )
                );
            }
        }
        let both = with_headers(vec![("BCC", 5.into()), ("CC", 6.into())]);
        assert!(keys(&both).unwrap_err().contains("\"CC\""));
    }

    #[test]
    fn items_that_are_no_long_strings_are_passed_over() {
        let items = vec![FieldValue::I32(1), "a".into(), FieldValue::Bytes(Box::from(*b"x"))];
        let bytes = with_headers(vec![("CC", FieldValue::Array(items))]);
        assert_eq!(keys(&bytes).unwrap(), (owned(&["a"]), false));
    }

    #[test]
    fn of_a_header_that_is_there_twice_the_first_counts() {
        let bytes = with_headers(vec![("CC", strings(&["a"])), ("CC", 5.into())]);
        assert_eq!(keys(&bytes).unwrap(), (owned(&["a"]), false));
        let bytes = with_headers(vec![("CC", 5.into()), ("CC", strings(&["a"]))]);
        assert!(keys(&bytes).is_err());
    }

    #[test]
    fn bcc_is_cut_out_and_all_else_stays_as_it_was() {
        let properties = |headers: Vec<(&str, FieldValue)>| {
            encoded(&Properties {
                content_type: Some("text/plain".into()),
                content_encoding: Some("utf-8".into()),
                headers: Some(headers.into_iter().collect()),
                delivery_mode: Some(2),
                user_id: Some("guest".into()),
                ..Properties::default()
            })
        };
        let before: (&str, FieldValue) = ("a", 1.into());
        let behind: (&str, FieldValue) = ("b", FieldValue::I64(2));
        let sent = properties(vec![
            before.clone(),
            ("BCC", strings(&["z"])),
            ("CC", strings(&["y"])),
            ("BCC", strings(&["x"])),
            behind.clone(),
        ]);
        let kept = properties(vec![before, ("CC", strings(&["y"])), behind]);
        assert_eq!(without_bcc(&sent), Some(kept));
    }

    #[test]
    fn headers_stay_where_bcc_was_all_they_had() {
        let sent = with_headers(vec![("BCC", strings(&["z"]))]);
        assert_eq!(without_bcc(&sent), Some(vec![0x20, 0, 0, 0, 0, 0]));
    }

    #[test]
    fn properties_without_bcc_are_not_rewritten() {
        assert_eq!(without_bcc(&encoded(&Properties::default())), None);
        assert_eq!(without_bcc(&with_headers(vec![("CC", strings(&["a"]))])), None);
    }

    #[test]
    fn bytes_that_end_early_are_left_alone() {
        let sent = with_headers(vec![("BCC", strings(&["z"]))]);
        for size in 0..sent.len() {
            assert_eq!(without_bcc(&sent[..size]), None, "{size}");
        }
    }
}
