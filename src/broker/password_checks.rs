//! Passwords whose hash takes long to make: logins that are checked and new hashes wait here for a
//! thread that makes one after the other, so that nobody else's messages wait meanwhile, and no
//! more memory is taken than one takes. In a broker that has no such thread, who asks does it by
//! itself.

use std::collections::VecDeque;
use std::hint::black_box;
use std::sync::{Arc, Mutex};
use std::task::Waker;

use tracing::warn;

use super::lock::{lock, read};
use super::mailbox::Mailbox;
use super::session::Peer;
use super::shared::Broker;
use crate::auth::{Checked, Login, LoginRefused, User};
use crate::connection::Event;
use crate::definitions::{HashingAlgorithm, PasswordHash};
use crate::limits::PASSWORD_CHECKS_MAX;
use crate::message::Moment;

/// Those that wait, and who looks after them.
#[derive(Debug, Default)]
pub(super) struct PasswordChecks(Mutex<Inner>);

#[derive(Debug, Default)]
struct Inner {
    waiting: VecDeque<Task>,
    /// There is a thread for them.
    has_checker: bool,
    /// It sleeps.
    checker: Option<Waker>,
}

/// One hash that is to be made.
#[derive(Debug)]
enum Task {
    /// Is this the user's password? Where it is nobody's, that takes as long.
    Check { user: Option<Arc<User>>, password: Vec<u8>, asker: Asker },
    /// What is the hash of this password?
    Hash { algorithm: HashingAlgorithm, password: Vec<u8>, salt: [u8; 16], done: Arc<Outcome> },
}

/// Who is to hear whether a password is right.
#[derive(Debug)]
pub(super) enum Asker {
    /// A client, by [`Event::PasswordChecked`].
    Session(Arc<Mailbox>),
    /// A door without a session.
    Door(Arc<Outcome>),
}

/// What came of it for a door, once that is known, and who waits for it.
#[derive(Debug, Default)]
pub(super) struct Outcome(Mutex<(Option<Made>, Option<Waker>)>);

#[derive(Clone, Debug)]
enum Made {
    Checked(bool),
    Hashed(PasswordHash),
}

impl Outcome {
    fn tell(&self, made: Made) {
        let mut inner = lock(&self.0);
        inner.0 = Some(made);
        let waker = inner.1.take();
        drop(inner);
        waker.into_iter().for_each(Waker::wake);
    }

    /// What came of it; none where that is not known: then the waker is told.
    fn poll(&self, waker: &Waker) -> Option<Made> {
        let mut inner = lock(&self.0);
        if inner.0.is_none() {
            inner.1 = Some(waker.clone());
        }
        inner.0.clone()
    }
}

impl PasswordChecks {
    /// Has a hash made. The task comes back where nobody would make it, or as many wait as may.
    fn ask(&self, task: Task) -> Result<(), (Task, bool)> {
        let mut inner = lock(&self.0);
        let is_full = inner.waiting.len() >= PASSWORD_CHECKS_MAX;
        if !inner.has_checker || is_full {
            return Err((task, is_full));
        }
        inner.waiting.push_back(task);
        let checker = inner.checker.take();
        drop(inner);
        checker.into_iter().for_each(Waker::wake);
        Ok(())
    }
}

impl Task {
    fn carry_out(self) {
        match self {
            Self::Check { user: Some(user), password, asker } => {
                asker.tell(is_right(&user, &password));
            }
            Self::Check { user: None, password, asker } => {
                feign(&password);
                asker.tell(false);
            }
            Self::Hash { algorithm, password, salt, done } => {
                done.tell(Made::Hashed(PasswordHash::new(algorithm, &password, salt)));
            }
        }
    }
}

