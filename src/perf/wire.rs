//! One connection to a broker with one channel on it: the handshake, requests with their answers,
//! and frames one by one. What is published and consumed over it is not here.

use std::fmt;
use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use super::options::Options;
use crate::protocol::field::{FieldTable, FieldValue};
use crate::protocol::frame::{self, Frame, FrameError, FrameKind};
use crate::protocol::methods::{Method, WireMethod, channel, connection};
use crate::protocol::{DecodeError, PROTOCOL_HEADER};

/// The one channel that a connection uses.
pub(super) const CHANNEL: u16 = 1;

/// The largest frame asked for: what brokers offer by default.
const FRAME_SIZE_MAX: u32 = 131_072;

/// What one read may bring. At least one frame must fit in.
const READ_SIZE: usize = 256 * 1024;

/// How long a read waits before whoever reads looks around.
pub(super) const READ_PATIENCE: Duration = Duration::from_millis(100);

/// How long an answer may take, in reads that brought nothing.
pub(super) const ANSWER_PATIENCE_READS: u32 = 300;

/// How long a write may be held back. Brokers hold publishers back, but not for so long.
const WRITE_PATIENCE: Duration = Duration::from_secs(30);

/// Why a connection cannot go on.
#[derive(Debug)]
pub(super) enum WireError {
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
            Self::Io(error) => write!(formatter, "{error}"),
            Self::Frame(error) => write!(formatter, "{error}"),
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

/// A connection with an open channel.
#[derive(Debug)]
pub(super) struct Wire {
    stream: TcpStream,
    input: Input,
    frame_size_max: usize,
    server_properties: FieldTable,
}

impl Wire {
    /// Connects, logs in and opens the channel.
    pub(super) fn connect(address: &str, options: &Options) -> Result<Self, WireError> {
        let stream = TcpStream::connect(address)?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(READ_PATIENCE))?;
        stream.set_write_timeout(Some(WRITE_PATIENCE))?;
        let mut wire = Self {
            stream,
            input: Input::default(),
            frame_size_max: FRAME_SIZE_MAX as usize,
            server_properties: FieldTable::default(),
        };
        wire.shake_hands(options)?;
        wire.request(CHANNEL, &channel::Open {}, |method| {
            matches!(method, Method::ChannelOpenOk(_))
        })?;
        Ok(wire)
    }

    fn shake_hands(&mut self, options: &Options) -> Result<(), WireError> {
        self.write(&PROTOCOL_HEADER)?;
        self.server_properties = self.answer(|method| match method {
            Method::ConnectionStart(start) => Some(start.server_properties),
            _ => None,
        })?;
        let Options { user, password, virtual_host, .. } = options;
        self.send(
            0,
            &connection::StartOk {
                client_properties: client_properties(),
                mechanism: "PLAIN",
                response: format!("\0{user}\0{password}").as_bytes(),
                locale: "en_US",
            },
        )?;
        let tune = self.answer(|method| match method {
            Method::ConnectionTune(tune) => Some(tune),
            _ => None,
        })?;
        let frame_max = if tune.frame_max == 0 { u32::MAX } else { tune.frame_max };
        let frame_max = frame_max.min(FRAME_SIZE_MAX);
        self.frame_size_max = frame_max as usize;
        // Without heartbeats, whoever only writes never has to read.
        self.send(
            0,
            &connection::TuneOk { channel_max: tune.channel_max, frame_max, heartbeat: 0 },
        )?;
        self.request(0, &connection::Open { virtual_host }, |method| {
            matches!(method, Method::ConnectionOpenOk(_))
        })
    }

    /// The largest frame that was agreed.
    pub(super) fn frame_size_max(&self) -> usize {
        self.frame_size_max
    }

    /// What the broker said about itself under this name.
    pub(super) fn server_property(&self, name: &str) -> String {
        let value = self.server_properties.get(name).and_then(FieldValue::as_str);
        value.unwrap_or_default().to_owned()
    }

    /// Sends a method and waits for its answer.
    pub(super) fn request(
        &mut self,
        channel: u16,
        method: &impl WireMethod,
        is_answer: fn(&Method<'_>) -> bool,
    ) -> Result<(), WireError> {
        self.send(channel, method)?;
        self.answer(|method| is_answer(&method).then_some(()))
    }

    /// Sends a method.
    pub(super) fn send(&mut self, channel: u16, method: &impl WireMethod) -> Result<(), WireError> {
        let mut bytes = Vec::new();
        frame::write_method(&mut bytes, channel, method);
        self.write(&bytes)
    }

    /// Writes whole frames. Where that fails and the broker has said why, its words are the error.
    pub(super) fn write(&mut self, bytes: &[u8]) -> Result<(), WireError> {
        let Err(error) = self.stream.write_all(bytes) else { return Ok(()) };
        match self.answer(|_| None::<()>) {
            Err(closed @ WireError::Closed(..)) => Err(closed),
            _ => Err(error.into()),
        }
    }

    /// Waits a moment for bytes; false where none came.
    pub(super) fn fill(&mut self) -> Result<bool, WireError> {
        Ok(self.input.fill(&mut self.stream)?)
    }

    /// Takes bytes that have come already; false where there are none.
    pub(super) fn fill_from_what_is_there(&mut self) -> Result<bool, WireError> {
        self.stream.set_nonblocking(true)?;
        let result = self.input.fill(&mut self.stream);
        self.stream.set_nonblocking(false)?;
        Ok(result?)
    }

    /// Octets that came since this was asked last.
    pub(super) fn take_received(&mut self) -> u64 {
        std::mem::take(&mut self.input.received)
    }

    /// The next frame that is there.
    pub(super) fn next_frame(&mut self) -> Result<Option<Frame<'_>>, WireError> {
        Ok(self.input.next(self.frame_size_max)?)
    }

