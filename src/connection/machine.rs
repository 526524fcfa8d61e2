//! The connection: takes bytes, finds frames, hands each to the handshake or to its channel, keeps
//! time, and ends. What a frame means is in `handshake`, `methods` and `content`.

use std::sync::Arc;

use hashbrown::HashMap;

use super::channel::{Channel, State};
use super::command::{Command, Effect, Request};
use super::content::Incoming;
use super::heads::Heads;
use super::output::Output;
use super::phase::{Options, Phase};
use super::traffic::ChannelTraffic;
use crate::limits::CLOSED_INPUT_SIZE_MAX;
use crate::message::{Moment, Name, Random};
use crate::protocol::field::FieldTable;
use crate::protocol::frame::{self, Frame, FrameError, FrameKind};
use crate::protocol::methods::{Method, WireMethod, basic, channel as channel_class, connection};
use crate::protocol::reply::{AmqpError, ConnectionError};
use crate::protocol::{DecodeError, DecodeErrorKind};

/// One connection and its channels.
#[derive(Debug)]
pub struct Connection {
    pub(super) options: Arc<Options>,
    pub(super) phase: Phase,
    pub(super) output: Output,
    pub(super) channels: HashMap<u16, Box<Channel>, foldhash::fast::FixedState>,
    pub(super) random: Random,
    pub(super) frame_size_max: usize,
    pub(super) channel_max: u16,
    pub(super) heartbeat_ms: u64,
    pub(super) capabilities: Capabilities,
    pub(super) user: Option<Name>,
    pub(super) virtual_host: Option<Name>,
    pub(super) client_name: Option<Box<str>>,
    pub(super) client_properties: FieldTable,
    pub(super) now: Moment,
    pub(super) handshake_deadline: Moment,
    pub(super) last_received: Moment,
    pub(super) last_sent: Moment,
    /// A request is with the broker; no frame is read before it is applied.
    pub(super) awaits_broker: bool,
    pub(super) has_released: bool,
    /// Its publishes are not read: an alarm is on.
    pub(super) is_blocked: bool,
    /// Nobody on the way can read along.
    pub(super) is_encrypted: bool,
    discarded_size: usize,
    /// Bytes of the last input that are to be offered again.
    unused_size: usize,
    pub(super) close_reason: Option<CloseReason>,
    /// What a silent connection says when its silence is over.
    pub(super) last_word: Option<ConnectionError>,
}

/// What a client said it can take.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Capabilities {
    pub(super) consumer_cancel_notify: bool,
    pub(super) authentication_failure_close: bool,
    pub(super) connection_blocked: bool,
}

/// Why a connection ended, for the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CloseReason {
    /// The client closed it as it should.
    ByClient,
    /// We closed it.
    ByBroker {
        /// The reply text.
        text: String,
        /// The client said close-ok.
        is_answered: bool,
    },
    /// The login was refused; clients that cannot understand it were not told why.
    LoginRefused(String),
    /// Nothing was heard for two heartbeats of this many seconds.
    MissedHeartbeats(u64),
    /// The handshake took too long.
    HandshakeTimeout,
    /// The first bytes were not AMQP 0-9-1; a hint at what they were.
    ForeignProtocol(&'static str),
}

impl Connection {
    /// A connection that was just accepted.
    #[must_use]
    pub fn new(options: Arc<Options>, random: Random, now: Moment) -> Self {
        Self {
            frame_size_max: options.initial_frame_size_max as usize,
            channel_max: options.channel_max,
            handshake_deadline: now.plus(options.handshake_timeout_ms),
            options,
            phase: Phase::AwaitingHeader,
            output: Output::default(),
            channels: HashMap::default(),
            random,
            heartbeat_ms: 0,
            capabilities: Capabilities::default(),
            user: None,
            virtual_host: None,
            client_name: None,
            client_properties: FieldTable::new(),
            now,
            last_received: now,
            last_sent: now,
            awaits_broker: false,
            has_released: false,
            is_blocked: false,
            is_encrypted: false,
            discarded_size: 0,
            unused_size: 0,
            close_reason: None,
            last_word: None,
        }
    }

    /// What waits to be written.
    pub fn output(&mut self) -> &mut Output {
        &mut self.output
    }

    /// Messages that come and go on a channel. What a connection cannot know, its owner adds.
    #[must_use]
    pub fn traffic_of(&self, channel: u16) -> Option<Arc<ChannelTraffic>> {
        Some(self.channels.get(&channel)?.traffic.clone())
    }

