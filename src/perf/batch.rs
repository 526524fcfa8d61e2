//! The bytes of many publishes in a row, encoded once. Before each write only the stamps in the
//! bodies change, which is why publishing costs the generator next to nothing.

use std::ops::Range;

use super::scenario::Scenario;
use super::stamp::{STAMP_SIZE, Stamp};
use super::wire::CHANNEL;
use crate::protocol::frame;
use crate::protocol::methods::{WireMethod, basic};

/// About what one write takes. Larger ones gain nothing, and a broker would get them in pieces.
const WRITE_SIZE: usize = 64 * 1024;

/// A frame's head and end.
const FRAME_OVERHEAD: usize = 8;

/// About as many publishes as fit into one write. With several queues it is as many as there are
/// queues, or a multiple of that, and is written in pieces.
#[derive(Debug)]
pub(super) struct Batch {
    bytes: Vec<u8>,
    /// Octets of one publish with all its frames.
    publish_size: usize,
    /// Where the body begins in each.
    stamp_at: usize,
    queue_count: u16,
    write_count: u64,
}

impl Batch {
    /// Publishes to one queue after the other, by the default exchange. The names of the queues
    /// have the same length.
    pub(super) fn new(queues: &[String], scenario: &Scenario, frame_size_max: usize) -> Self {
        let (mut round, mut publish_size, mut stamp_at) = (Vec::new(), 1, 0);
        for queue in queues {
            let publish = one_publish(queue, scenario, frame_size_max);
            publish_size = publish.bytes.len();
            stamp_at = publish.stamp_at;
            round.extend(publish.bytes);
        }
        let write_count = (WRITE_SIZE / publish_size).max(1);
        Self {
            bytes: round.repeat((WRITE_SIZE / round.len().max(1)).max(1)),
            publish_size,
            stamp_at,
            queue_count: scenario.queue_count,
            write_count: write_count as u64,
        }
    }

    /// How many messages, from the one with this number on, one write takes.
    pub(super) fn room(&self, message: u64) -> u64 {
        let left = self.publish_count() - message % u64::from(self.queue_count.max(1));
        left.min(self.write_count)
    }

    /// The publishes of the messages with these numbers, as far as one write takes them, each with
    /// its own moment.
    pub(super) fn stamped(
        &mut self,
        messages: Range<u64>,
        moment_ns: impl Fn(u64) -> u64,
    ) -> &[u8] {
        let first = messages.start % u64::from(self.queue_count.max(1));
        let count = messages.end.saturating_sub(messages.start).min(self.room(messages.start));
        let octets = |count: u64| usize::try_from(count).unwrap_or(0) * self.publish_size;
        let place = octets(first)..octets(first + count);
        let (queue_count, stamp_at) = (self.queue_count, self.stamp_at);
        let Some(bytes) = self.bytes.get_mut(place) else { return &[] };
        for (publish, message) in bytes.chunks_exact_mut(self.publish_size).zip(messages) {
            let body = publish.get_mut(stamp_at..).unwrap_or_default();
            if let Some(place) = body.first_chunk_mut::<STAMP_SIZE>() {
                *place = Stamp::of(message, queue_count, moment_ns(message)).to_bytes();
            }
        }
        bytes
    }

    fn publish_count(&self) -> u64 {
        (self.bytes.len() / self.publish_size) as u64
    }
}

/// The frames of one publish, and where its body begins.
struct OnePublish {
    bytes: Vec<u8>,
    stamp_at: usize,
}

