//! A client over AMQP, for what HTTP tells of others: it says what it wants in bytes, and few look
//! at its answers.

use super::*;
use crate::broker::Session;
use crate::protocol::field::FieldTable;
use crate::protocol::frame::{write_body, write_header, write_method};
use crate::protocol::methods::{WireMethod, basic, channel, connection, queue};

/// The name of its connection.
pub(super) const NAME: &str = "192.0.2.7:50007 -> 192.0.2.1:5672";

pub(super) struct Client(Session);

impl Client {
    /// A client of guest in `/`, with channel 3.
    pub(super) fn open(world: &World) -> Self {
        Self::open_as(world, NAME, ("guest", "guest"), "/")
    }

    /// A client of a user, whose connection has this name, in a virtual host, with channel 3.
    pub(super) fn open_as(
        world: &World,
        name: &str,
        (user, password): (&str, &str),
        virtual_host: &str,
    ) -> Self {
        let peer = Peer { address: None };
        let mut client = Self(Session::new(world.broker.clone(), peer, Moment(7)).named(name));
        client.receive(b"AMQP\0\0\x09\x01");
        let response = format!("\0{user}\0{password}");
        let client_properties =
            [("connection_name", "mine"), ("product", "test")].into_iter().collect();
        let (mechanism, locale, response) = ("PLAIN", "en_US", response.as_bytes());
        client.send(0, &connection::StartOk { client_properties, mechanism, response, locale });
        client.send(0, &connection::TuneOk { channel_max: 9, frame_max: 131_072, heartbeat: 20 });
        client.send(0, &connection::Open { virtual_host });
        client.send(3, &channel::Open {});
        assert_eq!(client.0.login(), Some((user, virtual_host)));
        client
    }

    /// Is told what happened, and does not read it.
    pub(super) fn pump(&mut self) {
        self.0.pump();
    }

    /// What it is told next.
    pub(super) fn hear(&mut self) -> Vec<u8> {
        self.pump();
        self.0.output().take()
    }

    /// What its socket took and gave.
    pub(super) fn count_traffic(&mut self, received: usize, sent: usize) {
        self.0.count_received(received);
        self.0.count_sent(sent);
    }

    /// Publishes a message to a queue.
    pub(super) fn publish(&mut self, channel: u16, queue: &str) {
        let (exchange, routing_key) = ("", queue);
        let publish = basic::Publish { exchange, routing_key, mandatory: false, immediate: false };
        let mut bytes = Vec::new();
        write_method(&mut bytes, channel, &publish);
        write_header(&mut bytes, channel, basic::Publish::CLASS_ID, 1, &[0, 0]);
        write_body(&mut bytes, channel, b"x");
        self.receive(&bytes);
    }

    /// Declares a queue that is its own.
    pub(super) fn declare_exclusive(&mut self, queue: &str) {
        let declare = queue::Declare {
            queue,
            passive: false,
            durable: false,
            exclusive: true,
            auto_delete: false,
            nowait: false,
            arguments: FieldTable::new(),
        };
        self.send(3, &declare);
    }

    /// Consumes, with room for two deliveries.
    pub(super) fn consume(&mut self, queue: &str, consumer_tag: &str, exclusive: bool) {
        self.send(3, &basic::Qos { prefetch_size: 0, prefetch_count: 2, global: false });
        let consume = basic::Consume {
            queue,
            consumer_tag,
            no_local: false,
            no_ack: false,
            exclusive,
            nowait: false,
            arguments: [("x-priority", 1)].into_iter().collect(),
        };
        self.send(3, &consume);
    }

    pub(super) fn send(&mut self, channel: u16, method: &impl WireMethod) {
        let mut bytes = Vec::new();
        write_method(&mut bytes, channel, method);
        self.receive(&bytes);
    }

    fn receive(&mut self, bytes: &[u8]) {
        assert_eq!(self.0.receive(bytes, Moment(1)), bytes.len());
        drop(self.0.output().take());
    }
}
