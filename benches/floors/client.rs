//! A client of a broker in this process: what the door does with its session, without a socket. It
//! takes all that is written at once, and counts it.

use std::io::IoSlice;
use std::sync::Arc;
use std::task::Waker;

use leveret::broker::{Broker, Peer, Session};
use leveret::limits::WRITE_SLICES_MAX;
use leveret::message::Moment;
use leveret::protocol::field::FieldTable;
use leveret::protocol::frame::{self, PROTOCOL_HEADER};
use leveret::protocol::methods::{channel, connection};

use crate::wire::CHANNEL;

/// Time does not pass.
pub(crate) const NOW: Moment = Moment(1_000_000);

/// A client and its session.
pub(crate) struct Client {
    session: Session,
}

impl Client {
    /// A client with an open channel.
    pub(crate) fn new(broker: &Arc<Broker>) -> Self {
        let session = Session::new(Arc::clone(broker), Peer { address: None }, NOW);
        let mut client = Self { session };
        let mut bytes = PROTOCOL_HEADER.to_vec();
        let start_ok = connection::StartOk {
            client_properties: FieldTable::new(),
            mechanism: "PLAIN",
            response: b"\0guest\0guest",
            locale: "en_US",
        };
        let tune_ok = connection::TuneOk { channel_max: 8, frame_max: 131_072, heartbeat: 0 };
        frame::write_method(&mut bytes, 0, &start_ok);
        frame::write_method(&mut bytes, 0, &tune_ok);
        frame::write_method(&mut bytes, 0, &connection::Open { virtual_host: "/" });
        frame::write_method(&mut bytes, CHANNEL, &channel::Open {});
        client.send(&bytes);
        assert!(client.session.connection().is_running(), "the handshake failed");
        client
    }

    /// The door reads these bytes, and writes what there is to write. Tells how much that was.
    pub(crate) fn send(&mut self, mut bytes: &[u8]) -> usize {
        let mut written = 0;
        while !bytes.is_empty() {
            let used = self.session.receive(bytes, NOW);
            assert!(used > 0, "the session takes no more");
            bytes = &bytes[used..];
            written += self.write();
        }
        written
    }

    /// The door looks whether something came for the client, as often as something did, and writes
    /// it. Tells how many bytes were written.
    pub(crate) fn take(&mut self) -> usize {
        let mut written = 0;
        while self.session.register(Waker::noop()) {
            self.session.pump();
            written += self.write();
        }
        written
    }

    fn write(&mut self) -> usize {
        let mut written = 0;
        while !self.session.output().is_empty() {
            let mut slices = [IoSlice::new(&[]); WRITE_SLICES_MAX];
            let filled = self.session.output().fill(&mut slices);
            let count = slices[..filled].iter().map(|slice| slice.len()).sum();
            self.session.output().advance(count);
            self.session.sent(NOW);
            written += count;
            if self.session.output().is_empty() {
                self.session.pump();
            }
        }
        written
    }
}
