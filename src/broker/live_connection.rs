//! A client as it shows itself: its session alone writes this, a few numbers a batch and nothing a
//! message, and anybody reads it at any moment without stopping the session. What listings make of
//! it is in `listed_connection`.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU16, Ordering};
use std::sync::{Arc, Mutex};

use super::channel_exchanges::ChannelExchange;
use super::encryption::Encryption;
use super::listed_connection::OctetFigures;
use super::lock::lock;
use super::session::Session;
use super::traffic::{ClientFigures, PastClients, TrafficFigures};
use crate::connection::{ChannelTraffic, Gauge, Introduction, Settle};
use crate::message::{ConsumerKey, Moment, Name, QueueId, SessionId};
use crate::queue::Credit;

/// Deliveries that a consumer lost are settled for no queue.
const NO_QUEUE: QueueId = QueueId(0);

/// What came from a client and went to it.
#[derive(Debug, Default)]
pub(super) struct Traffic {
    pub(super) received_bytes: Gauge,
    pub(super) reads: Gauge,
    pub(super) sent_bytes: Gauge,
    pub(super) writes: Gauge,
}

impl Traffic {
    pub(super) fn figures(&self) -> OctetFigures {
        OctetFigures {
            received_bytes: self.received_bytes.value(),
            reads: self.reads.value(),
            sent_bytes: self.sent_bytes.value(),
            writes: self.writes.value(),
        }
    }
}

/// What is known of a client before it is in a virtual host.
#[derive(Debug)]
pub(super) struct Arrival {
    pub(super) at: Moment,
    pub(super) auth_mechanism: Option<Name>,
    /// None where everybody on the way can read along.
    pub(super) encryption: Option<Box<Encryption>>,
    pub(super) traffic: Arc<Traffic>,
}

impl Arrival {
    pub(super) fn new(at: Moment) -> Self {
        Self { at, auth_mechanism: None, encryption: None, traffic: Arc::default() }
    }
}

/// How a connection fares.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ConnectionState {
    /// It may send.
    Running,
    /// It is read later than it sends: it publishes faster than others can take it.
    Flow,
    /// An alarm is on, and nothing it publishes would be read.
    Blocking,
    /// An alarm is on, and nothing is read from it.
    Blocked,
    /// It is told to go, or goes.
    Closing,
}

impl ConnectionState {
    const ALL: [Self; 5] =
        [Self::Running, Self::Flow, Self::Blocking, Self::Blocked, Self::Closing];

    /// RabbitMQ's word for it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Running => "running",
            Self::Flow => "flow",
            Self::Blocking => "blocking",
            Self::Blocked => "blocked",
            Self::Closing => "closing",
        }
    }
}

/// A client that is in a virtual host.
#[derive(Debug)]
pub(super) struct LiveConnection {
    pub(super) session: SessionId,
    /// Where it comes from and goes to.
    pub(super) name: Name,
    pub(super) user: Name,
    pub(super) virtual_host: Name,
    pub(super) auth_mechanism: Option<Name>,
    pub(super) encryption: Option<Box<Encryption>>,
    pub(super) connected_at: Moment,
    pub(super) introduction: Introduction,
    pub(super) traffic: Arc<Traffic>,
    state: AtomicU8,
    /// A leaf of the lock order, taken where a channel comes or goes.
    channels: Mutex<LiveChannels>,
    /// What those came to who left its virtual host.
    pub(super) past_of_host: Arc<PastClients>,
}

/// The channels of a client, and what those came to that are closed.
#[derive(Debug, Default)]
struct LiveChannels {
    open: BTreeMap<u16, Arc<LiveChannel>>,
    closed: TrafficFigures,
}

impl LiveChannels {
    fn close(&mut self, channel: &LiveChannel) {
        self.closed += TrafficFigures::of(&channel.traffic);
    }
}

impl LiveConnection {
    pub(super) fn state(&self) -> ConnectionState {
        let state = usize::from(self.state.load(Ordering::Relaxed));
        ConnectionState::ALL.get(state).copied().unwrap_or(ConnectionState::Closing)
    }

    pub(super) fn channel_count(&self) -> usize {
        lock(&self.channels).open.len()
    }

    /// Its channels, by number.
    pub(super) fn channels(&self) -> Vec<(u16, Arc<LiveChannel>)> {
        let channels = lock(&self.channels);
        channels.open.iter().map(|(number, channel)| (*number, channel.clone())).collect()
    }

    /// What it came to so far, with the channels that are closed.
    pub(super) fn figures(&self) -> ClientFigures {
        let channels = lock(&self.channels);
        let mut traffic = channels.closed;
        for channel in channels.open.values() {
            traffic += TrafficFigures::of(&channel.traffic);
        }
        ClientFigures { traffic, octets: self.traffic.figures() }
    }
}

