//! The connection machine by values: bytes and events in, effects and frames out, no broker.

use std::sync::Arc;

use super::*;
use crate::limits::SILENT_CLOSE_DELAY_MS;
use crate::message::{Body, Envelope, Message, Moment, Outcome, QueueId, Random};
use crate::message::{ConsumerKey, Delivery, SequenceRange};
use crate::protocol::field::FieldTable;
use crate::protocol::methods::{
    Method, WireMethod, basic, channel as channel_class, connection, queue,
};
use crate::protocol::reply::{ChannelError, ConnectionError};
use crate::protocol::{PROTOCOL_HEADER, frame};

const START: Moment = Moment(1_000_000);

/// A machine and what a client would see of it.
pub(super) struct Peer {
    connection: Connection,
    now: Moment,
    pub(super) effects: Vec<Effect>,
}

impl Peer {
    fn new() -> Self {
        let options = Arc::new(Options::default());
        let connection = Connection::new(options, Random::new([1, 2]), START);
        Self { connection, now: START, effects: Vec::new() }
    }

    /// A connection on which channel 1 is open.
    pub(super) fn open() -> Self {
        let mut peer = Self::new();
        peer.send_bytes(&PROTOCOL_HEADER);
        peer.start_ok(&FieldTable::new());
        peer.tell(Event::Authenticated { user: "guest".into() });
        peer.send(0, &connection::TuneOk { channel_max: 10, frame_max: 4096, heartbeat: 10 });
        peer.send(0, &connection::Open { virtual_host: "/" });
        peer.tell(Event::VirtualHostOpened);
        peer.send(1, &channel_class::Open {});
        peer.tell(Event::Answered { channel: 1, reply: Reply::ChannelOpened });
        peer.effects.clear();
        let _ = peer.connection.output().take();
        peer
    }

    fn start_ok(&mut self, client_properties: &FieldTable) {
        self.send(
            0,
            &connection::StartOk {
                client_properties: client_properties.clone(),
                mechanism: "PLAIN",
                response: b"\0guest\0guest",
                locale: "en_US",
            },
        );
    }

    pub(super) fn send_bytes(&mut self, bytes: &[u8]) -> usize {
        let used = self.connection.receive(bytes, self.now, &mut self.effects);
        self.connection.applied();
        used
    }

    pub(super) fn send(&mut self, channel: u16, method: &impl WireMethod) {
        let mut bytes = Vec::new();
        frame::write_method(&mut bytes, channel, method);
        assert_eq!(self.send_bytes(&bytes), bytes.len());
    }

    fn tell(&mut self, event: Event) {
        self.connection.notify(event, &mut self.effects);
    }

    /// The names of what was sent since the last look, each with its channel.
    fn seen(&mut self) -> Vec<String> {
        let bytes = self.connection.output().take();
        let mut seen = Vec::new();
        let mut rest = bytes.as_slice();
        while let Ok(Some((frame, size))) = frame::next(rest, 1 << 20) {
            seen.push(match Method::decode(frame.payload) {
                Ok(Method::ConnectionClose(close)) => format!("close {}", close.reply_code),
                Ok(Method::ChannelClose(close)) => format!("close-channel {}", close.reply_code),
                Ok(Method::BasicAck(ack)) => format!("ack {} {}", ack.delivery_tag, ack.multiple),
                Ok(Method::BasicDeliver(deliver)) => format!("deliver {}", deliver.delivery_tag),
                Ok(method) => method.name().to_owned(),
                Err(_) => format!("{:?}", frame.kind),
            });
            rest = &rest[size..];
        }
        seen
    }
}

fn message(body: &[u8]) -> Message {
    let envelope =
        Envelope { exchange: "", routing_key: "q", properties: &[0, 0], is_persistent: false };
    Message::new(envelope, Body::Copied(body))
}

fn delivered(numbers: &[u64]) -> Event {
    let delivery = |sequence| Delivery {
        sequence,
        message: message(b"x"),
        is_redelivered: false,
        needs_settle: false,
    };
    Event::Delivered(Delivered {
        consumer: ConsumerKey { channel: 1, number: 1 },
        queue: QueueId(5),
        run: numbers.iter().copied().map(delivery).collect(),
        redelivered: 0,
    })
}

