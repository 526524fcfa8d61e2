//! One channel of a user who has no connection: what another door has carried out in its name, by
//! the same checks as a client's. Nobody sees it among the connections, and it counts against no
//! limit on them; what it publishes counts against those on publishing. How it is asked, a door
//! knows.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::task::{Poll, Waker};

use super::batch::Batch;
use super::session::{Peer, Place, Session};
use super::shared::Broker;
use crate::auth::User;
use crate::connection::{Command, Event, Publish, Reply, Request, Settle};
use crate::message::{Message, MessageRun, Moment, Outcome, QueueId, SequenceRange};
use crate::protocol::reply::ChannelError;

/// The only channel there is.
const CHANNEL: u16 = 1;

/// A channel without a connection. What it was given and did not settle goes back when it ends.
#[derive(Debug)]
pub struct DirectChannel {
    session: Session,
    /// What it got, in its order.
    unsettled: Vec<(QueueId, SequenceRange)>,
}

impl DirectChannel {
    /// A channel of this user in this virtual host; none where there is no such virtual host, or
    /// the user has no permissions in it.
    #[must_use]
    pub fn open(broker: &Arc<Broker>, user: &Arc<User>, host: &str, now: Moment) -> Option<Self> {
        let host = broker.virtual_host(host)?;
        let mut session = Session::unlisted(broker.clone(), Peer { address: None }, now);
        session.user = Some(user.clone());
        let permissions = session.permissions_now(&host.name)?;
        let topics = session.topics_now(&host.name);
        session.meter = session.meter_in(&host);
        session.place = Some(Place { host, permissions, topics });
        session.channels.insert(CHANNEL, session.new_channel());
        Some(Self { session, unsettled: Vec::new() })
    }

    /// Has a command carried out; it is answered by `Answered` or `Refused`.
    pub fn ask(&mut self, command: Command, now: Moment) {
        self.session.work.now = now;
        let request = Request { channel: CHANNEL, method: (0, 0), nowait: false, command };
        self.session.handle(request);
        self.end_step();
    }

    /// Nobody may publish now: an alarm is on.
    #[must_use]
    pub fn is_blocked(&self) -> bool {
        self.session.broker.is_disk_low.load(Ordering::Acquire)
    }

    /// When the user, and all in the virtual host, may publish again.
    #[must_use]
    pub fn may_publish_at(&self, now: Moment) -> Moment {
        self.session.meter.paid_at(now)
    }

    /// Publishes a message. `Returned` comes where no queue takes it, and then `Confirmed`, or
    /// `Rejected`, or `Refused` alone.
    pub fn publish(&mut self, message: Message, now: Moment) {
        self.session.work.now = now;
        if let Err(error) = self.check_size(&message) {
            return self.session.refuse(CHANNEL, error.into());
        }
        let messages = MessageRun::one(message);
        let publish =
            Publish { channel: CHANNEL, messages, mandatory: true, confirm: 1, way: None };
        let mut batch = Batch::default();
        self.session.publish(publish, &mut batch);
        self.session.flush(&mut batch);
        self.session.pay();
        self.end_step();
    }

    fn check_size(&self, message: &Message) -> Result<(), ChannelError> {
        let (size, maximum) =
            (message.body_size(), self.session.broker.connection_options.message_size_max);
        if size <= maximum {
            return Ok(());
        }
        let text = format!("message size {size} is larger than configured max size {maximum}");
        Err(ChannelError::precondition_failed(text))
    }

    /// The next thing that happened. Where there is none yet, the waker is told.
    pub fn poll(&mut self, waker: &Waker) -> Poll<Event> {
        loop {
            self.session.forgive();
            self.session.release_durable();
            if let Some(event) = self.session.mailbox.pop() {
                self.note(&event);
                return Poll::Ready(event);
            }
            if !self.session.register(waker) {
                return Poll::Pending;
            }
        }
    }

    fn note(&mut self, event: &Event) {
        if let Event::Answered { reply: Reply::Got { queue, delivery, .. }, .. } = event {
            self.unsettled.push((*queue, SequenceRange::one(delivery.sequence)));
        }
    }

    /// Ends all that it got, in this way.
    pub fn settle(&mut self, outcome: Outcome, now: Moment) {
        self.session.work.now = now;
        let mut unsettled = std::mem::take(&mut self.unsettled).into_iter().peekable();
        while let Some((queue, range)) = unsettled.next() {
            let mut settle = Settle::new(CHANNEL, queue, outcome);
            settle.add(range, false);
            while let Some((_, range)) = unsettled.next_if(|(next, _)| *next == queue) {
                settle.add(range, false);
            }
            self.session.settle(&settle);
        }
        self.end_step();
    }

    fn end_step(&mut self) {
        self.session.look_after_queues();
        self.session.work.wake();
    }
}

impl Drop for DirectChannel {
    fn drop(&mut self) {
        self.settle(Outcome::Requeued, self.session.work.now);
    }
}
