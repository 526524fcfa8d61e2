//! One client: its connection machine, its mailbox, and what it holds in the broker. It turns the
//! machine's effects into deeds and the mailbox's events into frames. Doors only move its bytes.

use core::net::IpAddr;
use std::collections::BTreeMap;
use std::sync::Arc;

use super::batch::Batch;
use super::channel_exchanges::ChannelExchange;
use super::churn::Present;
use super::live_connection::{Arrival, LiveChannel};
use super::login::Checking;
use super::mailbox::Mailbox;
use super::meter::Meter;
use super::pace::Hold;
use super::publish::Routed;
use super::queue_handle::QueueHandle;
use super::route_cache::RouteCache;
use super::shared::Broker;
use super::tallies::{Admission, CountedChannel};
use super::virtual_host::VirtualHost;
use super::waiting::Waiting;
use super::work::Work;

use crate::auth::{Permissions, TopicPermissions, User};
use crate::connection::{Connection, Delivered, Effect, Event, Output, Publish, Reply, Settle};
use crate::limits::{DELIVERY_OVERHEAD_SIZE, PORTION_SIZE_MIN, SESSION_EVENTS_MAX};
use crate::message::{
    Charge, ConsumerId, ConsumerKey, Message, Moment, Name, QueueKind, Random, SessionId,
};
use crate::protocol::reply::AmqpError;

/// Where a client comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Peer {
    /// Its address; none inside one process.
    pub address: Option<IpAddr>,
}

impl Peer {
    /// It is on this machine.
    #[must_use]
    pub fn is_loopback(&self) -> bool {
        self.address.is_none_or(|address| address.to_canonical().is_loopback())
    }
}

/// One client.
#[derive(Debug)]
pub struct Session {
    pub(super) id: SessionId,
    pub(super) broker: Arc<Broker>,
    pub(super) peer: Peer,
    pub(super) name: Name,
    pub(super) arrival: Arrival,
    pub(super) connection: Connection,
    pub(super) mailbox: Arc<Mailbox>,
    pub(super) user: Option<Arc<User>>,
    /// Its password is being checked.
    pub(super) checking: Option<Box<Checking>>,
    pub(super) place: Option<Place>,
    /// How often what users may do had changed when it last looked.
    pub(super) permitted: u64,
    /// It counts as a connection to its virtual host and of its user.
    pub(super) admission: Option<(Admission, Present)>,
    pub(super) channels: BTreeMap<u16, ChannelState>,
    pub(super) consumers: BTreeMap<ConsumerKey, LiveConsumer>,
    pub(super) exclusive_queues: Vec<Arc<QueueHandle>>,
    /// Events told since the output is full.
    told_while_congested: usize,
    /// Bytes of the bodies that wait to be given back.
    pub(super) returned_size: u64,
    pub(super) work: Work,
    pub(super) random: Random,
    /// What waits for the disk.
    pub(super) waiting: Waiting,
    /// A get is not answered yet: the type of its queue.
    pub(super) getting: Option<QueueKind>,
    /// Deliveries that end when the output is with the socket.
    pub(super) sent_settles: Vec<Settle>,
    /// It published: who only consumes is never held back.
    pub(super) has_published: bool,
    /// What it published lately went to the log.
    pub(super) has_logged: bool,
    /// It published while an alarm is on: nothing is read before the alarm is over.
    pub(super) is_blocked: bool,
    /// A queue that is ahead of its consumers, and until when this waits for it.
    pub(super) hold: Option<(Arc<Hold>, Moment)>,
    /// What it publishes, against the limits on that.
    pub(super) meter: Meter,
    pub(super) effects: Vec<Effect>,
    /// Those that are being carried out: where one breaks, the others are not lost.
    pub(super) in_hand: std::vec::IntoIter<Effect>,
    /// What its buffers hold.
    buffered: Charge,
}

/// The virtual host a client is in, and what it may do there.
#[derive(Clone, Debug)]
pub(super) struct Place {
    pub(super) host: Arc<VirtualHost>,
    pub(super) permissions: Arc<Permissions>,
    /// Which routing keys it may use with topic exchanges; none means any.
    pub(super) topics: Option<Arc<TopicPermissions>>,
}

