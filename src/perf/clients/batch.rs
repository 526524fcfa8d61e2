//! The bytes of many publishes in a row, encoded once. Before each write only the stamps in the
//! bodies change, which is why publishing costs the generator next to nothing.

use std::ops::Range;

use super::stamp::{STAMP_SIZE, Stamp};
use crate::perf::wire::CHANNEL;
use crate::perf::workload::{Route, Workload};
use crate::protocol::frame;
use crate::protocol::methods::{WireMethod, basic};
use crate::protocol::properties::Properties;

/// About what one write takes. Larger ones gain nothing, and a broker would get them in pieces.
const WRITE_SIZE: usize = 64 * 1024;

/// The delivery mode of messages that are to be kept.
const PERSISTENT: u8 = 2;

/// About as many publishes as fit into one write. With several routes it is as many as there are
/// routes, or a multiple of that, and is written in pieces.
#[derive(Debug)]
pub(in crate::perf) struct Batch {
    bytes: Vec<u8>,
    /// Octets of one publish with all its frames.
    publish_size: usize,
    /// Where the body begins in each.
    stamp_at: usize,
    /// Where each publish of a round goes.
    queues: Vec<u32>,
    /// How many messages went to each queue.
    sent: Vec<u64>,
    publisher: u32,
    write_count: u64,
}

impl Batch {
    /// Publishes by one route after the other. Their keys have the same length.
    pub(in crate::perf) fn new(
        publisher: u32,
        exchange: &str,
        routes: &[Route],
        workload: &Workload,
        frame_size_max: usize,
    ) -> Self {
        let (mut round, mut publish_size, mut stamp_at) = (Vec::new(), 1, 0);
        for route in routes {
            let publish = one_publish(exchange, route, workload, frame_size_max);
            publish_size = publish.bytes.len();
            stamp_at = publish.stamp_at;
            round.extend(publish.bytes);
        }
        let write_count = (WRITE_SIZE / publish_size).max(1);
        Self {
            bytes: round.repeat((WRITE_SIZE / round.len().max(1)).max(1)),
            publish_size,
            stamp_at,
            queues: routes.iter().map(|route| route.queue).collect(),
            sent: vec![0; workload.queues as usize],
            publisher,
            write_count: write_count as u64,
        }
    }

    /// How many messages went to each queue.
    pub(in crate::perf) fn into_sent(self) -> Vec<u64> {
        self.sent
    }

    /// How many messages, from the one with this number on, one write takes.
    pub(in crate::perf) fn room(&self, message: u64) -> u64 {
        let left = self.publish_count() - message % self.round();
        left.min(self.write_count)
    }

    /// Stamps the publishes of the messages with these numbers, as far as one write takes them,
    /// each with its own moment; where they lie.
    pub(in crate::perf) fn stamp(
        &mut self,
        messages: Range<u64>,
        moment_ns: impl Fn(u64) -> u64,
    ) -> Range<usize> {
        let first = messages.start % self.round();
        let count = messages.end.saturating_sub(messages.start).min(self.room(messages.start));
        let octets = |count: u64| usize::try_from(count).unwrap_or(0) * self.publish_size;
        let place = octets(first)..octets(first + count);
        let (stamp_at, publisher, sent) = (self.stamp_at, self.publisher, &mut self.sent);
        let Some(bytes) = self.bytes.get_mut(place.clone()) else { return 0..0 };
        let start = usize::try_from(first).unwrap_or_default();
        let queues = self.queues.iter().cycle().skip(start).copied();
        let publishes = bytes.chunks_exact_mut(self.publish_size);
        for ((publish, queue), message) in publishes.zip(queues).zip(messages) {
            let body = publish.get_mut(stamp_at..).unwrap_or_default();
            let sent = sent.get_mut(queue as usize);
            if let Some((place, sent)) = body.first_chunk_mut::<STAMP_SIZE>().zip(sent) {
                let moment_ns = moment_ns(message);
                *place = Stamp { publisher, queue, sequence: *sent, moment_ns }.to_bytes();
                *sent += 1;
            }
        }
        place
    }

    /// Publishes that were stamped.
    pub(in crate::perf) fn bytes(&self, place: Range<usize>) -> &[u8] {
        self.bytes.get(place).unwrap_or_default()
    }

