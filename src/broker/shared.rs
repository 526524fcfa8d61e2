//! What all sessions share: virtual hosts, users, numbers, and the list of sessions. What one
//! client does is in `session`.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, RwLock};

use super::alarm::LiveAlarms;
use super::churn::Churn;
use super::dead_letters::PutOff;
use super::declaration::DeclarationRefused;
use super::durability::Durability;
use super::events::Events;
use super::lock::{Failure, lock, read};
use super::mailbox::Mailbox;
use super::measures::Measures;
use super::message_counts::MessageCounts;
use super::options::{BrokerOptions, server_properties};
use super::password_checks::PasswordChecks;
use super::publish_rate::UserRates;
use super::replies::Replies;
use super::tallies::Tallies;
use super::timers::Timers;
use super::traffic::PastClients;
use super::virtual_host::VirtualHost;
use super::watermarks::Watermarks;
use crate::auth::{LoginFailures, Users};
use crate::connection::{Event, Options};
use crate::definitions::NodeDefinitions;
use crate::message::{ConsumerId, ExchangeId, GetId, Name, QueueId, Random, SessionId};
use crate::protocol::reply::ConnectionError;

/// A broker: everything but its doors.
#[derive(Debug)]
pub struct Broker {
    pub(super) options: BrokerOptions,
    /// As the operator wrote them.
    pub(super) connection_options: Arc<Options>,
    /// The same with what was set since.
    pub(super) greeting: RwLock<Arc<Options>>,
    /// What is declared for the node; `users` and `virtual_hosts` follow it.
    pub(super) node_definitions: Mutex<NodeDefinitions>,
    pub(super) users: RwLock<Users>,
    pub(super) virtual_hosts: RwLock<BTreeMap<Name, Arc<VirtualHost>>>,
    /// Somebody adds what there is a limit on.
    pub(super) adding: Mutex<()>,
    pub(super) login_failures: Mutex<LoginFailures>,
    pub(super) password_checks: PasswordChecks,
    pub(super) replies: Replies,
    pub(super) timers: Arc<Timers>,
    pub(super) events: Arc<Events>,
    pub(super) counts: Arc<MessageCounts>,
    pub(super) churn: Arc<Churn>,
    pub(super) measures: Measures,
    /// What clients came to that left.
    pub(super) past_clients: PastClients,
    pub(super) put_off: PutOff,
    pub(super) tallies: Arc<Tallies>,
    pub(super) user_rates: UserRates,
    /// Limits on publishing changed, and nobody was told yet who waits by the old ones.
    pub(super) has_new_rates: AtomicBool,
    /// How often what users may do changed: sessions look whether it still is what they know.
    pub(super) permitted: AtomicU64,
    /// Where in the log the last change of what is declared for the node stands.
    pub(super) changed_at: AtomicU64,
    /// None where everything lives in memory.
    pub(super) durability: Option<Arc<Durability>>,
    /// Why the node has to stop.
    pub(super) failure: Arc<Failure>,
    /// What the node is short of: publishers are held back.
    pub(super) alarms: LiveAlarms,
    pub(super) watermarks: Mutex<Watermarks>,
    pub(super) sessions: Mutex<BTreeMap<SessionId, Arc<Mailbox>>>,
    pub(super) random: Mutex<Random>,
    last_id: AtomicU64,
    /// A panic is planted for the next session that receives something.
    #[cfg(test)]
    pub(super) breaks_session: AtomicBool,
}

impl Broker {
    /// A broker with its first virtual host and user.
    ///
    /// # Errors
    /// A default permission is no regular expression.
    pub fn new(options: BrokerOptions, seed: [u64; 2]) -> Result<Self, DeclarationRefused> {
        let broker = Self::empty(options, seed);
        broker.declare_defaults()?;
        Ok(broker)
    }

