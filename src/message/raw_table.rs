//! A field table walked as it came, without decoding it: finds entries and their exact bytes,
//! so that a message's headers can be read or cut without allocating. It checks lengths only as
//! far as it walks; the decoder of floor 0 is what judges a table. Floor 1.

use std::ops::Range;

/// One entry of a table, still in its bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct RawEntry<'a> {
    /// The key.
    pub(super) name: &'a [u8],
    /// The value.
    pub(super) value: RawValue<'a>,
    /// Where the whole entry, key included, stands in the table's body.
    pub(super) span: Range<usize>,
}

/// A value by its type letter and the bytes behind it; for types that carry a length of four
/// bytes the content only.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct RawValue<'a> {
    /// The letter of the type on the wire.
    pub(super) letter: u8,
    /// What follows the letter.
    pub(super) content: &'a [u8],
}

impl<'a> RawValue<'a> {
    /// The next value of `input` and the bytes behind it. `None` where the bytes end early or
    /// the letter is unknown.
    fn split(input: &'a [u8]) -> Option<(Self, &'a [u8])> {
        let (&letter, rest) = input.split_first()?;
        let (size, rest) = match letter {
            b'V' => (0, rest),
            b't' | b'b' | b'B' => (1, rest),
            b's' | b'u' => (2, rest),
            b'I' | b'i' | b'f' => (4, rest),
            b'D' => (5, rest),
            b'l' | b'L' | b'd' | b'T' => (8, rest),
            b'S' | b'A' | b'F' | b'x' => {
                let (size, rest) = rest.split_first_chunk::<4>()?;
                (usize::try_from(u32::from_be_bytes(*size)).ok()?, rest)
            }
            _ => return None,
        };
        let (content, rest) = rest.split_at_checked(size)?;
        Some((Self { letter, content }, rest))
    }

    /// The name of the type as it stands in error texts.
    pub(super) fn type_name(&self) -> &'static str {
        match self.letter {
            b't' => "bool",
            b'b' => "byte",
            b'B' => "unsignedbyte",
            b's' => "short",
            b'u' => "unsignedshort",
            b'I' => "signedint",
            b'i' => "unsignedint",
            b'l' | b'L' => "long",
            b'f' => "float",
            b'd' => "double",
            b'D' => "decimal",
            b'S' => "longstr",
            b'A' => "array",
            b'T' => "timestamp",
            b'F' => "table",
            b'x' => "binary",
            _ => "void",
        }
    }

    /// The items, if this is an array.
    pub(super) fn items(&self) -> Option<impl Iterator<Item = RawValue<'a>> + use<'a>> {
        let mut rest = (self.letter == b'A').then_some(self.content)?;
        Some(std::iter::from_fn(move || {
            let (item, behind) = RawValue::split(rest)?;
            rest = behind;
            Some(item)
        }))
    }
}

/// The entries of a table's body (the bytes behind its length), in order. It ends at the first
/// byte that makes no sense.
pub(super) fn entries(body: &[u8]) -> impl Iterator<Item = RawEntry<'_>> {
    let mut rest = body;
    std::iter::from_fn(move || {
        let start = body.len() - rest.len();
        let (&name_size, behind) = rest.split_first()?;
        let (name, behind) = behind.split_at_checked(usize::from(name_size))?;
        let (value, behind) = RawValue::split(behind)?;
        rest = behind;
        Some(RawEntry { name, value, span: start..body.len() - rest.len() })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_type_is_walked_over_and_its_name_is_known() {
        let sized: &[(u8, usize, &str)] = &[
            (b't', 1, "bool"),
            (b'b', 1, "byte"),
            (b'B', 1, "unsignedbyte"),
            (b's', 2, "short"),
            (b'u', 2, "unsignedshort"),
            (b'I', 4, "signedint"),
            (b'i', 4, "unsignedint"),
            (b'l', 8, "long"),
            (b'L', 8, "long"),
            (b'f', 4, "float"),
            (b'd', 8, "double"),
            (b'D', 5, "decimal"),
            (b'T', 8, "timestamp"),
            (b'V', 0, "void"),
        ];
        let mut body = Vec::new();
        for (letter, size, _) in sized {
            body.extend([1, b'k', *letter]);
            body.extend(std::iter::repeat_n(0, *size));
        }
        for letter in *b"SAFx" {
            body.extend([1, b'k', letter, 0, 0, 0, 3, 0, 0, 0]);
        }
        let found: Vec<_> = entries(&body).collect();
        assert_eq!(found.len(), sized.len() + 4);
        for (entry, (letter, size, name)) in found.iter().zip(sized) {
            assert_eq!((entry.value.letter, entry.value.content.len()), (*letter, *size));
            assert_eq!(entry.value.type_name(), *name);
        }
        let names: Vec<_> = found.iter().skip(sized.len()).map(|e| e.value.type_name()).collect();
        assert_eq!(names, ["longstr", "array", "table", "binary"]);
        assert_eq!(found.last().map(|entry| entry.span.end), Some(body.len()));
    }

    #[test]
    fn a_table_that_ends_early_or_has_an_unknown_type_ends_the_walk() {
        assert_eq!(entries(b"\x01kS\0\0\0\x05ab").count(), 0);
        assert_eq!(entries(b"\x01kt\x01\x01k?").count(), 1);
        assert_eq!(entries(b"\x09k").count(), 0);
        assert_eq!(entries(b"").count(), 0);
    }
}
