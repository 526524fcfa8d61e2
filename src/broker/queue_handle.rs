//! A live queue: the machine behind its lock, and the sessions its consumers belong to. Effects are
//! carried out under the lock, so that what a consumer gets, and what the log hears, is in the
//! queue's order. What it hands out is in `queue_delivery`, what it gives to the log in
//! `queue_log`, what becomes of a queue in which something breaks in `out_of_service`.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, RwLock};

use super::burial::Burial;
use super::dead_letter_counts::Strategy;
use super::durability::Durability;
use super::in_force::{InForce, keeps_dead_letters, traits};
use super::live_queue::Live;
use super::lock::{lock, read, write};
use super::message_counts::{MessageCounts, Wait};
use super::out_of_service::{Broken, OutOfService, reason};
use super::pace::Hold;
use super::queue_delivery::in_order_of_sequences;
use super::queue_log::Link;
use super::timers::Deadline;
use super::waiting_room;
use super::work::Work;
use crate::connection::Event;
use crate::definitions::QueueDefinition;
use crate::message::{Era, Moment, Name, QueueId, QueueOptions, Sequence};
use crate::queue::{Effect, Queue, QueueTraits, Resident};
use crate::store::{RecoveredQueue, Tail};

/// A queue and its lock.
#[derive(Debug)]
pub(super) struct QueueHandle {
    pub(super) definition: Arc<QueueDefinition>,
    /// Where it is declared.
    pub(super) virtual_host: Name,
    /// By which deliveries are known that this life of the queue made: the number of the queue,
    /// and another one after it was read again.
    pub(super) incarnation: QueueId,
    /// It is no queue that was declared: messages of an exchange wait in it.
    pub(super) is_waiting_room: bool,
    /// It may refuse a message.
    refuses: AtomicBool,
    /// What is in force where that is more than what its arguments say.
    in_force: RwLock<Option<Arc<InForce>>>,
    /// When it is looked at whether somebody uses it.
    watched_at: Mutex<Option<Moment>>,
    is_gone: AtomicBool,
    /// Something broke in it: it is gone, and another takes its place.
    is_broken: AtomicBool,
    pub(super) counts: Arc<MessageCounts>,
    pub(super) link: Option<Link>,
    pub(super) live: Mutex<Live>,
}

impl QueueHandle {
    /// A queue, with what the store has of it where it is not new.
    pub(super) fn new(
        definition: Arc<QueueDefinition>,
        virtual_host: Name,
        durability: Option<&Arc<Durability>>,
        recovered: Option<RecoveredQueue>,
        in_force: Option<Arc<InForce>>,
        counts: Arc<MessageCounts>,
    ) -> Self {
        let options = in_force.as_ref().map_or(&definition.options, |in_force| &in_force.options);
        let before = definition.ttl_before.clone();
        let traits = traits(&definition, options, durability.is_some(), before);
        let handle =
            Self::with_traits(definition, virtual_host, durability, recovered, traits, counts);
        handle.under(in_force)
    }

    /// The queue in which messages of an exchange wait: `definition` is of no queue that clients
    /// know.
    pub(super) fn waiting_room(
        definition: Arc<QueueDefinition>,
        virtual_host: Name,
        durability: Option<&Arc<Durability>>,
        recovered: Option<RecoveredQueue>,
        counts: Arc<MessageCounts>,
    ) -> Self {
        let traits = waiting_room::traits(definition.durable && durability.is_some());
        let handle =
            Self::with_traits(definition, virtual_host, durability, recovered, traits, counts);
        lock(&handle.live).count_waiting(Wait::Delay, &handle.counts);
        Self { is_waiting_room: true, ..handle }
    }

    /// How messages wait in it.
    fn wait(&self) -> Wait {
        if self.is_waiting_room { Wait::Delay } else { Wait::Retry }
    }

    fn under(self, in_force: Option<Arc<InForce>>) -> Self {
        Self { in_force: RwLock::new(in_force), ..self }
    }

    fn with_traits(
        definition: Arc<QueueDefinition>,
        virtual_host: Name,
        durability: Option<&Arc<Durability>>,
        recovered: Option<RecoveredQueue>,
        traits: QueueTraits,
        counts: Arc<MessageCounts>,
    ) -> Self {
        let refuses = AtomicBool::new(may_refuse(&traits));
        let next_sequence = recovered.as_ref().map_or(0, |recovered| recovered.next_sequence);
        let link = durability.map(|durability| Link {
            durability: durability.clone(),
            tail: Arc::new(Tail::new(definition.id, next_sequence)),
        });
        let has_logged = recovered.is_some();
        let queue = match recovered {
            None => Queue::new(traits),
            Some(found) => {
                let is_unique = traits.is_unique;
                let keys = durability.filter(|_| is_unique);
                let keys = keys.map(|durability| durability.keys_of(definition.id, &found.runs));
                let mut queue = Queue::recovered(traits, next_sequence, found.runs);
                queue.know_keys(keys.unwrap_or_default());
                queue
            }
        };
        let live = Live { queue, has_logged, ..Live::default() };
        Self {
            incarnation: definition.id,
            definition,
            virtual_host,
            refuses,
            is_waiting_room: false,
            in_force: RwLock::default(),
            watched_at: Mutex::default(),
            is_gone: AtomicBool::new(false),
            is_broken: AtomicBool::new(false),
            counts,
            link,
            live: Mutex::new(live),
        }
    }

