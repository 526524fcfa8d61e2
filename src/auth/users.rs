//! The users of the node, their passwords, tags and permissions. How they are stored on disk is not
//! known here.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::{Login, Permissions};
use crate::message::Name;

/// A user.
#[derive(Clone, Debug)]
pub struct User {
    /// Its name.
    pub name: Name,
    /// Its password; an empty one never logs in.
    pub password: String,
    /// What the management interface lets it do, and `impersonator`.
    pub tags: Vec<String>,
    /// What it may do, by virtual host; none means it may not enter.
    pub permissions: BTreeMap<Name, Arc<Permissions>>,
    /// It may log in from this machine only.
    pub is_loopback_only: bool,
}

impl User {
    /// It may publish in the name of others.
    #[must_use]
    pub fn may_impersonate(&self) -> bool {
        self.tags.iter().any(|tag| tag == "impersonator")
    }
}

/// Why a login is refused; the client learns none of it, the log does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LoginRefused {
    /// There is no such user, or the password is wrong.
    WrongCredentials,
    /// The user may come from this machine only.
    NotFromLoopback,
}

/// All users.
#[derive(Clone, Debug, Default)]
pub struct Users(BTreeMap<Name, Arc<User>>);

impl Users {
    /// Adds a user, or puts it in another's place.
    pub fn insert(&mut self, user: User) {
        self.0.insert(user.name.clone(), Arc::new(user));
    }

    /// The user of this name.
    #[must_use]
    pub fn user(&self, name: &str) -> Option<&Arc<User>> {
        self.0.get(name)
    }

    /// The user this login proves.
    ///
    /// # Errors
    /// The credentials are wrong, or the user may not come from there.
    pub fn check(&self, login: &Login, is_loopback: bool) -> Result<&Arc<User>, LoginRefused> {
        let user = self.0.get(login.user.as_str()).ok_or(LoginRefused::WrongCredentials)?;
        let expected = user.password.as_bytes();
        if expected.is_empty() || !equal_in_constant_time(expected, &login.password) {
            return Err(LoginRefused::WrongCredentials);
        }
        if user.is_loopback_only && !is_loopback {
            return Err(LoginRefused::NotFromLoopback);
        }
        Ok(user)
    }
}

/// Takes the same time wherever the first difference is.
fn equal_in_constant_time(left: &[u8], right: &[u8]) -> bool {
    let difference = left.iter().zip(right).fold(0, |sum, (left, right)| sum | (left ^ right));
    left.len() == right.len() && difference == 0
}

#[cfg(test)]
mod tests {
    use super::*;

    fn users() -> Users {
        let mut users = Users::default();
        for (name, password, is_loopback_only) in
            [("guest", "guest", true), ("blank", "", false), ("far", "away", false)]
        {
            users.insert(User {
                name: name.into(),
                password: password.into(),
                tags: vec![],
                permissions: BTreeMap::new(),
                is_loopback_only,
            });
        }
        users
    }

    fn check(user: &str, password: &str, is_loopback: bool) -> Result<Name, LoginRefused> {
        let login = Login { user: user.into(), password: password.into() };
        users().check(&login, is_loopback).map(|user| user.name.clone())
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
    fn a_blank_password_never_logs_in() {
        assert_eq!(check("blank", "", true), Err(LoginRefused::WrongCredentials));
    }

    #[test]
    fn guest_comes_from_this_machine_only() {
        assert_eq!(check("guest", "guest", false), Err(LoginRefused::NotFromLoopback));
    }
}
