//! Who the client is and which virtual host it enters. The order of the checks is RabbitMQ's
//! (behavior 1.3, 1.4).

use std::sync::Arc;

use tracing::{info, warn};

use super::churn::{Coming, Happened};
use super::lock::{lock, read};
use super::meter::Meter;
use super::password_checks::{Asker, Quick};
use super::session::{Peer, Place, Session};
use super::shared::Broker;
use super::tallies::{Admission, Entrant, NoChannel, NoEntry};
use super::virtual_host::VirtualHost;
use crate::auth::{
    Claim, Login, LoginRefused, MechanismError, Permissions, TopicPermissions, User, read_response,
};
use crate::connection::{Credentials, Event, Reply};
use crate::definitions::UserLimits;
use crate::message::{Moment, Name};
use crate::protocol::reply::{AmqpError, ConnectionError};

/// connection.start-ok, connection.open and connection.update-secret, which the errors are about.
const START_OK: (u16, u16) = (10, 11);
const OPEN: (u16, u16) = (10, 40);
pub(super) const UPDATE_SECRET: (u16, u16) = (10, 70);

/// Why a login by certificate is refused: for the log, and RabbitMQ's words.
const NO_CERTIFICATE: [&str; 2] =
    ["the client presented no certificate", "connection peer presented no TLS (x.509) certificate"];
const NO_NAME: [&str; 2] = ["no name was found in the certificate", "no name found"];

/// A password that is being checked.
#[derive(Debug)]
pub(super) struct Checking {
    claimed: Result<Arc<User>, LoginRefused>,
    what: What,
}

/// What a password is for.
#[derive(Debug)]
enum What {
    Login(Login, String),
    NewSecret,
}

impl Session {
    pub(super) fn authenticate(&mut self, credentials: &Credentials) {
        let offered = self.connection.mechanisms();
        let mechanism = &credentials.mechanism;
        match read_response(&offered, mechanism, &credentials.response) {
            Ok(Claim::Password(login)) => self.check_login(login, mechanism),
            Ok(Claim::Certificate) => self.check_certificate(mechanism),
            Ok(Claim::Anonymous) => match self.broker.options.anonymous.clone() {
                Some(login) => self.check_login(login, mechanism),
                None => {
                    let why = "nobody comes in so";
                    self.refuse_nameless([why, why], mechanism);
                }
            },
            Ok(Claim::Nameless) => {
                let why = "the name of the user is not UTF-8";
                self.refuse_nameless([why, why], mechanism);
            }
            Err(error) => {
                let error = mechanism_failure(&error);
                self.answer_login(Event::Refused { channel: 0, error });
            }
        }
    }

    fn check_login(&mut self, login: Login, mechanism: &str) {
        let claimed = match self.broker.check_quickly(&login, self.peer) {
            Quick::Known(known) => return self.end_login(known, &login, mechanism),
            Quick::Slow(claimed) => claimed,
        };
        let password = login.password.clone();
        match self.have_checked(claimed.clone(), password) {
            Ok(()) => {
                let what = What::Login(login, mechanism.to_owned());
                self.checking = Some(Box::new(Checking { claimed, what }));
            }
            Err(refused) => self.end_login(Err(refused), &login, mechanism),
        }
    }

    /// Has a password checked that takes long.
    fn have_checked(
        &self,
        claimed: Result<Arc<User>, LoginRefused>,
        password: Vec<u8>,
    ) -> Result<(), LoginRefused> {
        self.broker.check_slowly(claimed.ok(), password, Asker::Session(self.mailbox.clone()))
    }

    /// The certificate was checked when the connection was encrypted: whose it is, is left.
    fn check_certificate(&mut self, mechanism: &str) {
        let encryption = self.arrival.encryption.as_deref();
        let Some(certificate) = encryption.and_then(|found| found.certificate.as_ref()) else {
            return self.refuse_nameless(NO_CERTIFICATE, mechanism);
        };
        let Some(name) = certificate.user.clone() else {
            return self.refuse_nameless(NO_NAME, mechanism);
        };
        let is_loopback = self.peer.is_loopback();
        let proven = read(&self.broker.users).check_proven(&name, is_loopback).cloned();
        self.end_login(proven, &Login { user: name, password: Vec::new() }, mechanism);
    }

