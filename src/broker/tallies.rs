//! Who is connected, by virtual host and by user, and how many channels users have: what limits are
//! held against, and whom to tell when a virtual host is deleted. It knows no texts. It is a leaf
//! of the lock order, taken when a connection or a channel comes or goes.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use super::lock::lock;
use super::mailbox::Mailbox;
use super::virtual_host::VirtualHost;
use crate::definitions::UserLimits;
use crate::message::{Name, SessionId, VirtualHostNumber};

/// Everybody who is in a virtual host.
#[derive(Debug, Default)]
pub(super) struct Tallies(Mutex<Inner>);

#[derive(Debug, Default)]
struct Inner {
    hosts: BTreeMap<VirtualHostNumber, BTreeMap<SessionId, Guest>>,
    /// Users who have something.
    users: BTreeMap<Name, Tally>,
    /// What all of them have.
    all: Tally,
}

/// Somebody who is in a virtual host.
#[derive(Debug)]
struct Guest {
    mailbox: Arc<Mailbox>,
    user: Name,
}

#[derive(Debug, Default)]
struct Tally {
    connections: u64,
    channels: u64,
}

/// Somebody who wants to enter a virtual host.
#[derive(Debug)]
pub(super) struct Entrant<'a> {
    pub(super) session: SessionId,
    pub(super) mailbox: &'a Arc<Mailbox>,
    pub(super) user: &'a Name,
    pub(super) limits: UserLimits,
    /// How many connections there may be altogether.
    pub(super) node_limit: Option<u64>,
}

/// Why somebody does not enter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum NoEntry {
    /// So many connections are there, and no more may be.
    NodeFull(u64),
    /// The virtual host was deleted just before.
    Deleted,
    /// So many are in the virtual host, and no more may be.
    HostFull(u64),
    /// The user has so many connections, and may have no more.
    UserFull(u64),
}

/// Why a channel is not opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum NoChannel {
    /// So many channels are there, and no more may be.
    NodeFull(u64),
    /// The user has so many channels, and may have no more.
    UserFull(u64),
}

/// A connection that counts as long as this lives.
#[derive(Debug)]
pub(super) struct Admission {
    tallies: Arc<Tallies>,
    host: VirtualHostNumber,
    user: Name,
    session: SessionId,
}

/// A channel that counts as long as this lives.
#[derive(Debug)]
pub(super) struct CountedChannel {
    tallies: Arc<Tallies>,
    user: Name,
}

impl Tallies {
    /// Whether as many connections are there as may be.
    pub(super) fn check_node(&self, limit: Option<u64>) -> Result<(), NoEntry> {
        check_all(&lock(&self.0), limit)
    }

    /// Counts a connection, unless a limit is reached: first the node's, then the virtual host's,
    /// then the user's.
    pub(super) fn enter(
        self: &Arc<Self>,
        host: &VirtualHost,
        entrant: &Entrant<'_>,
    ) -> Result<Admission, NoEntry> {
        let mut inner = lock(&self.0);
        check_all(&inner, entrant.node_limit)?;
        if host.is_deleted() {
            return Err(NoEntry::Deleted);
        }
        let there = inner.hosts.get(&host.number).map_or(0, BTreeMap::len);
        if let Some(limit) = host.limits().connections.filter(|limit| there as u64 >= *limit) {
            return Err(NoEntry::HostFull(limit));
        }
        let has = inner.users.get(entrant.user).map_or(0, |tally| tally.connections);
        if let Some(limit) = entrant.limits.connections.filter(|limit| has >= *limit) {
            return Err(NoEntry::UserFull(limit));
        }
        let sessions = inner.hosts.entry(host.number).or_default();
        let (mailbox, user) = (entrant.mailbox.clone(), entrant.user.clone());
        sessions.insert(entrant.session, Guest { mailbox, user });
        inner.users.entry(entrant.user.clone()).or_default().connections += 1;
        inner.all.connections += 1;
        let (user, session) = (entrant.user.clone(), entrant.session);
        Ok(Admission { tallies: self.clone(), host: host.number, user, session })
    }

    /// Counts a channel.
    ///
    /// # Errors
    /// The node, or the user, has as many as it may, which is told.
    pub(super) fn open_channel(
        self: &Arc<Self>,
        user: &Name,
        limits: UserLimits,
        node_limit: Option<u64>,
    ) -> Result<CountedChannel, NoChannel> {
        let mut inner = lock(&self.0);
        if let Some(limit) = node_limit.filter(|limit| inner.all.channels >= *limit) {
            return Err(NoChannel::NodeFull(limit));
        }
        let has = inner.users.get(user).map_or(0, |tally| tally.channels);
        if let Some(limit) = limits.channels.filter(|limit| has >= *limit) {
            return Err(NoChannel::UserFull(limit));
        }
        inner.users.entry(user.clone()).or_default().channels += 1;
        inner.all.channels += 1;
        Ok(CountedChannel { tallies: self.clone(), user: user.clone() })
    }