fn consume(peer: &mut Peer, no_ack: bool) {
    peer.send(
        1,
        &basic::Consume {
            queue: "q",
            consumer_tag: "c",
            no_local: false,
            no_ack,
            exclusive: false,
            nowait: false,
            arguments: FieldTable::new(),
        },
    );
    peer.effects.clear();
}

#[test]
fn the_handshake_leads_to_an_open_connection() {
    let mut peer = Peer::new();
    peer.send_bytes(&PROTOCOL_HEADER);
    assert_eq!(peer.seen(), ["connection.start"]);
    peer.start_ok(&FieldTable::new());
    assert!(matches!(peer.effects.as_slice(), [Effect::Authenticate(_)]));
    peer.tell(Event::Authenticated { user: "guest".into() });
    assert_eq!(peer.seen(), ["connection.tune"]);
    peer.send(0, &connection::TuneOk { channel_max: 10, frame_max: 4096, heartbeat: 10 });
    peer.send(0, &connection::Open { virtual_host: "/" });
    assert!(
        matches!(peer.effects.as_slice(), [_, Effect::OpenVirtualHost(name)] if &**name == "/")
    );
    peer.tell(Event::VirtualHostOpened);
    assert_eq!(peer.seen(), ["connection.open-ok"]);
    assert!(peer.connection.is_running());
}

#[test]
fn a_foreign_header_is_answered_with_ours() {
    let headers =
        [(b"AMQP\0\x03\x01\0", "another version of AMQP"), (b"EHLO me\n", "another protocol")];
    for (header, hint) in headers {
        let mut peer = Peer::new();
        peer.send_bytes(header);
        assert_eq!(peer.connection.output().take(), PROTOCOL_HEADER);
        assert!(peer.connection.is_closed());
        let reason = peer.connection.close_reason();
        assert_eq!(reason, Some(&CloseReason::ForeignProtocol(hint)));
    }
}

#[test]
fn http_and_tls_are_closed_without_a_word() {
    for bytes in [&b"GET / HTTP/1.1\r\n"[..], &[0x16, 0x03, 0x01, 0x02]] {
        let mut peer = Peer::new();
        peer.send_bytes(bytes);
        assert!(peer.connection.is_closed() && peer.connection.output().is_empty());
    }
}

#[test]
fn nothing_is_read_while_the_broker_has_a_request() {
    let mut peer = Peer::open();
    let mut bytes = Vec::new();
    frame::write_method(&mut bytes, 1, &queue::Purge { queue: "q", nowait: false });
    let first = bytes.len();
    frame::write_method(&mut bytes, 1, &queue::Purge { queue: "r", nowait: false });
    assert_eq!(peer.send_bytes(&bytes), first);
    assert_eq!(peer.send_bytes(&bytes[first..]), first);
}

#[test]
fn deliveries_get_tags_and_an_unknown_tag_closes_the_channel() {
    let mut peer = Peer::open();
    consume(&mut peer, false);
    peer.tell(delivered(&[10, 11]));
    assert_eq!(peer.seen(), ["deliver 1", "Header", "Body", "deliver 2", "Header", "Body"]);
    peer.send(1, &basic::Ack { delivery_tag: 2, multiple: true });
    let [Effect::Settle(settle)] = peer.effects.as_slice() else { panic!("one settlement") };
    let range = SequenceRange { first: 10, last: 11 };
    assert_eq!((settle.sequences.as_slice(), settle.outcome), (&[range][..], Outcome::Accepted));
    peer.send(1, &basic::Ack { delivery_tag: 2, multiple: false });
    assert_eq!(peer.seen(), ["close-channel 406"]);
}

