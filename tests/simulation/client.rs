//! A small client's ears: bytes of one connection to what they say. It knows frames and contents;
//! what it makes of them, the oracle knows.

use std::collections::BTreeMap;

use leveret::message::DeliveryCounts;
use leveret::protocol::field::{FieldTable, FieldValue};
use leveret::protocol::frame::{self, ContentHeader, FrameKind};
use leveret::protocol::methods::Method;
use leveret::protocol::properties::Properties;

use crate::operation::Publish;

/// Something the broker said on a channel.
#[derive(Clone, Debug)]
pub(crate) struct Incoming {
    pub(crate) channel: u16,
    pub(crate) what: What,
}

/// What was said.
#[derive(Clone, Debug)]
pub(crate) enum What {
    /// An answer that is its name and nothing more.
    Answer(&'static str),
    /// queue.declare-ok
    Declared { queue: String, messages: u32, consumers: u32 },
    /// queue.purge-ok and queue.delete-ok
    Counted { name: &'static str, messages: u32 },
    /// basic.deliver, or basic.get-ok where there is no consumer
    Delivery(Delivery),
    /// basic.return
    Returned { message: u64 },
    /// basic.ack and basic.nack
    Confirm { tag: u64, multiple: bool, is_refusal: bool },
    /// basic.cancel
    ConsumerGone { consumer_tag: String },
    /// channel.close, or connection.close on channel 0
    Refused { code: u16 },
    /// A sign of life.
    Heartbeat,
}

/// A message that came.
#[derive(Clone, Debug, Default)]
pub(crate) struct Delivery {
    pub(crate) consumer_tag: Option<String>,
    pub(crate) exchange: String,
    pub(crate) routing_key: String,
    pub(crate) tag: u64,
    pub(crate) redelivered: bool,
    /// Of get-ok: how many are left.
    pub(crate) left: u32,
    pub(crate) message: u64,
    pub(crate) reply_to: Option<String>,
    /// A property that no receiver should see.
    pub(crate) shows_blind_copies: bool,
    /// What it tells of its deaths, the latest first.
    pub(crate) deaths: Vec<ToldDeath>,
    /// What it tells of how often it came back.
    pub(crate) counts: DeliveryCounts,
    /// It lives for a time of its own.
    pub(crate) has_expiration: bool,
    /// `x-delay`
    pub(crate) delay: Option<i64>,
}

/// One entry of `x-death`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ToldDeath {
    pub(crate) queue: String,
    pub(crate) reason: String,
    pub(crate) count: u64,
    /// Seconds.
    pub(crate) time: u64,
}

/// The reading half of a connection.
#[derive(Debug, Default)]
pub(crate) struct Ears {
    buffer: Vec<u8>,
    contents: BTreeMap<u16, Content>,
}

/// A message of which the last frame has not come.
#[derive(Debug)]
struct Content {
    what: What,
    missing: Option<u64>,
    properties: Properties,
    body: Vec<u8>,
}

impl Ears {
    /// Takes bytes and gives what they complete.
    ///
    /// # Errors
    /// The broker broke the protocol.
    pub(crate) fn hear(&mut self, bytes: &[u8]) -> Result<Vec<Incoming>, String> {
        self.buffer.extend_from_slice(bytes);
        let buffer = std::mem::take(&mut self.buffer);
        let (mut used, mut heard) = (0, Vec::new());
        while let Some((frame, size)) =
            frame::next(&buffer[used..], 131_072).map_err(|error| error.to_string())?
        {
            used += size;
            let channel = frame.channel;
            let what = match frame.kind {
                FrameKind::Heartbeat => Some(What::Heartbeat),
                FrameKind::Method => self.hear_method(channel, frame.payload)?,
                FrameKind::Header => self.hear_header(channel, frame.payload)?,
                FrameKind::Body => self.hear_body(channel, frame.payload)?,
            };
            heard.extend(what.map(|what| Incoming { channel, what }));
        }
        self.buffer = buffer[used..].to_vec();
        Ok(heard)
    }

