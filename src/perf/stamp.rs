//! What every body begins with, so that each message can be told from all others and its age known.
//!
//! ```text
//! | queue u16 | sequence u48 | moment u64 (ns since the generator's clock started) |
//! ```

/// Octets of a stamp, and the smallest body there is.
pub(super) const STAMP_SIZE: usize = 16;

const SEQUENCE_BITS: u32 = 48;

/// To which queue a message was sent, as which one of that queue, and when.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Stamp {
    /// Counts from 0.
    pub(super) queue: u16,
    /// Counts from 0 in each queue.
    pub(super) sequence: u64,
    /// When it was sent or, at a rate, when it was due.
    pub(super) moment_ns: u64,
}

impl Stamp {
    /// Of the message with this number among all, which go to one queue after the other.
    pub(super) fn of(message: u64, queue_count: u16, moment_ns: u64) -> Self {
        let count = u64::from(queue_count.max(1));
        Self {
            // The remainder is less than a number of 16 bits.
            queue: u16::try_from(message % count).unwrap_or_default(),
            sequence: message / count,
            moment_ns,
        }
    }

    pub(super) fn to_bytes(self) -> [u8; STAMP_SIZE] {
        let number = u64::from(self.queue) << SEQUENCE_BITS | self.sequence;
        (u128::from(number) << 64 | u128::from(self.moment_ns)).to_be_bytes()
    }

    /// The stamp at the start of a body; none where the body is too short for one.
    pub(super) fn from_bytes(body: &[u8]) -> Option<Self> {
        let (number, rest) = body.split_first_chunk::<8>()?;
        let number = u64::from_be_bytes(*number);
        Some(Self {
            queue: u16::try_from(number >> SEQUENCE_BITS).ok()?,
            sequence: number & ((1 << SEQUENCE_BITS) - 1),
            moment_ns: u64::from_be_bytes(*rest.first_chunk()?),
        })
    }
}

/// How many of so many messages go to each queue.
pub(super) fn sent_to_each(message_count: u64, queue_count: u16) -> Vec<u64> {
    let share = |queue| message_count.saturating_sub(queue).div_ceil(queue_count.max(1).into());
    (0..queue_count).map(u64::from).map(share).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_go_to_one_queue_after_the_other_and_are_counted_in_each() {
        let place = |message| {
            let stamp = Stamp::of(message, 100, 9);
            (stamp.queue, stamp.sequence, stamp.moment_ns)
        };
        assert_eq!([0, 99, 100, 1234].map(place), [(0, 0, 9), (99, 0, 9), (0, 1, 9), (34, 12, 9)]);
        assert_eq!(Stamp::of(7, 1, 0), Stamp { queue: 0, sequence: 7, moment_ns: 0 });
    }

    #[test]
    fn what_is_sent_to_each_queue_is_as_many_as_the_stamps_say() {
        for message_count in [0, 1, 2, 3, 4, 100] {
            let mut counts = [0; 3];
            (0..message_count).for_each(|n| counts[usize::from(Stamp::of(n, 3, 0).queue)] += 1);
            assert_eq!(sent_to_each(message_count, 3), counts, "{message_count}");
        }
    }

    #[test]
    fn a_stamp_comes_back_as_it_was_written() {
        for (queue, sequence, moment_ns) in
            [(0, 0, 0), (3, 70_000, 1 << 40), (u16::MAX, (1 << 48) - 1, u64::MAX)]
        {
            let stamp = Stamp { queue, sequence, moment_ns };
            assert_eq!(Stamp::from_bytes(&stamp.to_bytes()), Some(stamp));
        }
    }

    #[test]
    fn a_stamp_is_read_from_the_start_of_a_longer_body_and_not_from_a_shorter_one() {
        let stamp = Stamp { queue: 1, sequence: 2, moment_ns: 3 };
        let mut body = stamp.to_bytes().to_vec();
        assert_eq!(Stamp::from_bytes(&body[..STAMP_SIZE - 1]), None);
        body.extend_from_slice(b"padding");
        assert_eq!(Stamp::from_bytes(&body), Some(stamp));
    }
}
