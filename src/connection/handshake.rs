//! From the protocol header to connection.open-ok, and the other methods of channel 0. Who may log
//! in and what a virtual host is, the broker knows.

use super::command::{Command, Credentials, Effect, Request};
use super::machine::{Capabilities, CloseReason, Connection, decode_failure};
use super::phase::Phase;
use crate::limits::{CLIENT_NAME_SIZE_MAX, FRAME_SIZE_MIN, SILENT_CLOSE_DELAY_MS};
use crate::message::Name;
use crate::protocol::PROTOCOL_HEADER;
use crate::protocol::field::{FieldTable, FieldValue};
use crate::protocol::methods::{Method, connection};
use crate::protocol::reply::ConnectionError;

/// Who a client is, by its own words, and what was agreed with it.
#[derive(Clone, Debug)]
pub struct Introduction {
    /// The name it gave itself.
    pub client_name: Option<Box<str>>,
    /// All it said of itself.
    pub client_properties: FieldTable,
    /// The highest number of a channel; 0 means that there is none.
    pub channel_max: u16,
    /// Bytes of the largest frame; 0 means that there is none.
    pub frame_size_max: u32,
    /// Seconds between heartbeats; 0 means that there are none.
    pub heartbeat_seconds: u64,
}

/// The header of AMQP 0-9, which is served as 0-9-1.
const HEADER_0_9: [u8; 8] = *b"AMQP\x01\x01\x00\x09";

/// The mechanism of certificates.
const EXTERNAL: &str = "EXTERNAL";

impl Connection {
    /// The first bytes: ours, or something else.
    pub(super) fn receive_header(&mut self, input: &[u8]) -> usize {
        if let Some(hint) = foreign_protocol(input) {
            self.close_silently(CloseReason::ForeignProtocol(hint));
            return input.len();
        }
        let Some(header) = input.get(..8) else { return 0 };
        if header == PROTOCOL_HEADER || header == HEADER_0_9 {
            self.start();
        } else {
            self.refuse_header(header);
        }
        8
    }

    /// Rule: what we speak instead, then the end of the socket.
    fn refuse_header(&mut self, header: &[u8]) {
        self.output.buffer().extend_from_slice(&PROTOCOL_HEADER);
        let is_amqp = header.starts_with(b"AMQP");
        let hint = if is_amqp { "another version of AMQP" } else { "another protocol" };
        self.close_silently(CloseReason::ForeignProtocol(hint));
    }

    fn start(&mut self) {
        let options = std::sync::Arc::clone(&self.options);
        let mechanisms = self.mechanisms();
        self.phase = Phase::Starting;
        self.send(
            0,
            &connection::Start {
                version_major: 0,
                version_minor: 9,
                server_properties: options.server_properties.clone(),
                mechanisms: mechanisms.as_bytes(),
                locales: b"en_US",
            },
        );
    }

    /// It is encrypted, and its client may have shown a certificate.
    pub fn encrypt(&mut self) {
        self.is_encrypted = true;
    }

    /// The mechanisms that are offered, separated by spaces. That of certificates makes no sense
    /// where there are none.
    #[must_use]
    pub fn mechanisms(&self) -> String {
        let all = self.options.mechanisms.split(' ');
        let offered: Vec<_> = all.filter(|name| self.is_encrypted || *name != EXTERNAL).collect();
        offered.join(" ")
    }

    /// A method on channel 0.
    pub(super) fn handle_connection_method(
        &mut self,
        payload: &[u8],
        effects: &mut Vec<Effect>,
    ) -> Result<(), ConnectionError> {
        let method = Method::decode(payload).map_err(|error| decode_failure(&error, payload))?;
        let at = (method.class_id(), method.method_id());
        match (self.phase, method) {
            (_, Method::ConnectionClose(_)) => self.close_by_client(effects),
            (Phase::Starting, Method::ConnectionStartOk(start_ok)) => {
                self.authenticate(&start_ok, effects);
            }
            (Phase::Tuning, Method::ConnectionTuneOk(tune_ok)) => {
                self.tune(&tune_ok).map_err(|error| error.at(at.0, at.1))?;
            }
            (Phase::Opening, Method::ConnectionOpen(open)) => {
                let virtual_host = Name::from(open.virtual_host);
                self.virtual_host = Some(virtual_host.clone());
                self.phase = Phase::Entering;
                self.awaits_broker = true;
                effects.push(Effect::OpenVirtualHost(virtual_host));
            }
            (Phase::Running, Method::ConnectionUpdateSecret(update)) => {
                let command = Command::UpdateSecret(update.new_secret.into());
                self.request(Request { channel: 0, method: at, nowait: false, command }, effects);
            }
            (phase, _) => {
                let text = format!("unexpected method in connection state {}", state_name(phase));
                return Err(ConnectionError::channel_error(text).at(at.0, at.1));
            }
        }
        Ok(())
    }

