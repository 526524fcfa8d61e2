//! Percent-encoding, as it stands in paths and queries of HTTP and in the keys of bindings.

use std::fmt::Write;

/// Decodes a text; a `%` that begins no byte stands for itself. In queries and keys a `+` is a
/// space.
#[must_use]
pub fn decode(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((first, behind)) = rest.split_first() {
        rest = behind;
        match (first, encoded(behind)) {
            (b'%', Some(byte)) => {
                bytes.push(byte);
                rest = behind.get(2..).unwrap_or_default();
            }
            (b'+', _) => bytes.push(b' '),
            (other, _) => bytes.push(*other),
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

/// The byte that two digits stand for.
fn encoded(digits: &[u8]) -> Option<u8> {
    let digits = digits.get(..2).filter(|digits| digits.iter().all(u8::is_ascii_hexdigit))?;
    u8::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()
}

/// Encodes a text for a segment of a path.
#[must_use]
pub fn encode(text: &str) -> String {
    encode_but(text, b"-._~")
}

/// Encodes a text as RabbitMQ does in the keys of bindings, where `~` is a separator.
#[must_use]
pub fn encode_key(text: &str) -> String {
    encode_but(text, b"-._ ").replace(' ', "+")
}

fn encode_but(text: &str, plain: &[u8]) -> String {
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || plain.contains(&byte) {
            encoded.push(char::from(byte));
        } else {
            // A text takes what is written.
            let _ = write!(encoded, "%{byte:02X}");
        }
    }
    encoded
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_come_back_as_they_were() {
        for text in ["", "a.b", "a/b %~é_-.!*'()+,;:@&=$#?\\\"<>[]{}|^`", "%7E", "100%"] {
            assert_eq!(decode(&encode(text)), text);
            assert_eq!(decode(&encode_key(text)), text);
        }
    }

    #[test]
    fn what_encodes_nothing_stands_for_itself() {
        assert_eq!(decode("100%"), "100%");
        assert_eq!(decode("%zz%4"), "%zz%4");
        assert_eq!(decode("%+1"), "% 1");
        assert_eq!(decode("%c3%A9"), "é");
    }
}
