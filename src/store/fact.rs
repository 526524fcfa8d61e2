//! Records read back: what a whole payload says. The bytes themselves are in `record`.

use bytes::Buf;

use super::record::{
    Came, FLAG_DEDUPLICATION, FLAG_PERSISTENT, FLAG_PRIORITY, Kind, Place, RecordHeader,
};
use crate::message::{Body, DeliveryCounts, Envelope, Message, QueueId, SequenceRange};

/// A fact, read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Fact<'a> {
    /// Places that a message fills; without an offset it stands in this very record.
    Filled {
        owners: Vec<Place>,
        flags: u8,
        level: Option<u8>,
        offset: Option<u64>,
        body_size: u32,
    },
    Removed {
        queue: QueueId,
        ranges: Vec<SequenceRange>,
    },
    Returned {
        queue: QueueId,
        counts: DeliveryCounts,
        ranges: Vec<SequenceRange>,
    },
    Delivered {
        queue: QueueId,
        ranges: Vec<SequenceRange>,
    },
    Changed {
        key: &'a [u8],
        value: Option<&'a [u8]>,
    },
    Forgotten {
        queue: QueueId,
    },
    /// An index, or something that may be passed over.
    Nothing,
}

/// What a whole payload says; `None` where it is not what its kind should be.
pub(super) fn parse<'a>(header: &RecordHeader, payload: &'a [u8]) -> Option<Fact<'a>> {
    let mut input = payload;
    let flags = header.flags;
    Some(match header.kind {
        Kind::Message => {
            let owners = get_places(&mut input, header.owner_count)?;
            let parts = message_parts(flags, &mut input)?;
            let body_size = u32::try_from(parts.body.len()).ok()?;
            let level = parts.came.level;
            Fact::Filled { owners, flags, level, offset: None, body_size }
        }
        Kind::Reference => {
            let owners = get_places(&mut input, header.owner_count)?;
            let offset = Some(input.try_get_u64_le().ok()?);
            let body_size = input.try_get_u32_le().ok()?;
            let level = level(flags, &mut input)?;
            Fact::Filled { owners, flags, level, offset, body_size }
        }
        Kind::Removed => {
            let queue = QueueId(input.try_get_u64_le().ok()?);
            Fact::Removed { queue, ranges: get_ranges(input)? }
        }
        Kind::Delivered => {
            let queue = QueueId(input.try_get_u64_le().ok()?);
            Fact::Delivered { queue, ranges: get_ranges(input)? }
        }
        Kind::Returned => {
            let queue = QueueId(input.try_get_u64_le().ok()?);
            let counts = get_counts(&mut input)?;
            Fact::Returned { queue, counts, ranges: get_ranges(input)? }
        }
        Kind::Changed | Kind::Noted => {
            let size = input.try_get_u32_le().ok()? as usize;
            let (key, mut rest) = input.split_at_checked(size)?;
            let has_value = rest.try_get_u8().ok()? != 0;
            Fact::Changed { key, value: has_value.then_some(rest) }
        }
        Kind::Forgotten => Fact::Forgotten { queue: QueueId(input.try_get_u64_le().ok()?) },
        Kind::Index | Kind::Queue | Kind::File | Kind::End | Kind::Skipped => Fact::Nothing,
    })
}

fn get_places(input: &mut &[u8], count: u16) -> Option<Vec<Place>> {
    let mut places = Vec::with_capacity(usize::from(count));
    for _ in 0..count {
        let queue = QueueId(input.try_get_u64_le().ok()?);
        places.push(Place { queue, sequence: input.try_get_u64_le().ok()? });
    }
    Some(places)
}

/// How often something came back.
pub(super) fn get_counts(input: &mut &[u8]) -> Option<DeliveryCounts> {
    let failed = input.try_get_u32_le().ok()?;
    Some(DeliveryCounts { failed, acquired: input.try_get_u32_le().ok()? })
}

/// All ranges in the rest of a payload.
pub(super) fn get_ranges(mut input: &[u8]) -> Option<Vec<SequenceRange>> {
    let mut ranges = Vec::with_capacity(input.len() / 12);
    while !input.is_empty() {
        let first = input.try_get_u64_le().ok()?;
        let rest = input.try_get_u32_le().ok()?;
        ranges.push(SequenceRange { first, last: first.checked_add(u64::from(rest))? });
    }
    Some(ranges)
}

