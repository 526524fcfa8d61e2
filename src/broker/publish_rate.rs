//! How fast all connections of one user, or all in one virtual host, may publish together: the
//! limits that are in force, and what is left of them. It is a leaf of the lock order, taken where
//! there is a limit, and then per batch. Who waits, and how, is in `meter`.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use super::bucket::Bucket;
use super::lock::lock;
use super::shared::Broker;
use crate::definitions::PublishLimits;
use crate::limits::{PUBLISH_SIZE_MIN, UNUSED_RATES_MAX};
use crate::message::{Moment, Name};

/// What was published.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Spent {
    pub(super) messages: u64,
    /// Of bodies.
    pub(super) bytes: u64,
}

/// What somebody may publish.
#[derive(Debug, Default)]
pub(super) struct PublishRate {
    is_limited: AtomicBool,
    changes: AtomicU64,
    inner: Mutex<Inner>,
}

#[derive(Debug, Default)]
struct Inner {
    limits: PublishLimits,
    messages: Option<Bucket>,
    bytes: Option<Bucket>,
}

impl PublishRate {
    /// These limits hold from now on; false where they do already. What was published before is
    /// forgiven.
    pub(super) fn set(&self, limits: PublishLimits) -> bool {
        let mut inner = lock(&self.inner);
        if inner.limits == limits {
            return false;
        }
        let PublishLimits { messages, bytes } = limits;
        let bucket = |per_second| Option::map(per_second, Bucket::new);
        *inner = Inner { limits, messages: bucket(messages), bytes: bucket(bytes) };
        self.is_limited.store(limits != PublishLimits::default(), Ordering::Release);
        self.changes.fetch_add(1, Ordering::AcqRel);
        true
    }

    pub(super) fn is_limited(&self) -> bool {
        self.is_limited.load(Ordering::Acquire)
    }

    /// How often limits were set: who waits because of others than today's waits no more.
    pub(super) fn changes(&self) -> u64 {
        self.changes.load(Ordering::Acquire)
    }

    /// Takes what was published; gives when it is paid for.
    pub(super) fn take(&self, spent: Spent, now: Moment) -> Moment {
        let mut inner = lock(&self.inner);
        let messages = inner.messages.as_mut().map(|bucket| bucket.take(spent.messages, now));
        let bytes = inner.bytes.as_mut().map(|bucket| bucket.take(spent.bytes, now));
        messages.max(bytes).unwrap_or(now)
    }

    /// So many bytes of a client, whatever they are, bring no more than there is.
    pub(super) fn room(&self, now: Moment) -> u64 {
        let mut inner = lock(&self.inner);
        let messages = inner.messages.as_mut().map(|bucket| bucket.available(now));
        let bytes = inner.bytes.as_mut().map(|bucket| bucket.available(now));
        let size = |messages: u64| messages.saturating_mul(PUBLISH_SIZE_MIN);
        messages.map_or(u64::MAX, size).min(bytes.unwrap_or(u64::MAX))
    }
}

/// What users may publish, by name. Who is gone and comes again finds what it left.
#[derive(Debug, Default)]
pub(super) struct UserRates(Mutex<Rates>);

#[derive(Debug, Default)]
struct Rates {
    by_name: BTreeMap<Name, Arc<PublishRate>>,
    /// How many were of use when that was last looked at.
    used_count: usize,
}

impl UserRates {
    /// What this user may publish, now and later.
    pub(super) fn of(&self, user: &Name) -> Arc<PublishRate> {
        let mut rates = lock(&self.0);
        if let Some(rate) = rates.by_name.get(user) {
            return rate.clone();
        }
        rates.sweep();
        rates.by_name.entry(user.clone()).or_default().clone()
    }
}

impl Rates {
    /// Forgets those who are gone and have no limit, once they may be many.
    fn sweep(&mut self) {
        if self.by_name.len() < 2 * self.used_count + UNUSED_RATES_MAX {
            return;
        }
        self.by_name.retain(|_, rate| rate.is_limited() || Arc::strong_count(rate) > 1);
        self.used_count = self.by_name.len();
    }
}

