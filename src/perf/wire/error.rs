//! Why a connection cannot go on, in words for whoever started the run.

use std::fmt;
use std::io;

use crate::protocol::DecodeError;
use crate::protocol::frame::FrameError;
use crate::protocol::methods::Method;

/// Why a connection cannot go on.
#[derive(Debug)]
pub(in crate::perf) enum WireError {
    Io(io::Error),
    Frame(FrameError),
    Decode(DecodeError),
    /// The broker closed the connection or the channel, with this code and text.
    Closed(u16, String),
    /// The broker did what nobody asked for.
    Unexpected(&'static str),
}

impl fmt::Display for WireError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Io(error) => match error.kind() {
                io::ErrorKind::ConnectionRefused => {
                    write!(formatter, "connection refused: nobody listens there")
                }
                _ => write!(formatter, "{error}"),
            },
            Self::Frame(error) => write!(formatter, "no AMQP 0-9-1 from the broker: {error}"),
            Self::Decode(error) => write!(formatter, "malformed bytes from the broker: {error}"),
            Self::Closed(code, text) => write!(formatter, "closed by the broker: {code} {text}"),
            Self::Unexpected(what) => write!(formatter, "{what}"),
        }
    }
}

impl From<io::Error> for WireError {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

impl From<rustix::io::Errno> for WireError {
    fn from(error: rustix::io::Errno) -> Self {
        Self::Io(error.into())
    }
}

impl From<FrameError> for WireError {
    fn from(error: FrameError) -> Self {
        Self::Frame(error)
    }
}

impl From<DecodeError> for WireError {
    fn from(error: DecodeError) -> Self {
        Self::Decode(error)
    }
}

/// The error that a closing of connection or channel is.
pub(in crate::perf) fn refuse_closing(method: &Method<'_>) -> Result<(), WireError> {
    match method {
        Method::ConnectionClose(close) => {
            Err(WireError::Closed(close.reply_code, close.reply_text.to_owned()))
        }
        Method::ChannelClose(close) => {
            Err(WireError::Closed(close.reply_code, close.reply_text.to_owned()))
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::methods::{WireMethod, channel};

    #[test]
    fn a_closing_is_an_error_with_code_and_text() {
        let mut bytes = Vec::new();
        let close = channel::Close {
            reply_code: 404,
            reply_text: "NOT_FOUND",
            class_id: 60,
            method_id: 40,
        };
        WireMethod::encode(&close, &mut bytes);
        let error = refuse_closing(&Method::decode(&bytes).unwrap()).unwrap_err();
        assert_eq!(error.to_string(), "closed by the broker: 404 NOT_FOUND");
        assert!(refuse_closing(&Method::ChannelOpenOk(channel::OpenOk {})).is_ok());
    }
}
