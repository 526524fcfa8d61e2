//! Sockets: connections that are waited for one by one, and a reactor that serves many at a time.
//! What clients do over them is in `clients`.

mod blocking;
mod error;
mod handshake;
mod input;
mod link;
mod output;
mod poller;
mod reactor;

pub(super) use blocking::Wire;
pub(super) use error::{WireError, refuse_closing};
pub(super) use handshake::{Credentials, FRAME_SIZE_MAX, Handshake};
pub(super) use input::Piece;
pub(super) use link::Link;
pub(super) use output::Output;
pub(super) use poller::{Waker, sleep_precisely};
pub(super) use reactor::{Client, Reactor, Standing};

use crate::protocol::methods::connection;

/// The one channel that most connections use.
pub(super) const CHANNEL: u16 = 1;

/// How a connection is closed in order.
pub(super) const GOODBYE: connection::Close<'static> =
    connection::Close { reply_code: 200, reply_text: "", class_id: 0, method_id: 0 };

/// How long an answer may take, and how long a broker may hold everything back.
pub(super) const ANSWER_PATIENCE_NS: u64 = 30_000_000_000;
