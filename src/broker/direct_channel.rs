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
        session.meter = session.meter_in(&host);
        session.place = Some(Place { host, permissions });
        session.channels.insert(CHANNEL, session.new_channel());
        Some(Self { session, unsettled: Vec::new() })
    }

    /// What the user may do is what it may do now, however long ago this was opened.
    fn begin_step(&mut self, now: Moment) {
        self.session.work.now = now;
        self.session.heed_permissions();
    }

    /// Has a command carried out; it is answered by `Answered` or `Refused`.
    pub fn ask(&mut self, command: Command, now: Moment) {
        self.begin_step(now);
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
        self.begin_step(now);
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
        for settle in self.take_unsettled(outcome) {
            self.session.settle(&settle);
        }
        self.end_step();
    }

    /// All that it got, neighbors of one queue together.
    fn take_unsettled(&mut self, outcome: Outcome) -> Vec<Settle> {
        let (mut settles, unsettled) = (Vec::new(), std::mem::take(&mut self.unsettled));
        for got in unsettled.chunk_by(|(queue, _), (next, _)| queue == next) {
            let Some((queue, _)) = got.first() else { continue };
            let mut settle = Settle::new(CHANNEL, *queue, outcome);
            got.iter().for_each(|(_, range)| settle.add(*range, false));
            settles.push(settle);
        }
        settles
    }

    fn end_step(&mut self) {
        self.session.look_after_queues();
        self.session.work.wake();
    }
}

impl Drop for DirectChannel {
    /// The session gives it back as it ends, where what breaks ends nothing else.
    fn drop(&mut self) {
        let mut settles = self.take_unsettled(Outcome::Requeued);
        self.session.sent_settles.append(&mut settles);
    }
}

#[cfg(test)]
mod tests {
    use std::panic::{AssertUnwindSafe, catch_unwind};
    use std::task::Wake;

    use super::super::test_world::{World, bodies};
    use super::*;
    use crate::definitions::PermissionDefinition;
    use crate::message::{Body, Envelope};

    const NOW: Moment = Moment(1);

    fn channel(world: &World) -> DirectChannel {
        let user = world.broker.user("guest").unwrap();
        DirectChannel::open(&world.broker, &user, "/", NOW).unwrap()
    }

    /// A world with a queue that has one message.
    fn world() -> World {
        let world = World::new();
        let mut client = world.client();
        client.declare("q", true);
        client.publish("q", &["a"]);
        world
    }

    fn message(properties: &[u8]) -> Message {
        let (exchange, routing_key, is_persistent) = ("", "q", false);
        let envelope = Envelope { exchange, routing_key, properties, is_persistent };
        Message::new(envelope, Body::Copied(b"x"))
    }

    fn next(channel: &mut DirectChannel) -> Event {
        match channel.poll(Waker::noop()) {
            Poll::Ready(event) => event,
            Poll::Pending => panic!("nothing happened"),
        }
    }

    /// The text of a refusal.
    fn refusal(channel: &mut DirectChannel) -> String {
        match next(channel) {
            Event::Refused { error, .. } => error.text().to_owned(),
            other => panic!("{other:?}"),
        }
    }

    fn get() -> Command {
        Command::Get { queue: "q".into(), no_ack: false }
    }

    /// It once was what they allowed when the channel was opened.
    #[test]
    fn permissions_hold_as_they_are_when_something_is_asked() {
        let world = world();
        let (mut getting, mut publishing) = (channel(&world), channel(&world));
        let none = String::new;
        let permission = PermissionDefinition {
            user: "guest".into(),
            host: "/".into(),
            configure: none(),
            write: none(),
            read: none(),
        };
        world.broker.set_permission(&permission).unwrap();
        getting.ask(get(), NOW);
        let text = "ACCESS_REFUSED - read access to queue 'q' in vhost '/' refused for user";
        assert_eq!(refusal(&mut getting), format!("{text} 'guest'"));
        publishing.publish(message(&[0, 0]), NOW);
        let text = "ACCESS_REFUSED - write access to exchange 'amq.default' in vhost '/' refused";
        assert_eq!(refusal(&mut publishing), format!("{text} for user 'guest'"));
        assert_eq!(world.client().look_at("q"), Ok(1));
    }

    struct Broken;

    impl Wake for Broken {
        fn wake(self: Arc<Self>) {
            panic!("planted");
        }
    }

    /// It once panicked in its drop, which ends the process where another panic is on its way.
    #[test]
    fn what_breaks_as_a_channel_ends_ends_nothing_else_and_what_it_got_goes_back() {
        let world = world();
        let mut ending = channel(&world);
        ending.ask(get(), NOW);
        assert!(matches!(next(&mut ending), Event::Answered { .. }));
        let mut consumer = world.client();
        consumer.consume("q", 1);
        consumer.events();
        assert!(!consumer.session.register(&Waker::from(Arc::new(Broken))));
        assert!(catch_unwind(AssertUnwindSafe(|| drop(ending))).is_ok());
        assert_eq!(bodies(&consumer.events()), [("a".to_owned(), true)]);
    }
}