    fn hear_method(&mut self, channel: u16, payload: &[u8]) -> Result<Option<What>, String> {
        if self.contents.contains_key(&channel) {
            return Err(format!("a method between content frames of channel {channel}"));
        }
        let method = Method::decode(payload).map_err(|error| error.to_string())?;
        let what = read_method(&method)?;
        if matches!(what, What::Delivery(_) | What::Returned { .. }) {
            let content =
                Content { what, missing: None, properties: Properties::default(), body: vec![] };
            self.contents.insert(channel, content);
            return Ok(None);
        }
        Ok(Some(what))
    }

    fn hear_header(&mut self, channel: u16, payload: &[u8]) -> Result<Option<What>, String> {
        let header = ContentHeader::decode(payload).map_err(|error| error.to_string())?;
        let content = self.contents.get_mut(&channel).ok_or("a header without its method")?;
        content.missing = Some(header.body_size);
        content.properties =
            Properties::decode(header.properties).map_err(|error| error.to_string())?;
        self.finish(channel)
    }

    fn hear_body(&mut self, channel: u16, payload: &[u8]) -> Result<Option<What>, String> {
        let content = self.contents.get_mut(&channel).ok_or("a body without its method")?;
        let missing = content.missing.ok_or("a body without its header")?;
        let left = missing.checked_sub(payload.len() as u64).ok_or("a body that is too long")?;
        content.missing = Some(left);
        content.body.extend_from_slice(payload);
        self.finish(channel)
    }