struct MessageParts<'a> {
    came: Came,
    exchange: &'a str,
    routing_key: &'a str,
    properties: &'a [u8],
    body: &'a [u8],
}

fn message_parts<'a>(flags: u8, input: &mut &'a [u8]) -> Option<MessageParts<'a>> {
    let arrived = input.try_get_u64_le().ok()?;
    let came = Came { arrived, level: level(flags, input)? };
    skip_options(flags, input)?;
    let exchange_size = usize::from(input.try_get_u8().ok()?);
    let routing_key_size = usize::from(input.try_get_u8().ok()?);
    let properties_size = input.try_get_u32_le().ok()? as usize;
    let (exchange, rest) = input.split_at_checked(exchange_size)?;
    let (routing_key, rest) = rest.split_at_checked(routing_key_size)?;
    let (properties, body) = rest.split_at_checked(properties_size)?;
    let exchange = std::str::from_utf8(exchange).ok()?;
    let routing_key = std::str::from_utf8(routing_key).ok()?;
    Some(MessageParts { came, exchange, routing_key, properties, body })
}

/// The priority, where one is noted; `None` where it should be and is not there.
fn level(flags: u8, input: &mut &[u8]) -> Option<Option<u8>> {
    match flags & FLAG_PRIORITY {
        0 => Some(None),
        _ => input.try_get_u8().ok().map(Some),
    }
}

/// Fields that have their place in the format and that nothing asks for yet.
fn skip_options(flags: u8, input: &mut &[u8]) -> Option<()> {
    if flags & FLAG_DEDUPLICATION != 0 {
        let size = usize::from(input.try_get_u8().ok()?);
        let (_, rest) = input.split_at_checked(size)?;
        *input = rest;
    }
    Some(())
}

/// A message as it is read back.
#[derive(Clone, Debug)]
pub(super) struct StoredMessage {
    pub(super) owners: Vec<Place>,
    pub(super) flags: u8,
    pub(super) came: Came,
    pub(super) message: Message,
}

/// The message of a whole payload.
pub(super) fn parse_message(header: &RecordHeader, payload: &[u8]) -> Option<StoredMessage> {
    if header.kind != Kind::Message {
        return None;
    }
    let mut input = payload;
    let owners = get_places(&mut input, header.owner_count)?;
    let parts = message_parts(header.flags, &mut input)?;
    let envelope = Envelope {
        exchange: parts.exchange,
        routing_key: parts.routing_key,
        properties: parts.properties,
        is_persistent: header.flags & FLAG_PERSISTENT != 0,
    };
    let message = Message::new(envelope, body_of(parts.body));
    Some(StoredMessage { owners, flags: header.flags, came: parts.came, message })
}

fn body_of(bytes: &[u8]) -> Body<'_> {
    if bytes.len() as u64 <= crate::limits::BODY_COPIED_SIZE_MAX {
        Body::Copied(bytes)
    } else {
        Body::Shared(vec![bytes::Bytes::copy_from_slice(bytes)])
    }
}

#[cfg(test)]
mod tests {
    use super::super::record::{
        FLAG_MOVED, RECORD_HEADER_SIZE, RecordError, RecordWriter, put_ranges, read, read_header,
    };
    use super::*;
    use crate::message::Sequence;

    const COUNTS: DeliveryCounts = DeliveryCounts { failed: 7, acquired: 9 };

    fn message(body: &[u8]) -> Message {
        let envelope = Envelope {
            exchange: "orders",
            routing_key: "a.b",
            properties: &[16, 0, 2],
            is_persistent: true,
        };
        Message::new(envelope, Body::Copied(body))
    }

    fn place(queue: u64, sequence: Sequence) -> Place {
        Place { queue: QueueId(queue), sequence }
    }