/// A channel of a client.
#[derive(Debug, Default)]
pub(super) struct LiveChannel {
    /// The prefetch of consumers made from now on.
    prefetch_count: AtomicU16,
    /// The prefetch all its consumers share, and what they have out.
    pub(super) credit: Arc<Credit>,
    is_confirming: AtomicBool,
    is_transactional: AtomicBool,
    pub(super) consumers: Gauge,
    /// Messages that came and went.
    pub(super) traffic: Arc<ChannelTraffic>,
    /// When the client last used it; 0 where it only opened it.
    active_at: Gauge,
    /// Publishes that wait for tx.commit.
    pub(super) uncommitted: Gauge,
    /// Messages that it got and has not settled: they count for no prefetch.
    pub(super) got: Gauge,
    /// What was published on it to each exchange: a leaf of the lock order, taken where one is new.
    pub(super) exchanges: Mutex<Vec<Arc<ChannelExchange>>>,
}

impl LiveChannel {
    pub(super) fn new(traffic: Arc<ChannelTraffic>) -> Self {
        Self { traffic, ..Self::default() }
    }

    /// The client uses it.
    pub(super) fn touch(&self, now: Moment) {
        self.active_at.set(now.0);
    }

    /// When the client last used it.
    pub(super) fn active_at(&self) -> Moment {
        Moment(self.active_at.value())
    }

    pub(super) fn prefetch_count(&self) -> u16 {
        self.prefetch_count.load(Ordering::Relaxed)
    }

    pub(super) fn set_prefetch_count(&self, count: u16) {
        self.prefetch_count.store(count, Ordering::Relaxed);
    }

    pub(super) fn is_confirming(&self) -> bool {
        self.is_confirming.load(Ordering::Relaxed)
    }

    pub(super) fn set_confirming(&self) {
        self.is_confirming.store(true, Ordering::Relaxed);
    }

    pub(super) fn is_transactional(&self) -> bool {
        self.is_transactional.load(Ordering::Relaxed)
    }

    pub(super) fn set_transactional(&self) {
        self.is_transactional.store(true, Ordering::Relaxed);
    }

    /// The client ended so many deliveries.
    pub(super) fn count_settled(&self, settle: &Settle, count: u64) {
        let got = count.saturating_sub(u64::from(settle.to_consumers));
        if got > 0 && settle.queue != NO_QUEUE {
            self.got.subtract(got);
        }
    }
}

impl Session {
    /// Says how its connection is encrypted.
    #[must_use]
    pub fn encrypted(mut self, encryption: Encryption) -> Self {
        self.arrival.encryption = Some(Box::new(encryption));
        self.connection.encrypt();
        self
    }

    /// From now on listings have it.
    pub(super) fn show_connection(&mut self) {
        let Some((user, place)) = self.user.as_ref().zip(self.place.as_ref()) else { return };
        let live = LiveConnection {
            session: self.id,
            name: self.name.clone(),
            user: user.name.clone(),
            virtual_host: place.host.name.clone(),
            auth_mechanism: self.arrival.auth_mechanism.take(),
            encryption: self.arrival.encryption.take(),
            connected_at: self.arrival.at,
            introduction: self.connection.introduce(),
            traffic: self.arrival.traffic.clone(),
            state: AtomicU8::new(0),
            channels: Mutex::default(),
            past_of_host: place.host.past_clients.clone(),
        };
        // Nobody enters twice.
        let _ = self.mailbox.client.set(Arc::new(live));
    }

    /// How it fares now.
    pub(super) fn show_state(&mut self) {
        let is_slowed = self.is_on_hold() || self.is_in_debt() || self.is_held_back();
        let state = match self.connection.is_running() {
            false => ConnectionState::Closing,
            true if self.is_blocked => ConnectionState::Blocked,
            true if is_slowed => ConnectionState::Flow,
            true => ConnectionState::Running,
        };
        if let Some(client) = self.mailbox.client.get() {
            client.state.store(state as u8, Ordering::Relaxed);
        }
    }

    /// A channel was opened.
    pub(super) fn show_channel(&self, number: u16) {
        let opened = self.mailbox.client.get().zip(self.channels.get(&number));
        if let Some((client, state)) = opened {
            lock(&client.channels).open.insert(number, state.live.clone());
        }
    }

    /// A channel, or all of them, are closed.
    pub(super) fn hide_channels(&self, number: Option<u16>) {
        let Some(client) = self.mailbox.client.get() else { return };
        let mut channels = lock(&client.channels);
        let gone: Vec<_> = match number {
            Some(number) => channels.open.remove(&number).into_iter().collect(),
            None => std::mem::take(&mut channels.open).into_values().collect(),
        };
        gone.iter().for_each(|channel| channels.close(channel));
    }

    /// A channel has another consumer.
    pub(super) fn count_consumer(&self, consumer: ConsumerKey) {
        if let Some(state) = self.channels.get(&consumer.channel) {
            state.live.consumers.add(1);
        }
    }

    /// A channel lost a consumer.
    pub(super) fn discount_consumer(&self, consumer: ConsumerKey) {
        if let Some(state) = self.channels.get(&consumer.channel) {
            state.live.consumers.subtract(1);
        }
    }

    /// So many bytes were read from the client.
    pub fn count_received(&self, size: usize) {
        self.arrival.traffic.received_bytes.add(size as u64);
        self.arrival.traffic.reads.add(1);
    }

    /// So many bytes were written to the client.
    pub fn count_sent(&self, size: usize) {
        self.arrival.traffic.sent_bytes.add(size as u64);
        self.arrival.traffic.writes.add(1);
    }
}
