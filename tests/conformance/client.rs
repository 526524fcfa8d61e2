//! One scripted client: it sends what it is told, well or badly, and looks at what comes. After the
//! handshake it does nothing by itself but pass over heartbeats. The expectations common to many
//! scripts are in `expect`.

use std::cell::RefCell;
use std::net::TcpStream;
use std::rc::Rc;

use leveret::protocol::PROTOCOL_HEADER;
use leveret::protocol::frame::{self, FrameKind};
use leveret::protocol::methods::{Method, WireMethod, basic, channel, connection};
use leveret::protocol::properties::Properties;

use crate::in_process::InProcess;
use crate::login::Login;
use crate::plain;
use crate::received::Received;
use crate::socket;

/// The class of messages.
pub(crate) const BASIC: u16 = 60;

/// What reads bodies larger than any frame that was agreed.
const FRAME_SIZE_MAX: usize = 1 << 30;

/// Body octets of one frame that every peer takes.
const BODY_SIZE_MAX: usize = 4088;

/// Where a client's bytes go.
#[derive(Debug)]
pub(crate) enum Line {
    /// To a seat of the broker in this process.
    Session(Rc<RefCell<InProcess>>, usize),
    /// To a socket.
    Socket(TcpStream),
}

/// One step of a script, for tables of steps.
pub(crate) type Step<'a> = &'a dyn Fn(&mut Client);

/// A scripted client.
#[derive(Debug)]
pub(crate) struct Client {
    line: Line,
    input: Vec<u8>,
    used: usize,
    is_open: bool,
    body_size_max: usize,
}

impl Client {
    pub(crate) fn new(line: Line) -> Self {
        let (input, used, is_open) = (Vec::new(), 0, true);
        Self { line, input, used, is_open, body_size_max: BODY_SIZE_MAX }
    }

    /// The broker is in another process and works by itself.
    pub(crate) fn is_over_socket(&self) -> bool {
        matches!(self.line, Line::Socket(_))
    }

    // What it sends.

    /// Sends bytes, whatever they are.
    pub(crate) fn send_bytes(&mut self, bytes: &[u8]) {
        match &mut self.line {
            Line::Session(broker, seat) => broker.borrow_mut().send(*seat, bytes),
            Line::Socket(stream) => socket::send(stream, bytes),
        }
    }

    /// Sends a method.
    pub(crate) fn send(&mut self, channel: u16, method: &impl WireMethod) {
        let mut bytes = Vec::new();
        frame::write_method(&mut bytes, channel, method);
        self.send_bytes(&bytes);
    }

    /// Sends a frame of any kind and any payload.
    pub(crate) fn send_frame(&mut self, kind: u8, channel: u16, payload: &[u8]) {
        self.send_bytes(&frame_bytes(kind, channel, payload));
    }

    /// Sends a method frame of any ids and any arguments.
    pub(crate) fn send_method(&mut self, channel: u16, ids: (u16, u16), arguments: &[u8]) {
        let payload = [&ids.0.to_be_bytes()[..], &ids.1.to_be_bytes(), arguments].concat();
        self.send_frame(1, channel, &payload);
    }

    /// Sends the header of a message.
    pub(crate) fn send_header(&mut self, channel: u16, body_size: u64, properties: &Properties) {
        let mut list = Vec::new();
        properties.encode(&mut list);
        let mut bytes = Vec::new();
        frame::write_header(&mut bytes, channel, BASIC, body_size, &list);
        self.send_bytes(&bytes);
    }

    /// Sends one body frame.
    pub(crate) fn send_body(&mut self, channel: u16, body: &[u8]) {
        let mut bytes = Vec::new();
        frame::write_body(&mut bytes, channel, body);
        self.send_bytes(&bytes);
    }

    /// Publishes a message without properties.
    pub(crate) fn publish(&mut self, channel: u16, exchange: &str, key: &str, body: &[u8]) {
        self.publish_with(channel, &plain::publish(exchange, key), &Properties::default(), body);
    }

    /// Publishes a message with these flags and properties, its body in as many frames as needed.
    pub(crate) fn publish_with(
        &mut self,
        channel: u16,
        publish: &basic::Publish<'_>,
        properties: &Properties,
        body: &[u8],
    ) {
        let (mut list, mut bytes) = (Vec::new(), Vec::new());
        properties.encode(&mut list);
        frame::write_method(&mut bytes, channel, publish);
        frame::write_header(&mut bytes, channel, BASIC, body.len() as u64, &list);
        for part in body.chunks(self.body_size_max) {
            frame::write_body(&mut bytes, channel, part);
        }
        self.send_bytes(&bytes);
    }

    // What it reads.

    /// Whatever bytes came, or come within some patience where they are awaited.
    fn read(&mut self, is_awaited: bool) -> bool {
        let (bytes, is_open) = match &mut self.line {
            Line::Session(broker, seat) => broker.borrow_mut().read(*seat),
            Line::Socket(stream) => socket::read(stream, is_awaited),
        };
        self.is_open = is_open;
        self.input.drain(..std::mem::take(&mut self.used));
        self.input.extend_from_slice(&bytes);
        !bytes.is_empty()
    }

    /// The next frame of those that are here.
    fn frame_here(&mut self) -> Option<Received> {
        let (frame, size) =
            frame::next(&self.input[self.used..], FRAME_SIZE_MAX).expect("a frame")?;
        let received = Received::new(&frame);
        self.used += size;
        Some(received)
    }

