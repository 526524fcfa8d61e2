//! A client that publishes a request, waits for its answer on the direct reply-to queue, and asks
//! again. It has one request under way.

use super::closing::Closing;
use super::delivery::{Deliveries, Delivery, Received, consumer_tag};
use super::stamp::Stamp;
use crate::perf::figures::{Histogram, Sequences};
use crate::perf::runs::{Progress, Window};
use crate::perf::wire::{
    ANSWER_PATIENCE_NS, CHANNEL, Client, Output, Piece, Standing, Wire, WireError, refuse_closing,
};
use crate::perf::workload::Workload;
use crate::protocol::field::FieldTable;
use crate::protocol::frame::{self, ContentHeader, FrameKind};
use crate::protocol::methods::{Method, WireMethod, basic};
use crate::protocol::properties::{Properties, PropertyView};

/// The name under which a broker delivers answers without a queue.
const REPLY_TO: &str = "amq.rabbitmq.reply-to";

/// What the clients of a thread share.
#[derive(Debug)]
pub(in crate::perf) struct Asking<'a> {
    pub(in crate::perf) window: Window,
    pub(in crate::perf) progress: &'a Progress,
    pub(in crate::perf) sequences: Sequences,
    /// Of round trips.
    pub(in crate::perf) latency: Histogram,
}

impl<'a> Asking<'a> {
    pub(in crate::perf) fn new(
        window: Window,
        workload: &Workload,
        progress: &'a Progress,
    ) -> Self {
        let sequences = Sequences::new(1, workload.publishers, true);
        Self { window, progress, sequences, latency: Histogram::default() }
    }
}

/// One client.
#[derive(Debug)]
pub(in crate::perf) struct RpcClient {
    number: u32,
    server_queue: String,
    message_size: usize,
    deliveries: Deliveries,
    asked: u64,
    /// When the request under way was sent.
    waiting_since_ns: Option<u64>,
    /// Of the answer that is coming.
    correlation_id: Option<u64>,
    output: Output,
    is_done: bool,
    closing: Closing,
}

impl RpcClient {
    pub(in crate::perf) fn new(number: u32, server_queue: &str, workload: &Workload) -> Self {
        Self {
            number,
            server_queue: server_queue.to_owned(),
            message_size: workload.message_size,
            deliveries: Deliveries::of_size(workload.message_size),
            asked: 0,
            waiting_since_ns: None,
            correlation_id: None,
            output: Output::default(),
            is_done: false,
            closing: Closing::default(),
        }
    }

    /// Asks for answers, which must be done before anything else is asked.
    pub(in crate::perf) fn start(wire: &mut Wire) -> Result<(), WireError> {
        let consume = basic::Consume {
            queue: REPLY_TO,
            consumer_tag: &consumer_tag(0),
            no_local: false,
            no_ack: true,
            exclusive: false,
            nowait: false,
            arguments: FieldTable::default(),
        };
        wire.request(CHANNEL, &consume, |method| matches!(method, Method::BasicConsumeOk(_)))
    }

    /// Its number, and how often it has asked.
    pub(in crate::perf) fn asked(&self) -> (u32, u64) {
        (self.number, self.asked)
    }

    fn ask(&mut self, now_ns: u64) {
        let publish = basic::Publish {
            exchange: "",
            routing_key: &self.server_queue,
            mandatory: false,
            immediate: false,
        };
        let properties = Properties {
            correlation_id: Some(self.asked.to_string().into()),
            reply_to: Some(REPLY_TO.into()),
            ..Properties::default()
        };
        let stamp =
            Stamp { publisher: self.number, queue: 0, sequence: self.asked, moment_ns: now_ns };
        write_message(self.output.bytes(), &publish, &properties, stamp, self.message_size);
        self.asked += 1;
        self.waiting_since_ns = Some(now_ns);
    }

