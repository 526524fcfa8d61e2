//! Floor 3: the machine of a connection. Bytes of publishes and acknowledgements to effects, and
//! deliveries to bytes.

use std::sync::Arc;

use leveret::connection::{Command, Connection, Delivered, Effect, Event, Options, Reply};
use leveret::limits::TURN_COUNT_MAX;
use leveret::message::{ConsumerKey, Delivery, Message, QueueId, Random};
use leveret::protocol::field::FieldTable;
use leveret::protocol::frame::{self, PROTOCOL_HEADER};
use leveret::protocol::methods::{WireMethod, basic, channel, connection};

use crate::client::NOW;
use crate::wire::{self, CHANNEL, CONSUMER_TAG, Content, QUEUE};
use crate::{Operation, Round};

/// Publishes or acknowledgements of one round.
const COUNT: usize = 100;

/// Rounds that acknowledgements are prepared for.
const ROUNDS_MAX: usize = 40;

pub(crate) fn operations() -> Vec<Operation> {
    vec![
        Operation::new("connection_publish_16", || publish(16)),
        Operation::new("connection_publish_1024", || publish(1024)),
        Operation::new("connection_deliver_16", || deliver(16)),
        Operation::new("connection_deliver_1024", || deliver(1024)),
        Operation::new("connection_ack", || ack(1)),
        Operation::new("connection_ack_100", || ack(100)),
    ]
}

/// A connection with an open channel and one consumer; this plays the broker.
struct Machine {
    connection: Connection,
    effects: Vec<Effect>,
    consumer: ConsumerKey,
}

impl Machine {
    fn new(no_ack: bool) -> Self {
        let connection = Connection::new(Arc::new(Options::default()), Random::new([1, 2]), NOW);
        let consumer = ConsumerKey { channel: CHANNEL, number: 0 };
        let mut machine = Self { connection, effects: Vec::new(), consumer };
        machine.shake_hands();
        machine.send(CHANNEL, &channel::Open {});
        machine.answer(Reply::ChannelOpened);
        machine.consume(no_ack);
        machine.connection.output().advance(usize::MAX);
        machine
    }

    fn shake_hands(&mut self) {
        self.receive(&PROTOCOL_HEADER);
        let start_ok = connection::StartOk {
            client_properties: FieldTable::new(),
            mechanism: "PLAIN",
            response: b"",
            locale: "en_US",
        };
        self.send(0, &start_ok);
        self.notify(Event::Authenticated { user: "guest".into() });
        self.send(0, &connection::TuneOk { channel_max: 8, frame_max: 131_072, heartbeat: 0 });
        self.send(0, &connection::Open { virtual_host: "/" });
        self.notify(Event::VirtualHostOpened);
        assert!(self.connection.is_running(), "the handshake failed");
    }

    fn consume(&mut self, no_ack: bool) {
        self.effects.clear();
        let consume = basic::Consume {
            queue: QUEUE,
            consumer_tag: CONSUMER_TAG,
            no_local: false,
            no_ack,
            exclusive: false,
            nowait: false,
            arguments: FieldTable::new(),
        };
        self.send(CHANNEL, &consume);
        let keys = self.effects.iter().find_map(|effect| match effect {
            Effect::Request(request) => match &request.command {
                Command::Consume(consume) => Some(consume.consumer),
                _ => None,
            },
            _ => None,
        });
        self.consumer = keys.expect("the broker is asked");
        self.answer(Reply::Consuming { consumer_tag: CONSUMER_TAG.into() });
        self.effects.clear();
    }

    fn answer(&mut self, reply: Reply) {
        self.notify(Event::Answered { channel: CHANNEL, reply });
    }

    fn notify(&mut self, event: Event) {
        self.connection.notify(event, &mut self.effects);
        self.connection.applied();
    }

    fn send(&mut self, channel: u16, method: &impl WireMethod) {
        let mut bytes = Vec::new();
        frame::write_method(&mut bytes, channel, method);
        self.receive(&bytes);
    }

    fn receive(&mut self, bytes: &[u8]) {
        let used = self.connection.receive(bytes, NOW, &mut self.effects);
        assert_eq!(used, bytes.len(), "not all was taken");
    }

    /// A run as a turn of a queue brings it, written out at once.
    fn deliver(&mut self, message: &Message, first: u64, count: u64) {
        let delivery = |sequence| Delivery {
            sequence,
            message: message.clone(),
            is_redelivered: false,
            needs_settle: false,
        };
        let run = (first..first + count).map(delivery).collect();
        let (consumer, queue) = (self.consumer, QueueId(1));
        self.notify(Event::Delivered(Delivered { consumer, queue, run, redelivered: 0 }));
    }
}

/// What the session drops is dropped here too: the effects, with the messages.
fn publish(body_size: usize) -> Round {
    let mut machine = Machine::new(true);
    let bytes = Content::transient(body_size).publish().repeat(COUNT);
    Box::new(move || {
        machine.receive(&bytes);
        let published = machine.effects.iter().map(|effect| match effect {
            Effect::Publish(run) => run.messages.len(),
            _ => 0,
        });
        assert_eq!(published.sum::<usize>(), COUNT, "a publish is missing");
        machine.effects.clear();
        COUNT as u64
    })
}

fn deliver(body_size: usize) -> Round {
    let mut machine = Machine::new(true);
    let content = Content::transient(body_size);
    let (message, delivery_size) = (content.message(), content.delivery().len());
    Box::new(move || {
        machine.deliver(&message, 0, TURN_COUNT_MAX as u64);
        let size = machine.connection.output().len();
        assert_eq!(size, delivery_size * TURN_COUNT_MAX, "a delivery is missing");
        machine.connection.output().advance(size);
        TURN_COUNT_MAX as u64
    })
}

/// Acknowledgements of `step` deliveries each, of those that were made before.
fn ack(step: u64) -> Round {
    let mut machine = Machine::new(false);
    let ack_count = (ROUNDS_MAX * COUNT) as u64;
    machine.deliver(&Content::transient(16).message(), 0, ack_count * step);
    machine.connection.output().advance(usize::MAX);
    let tags = (1..=ack_count).map(|number| number * step);
    let acks = tags.map(|delivery_tag| basic::Ack { delivery_tag, multiple: step > 1 });
    let bytes: Vec<u8> = acks.flat_map(|ack| wire::method(&ack)).collect();
    let round_size = bytes.len() / ROUNDS_MAX;
    let mut next = 0;
    Box::new(move || {
        let round = bytes.get(next..next + round_size).expect("so many rounds are not prepared");
        next += round_size;
        machine.receive(round);
        assert_eq!(machine.effects.len(), COUNT, "an acknowledgement is missing");
        machine.effects.clear();
        COUNT as u64
    })
}
