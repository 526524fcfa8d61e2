//! The fuzz target of the connection: bytes are a script of what a hostile client does to a whole
//! broker, whose other client must not notice. Nothing may panic, and what waits to be written has
//! a bound.

use std::sync::Arc;

use leveret::broker::{Broker, BrokerOptions, Peer, Session};
use leveret::limits::{SESSION_OUTPUT_SIZE_MAX, SESSION_WINDOW_SIZE};
use leveret::message::Moment;
use leveret::protocol::PROTOCOL_HEADER;
use leveret::protocol::field::FieldTable;
use leveret::protocol::frame::{self, write_body, write_header, write_heartbeat, write_method};
use leveret::protocol::methods::{Method, basic, channel, connection, queue};

use crate::methods;
use crate::script::Script;

/// Small answers that may wait besides deliveries.
const ANSWERS_SIZE_MAX: usize = 64 * 1024;

/// The hostile client.
struct Hostile {
    session: Session,
    /// Written and not yet taken.
    input: Vec<u8>,
    taken_size: usize,
    now: Moment,
    reads: bool,
    /// It answers closes, and opens channels again.
    is_polite: bool,
}

/// Does to a broker what the bytes say.
pub(crate) fn fuzz_connection(bytes: &[u8]) {
    let broker = Arc::new(Broker::new(BrokerOptions::default(), [1, 2]).unwrap());
    let mut healthy = new_session(&broker);
    prepare(&mut healthy);
    let mut script = Script::new(bytes);
    let mut hostile = Hostile::new(&broker, script.flag());
    while !script.is_over() {
        match script.octet() % 32 {
            0..22 => methods::write(&mut script, &mut hostile.input),
            22 => {
                let channel = methods::channel(&mut script);
                methods::write_content(&mut script, channel, &mut hostile.input);
            }
            23 => {
                let size = usize::from(script.octet());
                hostile.input.extend_from_slice(script.take(size));
            }
            24 => frame_of_chance(&mut script, &mut hostile.input),
            25 => hostile.reads = script.flag(),
            26 => hostile.wait(script.number() % 30_000),
            27 => write_heartbeat(&mut hostile.input),
            28 => hostile.is_polite = script.flag(),
            29 if script.octet() == 0 => hostile = Hostile::new(&broker, script.flag()),
            _ => hostile.give(usize::from(script.octet())),
        }
        if !script.octet().is_multiple_of(4) {
            hostile.give(usize::MAX);
        }
        if hostile.is_over() {
            hostile = Hostile::new(&broker, true);
        }
    }
    hostile.give(usize::MAX);
    work(&mut healthy);
    drop(hostile);
    work(&mut healthy);
    assert_eq!(broker.session_count(), 1);
}

impl Hostile {
    fn new(broker: &Arc<Broker>, shakes_hands: bool) -> Self {
        let session = new_session(broker);
        let mut input = Vec::new();
        if shakes_hands {
            write_handshake(&mut input);
            (1..=3).for_each(|number| write_method(&mut input, number, &channel::Open {}));
            write_method(&mut input, 1, &declare("q", false));
        }
        let (now, is_polite) = (Moment(0), shakes_hands);
        let mut hostile = Self { session, input, taken_size: 0, now, reads: true, is_polite };
        hostile.give(usize::MAX);
        hostile
    }

    /// Gives the broker up to `size` bytes, as a door does: nothing while it has too much to say.
    fn give(&mut self, size: usize) {
        let given = size.min(self.input.len());
        if given > 0 && !self.session.is_congested() {
            let used = self.session.receive(&self.input[..given], self.now);
            assert!(used <= given);
            self.input.drain(..used);
            self.taken_size += used;
        }
        self.session.pump();
        let waiting = self.session.output().len();
        let bound = SESSION_OUTPUT_SIZE_MAX
            + usize::try_from(SESSION_WINDOW_SIZE).unwrap()
            + ANSWERS_SIZE_MAX
            + 2 * self.taken_size;
        assert!(waiting <= bound, "{waiting} bytes wait for the socket");
        if self.reads {
            let output = self.session.output().take();
            check_output(&output, |channel, method| self.answer(channel, method));
            self.session.sent(self.now);
        }
    }

    /// What a polite client says by itself.
    fn answer(&mut self, number: u16, method: &Method<'_>) {
        match method {
            Method::ChannelClose(_) if self.is_polite => {
                write_method(&mut self.input, number, &channel::CloseOk {});
                write_method(&mut self.input, number, &channel::Open {});
            }
            Method::ChannelCloseOk(_) if self.is_polite => {
                write_method(&mut self.input, number, &channel::Open {});
            }
            Method::ConnectionClose(_) if self.is_polite => {
                write_method(&mut self.input, 0, &connection::CloseOk {});
            }
            _ => {}
        }
    }

