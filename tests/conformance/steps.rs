//! Steps that the scripts about exchanges, queues and messages take again and again, all on channel
//! 1: declare something, do something that must succeed or be refused, fill and empty a queue. What
//! comes without being asked for is in `expect`.

use std::collections::BTreeSet;
use std::ops::RangeInclusive;

use leveret::protocol::field::{FieldTable, FieldValue};
use leveret::protocol::frame::FrameKind;
use leveret::protocol::methods::{Method, WireMethod, basic, confirm, exchange, queue};
use leveret::protocol::properties::Properties;

use crate::client::Client;
use crate::expect::Text;
use crate::plain;
use crate::received::{Received, Returned};
use crate::script::World;

/// exchange.unbind, whose answer has a number of its own.
const EXCHANGE_UNBIND: (u16, u16) = (40, 40);
const EXCHANGE_UNBIND_OK: u16 = 51;

/// The channel that fills queues and is closed again.
const CONFIRMING: u16 = 100;

/// Arguments with these entries.
pub(crate) fn arguments<const N: usize>(entries: [(&str, FieldValue); N]) -> FieldTable {
    entries.into_iter().collect()
}

/// The 404 of a queue.
pub(crate) fn no_queue(name: &str) -> String {
    format!("NOT_FOUND - no queue '{name}' in vhost '/'")
}

/// The 404 of an exchange.
pub(crate) fn no_exchange(name: &str) -> String {
    format!("NOT_FOUND - no exchange '{name}' in vhost '/'")
}

/// The 406 of an ack, a nack or a reject.
pub(crate) fn unknown_delivery_tag(delivery_tag: u64) -> String {
    format!("PRECONDITION_FAILED - unknown delivery tag {delivery_tag}")
}

impl Client {
    /// Sends a method and wants its ok next.
    pub(crate) fn perform<M: WireMethod>(&mut self, method: &M) {
        self.send(1, method);
        let frame = self.next_frame();
        let is_unbind = (M::CLASS_ID, M::METHOD_ID) == EXCHANGE_UNBIND;
        let answer = if is_unbind { EXCHANGE_UNBIND_OK } else { M::METHOD_ID + 1 };
        let ids = [M::CLASS_ID.to_be_bytes(), answer.to_be_bytes()].concat();
        assert_eq!((frame.kind, frame.channel), (FrameKind::Method, 1), "{frame:?}");
        assert!(frame.payload.starts_with(&ids), "{} was answered {frame:?}", M::NAME);
    }

    /// Sends a method and wants channel.close next; afterwards the channel is open again.
    pub(crate) fn refuse<M: WireMethod>(&mut self, method: &M, code: u16, text: impl Into<Text>) {
        self.send(1, method);
        self.expect_channel_close(1, code, text, (M::CLASS_ID, M::METHOD_ID));
        self.open_channel(1);
    }

    /// The same for a publish with these properties.
    pub(crate) fn refuse_publish(
        &mut self,
        publish: &basic::Publish<'_>,
        properties: &Properties,
        code: u16,
        text: impl Into<Text>,
    ) {
        self.publish_with(1, publish, properties, b"refused");
        self.expect_channel_close(1, code, text, (60, 40));
        self.open_channel(1);
    }

    /// A queue with a name of its own.
    pub(crate) fn new_queue(&mut self, world: &World, word: &str) -> String {
        self.new_queue_with(world, word, FieldTable::new())
    }

    /// The same, with these arguments.
    pub(crate) fn new_queue_with(
        &mut self,
        world: &World,
        word: &str,
        arguments: FieldTable,
    ) -> String {
        let name = world.name(word);
        self.perform(&queue::Declare { arguments, ..plain::queue_declare(&name) });
        name
    }

    /// An exchange with a name of its own.
    pub(crate) fn new_exchange(&mut self, world: &World, word: &str, kind: &str) -> String {
        self.new_exchange_with(world, word, kind, FieldTable::new())
    }

    /// The same, with these arguments.
    pub(crate) fn new_exchange_with(
        &mut self,
        world: &World,
        word: &str,
        kind: &str,
        arguments: FieldTable,
    ) -> String {
        let name = world.name(word);
        self.perform(&exchange::Declare { arguments, ..plain::exchange_declare(&name, kind) });
        name
    }

