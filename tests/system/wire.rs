//! A client that is little more than a socket: it writes what it is told, well or badly, and reads
//! frames. It does nothing by itself after the handshake, so a test decides what it leaves out.

use std::fmt::Debug;
use std::io::{self, ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::sync::Arc;

use leveret::protocol::PROTOCOL_HEADER;
use leveret::protocol::field::FieldTable;
use leveret::protocol::frame::{self, FrameKind};
use leveret::protocol::methods::{Method, WireMethod, basic, channel, connection, queue};

use crate::process::PATIENCE;

/// What the broker offers, and what this client agrees to.
const FRAME_SIZE_MAX: u32 = 131_072;

/// How many channels the broker offers, and this client agrees to.
pub(crate) const CHANNEL_MAX: u16 = 2047;

/// The largest body of a frame of the agreed size.
pub(crate) const BODY_SIZE_MAX: usize = FRAME_SIZE_MAX as usize - 8;

/// The class of messages.
pub(crate) const BASIC: u16 = 60;

/// What a client's bytes go over.
pub(crate) trait Stream: Read + Write + Debug + Send {}

impl<T: Read + Write + Debug + Send> Stream for T {}

/// A client's socket, and what came of a frame that is not whole.
#[derive(Debug)]
pub(crate) struct Wire {
    stream: Box<dyn Stream>,
    /// The same, or what it goes over.
    tcp: Option<Arc<TcpStream>>,
    input: Vec<u8>,
    used: usize,
}

/// One frame, on its own.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct OwnedFrame {
    pub(crate) kind: FrameKind,
    pub(crate) channel: u16,
    pub(crate) payload: Vec<u8>,
}

impl OwnedFrame {
    /// The method in it.
    pub(crate) fn method(&self) -> Method<'_> {
        assert_eq!(self.kind, FrameKind::Method, "{self:?}");
        Method::decode(&self.payload).expect("a method")
    }
}

/// A socket with one descriptor for all who hold it: thousands of clients have one each.
#[derive(Debug)]
struct Shared(Arc<TcpStream>);

impl Read for Shared {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        (&*self.0).read(buffer)
    }
}

impl Write for Shared {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        (&*self.0).write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        (&*self.0).flush()
    }
}

impl Wire {
    /// A socket that said nothing yet.
    pub(crate) fn plug(address: SocketAddr) -> Self {
        Self::of(TcpStream::connect_timeout(&address, PATIENCE).expect("a connection"))
    }

    /// A client of a socket that is connected.
    pub(crate) fn of(stream: TcpStream) -> Self {
        stream.set_read_timeout(Some(PATIENCE)).expect("a timeout");
        stream.set_write_timeout(Some(PATIENCE)).expect("a timeout");
        stream.set_nodelay(true).expect("an option");
        let tcp = Arc::new(stream);
        Self { tcp: Some(tcp.clone()), ..Self::over(Shared(tcp)) }
    }

    /// A client of anything that takes and brings bytes.
    pub(crate) fn over(stream: impl Stream + 'static) -> Self {
        Self { stream: Box::new(stream), tcp: None, input: Vec::new(), used: 0 }
    }

    fn tcp(&self) -> &TcpStream {
        self.tcp.as_deref().expect("a socket of the network")
    }

    /// Logged in as guest, in the first virtual host, without heartbeats.
    pub(crate) fn connect(address: SocketAddr) -> Self {
        let mut wire = Self::plug(address);
        wire.log_in(0);
        wire
    }

    /// The same, with channel 1 open.
    pub(crate) fn with_channel(address: SocketAddr) -> Self {
        let mut wire = Self::connect(address);
        wire.open_channel(1);
        wire
    }

    /// Logged in as somebody else, in another virtual host, with channel 1 open.
    pub(crate) fn log_in_as(
        address: SocketAddr,
        user: &str,
        password: &str,
        virtual_host: &str,
    ) -> Self {
        let mut wire = Self::plug(address);
        wire.greet_as(user, password);
        wire.enter(virtual_host, 0);
        wire.open_channel(1);
        wire
    }

    /// The whole handshake, with a heartbeat of so many seconds.
    pub(crate) fn log_in(&mut self, heartbeat: u16) {
        self.greet("guest");
        self.enter("/", heartbeat);
    }

    /// From a login that is right to a virtual host.
    fn enter(&mut self, virtual_host: &str, heartbeat: u16) {
        assert!(matches!(self.next_method().method(), Method::ConnectionTune(_)));
        let (channel_max, frame_max) = (CHANNEL_MAX, FRAME_SIZE_MAX);
        let tune = connection::TuneOk { channel_max, frame_max, heartbeat };
        self.send(0, &tune);
        self.send(0, &connection::Open { virtual_host });
        assert!(matches!(self.next_method().method(), Method::ConnectionOpenOk(_)));
    }