#[test]
fn what_a_closed_channel_had_out_goes_back() {
    let mut peer = Peer::open();
    consume(&mut peer, false);
    peer.tell(delivered(&[10]));
    let error = ChannelError::not_found("no queue");
    peer.tell(Event::Refused { channel: 1, error: error.into() });
    let [Effect::Request(Request { command: Command::CloseChannel { settles, .. }, .. })] =
        peer.effects.as_slice()
    else {
        panic!("the broker is told")
    };
    assert_eq!(settles[0].outcome, Outcome::Failed);
    peer.effects.clear();
    peer.tell(delivered(&[11]));
    assert!(
        matches!(peer.effects.as_slice(), [Effect::Settle(late)] if late.sequences[0].first == 11),
        "a late delivery goes back too"
    );
}

fn kept_delivery(sequence: u64) -> Delivery {
    Delivery { sequence, message: message(b"x"), is_redelivered: false, needs_settle: true }
}

fn told(settle: &Settle) -> (Outcome, Vec<SequenceRange>, u32) {
    (settle.outcome, settle.sequences.to_vec(), settle.to_consumers)
}

fn settles(peer: &mut Peer) -> Vec<(Outcome, Vec<SequenceRange>, u32)> {
    let each = |effect| match effect {
        // Only what is over without an acknowledgement waits for the socket.
        Effect::Settle(settle) if settle.outcome != Outcome::Accepted => told(&settle),
        Effect::SettleSent(settle) if settle.outcome == Outcome::Accepted => told(&settle),
        other => panic!("only settlements: {other:?}"),
    };
    std::mem::take(&mut peer.effects).into_iter().map(each).collect()
}

#[test]
fn what_needs_no_acknowledgement_and_is_kept_is_settled_when_it_went_out() {
    let mut peer = Peer::open();
    consume(&mut peer, true);
    peer.tell(delivered(&[9]));
    assert_eq!(settles(&mut peer), []);
    let run = [10, 11, 13].map(kept_delivery).into_iter().collect();
    let consumer = ConsumerKey { channel: 1, number: 1 };
    peer.tell(Event::Delivered(Delivered { consumer, queue: QueueId(5), run, redelivered: 0 }));
    let ranges = vec![SequenceRange { first: 10, last: 11 }, SequenceRange::one(13)];
    assert_eq!(settles(&mut peer), [(Outcome::Accepted, ranges, 0)]);
}

#[test]
fn a_message_that_was_got_for_a_closed_channel_goes_back() {
    let mut peer = Peer::open();
    let got = |no_ack| Event::Answered {
        channel: 1,
        reply: Reply::Got {
            queue: QueueId(5),
            no_ack,
            delivery: kept_delivery(3),
            message_count: 0,
        },
    };
    let ranges = vec![SequenceRange::one(3)];
    peer.tell(got(true));
    assert_eq!(settles(&mut peer), [(Outcome::Accepted, ranges.clone(), 0)]);
    peer.tell(Event::Refused { channel: 1, error: ChannelError::not_found("x").into() });
    peer.effects.clear();
    peer.tell(got(false));
    assert_eq!(settles(&mut peer), [(Outcome::Requeued, ranges, 0)]);
}

#[test]
fn a_closing_channel_drops_everything_until_close_ok() {
    let mut peer = Peer::open();
    peer.tell(Event::Refused { channel: 1, error: ChannelError::not_found("x").into() });
    peer.effects.clear();
    let _ = peer.seen();
    peer.send(1, &queue::Purge { queue: "q", nowait: false });
    assert!(peer.effects.is_empty());
    peer.send(1, &channel_class::CloseOk {});
    peer.send(1, &channel_class::Open {});
    assert!(matches!(
        peer.effects.as_slice(),
        [Effect::Request(Request { command: Command::OpenChannel, .. })]
    ));
}

#[test]
fn a_failed_connection_releases_everything_once_and_waits_for_close_ok() {
    let mut peer = Peer::open();
    peer.send(0, &connection::TuneOk { channel_max: 0, frame_max: 0, heartbeat: 0 });
    assert_eq!(peer.seen(), ["close 504"]);
    assert!(matches!(peer.effects.as_slice(), [Effect::Release(_)]));
    peer.tell(Event::Closing(ConnectionError::connection_forced("x")));
    assert_eq!(peer.effects.len(), 1);
    peer.send(0, &connection::CloseOk {});
    assert!(peer.connection.is_closed());
}