    /// The next step of it breaks, as a bug would.
    #[cfg(test)]
    pub(super) fn plant(&self) {
        lock(&self.live).breaks = true;
    }

    /// It may refuse a message: whoever publishes to it must be told.
    pub(super) fn refuses(&self) -> bool {
        self.refuses.load(Ordering::Acquire)
    }

    /// A dead letter that no queue takes stays in it.
    pub(super) fn keeps_dead_letters(&self) -> bool {
        self.with_options(keeps_dead_letters)
    }

    /// What is in force where that is more than what its arguments say.
    pub(super) fn in_force(&self) -> Option<Arc<InForce>> {
        read(&self.in_force).clone()
    }

    /// Looks at the options in force.
    pub(super) fn with_options<R>(&self, look: impl FnOnce(&QueueOptions) -> R) -> R {
        match self.in_force() {
            Some(in_force) => look(&in_force.options),
            None => look(&self.definition.options),
        }
    }

    /// From now on this is in force. Gives the times to live that it had, where a later life must
    /// know others than before. The definitions are locked.
    ///
    /// # Errors
    /// It is out of service, and comes back with what is in force then.
    pub(super) fn configure(
        self: &Arc<Self>,
        in_force: Option<Arc<InForce>>,
        work: &mut Work,
    ) -> Result<Option<Vec<Era>>, OutOfService> {
        let is_logged = self.link.is_some();
        let traits = |options| traits(&self.definition, options, is_logged, Vec::new());
        let traits = match &in_force {
            Some(in_force) => traits(&in_force.options),
            None => traits(&self.definition.options),
        };
        let expires_ms = self.with_options(|options| options.expires_ms);
        *write(&self.in_force) = in_force;
        self.refuses.store(may_refuse(&traits), Ordering::Release);
        let has_new_end = self.with_options(|options| options.expires_ms) != expires_ms;
        self.with(work, |live| {
            if has_new_end {
                live.touch();
            }
            live.queue.configure(traits)
        })
    }

    /// It is to be looked at then whether somebody uses it; gives when it was to be before.
    pub(super) fn watched(&self, at: Option<Moment>) -> Option<Moment> {
        std::mem::replace(&mut *lock(&self.watched_at), at)
    }

    /// The queue's number, in the log and in routes.
    pub(super) fn id(&self) -> QueueId {
        self.definition.id
    }

    /// It is out of service until another handle takes its place.
    pub(super) fn is_broken(&self) -> bool {
        self.is_broken.load(Ordering::Acquire)
    }

    /// It was deleted, or left service: who holds this looks the name up again.
    pub(super) fn is_gone(&self) -> bool {
        self.is_gone.load(Ordering::Acquire)
    }

    /// Marks it deleted for those who do not want to take the lock.
    pub(super) fn mark_gone(&self) {
        self.is_gone.store(true, Ordering::Release);
    }

    /// Does something with the queue, then hands out what can be delivered.
    ///
    /// # Errors
    /// Something broke in the queue, now or before. Whatever the step was to do, it is not done.
    pub(super) fn with<R>(
        self: &Arc<Self>,
        work: &mut Work,
        step: impl FnOnce(&mut Live) -> R,
    ) -> Result<R, OutOfService> {
        let mut live = lock(&self.live);
        if self.is_broken() {
            return Err(OutOfService);
        }
        live.queue.elapse(work.now);
        let mut effects = std::mem::take(&mut live.effects);
        // The lock is held on: nobody sees what a panic leaves behind, and it is used no more.
        let result = catch_unwind(AssertUnwindSafe(|| {
            #[cfg(test)]
            assert!(!std::mem::take(&mut live.breaks), "planted");
            let result = step(&mut live);
            self.dispatch(&mut live, &mut effects, work);
            result
        }));
        match result {
            Ok(result) => {
                live.effects = effects;
                Ok(result)
            }
            Err(panic) => {
                let wreck = self.leave_service(&mut live, &effects, work);
                drop(live);
                drop((wreck, effects));
                work.broken.push(Broken { handle: Arc::clone(self), why: reason(&*panic) });
                Err(OutOfService)
            }
        }
    }