    /// It is known whether a password is right that took long to check.
    pub(super) fn password_checked(&mut self, is_right: bool) {
        let Some(checking) = self.checking.take() else { return };
        let Checking { claimed, what } = *checking;
        let proven = self.broker.proven(claimed, is_right);
        match what {
            What::Login(login, mechanism) => self.end_login(proven, &login, &mechanism),
            What::NewSecret => {
                self.work.position = 0;
                match self.take_secret(proven) {
                    Ok(reply) => self.answer(0, reply),
                    Err(error) => self.refuse(0, error.at(UPDATE_SECRET.0, UPDATE_SECRET.1)),
                }
            }
        }
    }

    fn end_login(
        &mut self,
        proven: Result<Arc<User>, LoginRefused>,
        login: &Login,
        mechanism: &str,
    ) {
        let event = match proven {
            Ok(user) => {
                let name = user.name.clone();
                self.user = Some(user);
                self.work.user = Some(name.clone());
                self.note_login(Some(login), mechanism, None);
                self.arrival.auth_mechanism = Some(mechanism.into());
                Event::Authenticated { user: name }
            }
            Err(reason) => {
                let told = format!("user '{}' - {reason}", login.shown_user());
                self.note_login(Some(login), mechanism, Some(&told));
                self.refuse_login(reason, login, mechanism)
            }
        };
        self.answer_login(event);
    }

    /// Who that was nobody knows. Why is told in the log, and in an event in RabbitMQ's words.
    fn refuse_nameless(&mut self, [logged, told]: [&str; 2], mechanism: &str) {
        self.note_login(None, mechanism, Some(told));
        self.answer_login(self.refusal(logged, mechanism));
    }

    fn refuse_login(&self, reason: LoginRefused, login: &Login, mechanism: &str) -> Event {
        self.refusal(&format!("user '{}' {reason}", login.shown_user()), mechanism)
    }

    fn refusal(&self, why: &str, mechanism: &str) -> Event {
        let name = &self.name;
        warn!(target: "connection", "connection {name}: login refused: {why}");
        let delay_ms = self.broker.note_failed_login(self.peer, self.work.now);
        let error = ConnectionError::access_refused(format!(
            "Login was refused using authentication mechanism {mechanism}. \
             For details see the broker logfile."
        ));
        Event::LoginRefused { error, delay_ms }
    }

    fn answer_login(&mut self, event: Event) {
        self.broker.churn.count(match &event {
            Event::Authenticated { .. } => Happened::LoginSucceeded,
            _ => Happened::LoginFailed,
        });
        self.post(event);
    }

    /// A new secret is checked as the first one was. Where that takes long, the answer comes later,
    /// and another one is not looked at before.
    pub(super) fn update_secret(&mut self, secret: &[u8]) -> Result<Option<Reply>, AmqpError> {
        let user = self.user_name();
        if self.checking.is_some() {
            let text = format!("a new secret of user '{user}' is being checked already");
            return Err(ConnectionError::not_allowed(text).into());
        }
        let login = Login { user: user.to_owned(), password: secret.to_vec() };
        let claimed = match self.broker.check_quickly(&login, self.peer) {
            Quick::Known(known) => return self.take_secret(known).map(Some),
            Quick::Slow(claimed) => claimed,
        };
        match self.have_checked(claimed.clone(), login.password) {
            Ok(()) => {
                let what = What::NewSecret;
                self.checking = Some(Box::new(Checking { claimed, what }));
                Ok(None)
            }
            Err(refused) => self.take_secret(Err(refused)).map(Some),
        }
    }

    fn take_secret(&mut self, proven: Result<Arc<User>, LoginRefused>) -> Result<Reply, AmqpError> {
        let Ok(user) = proven else {
            let user = self.user_name();
            let text = format!("the new secret of user '{user}' was refused");
            return Err(ConnectionError::not_allowed(text).into());
        };
        self.user = Some(user);
        Ok(Reply::SecretUpdated)
    }