    fn authenticate(&mut self, start_ok: &connection::StartOk<'_>, effects: &mut Vec<Effect>) {
        self.learn_client(&start_ok.client_properties);
        self.client_properties = start_ok.client_properties.clone();
        self.phase = Phase::Authenticating;
        self.awaits_broker = true;
        effects.push(Effect::Authenticate(Credentials {
            mechanism: start_ok.mechanism.into(),
            response: start_ok.response.into(),
        }));
    }

    /// What the client said of itself, and what was agreed. Its properties are told once.
    pub fn introduce(&mut self) -> Introduction {
        Introduction {
            client_name: self.client_name.clone(),
            client_properties: std::mem::take(&mut self.client_properties),
            channel_max: self.channel_max,
            frame_size_max: u32::try_from(self.frame_size_max).unwrap_or(0),
            heartbeat_seconds: self.heartbeat_ms / 1000,
        }
    }

    fn learn_client(&mut self, properties: &FieldTable) {
        let can = |name: &str| match properties.get("capabilities") {
            Some(FieldValue::Table(table)) => table.get(name) == Some(&FieldValue::Boolean(true)),
            _ => false,
        };
        self.capabilities = Capabilities {
            consumer_cancel_notify: can("consumer_cancel_notify"),
            authentication_failure_close: can("authentication_failure_close"),
            connection_blocked: can("connection.blocked"),
        };
        self.client_name =
            properties.get("connection_name").and_then(FieldValue::as_str).map(|name| {
                name.get(..name.floor_char_boundary(CLIENT_NAME_SIZE_MAX)).unwrap_or("").into()
            });
    }

    /// The login is good: offer our limits.
    pub(super) fn authenticated(&mut self, user: Name) {
        self.user = Some(user);
        self.phase = Phase::Tuning;
        let (channel_max, frame_max, heartbeat) =
            (self.options.channel_max, self.options.frame_size_max, self.options.heartbeat_seconds);
        self.send(0, &connection::Tune { channel_max, frame_max, heartbeat });
    }

    /// The login is not good. Clients that understand it are told, after the delay that repeated
    /// failures earn; the others find out when they are closed.
    pub(super) fn login_refused(&mut self, error: ConnectionError, delay_ms: u64) {
        let text = error.text.clone();
        if !self.capabilities.authentication_failure_close {
            return self.keep_silent(text, SILENT_CLOSE_DELAY_MS + delay_ms);
        }
        self.last_word = Some(error);
        self.keep_silent(text, delay_ms);
        if delay_ms == 0 {
            self.end_silence();
        }
    }

    fn tune(&mut self, tune_ok: &connection::TuneOk) -> Result<(), ConnectionError> {
        let channel_max = negotiate(
            "channel_max",
            u32::from(tune_ok.channel_max),
            u32::from(self.options.channel_max),
            1,
        )?;
        let frame_max =
            negotiate("frame_max", tune_ok.frame_max, self.options.frame_size_max, FRAME_SIZE_MIN)?;
        self.channel_max = u16::try_from(channel_max).unwrap_or(u16::MAX);
        self.frame_size_max = if frame_max == 0 { usize::MAX / 2 } else { frame_max as usize };
        self.heartbeat_ms = u64::from(tune_ok.heartbeat) * 1000;
        self.phase = Phase::Opening;
        Ok(())
    }

    /// The virtual host is open: channels may come.
    pub(super) fn entered(&mut self) {
        self.phase = Phase::Running;
        self.send(0, &connection::OpenOk {});
    }
}

/// The client's value if it is within ours; 0 from either side means without limit.
fn negotiate(name: &str, client: u32, server: u32, minimum: u32) -> Result<u32, ConnectionError> {
    let shown = |value: u32| match value {
        0 => "0 (no limit)".to_owned(),
        _ => value.to_string(),
    };
    if client != 0 && client < minimum {
        return Err(ConnectionError::not_allowed(format!(
            "negotiated {name} = {} is lower than the minimum allowed value ({minimum})",
            shown(client)
        )));
    }
    if server != 0 && (client == 0 || client > server) {
        return Err(ConnectionError::not_allowed(format!(
            "negotiated {name} = {} is higher than the maximum allowed value ({server})",
            shown(client)
        )));
    }
    Ok(client)
}

/// What a client speaks that is known not to be AMQP: it gets no answer, the log a hint.
fn foreign_protocol(input: &[u8]) -> Option<&'static str> {
    match input {
        [0x16, 0x03, ..] => Some("TLS"),
        [b'G', b'E', b'T', b' ', ..] => Some("HTTP"),
        _ => None,
    }
}

/// The phases under RabbitMQ's names.
fn state_name(phase: Phase) -> &'static str {
    match phase {
        Phase::AwaitingHeader | Phase::Starting => "starting",
        Phase::Authenticating => "securing",
        Phase::Tuning => "tuning",
        Phase::Opening | Phase::Entering => "opening",
        Phase::Running => "running",
        Phase::Closing(_) | Phase::Releasing => "closing",
        Phase::Silent(_) | Phase::Closed => "closed",
    }
}
