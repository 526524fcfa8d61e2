//! Connections and their channels, for who looks at them. No session is stopped for that: each
//! writes down by itself what is told here. It decides nothing about who may look.

use std::ops::AddAssign;
use std::sync::Arc;

use super::encryption::Encryption;
use super::live_connection::{ConnectionState, LiveChannel, LiveConnection};
use super::lock::lock;
use super::mailbox::Mailbox;
use super::shared::Broker;
use super::traffic::TrafficFigures;
use crate::connection::{Event, Introduction};
use crate::message::{Moment, SessionId};
use crate::protocol::reply::ConnectionError;

/// A connection of a client that is in a virtual host.
#[derive(Clone, Debug)]
pub struct ListedConnection {
    mailbox: Arc<Mailbox>,
    client: Arc<LiveConnection>,
    /// Publishers were held back when it was looked at.
    is_alarmed: bool,
}

/// What went over a connection.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct OctetFigures {
    /// Bytes that came.
    pub received_bytes: u64,
    /// In how many reads.
    pub reads: u64,
    /// Bytes that went.
    pub sent_bytes: u64,
    /// In how many writes.
    pub writes: u64,
}

impl AddAssign for OctetFigures {
    fn add_assign(&mut self, other: Self) {
        self.received_bytes += other.received_bytes;
        self.reads += other.reads;
        self.sent_bytes += other.sent_bytes;
        self.writes += other.writes;
    }
}

/// A channel where it is.
#[derive(Clone, Debug)]
pub struct ListedChannel {
    /// Its connection.
    pub connection: ListedConnection,
    /// Its number there.
    pub number: u16,
    pub(super) live: Arc<LiveChannel>,
}

/// How a channel fares at one moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ChannelReport {
    /// Publishes are confirmed.
    pub is_confirming: bool,
    /// Publishes and settlements wait for tx.commit.
    pub is_transactional: bool,
    /// Its consumers.
    pub consumers: u64,
    /// How many deliveries a consumer may have unsettled; 0 means any number.
    pub prefetch_count: u16,
    /// How many all consumers together may have; 0 means any number.
    pub global_prefetch_count: u64,
    /// Deliveries that are not settled, also not in the transaction of the moment.
    pub unsettled: u64,
    /// Publishes that wait for their confirm.
    pub unconfirmed: u64,
    /// Publishes that wait for tx.commit.
    pub uncommitted: u64,
    /// Settlements that wait for tx.commit.
    pub acks_uncommitted: u64,
    /// Messages that came and went so far.
    pub traffic: TrafficFigures,
    /// When the client last used it; as the connection came where it never did.
    pub active_at: Moment,
}

impl ListedConnection {
    /// Its number: no other connection has it.
    #[must_use]
    pub fn session(&self) -> SessionId {
        self.client.session
    }

    /// Where it comes from and goes to.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.client.name
    }

    /// Who logged in.
    #[must_use]
    pub fn user(&self) -> &str {
        &self.client.user
    }

    /// The virtual host it is in.
    #[must_use]
    pub fn virtual_host(&self) -> &str {
        &self.client.virtual_host
    }

    /// How the user proved who it is.
    #[must_use]
    pub fn auth_mechanism(&self) -> Option<&str> {
        self.client.auth_mechanism.as_deref()
    }

    /// How it is encrypted; none where it is not.
    #[must_use]
    pub fn encryption(&self) -> Option<&Encryption> {
        self.client.encryption.as_deref()
    }

    /// When it came.
    #[must_use]
    pub fn connected_at(&self) -> Moment {
        self.client.connected_at
    }

    /// What the client said of itself, and what was agreed.
    #[must_use]
    pub fn introduction(&self) -> &Introduction {
        &self.client.introduction
    }

    /// How it fares.
    #[must_use]
    pub fn state(&self) -> ConnectionState {
        match self.client.state() {
            ConnectionState::Running | ConnectionState::Flow if self.is_alarmed => {
                ConnectionState::Blocking
            }
            state => state,
        }
    }

    /// What went over it.
    #[must_use]
    pub fn traffic(&self) -> OctetFigures {
        self.client.traffic.figures()
    }

    /// How many channels it has.
    #[must_use]
    pub fn channel_count(&self) -> usize {
        self.client.channel_count()
    }

    /// Its channels, by number.
    #[must_use]
    pub fn channels(&self) -> Vec<ListedChannel> {
        let listed = |(number, live)| ListedChannel { connection: self.clone(), number, live };
        self.client.channels().into_iter().map(listed).collect()
    }

    /// Closes it: the client hears connection.close 320 with this reason.
    pub fn close(&self, reason: &str) {
        let mut wakers = Vec::new();
        let event = Event::Closing(ConnectionError::connection_forced(reason));
        // Who is already gone needs no word.
        let _ = self.mailbox.push(event, &mut wakers);
        wakers.into_iter().for_each(std::task::Waker::wake);
    }
}

impl ListedChannel {
    /// How it fares.
    #[must_use]
    pub fn report(&self) -> ChannelReport {
        let live = &self.live;
        let unsettled = live.credit.used() + live.got.value();
        let acks_uncommitted = live.traffic.acks_uncommitted();
        ChannelReport {
            is_confirming: live.is_confirming(),
            is_transactional: live.is_transactional(),
            consumers: live.consumers.value(),
            prefetch_count: live.prefetch_count(),
            global_prefetch_count: live.credit.limit(),
            unsettled: unsettled.saturating_sub(acks_uncommitted),
            unconfirmed: if live.is_confirming() { live.traffic.unconfirmed() } else { 0 },
            uncommitted: live.uncommitted.value(),
            acks_uncommitted,
            traffic: TrafficFigures::of(&live.traffic),
            active_at: live.active_at().max(self.connection.connected_at()),
        }
    }
}

impl Broker {
    /// All connections of clients that are in a virtual host, the oldest first.
    #[must_use]
    pub fn connections(&self) -> Vec<ListedConnection> {
        let is_alarmed = !self.alarms.now().is_empty();
        let sessions = lock(&self.sessions);
        let listed = |mailbox: &Arc<Mailbox>| {
            let client = mailbox.client.get()?.clone();
            Some(ListedConnection { mailbox: mailbox.clone(), client, is_alarmed })
        };
        sessions.values().filter_map(listed).collect()
    }

    /// The connection of this name.
    #[must_use]
    pub fn connection(&self, name: &str) -> Option<ListedConnection> {
        self.connections().into_iter().find(|connection| connection.name() == name)
    }
}
