//! In whose name something is changed that is declared for the node, or brought in by a file.
//! Events tell it, and new exchanges keep it. Whether somebody may, a door knows.

use std::ops::Deref;

use super::node_definitions::LockedDefinitions;
use super::shared::Broker;
use super::work::Work;
use crate::definitions::INTERNAL_USER;
use crate::message::Moment;

/// The broker in the hands of somebody who changes what is declared.
#[derive(Clone, Copy, Debug)]
pub struct Author<'a> {
    broker: &'a Broker,
    /// None is nobody but the node.
    user: Option<&'a str>,
}

impl Broker {
    /// What is changed by this is changed by this user.
    #[must_use]
    pub fn by<'a>(&'a self, user: &'a str) -> Author<'a> {
        Author { broker: self, user: Some(user) }
    }

    /// What is changed by this no user asked for: who runs the node wrote it down, or holds the
    /// broker in hand.
    #[must_use]
    pub fn by_node(&self) -> Author<'_> {
        Author { broker: self, user: None }
    }
}

impl Deref for Author<'_> {
    type Target = Broker;

    fn deref(&self) -> &Broker {
        self.broker
    }
}

impl<'a> Author<'a> {
    /// Who it is, or RabbitMQ's name for nobody.
    pub(super) fn name(self) -> &'a str {
        self.user.unwrap_or(INTERNAL_USER)
    }

    /// The definitions of the node, locked, to be changed in this name.
    pub(super) fn node_definitions(self) -> LockedDefinitions<'a> {
        self.broker.node_definitions().by(self.user)
    }

    /// What is left to do after a change in a virtual host, in this name.
    pub(super) fn work(self, now: Moment) -> Work {
        Work { now, user: self.user.map(Into::into), ..Work::default() }
    }
}
