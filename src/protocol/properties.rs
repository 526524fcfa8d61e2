//! The properties of a message: as a view of the bytes that allocates nothing, and as values that
//! can be changed and written.
//!
//! ```text
//! | flags u16 | content-type | content-encoding | headers | ... | cluster-id |
//!   bit 15 = content-type ... bit 2 = cluster-id; bit 0 = another flag word follows
//! ```

use super::decode::{
    self, DecodeError, DecodeErrorKind, Parsed, finish, is_table, property_text as text,
};
use super::encode::{self, short_string as write_text};
use super::field::FieldTable;

/// Declares the view, the values, and both directions between bytes and them, from one list: the
/// order is that of the flags.
macro_rules! properties {
    ($(
        $(#[$doc:meta])*
        $name:ident: $bit:literal, $view:ty, $value:ty, $parse:path, $write:expr;
    )*) => {
        /// The properties of a message where they lie.
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
        pub struct PropertyView<'a> {
            $($(#[$doc])* pub $name: Option<$view>,)*
        }

        /// The properties of a message as values.
        #[derive(Clone, Debug, Default, PartialEq, Eq)]
        pub struct Properties {
            $($(#[$doc])* pub $name: Option<$value>,)*
        }

        impl<'a> PropertyView<'a> {
            fn parse_list(flags: u16, input: &'a [u8]) -> Parsed<'a, Self> {
                let mut view = Self::default();
                $(let input = if flags & (1 << $bit) == 0 {
                    input
                } else {
                    let (input, value) = $parse(input)?;
                    view.$name = Some(value);
                    input
                };)*
                Ok((input, view))
            }
        }

        impl Properties {
            fn flags(&self) -> u16 {
                let mut flags = 0;
                $(if self.$name.is_some() {
                    flags |= 1 << $bit;
                })*
                flags
            }

            /// Writes flags and list as they stand in a content header.
            pub fn encode(&self, out: &mut Vec<u8>) {
                encode::short(out, self.flags());
                $(if let Some(value) = &self.$name {
                    let write: fn(&mut Vec<u8>, &$value) = $write;
                    write(out, value);
                })*
            }
        }
    };
}

properties! {
    /// MIME type of the body.
    content_type: 15, &'a str, Box<str>, text, |out, text| write_text(out, text);
    /// How the body is encoded.
    content_encoding: 14, &'a str, Box<str>, text, |out, text| write_text(out, text);
    /// The application's headers; the view has the table's bytes without their size.
    headers: 13, &'a [u8], FieldTable, decode::long_string, encode::table;
    /// 2 is persistent.
    delivery_mode: 12, u8, u8, decode::octet, |out, value| encode::octet(out, *value);
    /// 0 to 255.
    priority: 11, u8, u8, decode::octet, |out, value| encode::octet(out, *value);
    /// What an answer belongs to.
    correlation_id: 10, &'a str, Box<str>, text, |out, text| write_text(out, text);
    /// Where an answer goes.
    reply_to: 9, &'a str, Box<str>, text, |out, text| write_text(out, text);
    /// A time to live in milliseconds, as text.
    expiration: 8, &'a str, Box<str>, text, |out, text| write_text(out, text);
    /// The application's identifier.
    message_id: 7, &'a str, Box<str>, text, |out, text| write_text(out, text);
    /// Seconds since the epoch.
    timestamp: 6, u64, u64, decode::long_long, |out, value| encode::long_long(out, *value);
    /// The application's type of message.
    kind: 5, &'a str, Box<str>, text, |out, text| write_text(out, text);
    /// Who published it.
    user_id: 4, &'a str, Box<str>, text, |out, text| write_text(out, text);
    /// Which application published it.
    app_id: 3, &'a str, Box<str>, text, |out, text| write_text(out, text);
    /// Of the past.
    cluster_id: 2, &'a str, Box<str>, text, |out, text| write_text(out, text);
}

/// Properties that a broker looks at when it routes: headers, reply-to, expiration, user-id.
const INSPECTED_FLAGS: u16 = 1 << 13 | 1 << 9 | 1 << 8 | 1 << 4;

/// Whether there is a property that a broker looks at when it routes. `bytes` are flags and list as
/// they stand in a content header.
#[must_use]
pub fn are_inspected(bytes: &[u8]) -> bool {
    match bytes {
        [high, low, ..] => u16::from_be_bytes([*high, *low]) & INSPECTED_FLAGS != 0,
        _ => false,
    }
}

/// Whether a time to live is among the properties; else as [`are_inspected`].
#[must_use]
pub fn have_expiration(bytes: &[u8]) -> bool {
    const EXPIRATION_FLAG: u8 = 1;
    matches!(bytes, [high, ..] if high & EXPIRATION_FLAG != 0)
}

/// Whether a priority is among the properties; else as [`are_inspected`].
#[must_use]
pub fn have_priority(bytes: &[u8]) -> bool {
    const PRIORITY_FLAG: u8 = 1 << 3;
    matches!(bytes, [high, ..] if high & PRIORITY_FLAG != 0)
}

impl<'a> PropertyView<'a> {
    /// Delivery mode 2.
    #[must_use]
    pub fn is_persistent(&self) -> bool {
        self.delivery_mode == Some(2)
    }

    /// The headers, if there are any, are a table.
    #[must_use]
    pub fn has_sound_headers(&self) -> bool {
        self.headers.is_none_or(is_table)
    }

    /// Looks at flags and list as they stand in a content header.
    ///
    /// # Errors
    /// A property is cut off, or something is left over. The headers are not looked into.
    pub fn parse(bytes: &'a [u8]) -> Result<Self, DecodeError> {
        let (input, flags) = match decode::short(bytes) {
            Ok(parsed) => parsed,
            Err(_) => return Err(DecodeError { kind: DecodeErrorKind::Malformed }),
        };
        finish(Self::parse_list(flags, input))
    }

    /// The headers as values.
    ///
    /// # Errors
    /// The bytes are no table.
    pub fn headers_table(&self) -> Result<Option<FieldTable>, DecodeError> {
        self.headers.map(FieldTable::decode_body).transpose()
    }
}

impl Properties {
    /// Reads flags and list as they stand in a content header.
    ///
    /// # Errors
    /// As [`PropertyView::parse`], or the headers are no table.
    pub fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        let view = PropertyView::parse(bytes)?;
        Ok(Self {
            content_type: view.content_type.map(Into::into),
            content_encoding: view.content_encoding.map(Into::into),
            headers: view.headers_table()?,
            delivery_mode: view.delivery_mode,
            priority: view.priority,
            correlation_id: view.correlation_id.map(Into::into),
            reply_to: view.reply_to.map(Into::into),
            expiration: view.expiration.map(Into::into),
            message_id: view.message_id.map(Into::into),
            timestamp: view.timestamp,
            kind: view.kind.map(Into::into),
            user_id: view.user_id.map(Into::into),
            app_id: view.app_id.map(Into::into),
            cluster_id: view.cluster_id.map(Into::into),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all() -> Properties {
        Properties {
            content_type: Some("text/plain".into()),
            content_encoding: Some("utf-8".into()),
            headers: Some([("a", 1)].into_iter().collect()),
            delivery_mode: Some(2),
            priority: Some(9),
            correlation_id: Some("c".into()),
            reply_to: Some("r".into()),
            expiration: Some("60000".into()),
            message_id: Some("m".into()),
            timestamp: Some(1 << 40),
            kind: Some("k".into()),
            user_id: Some("guest".into()),
            app_id: Some("app".into()),
            cluster_id: Some("cl".into()),
        }
    }

    #[test]
    fn all_properties_come_back_as_they_were_written() {
        for properties in [all(), Properties::default()] {
            let mut bytes = Vec::new();
            properties.encode(&mut bytes);
            assert_eq!(Properties::decode(&bytes), Ok(properties));
        }
    }

    #[test]
    fn a_view_finds_each_property_and_decodes_headers_when_asked() {
        let mut bytes = Vec::new();
        all().encode(&mut bytes);
        let view = PropertyView::parse(&bytes).unwrap();
        assert_eq!((view.reply_to, view.user_id), (Some("r"), Some("guest")));
        assert_eq!((view.delivery_mode, view.timestamp), (Some(2), Some(1 << 40)));
        assert_eq!(view.headers_table().unwrap(), all().headers);
    }

    #[test]
    fn every_cut_is_an_error() {
        let mut bytes = Vec::new();
        all().encode(&mut bytes);
        for end in 0..bytes.len() {
            assert!(PropertyView::parse(&bytes[..end]).is_err(), "{end}");
        }
        bytes.push(0);
        assert!(PropertyView::parse(&bytes).is_err());
    }

    #[test]
    fn a_time_to_live_and_a_priority_are_seen_by_their_flags() {
        let seen = |properties: Properties| {
            let mut bytes = Vec::new();
            properties.encode(&mut bytes);
            (have_expiration(&bytes), have_priority(&bytes))
        };
        let none = Properties::default();
        assert_eq!(
            seen(Properties { expiration: Some("1".into()), ..none.clone() }),
            (true, false)
        );
        assert_eq!(seen(Properties { priority: Some(0), ..none }), (false, true));
        assert_eq!(seen(all()), (true, true));
        assert_eq!(seen(Properties { expiration: None, priority: None, ..all() }), (false, false));
        assert!(!have_expiration(&[]) && !have_priority(&[]));
    }

    #[test]
    fn flags_that_name_nothing_are_passed_over() {
        assert_eq!(PropertyView::parse(&[0, 3]), Ok(PropertyView::default()));
    }

    #[test]
    fn what_is_no_text_is_no_reason_to_refuse_a_message() {
        let view = PropertyView::parse(&[0x80, 0, 1, 0xFF]).unwrap();
        assert_eq!(view.content_type, Some("\u{FFFD}"));
    }

    #[test]
    fn headers_that_are_no_table_are_told_without_decoding_them() {
        let mut bytes = Vec::new();
        all().encode(&mut bytes);
        let headers = PropertyView::parse(&bytes).unwrap().headers.unwrap().to_vec();
        assert!(is_table(&headers));
        for end in 1..headers.len() {
            assert!(!is_table(&headers[..end]), "{end}");
        }
    }
}
