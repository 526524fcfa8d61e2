//! The handshake of a connection as a machine: methods in, bytes to send out. It reads no socket,
//! and opens no channel.
//!
//! ```text
//! header -> | start -> start-ok | tune -> tune-ok, open | open-ok: done
//! ```

use super::error::{WireError, refuse_closing};
use crate::protocol::PROTOCOL_HEADER;
use crate::protocol::field::FieldTable;
use crate::protocol::frame;
use crate::protocol::methods::{Method, connection};

/// The largest frame asked for: what brokers offer by default.
pub(in crate::perf) const FRAME_SIZE_MAX: usize = 131_072;

/// As whom to log in, and where to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::perf) struct Credentials {
    pub(in crate::perf) user: String,
    pub(in crate::perf) password: String,
    pub(in crate::perf) virtual_host: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Starting,
    Tuning,
    Opening,
    Open,
}

/// One handshake.
#[derive(Debug)]
pub(in crate::perf) struct Handshake {
    state: State,
    frame_size_max: usize,
    server_properties: FieldTable,
}

impl Handshake {
    /// Begins: the protocol's header goes out.
    pub(in crate::perf) fn begin(output: &mut Vec<u8>) -> Self {
        output.extend_from_slice(&PROTOCOL_HEADER);
        Self {
            state: State::Starting,
            frame_size_max: FRAME_SIZE_MAX,
            server_properties: FieldTable::default(),
        }
    }

    pub(in crate::perf) fn is_done(&self) -> bool {
        self.state == State::Open
    }

    /// The largest frame that was agreed.
    pub(in crate::perf) fn frame_size_max(&self) -> usize {
        self.frame_size_max
    }

    /// What the broker said about itself.
    pub(in crate::perf) fn server_properties(&self) -> &FieldTable {
        &self.server_properties
    }

    /// Takes the broker's next method and answers it.
    pub(in crate::perf) fn receive(
        &mut self,
        method: Method<'_>,
        credentials: &Credentials,
        output: &mut Vec<u8>,
    ) -> Result<(), WireError> {
        refuse_closing(&method)?;
        self.state = match (self.state, method) {
            (State::Starting, Method::ConnectionStart(start)) => {
                self.server_properties = start.server_properties;
                log_in(credentials, output);
                State::Tuning
            }
            (State::Tuning, Method::ConnectionTune(tune)) => {
                self.tune(&tune, &credentials.virtual_host, output);
                State::Opening
            }
            (State::Opening, Method::ConnectionOpenOk(_)) => State::Open,
            _ => return Err(WireError::Unexpected("the broker's handshake is out of order")),
        };
        Ok(())
    }

    /// Without heartbeats, whoever only writes never has to read.
    fn tune(&mut self, tune: &connection::Tune, virtual_host: &str, output: &mut Vec<u8>) {
        let own = u32::try_from(FRAME_SIZE_MAX).unwrap_or(u32::MAX);
        let frame_max = if tune.frame_max == 0 { own } else { tune.frame_max.min(own) };
        self.frame_size_max = frame_max as usize;
        let tune_ok = connection::TuneOk { channel_max: tune.channel_max, frame_max, heartbeat: 0 };
        frame::write_method(output, 0, &tune_ok);
        frame::write_method(output, 0, &connection::Open { virtual_host });
    }
}

fn log_in(credentials: &Credentials, output: &mut Vec<u8>) {
    let Credentials { user, password, .. } = credentials;
    let response = format!("\0{user}\0{password}");
    let start_ok = connection::StartOk {
        client_properties: client_properties(),
        mechanism: "PLAIN",
        response: response.as_bytes(),
        locale: "en_US",
    };
    frame::write_method(output, 0, &start_ok);
}

/// The capabilities ask the broker to say so where it refuses a login, ends a consumer or takes no
/// publishes for a while.
fn client_properties() -> FieldTable {
    let capabilities =
        ["authentication_failure_close", "consumer_cancel_notify", "connection.blocked"];
    let capabilities: FieldTable = capabilities.into_iter().map(|name| (name, true)).collect();
    let mut properties: FieldTable = [("product", "leveret perf")].into_iter().collect();
    properties.insert("capabilities", capabilities);
    properties
}

#[cfg(test)]
mod tests {
    use super::*;

    fn credentials() -> Credentials {
        let text = str::to_owned;
        Credentials { user: text("u"), password: text("p"), virtual_host: text("/") }
    }

    fn start() -> Method<'static> {
        Method::ConnectionStart(connection::Start {
            version_major: 0,
            version_minor: 9,
            server_properties: [("product", "x")].into_iter().collect(),
            mechanisms: b"PLAIN",
            locales: b"en_US",
        })
    }

    fn tune(frame_max: u32) -> Method<'static> {
        Method::ConnectionTune(connection::Tune { channel_max: 7, frame_max, heartbeat: 60 })
    }

    fn names(mut bytes: &[u8]) -> Vec<(u16, u16)> {
        let mut names = Vec::new();
        while let Some((frame, size)) = frame::next(bytes, 4096).unwrap() {
            let number = |at: usize| u16::from_be_bytes([frame.payload[at], frame.payload[at + 1]]);
            names.push((number(0), number(2)));
            bytes = &bytes[size..];
        }
        names
    }

    #[test]
    fn every_question_of_the_broker_is_answered_until_the_connection_is_open() {
        let mut output = Vec::new();
        let mut handshake = Handshake::begin(&mut output);
        assert_eq!(output, PROTOCOL_HEADER);
        let answers = |handshake: &mut Handshake, method| {
            let mut output = Vec::new();
            handshake.receive(method, &credentials(), &mut output).unwrap();
            names(&output)
        };
        assert_eq!(answers(&mut handshake, start()), [(10, 11)]);
        assert_eq!(answers(&mut handshake, tune(0)), [(10, 31), (10, 40)]);
        assert!(!handshake.is_done());
        let open_ok = Method::ConnectionOpenOk(connection::OpenOk {});
        assert_eq!(answers(&mut handshake, open_ok), []);
        assert!(handshake.is_done());
        assert_eq!(handshake.frame_size_max(), 131_072);
    }

    #[test]
    fn the_smaller_of_both_frame_sizes_is_agreed() {
        let mut output = Vec::new();
        let mut handshake = Handshake::begin(&mut output);
        for method in [start(), tune(4096)] {
            handshake.receive(method, &credentials(), &mut output).unwrap();
        }
        assert_eq!(handshake.frame_size_max(), 4096);
    }

    #[test]
    fn a_method_out_of_order_is_refused() {
        let mut handshake = Handshake::begin(&mut Vec::new());
        assert!(handshake.receive(tune(0), &credentials(), &mut Vec::new()).is_err());
    }
}
