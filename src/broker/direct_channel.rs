//! One channel of a user who has no connection: what another door has carried out in its name, by
//! the same checks as a client's. Nobody sees it among the connections, and it counts against no
//! limit on them; what it publishes counts against those on publishing. How it is asked, a door
//! knows.

use std::sync::Arc;
use std::task::{Poll, Waker};

use super::batch::Batch;
use super::session::{Peer, Place, Session};
use super::shared::Broker;
use crate::auth::User;
use crate::connection::{Command, Event, Publish, Reply, Request, Settle};
use crate::limits::FRAME_SIZE_MAX;
use crate::message::{Message, MessageRun, Moment, Outcome, QueueId, SequenceRange};
use crate::protocol::frame::{CONTENT_HEAD_SIZE, OVERHEAD_SIZE};
use crate::protocol::reply::ChannelError;

/// The only channel there is.
const CHANNEL: u16 = 1;

/// A channel without a connection. What it was given and did not settle goes back when it ends.
#[derive(Debug)]
pub struct DirectChannel {
    session: Session,
    /// What it got, in its order.
    unsettled: Vec<(QueueId, SequenceRange)>,
    /// A queue was out of service when it last published.
    has_met_broken: bool,
}

/// Why a message was rejected.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Rejection {
    /// A queue has no room for it.
    Full,
    /// Something broke in a queue, which is about to be read again.
    OutOfService,
    /// The log failed, for this reason.
    NotStored(Arc<str>),
}