/// What the broker keeps for one channel.
#[derive(Debug)]
pub(super) struct ChannelState {
    /// Something on it failed: what follows is dropped until it is closed.
    pub(super) is_refused: bool,
    /// What others see of it, with its prefetch.
    pub(super) live: Arc<LiveChannel>,
    pub(super) routes: RouteCache,
    /// Publishes that wait for tx.commit.
    pub(super) transaction: Option<Vec<Pending>>,
    /// Where direct replies to this channel go.
    pub(super) reply_token: Option<Name>,
    /// The consumer they are for.
    pub(super) reply_consumer: Option<ConsumerKey>,
    /// It counts as a channel of its user.
    pub(super) counted: Option<CountedChannel>,
    /// It is one of the channels that clients opened.
    pub(super) _opened: Option<Present>,
    /// Something was published on it.
    pub(super) publisher: Option<Present>,
    /// What was published on it to each exchange, as others see it.
    pub(super) exchanges: Vec<Arc<ChannelExchange>>,
}

/// A routed publish that waits for tx.commit.
#[derive(Debug)]
pub(super) struct Pending {
    pub(super) publish: Publish,
    pub(super) routed: Routed,
    /// An exchange looks whether it saw its equal, which is done when it is committed.
    pub(super) is_deduplicated: bool,
    /// Nobody else counts its body yet.
    pub(super) _charge: Charge,
}

/// A consumer of this session.
#[derive(Clone, Debug)]
pub(super) struct LiveConsumer {
    pub(super) id: ConsumerId,
    pub(super) tag: Name,
    pub(super) queue: Arc<QueueHandle>,
}

impl Session {
    /// A client that just came.
    #[must_use]
    pub fn new(broker: Arc<Broker>, peer: Peer, now: Moment) -> Self {
        let mailbox = Arc::new(Mailbox::default());
        let id = broker.register(&mailbox);
        Self::of(broker, peer, (id, mailbox), now)
    }

    /// Somebody whom no list of clients has.
    pub(super) fn unlisted(broker: Arc<Broker>, peer: Peer, now: Moment) -> Self {
        let id = SessionId(broker.next_id());
        Self::of(broker, peer, (id, Arc::default()), now)
    }

    fn of(
        broker: Arc<Broker>,
        peer: Peer,
        (id, mailbox): (SessionId, Arc<Mailbox>),
        now: Moment,
    ) -> Self {
        let broker_random = broker.fork_random();
        let buffered = broker.connection_options.account.charge(0);
        let connection = Connection::new(broker.greeting(), broker.fork_random(), now);
        Self {
            id,
            broker,
            peer,
            name: "in process".into(),
            arrival: Arrival::new(now),
            connection,
            mailbox,
            user: None,
            checking: None,
            place: None,
            permitted: 0,
            admission: None,
            channels: BTreeMap::new(),
            consumers: BTreeMap::new(),
            exclusive_queues: Vec::new(),
            told_while_congested: 0,
            returned_size: 0,
            work: Work::default(),
            random: broker_random,
            waiting: Waiting::default(),
            getting: None,
            sent_settles: Vec::new(),
            has_published: false,
            has_logged: false,
            is_blocked: false,
            hold: None,
            meter: Meter::default(),
            effects: Vec::new(),
            in_hand: Vec::new().into_iter(),
            buffered,
        }
    }

    /// Calls the client by the name that logs and listings use: where it comes from and goes to.
    #[must_use]
    pub fn named(mut self, name: &str) -> Self {
        self.name = name.into();
        self
    }

    /// The connection machine, for what doors want to know of it.
    #[must_use]
    pub fn connection(&self) -> &Connection {
        &self.connection
    }

    /// The user that logged in, and the virtual host it is in.
    #[must_use]
    pub fn login(&self) -> Option<(&str, &str)> {
        Some((&self.user.as_ref()?.name, &self.place.as_ref()?.host.name))
    }

    /// What waits for the socket.
    pub fn output(&mut self) -> &mut Output {
        self.connection.output()
    }

    /// Bytes went to the socket. Once all have, deliveries that nobody acknowledges are over.
    pub fn sent(&mut self, now: Moment) {
        self.work.now = now;
        self.connection.sent(now);
        self.count_buffers();
        if !self.sent_settles.is_empty() && self.connection.output().is_empty() {
            for settle in std::mem::take(&mut self.sent_settles) {
                self.end_deliveries(&settle);
            }
            self.look_after_queues();
            self.work.wake();
        }
    }