    /// Header and login; the answer is left to read.
    pub(crate) fn greet(&mut self, password: &str) {
        self.greet_as("guest", password);
    }

    /// The same for another user than guest.
    pub(crate) fn greet_as(&mut self, user: &str, password: &str) {
        self.write(&PROTOCOL_HEADER);
        assert!(matches!(self.next_method().method(), Method::ConnectionStart(_)));
        let capabilities: FieldTable =
            [("authentication_failure_close", true), ("consumer_cancel_notify", true)]
                .into_iter()
                .collect();
        let response = format!("\0{user}\0{password}");
        let start_ok = connection::StartOk {
            client_properties: [("capabilities", capabilities)].into_iter().collect(),
            mechanism: "PLAIN",
            response: response.as_bytes(),
            locale: "en_US",
        };
        self.send(0, &start_ok);
    }

    pub(crate) fn open_channel(&mut self, number: u16) {
        self.send(number, &channel::Open {});
        assert!(matches!(self.next_method().method(), Method::ChannelOpenOk(_)));
    }

    /// Declares a queue on channel 1 and waits for the answer.
    pub(crate) fn declare_queue(&mut self, queue: &str) {
        self.send(1, &declare(queue, false));
        assert!(matches!(self.next_method().method(), Method::QueueDeclareOk(_)));
    }

    /// How many messages a queue has ready.
    pub(crate) fn message_count(&mut self, queue: &str) -> u32 {
        self.send(1, &declare(queue, true));
        match self.next_method().method() {
            Method::QueueDeclareOk(answer) => answer.message_count,
            other => panic!("{other:?}"),
        }
    }

    /// Publishes to a queue and gets it back, with every answer in its place.
    pub(crate) fn round_trip(&mut self, queue: &str) {
        let mut bytes = Vec::new();
        push_publish(&mut bytes, queue, false, b"ping");
        self.write(&bytes);
        self.get_ping(queue);
    }

    /// Publishes to an exchange and gets it back from a queue.
    pub(crate) fn round_trip_through(&mut self, exchange: &str, routing_key: &str, queue: &str) {
        let mut bytes = Vec::new();
        push_publish_to(&mut bytes, exchange, routing_key, false, b"ping");
        self.write(&bytes);
        self.get_ping(queue);
    }

    /// Publishes a body of any size to a queue.
    pub(crate) fn publish(&mut self, queue: &str, body: &[u8]) {
        let mut bytes = Vec::new();
        push_publish(&mut bytes, queue, false, body);
        self.write(&bytes);
    }

    /// Publishes a body of any size to a queue and gets all of it back.
    pub(crate) fn send_and_get_back(&mut self, queue: &str, body: &[u8]) {
        self.publish(queue, body);
        self.send(1, &basic::Get { queue, no_ack: true });
        assert!(matches!(self.next_method().method(), Method::BasicGetOk(_)));
        assert!(self.next_body() == body, "another body of {} bytes", body.len());
    }

    /// Waits for a delivery; gives the size of its body.
    pub(crate) fn next_delivery_size(&mut self) -> usize {
        assert!(matches!(self.next_method().method(), Method::BasicDeliver(_)));
        self.next_body().len()
    }

    /// The body that comes behind a header.
    fn next_body(&mut self) -> Vec<u8> {
        let header = self.next_method();
        assert_eq!(header.kind, FrameKind::Header);
        let size = u64::from_be_bytes(header.payload[4..12].try_into().expect("a header"));
        let mut body = Vec::new();
        while (body.len() as u64) < size {
            body.extend_from_slice(&self.next_method().payload);
        }
        body
    }

    fn get_ping(&mut self, queue: &str) {
        self.send(1, &basic::Get { queue, no_ack: true });
        assert!(matches!(self.next_method().method(), Method::BasicGetOk(_)));
        assert_eq!(self.next_method().kind, FrameKind::Header);
        assert_eq!(self.next_method().payload, b"ping");
    }

    /// Writes one method.
    pub(crate) fn send(&mut self, channel: u16, method: &impl WireMethod) {
        let mut bytes = Vec::new();
        frame::write_method(&mut bytes, channel, method);
        self.write(&bytes);
    }

    /// Writes bytes, whatever they are.
    pub(crate) fn write(&mut self, bytes: &[u8]) {
        self.try_write(bytes).expect("the broker reads");
    }