    fn take(&mut self, delivery: &Delivery, now_ns: u64, shared: &mut Asking<'_>) {
        let stamp = delivery.stamp;
        let is_own = stamp.publisher == self.number && self.correlation_id == Some(stamp.sequence);
        if is_own {
            shared.sequences.arrive(0, stamp.publisher, stamp.sequence);
        } else {
            shared.sequences.misroute();
        }
        if shared.window.contains(stamp.moment_ns) {
            shared.latency.record(now_ns.saturating_sub(stamp.moment_ns));
        }
        shared.progress.consume(1);
        self.waiting_since_ns = None;
    }
}

impl Client for RpcClient {
    type Shared<'a> = Asking<'a>;

    fn receive(
        &mut self,
        piece: &Piece<'_>,
        now_ns: u64,
        shared: &mut Asking<'_>,
    ) -> Result<(), WireError> {
        if let Some(properties) = properties(piece)? {
            self.correlation_id = properties.correlation_id.and_then(|text| text.parse().ok());
        }
        match self.deliveries.receive(piece)? {
            Received::Part => {}
            Received::Delivery(delivery) => self.take(&delivery, now_ns, shared),
            Received::Method(method) => {
                refuse_closing(&method)?;
                self.closing.receive(&method);
            }
        }
        Ok(())
    }

    fn prepare(&mut self, now_ns: u64, shared: &mut Asking<'_>) -> Result<Standing, WireError> {
        if let Some(since_ns) = self.waiting_since_ns {
            if now_ns.saturating_sub(since_ns) > ANSWER_PATIENCE_NS {
                return Err(WireError::Unexpected("a request is not answered"));
            }
            return Ok(Standing::Going);
        }
        if now_ns < shared.window.until_ns {
            self.ask(now_ns);
            shared.progress.publish(1);
            return Ok(Standing::Going);
        }
        if !self.is_done {
            self.is_done = true;
            shared.progress.finish_publisher(self.asked);
        }
        self.closing.ask(&mut self.output);
        Ok(if self.closing.is_closed() { Standing::Finished } else { Standing::Going })
    }

    fn output(&self) -> &[u8] {
        self.output.waiting()
    }

    fn written(&mut self, size: usize) {
        self.output.written(size);
    }
}

/// The properties in a header frame; none where the frame is another.
pub(super) fn properties<'a>(piece: &Piece<'a>) -> Result<Option<PropertyView<'a>>, WireError> {
    match piece {
        Piece::Frame(frame) if frame.kind == FrameKind::Header => {
            let header = ContentHeader::decode(frame.payload)?;
            Ok(Some(PropertyView::parse(header.properties)?))
        }
        _ => Ok(None),
    }
}

