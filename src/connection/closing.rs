//! How channels and connections end: by an error of either scope, by the client, by order, in
//! silence, or because the socket is gone. Whatever the way, what was held is released once.

use hashbrown::HashMap;

use super::channel::State;
use super::command::{Command, Effect, Request};
use super::machine::{CloseReason, Connection};
use super::phase::Phase;
use crate::limits::{CLOSE_TIMEOUT_MS, SILENT_CLOSE_DELAY_MS};
use crate::protocol::frame;
use crate::protocol::methods::{channel as channel_class, connection};
use crate::protocol::reply::{AmqpError, ChannelError, ConnectionError, ReplyCode};

impl Connection {
    /// Closes one channel for an error; what it had out goes back.
    fn close_channel(&mut self, number: u16, error: &ChannelError, effects: &mut Vec<Effect>) {
        let Some(channel) = self.channels.get_mut(&number) else { return };
        if channel.state != State::Open {
            return;
        }
        channel.state = State::Closing;
        let settles = channel.release();
        let close = channel_class::Close {
            reply_code: error.code.number(),
            reply_text: &error.text,
            class_id: error.class_id,
            method_id: error.method_id,
        };
        frame::write_method(self.output.buffer(), number, &close);
        effects.push(Effect::Request(Request {
            channel: number,
            method: (0, 0),
            nowait: true,
            command: Command::CloseChannel { settles, error: Some(error.text.clone()) },
        }));
    }

    /// Ends the connection for an error: says so, lets everything go and waits for close-ok.
    pub(super) fn fail(&mut self, error: ConnectionError, effects: &mut Vec<Effect>) {
        if self.phase.is_ending() {
            return;
        }
        // Who has not logged in learns nothing, as in RabbitMQ; only limits are told.
        if self.phase.is_before_login() && error.code != ReplyCode::NotAllowed {
            return self.keep_silent(error.text, SILENT_CLOSE_DELAY_MS);
        }
        self.write_close(&error);
        self.phase = Phase::Closing(self.now.plus(self.close_timeout_ms()));
        self.close_reason = Some(CloseReason::ByBroker { text: error.text, is_answered: false });
        self.release(effects);
    }

    /// The client closed the connection: close-ok follows when all is released.
    pub(super) fn close_by_client(&mut self, effects: &mut Vec<Effect>) {
        self.phase = Phase::Releasing;
        self.close_reason = Some(CloseReason::ByClient);
        self.awaits_broker = true;
        self.release(effects);
    }

    /// The broker ends the connection; who is not in yet has nothing to answer.
    pub(super) fn close_by_order(&mut self, error: ConnectionError, effects: &mut Vec<Effect>) {
        if self.phase.is_before_login() {
            self.close_reason = Some(CloseReason::ByBroker { text: error.text, is_answered: true });
            return self.abort(effects);
        }
        self.fail(error, effects);
    }

    pub(super) fn close_silently(&mut self, reason: CloseReason) {
        self.phase = Phase::Closed;
        self.close_reason = Some(reason);
    }

    /// Says and hears nothing for so long, then gives the last word, if there is one, or ends.
    pub(super) fn keep_silent(&mut self, reason: String, delay_ms: u64) {
        self.phase = Phase::Silent(self.now.plus(delay_ms));
        self.close_reason = Some(CloseReason::LoginRefused(reason));
    }

    /// Its time of silence is over. Who was told why is kept as long as the others, unless it
    /// hangs up before.
    pub(super) fn end_silence(&mut self) {
        self.phase = match self.last_word.take() {
            None => Phase::Closed,
            Some(error) => {
                self.write_close(&error);
                Phase::Closing(self.now.plus(SILENT_CLOSE_DELAY_MS))
            }
        };
    }

    pub(super) fn write_close(&mut self, error: &ConnectionError) {
        let close = connection::Close {
            reply_code: error.code.number(),
            reply_text: &error.text,
            class_id: error.class_id,
            method_id: error.method_id,
        };
        self.send(0, &close);
    }

    /// The socket is gone, or is to go: lets everything go without a word.
    pub fn abort(&mut self, effects: &mut Vec<Effect>) {
        self.phase = Phase::Closed;
        self.release(effects);
    }

    fn release(&mut self, effects: &mut Vec<Effect>) {
        if std::mem::replace(&mut self.has_released, true) {
            return;
        }
        let mut settles = Vec::new();
        let mut numbers: Vec<u16> = self.channels.keys().copied().collect();
        numbers.sort_unstable();
        for number in numbers {
            if let Some(channel) = self.channels.get_mut(&number) {
                settles.append(&mut channel.release());
            }
        }
        self.channels = HashMap::default();
        effects.push(Effect::Release(settles));
    }

    fn close_timeout_ms(&self) -> u64 {
        if self.heartbeat_ms == 0 {
            CLOSE_TIMEOUT_MS
        } else {
            self.heartbeat_ms.min(CLOSE_TIMEOUT_MS)
        }
    }

    pub(super) fn close_answered(&mut self) {
        self.phase = Phase::Closed;
        if let Some(CloseReason::ByBroker { is_answered, .. }) = &mut self.close_reason {
            *is_answered = true;
        }
    }

    /// Answers an error in its scope.
    pub(super) fn refuse(&mut self, channel: u16, error: AmqpError, effects: &mut Vec<Effect>) {
        match error {
            AmqpError::Connection(error) => self.fail(error, effects),
            AmqpError::Channel(error) => self.close_channel(channel, &error, effects),
        }
    }
}