#[test]
fn the_client_hears_close_ok_when_all_is_released() {
    let mut peer = Peer::open();
    let close = connection::Close { reply_code: 200, reply_text: "", class_id: 0, method_id: 0 };
    peer.send(0, &close);
    assert_eq!(peer.seen(), [""; 0]);
    peer.tell(Event::Released);
    assert_eq!(peer.seen(), ["connection.close-ok"]);
    assert!(peer.connection.is_closed());
}

#[test]
fn heartbeats_are_sent_when_idle_and_missed_ones_end_the_connection() {
    let mut peer = Peer::open();
    peer.connection.elapse(START.plus(5_000), &mut peer.effects);
    assert_eq!(peer.seen(), ["Heartbeat"]);
    assert_eq!(peer.connection.deadline(), Some(START.plus(10_000)));
    peer.connection.elapse(START.plus(20_000), &mut peer.effects);
    assert!(peer.connection.is_closed());
    assert_eq!(peer.connection.close_reason(), Some(&CloseReason::MissedHeartbeats(10)));
    assert!(matches!(peer.effects.as_slice(), [Effect::Release(_)]));
}

#[test]
fn any_traffic_counts_as_a_heartbeat() {
    let mut peer = Peer::open();
    peer.now = START.plus(15_000);
    peer.send(1, &basic::Ack { delivery_tag: 0, multiple: true });
    peer.connection.elapse(START.plus(20_000), &mut peer.effects);
    assert!(!peer.connection.is_closed());
}

#[test]
fn a_slow_handshake_is_ended() {
    let mut peer = Peer::new();
    assert_eq!(peer.connection.deadline(), Some(START.plus(10_000)));
    peer.connection.elapse(START.plus(10_000), &mut peer.effects);
    assert!(peer.connection.is_closed() && peer.seen().is_empty());
}

#[test]
fn a_refused_login_is_silence_for_clients_that_understand_no_more() {
    let mut peer = refused(&FieldTable::new(), 7);
    assert!(peer.seen().is_empty());
    peer.connection.elapse(START.plus(SILENT_CLOSE_DELAY_MS + 6), &mut peer.effects);
    assert!(!peer.connection.is_closed());
    peer.connection.elapse(START.plus(SILENT_CLOSE_DELAY_MS + 7), &mut peer.effects);
    assert!(peer.seen().is_empty() && peer.connection.is_closed());
}

/// It was told only when its connection ended, three seconds later.
#[test]
fn a_refused_login_is_told_at_once_and_held_for_a_while() {
    let mut peer = refused(&told_of_failures(), 0);
    assert_eq!(peer.seen(), ["close 403"]);
    peer.connection.elapse(START.plus(SILENT_CLOSE_DELAY_MS - 1), &mut peer.effects);
    assert!(!peer.connection.is_closed());
    peer.connection.elapse(START.plus(SILENT_CLOSE_DELAY_MS), &mut peer.effects);
    assert!(peer.connection.is_closed() && peer.seen().is_empty());

    let mut peer = refused(&told_of_failures(), 0);
    peer.send(0, &connection::CloseOk {});
    assert!(peer.connection.is_closed(), "the client hangs up");
}

#[test]
fn a_refused_login_that_is_slowed_is_told_after_its_delay_and_held_from_then_on() {
    let mut peer = refused(&told_of_failures(), 7);
    peer.connection.elapse(START.plus(6), &mut peer.effects);
    assert!(peer.seen().is_empty());
    peer.connection.elapse(START.plus(7), &mut peer.effects);
    assert_eq!(peer.seen(), ["close 403"]);
    assert_eq!(peer.connection.deadline(), Some(START.plus(7 + SILENT_CLOSE_DELAY_MS)));
    peer.connection.elapse(START.plus(7 + SILENT_CLOSE_DELAY_MS), &mut peer.effects);
    assert!(peer.connection.is_closed() && peer.seen().is_empty());
}

fn told_of_failures() -> FieldTable {
    let capabilities: FieldTable = [("authentication_failure_close", true)].into_iter().collect();
    [("capabilities", capabilities)].into_iter().collect()
}

