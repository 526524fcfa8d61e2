//! Who gets what next: gets that waited, then consumers in turns, and what is to be read for those
//! that come after.

use super::{Effect, Fetched, Fetching, Queue};
use crate::limits::{DELIVERY_OVERHEAD_SIZE, TURN_COUNT_MAX};
use crate::message::{ConsumerId, Delivery, DeliveryCounts, GetId, Message};
use crate::queue::dispatch::Gathered;
use crate::queue::patience::MarkId;
use crate::queue::stretch::Stretch;
use crate::queue::unsettled::Holder;

/// Part of an even share that one turn may take: the rest is dealt out again by who is then ready.
const TURNS_PER_SHARE: usize = 4;

/// A consumer whose turn it is, with credit taken for `count` messages.
struct Turn {
    consumer: ConsumerId,
    no_ack: bool,
    count: usize,
    /// How long it may hold them.
    timeout_ms: Option<u64>,
}

impl Queue {
    /// Tells the log what happened, then hands ready messages to gets that wait and to consumers
    /// while both are there, drops what is too much then, and asks for bodies that are needed next.
    pub fn dispatch(&mut self, effects: &mut Vec<Effect>) {
        self.release(self.now);
        if self.contents.has_dying() {
            self.expire(self.now);
        }
        self.tell(effects);
        if self.vigil_at().is_some() {
            self.keep_vigil(effects);
        }
        if self.has_gets() {
            self.answer_gets(effects);
        }
        if !self.has_gets() {
            self.serve(effects);
        }
        if self.traits.length_limit().is_some() || self.contents.has_dying() {
            self.expire(self.now.plus(1));
            self.drop_excess();
            self.tell(effects);
        }
        if self.buries {
            self.bury(effects);
        }
        self.ask(effects);
    }

    /// Tells the log what happened.
    pub(super) fn tell(&mut self, effects: &mut Vec<Effect>) {
        if let Some(activity) = &mut self.activity
            && !activity.facts.is_empty()
        {
            effects.extend(activity.facts.take().into_iter().map(Effect::Append));
        }
    }

    /// Somebody waits for a body without being a consumer.
    fn has_gets(&self) -> bool {
        self.activity.as_ref().is_some_and(|activity| !activity.gets.is_empty())
    }

    /// Fetches one message without a consumer.
    pub fn get(&mut self, no_ack: bool, get: GetId) -> Fetched {
        self.release(self.now);
        if self.contents.has_dying() {
            self.expire(self.now.plus(1));
        }
        let is_paged = self.contents.first().is_some_and(Stretch::is_paged);
        if is_paged || self.has_gets() {
            self.activity().gets.push_back((get, no_ack));
            return Fetched::Later;
        }
        match self.get_first(no_ack) {
            Some((delivery, left)) => Fetched::Got(delivery, left),
            None => Fetched::Empty,
        }
    }

    fn get_first(&mut self, no_ack: bool) -> Option<(Delivery, usize)> {
        let stretch = self.contents.pop(1)?;
        self.has_progress = true;
        let marks = stretch.marks();
        let needs_settle = no_ack && marks.is_logged;
        let counts = self.told_counts(&stretch);
        let delivery = Delivery {
            sequence: stretch.first(),
            message: told(stretch.message(0)?, counts),
            is_redelivered: marks.is_redelivered,
            needs_settle,
        };
        if !no_ack || needs_settle {
            self.activity().unsettled.insert(stretch, Holder::Getter);
        } else {
            self.forget_keys(stretch.range());
        }
        Some((delivery, self.contents.len()))
    }

    fn answer_gets(&mut self, effects: &mut Vec<Effect>) {
        while !self.contents.first().is_some_and(Stretch::is_paged)
            && let Some((get, no_ack)) = self.activity().gets.pop_front()
        {
            let got = self.get_first(no_ack);
            effects.push(Effect::Got { get, got });
        }
    }

    fn serve(&mut self, effects: &mut Vec<Effect>) {
        let mut gathered = Gathered::default();
        while let Some(turn) = self.next_turn()
            && let Some(stretch) = self.contents.pop(turn.count)
        {
            self.has_progress = true;
            self.handed_out += stretch.len() as u64;
            if stretch.marks().is_redelivered {
                self.activity().handed_out_again += stretch.len() as u64;
            }
            self.hand_out(stretch, &turn, &mut gathered);
        }
        for (id, run) in gathered.into_runs() {
            effects.push(Effect::Deliver(id, run));
            self.consumers.handed_out(id);
        }
    }

    /// A step of this queue broke off and it is not used any more: credit that it took and that
    /// other queues share is given back, for deliveries that are in no session's mailbox.
    pub fn abandon(&mut self, undone: &[Effect]) {
        self.consumers.put_back_taken();
        for effect in undone {
            if let Effect::Deliver(id, run) = effect {
                let bytes = run.iter().map(|delivery| cost(&delivery.message)).sum();
                self.consumers.put_back(*id, run.len() as u64, bytes);
            }
        }
    }

