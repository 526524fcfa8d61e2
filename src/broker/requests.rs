//! What a client asks for on a channel, handed to where it is carried out. Declarations, consumers
//! and messages have files of their own.

use tracing::error;

use super::churn::Coming;
use super::session::{ChannelState, Place, Session};
use crate::connection::{Command, Reply, Request, Settle};
use crate::protocol::reply::AmqpError;

impl Session {
    pub(super) fn handle(&mut self, request: Request) {
        let Request { channel, method, nowait, command } = request;
        if let Some(state) = self.channels.get(&channel) {
            if state.is_refused && !matches!(command, Command::CloseChannel { .. }) {
                return;
            }
            state.live.touch(self.work.now);
        }
        self.work.position = 0;
        match self.apply(channel, nowait, command) {
            Ok(Some(reply)) if !nowait => self.answer(channel, reply),
            Ok(_) => {}
            Err(error) => self.refuse(channel, error.at(method.0, method.1)),
        }
    }

    /// The answer waits for what is declared already, though the command itself changes nothing:
    /// who declares or deletes what somebody else did just before is promised the same. Of what
    /// does not survive a restart nothing is promised, and nobody waits for the disk.
    pub(super) fn rely_on_changes(&mut self, place: &Place) {
        self.work.position = self.work.position.max(place.host.changed_at());
    }

    /// Carries out one command; `None` where the answer is already in the mailbox.
    fn apply(
        &mut self,
        channel: u16,
        nowait: bool,
        command: Command,
    ) -> Result<Option<Reply>, AmqpError> {
        match command {
            Command::OpenChannel => {
                let opened = Some(self.broker.churn.open(Coming::Channel));
                let state = ChannelState { _opened: opened, ..self.new_channel(channel) };
                self.channels.insert(channel, state);
                self.show_channel(channel);
                self.note_channel(channel);
                Ok(self.count_channel(channel).then_some(Reply::ChannelOpened))
            }
            Command::CloseChannel { settles, error } => {
                if let Some(text) = error {
                    self.log_channel_error(channel, &text);
                }
                self.close_channel(channel, &settles);
                Ok(Some(Reply::ChannelClosed))
            }
            Command::DeclareExchange(declare) => self.declare_exchange(&declare).map(Some),
            Command::DeleteExchange { exchange, if_unused } => {
                self.delete_exchange(&exchange, if_unused).map(Some)
            }
            Command::Bind(bind) => self.bind(bind).map(Some),
            Command::DeclareQueue(declare) => self.declare_queue(&declare).map(Some),
            Command::PurgeQueue { queue } => self.purge_queue(&queue).map(Some),
            Command::DeleteQueue(delete) => {
                self.delete_queue(channel, nowait, &delete).map(|()| None)
            }
            Command::Consume(consume) => self.consume(&consume, nowait).map(|()| None),
            Command::Cancel { consumer, consumer_tag } => {
                self.cancel(channel, consumer, consumer_tag, nowait);
                Ok(None)
            }
            Command::Get { queue, no_ack } => self.get(channel, &queue, no_ack).map(|()| None),
            Command::Recover(settles) => {
                // The answer goes before what is delivered again.
                if !nowait {
                    self.answer(channel, Reply::Recovered);
                }
                settles.iter().for_each(|settle| self.settle(settle));
                Ok(None)
            }
            Command::Commit(settles) => {
                self.commit(channel, &settles).map(|()| Some(Reply::Committed))
            }
            Command::UpdateSecret(secret) => self.update_secret(&secret),
            command => Ok(Some(self.set(channel, &command))),
        }
    }

    /// The commands that only set something on a channel, and never fail.
    fn set(&mut self, channel: u16, command: &Command) -> Reply {
        match command {
            Command::Qos { prefetch_count, global } => {
                self.set_prefetch(channel, *prefetch_count, *global);
                Reply::QosSet
            }
            Command::SelectTransaction => {
                if let Some(state) = self.channels.get_mut(&channel) {
                    state.transaction.get_or_insert_default();
                    state.live.set_transactional();
                }
                Reply::TransactionSelected
            }
            Command::Rollback => {
                if let Some(state) = self.channels.get_mut(&channel) {
                    state.transaction = Some(Vec::new());
                    state.live.uncommitted.set(0);
                }
                Reply::RolledBack
            }
            Command::SelectConfirm => {
                if let Some(state) = self.channels.get(&channel) {
                    state.live.set_confirming();
                }
                Reply::ConfirmSelected
            }
            Command::RequestAccess => Reply::AccessGranted,
            _ => Reply::FlowActive,
        }
    }

    fn log_channel_error(&self, channel: u16, text: &str) {
        let host = self.place.as_ref().map_or("", |place| &*place.host.name);
        let (name, user) = (&self.name, self.user_name());
        error!(
            target: "channel",
            "Channel error on connection ({name}, vhost: '{host}', user: '{user}'), \
             channel {channel}: {text}"
        );
    }

    fn close_channel(&mut self, channel: u16, settles: &[Settle]) {
        self.let_go(Some(channel), settles);
        self.hide_channels(Some(channel));
        self.note_channel_end(channel);
        if let Some(token) = self.channels.remove(&channel).and_then(|state| state.reply_token) {
            self.broker.replies.remove(&token);
        }
    }
}