    /// The message, when its last frame is there and its body is the one that was published.
    fn finish(&mut self, channel: u16) -> Result<Option<What>, String> {
        let is_whole = self.contents.get(&channel).is_some_and(|known| known.missing == Some(0));
        if !is_whole {
            return Ok(None);
        }
        let Some(content) = self.contents.remove(&channel) else { return Ok(None) };
        let number = content.body.first_chunk::<8>().ok_or("a body without its number")?;
        let number = u64::from_be_bytes(*number);
        if content.body != Publish::body(number, content.body.len()) {
            return Err(format!("the body of message {number} is not what was published"));
        }
        Ok(Some(match content.what {
            What::Delivery(delivery) => {
                let headers = content.properties.headers.as_ref();
                What::Delivery(Delivery {
                    message: number,
                    reply_to: content.properties.reply_to.map(Into::into),
                    shows_blind_copies: headers.is_some_and(|table| table.contains("BCC")),
                    deaths: headers.map(read_deaths).transpose()?.unwrap_or_default(),
                    counts: headers.map(read_counts).unwrap_or_default(),
                    has_expiration: content.properties.expiration.is_some(),
                    delay: headers.and_then(|table| table.get("x-delay")?.as_integer()),
                    ..delivery
                })
            }
            _ => What::Returned { message: number },
        }))
    }
}

/// How often a message came back.
fn read_counts(headers: &FieldTable) -> DeliveryCounts {
    let count = |name| {
        let count = headers.get(name).and_then(FieldValue::as_integer);
        count.and_then(|count| u32::try_from(count).ok()).unwrap_or(0)
    };
    DeliveryCounts { failed: count("x-delivery-count"), acquired: count("x-acquired-count") }
}

/// The history of a message that died.
fn read_deaths(headers: &FieldTable) -> Result<Vec<ToldDeath>, String> {
    let Some(FieldValue::Array(deaths)) = headers.get("x-death") else { return Ok(Vec::new()) };
    let read = |death: &FieldValue| {
        let FieldValue::Table(death) = death else { return None };
        let text = |name| death.get(name)?.as_str().map(str::to_owned);
        let &FieldValue::Timestamp(time) = death.get("time")? else { return None };
        let count = u64::try_from(death.get("count")?.as_integer()?).ok()?;
        Some(ToldDeath { queue: text("queue")?, reason: text("reason")?, count, time })
    };
    let deaths: Option<Vec<ToldDeath>> = deaths.iter().map(read).collect();
    deaths.ok_or_else(|| format!("a history that cannot be read: {headers:?}"))
}

fn read_method(method: &Method<'_>) -> Result<What, String> {
    Ok(match method {
        Method::QueueDeclareOk(ok) => What::Declared {
            queue: ok.queue.to_owned(),
            messages: ok.message_count,
            consumers: ok.consumer_count,
        },
        Method::QueuePurgeOk(ok) => {
            What::Counted { name: "queue.purge-ok", messages: ok.message_count }
        }
        Method::QueueDeleteOk(ok) => {
            What::Counted { name: "queue.delete-ok", messages: ok.message_count }
        }
        Method::BasicDeliver(deliver) => What::Delivery(Delivery {
            consumer_tag: Some(deliver.consumer_tag.to_owned()),
            exchange: deliver.exchange.to_owned(),
            routing_key: deliver.routing_key.to_owned(),
            tag: deliver.delivery_tag,
            redelivered: deliver.redelivered,
            ..Delivery::default()
        }),
        Method::BasicGetOk(ok) => What::Delivery(Delivery {
            consumer_tag: None,
            exchange: ok.exchange.to_owned(),
            routing_key: ok.routing_key.to_owned(),
            tag: ok.delivery_tag,
            redelivered: ok.redelivered,
            left: ok.message_count,
            ..Delivery::default()
        }),
        Method::BasicReturn(_) => What::Returned { message: 0 },
        Method::BasicAck(ack) => {
            What::Confirm { tag: ack.delivery_tag, multiple: ack.multiple, is_refusal: false }
        }
        Method::BasicNack(nack) => {
            What::Confirm { tag: nack.delivery_tag, multiple: nack.multiple, is_refusal: true }
        }
        Method::BasicCancel(cancel) => {
            What::ConsumerGone { consumer_tag: cancel.consumer_tag.to_owned() }
        }
        Method::ChannelClose(close) => What::Refused { code: close.reply_code },
        Method::ConnectionClose(close) => What::Refused { code: close.reply_code },
        method => What::Answer(answer_name(method)?),
    })
}

/// The answers that only say that something was done.
fn answer_name(method: &Method<'_>) -> Result<&'static str, String> {
    Ok(match method {
        Method::ConnectionStart(_) => "connection.start",
        Method::ConnectionTune(_) => "connection.tune",
        Method::ConnectionOpenOk(_) => "connection.open-ok",
        Method::ConnectionCloseOk(_) => "connection.close-ok",
        Method::ConnectionUpdateSecretOk(_) => "connection.update-secret-ok",
        Method::ChannelOpenOk(_) => "channel.open-ok",
        Method::ChannelCloseOk(_) => "channel.close-ok",
        Method::ChannelFlowOk(_) => "channel.flow-ok",
        Method::AccessRequestOk(_) => "access.request-ok",
        Method::ExchangeDeclareOk(_) => "exchange.declare-ok",
        Method::ExchangeDeleteOk(_) => "exchange.delete-ok",
        Method::ExchangeBindOk(_) => "exchange.bind-ok",
        Method::ExchangeUnbindOk(_) => "exchange.unbind-ok",
        Method::QueueBindOk(_) => "queue.bind-ok",
        Method::QueueUnbindOk(_) => "queue.unbind-ok",
        Method::BasicQosOk(_) => "basic.qos-ok",
        Method::BasicConsumeOk(_) => "basic.consume-ok",
        Method::BasicCancelOk(_) => "basic.cancel-ok",
        Method::BasicGetEmpty(_) => "basic.get-empty",
        Method::BasicRecoverOk(_) => "basic.recover-ok",
        Method::ConfirmSelectOk(_) => "confirm.select-ok",
        Method::TxSelectOk(_) => "tx.select-ok",
        Method::TxCommitOk(_) => "tx.commit-ok",
        Method::TxRollbackOk(_) => "tx.rollback-ok",
        other => return Err(format!("the broker sent {other:?}")),
    })
}
