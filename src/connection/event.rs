//! What happened in the broker, told to a connection in the order it happened.

use crate::message::{ConsumerKey, Delivery, Message, Name, QueueId, Run};
use crate::protocol::reply::{AmqpError, ConnectionError};

/// Something a connection must hear of.
#[derive(Debug)]
pub enum Event {
    /// The credentials are good; this is who it is.
    Authenticated { user: Name },
    /// The credentials are not good. The client is told only if it can understand it.
    LoginRefused {
        /// What is told to clients that understand it.
        error: ConnectionError,
        /// How much longer than usual the answer takes.
        delay_ms: u64,
    },
    /// A password was checked that took long.
    PasswordChecked { is_right: bool },
    /// The virtual host is open.
    VirtualHostOpened,
    /// A request was carried out; `None` where no answer was wanted.
    Answered { channel: u16, reply: Reply },
    /// A request, or a message, was refused.
    Refused { channel: u16, error: AmqpError },
    /// Messages for a consumer.
    Delivered(Delivered),
    /// A mandatory message found no queue.
    Returned { channel: u16, message: Message },
    /// All copies of these publishes are safe: the first and the last number.
    Confirmed { channel: u16, first: u64, last: u64 },
    /// A queue refused this publish.
    Rejected { channel: u16, number: u64 },
    /// A consumer lost its queue, because this user deleted it; none where it went by itself.
    ConsumerCancelled { consumer: ConsumerKey, by: Option<Name> },
    /// A consumer held a delivery for longer than it may.
    ConsumerTimedOut { consumer: ConsumerKey, timeout_ms: u64 },
    /// An alarm went on, or off.
    AlarmsChanged,
    /// Nothing more is read from this connection, which published while an alarm is on.
    Blocked { reason: &'static str },
    /// No alarm is on any more.
    Unblocked,
    /// The broker closes this connection.
    Closing(ConnectionError),
    /// All that the connection held is released.
    Released,
}

/// A run of messages for one consumer.
#[derive(Debug)]
pub struct Delivered {
    /// The consumer.
    pub consumer: ConsumerKey,
    /// The queue they come from.
    pub queue: QueueId,
    /// The messages, in order.
    pub run: Run,
    /// How many of them were delivered before.
    pub redelivered: usize,
}

/// The answer to a request that went well.
#[derive(Debug)]
pub enum Reply {
    /// channel.open-ok
    ChannelOpened,
    /// channel.close-ok
    ChannelClosed,
    /// exchange.declare-ok
    ExchangeDeclared,
    /// exchange.delete-ok
    ExchangeDeleted,
    /// exchange.bind-ok
    ExchangeBound,
    /// exchange.unbind-ok
    ExchangeUnbound,
    /// queue.declare-ok
    QueueDeclared { queue: Name, message_count: u32, consumer_count: u32 },
    /// queue.bind-ok
    QueueBound,
    /// queue.unbind-ok
    QueueUnbound,
    /// queue.purge-ok
    QueuePurged { message_count: u32 },
    /// queue.delete-ok
    QueueDeleted { message_count: u32 },
    /// basic.qos-ok
    QosSet,
    /// basic.consume-ok
    Consuming { consumer_tag: Name },
    /// basic.cancel-ok; `nowait` cancels are told too, without a frame
    Cancelled { consumer: Option<ConsumerKey>, consumer_tag: Name, nowait: bool },
    /// basic.get-ok
    Got { queue: QueueId, no_ack: bool, delivery: Delivery, message_count: u32 },
    /// basic.get-empty
    GotEmpty,
    /// basic.recover-ok
    Recovered,
    /// confirm.select-ok
    ConfirmSelected,
    /// tx.select-ok
    TransactionSelected,
    /// tx.commit-ok
    Committed,
    /// tx.rollback-ok
    RolledBack,
    /// channel.flow-ok
    FlowActive,
    /// access.request-ok
    AccessGranted,
    /// connection.update-secret-ok
    SecretUpdated,
}