/// A client that says this of itself, and whose login was refused.
fn refused(client_properties: &FieldTable, delay_ms: u64) -> Peer {
    let mut peer = Peer::new();
    peer.send_bytes(&PROTOCOL_HEADER);
    peer.start_ok(client_properties);
    let _ = peer.seen();
    let error = ConnectionError::access_refused("Login was refused");
    peer.tell(Event::LoginRefused { error, delay_ms });
    peer
}

#[test]
fn confirms_are_put_together() {
    let mut peer = Peer::open();
    peer.send(1, &crate::protocol::methods::confirm::Select { nowait: true });
    peer.tell(Event::Confirmed { channel: 1, first: 1, last: 3 });
    peer.tell(Event::Confirmed { channel: 1, first: 5, last: 5 });
    assert_eq!(peer.seen(), ["ack 3 true", "ack 5 false"]);
}

#[test]
fn a_rolled_back_acknowledgement_can_be_given_again() {
    use crate::protocol::methods::tx;
    let mut peer = Peer::open();
    consume(&mut peer, false);
    peer.tell(delivered(&[10]));
    peer.send(1, &tx::Select {});
    peer.send(1, &basic::Ack { delivery_tag: 1, multiple: false });
    peer.send(1, &tx::Rollback {});
    peer.send(1, &basic::Ack { delivery_tag: 1, multiple: false });
    peer.effects.clear();
    peer.send(1, &tx::Commit {});
    let [Effect::Request(Request { command: Command::Commit(settles), .. })] =
        peer.effects.as_slice()
    else {
        panic!("one commit")
    };
    assert_eq!(settles[0].sequences.as_slice(), [SequenceRange::one(10)]);
}

#[test]
fn large_bodies_are_cut_to_the_frames_agreed() {
    let mut peer = Peer::open();
    consume(&mut peer, true);
    let Event::Delivered(mut event) = delivered(&[1]) else { panic!("a delivery") };
    event.run[0].message = message(&[7; 10_000]);
    peer.tell(Event::Delivered(event));
    assert_eq!(peer.seen(), ["deliver 1", "Header", "Body", "Body", "Body"]);
}

/// The head of a publish on channel 1, and so many bytes of its body.
fn publish_in_part(peer: &mut Peer, body_size: u64, bodies: &[&[u8]]) {
    let publish =
        basic::Publish { exchange: "", routing_key: "q", mandatory: false, immediate: false };
    peer.send(1, &publish);
    let mut bytes = Vec::new();
    frame::write_header(&mut bytes, 1, basic::Publish::CLASS_ID, body_size, &[0, 0]);
    bodies.iter().for_each(|body| frame::write_body(&mut bytes, 1, body));
    peer.send_bytes(&bytes);
}

#[test]
fn a_large_body_that_came_in_part_is_counted_until_all_came() {
    let mut peer = Peer::open();
    let account = peer.connection.options.account.clone();
    publish_in_part(&mut peer, 6000, &[&[1; 4000]]);
    assert_eq!(account.sum(), 4000);
    let mut bytes = Vec::new();
    frame::write_body(&mut bytes, 1, &[1; 2000]);
    peer.send_bytes(&bytes);
    assert_eq!(account.sum(), 0);
    publish_in_part(&mut peer, 6000, &[&[1; 4000]]);
    peer.send(
        1,
        &channel_class::Close { reply_code: 200, reply_text: "", class_id: 0, method_id: 0 },
    );
    assert_eq!(account.sum(), 0);
}

#[test]
fn what_waits_for_the_socket_or_for_the_rest_of_its_frame_is_buffered() {
    let mut peer = Peer::open();
    let mut bytes = Vec::new();
    frame::write_body(&mut bytes, 1, &[1; 1000]);
    peer.send_bytes(&bytes[..600]);
    assert_eq!(peer.connection.buffered_size(), 600);
    let mut peer = Peer::open();
    consume(&mut peer, true);
    let _ = peer.connection.output().take();
    assert_eq!(peer.connection.buffered_size(), 0);
    peer.tell(delivered(&[1]));
    assert_eq!(peer.connection.buffered_size(), peer.connection.output().len());
}
