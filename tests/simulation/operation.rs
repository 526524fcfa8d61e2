//! What a client can send, as values, and how each stands on the wire. Which one is sent when is
//! decided in `plan`; what it does is the oracle's knowledge.

use leveret::protocol::PROTOCOL_HEADER;
use leveret::protocol::field::{FieldTable, FieldValue};
use leveret::protocol::frame::{write_body, write_header, write_heartbeat, write_method};
use leveret::protocol::methods::{
    access, basic, channel, confirm, connection, exchange, queue, tx,
};
use leveret::protocol::properties::Properties;

/// The queue that is none, for direct replies.
pub(crate) const REPLY_TO: &str = "amq.rabbitmq.reply-to";

/// Bytes of a frame that are not payload.
const FRAME_OVERHEAD_SIZE: usize = 8;

/// A message to publish; its number is in its body.
#[derive(Clone, Debug, Default)]
pub(crate) struct Publish {
    pub(crate) message: u64,
    pub(crate) exchange: String,
    pub(crate) routing_key: String,
    pub(crate) copies: Vec<String>,
    pub(crate) blind_copies: Vec<String>,
    pub(crate) header: Option<String>,
    pub(crate) wants_reply: bool,
    pub(crate) mandatory: bool,
    pub(crate) immediate: bool,
    pub(crate) bad_expiration: bool,
    pub(crate) is_persistent: bool,
    pub(crate) size: usize,
    /// Milliseconds for which it lives.
    pub(crate) expiration_ms: Option<u64>,
    pub(crate) priority: Option<u8>,
    /// Milliseconds for which it waits in an exchange that lets messages wait.
    pub(crate) delay_ms: Option<u64>,
}

impl Publish {
    /// All routing keys.
    pub(crate) fn keys(&self) -> Vec<&str> {
        let copies = self.copies.iter().chain(&self.blind_copies);
        std::iter::once(&self.routing_key).chain(copies).map(String::as_str).collect()
    }

    /// The number, and bytes that follow from it, so that a mixed-up body shows.
    pub(crate) fn body(message: u64, size: usize) -> Vec<u8> {
        let filler = std::iter::repeat(message.to_le_bytes()).flatten();
        message.to_be_bytes().into_iter().chain(filler).take(size.max(8)).collect()
    }

    fn properties(&self) -> Vec<u8> {
        let mut headers = FieldTable::new();
        let list = |keys: &[String]| -> Vec<FieldValue> {
            keys.iter().map(|key| FieldValue::from(key.as_str())).collect()
        };
        if !self.copies.is_empty() {
            headers.insert("CC", list(&self.copies));
        }
        if !self.blind_copies.is_empty() {
            headers.insert("BCC", list(&self.blind_copies));
        }
        if let Some(value) = &self.header {
            headers.insert("h", value.as_str());
        }
        if let Some(delay_ms) = self.delay_ms {
            headers.insert("x-delay", number(delay_ms));
        }
        let expiration = match self.bad_expiration {
            true => Some("soon".to_owned()),
            false => self.expiration_ms.map(|milliseconds| milliseconds.to_string()),
        };
        let properties = Properties {
            headers: (!headers.is_empty()).then_some(headers),
            reply_to: self.wants_reply.then(|| REPLY_TO.into()),
            expiration: expiration.map(Into::into),
            priority: self.priority,
            delivery_mode: self.is_persistent.then_some(2),
            ..Properties::default()
        };
        let mut bytes = Vec::new();
        properties.encode(&mut bytes);
        bytes
    }
}

/// A number as arguments and headers have it.
pub(crate) fn number(value: u64) -> FieldValue {
    FieldValue::I64(i64::try_from(value).unwrap())
}

/// exchange.declare
#[derive(Clone, Debug, Default)]
pub(crate) struct DeclareExchange {
    pub(crate) exchange: String,
    pub(crate) kind: String,
    pub(crate) passive: bool,
    pub(crate) is_transient: bool,
    pub(crate) auto_delete: bool,
    pub(crate) internal: bool,
    pub(crate) alternate: Option<String>,
    /// `x-delayed-type`
    pub(crate) delayed_kind: Option<String>,
    pub(crate) nowait: bool,
}

