//! The event exchange: what happens in the node is told to those who bind a queue to
//! `amq.rabbitmq.event`. Whoever changes something, under whatever lock, only notes it in a list,
//! which is a leaf of the lock order; the notes become messages when the node looks at its timers,
//! in one order and under nobody's lock. Nothing is noted while the exchange is switched off or
//! nothing is bound to it, and nobody waits for those who read: where more is noted than may wait,
//! the rest is lost, and counted. What the messages say is in `notice`, `declared` and `clients`.
//! Beside it, in `log_lines`, the same for lines of the log.

mod clients;
mod declared;
mod log_lines;
#[cfg(test)]
mod log_tests;
mod notice;
#[cfg(test)]
mod tests;

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::task::Waker;

use tracing::warn;

use declared::Scene;
use log_lines::{LOG_EXCHANGE, LogPlace};
pub use log_lines::{LogLine, LogLines};
use notice::Notice;

use super::lock::lock;
use super::options::BrokerOptions;
use super::shared::Broker;
use super::timers::{Timer, Timers};
use super::virtual_host::VirtualHost;
use super::work::Work;
use crate::definitions::{
    Change, NodeChange, NodeDefinitions, QueueDefinition, VirtualHostDefinitions,
};
use crate::limits::{EVENTS_STEP_MAX, EVENTS_WAITING_MAX};

/// The exchange they go to.
pub(super) const EVENT_EXCHANGE: &str = "amq.rabbitmq.event";

/// What is to be told.
#[derive(Debug, Default)]
pub(super) struct Events {
    /// The virtual host that has the exchange; none where it is switched off.
    host: Option<Box<str>>,
    /// Where lines of the log go; none where that is switched off.
    log: Option<LogPlace>,
    node: Box<str>,
    timers: Arc<Timers>,
    /// Something is bound to the exchange.
    is_watched: AtomicBool,
    waiting: Mutex<VecDeque<Notice>>,
    lost: AtomicU64,
}

impl Events {
    pub(super) fn new(options: &BrokerOptions, timers: Arc<Timers>) -> Self {
        let log = options.log_lines.clone().map(|lines| {
            let host = options.default_virtual_host.as_str().into();
            LogPlace { host, lines }
        });
        let host = options.event_exchange.as_deref().map(Into::into);
        Self { host, log, node: options.node_name.as_str().into(), timers, ..Self::default() }
    }

    /// The exchange is in the virtual host of this name.
    fn are_in(&self, host: &str) -> bool {
        self.host.as_deref() == Some(host)
    }

    fn log_in(&self, host: &str) -> Option<&LogLines> {
        self.log.as_ref().filter(|log| *log.host == *host).map(|log| &*log.lines)
    }

