//! Records of keys that exchanges have seen: by the place of each, which the next one takes over.

use super::read::Reader;
use super::write::Writer;
use super::{Fact, Kind, Record, RecordError};
use crate::message::{DeduplicationKey, ExchangeId, Moment, SeenKey, VirtualHostNumber};

pub(super) fn key(host: VirtualHostNumber, exchange: ExchangeId, place: u32) -> Vec<u8> {
    Writer::key(Kind::Seen).number(host.0).number(exchange.0).number(place.into()).finish()
}

pub(super) fn encode(host: VirtualHostNumber, exchange: ExchangeId, seen: &SeenKey) -> Record {
    let SeenKey { place, key: DeduplicationKey(bytes), number, until } = seen;
    let value = Writer::value()
        .bytes(bytes)
        .number(*number)
        .flags(&[until.is_some()])
        .number(until.map_or(0, |until| until.0));
    Record { key: key(host, exchange, *place), value: Some(value.finish()) }
}

pub(super) fn decode(key: &mut Reader<'_>, value: &mut Reader<'_>) -> Result<Fact, RecordError> {
    let host = VirtualHostNumber(key.number()?);
    let exchange = ExchangeId(key.number()?);
    let place = u32::try_from(key.number()?).map_err(|_| key.malformed())?;
    let bytes = value.bytes()?.try_into().map_err(|_| value.malformed())?;
    let number = value.number()?;
    let [ends] = value.flags()?;
    let until = Moment(value.number()?);
    let until = ends.then_some(until);
    let seen = SeenKey { place, key: DeduplicationKey(bytes), number, until };
    Ok(Fact::Seen(host, exchange, seen))
}

#[cfg(test)]
mod tests {
    use super::super::{decode, encode_seen, encode_unseen};
    use super::*;

    #[test]
    fn a_key_that_was_seen_comes_back_as_it_was() {
        let (host, exchange) = (VirtualHostNumber(3), ExchangeId(9));
        for until in [None, Some(Moment(0)), Some(Moment(u64::MAX))] {
            let key = DeduplicationKey([7; 16]);
            let seen = SeenKey { place: u32::MAX, key, number: 5, until };
            let record = encode_seen(host, exchange, &seen);
            let value = record.value.unwrap();
            assert_eq!(decode(&record.key, &value), Ok(Fact::Seen(host, exchange, seen)));
            assert_eq!(encode_unseen(host, exchange, u32::MAX).key, record.key);
            let cut = decode(&record.key, &value[..value.len() - 1]);
            assert_eq!(cut, Err(RecordError::Malformed("value")));
        }
    }

    #[test]
    fn keys_sort_by_exchange_and_place() {
        let key = |exchange, place| key(VirtualHostNumber(1), ExchangeId(exchange), place);
        assert!(key(1, 255) < key(1, 256) && key(1, u32::MAX) < key(2, 0));
    }
}
