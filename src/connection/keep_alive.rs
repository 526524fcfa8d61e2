//! What a connection does because time passed: heartbeats, and deadlines that end it. It asks no
//! clock; it is told.

use super::command::Effect;
use super::machine::{CloseReason, Connection};
use super::phase::Phase;
use crate::message::Moment;
use crate::protocol::frame;
use crate::protocol::methods::connection;

impl Connection {
    /// Bytes went to the socket: the next heartbeat can wait.
    pub fn sent(&mut self, now: Moment) {
        self.last_sent = now;
    }

    /// When [`Connection::elapse`] has something to do.
    #[must_use]
    pub fn deadline(&self) -> Option<Moment> {
        match self.phase {
            Phase::Closing(until) | Phase::Silent(until) => Some(until),
            Phase::Closed | Phase::Releasing => None,
            phase if phase.is_handshake() => Some(self.handshake_deadline),
            _ if self.heartbeat_ms == 0 => None,
            _ if self.is_blocked => Some(self.send_heartbeat_at()),
            _ => Some(self.send_heartbeat_at().min(self.missed_heartbeats_at())),
        }
    }

    fn send_heartbeat_at(&self) -> Moment {
        self.last_sent.plus(self.heartbeat_ms / 2)
    }

    fn missed_heartbeats_at(&self) -> Moment {
        self.last_received.plus(2 * self.heartbeat_ms)
    }

    /// Time passed: heartbeats, and deadlines that end the connection.
    pub fn elapse(&mut self, now: Moment, effects: &mut Vec<Effect>) {
        self.now = now;
        match self.phase {
            Phase::Closing(until) if now >= until => self.phase = Phase::Closed,
            Phase::Silent(until) if now >= until => self.end_silence(),
            phase if phase.is_handshake() && now >= self.handshake_deadline => {
                self.close_reason = Some(CloseReason::HandshakeTimeout);
                self.abort(effects);
            }
            Phase::Running if self.heartbeat_ms > 0 => self.keep_alive(effects),
            _ => {}
        }
    }

    /// Nothing is read from it for a while; clients that understand it are told.
    pub(super) fn block(&mut self, reason: &str) {
        self.is_blocked = true;
        if self.capabilities.connection_blocked {
            self.send(0, &connection::Blocked { reason });
        }
    }

    /// It is read again, and its silence so far is no sign of death.
    pub(super) fn unblock(&mut self) {
        self.is_blocked = false;
        self.last_received = self.now.max(self.last_received);
        if self.capabilities.connection_blocked {
            self.send(0, &connection::Unblocked {});
        }
    }

    /// Nobody reads what it sends before this moment: it is silent, and that is no sign of death.
    pub fn excuse_until(&mut self, moment: Moment) {
        self.last_received = self.last_received.max(moment);
    }

    /// What it sends is read again, earlier than was said.
    pub fn excuse_no_longer(&mut self, now: Moment) {
        self.last_received = self.last_received.min(now);
    }

    fn keep_alive(&mut self, effects: &mut Vec<Effect>) {
        if !self.is_blocked && self.now >= self.missed_heartbeats_at() {
            self.close_reason = Some(CloseReason::MissedHeartbeats(self.heartbeat_ms / 1000));
            return self.abort(effects);
        }
        if self.now >= self.send_heartbeat_at() {
            frame::write_heartbeat(self.output.buffer());
            self.last_sent = self.now;
        }
    }
}