    /// It is over: the socket is closed once the output is written.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        self.phase == Phase::Closed
    }

    /// The handshake is done and nothing has ended it.
    #[must_use]
    pub fn is_running(&self) -> bool {
        self.phase == Phase::Running
    }

    /// Why it ended, once it did.
    #[must_use]
    pub fn close_reason(&self) -> Option<&CloseReason> {
        self.close_reason.as_ref()
    }

    /// The name the client gave itself.
    #[must_use]
    pub fn client_name(&self) -> Option<&str> {
        self.client_name.as_deref()
    }

    /// Takes bytes and tells how many it used. It stops early where a request must be applied by
    /// the broker first; the caller applies the effects, tells the answers and comes again with the
    /// rest.
    pub fn receive(&mut self, input: &[u8], now: Moment, effects: &mut Vec<Effect>) -> usize {
        self.now = now;
        // What is offered again after it could not be used is no sign of life.
        if input.len() > self.unused_size {
            self.last_received = now;
        }
        let (mut used, mut heads) = (0, Heads::default());
        while let Some(rest) = input.get(used..).filter(|rest| !rest.is_empty()) {
            if self.awaits_broker {
                break;
            }
            if let Some(size) = self.receive_whole(rest, &mut heads, effects) {
                used += size;
                continue;
            }
            let step = match self.phase {
                Phase::Closed | Phase::Silent(_) => rest.len(),
                Phase::AwaitingHeader => self.receive_header(rest),
                _ => self.receive_frame(rest, effects),
            };
            if step == 0 {
                break;
            }
            used += step;
        }
        self.unused_size = input.len() - used;
        used
    }

    /// Bytes that wait: for the rest of their frame, or for the socket.
    #[must_use]
    pub fn buffered_size(&self) -> usize {
        self.unused_size + self.output.len()
    }

    /// A request is with the broker, and its answer was not told yet.
    #[must_use]
    pub fn is_waiting(&self) -> bool {
        self.awaits_broker
    }

    /// The broker applied the effects and its answers were told: reading may go on.
    pub fn applied(&mut self) {
        self.awaits_broker = false;
    }

    fn receive_frame(&mut self, rest: &[u8], effects: &mut Vec<Effect>) -> usize {
        match frame::next(rest, self.frame_size_max) {
            Ok(None) => 0,
            Ok(Some((frame, size))) => {
                self.handle_frame(&frame, effects);
                size
            }
            Err(_) if self.phase.is_ending() => self.discard(rest.len()),
            Err(error) => {
                self.fail(frame_failure(&error), effects);
                rest.len()
            }
        }
    }

    /// Garbage while we wait for close-ok: bounded, then the socket goes.
    fn discard(&mut self, size: usize) -> usize {
        self.discarded_size = self.discarded_size.saturating_add(size);
        if self.discarded_size > CLOSED_INPUT_SIZE_MAX {
            self.phase = Phase::Closed;
        }
        size
    }

    fn handle_frame(&mut self, frame: &Frame<'_>, effects: &mut Vec<Effect>) {
        if self.phase.is_ending() {
            return self.handle_frame_while_ending(frame);
        }
        let result = match (frame.kind, frame.channel) {
            (FrameKind::Heartbeat, 0) if frame.payload.is_empty() => Ok(()),
            (FrameKind::Heartbeat, 0) => {
                Err(ConnectionError::frame_error("a heartbeat carries nothing"))
            }
            (FrameKind::Heartbeat, _) => {
                Err(ConnectionError::unexpected_frame("heartbeat frames belong on channel 0"))
            }
            (FrameKind::Method, 0) => self.handle_connection_method(frame.payload, effects),
            (_, 0) => {
                Err(ConnectionError::unexpected_frame("content frames do not belong on channel 0"))
            }
            _ if self.phase != Phase::Running => Err(ConnectionError::unexpected_frame(format!(
                "a frame on channel {} came before the connection was open",
                frame.channel
            ))),
            _ => return self.handle_channel_frame(frame, effects),
        };
        if let Err(error) = result {
            self.fail(error, effects);
        }
    }

    /// Only close and close-ok matter now.
    fn handle_frame_while_ending(&mut self, frame: &Frame<'_>) {
        self.discard(0);
        if frame.kind != FrameKind::Method || frame.channel != 0 {
            return;
        }
        match (self.phase, Method::decode(frame.payload)) {
            (Phase::Closing(_), Ok(Method::ConnectionCloseOk(_))) => self.close_answered(),
            (Phase::Closing(_), Ok(Method::ConnectionClose(_))) => {
                self.send(0, &connection::CloseOk {});
                self.close_answered();
            }
            _ => {}
        }
    }

    fn handle_channel_frame(&mut self, frame: &Frame<'_>, effects: &mut Vec<Effect>) {
        let Some(channel) = self.channels.get_mut(&frame.channel) else {
            if let Err(error) = self.open_channel(frame, effects) {
                self.fail(error, effects);
            }
            return;
        };
        let result = match (channel.state, &mut channel.incoming) {
            (State::Closing, _) => return self.handle_frame_while_channel_closes(frame),
            (State::Released, _) => return,
            (State::Open, Some(incoming)) => match incoming.receive(frame, &self.options) {
                Ok(Some(message)) => {
                    let (mandatory, immediate) = (incoming.mandatory, incoming.immediate);
                    channel.incoming = None;
                    refuse_immediate(immediate)
                        .map(|()| channel.publish(message, mandatory, None, effects))
                }
                Ok(None) => Ok(()),
                Err(error) => Err(error),
            },
            (State::Open, None) => self.handle_channel_method(frame, effects),
        };
        if let Err(error) = result {
            self.refuse(frame.channel, error, effects);
        }
    }

    /// We sent channel.close: everything is dropped until the client answers.
    fn handle_frame_while_channel_closes(&mut self, frame: &Frame<'_>) {
        if frame.kind != FrameKind::Method {
            return;
        }
        match Method::decode(frame.payload) {
            Ok(Method::ChannelCloseOk(_)) => {
                self.channels.remove(&frame.channel);
            }
            Ok(Method::ChannelClose(_)) => self.send(frame.channel, &channel_class::CloseOk {}),
            _ => {}
        }
    }

    /// The first frame on a channel number must open it.
    fn open_channel(
        &mut self,
        frame: &Frame<'_>,
        effects: &mut Vec<Effect>,
    ) -> Result<(), ConnectionError> {
        let count = self.channels.len();
        let maximum = self.channel_max;
        if maximum != 0 && (count >= usize::from(maximum) || frame.channel > maximum) {
            return Err(ConnectionError::not_allowed(format!(
                "number of channels opened ({count}) has reached the negotiated channel_max \
                 ({maximum})"
            )));
        }
        let method = decode_method(frame)?;
        if !matches!(method, Method::ChannelOpen(_)) {
            let (class_id, method_id) = (method.class_id(), method.method_id());
            let error = ConnectionError::channel_error("expected 'channel.open'");
            return Err(error.at(class_id, method_id));
        }
        self.channels.insert(frame.channel, Box::new(Channel::new(frame.channel)));
        self.request(
            Request {
                channel: frame.channel,
                method: (method.class_id(), method.method_id()),
                nowait: false,
                command: Command::OpenChannel,
            },
            effects,
        );
        Ok(())
    }

    /// Asks the broker; no further frame is read before it is applied.
    pub(super) fn request(&mut self, request: Request, effects: &mut Vec<Effect>) {
        self.awaits_broker = true;
        effects.push(Effect::Request(request));
    }

    /// Sends a method.
    pub(super) fn send(&mut self, channel: u16, method: &impl WireMethod) {
        frame::write_method(self.output.buffer(), channel, method);
    }
}

