//! The users of the node as logins and checks see them: passwords, tags and permissions. How they
//! were declared, and how they are kept, is in `definitions`.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, OnceLock};

use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

use super::{Login, Permissions, TopicPatterns, TopicPermissions};
use crate::definitions::{HashingAlgorithm, PasswordHash, UserDefinition, UserLimits};
use crate::message::Name;

/// A user.
#[derive(Clone, Debug)]
pub struct User {
    /// Its name.
    pub name: Name,
    /// Its password.
    pub password: PasswordHash,
    /// What the management interface lets it do, and `impersonator`.
    pub tags: Vec<Name>,
    /// What it may do, by virtual host; none means it may not enter.
    pub permissions: BTreeMap<Name, Arc<Permissions>>,
    /// Which routing keys it may use, by virtual host; none means any.
    pub topic_permissions: BTreeMap<Name, Arc<TopicPermissions>>,
    /// How much it may have.
    pub limits: UserLimits,
    /// It may log in from this machine only.
    pub is_loopback_only: bool,
    /// It is nobody who was declared, and nobody can log in as it: who owns the machine asks, and
    /// may do everything everywhere.
    pub is_machine_owner: bool,
    /// A digest of the password that proved it, where checking takes long: known in memory only.
    proven: OnceLock<[u8; 32]>,
}

/// What is known of a login at once.
#[derive(Clone, Debug)]
pub enum Checked {
    /// It is this user.
    Proven(Arc<User>),
    /// It says to be this user, and to check that takes long.
    Slow(Arc<User>),
}

/// The name of who owns the machine, which RabbitMQ gives its command line tools.
const MACHINE_OWNER: &str = "rmq-cli";

impl User {
    /// Who owns the machine. A user who was declared with this name is another one.
    #[must_use]
    pub fn machine_owner() -> Self {
        Self {
            name: MACHINE_OWNER.into(),
            password: PasswordHash { algorithm: HashingAlgorithm::Sha256, bytes: Vec::new() },
            tags: vec!["administrator".into()],
            permissions: BTreeMap::new(),
            topic_permissions: BTreeMap::new(),
            limits: UserLimits::default(),
            is_loopback_only: true,
            is_machine_owner: true,
            proven: OnceLock::new(),
        }
    }

    /// It may publish in the name of others.
    #[must_use]
    pub fn may_impersonate(&self) -> bool {
        self.has_tag("impersonator")
    }

    /// Remembers the password that proved it, so that the next login is a quick one.
    pub fn prove(&self, password: &[u8]) {
        // Who proved it before used the same one.
        let _ = self.proven.set(self.quick_digest(password));
    }

    fn is_proven_by(&self, password: &[u8]) -> bool {
        let proven = self.proven.get();
        proven.is_some_and(|proven| bool::from(self.quick_digest(password).ct_eq(proven)))
    }

    /// Of use for nobody else's password: the hash has a salt in it.
    fn quick_digest(&self, password: &[u8]) -> [u8; 32] {
        Sha256::new().chain_update(&self.password.bytes).chain_update(password).finalize().into()
    }

    /// It was given this tag.
    #[must_use]
    pub fn has_tag(&self, tag: &str) -> bool {
        self.tags.iter().any(|given| &**given == tag)
    }
}

/// Why a login is refused; the client learns none of it, the log does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LoginRefused {
    /// There is no such user, or the password is wrong.
    WrongCredentials,
    /// The user may come from this machine only.
    NotFromLoopback,
    /// Too many wait for their password to be checked.
    TooMany,
}

impl fmt::Display for LoginRefused {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::WrongCredentials => "invalid credentials",
            Self::NotFromLoopback => "can only connect via localhost",
            Self::TooMany => "too many logins wait for their passwords to be checked",
        })
    }
}

/// All users. Who is logged in keeps the user it found.
#[derive(Clone, Debug, Default)]
pub struct Users {
    all: BTreeMap<Name, Arc<User>>,
    /// Whose passwords take long to check.
    slow_count: usize,
}

impl Users {
    /// Adds a user, or changes it; what it may do stays.
    pub fn declare(&mut self, definition: &UserDefinition, is_loopback_only: bool) {
        let UserDefinition { name, password, tags, limits } = definition;
        let known = self.all.get(name);
        let permissions = known.map(|user| user.permissions.clone());
        let topic_permissions = known.map(|user| user.topic_permissions.clone());
        let user = User {
            name: name.clone(),
            password: password.clone(),
            tags: tags.clone(),
            permissions: permissions.unwrap_or_default(),
            topic_permissions: topic_permissions.unwrap_or_default(),
            limits: UserLimits::of(limits),
            is_loopback_only,
            is_machine_owner: false,
            proven: OnceLock::new(),
        };
        self.slow_count += usize::from(user.password.is_slow());
        let before = self.all.insert(name.clone(), Arc::new(user));
        self.forget(before.as_deref());
    }

    /// Takes a user away.
    pub fn remove(&mut self, name: &str) {
        let before = self.all.remove(name);
        self.forget(before.as_deref());
    }

    fn forget(&mut self, user: Option<&User>) {
        self.slow_count -= usize::from(user.is_some_and(|user| user.password.is_slow()));
    }

    /// Of some users it takes long to tell whether a password is theirs.
    #[must_use]
    pub fn are_slow(&self) -> bool {
        self.slow_count > 0
    }

    /// Lets a user enter a virtual host, or, with none, keeps it out.
    pub fn permit(&mut self, user: &str, host: &Name, permissions: Option<Permissions>) {
        let Some(user) = self.all.get_mut(user) else { return };
        let all = &mut Arc::make_mut(user).permissions;
        match permissions {
            Some(permissions) => all.insert(host.clone(), Arc::new(permissions)),
            None => all.remove(host),
        };
    }