/// queue.declare
#[derive(Clone, Debug, Default)]
pub(crate) struct DeclareQueue {
    pub(crate) queue: String,
    pub(crate) passive: bool,
    pub(crate) durable: bool,
    pub(crate) exclusive: bool,
    pub(crate) auto_delete: bool,
    pub(crate) single_active: bool,
    /// Further arguments.
    pub(crate) arguments: FieldTable,
    pub(crate) nowait: bool,
}

/// A binding to a queue or to an exchange, made or taken away.
#[derive(Clone, Debug, Default)]
pub(crate) struct Bind {
    pub(crate) is_unbind: bool,
    pub(crate) to_exchange: bool,
    pub(crate) source: String,
    pub(crate) destination: String,
    pub(crate) routing_key: String,
    pub(crate) header: Option<String>,
    pub(crate) nowait: bool,
}

/// basic.consume
#[derive(Clone, Debug, Default)]
pub(crate) struct Consume {
    pub(crate) queue: String,
    pub(crate) consumer_tag: String,
    pub(crate) no_ack: bool,
    pub(crate) exclusive: bool,
    pub(crate) priority: i32,
    pub(crate) nowait: bool,
}

/// Anything a client sends.
#[derive(Clone, Debug)]
pub(crate) enum Operation {
    Header,
    StartOk,
    TuneOk { frame_max: u32, heartbeat: u16 },
    OpenConnection,
    UpdateSecret,
    CloseConnection,
    ConnectionCloseOk,
    Heartbeat,
    OpenChannel,
    CloseChannel,
    ChannelCloseOk,
    Flow,
    RequestAccess,
    DeclareExchange(DeclareExchange),
    DeleteExchange { exchange: String, if_unused: bool, nowait: bool },
    Bind(Bind),
    DeclareQueue(DeclareQueue),
    PurgeQueue { queue: String, nowait: bool },
    DeleteQueue { queue: String, if_unused: bool, if_empty: bool, nowait: bool },
    Qos { prefetch_count: u16, global: bool },
    Consume(Consume),
    Cancel { consumer_tag: String, nowait: bool },
    Get { queue: String, no_ack: bool },
    Recover { is_async: bool },
    Publish(Publish),
    Ack { tag: u64, multiple: bool },
    Nack { tag: u64, multiple: bool, requeue: bool },
    Reject { tag: u64, requeue: bool },
    SelectConfirm { nowait: bool },
    SelectTransaction,
    Commit,
    Rollback,
}

impl Operation {
    /// Writes it as the frames a client sends.
    pub(crate) fn encode(&self, channel: u16, frame_size_max: usize, out: &mut Vec<u8>) {
        match self {
            Self::Header => out.extend_from_slice(&PROTOCOL_HEADER),
            Self::Heartbeat => write_heartbeat(out),
            Self::StartOk
            | Self::TuneOk { .. }
            | Self::OpenConnection
            | Self::UpdateSecret
            | Self::CloseConnection
            | Self::ConnectionCloseOk => self.encode_connection(out),
            Self::DeclareExchange(declare) => encode_declare_exchange(declare, channel, out),
            Self::DeclareQueue(declare) => encode_declare_queue(declare, channel, out),
            Self::Bind(bind) => encode_bind(bind, channel, out),
            Self::Consume(consume) => encode_consume(consume, channel, out),
            Self::Publish(publish) => encode_publish(publish, channel, frame_size_max, out),
            _ => self.encode_small(channel, out),
        }
    }

