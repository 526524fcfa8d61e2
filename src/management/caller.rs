//! Who asks, by HTTP's basic login or because it owns the machine, and what its tags let it ask
//! for. Passwords are checked by the broker, and written nowhere.

use std::future::poll_fn;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use axum::http::{HeaderMap, header};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::api::{Api, Shared};
use super::refusal::Refusal;
use super::visitors::Acquaintance;
use crate::auth::{Login, User};
use crate::broker::Peer;
use crate::definitions::PolicyKind;

/// Tags that let a user ask at all.
const TAGS: [&str; 4] = ["management", "policymaker", "monitoring", "administrator"];

/// A connection on which who owns the machine asks: root, or the user that the broker runs as. It
/// needs no login, for it could read the broker's memory and change its files anyway.
#[derive(Clone, Copy, Debug)]
pub(super) struct OwnsMachine;

/// A user with one of these tags, as it was when it was asked for.
#[derive(Debug)]
pub(super) struct Caller {
    pub(super) user: Arc<User>,
}

impl FromRequestParts<Shared> for Caller {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, api: &Shared) -> Result<Self, Refusal> {
        let peer = parts.extensions.get::<Peer>().copied().ok_or(Refusal::NotLoggedIn)?;
        let acquaintance = parts.extensions.get::<Acquaintance>();
        // Who logs in all the same wants to be that user.
        if parts.extensions.get::<OwnsMachine>().is_some() && !has_login(&parts.headers) {
            acquaintance.iter().for_each(|acquaintance| acquaintance.make());
            return Self::of(Arc::new(User::machine_owner()));
        }
        let login = login(&parts.headers).ok_or(Refusal::NotLoggedIn)?;
        Self::log_in(api, login, peer, acquaintance).await
    }
}

fn has_login(headers: &HeaderMap) -> bool {
    headers.contains_key(header::AUTHORIZATION)
}

/// Name and password stand behind `Basic` as base64, with a colon between them.
fn login(headers: &HeaderMap) -> Option<Login> {
    let value = headers.get(header::AUTHORIZATION)?.to_str().ok()?;
    let (scheme, encoded) = value.split_once(' ')?;
    if !scheme.eq_ignore_ascii_case("basic") {
        return None;
    }
    let bytes = STANDARD.decode(encoded.trim()).ok()?;
    let colon = bytes.iter().position(|byte| *byte == b':')?;
    let (user, password) = bytes.split_at_checked(colon)?;
    let user = String::from_utf8(user.to_vec()).ok()?;
    Some(Login { user, password: password.get(1..)?.to_vec() })
}

impl Caller {
    fn of(user: Arc<User>) -> Result<Self, Refusal> {
        if !TAGS.iter().any(|tag| user.has_tag(tag)) {
            return Err(Refusal::Forbidden("Not management user"));
        }
        Ok(Self { user })
    }

    /// The user whom these credentials prove. Who knows none waits for the answer, the longer the
    /// more were wrong.
    pub(super) async fn log_in(
        api: &Api,
        login: Login,
        peer: Peer,
        acquaintance: Option<&Acquaintance>,
    ) -> Result<Self, Refusal> {
        acquaintance.iter().for_each(|acquaintance| acquaintance.seek());
        let check = api.broker.begin_login(login, peer);
        let checked =
            poll_fn(|context| match api.broker.poll_login(&check, context.waker(), api.now()) {
                Some(checked) => Poll::Ready(checked),
                None => Poll::Pending,
            });
        let checked = checked.await;
        api.attempts.count(checked.is_ok());
        let user = match checked {
            Ok(user) => user,
            Err(delay_ms) => {
                tokio::time::sleep(Duration::from_millis(delay_ms)).await;
                return Err(Refusal::NotLoggedIn);
            }
        };
        let caller = Self::of(user)?;
        if let Some(acquaintance) = acquaintance {
            acquaintance.make();
        }
        Ok(caller)
    }

    /// The same user with what it may do by now, unless it has gone or got another password.
    pub(super) fn as_it_is_now(&self, api: &Api) -> Result<Self, Refusal> {
        if self.user.is_machine_owner {
            return Ok(Self { user: self.user.clone() });
        }
        let user = api.broker.user(&self.user.name);
        let user = user.filter(|user| user.password == self.user.password);
        Self::of(user.ok_or(Refusal::NotLoggedIn)?)
    }

    fn is_administrator(&self) -> bool {
        self.user.has_tag("administrator")
    }

    /// It may look at all virtual hosts, though it may enter none.
    pub(super) fn sees_all_hosts(&self) -> bool {
        self.is_administrator() || self.user.has_tag("monitoring")
    }

    /// It may see what is declared in this virtual host.
    pub(super) fn may_see_in(&self, host: &str) -> bool {
        self.is_administrator() || self.user.permissions.contains_key(host)
    }

    /// It may see that there is this virtual host, and how it fares.
    pub(super) fn may_see(&self, host: &str) -> bool {
        self.sees_all_hosts() || self.may_see_in(host)
    }

    /// It may see what a user has opened.
    pub(super) fn sees_things_of(&self, user: &str) -> bool {
        self.sees_all_hosts() || *self.user.name == *user
    }

    pub(super) fn check_sees_things_of(&self, user: &str) -> Result<(), Refusal> {
        allow(self.sees_things_of(user), "User not authorised to access object")
    }

    /// It may end what a user has opened.
    pub(super) fn check_ends_things_of(&self, user: &str) -> Result<(), Refusal> {
        let may = self.is_administrator() || *self.user.name == *user;
        allow(may, "User not authorised to access object")
    }

    /// It may see how the node fares.
    pub(super) fn check_monitor(&self) -> Result<(), Refusal> {
        allow(self.sees_all_hosts(), "Not monitor user")
    }

    pub(super) fn check_administrator(&self) -> Result<(), Refusal> {
        allow(self.is_administrator(), "Not administrator user")
    }

    /// It may look at parameters and set them.
    pub(super) fn check_policymaker(&self) -> Result<(), Refusal> {
        allow(self.is_policymaker(), "User not authorised to access object")
    }

    fn is_policymaker(&self) -> bool {
        self.is_administrator() || self.user.has_tag("policymaker")
    }

    pub(super) fn check_sees_in(&self, host: &str) -> Result<(), Refusal> {
        allow(self.may_see_in(host), "User not authorised to access virtual host")
    }

    pub(super) fn check_sees(&self, host: &str) -> Result<(), Refusal> {
        allow(self.may_see(host), "User not authorised to access virtual host")
    }

    /// It may look at one policy and change it. That there is no such virtual host RabbitMQ tells
    /// all who may ask for policies anywhere.
    pub(super) fn check_policies(
        &self,
        api: &Api,
        kind: PolicyKind,
        host: &str,
    ) -> Result<(), Refusal> {
        if kind == PolicyKind::Operator {
            return self.check_administrator();
        }
        let may = self.is_policymaker() && (self.may_see_in(host) || api.check_host(host).is_err());
        allow(may, "User not authorised to access object")
    }
}

fn allow(may: bool, reason: &'static str) -> Result<(), Refusal> {
    if may { Ok(()) } else { Err(Refusal::Forbidden(reason)) }
}