    fn round(&self) -> u64 {
        self.queues.len().max(1) as u64
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

fn one_publish(
    exchange: &str,
    route: &Route,
    workload: &Workload,
    frame_size_max: usize,
) -> OnePublish {
    let routing_key = &route.routing_key;
    let publish = basic::Publish { exchange, routing_key, mandatory: false, immediate: false };
    let (mut bytes, body) = (Vec::new(), vec![b'.'; workload.message_size]);
    frame::write_method(&mut bytes, CHANNEL, &publish);
    let (body_size, properties) = (body.len() as u64, properties(route, workload));
    frame::write_header(&mut bytes, CHANNEL, basic::Publish::CLASS_ID, body_size, &properties);
    let mut stamp_at = None;
    for piece in body.chunks(frame_size_max.saturating_sub(frame::OVERHEAD_SIZE).max(STAMP_SIZE)) {
        frame::write_body_head(&mut bytes, CHANNEL, piece.len());
        stamp_at.get_or_insert(bytes.len());
        bytes.extend_from_slice(piece);
        frame::write_end(&mut bytes);
    }
    let stamp_at = stamp_at.unwrap_or(bytes.len());
    OnePublish { bytes, stamp_at }
}

/// The properties of each message, as they stand in its header frame.
fn properties(route: &Route, workload: &Workload) -> Vec<u8> {
    let delivery_mode = workload.is_persistent.then_some(PERSISTENT);
    let headers = route.headers.clone();
    let mut properties = Vec::new();
    Properties { delivery_mode, headers, ..Properties::default() }.encode(&mut properties);
    properties
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::perf::workload::{Topology, named};
    use crate::protocol::frame::{ContentHeader, FrameKind};
    use crate::protocol::methods::Method;

    fn batch(message_size: usize, queues: u32, frame_size_max: usize) -> Batch {
        let workload = Workload { message_size, queues, ..named("s3-1").unwrap() };
        let topology = Topology::new(&workload, "q");
        Batch::new(3, "", &topology.routes(0), &workload, frame_size_max)
    }

    /// The moment of a message.
    fn moment(message: u64) -> u64 {
        7 * message
    }

    fn stamped(batch: &mut Batch, messages: Range<u64>) -> Vec<u8> {
        let place = batch.stamp(messages, moment);
        batch.bytes(place).to_vec()
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

    /// What message this number is among those of one publisher to so many queues.
    fn expected(messages: Range<u64>, queues: u64) -> Vec<(String, Stamp)> {
        let expected = |message: u64| {
            let queue = u32::try_from(message % queues).unwrap();
            let (sequence, moment_ns) = (message / queues, moment(message));
            (format!("q-{queue:06}"), Stamp { publisher: 3, queue, sequence, moment_ns })
        };
        messages.map(expected).collect()
    }

    #[test]
    fn a_write_is_a_row_of_whole_publishes_with_their_stamps() {
        let mut batch = batch(1024, 1, 131_072);
        let count = batch.room(0);
        assert!((50..64).contains(&count), "{count}");
        let bytes = stamped(&mut batch, 0..u64::MAX);
        assert_eq!(publishes(&bytes), expected(0..count, 1));
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
            all.extend(publishes(&stamped(&mut batch, message..end)));
            message = end;
        }
        assert_eq!(all, expected(0..250, 100));
        let sent = batch.into_sent();
        assert_eq!((sent.len(), sent[0], sent[49], sent[50]), (100, 3, 3, 2));
    }

    #[test]
    fn only_as_many_messages_are_given_as_are_asked_for() {
        let mut batch = batch(16, 1, 131_072);
        let size = batch.publish_size;
        assert_eq!(stamped(&mut batch, 0..3).len(), 3 * size);
        assert_eq!(stamped(&mut batch, 4..4).len(), 0);
        let room = batch.room(9);
        assert_eq!(stamped(&mut batch, 9..9 + room + 1).len() as u64, room * size as u64);
    }

    #[test]
    fn a_large_body_goes_in_frames_of_the_size_agreed() {
        let mut large = batch(10_000, 1, 4096);
        let frames = frames(&stamped(&mut large, 0..1));
        let sizes: Vec<usize> = frames[2..].iter().map(|(_, payload)| payload.len()).collect();
        assert_eq!(sizes, [4088, 4088, 1824]);
        let stamp = Stamp { publisher: 3, queue: 0, sequence: 0, moment_ns: 0 };
        assert_eq!(Stamp::from_bytes(&frames[2].1), Some(stamp));
        assert_eq!(batch(1 << 20, 1, 4096).room(0), 1);
    }
}
