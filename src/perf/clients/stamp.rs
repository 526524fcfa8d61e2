//! What every body begins with, so that each message can be told from all others and its age known.
//!
//! ```text
//! | publisher u16 | queue u20 | sequence u44 | moment u48 (ns since the generator started) |
//! ```

/// Octets of a stamp, and the smallest body there is.
pub(in crate::perf) const STAMP_SIZE: usize = 16;

const QUEUE_BITS: u32 = 20;
const SEQUENCE_BITS: u32 = 44;
const MOMENT_BITS: u32 = 48;

/// The most publishers and queues that stamps can tell apart.
pub(in crate::perf) const PUBLISHERS_MAX: u32 = 1 << 16;
pub(in crate::perf) const QUEUES_MAX: u32 = 1 << QUEUE_BITS;

/// Who sent a message to which queue, as which one, and when.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::perf) struct Stamp {
    pub(in crate::perf) publisher: u32,
    pub(in crate::perf) queue: u32,
    /// Counts from 0 for each publisher in each queue.
    pub(in crate::perf) sequence: u64,
    /// When it was sent or, at a rate, when it was due.
    pub(in crate::perf) moment_ns: u64,
}

impl Stamp {
    pub(in crate::perf) fn to_bytes(self) -> [u8; STAMP_SIZE] {
        let number = u128::from(self.publisher) << QUEUE_BITS | u128::from(self.queue);
        let number = number << SEQUENCE_BITS | u128::from(self.sequence);
        let moment = self.moment_ns & ((1 << MOMENT_BITS) - 1);
        (number << MOMENT_BITS | u128::from(moment)).to_be_bytes()
    }

    /// The stamp at the start of a body; none where the body is too short for one.
    pub(in crate::perf) fn from_bytes(body: &[u8]) -> Option<Self> {
        let (high, rest) = body.split_first_chunk()?;
        let (high, low) = (u64::from_be_bytes(*high), u64::from_be_bytes(*rest.first_chunk()?));
        // | publisher 16 | queue 20 | sequence, upper 28 |  | sequence, lower 16 | moment 48 |
        let sequence_high = high & ((1 << 28) - 1);
        Some(Self {
            publisher: u32::try_from(high >> 48).ok()?,
            queue: u32::try_from(high >> 28 & ((1 << QUEUE_BITS) - 1)).ok()?,
            sequence: sequence_high << 16 | low >> MOMENT_BITS,
            moment_ns: low & ((1 << MOMENT_BITS) - 1),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stamp_comes_back_as_it_was_written() {
        for (publisher, queue, sequence, moment_ns) in [
            (0, 0, 0, 0),
            (3, 7, 70_000, 1 << 40),
            (PUBLISHERS_MAX - 1, QUEUES_MAX - 1, (1 << 44) - 1, (1 << 48) - 1),
        ] {
            let stamp = Stamp { publisher, queue, sequence, moment_ns };
            assert_eq!(Stamp::from_bytes(&stamp.to_bytes()), Some(stamp));
        }
    }

    #[test]
    fn a_stamp_is_read_from_the_start_of_a_longer_body_and_not_from_a_shorter_one() {
        let stamp = Stamp { publisher: 9, queue: 1, sequence: 2, moment_ns: 3 };
        let mut body = stamp.to_bytes().to_vec();
        assert_eq!(Stamp::from_bytes(&body[..STAMP_SIZE - 1]), None);
        body.extend_from_slice(b"padding");
        assert_eq!(Stamp::from_bytes(&body), Some(stamp));
    }
}