    pub(super) fn open_virtual_host(&mut self, name: &str) {
        let event = match self.enter(name) {
            Ok(place) => {
                info!(
                    target: "connection",
                    "connection {}: user '{}' authenticated and granted access to vhost '{name}'",
                    self.name,
                    self.user_name()
                );
                self.place = Some(place);
                self.show_connection();
                self.note_connection();
                Event::VirtualHostOpened
            }
            Err(error) => Event::Refused { channel: 0, error: error.at(OPEN.0, OPEN.1).into() },
        };
        self.post(event);
    }

    /// Enters a virtual host, and is counted there.
    fn enter(&mut self, name: &str) -> Result<Place, ConnectionError> {
        let is_full = self.broker.tallies.check_node(self.broker.options.node_limits.connections);
        is_full.map_err(|refused| self.no_entry(name, refused))?;
        let host = self.broker.virtual_host(name).ok_or_else(|| host_not_found(name))?;
        let admission = self.admit(&host).map_err(|refused| self.no_entry(name, refused))?;
        let permissions = self.permissions_now(name).filter(|_| self.is_still_itself());
        let permissions = permissions.ok_or_else(|| {
            let user = self.user_name();
            ConnectionError::not_allowed(format!(
                "access to vhost '{name}' refused for user '{user}'"
            ))
        })?;
        self.admission = Some((admission, self.broker.churn.open(Coming::Connection)));
        self.meter = self.meter_in(&host);
        let topics = self.topics_now(name);
        Ok(Place { host, permissions, topics })
    }

    /// What holds for its publishes in a virtual host.
    pub(super) fn meter_in(&self, host: &VirtualHost) -> Meter {
        let Some(user) = &self.user else { return Meter::default() };
        Meter::new(host.publish_rate.clone(), self.broker.user_rates.of(&user.name))
    }

    /// What the user may do in a virtual host, whatever it was when it logged in: the virtual host
    /// may have gone since, and another of its name come.
    pub(super) fn permissions_now(&self, host: &str) -> Option<Arc<Permissions>> {
        if self.is_machine_owner() {
            return Permissions::new(".*", ".*", ".*").ok().map(Arc::new);
        }
        let users = read(&self.broker.users);
        users.user(self.user_name())?.permissions.get(host).cloned()
    }

    /// The user that logged in has not gone since, nor come again with another password.
    fn is_still_itself(&self) -> bool {
        let users = read(&self.broker.users);
        let (known, user) = (users.user(self.user_name()), &self.user);
        known.zip(user.as_ref()).is_some_and(|(known, user)| known.password == user.password)
    }

    /// Nothing that was declared says what it may do.
    fn is_machine_owner(&self) -> bool {
        self.user.as_ref().is_some_and(|user| user.is_machine_owner)
    }

    /// Which routing keys it may use there, as above.
    pub(super) fn topics_now(&self, host: &str) -> Option<Arc<TopicPermissions>> {
        if self.is_machine_owner() {
            return None;
        }
        let users = read(&self.broker.users);
        users.user(self.user_name())?.topic_permissions.get(host).cloned()
    }

    fn admit(&self, host: &VirtualHost) -> Result<Admission, NoEntry> {
        let Some(user) = &self.user else { return Err(NoEntry::Deleted) };
        let limits = self.broker.limits_of(&user.name);
        let (session, mailbox, user) = (self.id, &self.mailbox, &user.name);
        let node_limit = self.broker.options.node_limits.connections;
        let entrant = Entrant { session, mailbox, user, limits, node_limit };
        self.broker.tallies.enter(host, &entrant)
    }

    fn no_entry(&self, host: &str, refused: NoEntry) -> ConnectionError {
        let user = self.user_name();
        ConnectionError::not_allowed(match refused {
            NoEntry::Deleted => return host_not_found(host),
            NoEntry::NodeFull(limit) => {
                format!("connection refused: node connection limit ({limit}) is reached")
            }
            NoEntry::HostFull(limit) => format!(
                "access to vhost '{host}' refused for user '{user}': connection limit ({limit}) is \
                 reached"
            ),
            NoEntry::UserFull(limit) => format!(
                "connection refused for user '{user}': user connection limit ({limit}) is reached"
            ),
        })
    }

