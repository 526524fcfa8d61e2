//! What every body begins with, so that each message can be told from all others and its age known.
//!
//! ```text
//! | publisher u16 | sequence u48 | moment u64 (ns since the generator's clock started) |
//! ```

/// Octets of a stamp, and the smallest body there is.
pub(super) const STAMP_SIZE: usize = 16;

const SEQUENCE_BITS: u32 = 48;

/// Who sent a message, as which one, and when.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Stamp {
    pub(super) publisher: u16,
    /// Counts from 0.
    pub(super) sequence: u64,
    /// When it was sent or, at a rate, when it was due.
    pub(super) moment_ns: u64,
}

impl Stamp {
    pub(super) fn to_bytes(self) -> [u8; STAMP_SIZE] {
        let number = u64::from(self.publisher) << SEQUENCE_BITS | self.sequence;
        (u128::from(number) << 64 | u128::from(self.moment_ns)).to_be_bytes()
    }

    /// The stamp at the start of a body; none where the body is too short for one.
    pub(super) fn from_bytes(body: &[u8]) -> Option<Self> {
        let (number, rest) = body.split_first_chunk::<8>()?;
        let number = u64::from_be_bytes(*number);
        Some(Self {
            publisher: u16::try_from(number >> SEQUENCE_BITS).ok()?,
            sequence: number & ((1 << SEQUENCE_BITS) - 1),
            moment_ns: u64::from_be_bytes(*rest.first_chunk()?),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stamp_comes_back_as_it_was_written() {
        for (publisher, sequence, moment_ns) in
            [(0, 0, 0), (3, 70_000, 1 << 40), (u16::MAX, (1 << 48) - 1, u64::MAX)]
        {
            let stamp = Stamp { publisher, sequence, moment_ns };
            assert_eq!(Stamp::from_bytes(&stamp.to_bytes()), Some(stamp));
        }
    }

    #[test]
    fn a_stamp_is_read_from_the_start_of_a_longer_body_and_not_from_a_shorter_one() {
        let stamp = Stamp { publisher: 1, sequence: 2, moment_ns: 3 };
        let mut body = stamp.to_bytes().to_vec();
        assert_eq!(Stamp::from_bytes(&body[..STAMP_SIZE - 1]), None);
        body.extend_from_slice(b"padding");
        assert_eq!(Stamp::from_bytes(&body), Some(stamp));
    }
}