    /// Lets nobody into a virtual host any more; gives those who are in it.
    pub(super) fn shut(&self, host: &VirtualHost) -> Vec<Arc<Mailbox>> {
        let inner = lock(&self.0);
        host.mark_deleted();
        let guests = inner.hosts.get(&host.number).into_iter().flat_map(BTreeMap::values);
        guests.map(|guest| guest.mailbox.clone()).collect()
    }

    /// The connections of a user, in whichever virtual hosts they are.
    pub(super) fn of_user(&self, user: &str) -> Vec<Arc<Mailbox>> {
        let inner = lock(&self.0);
        let guests = inner.hosts.values().flat_map(BTreeMap::values);
        guests.filter(|guest| *guest.user == *user).map(|guest| guest.mailbox.clone()).collect()
    }

    /// Takes something off what a user has.
    fn subtract(inner: &mut Inner, user: &Name, take: impl Fn(&mut Tally)) {
        take(&mut inner.all);
        let Some(tally) = inner.users.get_mut(user) else { return };
        take(tally);
        if tally.connections == 0 && tally.channels == 0 {
            inner.users.remove(user);
        }
    }
}

fn check_all(inner: &Inner, limit: Option<u64>) -> Result<(), NoEntry> {
    let reached = limit.filter(|limit| inner.all.connections >= *limit);
    reached.map_or(Ok(()), |limit| Err(NoEntry::NodeFull(limit)))
}

impl Drop for Admission {
    fn drop(&mut self) {
        let mut inner = lock(&self.tallies.0);
        if let Some(sessions) = inner.hosts.get_mut(&self.host) {
            sessions.remove(&self.session);
            if sessions.is_empty() {
                inner.hosts.remove(&self.host);
            }
        }
        Tallies::subtract(&mut inner, &self.user, |tally| tally.connections -= 1);
    }
}

impl Drop for CountedChannel {
    fn drop(&mut self) {
        let mut inner = lock(&self.tallies.0);
        Tallies::subtract(&mut inner, &self.user, |tally| tally.channels -= 1);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::definitions::HostLimits;

    fn host(limit: Option<u64>) -> VirtualHost {
        let (number, name) = (VirtualHostNumber(1), "h".into());
        let (failure, timers, counts) = (Arc::default(), Arc::default(), Default::default());
        let host = VirtualHost::new(number, name, None, failure, timers, counts);
        host.set_limits(HostLimits { connections: limit, ..HostLimits::default() });
        host
    }

    fn enter(
        tallies: &Arc<Tallies>,
        host: &VirtualHost,
        session: u64,
        connections: Option<u64>,
    ) -> Result<Admission, NoEntry> {
        let limits = UserLimits { connections, ..UserLimits::default() };
        let (session, mailbox, user) = (SessionId(session), &Arc::default(), &"ann".into());
        let node_limit = Some(2);
        tallies.enter(host, &Entrant { session, mailbox, user, limits, node_limit })
    }

    #[test]
    fn who_leaves_makes_room_and_leaves_nothing_behind() {
        let (tallies, host) = (Arc::<Tallies>::default(), host(Some(1)));
        let first = enter(&tallies, &host, 1, Some(1)).unwrap();
        assert_eq!(enter(&tallies, &host, 2, Some(1)).unwrap_err(), NoEntry::HostFull(1));
        host.set_limits(HostLimits::default());
        assert_eq!(enter(&tallies, &host, 2, Some(1)).unwrap_err(), NoEntry::UserFull(1));
        let second = enter(&tallies, &host, 2, None).unwrap();
        assert_eq!(tallies.shut(&host).len(), 2);
        assert_eq!(enter(&tallies, &host, 3, None).unwrap_err(), NoEntry::NodeFull(2));
        assert_eq!(tallies.check_node(Some(2)), Err(NoEntry::NodeFull(2)));
        drop(first);
        assert_eq!(tallies.check_node(Some(2)), Ok(()));
        assert_eq!(enter(&tallies, &host, 3, None).unwrap_err(), NoEntry::Deleted);
        drop(second);
        let inner = lock(&tallies.0);
        assert!(inner.hosts.is_empty() && inner.users.is_empty());
    }

    #[test]
    fn channels_are_counted_over_all_connections_of_a_user() {
        let tallies = Arc::<Tallies>::default();
        let limits = |channels| UserLimits { channels, ..UserLimits::default() };
        let open =
            |user: &str, channels| tallies.open_channel(&user.into(), limits(channels), Some(2));
        let first = open("ann", None).unwrap();
        assert_eq!(open("ann", Some(1)).unwrap_err(), NoChannel::UserFull(1));
        assert_eq!(open("ann", Some(0)).unwrap_err(), NoChannel::UserFull(0));
        let other = open("bob", Some(1)).unwrap();
        assert_eq!(open("cid", None).unwrap_err(), NoChannel::NodeFull(2));
        drop(other);
        drop(first);
        assert!(open("ann", Some(1)).is_ok());
        assert!(lock(&tallies.0).users.is_empty());
    }
}