/// One message of one body frame.
pub(super) fn write_message(
    output: &mut Vec<u8>,
    publish: &basic::Publish<'_>,
    properties: &Properties,
    stamp: Stamp,
    message_size: usize,
) {
    let mut body = stamp.to_bytes().to_vec();
    body.resize(message_size, b'.');
    let mut encoded = Vec::new();
    properties.encode(&mut encoded);
    frame::write_method(output, CHANNEL, publish);
    let class_id = basic::Publish::CLASS_ID;
    frame::write_header(output, CHANNEL, class_id, body.len() as u64, &encoded);
    frame::write_body(output, CHANNEL, &body);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::perf::clients::rpc_server::{Answering, RpcServer};
    use crate::perf::workload::named;

    const WINDOW: Window = Window { from_ns: 0, until_ns: 1000 };

    /// Turns a publish into the delivery that a broker makes of it.
    fn deliver(mut published: &[u8], reply_to: &str) -> (String, Vec<u8>) {
        let (mut routing_key, mut out) = (String::new(), Vec::new());
        while let Some((frame, size)) = frame::next(published, 131_072).unwrap() {
            match frame.kind {
                FrameKind::Method => {
                    let Method::BasicPublish(publish) = Method::decode(frame.payload).unwrap()
                    else {
                        panic!("an acknowledgement is not expected here");
                    };
                    routing_key = publish.routing_key.to_owned();
                    let deliver = basic::Deliver {
                        consumer_tag: "0",
                        delivery_tag: 1,
                        redelivered: false,
                        exchange: "",
                        routing_key: publish.routing_key,
                    };
                    frame::write_method(&mut out, 1, &deliver);
                }
                FrameKind::Header => {
                    let header = ContentHeader::decode(frame.payload).unwrap();
                    let mut properties = Properties::decode(header.properties).unwrap();
                    properties.reply_to = properties.reply_to.map(|_| reply_to.into());
                    let mut encoded = Vec::new();
                    properties.encode(&mut encoded);
                    frame::write_header(&mut out, 1, 60, header.body_size, &encoded);
                }
                FrameKind::Body | FrameKind::Heartbeat => {
                    out.extend_from_slice(&published[..size]);
                }
            }
            published = &published[size..];
        }
        (routing_key, out)
    }

    fn receive<C: Client>(
        client: &mut C,
        mut bytes: &[u8],
        shared: &mut C::Shared<'_>,
        now_ns: u64,
    ) {
        while let Some((frame, size)) = frame::next(bytes, 131_072).unwrap() {
            client.receive(&Piece::Frame(frame), now_ns, shared).unwrap();
            bytes = &bytes[size..];
        }
    }

    fn take_output<C: Client>(client: &mut C) -> Vec<u8> {
        let output = client.output().to_vec();
        client.written(output.len());
        output
    }

    #[test]
    fn a_request_is_answered_to_where_it_asks_and_counts_as_a_round_trip() {
        let workload = named("s11-1").unwrap();
        let progress = Progress::new(1, None);
        let mut asking = Asking::new(WINDOW, &workload, &progress);
        let mut client = RpcClient::new(0, "server", &workload);
        let mut server = RpcServer::new(&workload);
        let mut answering = Answering { progress: &progress };
        client.prepare(100, &mut asking).unwrap();
        let (routing_key, delivery) = deliver(&take_output(&mut client), "amq.reply.x");
        assert_eq!(routing_key, "server");
        client.prepare(110, &mut asking).unwrap();
        assert!(client.output().is_empty(), "one request is under way");
        receive(&mut server, &delivery, &mut answering, 120);
        let (routing_key, answer) = deliver(&take_output(&mut server), "");
        assert_eq!(routing_key, "amq.reply.x");
        receive(&mut client, &answer, &mut asking, 150);
        assert_eq!(progress.consumed(), 1);
        let latency = asking.latency.percentiles().unwrap();
        assert_eq!((latency.count, latency.max_us), (1, 0.05));
        client.prepare(160, &mut asking).unwrap();
        assert!(!client.output().is_empty(), "the next request");
        assert_eq!(client.asked(), (0, 2));
        assert!(asking.sequences.finish([0], |_, _| 1).is_valid());
    }

    #[test]
    fn an_answer_to_another_request_is_foreign() {
        let workload = named("s11-1").unwrap();
        let progress = Progress::new(1, None);
        let mut asking = Asking::new(WINDOW, &workload, &progress);
        let mut client = RpcClient::new(0, "server", &workload);
        client.prepare(100, &mut asking).unwrap();
        let (_, mut answer) = deliver(&take_output(&mut client), "");
        let at = answer.iter().rposition(|octet| *octet == b'0').unwrap();
        answer[at] = b'7';
        receive(&mut client, &answer, &mut asking, 150);
        assert_eq!(asking.sequences.finish([0], |_, _| 1).foreign, 1);
    }

    #[test]
    fn after_the_window_no_more_is_asked() {
        let workload = named("s11-1").unwrap();
        let progress = Progress::new(1, None);
        let mut asking = Asking::new(WINDOW, &workload, &progress);
        let mut client = RpcClient::new(0, "server", &workload);
        client.prepare(1000, &mut asking).unwrap();
        assert_eq!((client.asked().1, progress.expected()), (0, Some(0)));
    }
}
