//! A session and the limits on publishing that hold for it: its user's and its virtual host's. What
//! it read is published; where that was more than there is, it reads nothing before its part is
//! paid for. It loses nothing and hears of no error. Where there is no limit, a batch asks for that
//! once.

use std::sync::Arc;

use super::measures::count_sizes;
use super::publish_rate::{PublishRate, Spent};
use super::session::Session;
use crate::message::{MessageRun, Moment, Tally};

/// What a session published, and what it owes.
#[derive(Debug, Default)]
pub(super) struct Meter {
    /// Of its virtual host and of its user; none before it entered one.
    rates: Option<[Arc<PublishRate>; 2]>,
    /// What is published now counts.
    is_on: bool,
    /// What this step published.
    spent: Spent,
    /// How large that was; also where there is no limit.
    pub(super) sizes: Tally,
    /// This portion brought something that counts.
    has_paid: bool,
    debt: Option<Debt>,
    /// Bytes that came and are not taken before the debt is paid.
    pub(super) withheld_size: usize,
}

/// More was published than there was.
#[derive(Clone, Copy, Debug)]
struct Debt {
    until: Moment,
    /// How often the limits had changed: what is owed is forgiven by the next change.
    changes: u64,
}

impl Meter {
    /// These limits hold.
    pub(super) fn new(host: Arc<PublishRate>, user: Arc<PublishRate>) -> Self {
        Self { rates: Some([host, user]), ..Self::default() }
    }

    fn rates(&self) -> impl Iterator<Item = &Arc<PublishRate>> {
        self.rates.iter().flatten()
    }

    fn is_limited(&self) -> bool {
        self.rates().any(|rate| rate.is_limited())
    }

    fn changes(&self) -> u64 {
        self.rates().map(|rate| rate.changes()).sum()
    }

    /// A batch begins.
    pub(super) fn begin(&mut self) {
        self.is_on = self.is_limited();
    }

    /// These are published.
    pub(super) fn count(&mut self, messages: &MessageRun) {
        count_sizes(messages, &mut self.sizes);
        if self.is_on {
            self.spent.messages += messages.len() as u64;
            self.spent.bytes += messages.body_bytes();
        }
    }

    /// Another portion is taken; true where the last one brought something that counts.
    pub(super) fn begin_portion(&mut self) -> bool {
        std::mem::take(&mut self.has_paid)
    }

    /// Until when nothing is read.
    pub(super) fn deadline(&self) -> Option<Moment> {
        self.debt.map(|debt| debt.until)
    }

    /// When what was published by all whom these limits hold for is paid for.
    pub(super) fn paid_at(&self, now: Moment) -> Moment {
        self.rates().map(|rate| rate.take(Spent::default(), now)).max().unwrap_or(now)
    }

    /// It owes something, and the limits are others now.
    pub(super) fn is_forgiven(&self) -> bool {
        self.debt.is_some_and(|debt| debt.changes != self.changes())
    }

    /// True where there was a debt, and is none any more.
    pub(super) fn forgive(&mut self) -> bool {
        let is_forgiven = self.is_forgiven();
        if is_forgiven {
            self.debt = None;
        }
        is_forgiven
    }
}

impl Session {
    /// Where a limit changed meanwhile, nobody waits by what it was.
    pub(super) fn forgive(&mut self) {
        if self.meter.forgive() {
            self.connection.excuse_no_longer(self.work.now);
        }
    }

    /// Takes what was published off what may be. Most steps publish nothing, or pay nothing for it.
    #[inline]
    pub(super) fn pay(&mut self) {
        if self.meter.sizes.is_any() {
            self.tell_sizes();
        }
        if self.meter.spent.messages > 0 {
            self.charge();
        }
    }

    fn charge(&mut self) {
        let (spent, now) = (std::mem::take(&mut self.meter.spent), self.work.now);
        // A change that comes in between ends the wait, too.
        let changes = self.meter.changes();
        let until = self.meter.rates().map(|rate| rate.take(spent, now)).max();
        self.meter.has_paid = true;
        if let Some(until) = until.filter(|until| *until > now) {
            self.meter.debt = Some(Debt { until, changes });
            self.connection.excuse_until(until);
        }
    }