impl Asker {
    fn tell(self, is_right: bool) {
        match self {
            Self::Session(mailbox) => {
                let mut wakers = Vec::new();
                // Who is already gone needs no word.
                let _ = mailbox.push(Event::PasswordChecked { is_right }, &mut wakers);
                wakers.into_iter().for_each(Waker::wake);
            }
            Self::Door(outcome) => outcome.tell(Made::Checked(is_right)),
        }
    }
}

/// It takes its time. What is right is known from then on.
fn is_right(user: &User, password: &[u8]) -> bool {
    let is_right = user.password.is_of(password);
    if is_right {
        user.prove(password);
    }
    is_right
}

/// Takes the time that checking a password takes: a refusal tells nobody who is known here.
fn feign(password: &[u8]) {
    black_box(PasswordHash::new(HashingAlgorithm::Argon2id, password, [0; 16]));
}

/// A login at a door that keeps no connection of its own.
#[derive(Debug)]
pub struct LoginCheck {
    peer: Peer,
    login: Login,
    step: Step,
}

#[derive(Debug)]
enum Step {
    Known(Result<Arc<User>, LoginRefused>),
    /// It is this user if the password is right, or nobody in any case.
    Waits {
        claimed: Result<Arc<User>, LoginRefused>,
        outcome: Arc<Outcome>,
    },
}

/// What is known of a login before anything that takes long.
#[derive(Debug)]
pub(super) enum Quick {
    Known(Result<Arc<User>, LoginRefused>),
    /// It is this user if the password is right; where it is nobody, that takes as long to say.
    Slow(Result<Arc<User>, LoginRefused>),
}

/// A hash that is being made for a door.
#[derive(Debug)]
pub struct NewHash(Arc<Outcome>);

impl NewHash {
    /// The hash; none where it is not made yet: then the waker is told.
    #[must_use]
    pub fn poll(&self, waker: &Waker) -> Option<PasswordHash> {
        match self.0.poll(waker)? {
            Made::Hashed(hash) => Some(hash),
            Made::Checked(_) => None,
        }
    }
}

impl Broker {
    /// Begins to check credentials, for a door that keeps no connection of its own.
    #[must_use]
    pub fn begin_login(&self, login: Login, peer: Peer) -> LoginCheck {
        let step = match self.check_quickly(&login, peer) {
            Quick::Known(known) => Step::Known(known),
            Quick::Slow(claimed) => {
                let outcome = Arc::new(Outcome::default());
                let asker = Asker::Door(outcome.clone());
                match self.check_slowly(claimed.clone().ok(), login.password.clone(), asker) {
                    Ok(()) => Step::Waits { claimed, outcome },
                    Err(refused) => Step::Known(Err(refused)),
                }
            }
        };
        LoginCheck { peer, login, step }
    }

    /// The user whom the credentials prove, or for how many milliseconds the refusal is to wait;
    /// none as long as that is not known: then the waker is told.
    pub fn poll_login(
        &self,
        check: &LoginCheck,
        waker: &Waker,
        now: Moment,
    ) -> Option<Result<Arc<User>, u64>> {
        let known = match &check.step {
            Step::Known(known) => known.clone(),
            Step::Waits { claimed, outcome } => {
                let is_right = matches!(outcome.poll(waker)?, Made::Checked(true));
                self.proven(claimed.clone(), is_right)
            }
        };
        Some(known.map_err(|refused| {
            let name = check.login.shown_user();
            warn!(target: "management", "access denied: user '{name}' - {refused}");
            self.note_failed_login(check.peer, now)
        }))
    }

    /// What is known of a login at once. Where to check passwords takes long, a refusal does too.
    pub(super) fn check_quickly(&self, login: &Login, peer: Peer) -> Quick {
        let users = read(&self.users);
        match users.check(login, peer.is_loopback()) {
            Ok(Checked::Proven(user)) => Quick::Known(Ok(user)),
            Ok(Checked::Slow(user)) => Quick::Slow(Ok(user)),
            Err(refused) => {
                let takes_long = self.options.hashing_algorithm.is_slow() || users.are_slow();
                // A blank one is nobody's, and is not looked at.
                match takes_long && !login.password.is_empty() {
                    true => Quick::Slow(Err(refused)),
                    false => Quick::Known(Err(refused)),
                }
            }
        }
    }