    /// The same where the broker may be gone.
    pub(crate) fn try_write(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.stream.write_all(bytes)
    }

    /// Writes until the broker takes no more, for so long as it may think about it. Gives how much
    /// it took, which is all where it never stopped.
    pub(crate) fn write_while_taken(
        &mut self,
        bytes: &[u8],
        thought: std::time::Duration,
    ) -> usize {
        self.tcp().set_write_timeout(Some(thought)).expect("a timeout");
        let mut written = 0;
        while let Some(rest) = bytes.get(written..).filter(|rest| !rest.is_empty()) {
            match self.stream.write(rest) {
                Ok(count) => written += count,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                // It waits, or has hung up: both are its good right.
                Err(_) => break,
            }
        }
        self.tcp().set_write_timeout(Some(PATIENCE)).expect("a timeout");
        written
    }

    /// The next frame but heartbeats. It must come.
    pub(crate) fn next_method(&mut self) -> OwnedFrame {
        loop {
            let frame = self.next_frame().expect("the broker closed the socket");
            if frame.kind != FrameKind::Heartbeat {
                return frame;
            }
        }
    }

    /// The next frame; none where the broker closed the socket.
    pub(crate) fn next_frame(&mut self) -> Option<OwnedFrame> {
        loop {
            if let Some(frame) = self.received_frame() {
                return Some(frame);
            }
            if self.read() == 0 {
                assert!(self.input.is_empty(), "the socket ended inside a frame");
                return None;
            }
        }
    }

    /// The next frame that was read already.
    pub(crate) fn received_frame(&mut self) -> Option<OwnedFrame> {
        let rest = &self.input[self.used..];
        let (frame, size) = frame::next(rest, FRAME_SIZE_MAX as usize).expect("a frame")?;
        let (kind, channel) = (frame.kind, frame.channel);
        let frame = OwnedFrame { kind, channel, payload: frame.payload.to_vec() };
        self.used += size;
        Some(frame)
    }

    /// All bytes until the broker closes the socket.
    pub(crate) fn read_to_end(&mut self) -> Vec<u8> {
        while self.read() > 0 {}
        std::mem::take(&mut self.input)
    }

    /// A reset is an end as well: the broker may close while bytes are on their way to it.
    fn read(&mut self) -> usize {
        match self.try_read() {
            Ok(count) => count,
            Err(error) if error.kind() == ErrorKind::ConnectionReset => 0,
            Err(error) => panic!("nothing came in {PATIENCE:?}: {error}"),
        }
    }

    /// Waits for bytes and says how many came, none at the end of the socket.
    pub(crate) fn try_read(&mut self) -> io::Result<usize> {
        self.input.drain(..std::mem::take(&mut self.used));
        let mut buffer = [0; 65_536];
        let count = self.stream.read(&mut buffer)?;
        self.input.extend_from_slice(&buffer[..count]);
        Ok(count)
    }

    /// Ends the socket without a word.
    pub(crate) fn hang_up(self) {
        self.tcp().shutdown(Shutdown::Both).expect("an open socket");
    }

    /// The closing handshake.
    pub(crate) fn close(mut self) {
        let close =
            connection::Close { reply_code: 200, reply_text: "bye", class_id: 0, method_id: 0 };
        self.send(0, &close);
        assert!(matches!(self.next_method().method(), Method::ConnectionCloseOk(_)));
    }

    /// The address this client comes from.
    pub(crate) fn local_address(&self) -> SocketAddr {
        self.tcp().local_addr().expect("an address")
    }
}

/// queue.declare of a queue that goes away with nobody.
pub(crate) fn declare(queue: &str, passive: bool) -> queue::Declare<'_> {
    queue::Declare {
        queue,
        passive,
        durable: true,
        exclusive: false,
        auto_delete: false,
        nowait: false,
        arguments: FieldTable::new(),
    }
}

/// Appends a message for the default exchange, its body in one frame or more.
pub(crate) fn push_publish(bytes: &mut Vec<u8>, routing_key: &str, mandatory: bool, body: &[u8]) {
    push_publish_to(bytes, "", routing_key, mandatory, body);
}

/// Appends a message for any exchange.
fn push_publish_to(
    bytes: &mut Vec<u8>,
    exchange: &str,
    routing_key: &str,
    mandatory: bool,
    body: &[u8],
) {
    let publish = basic::Publish { exchange, routing_key, mandatory, immediate: false };
    frame::write_method(bytes, 1, &publish);
    frame::write_header(bytes, 1, BASIC, body.len() as u64, &[0, 0]);
    for part in body.chunks(BODY_SIZE_MAX) {
        frame::write_body(bytes, 1, part);
    }
}