    /// The next frame, a heartbeat too; none where nothing comes.
    pub(crate) fn next_of_any_kind(&mut self, is_awaited: bool) -> Option<Received> {
        loop {
            if let Some(frame) = self.frame_here() {
                return Some(frame);
            }
            if !self.read(is_awaited) {
                return None;
            }
        }
    }

    /// The next frame but heartbeats, if one comes within a short while.
    pub(crate) fn try_next_frame(&mut self) -> Option<Received> {
        self.next_but_heartbeats(false)
    }

    /// The next frame but heartbeats. One must come.
    pub(crate) fn next_frame(&mut self) -> Received {
        match self.next_but_heartbeats(true) {
            Some(frame) => frame,
            None if self.is_open => panic!("nothing came"),
            None => panic!("the broker closed the socket"),
        }
    }

    fn next_but_heartbeats(&mut self, is_awaited: bool) -> Option<Received> {
        loop {
            let frame = self.next_of_any_kind(is_awaited)?;
            if frame.kind != FrameKind::Heartbeat {
                return Some(frame);
            }
        }
    }

    /// Exactly these bytes come next, in no frame.
    pub(crate) fn expect_bytes(&mut self, expected: &[u8]) {
        while self.input.len() - self.used < expected.len() && self.read(true) {}
        let here = &self.input[self.used..];
        let here = &here[..here.len().min(expected.len())];
        assert_eq!(here.escape_ascii().to_string(), expected.escape_ascii().to_string());
        self.used += expected.len();
    }

    /// Nothing is here and nothing comes; the socket stays open.
    pub(crate) fn expect_silence(&mut self) {
        if let Some(frame) = self.next_of_any_kind(false) {
            panic!("{frame:?}");
        }
        assert!(self.is_open, "the broker closed the socket");
    }

    /// The broker closes the socket and says nothing before.
    pub(crate) fn expect_end(&mut self) {
        if let Some(frame) = self.next_of_any_kind(true) {
            panic!("{frame:?}");
        }
        assert!(!self.is_open, "the socket is still open");
        assert_eq!(self.input.len(), self.used, "the socket ended inside a frame");
    }

    // How it begins and ends.

    /// Sends the protocol header and gives connection.start.
    pub(crate) fn start(&mut self) -> connection::Start<'static> {
        self.send_bytes(&PROTOCOL_HEADER);
        match self.expect_method(0) {
            Method::ConnectionStart(start) => start,
            other => panic!("{other:?}"),
        }
    }

    /// Sends start-ok.
    pub(crate) fn authenticate(&mut self, login: &Login) {
        let start_ok = connection::StartOk {
            client_properties: login.client_properties.clone(),
            mechanism: login.mechanism,
            response: &login.response,
            locale: "en_US",
        };
        self.send(0, &start_ok);
    }

    /// Sends header and start-ok and gives connection.tune.
    pub(crate) fn until_tune(&mut self, login: &Login) -> connection::Tune {
        self.start();
        self.authenticate(login);
        match self.expect_method(0) {
            Method::ConnectionTune(tune) => tune,
            other => panic!("{other:?}"),
        }
    }

    /// Sends tune-ok.
    pub(crate) fn tune(&mut self, login: &Login) {
        let Login { channel_max, frame_max, heartbeat, .. } = *login;
        self.send(0, &connection::TuneOk { channel_max, frame_max, heartbeat });
    }

    /// The whole handshake.
    pub(crate) fn log_in(&mut self, login: &Login) {
        self.until_tune(login);
        self.tune(login);
        self.send(0, &connection::Open { virtual_host: login.virtual_host });
        self.expect(0, &connection::OpenOk {});
        self.body_size_max = login.frame_max as usize - 8;
    }

    pub(crate) fn open_channel(&mut self, channel: u16) {
        self.send(channel, &channel::Open {});
        self.expect(channel, &channel::OpenOk {});
    }

    /// Answers channel.close and opens the channel again.
    pub(crate) fn reopen_channel(&mut self, channel: u16) {
        self.send(channel, &channel::CloseOk {});
        self.open_channel(channel);
    }

    pub(crate) fn close_channel(&mut self, channel: u16) {
        self.send(
            channel,
            &channel::Close { reply_code: 200, reply_text: "", class_id: 0, method_id: 0 },
        );
        self.expect(channel, &channel::CloseOk {});
    }

    /// The closing handshake; the socket is ours to close then.
    pub(crate) fn close(mut self) {
        self.send_close();
        self.expect(0, &connection::CloseOk {});
    }

    /// Sends connection.close.
    pub(crate) fn send_close(&mut self) {
        let close =
            connection::Close { reply_code: 200, reply_text: "", class_id: 0, method_id: 0 };
        self.send(0, &close);
    }

    /// Ends the socket without a word, as dropping the client does.
    pub(crate) fn hang_up(self) {}
}

impl Drop for Client {
    fn drop(&mut self) {
        if let Line::Session(broker, seat) = &self.line {
            broker.borrow_mut().hang_up(*seat);
        }
    }
}

/// A frame of any kind and any payload.
pub(crate) fn frame_bytes(kind: u8, channel: u16, payload: &[u8]) -> Vec<u8> {
    let size = u32::try_from(payload.len()).expect("a payload that a frame can hold");
    let mut bytes = vec![kind];
    bytes.extend_from_slice(&channel.to_be_bytes());
    bytes.extend_from_slice(&size.to_be_bytes());
    bytes.extend_from_slice(payload);
    bytes.push(0xCE);
    bytes
}