impl Broker {
    /// What a user may publish from now on.
    pub(super) fn show_user_rate(&self, user: &Name, limits: PublishLimits) {
        if self.user_rates.of(user).set(limits) {
            self.has_new_rates.store(true, Ordering::Release);
        }
    }

    /// Wakes whom a limit on publishing held back that has changed. No lock is held.
    pub(super) fn wake_publishers(&self) {
        if !self.has_new_rates.swap(false, Ordering::AcqRel) {
            return;
        }
        let sessions = lock(&self.sessions);
        let wakers: Vec<_> = sessions.values().filter_map(|mailbox| mailbox.waker()).collect();
        drop(sessions);
        wakers.into_iter().for_each(std::task::Waker::wake);
    }
}

#[cfg(test)]
mod tests {
    use core::num::NonZeroU64;

    use super::super::test_world::World;
    use super::*;

    fn limits(messages: u64, bytes: u64) -> PublishLimits {
        PublishLimits { messages: NonZeroU64::new(messages), bytes: NonZeroU64::new(bytes) }
    }

    fn spent(messages: u64, bytes: u64) -> Spent {
        Spent { messages, bytes }
    }

    #[test]
    fn of_two_limits_the_stricter_one_holds() {
        let (rate, now) = (PublishRate::default(), Moment(5_000));
        assert_eq!((rate.room(now), rate.take(spent(9, 9), now)), (u64::MAX, now));
        assert!(rate.set(limits(10, 1000)));
        assert_eq!(rate.room(now), 10 * PUBLISH_SIZE_MIN);
        assert_eq!(rate.take(spent(5, 900), now), now);
        assert_eq!(rate.room(now), 100);
        assert_eq!(rate.take(spent(6, 1100), now), now.plus(1000), "bytes");
        assert_eq!(rate.take(spent(19, 0), now), now.plus(2000), "messages");
    }

    #[test]
    fn a_limit_that_is_set_again_forgets_nothing_and_another_one_everything() {
        let (rate, now) = (PublishRate::default(), Moment(5_000));
        assert!(rate.set(limits(10, 0)) && !rate.set(limits(10, 0)));
        assert_eq!(rate.take(spent(20, 0), now), now.plus(1000));
        assert!(!rate.set(limits(10, 0)));
        assert_eq!((rate.take(spent(1, 0), now), rate.changes()), (now.plus(1100), 1));
        assert!(rate.set(limits(1, 0)));
        assert_eq!((rate.take(spent(1, 0), now), rate.changes()), (now, 2));
        assert!(rate.is_limited() && rate.set(limits(0, 0)) && !rate.is_limited());
    }

    #[test]
    fn limits_hold_again_after_a_restart() {
        let mut world = World::new();
        let name = "max-publish-rate";
        world.broker.by_node().set_host_limit("/", name, 100.into()).unwrap();
        world.broker.by_node().set_user_limit("guest", name, 50.into()).unwrap();
        world.turn();
        let world = world.killed();
        let host = world.broker.virtual_host("/").unwrap().publish_rate.clone();
        let user = world.broker.user_rates.of(&"guest".into());
        let rooms = [host, user].map(|rate| rate.room(Moment(5_000)));
        assert_eq!(rooms, [100 * PUBLISH_SIZE_MIN, 50 * PUBLISH_SIZE_MIN]);
    }

    #[test]
    fn a_user_who_comes_again_finds_what_it_owes() {
        let (rates, now, ann) = (UserRates::default(), Moment(5_000), "ann".into());
        assert!(rates.of(&ann).set(limits(1, 0)));
        rates.of(&ann).take(spent(10, 0), now);
        (0..1000).for_each(|number| drop(rates.of(&format!("user {number}").into())));
        assert_eq!(rates.of(&ann).take(spent(1, 0), now), now.plus(10_000));
    }

    #[test]
    fn users_without_limits_who_are_gone_are_forgotten_and_no_others() {
        let rates = UserRates::default();
        let there = rates.of(&"there".into());
        (0..1000).for_each(|number| drop(rates.of(&format!("user {number}").into())));
        assert!(lock(&rates.0).by_name.len() <= 2 + UNUSED_RATES_MAX);
        assert!(Arc::ptr_eq(&there, &rates.of(&"there".into())));
    }
}