    /// Takes bytes and tells how many it used; the rest is to come again after the next
    /// [`Session::pump`], with more bytes, or after the deadline where it published too much.
    pub fn receive(&mut self, input: &[u8], now: Moment) -> usize {
        #[cfg(test)]
        if self.broker.breaks_session.swap(false, std::sync::atomic::Ordering::AcqRel) {
            panic!("planted");
        }
        self.work.now = now;
        self.end_debt(now);
        self.heed_permissions();
        let (mut used, mut least) = (0, PORTION_SIZE_MIN);
        while !self.is_in_debt() {
            let rest = input.get(used..).unwrap_or(&[]);
            let size = self.portion(rest.len(), least, now);
            let portion = rest.get(..size).unwrap_or(rest);
            let step = self.connection.receive(portion, now, &mut self.effects);
            used += step;
            let is_idle = self.effects.is_empty() && portion.len() == rest.len();
            self.pump();
            if (step == 0 && is_idle) || used == input.len() {
                break;
            }
            // Who publishes nothing, or large messages, is through soon.
            least =
                if self.meter.begin_portion() { PORTION_SIZE_MIN } else { least.saturating_mul(2) };
        }
        self.withhold(input.len() - used);
        self.work.wake();
        used
    }

    /// Turns events into frames while the output has room.
    pub fn pump(&mut self) {
        self.forgive();
        self.release_durable();
        self.perform();
        while self.tell_next() {
            self.perform();
        }
        if self.mailbox.len() == 0 && !self.waiting.has_answers() && self.getting.is_none() {
            self.connection.applied();
        }
        self.count_buffers();
        self.show_state();
        self.work.wake();
    }

    /// Tells the next event; false where none can be told now.
    fn tell_next(&mut self) -> bool {
        match self.next_event() {
            Some(event) => {
                self.tell(event);
                true
            }
            None => self.is_congested() && (self.time_out_unread() || self.close_unread()),
        }
    }

    pub(super) fn count_buffers(&mut self) {
        let size = self.connection.buffered_size() + self.meter.withheld_size;
        self.buffered.set_roughly(size as u64);
    }

    /// The event to tell next. While the output is full, only what brings no body, and not much of
    /// it: an answer must not wait behind a message that the client does not read.
    fn next_event(&mut self) -> Option<Event> {
        if !self.is_congested() {
            self.told_while_congested = 0;
            return self.mailbox.pop();
        }
        if self.told_while_congested >= SESSION_EVENTS_MAX {
            return None;
        }
        let event = self.mailbox.pop_if(brings_no_body)?;
        self.told_while_congested += 1;
        Some(event)
    }

    /// When [`Session::elapse`] has something to do.
    #[must_use]
    pub fn deadline(&self) -> Option<Moment> {
        let hold = self.hold.as_ref().map(|(_, until)| *until);
        let debt = self.meter.deadline();
        self.connection.deadline().into_iter().chain(hold).chain(debt).min()
    }

    /// Time passed.
    pub fn elapse(&mut self, now: Moment) {
        self.work.now = now;
        self.end_hold(now);
        self.end_debt(now);
        self.connection.elapse(now, &mut self.effects);
        self.pump();
    }

    /// The socket is gone: everything is released. Messages come back now, however long nothing was
    /// heard of the client: those whose time is over die, and retries wait from this moment.
    pub fn abort(&mut self, now: Moment) {
        self.work.now = now;
        self.connection.abort(&mut self.effects);
        self.perform();
        self.work.wake();
    }

    /// Tells the machine, and gives the window back what a delivery took of it.
    pub(super) fn tell(&mut self, event: Event) {
        let mut cost = 0;
        match &event {
            Event::Delivered(delivered) => {
                cost = window_cost(delivered);
                if self.is_traced() {
                    self.trace_delivered(delivered);
                }
            }
            Event::ConsumerCancelled { consumer, by } => {
                self.consumer_cancelled(*consumer, by.as_deref())
            }
            Event::ConsumerTimedOut { consumer, timeout_ms } => {
                return self.consumer_timed_out(*consumer, *timeout_ms, Vec::new());
            }
            Event::PasswordChecked { is_right } => return self.password_checked(*is_right),
            Event::Returned { message, .. } => self.returned_size -= message.body_size(),
            Event::Answered { channel, reply: reply @ (Reply::Got { .. } | Reply::GotEmpty) } => {
                self.count_get(*channel, reply);
                if self.is_traced() && self.connection.takes_answers(*channel) {
                    self.trace_got(*channel, reply);
                }
            }
            Event::AlarmsChanged => self.alarms_changed(),
            _ => {}
        }
        let is_direct = matches!(&event, Event::Delivered(delivered) if delivered.queue.0 == 0);
        self.connection.notify(event, &mut self.effects);
        if is_direct {
            self.mailbox.reply_window.give(cost);
        } else if cost > 0 && self.mailbox.window.give(cost) {
            self.resume(None);
        }
    }