    /// Nothing more comes of it.
    fn is_over(&self) -> bool {
        self.session.connection().is_closed()
    }

    fn wait(&mut self, milliseconds: u64) {
        self.now = self.now.plus(milliseconds);
        if self.session.deadline().is_some_and(|deadline| deadline <= self.now) {
            self.session.elapse(self.now);
        }
    }
}

/// What the broker says is well-formed, whatever was said to it.
fn check_output(output: &[u8], mut hear: impl FnMut(u16, &Method<'_>)) {
    let mut rest = output.strip_prefix(&PROTOCOL_HEADER[..]).unwrap_or(output);
    while !rest.is_empty() {
        match frame::next(rest, usize::MAX / 2) {
            Ok(Some((frame, size))) => {
                if frame.kind == frame::FrameKind::Method {
                    hear(frame.channel, &Method::decode(frame.payload).unwrap());
                }
                rest = &rest[size..];
            }
            other => panic!("the broker wrote {other:?}"),
        }
    }
}

/// A frame of any kind with any payload, mostly with its end.
fn frame_of_chance(script: &mut Script<'_>, out: &mut Vec<u8>) {
    let kind = [1, 1, 2, 3, 8, 4][usize::from(script.octet() % 6)];
    let channel = script.octet() % 4;
    let size = script.octet();
    let payload = script.take(usize::from(size));
    let announced =
        if script.octet() == 1 { u32::MAX } else { u32::try_from(payload.len()).unwrap() };
    out.extend_from_slice(&[kind, 0, channel]);
    out.extend_from_slice(&announced.to_be_bytes());
    out.extend_from_slice(payload);
    out.push(if script.octet() == 1 { 0 } else { 0xCE });
}

fn declare(queue: &str, exclusive: bool) -> queue::Declare<'_> {
    queue::Declare {
        queue,
        passive: false,
        durable: false,
        exclusive,
        auto_delete: false,
        nowait: false,
        arguments: FieldTable::new(),
    }
}

fn new_session(broker: &Arc<Broker>) -> Session {
    Session::new(broker.clone(), Peer { address: None }, Moment(0))
}

fn write_handshake(out: &mut Vec<u8>) {
    out.extend_from_slice(&PROTOCOL_HEADER);
    let start_ok = connection::StartOk {
        client_properties: FieldTable::new(),
        mechanism: "PLAIN",
        response: b"\0guest\0guest",
        locale: "en_US",
    };
    write_method(out, 0, &start_ok);
    let tune_ok = connection::TuneOk { channel_max: 2047, frame_max: 131_072, heartbeat: 10 };
    write_method(out, 0, &tune_ok);
    write_method(out, 0, &connection::Open { virtual_host: "/" });
}

/// Sends a healthy client's bytes and gives the methods that come back.
fn ask(session: &mut Session, bytes: &[u8]) -> Vec<String> {
    assert_eq!(session.receive(bytes, Moment(0)), bytes.len());
    session.pump();
    let output = session.output().take();
    let (mut rest, mut answers) = (&output[..], Vec::new());
    while let Ok(Some((frame, size))) = frame::next(rest, 131_072) {
        if frame.kind == frame::FrameKind::Method {
            answers.push(format!("{:?}", Method::decode(frame.payload).unwrap()));
        } else if frame.kind == frame::FrameKind::Body {
            answers.push(String::from_utf8_lossy(frame.payload).into_owned());
        }
        rest = &rest[size..];
    }
    answers
}

/// The healthy client has a queue of its own, so nobody else can take what it puts there.
fn prepare(session: &mut Session) {
    let mut bytes = Vec::new();
    write_handshake(&mut bytes);
    write_method(&mut bytes, 1, &channel::Open {});
    write_method(&mut bytes, 1, &declare("healthy", true));
    let answers = ask(session, &bytes);
    assert!(answers.last().is_some_and(|last| last.contains("healthy")), "{answers:?}");
}

/// It publishes and gets, and nothing is in its way. Others may publish to its queue, not take.
fn work(session: &mut Session) {
    let mut bytes = Vec::new();
    write_method(&mut bytes, 1, &queue::Purge { queue: "healthy", nowait: true });
    let publish =
        basic::Publish { exchange: "", routing_key: "healthy", mandatory: true, immediate: false };
    write_method(&mut bytes, 1, &publish);
    write_header(&mut bytes, 1, 60, 4, &[0, 0]);
    write_body(&mut bytes, 1, b"well");
    write_method(&mut bytes, 1, &basic::Get { queue: "healthy", no_ack: true });
    let answers = ask(session, &bytes);
    assert_eq!(answers.last().map(String::as_str), Some("well"), "{answers:?}");
}