    /// Says goodbye. All that was written before has then been taken by the broker.
    pub(super) fn close(mut self) -> Result<(), WireError> {
        let close =
            connection::Close { reply_code: 200, reply_text: "", class_id: 0, method_id: 0 };
        self.request(0, &close, |method| matches!(method, Method::ConnectionCloseOk(_)))
    }

    /// Reads methods until one is the answer. Others are passed over, except for closings.
    pub(super) fn answer<T>(
        &mut self,
        pick: impl Fn(Method<'_>) -> Option<T>,
    ) -> Result<T, WireError> {
        let mut silent_reads = 0;
        loop {
            while let Some(frame) = self.input.next(self.frame_size_max)? {
                if frame.kind != FrameKind::Method {
                    continue;
                }
                let method = Method::decode(frame.payload)?;
                refuse_closing(&method)?;
                if let Some(answer) = pick(method) {
                    return Ok(answer);
                }
            }
            silent_reads = if self.input.fill(&mut self.stream)? { 0 } else { silent_reads + 1 };
            if silent_reads > ANSWER_PATIENCE_READS {
                return Err(WireError::Unexpected("the broker does not answer"));
            }
        }
    }
}

/// The capabilities ask the broker to say so where it refuses a login or ends a consumer.
fn client_properties() -> FieldTable {
    let capabilities = ["authentication_failure_close", "consumer_cancel_notify"];
    let capabilities: FieldTable = capabilities.into_iter().map(|name| (name, true)).collect();
    let mut properties: FieldTable = [("product", "leveret perf")].into_iter().collect();
    properties.insert("capabilities", capabilities);
    properties
}

/// The error that a closing of connection or channel is.
pub(super) fn refuse_closing(method: &Method<'_>) -> Result<(), WireError> {
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

/// Bytes that were read and not taken yet.
#[derive(Debug)]
struct Input {
    buffer: Box<[u8]>,
    start: usize,
    end: usize,
    /// Octets that came since somebody asked.
    received: u64,
}

impl Default for Input {
    fn default() -> Self {
        Self { buffer: vec![0; READ_SIZE].into(), start: 0, end: 0, received: 0 }
    }
}

impl Input {
    fn next(&mut self, frame_size_max: usize) -> Result<Option<Frame<'_>>, FrameError> {
        let waiting = self.buffer.get(self.start..self.end).unwrap_or_default();
        let Some((frame, size)) = frame::next(waiting, frame_size_max)? else { return Ok(None) };
        self.start += size;
        Ok(Some(frame))
    }

    /// Moves what is left to the front and reads once behind it; false where nothing came in time.
    fn fill(&mut self, source: &mut impl Read) -> io::Result<bool> {
        self.buffer.copy_within(self.start..self.end, 0);
        self.end -= self.start;
        self.start = 0;
        match source.read(self.buffer.get_mut(self.end..).unwrap_or_default()) {
            Ok(0) => {
                Err(io::Error::new(io::ErrorKind::UnexpectedEof, "the broker ended the connection"))
            }
            Ok(size) => {
                self.end += size;
                self.received += size as u64;
                Ok(true)
            }
            Err(error) if is_silence(&error) => Ok(false),
            Err(error) => Err(error),
        }
    }
}

fn is_silence(error: &io::Error) -> bool {
    use io::ErrorKind::{Interrupted, TimedOut, WouldBlock};
    matches!(error.kind(), Interrupted | TimedOut | WouldBlock)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn body(payload: &[u8]) -> Vec<u8> {
        let mut bytes = Vec::new();
        frame::write_body(&mut bytes, CHANNEL, payload);
        bytes
    }

    #[test]
    fn frames_come_whole_however_the_bytes_are_cut() {
        let bytes = [body(b"first"), body(b"second")].concat();
        for cut in 1..bytes.len() {
            let (mut input, mut payloads) = (Input::default(), Vec::new());
            for mut piece in [&bytes[..cut], &bytes[cut..]] {
                assert!(input.fill(&mut piece).unwrap());
                while let Some(frame) = input.next(4096).unwrap() {
                    payloads.push(frame.payload.to_vec());
                }
            }
            assert_eq!(payloads, [b"first".to_vec(), b"second".to_vec()], "cut at {cut}");
            assert_eq!(input.received, bytes.len() as u64);
        }
    }

    #[test]
    fn the_end_of_a_connection_is_an_error_and_silence_is_none() {
        struct Silent;
        impl Read for Silent {
            fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
                Err(io::ErrorKind::WouldBlock.into())
            }
        }
        assert!(!Input::default().fill(&mut Silent).unwrap());
        assert!(Input::default().fill(&mut io::empty()).is_err());
    }

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