    /// A consumer lost its queue. Credit that a queue took and left unused as it broke is free for
    /// others, who are offered again.
    fn consumer_cancelled(&mut self, key: ConsumerKey, by: Option<&str>) {
        if let Some(consumer) = self.consumers.remove(&key) {
            self.discount_consumer(key);
            self.note_consumer_end(key, &consumer, by);
        }
        let state = self.channels.get(&key.channel);
        if state.is_some_and(|state| state.live.credit.give(0)) {
            self.resume(Some(key.channel));
        }
        if self.mailbox.window.give(0) {
            self.resume(None);
        }
    }

    /// Offers again to the consumers of a channel, or of all.
    pub(super) fn resume(&mut self, channel: Option<u16>) {
        let short =
            self.consumers.iter().filter(|(key, _)| channel.is_none_or(|n| key.channel == n));
        for (_, consumer) in short {
            // In what is out of service, nobody is a consumer.
            let _ = consumer.queue.with(&mut self.work, |live| live.queue.resume(consumer.id));
        }
    }

    /// Carries out the machine's effects, neighbours of one kind together.
    fn perform(&mut self) {
        while self.in_hand.len() > 0 || !self.effects.is_empty() {
            if self.in_hand.len() == 0 {
                self.in_hand = std::mem::take(&mut self.effects).into_iter();
            }
            let mut batch = Batch::default();
            while let Some(effect) = self.in_hand.next() {
                if let Effect::Publish(publish) = effect {
                    self.publish(publish, &mut batch);
                    continue;
                }
                self.flush(&mut batch);
                batch.routes.forget();
                self.carry_out(effect);
            }
            self.flush(&mut batch);
        }
        self.pay();
        self.look_after_queues();
    }

    fn carry_out(&mut self, effect: Effect) {
        match effect {
            Effect::Authenticate(credentials) => self.authenticate(&credentials),
            Effect::OpenVirtualHost(name) => self.open_virtual_host(&name),
            Effect::Request(request) => self.handle(request),
            Effect::Settle(settle) => self.settle(&settle),
            Effect::SettleSent(settle) => self.sent_settles.push(settle),
            Effect::Release(settles) => self.release(&settles),
            // Publishes are gathered before they come to this.
            Effect::Publish(_) => {}
        }
    }

    /// The state of a channel that others do not see yet. What no connection has counts by itself.
    pub(super) fn new_channel(&self, number: u16) -> ChannelState {
        let traffic = self.connection.traffic_of(number).unwrap_or_default();
        ChannelState {
            is_refused: false,
            live: Arc::new(LiveChannel::new(traffic)),
            routes: RouteCache::default(),
            transaction: None,
            reply_token: None,
            reply_consumer: None,
            counted: None,
            _opened: None,
            publisher: None,
            exchanges: Vec::new(),
        }
    }

    /// Tells this client's own connection.
    pub(super) fn post(&mut self, event: Event) {
        // A closed mailbox means that nobody is left to tell.
        let _ = self.mailbox.push(event, &mut self.work.wakers);
    }

    /// Answers a request: at once, or when the last fact of this step is on disk.
    pub(super) fn answer(&mut self, channel: u16, reply: Reply) {
        self.post_durable(Event::Answered { channel, reply });
    }

    /// Refuses something on a channel; what follows on it is dropped.
    pub(super) fn refuse(&mut self, channel: u16, error: AmqpError) {
        if let Some(state) = self.channels.get_mut(&channel) {
            state.is_refused = true;
        }
        self.post(Event::Refused { channel, error });
    }
}

/// An event that becomes a method and nothing more, or no frame at all.
fn brings_no_body(event: &Event) -> bool {
    !matches!(
        event,
        Event::Delivered(_)
            | Event::Returned { .. }
            | Event::Answered { reply: Reply::Got { .. }, .. }
    )
}

/// What a run takes of the session's window: as the queue counts it.
pub(super) fn window_cost(delivered: &Delivered) -> u64 {
    let cost = |message: &Message| message.body_size() + DELIVERY_OVERHEAD_SIZE;
    delivered.run.iter().map(|delivery| cost(&delivery.message)).sum()
}
