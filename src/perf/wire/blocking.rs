//! A connection that is waited for, with one channel on it: for what is declared before a run and
//! deleted after it. When it is set up, a reactor may take it over.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use super::error::{WireError, refuse_closing};
use super::handshake::{Credentials, Handshake};
use super::input::is_silence;
use super::link::Link;
use super::{ANSWER_PATIENCE_NS, CHANNEL, GOODBYE};
use crate::perf::options::Target;
use crate::protocol::field::FieldValue;
use crate::protocol::frame::{self, FrameKind};
use crate::protocol::methods::{Method, WireMethod, channel, confirm};

/// What one read may bring.
const READ_SIZE: usize = 16 * 1024;

/// A connection with an open channel.
#[derive(Debug)]
pub(in crate::perf) struct Wire {
    stream: TcpStream,
    input: Vec<u8>,
    handshake: Handshake,
}

impl Wire {
    /// Connects, logs in and opens the channel.
    pub(in crate::perf) fn connect(target: &Target) -> Result<Self, WireError> {
        let stream = TcpStream::connect(&target.address)?;
        stream.set_nodelay(true)?;
        let patience = Some(Duration::from_nanos(ANSWER_PATIENCE_NS));
        stream.set_read_timeout(patience)?;
        stream.set_write_timeout(patience)?;
        let mut output = Vec::new();
        let handshake = Handshake::begin(&mut output);
        let mut wire = Self { stream, input: Vec::new(), handshake };
        wire.write(&output)?;
        wire.shake_hands(&target.credentials)?;
        wire.request(CHANNEL, &channel::Open {}, |method| {
            matches!(method, Method::ChannelOpenOk(_))
        })?;
        Ok(wire)
    }

    fn shake_hands(&mut self, credentials: &Credentials) -> Result<(), WireError> {
        let mut output = Vec::new();
        while !self.handshake.is_done() {
            let size = loop {
                match frame::next(&self.input, self.handshake.frame_size_max())? {
                    Some((frame, size)) => {
                        if frame.kind == FrameKind::Method {
                            let method = Method::decode(frame.payload)?;
                            self.handshake.receive(method, credentials, &mut output)?;
                        }
                        break size;
                    }
                    None => fill(&mut self.stream, &mut self.input)?,
                }
            };
            self.input.drain(..size);
            self.write(&output)?;
            output.clear();
        }
        Ok(())
    }

    /// The largest frame that was agreed.
    pub(in crate::perf) fn frame_size_max(&self) -> usize {
        self.handshake.frame_size_max()
    }

    /// What the broker said about itself under this name.
    pub(in crate::perf) fn server_property(&self, name: &str) -> String {
        let value = self.handshake.server_properties().get(name).and_then(FieldValue::as_str);
        value.unwrap_or_default().to_owned()
    }

    /// Sends a method and waits for its answer.
    pub(in crate::perf) fn request(
        &mut self,
        channel: u16,
        method: &impl WireMethod,
        is_answer: fn(&Method<'_>) -> bool,
    ) -> Result<(), WireError> {
        self.send(channel, method)?;
        self.answer(|method| is_answer(&method).then_some(()))
    }

    /// Sends a method.
    pub(in crate::perf) fn send(
        &mut self,
        channel: u16,
        method: &impl WireMethod,
    ) -> Result<(), WireError> {
        let mut bytes = Vec::new();
        frame::write_method(&mut bytes, channel, method);
        self.write(&bytes)
    }

    /// Writes whole frames. Where that fails and the broker has said why, its words are the error.
    pub(in crate::perf) fn write(&mut self, bytes: &[u8]) -> Result<(), WireError> {
        let Err(error) = self.stream.write_all(bytes) else { return Ok(()) };
        match self.answer(|_| None::<()>) {
            Err(closed @ WireError::Closed(..)) => Err(closed),
            _ => Err(error.into()),
        }
    }

    /// Reads methods until one is the answer. Others are passed over, except for closings.
    pub(in crate::perf) fn answer<T>(
        &mut self,
        pick: impl Fn(Method<'_>) -> Option<T>,
    ) -> Result<T, WireError> {
        loop {
            let Some((frame, size)) = frame::next(&self.input, self.handshake.frame_size_max())?
            else {
                fill(&mut self.stream, &mut self.input)?;
                continue;
            };
            let answer = match frame.kind {
                FrameKind::Method => {
                    let method = Method::decode(frame.payload)?;
                    refuse_closing(&method)?;
                    pick(method)
                }
                FrameKind::Header | FrameKind::Body | FrameKind::Heartbeat => None,
            };
            self.input.drain(..size);
            if let Some(answer) = answer {
                return Ok(answer);
            }
        }
    }

    /// Asks for confirms.
    pub(in crate::perf) fn select_confirms(&mut self) -> Result<(), WireError> {
        let select = confirm::Select { nowait: false };
        self.request(CHANNEL, &select, |method| matches!(method, Method::ConfirmSelectOk(_)))
    }

    /// Says goodbye. All that was written before has then been taken by the broker.
    pub(in crate::perf) fn close(mut self) -> Result<(), WireError> {
        self.request(0, &GOODBYE, |method| matches!(method, Method::ConnectionCloseOk(_)))
    }

    /// For a reactor, with whatever has come already.
    pub(in crate::perf) fn into_link(self) -> Result<Link, WireError> {
        let frame_size_max = self.handshake.frame_size_max();
        Link::of(self.stream, self.input, frame_size_max)
    }
}

/// Waits for bytes and appends them.
fn fill(stream: &mut TcpStream, input: &mut Vec<u8>) -> Result<(), WireError> {
    let mut buffer = [0; READ_SIZE];
    match stream.read(&mut buffer) {
        Ok(0) => Err(WireError::Unexpected("the broker ended the connection")),
        Ok(size) => {
            input.extend_from_slice(buffer.get(..size).unwrap_or_default());
            Ok(())
        }
        Err(error) if is_silence(&error) => {
            Err(WireError::Unexpected("the broker does not answer"))
        }
        Err(error) => Err(error.into()),
    }
}
