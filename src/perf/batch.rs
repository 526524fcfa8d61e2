//! The bytes of many publishes in a row, encoded once. Before each write only the stamps in the
//! bodies change, which is why publishing costs the generator next to nothing.

use super::stamp::{STAMP_SIZE, Stamp};
use super::wire::CHANNEL;
use crate::protocol::frame;
use crate::protocol::methods::{WireMethod, basic};
use crate::protocol::properties::Properties;

/// About what one write takes. Larger ones gain nothing, and a broker would get them in pieces.
const WRITE_SIZE: usize = 64 * 1024;

/// A frame's head and end.
const FRAME_OVERHEAD: usize = 8;

/// As many publishes as fit into one write, and at least one.
#[derive(Debug)]
pub(super) struct Batch {
    bytes: Vec<u8>,
    /// Octets of one publish with all its frames.
    publish_size: usize,
    /// Where the body begins in each.
    stamp_at: usize,
}

impl Batch {
    /// Publishes to a queue, by the default exchange, transient.
    pub(super) fn new(queue: &str, message_size: usize, frame_size_max: usize) -> Self {
        let (publish, stamp_at) = one_publish(queue, message_size, frame_size_max);
        let publish_size = publish.len();
        Self { bytes: publish.repeat((WRITE_SIZE / publish_size).max(1)), publish_size, stamp_at }
    }

    /// Messages in the whole batch.
    pub(super) fn message_count(&self) -> u64 {
        (self.bytes.len() / self.publish_size) as u64
    }

    /// The bytes of the first messages of the batch, one for each stamp that there is.
    pub(super) fn stamped(&mut self, stamps: impl Iterator<Item = Stamp>) -> &[u8] {
        let mut size = 0;
        for (publish, stamp) in self.bytes.chunks_exact_mut(self.publish_size).zip(stamps) {
            let body = publish.get_mut(self.stamp_at..).unwrap_or_default();
            if let Some(place) = body.first_chunk_mut::<STAMP_SIZE>() {
                *place = stamp.to_bytes();
            }
            size += self.publish_size;
        }
        self.bytes.get(..size).unwrap_or_default()
    }
}

/// The frames of one publish, and where its body begins.
fn one_publish(queue: &str, message_size: usize, frame_size_max: usize) -> (Vec<u8>, usize) {
    let publish =
        basic::Publish { exchange: "", routing_key: queue, mandatory: false, immediate: false };
    let mut properties = Vec::new();
    Properties::default().encode(&mut properties);
    let (mut out, body) = (Vec::new(), vec![b'.'; message_size]);
    frame::write_method(&mut out, CHANNEL, &publish);
    let body_size = body.len() as u64;
    frame::write_header(&mut out, CHANNEL, basic::Publish::CLASS_ID, body_size, &properties);
    let mut stamp_at = None;
    for piece in body.chunks(frame_size_max.saturating_sub(FRAME_OVERHEAD).max(STAMP_SIZE)) {
        frame::write_body_head(&mut out, CHANNEL, piece.len());
        stamp_at.get_or_insert(out.len());
        out.extend_from_slice(piece);
        frame::write_end(&mut out);
    }
    let stamp_at = stamp_at.unwrap_or(out.len());
    (out, stamp_at)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::frame::{ContentHeader, FrameKind};
    use crate::protocol::methods::Method;

    fn stamp(sequence: u64) -> Stamp {
        Stamp { publisher: 0, sequence, moment_ns: 7 * sequence }
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

    #[test]
    fn a_batch_is_a_row_of_whole_publishes_with_their_stamps() {
        let mut batch = Batch::new("q", 1024, 131_072);
        let count = batch.message_count();
        assert!((50..64).contains(&count), "{count}");
        let frames = frames(batch.stamped((5..).map(stamp)));
        assert_eq!(frames.len() as u64, 3 * count);
        for (frames, sequence) in frames.chunks(3).zip(5..) {
            let Method::BasicPublish(publish) = Method::decode(&frames[0].1).unwrap() else {
                panic!("{frames:?}");
            };
            assert_eq!((publish.exchange, publish.routing_key), ("", "q"));
            assert_eq!(ContentHeader::decode(&frames[1].1).unwrap().body_size, 1024);
            assert_eq!(frames[2].1.len(), 1024);
            assert_eq!(Stamp::from_bytes(&frames[2].1), Some(stamp(sequence)));
        }
    }

    #[test]
    fn only_as_many_messages_are_given_as_there_are_stamps() {
        let mut batch = Batch::new("q", 16, 131_072);
        let size = batch.publish_size;
        assert_eq!(batch.stamped((0..3).map(stamp)).len(), 3 * size);
        assert_eq!(batch.stamped((0..0).map(stamp)).len(), 0);
        let all = batch.message_count();
        assert_eq!(batch.stamped((0..all + 9).map(stamp)).len() as u64, all * size as u64);
    }

    #[test]
    fn a_large_body_goes_in_frames_of_the_size_agreed() {
        let mut batch = Batch::new("q", 10_000, 4096);
        let frames = frames(batch.stamped((9..10).map(stamp)));
        let sizes: Vec<usize> = frames[2..].iter().map(|(_, payload)| payload.len()).collect();
        assert_eq!(sizes, [4088, 4088, 1824]);
        assert_eq!(Stamp::from_bytes(&frames[2].1), Some(stamp(9)));
        assert_eq!(Batch::new("q", 1 << 20, 4096).message_count(), 1);
    }
}
