//! Numbers we invent, each a type of its own so that they cannot be mixed up. Names that come from
//! the wire (queue names, consumer tags) are not here.

/// Declares a number type with the traits every identifier needs.
macro_rules! identifier {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(pub u64);
    };
}

identifier! {
    /// One virtual host; a name declared again has a new number.
    VirtualHostNumber
}
identifier! {
    /// One queue for as long as the node lives; a queue declared again has a new number.
    QueueId
}
identifier! {
    /// One exchange; a re-declared name has a new number.
    ExchangeId
}
identifier! {
    /// One connection from accept to close.
    SessionId
}
identifier! {
    /// One consumer of one queue, unique in the node.
    ConsumerId
}
identifier! {
    /// One basic.get that may have to wait for its message.
    GetId
}

/// Where a consumer lives inside its connection: the channel, and a number the channel gave it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ConsumerKey {
    /// The channel's number on the wire.
    pub channel: u16,
    /// Counts up per channel and is never used twice, so a late delivery finds no stranger.
    pub number: u32,
}