    fn encode_connection(&self, out: &mut Vec<u8>) {
        match self {
            Self::StartOk => {
                let capabilities: FieldTable =
                    [("consumer_cancel_notify", true)].into_iter().collect();
                let client_properties: FieldTable =
                    [("capabilities", capabilities)].into_iter().collect();
                let start_ok = connection::StartOk {
                    client_properties,
                    mechanism: "PLAIN",
                    response: b"\0guest\0guest",
                    locale: "en_US",
                };
                write_method(out, 0, &start_ok);
            }
            Self::TuneOk { frame_max, heartbeat } => {
                let (frame_max, heartbeat) = (*frame_max, *heartbeat);
                write_method(
                    out,
                    0,
                    &connection::TuneOk { channel_max: 100, frame_max, heartbeat },
                );
            }
            Self::OpenConnection => write_method(out, 0, &connection::Open { virtual_host: "/" }),
            Self::UpdateSecret => {
                write_method(
                    out,
                    0,
                    &connection::UpdateSecret { new_secret: b"guest", reason: "age" },
                );
            }
            Self::CloseConnection => {
                let close = connection::Close {
                    reply_code: 200,
                    reply_text: "done",
                    class_id: 0,
                    method_id: 0,
                };
                write_method(out, 0, &close);
            }
            _ => write_method(out, 0, &connection::CloseOk {}),
        }
    }

    fn encode_small(&self, channel: u16, out: &mut Vec<u8>) {
        match self {
            Self::OpenChannel => write_method(out, channel, &channel::Open {}),
            Self::CloseChannel => {
                let close = channel::Close {
                    reply_code: 200,
                    reply_text: "done",
                    class_id: 0,
                    method_id: 0,
                };
                write_method(out, channel, &close);
            }
            Self::ChannelCloseOk => write_method(out, channel, &channel::CloseOk {}),
            Self::Flow => write_method(out, channel, &channel::Flow { active: true }),
            Self::RequestAccess => {
                let request = access::Request {
                    realm: "/data",
                    exclusive: false,
                    passive: true,
                    active: true,
                    write: true,
                    read: true,
                };
                write_method(out, channel, &request);
            }
            Self::SelectConfirm { nowait } => {
                write_method(out, channel, &confirm::Select { nowait: *nowait });
            }
            Self::SelectTransaction => write_method(out, channel, &tx::Select {}),
            Self::Commit => write_method(out, channel, &tx::Commit {}),
            Self::Rollback => write_method(out, channel, &tx::Rollback {}),
            Self::DeleteExchange { exchange, if_unused, nowait } => {
                let (if_unused, nowait) = (*if_unused, *nowait);
                write_method(out, channel, &exchange::Delete { exchange, if_unused, nowait });
            }
            Self::PurgeQueue { queue, nowait } => {
                write_method(out, channel, &queue::Purge { queue, nowait: *nowait });
            }
            Self::DeleteQueue { queue, if_unused, if_empty, nowait } => {
                let (if_unused, if_empty, nowait) = (*if_unused, *if_empty, *nowait);
                write_method(out, channel, &queue::Delete { queue, if_unused, if_empty, nowait });
            }
            _ => self.encode_basic(channel, out),
        }
    }

    fn encode_basic(&self, channel: u16, out: &mut Vec<u8>) {
        match self {
            Self::Qos { prefetch_count, global } => {
                let (prefetch_count, global) = (*prefetch_count, *global);
                write_method(
                    out,
                    channel,
                    &basic::Qos { prefetch_size: 0, prefetch_count, global },
                );
            }
            Self::Cancel { consumer_tag, nowait } => {
                write_method(out, channel, &basic::Cancel { consumer_tag, nowait: *nowait });
            }
            Self::Get { queue, no_ack } => {
                write_method(out, channel, &basic::Get { queue, no_ack: *no_ack });
            }
            Self::Recover { is_async: true } => {
                write_method(out, channel, &basic::RecoverAsync { requeue: true });
            }
            Self::Recover { is_async: false } => {
                write_method(out, channel, &basic::Recover { requeue: true });
            }
            Self::Ack { tag, multiple } => {
                write_method(out, channel, &basic::Ack { delivery_tag: *tag, multiple: *multiple });
            }
            Self::Nack { tag, multiple, requeue } => {
                let (delivery_tag, multiple, requeue) = (*tag, *multiple, *requeue);
                write_method(out, channel, &basic::Nack { delivery_tag, multiple, requeue });
            }
            Self::Reject { tag, requeue } => {
                let (delivery_tag, requeue) = (*tag, *requeue);
                write_method(out, channel, &basic::Reject { delivery_tag, requeue });
            }
            other => panic!("{other:?} is written elsewhere"),
        }
    }
}