    /// How much of what came is taken in one step: as much as brings no more than there is; where
    /// there is little, `least`.
    pub(super) fn portion(&self, size: usize, least: usize, now: Moment) -> usize {
        if !self.meter.is_limited() {
            return size;
        }
        let room = self.meter.rates().map(|rate| rate.room(now)).min();
        let room = room.map_or(size, |room| usize::try_from(room).unwrap_or(usize::MAX));
        room.max(least).min(size)
    }

    /// It published more than it may. What is sent after the connection failed is only passed over.
    pub(super) fn is_in_debt(&mut self) -> bool {
        self.forgive();
        self.meter.debt.is_some() && self.connection.is_running()
    }

    /// So many bytes of what came were not taken. Where a debt is the reason, nobody else counts
    /// them.
    pub(super) fn withhold(&mut self, size: usize) {
        let size = if self.is_in_debt() { size } else { 0 };
        if size != std::mem::replace(&mut self.meter.withheld_size, size) {
            self.count_buffers();
        }
    }

    /// Time passed.
    pub(super) fn end_debt(&mut self, now: Moment) {
        self.meter.debt.take_if(|debt| debt.until <= now);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::task::{Wake, Waker};

    use super::super::test_world::{Client, World};
    use super::*;

    #[derive(Default)]
    struct Count(AtomicUsize);

    impl Wake for Count {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::AcqRel);
        }
    }

    /// A client of guest.
    fn client(world: &World) -> Client {
        let mut client = world.client();
        let host = world.broker.virtual_host("/").unwrap().publish_rate.clone();
        client.session.meter = Meter::new(host, world.broker.user_rates.of(&"guest".into()));
        client
    }

    /// It publishes, and hears of that.
    fn publish(client: &mut Client, bodies: &[&str]) {
        client.publish("q", bodies);
        client.session.pay();
        client.events();
    }

    #[test]
    fn who_waits_is_woken_when_its_limit_changes() {
        let world = World::new();
        let mut client = client(&world);
        world.broker.by_node().set_user_limit("guest", "max-publish-rate", 1.into()).unwrap();
        publish(client.at(5_000), &["a", "b", "c"]);
        assert_eq!(client.session.deadline(), Some(Moment(7_000)));
        let count = Arc::new(Count::default());
        let waker = Waker::from(count.clone());
        assert!(!client.session.register(&waker));
        world.broker.by_node().set_host_limit("/", "max-queues", 5.into()).unwrap();
        assert_eq!(count.0.load(Ordering::Acquire), 0, "another limit");
        world.broker.by_node().clear_user_limit("guest", "max-publish-rate").unwrap();
        assert_eq!(count.0.load(Ordering::Acquire), 1);
        assert!(client.session.register(&waker), "it has something to do");
        client.session.pump();
        assert!(!client.session.register(&waker));
        assert_eq!(client.session.meter.deadline(), None);
    }

    #[test]
    fn what_comes_is_cut_where_it_could_be_too_much_and_only_there() {
        let world = World::new();
        let mut client = client(&world);
        let now = Moment(5_000);
        assert_eq!(client.session.portion(100_000, 256, now), 100_000);
        world.broker.by_node().set_host_limit("/", "max-publish-rate", 100.into()).unwrap();
        assert_eq!(client.session.portion(100_000, 256, now), 3_900);
        assert_eq!(client.session.portion(1_000, 256, now), 1_000);
        publish(client.at(5_000), &["x"; 99]);
        assert_eq!(client.session.portion(100_000, 256, now), 256);
        assert_eq!(client.session.portion(100, 256, now), 100);
        assert_eq!(client.session.portion(100_000, 512, now.plus(100)), 512);
        assert_eq!(client.session.portion(100_000, 512, now.plus(990)), 3_900);
    }
}