    /// The exchanges that a virtual host has for what happens and for what is logged: all are
    /// topic exchanges, and the node alone publishes to them.
    pub(super) fn exchanges_in(&self, host: &str) -> impl Iterator<Item = &'static str> {
        let events = self.are_in(host).then_some(EVENT_EXCHANGE);
        let log = self.log_in(host).map(|_| LOG_EXCHANGE);
        events.into_iter().chain(log)
    }

    /// The bindings of an exchange changed in a virtual host, which somebody holds locked: where it
    /// is one of these, somebody wants to know, or nobody does any more.
    pub(super) fn look_at_bindings(
        &self,
        host: &str,
        source: &str,
        definitions: &VirtualHostDefinitions,
    ) {
        let is_watched = || definitions.bindings_from(source).next().is_some();
        match source {
            EVENT_EXCHANGE if self.are_in(host) => {
                self.is_watched.store(is_watched(), Ordering::Relaxed);
            }
            LOG_EXCHANGE => self.log_in(host).into_iter().for_each(|log| log.watch(is_watched())),
            _ => {}
        }
    }

    /// Somebody wants to know.
    pub(super) fn are_watched(&self) -> bool {
        self.is_watched.load(Ordering::Relaxed)
    }

    /// Notes something, where somebody wants to know. Whoever tells them goes to `wakers`.
    pub(super) fn note(&self, wakers: &mut Vec<Waker>, notice: impl FnOnce() -> Notice) {
        if self.are_watched() {
            self.add(notice());
            self.announce(wakers);
        }
    }

    /// Notes a change that concerns the node, before it is made. Nobody can be woken yet:
    /// [`Events::announce`] is to follow.
    pub(super) fn note_node_change(
        &self,
        change: &NodeChange,
        before: &NodeDefinitions,
        user: Option<&str>,
    ) {
        if self.are_watched() {
            let notices = Notice::of_node_change(change, before, &self.node, user);
            notices.into_iter().for_each(|notice| self.add(notice));
        }
    }

    /// Notes that an alarm is on, or off again.
    pub(super) fn note_alarm(&self, name: &str, is_on: bool, wakers: &mut Vec<Waker>) {
        self.note(wakers, || {
            let notice = Notice::new(if is_on { "alarm.set" } else { "alarm.cleared" });
            notice.with("source", name).with("node", &*self.node)
        });
    }

    /// Notes a change in a virtual host, by whoever does the work.
    pub(super) fn note_change(&self, change: &Change, host: &VirtualHost, work: &mut Work) {
        let (policies, user) = (host.policies(), work.user.as_deref());
        let scene = Scene { host: &host.name, policies: &policies, node: &self.node, user };
        if let Some(notice) = Notice::of_change(change, scene) {
            self.note(&mut work.wakers, || notice);
        }
    }

    /// Notes what a policy that is set or cleared means for a queue.
    pub(super) fn note_queue_policy(
        &self,
        change: &NodeChange,
        queue: &QueueDefinition,
        work: &mut Work,
    ) {
        if self.are_watched()
            && let Some(notice) = Notice::of_queue_policy(change, queue, work.user.as_deref())
        {
            self.note(&mut work.wakers, || notice);
        }
    }

    /// Notes that nothing of a virtual host is left: those exchanges went that are always there,
    /// and what ran for it.
    pub(super) fn note_host_end(&self, host: &VirtualHost, work: &mut Work) {
        if !self.are_watched() {
            return;
        }
        let exchanges: Vec<_> = host.definitions().exchanges().cloned().collect();
        for exchange in exchanges {
            self.note_change(&Change::ExchangeDeleted(exchange), host, work);
        }
        self.note(&mut work.wakers, || {
            let notice = Notice::new("vhost.down").with("name", &*host.name);
            notice.with("node", &*self.node).by(None)
        });
    }

    fn add(&self, notice: Notice) {
        let mut waiting = lock(&self.waiting);
        match waiting.len() < EVENTS_WAITING_MAX {
            true => waiting.push_back(notice),
            false => _ = self.lost.fetch_add(1, Ordering::Relaxed),
        }
    }

    /// Whoever looks at timers looks here next.
    pub(super) fn announce(&self, wakers: &mut Vec<Waker>) {
        if self.are_watched() && !lock(&self.waiting).is_empty() {
            self.timers.add(Timer::for_events(), wakers);
        }
    }

    fn take(&self) -> Vec<Notice> {
        let mut waiting = lock(&self.waiting);
        let count = waiting.len().min(EVENTS_STEP_MAX);
        waiting.drain(..count).collect()
    }
}

impl Broker {
    /// Tells what was noted, as far as one step goes. No lock may be held.
    pub(super) fn tell_events(&self, work: &mut Work) {
        let lost = self.events.lost.swap(0, Ordering::Relaxed);
        if lost > 0 {
            warn!(target: "node", "{lost} events are lost: more came at once than may wait");
        }
        let notices = self.events.take();
        let host = self.events.host.as_deref().and_then(|name| self.virtual_host(name));
        let host = host.and_then(|host| Some((host.router.exchange(EVENT_EXCHANGE)?, host)));
        if let Some((exchange, host)) = host {
            for notice in notices {
                let message = notice.into_message(work.now);
                host.pass_on(&exchange, &message, self.draw(), work);
            }
            // That is for publishers.
            work.is_ahead = false;
        }
        self.events.announce(&mut work.wakers);
    }
}

/// Lets those who look at timers know what was noted while a lock was held: it is dropped behind
/// the lock.
#[derive(Debug)]
pub(super) struct Announcement<'a>(pub(super) &'a Events);

impl Drop for Announcement<'_> {
    fn drop(&mut self) {
        if self.0.are_watched() {
            let mut wakers = Vec::new();
            self.0.announce(&mut wakers);
            wakers.into_iter().for_each(Waker::wake);
        }
    }
}