    /// A channel that was just opened counts, unless the node or its user has as many as it may:
    /// the connection ends then, and nothing more is done on the channel.
    pub(super) fn count_channel(&mut self, channel: u16) -> bool {
        let Some(user) = self.user.as_ref().map(|user: &Arc<User>| user.name.clone()) else {
            return true;
        };
        let limits = self.broker.limits_of(&user);
        let node_limit = self.broker.options.node_limits.channels;
        let counted = self.broker.tallies.open_channel(&user, limits, node_limit);
        let Some(state) = self.channels.get_mut(&channel) else { return true };
        match counted {
            Ok(counted) => {
                state.counted = Some(counted);
                true
            }
            Err(refused) => {
                state.is_refused = true;
                let text = no_channel(refused, &self.broker.options.node_name, &user);
                self.post(Event::Closing(ConnectionError::not_allowed(text)));
                false
            }
        }
    }
}

impl Broker {
    /// A login failed: how much longer than usual its answer takes. Who is inside this process
    /// guesses nothing.
    pub(super) fn note_failed_login(&self, peer: Peer, now: Moment) -> u64 {
        peer.address.map_or(0, |address| lock(&self.login_failures).note(address, now))
    }

    /// What limits a user now, whenever it logged in.
    fn limits_of(&self, user: &Name) -> UserLimits {
        read(&self.users).user(user).map(|user| user.limits).unwrap_or_default()
    }
}

fn no_channel(refused: NoChannel, node: &str, user: &str) -> String {
    match refused {
        NoChannel::NodeFull(limit) => format!(
            "number of channels opened on node '{node}' has reached the maximum allowed limit of \
             ({limit})"
        ),
        NoChannel::UserFull(limit) => format!(
            "number of channels opened for user '{user}' has reached the maximum allowed user \
             limit of ({limit})"
        ),
    }
}

fn host_not_found(name: &str) -> ConnectionError {
    ConnectionError::not_allowed(format!("vhost {name} not found"))
}

fn mechanism_failure(error: &MechanismError) -> AmqpError {
    match error {
        MechanismError::Unknown(name) => {
            ConnectionError::command_invalid(format!("unknown authentication mechanism '{name}'"))
        }
        MechanismError::Malformed(text) => ConnectionError::syntax_error(*text),
    }
    .at(START_OK.0, START_OK.1)
    .into()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::super::BrokerOptions;
    use super::*;
    use crate::definitions::{HostSettings, PermissionDefinition};

    #[test]
    fn a_virtual_host_that_was_made_anew_since_the_login_is_entered_by_new_permissions_only() {
        let broker = Arc::new(Broker::new(BrokerOptions::default(), [1, 2]).unwrap());
        let mut session = Session::new(broker.clone(), Peer { address: None }, Moment(0));
        session.user = read(&broker.users).user("guest").cloned();
        broker.by_node().delete_virtual_host("/", Moment(1));
        broker.declare_virtual_host("/", HostSettings::default());
        let refused = session.enter("/").unwrap_err();
        let text = "NOT_ALLOWED - access to vhost '/' refused for user 'guest'";
        assert_eq!(refused.text, text);
        let permission = PermissionDefinition {
            user: "guest".into(),
            host: "/".into(),
            configure: String::new(),
            write: String::new(),
            read: String::new(),
        };
        broker.by_node().set_permission(&permission).unwrap();
        assert!(session.enter("/").is_ok());
    }

    #[test]
    fn a_user_that_was_made_anew_since_the_login_does_not_enter() {
        let broker = Arc::new(Broker::new(BrokerOptions::default(), [1, 2]).unwrap());
        let logged_in = || {
            let mut session = Session::new(broker.clone(), Peer { address: None }, Moment(0));
            session.user = read(&broker.users).user("guest").cloned();
            session
        };
        let (mut late, mut prompt) = (logged_in(), logged_in());
        assert!(prompt.enter("/").is_ok());
        let password = broker.hash_password("guest", "other");
        broker.by_node().set_user("guest", password, Vec::new(), BTreeMap::new());
        let refused = late.enter("/").unwrap_err();
        let text = "NOT_ALLOWED - access to vhost '/' refused for user 'guest'";
        assert_eq!(refused.text, text);
    }
}