/// Nobody may ask for a delivery at once.
fn refuse_immediate(immediate: bool) -> Result<(), AmqpError> {
    if !immediate {
        return Ok(());
    }
    let error = ConnectionError::not_implemented("immediate=true");
    Err(error.at(basic::Publish::CLASS_ID, basic::Publish::METHOD_ID).into())
}

/// A method frame's method, or the error that says why there is none.
pub(super) fn decode_method<'a>(frame: &Frame<'a>) -> Result<Method<'a>, ConnectionError> {
    if frame.kind != FrameKind::Method {
        let text = "expected method frame, got non method frame instead";
        return Err(ConnectionError::unexpected_frame(text));
    }
    Method::decode(frame.payload).map_err(|error| decode_failure(&error, frame.payload))
}

/// The connection error for a payload that is no method.
pub(super) fn decode_failure(error: &DecodeError, payload: &[u8]) -> ConnectionError {
    let (class_id, method_id) = match *payload {
        [class_high, class_low, method_high, method_low, ..] => (
            u16::from_be_bytes([class_high, class_low]),
            u16::from_be_bytes([method_high, method_low]),
        ),
        _ => (0, 0),
    };
    match error.kind {
        DecodeErrorKind::Unknown { class_id, method_id } => ConnectionError::not_implemented(
            format!("method {method_id} of class {class_id} does not exist"),
        ),
        // RabbitMQ names no method here.
        DecodeErrorKind::InvalidUtf8 => {
            return ConnectionError::frame_error("Malformed UTF-8 in shortstr");
        }
        DecodeErrorKind::Malformed => {
            let shown = payload.get(..payload.len().min(64)).unwrap_or(&[]);
            ConnectionError::frame_error(format!("cannot decode {shown:?}"))
        }
    }
    .at(class_id, method_id)
}

fn frame_failure(error: &FrameError) -> ConnectionError {
    ConnectionError::frame_error(error.to_string())
}

/// Opens a message that the next frames bring.
pub(super) fn begin_content(channel: &mut Channel, publish: &basic::Publish<'_>) {
    channel.incoming = Some(Box::new(Incoming::new(publish)));
}