    /// The consumer that is served next, and with how many messages: a short slice, of messages
    /// that are alike, as far as its credit goes.
    fn next_turn(&mut self) -> Option<Turn> {
        let first = self.contents.first()?;
        let even_cost = first.even_size().map(|size| size + DELIVERY_OVERHEAD_SIZE);
        let cost = |index| even_cost.or_else(|| first.message(index).map(cost));
        let consumer = self.consumers.take_turn(cost(0)?)?;
        let (id, no_ack) = (consumer.id, consumer.no_ack);
        let of_queue_ms = self.traits.consumer_timeout_ms();
        let timeout_ms = if no_ack { None } else { consumer.patience.timeout_ms(of_queue_ms) };
        let ready = self.contents.len();
        let count_max = slice(ready, self.consumers.served_count()).min(first.len());
        let more = count_max.saturating_sub(1);
        let count = 1 + self.consumers.take_more(id, more, (1..count_max).map_while(cost));
        Some(Turn { consumer: id, no_ack, count, timeout_ms })
    }

    fn hand_out(&mut self, stretch: Stretch, turn: &Turn, gathered: &mut Gathered) {
        let is_kept = !turn.no_ack || stretch.marks().is_logged;
        let needs_settle = is_kept && turn.no_ack;
        if !is_kept {
            self.forget_keys(stretch.range());
        }
        let (mut sequence, is_redelivered) = (stretch.first(), stretch.marks().is_redelivered);
        let delivery = |message| {
            let delivery = Delivery { sequence, message, is_redelivered, needs_settle };
            sequence += 1;
            delivery
        };
        let (consumer, count) = (turn.consumer, stretch.len());
        let mark = turn.timeout_ms.map(|timeout_ms| self.watch(consumer, count, timeout_ms));
        let holder = Holder::Consumer(consumer, mark.unwrap_or(MarkId::NONE));
        let counts = self.told_counts(&stretch);
        if counts.is_some() {
            let messages = stretch.messages().map(|message| told(message, counts));
            gathered.extend(consumer, count, messages.map(delivery));
            if is_kept {
                self.activity().unsettled.insert(stretch, holder);
            }
        } else if is_kept {
            gathered.extend(consumer, count, stretch.messages().cloned().map(delivery));
            self.activity().unsettled.insert(stretch, holder);
        } else {
            gathered.extend(consumer, count, stretch.into_messages().map(delivery));
        }
    }

    /// How often these came back, where consumers are told.
    fn told_counts(&self, stretch: &Stretch) -> Option<DeliveryCounts> {
        let counts = stretch.marks().counts;
        (self.traits.tells_counts && !counts.is_none()).then_some(counts)
    }

    /// Asks for bodies that are needed: of dead letters, of what is delivered next, of what may die
    /// now. They take turns.
    fn ask(&mut self, effects: &mut Vec<Effect>) {
        let has_progress = std::mem::take(&mut self.has_progress);
        let is_leaving = self.buries && self.activity.is_some();
        if !is_leaving && !self.contents.has_paged() {
            return;
        }
        let leaving = self.activity.as_ref().and_then(|activity| activity.leaving.wants());
        let far = self.far().and_then(|far| far.wants(self.now));
        let dying = self.contents.wants_due(self.now);
        let ready = if self.is_awaiting(has_progress) { self.contents.wants() } else { None };
        let activity = self.activity();
        if activity.fetching.is_some() {
            return;
        }
        let wishes = [(leaving, true), (ready, false), (dying, false), (far, false)];
        let turns = (0..wishes.len()).map(|turn| (activity.reading_turn + turn) % wishes.len());
        for turn in turns {
            if let Some(&(Some(range), is_leaving)) = wishes.get(turn) {
                activity.reading_turn = turn + 1;
                activity.fetching = Some(Fetching { range, is_leaving });
                return effects.push(Effect::Fetch(range));
            }
        }
    }

    /// Somebody waits for a body, or what was just taken leaves few in RAM: a drain is to find the
    /// next ones there.
    fn is_awaiting(&self, has_progress: bool) -> bool {
        let is_paged = self.contents.first().is_some_and(Stretch::is_paged);
        let is_awaited = is_paged && (self.has_gets() || self.consumers.has_ready());
        is_awaited || has_progress
    }
}

/// How many messages a turn may take.
fn slice(ready: usize, consumers: usize) -> usize {
    match consumers {
        // Nobody else waits for his turn.
        0 | 1 => usize::MAX,
        _ => (ready / (consumers * TURNS_PER_SHARE)).clamp(1, TURN_COUNT_MAX),
    }
}

/// A message as it is delivered.
fn told(message: &Message, counts: Option<DeliveryCounts>) -> Message {
    counts.map_or_else(|| message.clone(), |counts| counts.tell(message))
}

/// What a message takes of a session's window.
fn cost(message: &Message) -> u64 {
    message.body_size() + DELIVERY_OVERHEAD_SIZE
}