    /// A broker in which nothing is declared: nobody can log in.
    #[must_use]
    pub fn empty(options: BrokerOptions, seed: [u64; 2]) -> Self {
        let mut connection_options = options.connection.clone();
        connection_options.server_properties =
            server_properties(&options.product, &options.cluster_name);
        let connection_options = Arc::new(connection_options);
        let timers = Arc::<Timers>::default();
        let watermarks = Watermarks::new(
            options.memory_high_watermark,
            options.disk_free_limit,
            options.memory_available,
        );
        Self {
            events: Arc::new(Events::new(&options, timers.clone())),
            timers,
            greeting: RwLock::new(connection_options.clone()),
            connection_options,
            options,
            node_definitions: Mutex::default(),
            users: RwLock::default(),
            virtual_hosts: RwLock::default(),
            adding: Mutex::default(),
            login_failures: Mutex::default(),
            password_checks: PasswordChecks::default(),
            replies: Replies::default(),
            counts: Arc::default(),
            churn: Arc::default(),
            measures: Measures::default(),
            past_clients: PastClients::default(),
            put_off: PutOff::default(),
            tallies: Arc::default(),
            user_rates: UserRates::default(),
            has_new_rates: AtomicBool::new(false),
            permitted: AtomicU64::new(0),
            changed_at: AtomicU64::new(0),
            durability: None,
            failure: Arc::default(),
            alarms: LiveAlarms::default(),
            watermarks: Mutex::new(watermarks),
            sessions: Mutex::default(),
            random: Mutex::new(Random::new(seed)),
            last_id: AtomicU64::new(0),
            #[cfg(test)]
            breaks_session: AtomicBool::new(false),
        }
    }

    /// Numbers below this one are, or were, in use.
    pub(super) fn skip_ids_below(&self, next: u64) {
        self.last_id.fetch_max(next.saturating_sub(1), Ordering::Relaxed);
    }

    /// The virtual host of this name.
    pub(super) fn virtual_host(&self, name: &str) -> Option<Arc<VirtualHost>> {
        read(&self.virtual_hosts).get(name).cloned()
    }

    pub(super) fn next_id(&self) -> u64 {
        self.last_id.fetch_add(1, Ordering::Relaxed) + 1
    }

    pub(super) fn next_queue_id(&self) -> QueueId {
        QueueId(self.next_id())
    }

    pub(super) fn next_exchange_id(&self) -> ExchangeId {
        ExchangeId(self.next_id())
    }

    pub(super) fn next_consumer_id(&self) -> ConsumerId {
        ConsumerId(self.next_id())
    }

    pub(super) fn next_get_id(&self) -> GetId {
        GetId(self.next_id())
    }

    /// A random number.
    pub(super) fn draw(&self) -> u64 {
        lock(&self.random).draw()
    }

    /// A source of random numbers for one session.
    pub(super) fn fork_random(&self) -> Random {
        lock(&self.random).fork()
    }

    /// Lists a session; gives its number.
    pub(super) fn register(&self, mailbox: &Arc<Mailbox>) -> SessionId {
        let id = SessionId(self.next_id());
        lock(&self.sessions).insert(id, mailbox.clone());
        id
    }

    /// How many sessions there are.
    #[must_use]
    pub fn session_count(&self) -> usize {
        lock(&self.sessions).len()
    }

    /// Tells every connection that the broker stops: connection.close 320.
    pub fn shut_down(&self) {
        self.close_connections("broker forced connection closure with reason 'shutdown'");
    }

    /// Closes all connections there are: their clients hear connection.close 320 with this reason.
    /// Gives how many there were.
    pub fn close_connections(&self, reason: &str) -> usize {
        let mailboxes: Vec<_> = lock(&self.sessions).values().cloned().collect();
        let (count, mut wakers) = (mailboxes.len(), Vec::new());
        for mailbox in mailboxes {
            let event = Event::Closing(ConnectionError::connection_forced(reason));
            // Who is already gone needs no word.
            let _ = mailbox.push(event, &mut wakers);
        }
        wakers.into_iter().for_each(std::task::Waker::wake);
        count
    }
}