impl DirectChannel {
    /// A channel of this user in this virtual host; none where there is no such virtual host, or
    /// the user has no permissions in it.
    #[must_use]
    pub fn open(broker: &Arc<Broker>, user: &Arc<User>, host: &str, now: Moment) -> Option<Self> {
        let host = broker.virtual_host(host)?;
        let mut session = Session::unlisted(broker.clone(), Peer { address: None }, now);
        session.user = Some(user.clone());
        session.work.user = Some(user.name.clone());
        session.name = session.process_id(0).into();
        let permissions = session.permissions_now(&host.name)?;
        let topics = session.topics_now(&host.name);
        session.meter = session.meter_in(&host);
        session.place = Some(Place { host, permissions, topics });
        session.channels.insert(CHANNEL, session.new_channel(CHANNEL));
        Some(Self { session, unsettled: Vec::new(), has_met_broken: false })
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

    /// Publishing waits for the disk, as a connection that publishes such messages does.
    #[must_use]
    pub fn is_held_back(&self, is_persistent: bool) -> bool {
        let durability = self.session.broker.durability.as_ref();
        durability.is_some_and(|durability| durability.is_behind(is_persistent))
    }

    /// Waits until the disk has room again.
    pub fn poll_room(&self, waker: &Waker) -> Poll<()> {
        match &self.session.broker.durability {
            Some(durability) if !durability.log.wait_for_room(waker) => Poll::Pending,
            _ => Poll::Ready(()),
        }
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
        if let Err(error) = self.check(&message) {
            return self.session.refuse(CHANNEL, error.into());
        }
        let messages = MessageRun::one(message);
        let publish =
            Publish { channel: CHANNEL, messages, mandatory: true, confirm: 1, way: None };
        let mut batch = Batch::default();
        self.session.publish(publish, &mut batch);
        self.session.flush(&mut batch);
        self.has_met_broken = batch.has_met_broken;
        self.session.pay();
        self.end_step();
    }

    /// Why what was published is `Rejected`.
    #[must_use]
    pub fn rejection(&self) -> Rejection {
        let durability = self.session.broker.durability.as_ref();
        match durability.and_then(|durability| durability.poison()) {
            Some(why) => Rejection::NotStored(why),
            None if self.has_met_broken => Rejection::OutOfService,
            None => Rejection::Full,
        }
    }

    /// What the frames of a connection could not bring is not published.
    fn check(&self, message: &Message) -> Result<(), ChannelError> {
        let options = &self.session.broker.connection_options;
        let (size, maximum) = (message.body_size(), options.message_size_max);
        if size > maximum {
            let text = format!("message size {size} is larger than configured max size {maximum}");
            return Err(ChannelError::precondition_failed(text));
        }
        let (size, maximum) =
            (message.properties().len(), properties_size_max(options.frame_size_max));
        if size > maximum {
            let text =
                format!("properties of {size} bytes are larger than a frame holds: {maximum}");
            return Err(ChannelError::precondition_failed(text));
        }
        Ok(())
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

    /// What a connection would do with an event: it keeps what it got, and counts.
    fn note(&mut self, event: &Event) {
        if let Event::Answered { reply: reply @ Reply::Got { queue, delivery, .. }, .. } = event {
            self.unsettled.push((*queue, SequenceRange::one(delivery.sequence)));
            if self.session.is_traced() {
                self.session.trace_got(CHANNEL, reply);
                self.end_step();
            }
        }
        match event {
            Event::Answered { reply: reply @ (Reply::Got { .. } | Reply::GotEmpty), .. } => {
                self.session.count_get(CHANNEL, reply);
            }
            Event::Confirmed { first, last, .. } => {
                if let Some(state) = self.session.channels.get(&CHANNEL) {
                    state.live.traffic.count_confirmed(last - first + 1);
                }
            }
            _ => {}
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

/// Properties go to each consumer in one frame, and it may take none that is larger than usual.
fn properties_size_max(frame_size_max: u32) -> usize {
    let configured = if frame_size_max == 0 { FRAME_SIZE_MAX } else { frame_size_max };
    let frame_size = configured.min(FRAME_SIZE_MAX) as usize;
    frame_size.saturating_sub(OVERHEAD_SIZE + CONTENT_HEAD_SIZE)
}

impl Drop for DirectChannel {
    /// The session gives it back as it ends, where what breaks ends nothing else.
    fn drop(&mut self) {
        self.session.count_unlisted();
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
        world.broker.by_node().set_permission(&permission).unwrap();
        getting.ask(get(), NOW);
        let text = "ACCESS_REFUSED - read access to queue 'q' in vhost '/' refused for user";
        assert_eq!(refusal(&mut getting), format!("{text} 'guest'"));
        publishing.publish(message(&[0, 0]), NOW);
        let text = "ACCESS_REFUSED - write access to exchange 'amq.default' in vhost '/' refused";
        assert_eq!(refusal(&mut publishing), format!("{text} for user 'guest'"));
        assert_eq!(world.client().look_at("q"), Ok(1));
    }

    /// Of 10 MB they were once taken, and went out in one frame to consumer after consumer, each of
    /// which closed its connection for it.
    #[test]
    fn properties_that_no_frame_holds_are_refused() {
        let world = world();
        let properties = |size: usize| {
            let (table, entry) = (u32::try_from(size - 6).unwrap(), size - 13);
            let mut bytes = vec![0x20, 0];
            bytes.extend(table.to_be_bytes());
            bytes.extend(b"\x01hS");
            bytes.extend(u32::try_from(entry).unwrap().to_be_bytes());
            bytes.resize(size, b'x');
            bytes
        };
        let largest = 131_072 - 8 - 12;
        let mut channel = channel(&world);
        channel.publish(message(&properties(largest)), NOW);
        assert!(matches!(next(&mut channel), Event::Confirmed { .. }));
        channel.publish(message(&properties(largest + 1)), NOW);
        let text = "PRECONDITION_FAILED - properties of 131053 bytes are larger than a frame holds";
        assert_eq!(refusal(&mut channel), format!("{text}: {largest}"));
        assert_eq!(properties_size_max(0), largest, "where any frame may come, too");
        assert_eq!(properties_size_max(4096), 4096 - 20);
    }

    #[test]
    fn a_channel_says_whether_a_message_found_no_room_or_no_queue_that_works() {
        let mut world = world();
        let mut channel = channel(&world);
        let handle = world.client().session.place().unwrap().host.queue("q").unwrap();
        handle.plant();
        channel.publish(message(&[0, 0]), NOW);
        assert!(matches!(next(&mut channel), Event::Rejected { .. }));
        assert_eq!(channel.rejection(), Rejection::OutOfService);
        world.turn();
        channel.publish(message(&[0, 0]), NOW);
        assert!(matches!(next(&mut channel), Event::Confirmed { .. }));
        assert_eq!(channel.rejection(), Rejection::Full);
        world.writer.log().poison("it broke");
        assert_eq!(channel.rejection(), Rejection::NotStored("it broke".into()));
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