    fn written(write: impl FnOnce(&mut RecordWriter<'_>)) -> Vec<u8> {
        let mut out = Vec::new();
        write(&mut RecordWriter::new(&mut out, 3, 120));
        out
    }

    #[test]
    fn a_message_is_read_as_it_was_written() {
        let owners = [place(1, 5), place(9, 2)];
        let came = Came { arrived: 77, level: Some(3) };
        let bytes = written(|writer| writer.message(&owners, FLAG_MOVED, came, &message(b"body")));
        let (header, payload) = read(3, 120, &bytes).unwrap();
        let stored = parse_message(&header, payload).unwrap();
        assert_eq!((stored.owners.as_slice(), stored.came), (&owners[..], came));
        assert_eq!((stored.message.exchange(), stored.message.routing_key()), ("orders", "a.b"));
        assert_eq!(stored.message.properties(), &[16, 0, 2]);
        assert_eq!(stored.message.body_to_vec(), b"body");
        assert!(!stored.message.is_persistent());
        let fact = parse(&header, payload).unwrap();
        let owners = owners.to_vec();
        let filled = Fact::Filled {
            owners,
            flags: FLAG_MOVED | FLAG_PRIORITY,
            level: Some(3),
            offset: None,
            body_size: 4,
        };
        assert_eq!(fact, filled);
    }

    #[test]
    fn facts_are_read_as_they_were_written() {
        let ranges = [SequenceRange { first: 1, last: 3 }, SequenceRange { first: 9, last: 9 }];
        let queue = QueueId(4);
        let cases: [(Vec<u8>, Fact<'_>); 6] = [
            (
                written(|writer| writer.ranges(Kind::Removed, queue, &ranges)),
                Fact::Removed { queue, ranges: ranges.to_vec() },
            ),
            (
                written(|writer| writer.returned(queue, COUNTS, ranges)),
                Fact::Returned { queue, counts: COUNTS, ranges: ranges.to_vec() },
            ),
            (
                written(|writer| writer.changed(b"key", Some(b"value"))),
                Fact::Changed { key: b"key", value: Some(b"value") },
            ),
            (
                written(|writer| writer.changed(b"key", None)),
                Fact::Changed { key: b"key", value: None },
            ),
            (
                written(|writer| writer.noted(b"key", Some(b"value"))),
                Fact::Changed { key: b"key", value: Some(b"value") },
            ),
            (written(|writer| writer.forgotten(queue)), Fact::Forgotten { queue }),
        ];
        for (bytes, fact) in &cases {
            let (header, payload) = read(3, 120, bytes).unwrap();
            assert_eq!(parse(&header, payload).as_ref(), Some(fact));
        }
    }

    #[test]
    fn a_range_longer_than_a_count_is_several() {
        let long = SequenceRange { first: 5, last: 5 + (1 << 33) };
        let mut out = Vec::new();
        put_ranges(&mut out, [long]);
        let ranges = get_ranges(&out).unwrap();
        assert!(ranges.len() > 1);
        assert_eq!((ranges[0].first, ranges[ranges.len() - 1].last), (long.first, long.last));
        assert_eq!(ranges.iter().map(|range| range.count()).sum::<u64>(), long.count());
    }

    #[test]
    fn every_flipped_bit_is_seen_and_a_damaged_payload_tells_its_length() {
        let bytes =
            written(|writer| writer.message(&[place(1, 1)], 0, Came::default(), &message(b"body")));
        for bit in 0..bytes.len() * 8 {
            let mut bytes = bytes.clone();
            bytes[bit / 8] ^= 1 << (bit % 8);
            let expected = if bit / 8 < RECORD_HEADER_SIZE {
                RecordError::Head
            } else {
                RecordError::Payload { kind: Kind::Message, record_size: bytes.len() }
            };
            assert_eq!(read(3, 120, &bytes).unwrap_err(), expected, "bit {bit}");
        }
    }

    #[test]
    fn an_unknown_kind_is_passed_over_only_where_it_says_so() {
        assert_eq!(Kind::parse(200), Some(Kind::Skipped));
        assert_eq!(Kind::parse(100), None);
    }

    #[test]
    fn cut_payloads_are_none_and_not_a_panic() {
        let bytes =
            written(|writer| writer.message(&[place(1, 1)], 0, Came::default(), &message(b"body")));
        let header = read_header(3, 120, &bytes).unwrap();
        for end in 0..20 {
            let payload = &bytes[RECORD_HEADER_SIZE..][..end];
            assert_eq!(parse(&header, payload), None, "{end} bytes");
        }
    }
}