    fn dispatch(self: &Arc<Self>, live: &mut Live, effects: &mut Vec<Effect>, work: &mut Work) {
        effects.append(&mut live.effects);
        live.queue.dispatch(effects);
        if live.has_neighbors && !live.queue.has_priorities() {
            *effects = in_order_of_sequences(std::mem::take(effects));
        }
        // Taken from the end, so that what a panic leaves undone is still there.
        effects.reverse();
        // The log is locked over neighboring facts, and never together with a mailbox.
        let mut appender = None;
        while let Some(effect) = effects.pop() {
            if let Effect::Append(fact) = effect {
                self.append(live, fact, &mut appender, work);
                continue;
            }
            drop(appender.take());
            self.carry_out(live, effect, work);
        }
        drop(appender);
        let equals_met = std::mem::take(&mut live.equals_met);
        if equals_met > 0 {
            self.counts.present_in_queues(equals_met);
            work.position = work.position.max(live.appended_at);
        }
        self.count(live);
        live.count_waiting(self.wait(), &self.counts);
        live.count_handed_out_again();
        if live.queue.has_lost() {
            self.count_lost(live);
        }
        live.keep_pace(work);
        if let Some((at, instead_of)) = live.new_deadline() {
            work.deadlines.push(Deadline { at, instead_of, handle: Arc::clone(self) });
        }
    }

    fn count_lost(&self, live: &mut Live) {
        let way = (self.definition.options.kind, Strategy::Disabled);
        for (reason, count) in live.queue.take_lost() {
            self.counts.dead_letters.died(way, reason, count);
        }
    }

    /// It comes from the disk: it goes on with what was left to do.
    pub(super) fn take_up(self: &Arc<Self>, work: &mut Work) {
        if lock(&self.live).queue.is_unfinished() {
            // What breaks here leaves service, and comes back.
            let _ = self.with(work, |_| ());
        }
    }

    /// The deadline that it asked for is there: what is due is done.
    pub(super) fn wake(self: &Arc<Self>, work: &mut Work) {
        // What left service asks for none.
        let _ = self.with(work, |live| live.wakes_at = None);
    }

    /// Lets a publisher wait until the queue wants more. False where it does already.
    pub(super) fn hold(&self, hold: &Arc<Hold>) -> bool {
        lock(&self.live).hold(hold)
    }

    /// Something broke: nothing of what is in RAM is trusted any more. Consumers are cancelled,
    /// gets that wait find nothing, and bodies are counted no longer.
    fn leave_service(&self, live: &mut Live, undone: &[Effect], work: &mut Work) -> Live {
        self.mark_gone();
        self.is_broken.store(true, Ordering::Release);
        // Deliveries are still known under numbers below this one.
        let next_sequence = live.queue.next_sequence();
        let mut wreck = std::mem::take(live);
        live.queue = Queue::recovered(QueueTraits::default(), next_sequence, []);
        live.has_logged = wreck.has_logged;
        if let Some(Link { durability, .. }) = &self.link {
            durability.memory.update(wreck.counted, Resident::default());
        }
        self.counts.waiting(self.wait(), wreck.waiting_count, 0);
        wreck.queue.abandon(undone);
        wreck.queue.abandon(&wreck.effects);
        wreck.leave(work);
        for subscriber in wreck.subscribers.values() {
            let event = Event::ConsumerCancelled { consumer: subscriber.key, by: None };
            // A session that is gone needs no word.
            let _ = subscriber.mailbox.push(event, &mut work.wakers);
        }
        wreck
    }

    /// Since when nobody uses it, as far as anybody looked: a consumer uses it all the time.
    pub(super) fn unused_since(&self, now: Moment) -> Moment {
        let mut live = lock(&self.live);
        if live.used_at == Moment::default() || live.queue.counts().consumers > 0 {
            live.used_at = now;
        }
        live.used_at
    }

    /// Of a queue that is out of service: the place its next message has, and whether the log may
    /// have messages of it.
    pub(super) fn left_behind(&self) -> (Sequence, bool) {
        let live = lock(&self.live);
        (live.queue.next_sequence(), live.has_logged)
    }

    fn carry_out(self: &Arc<Self>, live: &mut Live, effect: Effect, work: &mut Work) {
        match effect {
            Effect::Deliver(consumer, run) => self.deliver(live, consumer, run, work),
            Effect::TimedOut(consumer, timeout_ms) => live.time_out(consumer, timeout_ms, work),
            Effect::Expire => work.expired.push(Arc::clone(self)),
            Effect::Fetch(range) => self.ask(range, work),
            Effect::DeadLetter(letters) => {
                work.dead_letters.push_back(Burial::new(Arc::clone(self), letters));
            }
            Effect::Got { get, got } => self.answer_get(live, get, got, work),
            // Facts go to the log, many under one lock.
            Effect::Append(_) => {}
        }
    }
}