fn encode_declare_exchange(declare: &DeclareExchange, channel: u16, out: &mut Vec<u8>) {
    let alternate = declare.alternate.as_deref().map(|name| ("alternate-exchange", name));
    let delayed_kind = declare.delayed_kind.as_deref().map(|kind| ("x-delayed-type", kind));
    let method = exchange::Declare {
        exchange: &declare.exchange,
        kind: &declare.kind,
        passive: declare.passive,
        durable: !declare.is_transient,
        auto_delete: declare.auto_delete,
        internal: declare.internal,
        nowait: declare.nowait,
        arguments: alternate.into_iter().chain(delayed_kind).collect(),
    };
    write_method(out, channel, &method);
}

fn encode_declare_queue(declare: &DeclareQueue, channel: u16, out: &mut Vec<u8>) {
    let mut arguments = declare.arguments.clone();
    if declare.single_active {
        arguments.insert("x-single-active-consumer", true);
    }
    let method = queue::Declare {
        queue: &declare.queue,
        passive: declare.passive,
        durable: declare.durable,
        exclusive: declare.exclusive,
        auto_delete: declare.auto_delete,
        nowait: declare.nowait,
        arguments,
    };
    write_method(out, channel, &method);
}

fn encode_bind(bind: &Bind, channel: u16, out: &mut Vec<u8>) {
    let Bind { source, destination, routing_key, .. } = bind;
    let mut arguments = FieldTable::new();
    if let Some(value) = &bind.header {
        arguments.insert("x-match", "all");
        arguments.insert("h", value.as_str());
    }
    let nowait = bind.nowait;
    match (bind.is_unbind, bind.to_exchange) {
        (false, true) => write_method(
            out,
            channel,
            &exchange::Bind { destination, source, routing_key, nowait, arguments },
        ),
        (true, true) => write_method(
            out,
            channel,
            &exchange::Unbind { destination, source, routing_key, nowait, arguments },
        ),
        (false, false) => {
            let (queue, exchange) = (destination, source);
            let method = queue::Bind { queue, exchange, routing_key, nowait, arguments };
            write_method(out, channel, &method);
        }
        (true, false) => {
            let (queue, exchange) = (destination, source);
            let method = queue::Unbind { queue, exchange, routing_key, arguments };
            write_method(out, channel, &method);
        }
    }
}

fn encode_consume(consume: &Consume, channel: u16, out: &mut Vec<u8>) {
    let priority = (consume.priority != 0).then_some(("x-priority", consume.priority));
    let method = basic::Consume {
        queue: &consume.queue,
        consumer_tag: &consume.consumer_tag,
        no_local: false,
        no_ack: consume.no_ack,
        exclusive: consume.exclusive,
        nowait: consume.nowait,
        arguments: priority.into_iter().collect(),
    };
    write_method(out, channel, &method);
}

fn encode_publish(publish: &Publish, channel: u16, frame_size_max: usize, out: &mut Vec<u8>) {
    let method = basic::Publish {
        exchange: &publish.exchange,
        routing_key: &publish.routing_key,
        mandatory: publish.mandatory,
        immediate: publish.immediate,
    };
    write_method(out, channel, &method);
    let body = Publish::body(publish.message, publish.size);
    write_header(out, channel, 60, body.len() as u64, &publish.properties());
    for chunk in body.chunks(frame_size_max - FRAME_OVERHEAD_SIZE) {
        write_body(out, channel, chunk);
    }
}