    /// Restricts which routing keys a user may use with an exchange, or, with none, lifts that.
    pub fn restrict(
        &mut self,
        user: &str,
        host: &Name,
        exchange: &Name,
        patterns: Option<TopicPatterns>,
    ) {
        let Some(user) = self.all.get_mut(user) else { return };
        let all = &mut Arc::make_mut(user).topic_permissions;
        let topics = all.entry(host.clone()).or_default();
        Arc::make_mut(topics).restrict(exchange, patterns);
        if topics.is_empty() {
            all.remove(host);
        }
    }

    /// The user of this name.
    #[must_use]
    pub fn user(&self, name: &str) -> Option<&Arc<User>> {
        self.all.get(name)
    }

    /// The user this login proves.
    ///
    /// # Errors
    /// The credentials are wrong, or the user may not come from there.
    pub fn check(&self, login: &Login, is_loopback: bool) -> Result<Checked, LoginRefused> {
        let user = self.all.get(login.user.as_str()).ok_or(LoginRefused::WrongCredentials)?;
        let is_slow = user.password.is_slow() && !user.is_proven_by(&login.password);
        // One that proved it before is right still.
        if !user.password.is_slow() && !user.password.is_of(&login.password) {
            return Err(LoginRefused::WrongCredentials);
        }
        let user = self.check_proven(&login.user, is_loopback)?.clone();
        Ok(if is_slow { Checked::Slow(user) } else { Checked::Proven(user) })
    }

    /// The user of this name, who has proved to be it by something else than a password.
    ///
    /// # Errors
    /// There is none, or the user may not come from there.
    pub fn check_proven(&self, name: &str, is_loopback: bool) -> Result<&Arc<User>, LoginRefused> {
        let user = self.all.get(name).ok_or(LoginRefused::WrongCredentials)?;
        if user.is_loopback_only && !is_loopback {
            return Err(LoginRefused::NotFromLoopback);
        }
        Ok(user)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::definitions::HashingAlgorithm;

    fn definition(name: &str, password: &str, tags: &[&str]) -> UserDefinition {
        UserDefinition {
            name: name.into(),
            password: PasswordHash::new(HashingAlgorithm::Sha256, password.as_bytes(), [1; 16]),
            tags: tags.iter().map(|tag| Name::from(*tag)).collect(),
            limits: BTreeMap::new(),
        }
    }

    fn users() -> Users {
        let mut users = Users::default();
        for (name, password, is_loopback_only) in
            [("guest", "guest", true), ("blank", "", false), ("far", "away", false)]
        {
            users.declare(&definition(name, password, &[]), is_loopback_only);
        }
        users
    }

    fn check(user: &str, password: &str, is_loopback: bool) -> Result<Name, LoginRefused> {
        let login = Login { user: user.into(), password: password.into() };
        users().check(&login, is_loopback).map(|checked| match checked {
            Checked::Proven(user) | Checked::Slow(user) => user.name.clone(),
        })
    }

    #[test]
    fn a_right_password_logs_in() {
        assert_eq!(check("guest", "guest", true), Ok("guest".into()));
        assert_eq!(check("far", "away", false), Ok("far".into()));
    }

    #[test]
    fn a_wrong_password_and_an_unknown_user_look_the_same() {
        for (user, password) in [("guest", "gues"), ("guest", "guesx"), ("nobody", "guest")] {
            assert_eq!(check(user, password, true), Err(LoginRefused::WrongCredentials));
        }
    }

    #[test]
    fn it_is_known_whether_a_password_may_take_long_to_check() {
        let mut users = users();
        assert!(!users.are_slow());
        let slow = |name: &str| UserDefinition {
            password: PasswordHash { algorithm: HashingAlgorithm::Argon2id, bytes: Vec::new() },
            ..definition(name, "", &[])
        };
        users.declare(&slow("far"), false);
        users.declare(&slow("far"), false);
        users.declare(&slow("new"), false);
        users.remove("far");
        assert!(users.are_slow());
        users.declare(&definition("new", "quick", &[]), false);
        users.remove("nobody");
        assert!(!users.are_slow());
    }

    #[test]
    fn a_blank_password_never_logs_in() {
        assert_eq!(check("blank", "", true), Err(LoginRefused::WrongCredentials));
    }

    #[test]
    fn guest_comes_from_this_machine_only() {
        assert_eq!(check("guest", "guest", false), Err(LoginRefused::NotFromLoopback));
    }

    #[test]
    fn a_user_that_is_declared_again_keeps_what_it_may_do() {
        let mut users = users();
        let all = Permissions::new(".*", ".*", ".*").unwrap();
        users.permit("guest", &"/".into(), Some(all.clone()));
        let before = users.user("guest").unwrap().clone();
        users.declare(&definition("guest", "new", &["impersonator"]), false);
        let user = users.user("guest").unwrap();
        assert!(user.may_impersonate() && user.permissions.contains_key("/"));
        assert!(user.password.is_of(b"new") && !user.is_loopback_only);
        assert!(before.password.is_of(b"guest"), "who is logged in keeps the user it found");
        users.permit("guest", &"/".into(), None);
        assert!(users.user("guest").unwrap().permissions.is_empty());
        assert!(before.permissions.contains_key("/"));
        users.permit("nobody", &"/".into(), Some(all));
        users.remove("guest");
        assert!(users.user("guest").is_none() && users.user("nobody").is_none());
    }
}
