//! What clients came to, added up for who asks: those that are there, whose channels count by
//! themselves, and those that left. It decides nothing about what counts as what; that stands where
//! it happens.
//!
//! Nothing is missed and nothing counts twice: a channel is among those of its client or in the sum
//! of those that it closed, a client among the sessions or in the sum of those that left, and each
//! goes from one to the other under the lock that a look takes.

use std::collections::BTreeMap;
use std::ops::AddAssign;
use std::sync::{Arc, Mutex};

use super::listed_connection::OctetFigures;
use super::lock::{lock, read};
use super::session::Session;
use super::shared::Broker;
use super::virtual_host::VirtualHost;
use crate::connection::{ChannelTraffic, Consumed, Published, Reply};
use crate::message::{Name, QueueKind, SessionId};

/// What clients published and got so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TrafficFigures {
    /// On their way in.
    pub published: Published,
    /// On their way out of classic queues.
    pub classic: Consumed,
    /// On their way out of quorum queues.
    pub quorum: Consumed,
}

/// What clients came to so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ClientFigures {
    /// Their messages.
    pub traffic: TrafficFigures,
    /// What went over their connections.
    pub octets: OctetFigures,
}

/// What those came to who left.
#[derive(Debug, Default)]
pub(super) struct PastClients(Mutex<ClientFigures>);

impl TrafficFigures {
    /// Of one channel.
    #[must_use]
    pub(super) fn of(channel: &ChannelTraffic) -> Self {
        Self {
            published: channel.published(),
            classic: channel.consumed(QueueKind::Classic).figures(),
            quorum: channel.consumed(QueueKind::Quorum).figures(),
        }
    }

    /// What went out of queues of all types.
    #[must_use]
    pub fn consumed(&self) -> Consumed {
        let mut sum = self.classic;
        sum += self.quorum;
        sum
    }
}

impl AddAssign for TrafficFigures {
    fn add_assign(&mut self, other: Self) {
        self.published += other.published;
        self.classic += other.classic;
        self.quorum += other.quorum;
    }
}

impl AddAssign for ClientFigures {
    fn add_assign(&mut self, other: Self) {
        self.traffic += other.traffic;
        self.octets += other.octets;
    }
}

impl PastClients {
    pub(super) fn add(&self, figures: ClientFigures) {
        *lock(&self.0) += figures;
    }

    /// Messages that had waited in their exchange were given to queues.
    pub(super) fn count_delayed(&self, routed: u64) {
        lock(&self.0).traffic.published.routed += routed;
    }

    fn figures(&self) -> ClientFigures {
        *lock(&self.0)
    }
}

impl Broker {
    /// What all clients came to so far.
    #[must_use]
    pub fn client_figures(&self) -> ClientFigures {
        let sessions = lock(&self.sessions);
        let mut sum = self.past_clients.figures();
        for client in sessions.values().filter_map(|mailbox| mailbox.client.get()) {
            sum += client.figures();
        }
        sum
    }

    /// The same of each virtual host.
    #[must_use]
    pub fn client_figures_by_host(&self) -> BTreeMap<Name, ClientFigures> {
        let hosts: Vec<_> = read(&self.virtual_hosts).values().cloned().collect();
        let sessions = lock(&self.sessions);
        // By what is its own: who is still in a deleted one is of no other that has its name.
        let past = |host: &Arc<VirtualHost>| {
            let sum = host.past_clients.figures();
            (Arc::as_ptr(&host.past_clients).addr(), (host.name.clone(), sum))
        };
        let mut sums: BTreeMap<usize, (Name, ClientFigures)> = hosts.iter().map(past).collect();
        for client in sessions.values().filter_map(|mailbox| mailbox.client.get()) {
            if let Some((_, sum)) = sums.get_mut(&Arc::as_ptr(&client.past_of_host).addr()) {
                *sum += client.figures();
            }
        }
        sums.into_values().collect()
    }

    /// A session is listed no longer; true where it was.
    pub(super) fn unregister(&self, id: SessionId) -> bool {
        let mut sessions = lock(&self.sessions);
        let Some(mailbox) = sessions.remove(&id) else { return false };
        if let Some(client) = mailbox.client.get() {
            let figures = client.figures();
            self.past_clients.add(figures);
            client.past_of_host.add(figures);
        }
        true
    }
}

impl Session {
    /// A get is answered.
    pub(super) fn count_get(&mut self, channel: u16, reply: &Reply) {
        let Some(kind) = self.getting.take() else { return };
        let Some(state) = self.channels.get(&channel) else { return };
        let consumed = state.live.traffic.consumed(kind);
        match reply {
            Reply::Got { no_ack, delivery, .. } => {
                consumed.count_got(*no_ack, delivery.is_redelivered);
                state.live.got.add(u64::from(!no_ack));
            }
            _ => consumed.count_got_empty(),
        }
    }

    /// What a channel came to that no connection has counts among those who left.
    pub(super) fn count_unlisted(&self) {
        let Some(place) = &self.place else { return };
        for state in self.channels.values() {
            let traffic = TrafficFigures::of(&state.live.traffic);
            let figures = ClientFigures { traffic, ..ClientFigures::default() };
            self.broker.past_clients.add(figures);
            place.host.past_clients.add(figures);
        }
    }
}