/// It may refuse a message.
fn may_refuse(traits: &QueueTraits) -> bool {
    traits.length_limit().is_some_and(|limit| limit.refuses)
}

#[cfg(test)]
mod tests {
    use super::super::durability::MemoryOptions;
    use super::super::live_queue::Subscriber;
    use super::*;
    use crate::message::{
        Account, Body, ConsumerId, ConsumerKey, Envelope, Message, Outcome, SequenceRange,
    };
    use crate::protocol::field::FieldTable;
    use crate::queue::{Consumer, Credit, Patience};
    use crate::store::{MemoryStorage, Opened, StoreOptions};

    fn auto_delete() -> Arc<QueueDefinition> {
        Arc::new(QueueDefinition {
            id: QueueId(7),
            name: "q".into(),
            durable: true,
            auto_delete: true,
            owner: None,
            arguments: FieldTable::new(),
            options: QueueOptions::default(),
            ttl_before: Vec::new(),
        })
    }

    fn consumer() -> Consumer {
        Consumer {
            id: ConsumerId(1),
            no_ack: false,
            is_exclusive: false,
            priority: 0,
            prefetch_count: 0,
            channel_credit: None,
            window: Arc::new(Credit::new(0)),
            patience: Patience::default(),
            backoff: None,
        }
    }

    fn persistent() -> Message {
        let envelope =
            Envelope { exchange: "", routing_key: "q", properties: &[0, 0], is_persistent: true };
        Message::new(envelope, Body::Copied(b"x"))
    }

    /// A queue over a store in memory.
    fn stored() -> (Opened, Arc<Durability>, Arc<QueueHandle>) {
        let disk = MemoryStorage::new(1 << 24);
        let opened = crate::store::open(Arc::new(disk), StoreOptions::default()).unwrap();
        let (log, reader) = (opened.log.clone(), opened.reader.clone());
        let durability = Durability::new(log, reader, MemoryOptions::default(), Account::default());
        let durability = Arc::new(durability);
        let handle = QueueHandle::new(
            auto_delete(),
            "/".into(),
            Some(&durability),
            None,
            None,
            Arc::default(),
        );
        (opened, durability, Arc::new(handle))
    }

    #[test]
    fn a_message_that_reading_finds_damaged_is_counted() {
        let (mut opened, durability, handle) = stored();
        let mut work = Work::default();
        let filled = handle.with(&mut work, |live| live.queue.enqueue(persistent()));
        filled.unwrap();
        opened.writer.write(Moment(1), true);
        let shed = handle.with(&mut work, |live| live.queue.shed(1, 0));
        assert!(shed.unwrap() > 0, "its body is on disk only");
        assert_eq!(durability.figures().quarantined_places, 0);
        handle.fetched(SequenceRange::one(0), Vec::new(), &mut work);
        assert_eq!(durability.figures().quarantined_places, 1);
        handle.fetched(SequenceRange::one(0), Vec::new(), &mut work);
        assert_eq!(durability.figures().quarantined_places, 1, "it is lost once");
    }

    /// Facts behind "the last consumer went" were once passed over: what its channel rejected came
    /// back after a restart where somebody kept the queue alive.
    #[test]
    fn what_is_settled_as_the_last_consumer_goes_is_told_to_the_log() {
        let (mut opened, _, handle) = stored();
        let subscriber = Subscriber {
            mailbox: Arc::default(),
            key: ConsumerKey { channel: 1, number: 1 },
            consumer_tag: "".into(),
            no_ack: false,
            arguments: None,
        };
        let mut work = Work::default();
        let subscribed = handle.with(&mut work, |live| {
            live.queue.subscribe(consumer()).unwrap();
            live.subscribe(ConsumerId(1), subscriber);
            live.queue.enqueue(persistent());
        });
        subscribed.unwrap();
        opened.writer.write(Moment(1), true);
        work.position = 0;
        let left = handle.with(&mut work, |live| {
            live.unsubscribe(ConsumerId(1));
            live.queue.settle(&[SequenceRange::one(0)], Outcome::Rejected);
        });
        left.unwrap();
        assert_eq!(work.expired.len(), 1);
        assert!(work.position > 0, "the log heard of it");
        opened.writer.write(Moment(2), true);
        let left = opened.reader.read(QueueId(7), SequenceRange::one(0), 1).unwrap();
        assert!(left.messages.is_empty());
    }
}