    /// What came of a login that was checked slowly.
    pub(super) fn proven(
        &self,
        claimed: Result<Arc<User>, LoginRefused>,
        is_right: bool,
    ) -> Result<Arc<User>, LoginRefused> {
        let user = self.still_itself(&*claimed?).filter(|_| is_right);
        user.ok_or(LoginRefused::WrongCredentials)
    }

    /// Has a password checked that takes long. Who asks is told, perhaps at once.
    pub(super) fn check_slowly(
        &self,
        user: Option<Arc<User>>,
        password: Vec<u8>,
        asker: Asker,
    ) -> Result<(), LoginRefused> {
        match self.password_checks.ask(Task::Check { user, password, asker }) {
            Ok(()) => Ok(()),
            Err((_, true)) => Err(LoginRefused::TooMany),
            Err((task, false)) => {
                task.carry_out();
                Ok(())
            }
        }
    }

    /// Begins to make the hash of a new password, for a door. A user's own stays where it is known
    /// to be of this password already.
    #[must_use]
    pub fn begin_hash(&self, user: Option<&str>, password: &str) -> NewHash {
        let done = Arc::new(Outcome::default());
        let algorithm = self.options.hashing_algorithm;
        if let Some(known) = user.and_then(|user| self.known_hash(user, password)) {
            done.tell(Made::Hashed(known));
            return NewHash(done);
        }
        let (password, salt) = (password.as_bytes().to_vec(), self.draw_salt());
        let task = Task::Hash { algorithm, password, salt, done: done.clone() };
        let asked =
            if algorithm.is_slow() { self.password_checks.ask(task) } else { Err((task, false)) };
        if let Err((task, _)) = asked {
            task.carry_out();
        }
        NewHash(done)
    }

    /// The user as it is by now, unless it is gone or has another password.
    pub(super) fn still_itself(&self, user: &User) -> Option<Arc<User>> {
        let users = read(&self.users);
        users.user(&user.name).filter(|known| known.password == user.password).cloned()
    }

    /// Makes the hash that waited longest; false where none waits.
    pub fn check_next_password(&self) -> bool {
        let next = lock(&self.password_checks.0).waiting.pop_front();
        let is_some = next.is_some();
        next.into_iter().for_each(Task::carry_out);
        is_some
    }

