//! A client over AMQP, for what HTTP tells of others: it says what it wants in bytes, and nobody
//! reads its answers.

use super::*;
use crate::broker::Session;
use crate::protocol::field::FieldTable;
use crate::protocol::frame::write_method;
use crate::protocol::methods::{WireMethod, basic, channel, connection, queue};

/// The name of its connection.
pub(super) const NAME: &str = "192.0.2.7:50007 -> 192.0.2.1:5672";

pub(super) struct Client(Session);

impl Client {
    /// A client of guest in `/`, with channel 3.
    pub(super) fn open(world: &World) -> Self {
        let peer = Peer { address: None };
        let mut client = Self(Session::new(world.broker.clone(), peer, Moment(1)).named(NAME));
        client.receive(b"AMQP\0\0\x09\x01");
        let response = b"\0guest\0guest";
        let client_properties = FieldTable::new();
        let (mechanism, locale) = ("PLAIN", "en_US");
        client.send(0, &connection::StartOk { client_properties, mechanism, response, locale });
        client.send(0, &connection::TuneOk { channel_max: 9, frame_max: 131_072, heartbeat: 0 });
        client.send(0, &connection::Open { virtual_host: "/" });
        client.send(3, &channel::Open {});
        assert_eq!(client.0.login(), Some(("guest", "/")));
        client
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

    fn send(&mut self, channel: u16, method: &impl WireMethod) {
        let mut bytes = Vec::new();
        write_method(&mut bytes, channel, method);
        self.receive(&bytes);
    }

    fn receive(&mut self, bytes: &[u8]) {
        assert_eq!(self.0.receive(bytes, Moment(1)), bytes.len());
        drop(self.0.output().take());
    }
}