fn one_publish(queue: &str, scenario: &Scenario, frame_size_max: usize) -> OnePublish {
    let publish =
        basic::Publish { exchange: "", routing_key: queue, mandatory: false, immediate: false };
    let (mut bytes, body) = (Vec::new(), vec![b'.'; scenario.message_size]);
    frame::write_method(&mut bytes, CHANNEL, &publish);
    let (body_size, properties) = (body.len() as u64, scenario.properties());
    frame::write_header(&mut bytes, CHANNEL, basic::Publish::CLASS_ID, body_size, &properties);
    let mut stamp_at = None;
    for piece in body.chunks(frame_size_max.saturating_sub(FRAME_OVERHEAD).max(STAMP_SIZE)) {
        frame::write_body_head(&mut bytes, CHANNEL, piece.len());
        stamp_at.get_or_insert(bytes.len());
        bytes.extend_from_slice(piece);
        frame::write_end(&mut bytes);
    }
    let stamp_at = stamp_at.unwrap_or(bytes.len());
    OnePublish { bytes, stamp_at }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::perf::scenario::named;
    use crate::protocol::frame::{ContentHeader, FrameKind};
    use crate::protocol::methods::Method;

    fn batch(message_size: usize, queue_count: u16, frame_size_max: usize) -> Batch {
        let queues: Vec<String> = (0..queue_count).map(|queue| format!("q{queue:03}")).collect();
        let scenario = named("durable-confirm-1").unwrap();
        Batch::new(&queues, &Scenario { message_size, queue_count, ..scenario }, frame_size_max)
    }

    /// The moment of a message.
    fn moment(message: u64) -> u64 {
        7 * message
    }

    /// Kinds and payloads of all frames.
    fn frames(mut bytes: &[u8]) -> Vec<(FrameKind, Vec<u8>)> {
        let mut frames = Vec::new();
        while let Some((frame, size)) = frame::next(bytes, 131_072).unwrap() {
            frames.push((frame.kind, frame.payload.to_vec()));
            bytes = &bytes[size..];
        }
        assert!(bytes.is_empty(), "{} octets are left over", bytes.len());
        frames
    }

    /// The routing keys and stamps of publishes that fit into three frames each.
    fn publishes(bytes: &[u8]) -> Vec<(String, Stamp)> {
        let publish = |frames: &[(FrameKind, Vec<u8>)]| {
            let Method::BasicPublish(publish) = Method::decode(&frames[0].1).unwrap() else {
                panic!("{frames:?}");
            };
            assert_eq!(publish.exchange, "");
            (publish.routing_key.to_owned(), Stamp::from_bytes(&frames[2].1).unwrap())
        };
        frames(bytes).chunks(3).map(publish).collect()
    }

    #[test]
    fn a_write_is_a_row_of_whole_publishes_with_their_stamps() {
        let mut batch = batch(1024, 1, 131_072);
        let count = batch.room(5);
        assert!((50..64).contains(&count), "{count}");
        let bytes = batch.stamped(5..u64::MAX, moment).to_vec();
        let expected: Vec<(String, Stamp)> = (5..5 + count)
            .map(|message| ("q000".to_owned(), Stamp::of(message, 1, moment(message))))
            .collect();
        assert_eq!(publishes(&bytes), expected);
        for frames in frames(&bytes).chunks(3) {
            let header = ContentHeader::decode(&frames[1].1).unwrap();
            assert_eq!((header.body_size, frames[2].1.len()), (1024, 1024));
            assert!(frames[1].1.ends_with(&[2]), "the delivery mode is persistent");
        }
    }

    #[test]
    fn writes_that_follow_each_other_go_to_one_queue_after_the_other() {
        let mut batch = batch(1024, 100, 131_072);
        let (mut all, mut message) = (Vec::new(), 0);
        while message < 250 {
            let end = (message + batch.room(message)).min(250);
            all.extend(publishes(batch.stamped(message..end, moment)));
            message = end;
        }
        let expected: Vec<(String, Stamp)> =
            (0..250).map(|n| (format!("q{:03}", n % 100), Stamp::of(n, 100, moment(n)))).collect();
        assert_eq!(all, expected);
    }

    #[test]
    fn only_as_many_messages_are_given_as_are_asked_for() {
        let mut batch = batch(16, 1, 131_072);
        let size = batch.publish_size;
        assert_eq!(batch.stamped(0..3, moment).len(), 3 * size);
        assert_eq!(batch.stamped(4..4, moment).len(), 0);
        let room = batch.room(9);
        assert_eq!(batch.stamped(9..9 + room + 1, moment).len() as u64, room * size as u64);
    }

    #[test]
    fn a_large_body_goes_in_frames_of_the_size_agreed() {
        let mut large = batch(10_000, 1, 4096);
        let frames = frames(large.stamped(9..10, moment));
        let sizes: Vec<usize> = frames[2..].iter().map(|(_, payload)| payload.len()).collect();
        assert_eq!(sizes, [4088, 4088, 1824]);
        assert_eq!(Stamp::from_bytes(&frames[2].1), Some(Stamp::of(9, 1, moment(9))));
        assert_eq!(batch(1 << 20, 1, 4096).room(0), 1);
    }
}