    /// From now on hashes wait for whoever has this waker. True where one waits already.
    pub fn register_password_checker(&self, waker: &Waker) -> bool {
        let mut inner = lock(&self.password_checks.0);
        inner.has_checker = true;
        inner.checker = Some(waker.clone());
        !inner.waiting.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::super::login::UPDATE_SECRET;
    use super::super::{BrokerOptions, Session};
    use super::*;
    use crate::connection::{Command, Request};
    use crate::protocol::field::FieldTable;
    use crate::protocol::frame::write_method;
    use crate::protocol::methods::connection;

    fn broker() -> Broker {
        let broker = Broker::new(BrokerOptions::default(), [1, 2]).unwrap();
        let hash = PasswordHash::new(HashingAlgorithm::Argon2id, b"secret", [3; 16]);
        broker.by_node().set_user("ann", hash, Vec::new(), BTreeMap::new());
        broker
    }

    fn begin(broker: &Broker, password: &str) -> LoginCheck {
        let login = Login { user: "ann".into(), password: password.into() };
        broker.begin_login(login, Peer { address: None })
    }

    fn poll(broker: &Broker, check: &LoginCheck) -> Option<bool> {
        broker.poll_login(check, Waker::noop(), Moment(1)).map(|known| known.is_ok())
    }

    #[test]
    fn who_asks_checks_by_itself_where_nobody_else_does() {
        let broker = broker();
        assert_eq!(poll(&broker, &begin(&broker, "secret")), Some(true));
        assert_eq!(poll(&broker, &begin(&broker, "wrong")), Some(false));
    }

    #[test]
    fn a_password_waits_for_its_turn_and_is_known_from_then_on() {
        let broker = broker();
        assert!(!broker.register_password_checker(Waker::noop()));
        let checks = [begin(&broker, "secret"), begin(&broker, "wrong")];
        assert_eq!(checks.each_ref().map(|check| poll(&broker, check)), [None, None]);
        assert!(broker.register_password_checker(Waker::noop()));
        assert!(broker.check_next_password());
        assert_eq!(checks.each_ref().map(|check| poll(&broker, check)), [Some(true), None]);
        assert_eq!(poll(&broker, &begin(&broker, "secret")), Some(true), "nobody had to check it");
        assert!(broker.check_next_password() && !broker.check_next_password());
        assert_eq!(poll(&broker, &checks[1]), Some(false));
    }

    #[test]
    fn a_new_hash_waits_for_its_turn_where_it_is_slow() {
        let options = BrokerOptions {
            hashing_algorithm: HashingAlgorithm::Argon2id,
            ..BrokerOptions::default()
        };
        let broker = Broker::new(options, [1, 2]).unwrap();
        broker.register_password_checker(Waker::noop());
        let new = broker.begin_hash(Some("guest"), "new");
        assert!(new.poll(Waker::noop()).is_none());
        assert!(broker.check_next_password());
        let hash = new.poll(Waker::noop()).unwrap();
        assert!(hash.is_slow() && hash.is_of(b"new"));
        let quick = Broker::new(BrokerOptions::default(), [1, 2]).unwrap();
        quick.register_password_checker(Waker::noop());
        assert!(quick.begin_hash(None, "new").poll(Waker::noop()).unwrap().is_of(b"new"));
        let known = quick.user_definition("guest").unwrap().password.clone();
        let same = quick.begin_hash(Some("guest"), "guest").poll(Waker::noop());
        assert_eq!(same, Some(known), "it is of this password already");
    }

    /// A login that nobody is known by, or only from elsewhere.
    fn begin_as(broker: &Broker, user: &str, password: &str) -> LoginCheck {
        let login = Login { user: user.into(), password: password.into() };
        let address = Some([192, 0, 2, 1].into());
        broker.begin_login(login, Peer { address })
    }

    #[test]
    fn a_refusal_takes_as_long_for_who_is_unknown_where_passwords_take_long() {
        let broker = broker();
        broker.register_password_checker(Waker::noop());
        for (user, password) in [("nobody", "secret"), ("guest", "wrong"), ("guest", "guest")] {
            let check = begin_as(&broker, user, password);
            assert_eq!(poll(&broker, &check), None, "{user}");
            assert!(broker.check_next_password());
            assert_eq!(poll(&broker, &check), Some(false), "{user}");
        }
        let blank = begin_as(&broker, "nobody", "");
        assert_eq!(poll(&broker, &blank), Some(false), "as that of a user");
        assert!(!broker.check_next_password());
        broker.by_node().delete_users(&["ann".into()]).unwrap();
        assert_eq!(poll(&broker, &begin_as(&broker, "nobody", "secret")), Some(false));
    }

    #[test]
    fn who_got_another_password_meanwhile_proves_nothing_by_the_old_one() {
        let broker = broker();
        broker.register_password_checker(Waker::noop());
        let check = begin(&broker, "secret");
        broker.by_node().set_user("ann", broker.new_hash("new"), Vec::new(), BTreeMap::new());
        assert!(broker.check_next_password());
        assert_eq!(poll(&broker, &check), Some(false));
    }

    /// What a client hears that logged in with this password, before and after it is checked.
    fn heard(broker: &Arc<Broker>, password: &str) -> [Vec<u8>; 2] {
        let mut session = Session::new(broker.clone(), Peer { address: None }, Moment(0));
        let mut bytes = b"AMQP\0\0\x09\x01".to_vec();
        let response = format!("\0ann\0{password}");
        let start_ok = connection::StartOk {
            client_properties: FieldTable::new(),
            mechanism: "PLAIN",
            response: response.as_bytes(),
            locale: "en_US",
        };
        write_method(&mut bytes, 0, &start_ok);
        assert_eq!(session.receive(&bytes, Moment(1)), bytes.len());
        let before = session.output().take();
        broker.check_next_password();
        session.pump();
        [before, session.output().take()]
    }

    #[test]
    fn a_client_goes_on_when_its_password_is_checked() {
        const TUNE: [u8; 4] = [0, 10, 0, 30];
        let broker = Arc::new(broker());
        broker.register_password_checker(Waker::noop());
        let is_tuned = |bytes: &[u8]| bytes.windows(4).any(|window| window == TUNE);
        let [before, after] = heard(&broker, "secret");
        assert!(!is_tuned(&before) && is_tuned(&after));
        let [before, _] = heard(&broker, "secret");
        assert!(is_tuned(&before), "nobody has to check it again");
        let [before, after] = heard(&broker, "wrong");
        assert!(!is_tuned(&before) && !is_tuned(&after));
        assert_eq!(broker.churn.figures().logins_failed, 1);
        assert_eq!(broker.churn.figures().logins_succeeded, 2);
    }

    /// What a client that is in hears that has these new secrets, before and after each check.
    fn heard_of_secrets(broker: &Arc<Broker>, secrets: &[&str]) -> Vec<Vec<u8>> {
        let mut session = Session::new(broker.clone(), Peer { address: None }, Moment(0));
        session.user = broker.user("ann");
        for secret in secrets {
            let command = Command::UpdateSecret(secret.as_bytes().into());
            let method = UPDATE_SECRET;
            session.handle(Request { channel: 0, method, nowait: false, command });
        }
        let mut heard = Vec::new();
        // The check, what comes of it, and the answer.
        for _ in 0..3 {
            let events: Vec<_> = std::iter::from_fn(|| session.mailbox.pop()).collect();
            for event in events {
                match event {
                    Event::PasswordChecked { is_right } => session.password_checked(is_right),
                    event => heard.push(format!("{event:?}").into_bytes()),
                }
            }
            broker.check_next_password();
        }
        heard
    }

    #[test]
    fn a_new_secret_is_checked_by_who_checks_logins() {
        let broker = Arc::new(broker());
        broker.register_password_checker(Waker::noop());
        let told = |secrets: &[&str]| {
            let heard = heard_of_secrets(&broker, secrets);
            heard.into_iter().map(|text| String::from_utf8(text).unwrap()).collect::<Vec<_>>()
        };
        let wrong = told(&["wrong"]);
        assert!(wrong.len() == 1 && wrong[0].contains("the new secret of user 'ann' was refused"));
        let right = told(&["secret"]);
        assert!(right.len() == 1 && right[0].contains("SecretUpdated"), "{right:?}");
        let known = told(&["secret", "secret"]);
        assert_eq!(known.len(), 2, "nobody has to check it again: {known:?}");
        let two = told(&["wrong", "other"]);
        assert!(two[0].contains("is being checked already"), "{two:?}");
    }

    #[test]
    fn of_too_many_that_wait_the_next_is_refused() {
        let broker = broker();
        broker.register_password_checker(Waker::noop());
        let waiting: Vec<_> = (0..PASSWORD_CHECKS_MAX).map(|_| begin(&broker, "wrong")).collect();
        assert_eq!(poll(&broker, &begin(&broker, "secret")), Some(false));
        assert!(waiting.iter().all(|check| poll(&broker, check).is_none()));
    }
}
