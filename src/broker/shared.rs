//! What all sessions share: virtual hosts, users, numbers, and the list of sessions. What one
//! client does is in `session`.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, RwLock};

use super::durability::Durability;
use super::lock::{lock, read, write};
use super::mailbox::Mailbox;
use super::options::{BrokerOptions, server_properties};
use super::replies::Replies;
use super::virtual_host::VirtualHost;
use crate::auth::{Permissions, User, Users};
use crate::connection::{Event, Options};
use crate::message::{
    ConsumerId, ExchangeId, GetId, Name, QueueId, Random, SessionId, VirtualHostNumber,
};
use crate::protocol::reply::ConnectionError;

/// A broker: everything but its doors.
#[derive(Debug)]
pub struct Broker {
    pub(super) options: BrokerOptions,
    pub(super) connection_options: Arc<Options>,
    pub(super) users: RwLock<Users>,
    pub(super) replies: Replies,
    /// None where everything lives in memory.
    pub(super) durability: Option<Arc<Durability>>,
    /// Publishers are held back.
    pub(super) is_disk_low: AtomicBool,
    pub(super) virtual_hosts: RwLock<BTreeMap<Name, Arc<VirtualHost>>>,
    pub(super) sessions: Mutex<BTreeMap<SessionId, Arc<Mailbox>>>,
    random: Mutex<Random>,
    last_id: AtomicU64,
}

impl Broker {
    /// A broker with its first virtual host and user.
    ///
    /// # Errors
    /// A default permission is no regular expression.
    pub fn new(options: BrokerOptions, seed: [u64; 2]) -> Result<Self, regex::Error> {
        let mut connection_options = options.connection.clone();
        connection_options.server_properties =
            server_properties(&options.product, &options.cluster_name);
        let broker = Self {
            users: RwLock::new(first_users(&options)?),
            connection_options: Arc::new(connection_options),
            options,
            replies: Replies::default(),
            durability: None,
            is_disk_low: AtomicBool::new(false),
            virtual_hosts: RwLock::default(),
            sessions: Mutex::default(),
            random: Mutex::new(Random::new(seed)),
            last_id: AtomicU64::new(0),
        };
        broker.add_virtual_host(&broker.options.default_virtual_host);
        Ok(broker)
    }

    /// Adds a virtual host with its system exchanges; one that is there stays as it is.
    pub fn add_virtual_host(&self, name: &str) {
        let name: Name = name.into();
        let new = || {
            let (number, durability) = (VirtualHostNumber(self.next_id()), self.durability.clone());
            let next_id = || ExchangeId(self.next_id());
            Arc::new(VirtualHost::new(name.clone(), number, durability, next_id))
        };
        write(&self.virtual_hosts).entry(name.clone()).or_insert_with(new);
    }

    /// Adds a user, or puts it in another's place. Who is logged in keeps what it had.
    pub fn add_user(&self, user: User) {
        write(&self.users).insert(user);
    }

    /// The virtual host of this name.
    pub(super) fn virtual_host(&self, name: &str) -> Option<Arc<VirtualHost>> {
        read(&self.virtual_hosts).get(name).cloned()
    }

    fn next_id(&self) -> u64 {
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

    pub(super) fn unregister(&self, id: SessionId) {
        lock(&self.sessions).remove(&id);
    }

    /// How many sessions there are.
    #[must_use]
    pub fn session_count(&self) -> usize {
        lock(&self.sessions).len()
    }

    /// Tells every connection that the broker stops: connection.close 320.
    pub fn shut_down(&self) {
        let text = "broker forced connection closure with reason 'shutdown'";
        let mailboxes: Vec<_> = lock(&self.sessions).values().cloned().collect();
        let mut wakers = Vec::new();
        for mailbox in mailboxes {
            let event = Event::Closing(ConnectionError::connection_forced(text));
            // Who is already gone needs no word.
            let _ = mailbox.push(event, &mut wakers);
        }
        wakers.into_iter().for_each(std::task::Waker::wake);
    }
}

fn first_users(options: &BrokerOptions) -> Result<Users, regex::Error> {
    let [configure, write, read] = &options.default_permissions;
    let permissions = Permissions::new(configure, write, read)?;
    let host: Name = options.default_virtual_host.as_str().into();
    let mut users = Users::default();
    users.insert(User {
        name: options.default_user.as_str().into(),
        password: options.default_password.clone(),
        tags: options.default_user_tags.clone(),
        permissions: BTreeMap::from([(host, Arc::new(permissions))]),
        is_loopback_only: options.loopback_users.contains(&options.default_user),
    });
    Ok(users)
}