    /// Binds a queue.
    pub(crate) fn bind(&mut self, queue: &str, exchange: &str, routing_key: &str) {
        self.perform(&plain::queue_bind(queue, exchange, routing_key));
    }

    /// A new queue, bound to an exchange.
    pub(crate) fn new_bound(
        &mut self,
        world: &World,
        word: &str,
        exchange: &str,
        routing_key: &str,
    ) -> String {
        let queue = self.new_queue(world, word);
        self.bind(&queue, exchange, routing_key);
        queue
    }

    /// The exchange is there.
    pub(crate) fn expect_exchange(&mut self, name: &str) {
        self.perform(&exchange::Declare { passive: true, ..plain::exchange_declare(name, "") });
    }

    /// The exchange is not there.
    pub(crate) fn expect_no_exchange(&mut self, name: &str) {
        let passive = exchange::Declare { passive: true, ..plain::exchange_declare(name, "") };
        self.refuse(&passive, 404, &no_exchange(name));
    }

    /// Publishes each of these texts to a queue, through the nameless exchange.
    pub(crate) fn fill(&mut self, queue: &str, texts: &[&str]) {
        for text in texts {
            self.publish(1, "", queue, text.as_bytes());
        }
    }

    /// The same on a channel of its own in confirm mode: the messages are in the queue afterwards,
    /// for every channel to see.
    pub(crate) fn fill_confirmed(&mut self, queue: &str, texts: &[&str]) {
        self.open_channel(CONFIRMING);
        self.send(CONFIRMING, &confirm::Select { nowait: false });
        self.expect(CONFIRMING, &confirm::SelectOk {});
        for text in texts {
            self.publish(CONFIRMING, "", queue, text.as_bytes());
        }
        self.expect_confirms(CONFIRMING, 1..=texts.len() as u64);
        self.close_channel(CONFIRMING);
    }

    /// Exactly these tags are acknowledged, each once, by whatever number of acks, in whatever
    /// order. Nothing else comes between.
    pub(crate) fn expect_confirms(&mut self, channel: u16, tags: RangeInclusive<u64>) {
        let mut waiting: BTreeSet<u64> = tags.collect();
        while !waiting.is_empty() {
            let method = self.expect_method(channel);
            let Method::BasicAck(ack) = method else { panic!("{method:?}") };
            let before = waiting.len();
            waiting.retain(|tag| {
                *tag != ack.delivery_tag && !(ack.multiple && *tag < ack.delivery_tag)
            });
            assert!(waiting.len() < before, "{ack:?} acknowledges nothing new");
        }
    }

    /// Publishes a message that must come back, and gives it.
    pub(crate) fn publish_in_vain(&mut self, exchange: &str, routing_key: &str) -> Returned {
        let publish = basic::Publish { mandatory: true, ..plain::publish(exchange, routing_key) };
        self.publish_with(1, &publish, &Properties::default(), b"in vain");
        self.expect_return(1)
    }

    /// Fetches the next message of a queue: its text, and whether it was delivered before.
    pub(crate) fn fetch(&mut self, queue: &str) -> (String, bool) {
        let got = self.get(1, queue, false).expect("a message");
        (got.content.text().to_owned(), got.method.redelivered)
    }

    /// Empties a queue and gives the texts of its messages.
    pub(crate) fn drain(&mut self, queue: &str) -> Vec<String> {
        let mut texts = Vec::new();
        while let Some(got) = self.get(1, queue, true) {
            texts.push(got.content.text().to_owned());
        }
        texts
    }

    /// The next delivery: its text, its tag, and whether it was delivered before.
    pub(crate) fn delivered(&mut self, channel: u16) -> (String, u64, bool) {
        let delivery = self.expect_delivery(channel);
        let text = delivery.content.text().to_owned();
        (text, delivery.method.delivery_tag, delivery.method.redelivered)
    }

    /// All frames that come until nothing comes.
    pub(crate) fn read_until_silence(&mut self) -> Vec<Received> {
        std::iter::from_fn(|| self.try_next_frame()).collect()
    }
}
