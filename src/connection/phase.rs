//! The life of a connection, as a drawing and as a type, and the options all connections share.
//!
//! ```text
//! AwaitingHeader -> Starting -> Authenticating -> Tuning -> Opening -> Entering -> Running
//!        |              |             |              |         |           |          |
//!        |              '-------------+----- error --+---------+-----------+----------+
//!        v                            v                                               |
//!     Closed <----- Silent <- login refused            Closing (we sent close) <------'
//!        ^         (a while) ------ who is told why -->   |   close-ok or deadline
//!        '----------------------------------------------- '
//!        '----- close-ok sent <-- Releasing (the client sent close; the broker lets go)
//! ```

use crate::limits::{
    CHANNEL_MAX, FRAME_SIZE_MAX, HANDSHAKE_TIMEOUT_MS, HEARTBEAT_SECONDS, INITIAL_FRAME_SIZE_MAX,
    MESSAGE_SIZE_MAX,
};
use crate::message::{Account, Moment};
use crate::protocol::field::FieldTable;

/// What every connection of a node has in common.
#[derive(Clone, Debug)]
pub struct Options {
    /// The largest frame offered, in bytes with its 8 bytes of frame.
    pub frame_size_max: u32,
    /// The largest frame before tuning.
    pub initial_frame_size_max: u32,
    /// Channels a connection may have open; 0 means any number.
    pub channel_max: u16,
    /// The heartbeat offered, in seconds; 0 means none.
    pub heartbeat_seconds: u16,
    /// From accept to connection.open.
    pub handshake_timeout_ms: u64,
    /// The largest body in bytes.
    pub message_size_max: u64,
    /// SASL mechanisms, separated by spaces.
    pub mechanisms: String,
    /// What connection.start says of us.
    pub server_properties: FieldTable,
    /// Where bodies that came in part are counted.
    pub account: Account,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            frame_size_max: FRAME_SIZE_MAX,
            initial_frame_size_max: INITIAL_FRAME_SIZE_MAX,
            channel_max: CHANNEL_MAX,
            heartbeat_seconds: HEARTBEAT_SECONDS,
            handshake_timeout_ms: HANDSHAKE_TIMEOUT_MS,
            message_size_max: MESSAGE_SIZE_MAX,
            mechanisms: "PLAIN AMQPLAIN".into(),
            server_properties: FieldTable::new(),
            account: Account::default(),
        }
    }
}

/// Where a connection stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Phase {
    /// Nothing came yet, or less than the eight bytes.
    AwaitingHeader,
    /// connection.start is sent.
    Starting,
    /// The broker checks the credentials.
    Authenticating,
    /// connection.tune is sent.
    Tuning,
    /// tune-ok came; connection.open is awaited.
    Opening,
    /// The broker opens the virtual host.
    Entering,
    /// Channels may be used.
    Running,
    /// We sent connection.close and drop all but close and close-ok until then.
    Closing(Moment),
    /// The client sent connection.close; close-ok goes out when all is released.
    Releasing,
    /// The login failed: nothing is said or heard until then, and what follows is the end, or
    /// connection.close to clients that understand it.
    Silent(Moment),
    /// Over; what is in the output still goes out.
    Closed,
}

impl Phase {
    /// Before connection.open-ok.
    pub(super) fn is_handshake(self) -> bool {
        matches!(
            self,
            Self::AwaitingHeader
                | Self::Starting
                | Self::Authenticating
                | Self::Tuning
                | Self::Opening
                | Self::Entering
        )
    }

    /// Nobody has proved who he is, or the limits are not agreed.
    pub(super) fn is_before_login(self) -> bool {
        matches!(self, Self::AwaitingHeader | Self::Starting | Self::Authenticating | Self::Tuning)
    }

    /// Nothing new is to be begun.
    pub(super) fn is_ending(self) -> bool {
        matches!(self, Self::Closing(_) | Self::Releasing | Self::Silent(_) | Self::Closed)
    }
}
