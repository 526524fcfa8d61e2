//! Messages that died on their way to other queues: routed through the dead-letter exchange of
//! theirs, and only when they are there the queue they died in lets go of them. It holds no lock of
//! one queue while it takes another's, so no circle of queues can wait for itself.

use std::collections::VecDeque;
use std::sync::Mutex;

use tracing::debug;

use super::batch::{Group, Groups};
use super::burial::{Burial, Letter};
use super::dead_letter_counts::{Dropped, Strategy};
use super::deduplication::claim_for;
use super::lock::lock;
use super::out_of_service::OutOfService;
use super::queue_handle::QueueHandle;
use super::shared::Broker;
use super::targets::Targets;
use super::timers::Timer;
use super::virtual_host::VirtualHost;
use super::work::Work;
use crate::limits::{
    DEAD_LETTER_PAUSE_MS, DEAD_LETTER_RETRY_MS, DEAD_LETTERS_STEP_MAX, DEAD_LETTERS_TURN_COST,
};
use crate::message::{DeadLetter, Death, DeathReason, MessageRun, Moment};
use crate::routing::{Claim, ClaimId, Deduplicated};

/// Dead letters that wait: too many came at once, the log has to write first, or no queue takes
/// them yet.
#[derive(Debug, Default)]
pub(super) struct PutOff(Mutex<VecDeque<(Moment, Burial)>>);

/// Where dead letters of a queue go by what is in force now.
struct Way<'a> {
    host: &'a VirtualHost,
    queue: &'a str,
    reason: DeathReason,
    /// Nobody tried yet to bring them away.
    is_new: bool,
    exchange: Box<str>,
    routing_key: Option<Box<str>>,
}

/// Dead letters that are routed, until they are given to their queues.
#[derive(Debug, Default)]
struct Outgoing {
    groups: Groups,
    /// What they claimed from exchanges that let equal messages pass once, with the numbers of
    /// these letters.
    claims: Vec<(u64, Claim)>,
    /// The numbers of letters whose equals exchanges have seen.
    duplicates: Vec<u64>,
    /// The equal of one is on its way from elsewhere, and may yet fail.
    is_early: bool,
}

impl Outgoing {
    fn note(&mut self, number: u64, deduplicated: Deduplicated) {
        if !deduplicated.is_any() {
            return;
        }
        self.duplicates.extend(deduplicated.seen_at().map(|_| number));
        let is_own = |id: &ClaimId| self.claims.iter().any(|(_, claim)| claim.id() == *id);
        self.is_early |= !deduplicated.on_their_way().iter().all(is_own);
        let claims = deduplicated.into_claims().into_iter();
        self.claims.extend(claims.map(|claim| (number, claim)));
    }

    /// How many equals exchanges have seen of those for which nothing is left to do.
    fn duplicates_of_done(&self, letters: &[Letter]) -> usize {
        self.duplicates.iter().filter(|number| is_done(letters, **number)).count()
    }

    /// What those claimed for which nothing is left to do; the others give it back.
    fn claims_of_done(self, letters: &[Letter]) -> Vec<Claim> {
        let is_done = |(number, _): &(u64, Claim)| is_done(letters, *number);
        self.claims.into_iter().filter(is_done).map(|(_, claim)| claim).collect()
    }
}

/// Nothing is left to do for the letter with this number.
fn is_done(letters: &[Letter], number: u64) -> bool {
    let place = usize::try_from(number - 1).unwrap_or(usize::MAX);
    letters.get(place).is_some_and(|letter| letter.is_done)
}

impl<'a> Way<'a> {
    /// None where the exchange was taken away since they died.
    fn of(host: &'a VirtualHost, source: &'a QueueHandle, burial: &Burial) -> Option<Self> {
        let queue = &*source.definition.name;
        let (reason, is_new) = (burial.reason, burial.is_new);
        source.with_options(|options| {
            let exchange = options.dead_letter_exchange.clone()?;
            let routing_key = options.dead_letter_routing_key.clone();
            Some(Self { host, queue, reason, is_new, exchange, routing_key })
        })
    }
}

impl PutOff {
    /// Those whose moment is there.
    fn take(&self, now: Moment) -> VecDeque<Burial> {
        let mut put_off = lock(&self.0);
        let (due, later) = put_off.drain(..).partition(|(at, _)| *at <= now);
        *put_off = later;
        let due: VecDeque<(Moment, Burial)> = due;
        due.into_iter().map(|(_, burial)| burial).collect()
    }

    fn add(&self, at: Moment, burials: impl IntoIterator<Item = Burial>) {
        lock(&self.0).extend(burials.into_iter().map(|burial| (at, burial)));
    }
}

impl Broker {
    /// Does what a step left to do with queues: those that left service come back, dead letters go
    /// where they belong, also those that this makes, and deadlines are noted. No lock may be held.
    /// What is too much for one step is done at [`Broker::deadline`].
    #[inline]
    pub(super) fn look_after(&self, work: &mut Work) {
        if work.is_for_queues() {
            self.look_after_some(work);
        }
    }

    fn look_after_some(&self, work: &mut Work) {
        self.mend(work);
        let is_congested = || self.durability.as_ref().is_some_and(|d| d.log.is_congested());
        let mut rest = DEAD_LETTERS_STEP_MAX;
        while rest > 0 && !is_congested() {
            if let Some(burial) = work.dead_letters.pop_front() {
                rest = rest.saturating_sub(burial.letters.len().max(DEAD_LETTERS_TURN_COST));
                self.bring_away(burial, work);
                self.mend(work);
                // Consumers, and the reader of bodies, are not to wait for all the others.
                work.wake();
            } else {
                break;
            }
        }
        let rest = std::mem::take(&mut work.dead_letters);
        if !rest.is_empty() {
            self.put_off(rest, DEAD_LETTER_PAUSE_MS, work);
        }
        for deadline in work.deadlines.drain(..) {
            self.timers.add_queue(deadline, &mut work.wakers);
        }
    }

    /// They wait a while: for their turn, for the log, or for a queue.
    fn put_off(
        &self,
        burials: impl IntoIterator<Item = Burial>,
        milliseconds: u64,
        work: &mut Work,
    ) {
        let at = work.now.plus(milliseconds);
        self.put_off.add(at, burials);
        self.timers.add(Timer::for_dead_letters(at), &mut work.wakers);
    }

    /// Goes on with dead letters that were put off.
    pub(super) fn bury_rest(&self, work: &mut Work) {
        work.dead_letters.append(&mut self.put_off.take(work.now));
    }

    /// Gives dead letters to their queues, then tells the one they died in. What no queue took is
    /// tried again where that one keeps it.
    fn bring_away(&self, mut burial: Burial, work: &mut Work) {
        if burial.is_new && !burial.source.is_waiting_room {
            let way = (burial.source.definition.options.kind, burial.strategy());
            self.counts.dead_letters.died(way, burial.reason, burial.letters.len());
        }
        // What is to be tried again soon is in the queue it died in until then.
        let is_soon = !self.give_to_queues(&mut burial, work);
        if !is_soon && !burial.may_wait() {
            burial.set_done(true);
        }
        burial.is_new = false;
        if burial.let_go(work) && !burial.letters.is_empty() {
            let pause_ms = if is_soon { DEAD_LETTER_PAUSE_MS } else { DEAD_LETTER_RETRY_MS };
            self.put_off([burial], pause_ms, work);
        }
    }

    /// False where a queue is out of service, or an equal is on its way from elsewhere, which is to
    /// be tried again soon.
    fn give_to_queues(&self, burial: &mut Burial, work: &mut Work) -> bool {
        let source = burial.source.clone();
        let host = self.virtual_host(&source.virtual_host).filter(|_| !source.is_gone());
        let Some(host) = host else {
            // What was read again has them, and what is deleted took them along.
            burial.set_done(true);
            return true;
        };
        let is_last_try = !burial.may_wait();
        let mut outgoing = Outgoing::default();
        self.route_all(&host, burial, is_last_try, work, &mut outgoing);
        if outgoing.is_early || outgoing.groups.iter().any(|group| group.queue.is_broken()) {
            burial.set_done(false);
            return false;
        }
        let mut is_whole = true;
        for group in outgoing.groups.drain() {
            match give(&mut burial.letters, group, !is_last_try, work) {
                Ok(refused) if is_last_try => {
                    self.counts.dead_letters.dropped(Dropped::Refused, refused)
                }
                Ok(_) => {}
                Err(OutOfService) => is_whole = false,
            }
        }
        if burial.strategy() == Strategy::AtLeastOnce {
            let kind = source.definition.options.kind;
            self.counts.dead_letters.confirmed(kind, burial.arrived_count());
        }
        self.counts.seen_by_exchanges(outgoing.duplicates_of_done(&burial.letters));
        host.keep_seen(outgoing.claims_of_done(&burial.letters), work);
        // That is for publishers, and nobody is to be held back here.
        work.is_ahead = false;
        is_whole
    }

    /// Finds the queues of all: of dead letters by what is in force for their queue, of messages
    /// that waited by the exchange that let them.
    fn route_all(
        &self,
        host: &VirtualHost,
        burial: &mut Burial,
        is_last_try: bool,
        work: &Work,
        outgoing: &mut Outgoing,
    ) {
        let (source, is_new) = (burial.source.clone(), burial.is_new);
        if source.is_waiting_room {
            let mut routed: u64 = 0;
            for (letter, number) in burial.letters.iter_mut().zip(1..) {
                let (message, targets) =
                    host.go_on(&source, &letter.message, self.draw(), work.now, is_new);
                let Targets { mut queues, mut deduplicated } = targets;
                claim_for(&message, &queues, &mut deduplicated);
                outgoing.note(number, deduplicated);
                queues.retain(|target| !letter.had_by.contains(&target.id()));
                let declared = queues.iter().filter(|target| is_new && !target.is_waiting_room);
                routed += declared.count() as u64;
                outgoing.groups.add_numbered(&queues, &MessageRun::one(message), number);
                letter.is_done = true;
            }
            self.past_clients.count_delayed(routed);
            host.past_clients.count_delayed(routed);
            return;
        }
        let Some(way) = Way::of(host, &source, burial) else {
            return burial.set_done(true);
        };
        for (letter, number) in burial.letters.iter_mut().zip(1..) {
            letter.is_done = self.route_dead(&way, letter, number, work, outgoing);
            if !letter.is_done && is_last_try {
                self.counts.dead_letters.dropped(Dropped::Unroutable, 1);
            }
        }
    }

    /// Finds the queues of a dead letter, of those that do not have it yet. False where it has no
    /// route.
    fn route_dead(
        &self,
        way: &Way<'_>,
        dead: &Letter,
        number: u64,
        work: &Work,
        outgoing: &mut Outgoing,
    ) -> bool {
        let Way { host, queue, reason, is_new, exchange, routing_key } = way;
        let (reason, routing_key) = (*reason, routing_key.as_deref());
        let death = Death { reason, queue, now: work.now, exchange, routing_key };
        let letter = DeadLetter::of(&dead.message, death);
        let keys = &letter.carbon_copies;
        let Targets { mut queues, mut deduplicated } =
            host.targets(&letter.message, keys, self.draw(), work.now, *is_new);
        // Of a duplicate, its equal had one.
        let has_route = !queues.is_empty() || deduplicated.is_duplicate();
        queues.retain(|target| !dead.had_by.contains(&target.id()));
        queues.retain(|target| target.is_waiting_room || self.is_no_cycle(&letter, target, way));
        if queues.is_empty() && dead.had_by.is_empty() {
            // Nobody got it: another one may come.
            deduplicated.release();
        }
        claim_for(&letter.message, &queues, &mut deduplicated);
        outgoing.note(number, deduplicated);
        outgoing.groups.add_numbered(&queues, &MessageRun::one(letter.message), number);
        has_route
    }

    /// The letter would not go round for ever by way of this queue; else that is counted.
    fn is_no_cycle(&self, letter: &DeadLetter, target: &QueueHandle, way: &Way<'_>) -> bool {
        let target = &*target.definition.name;
        let is_cycle = letter.is_cycle(target);
        if is_cycle {
            debug!(
                target: "queue",
                queue = way.queue, target, reason = way.reason.name(),
                "a message is dropped: dead-letter queues cycle detected"
            );
            self.counts.dead_letters.dropped(Dropped::Cycle, 1);
        }
        !is_cycle
    }
}

/// Gives its letters to one queue, and notes which of them it has and which it refused; tells how
/// many that were. What leaves service just then took nothing.
fn give(
    letters: &mut [Letter],
    group: Group,
    is_kept: bool,
    work: &mut Work,
) -> Result<usize, OutOfService> {
    let Group { queue, runs, numbers, .. } = group;
    let numbers: Vec<u64> = numbers.unwrap_or_default().iter().map(|(_, number)| *number).collect();
    let taken = queue.with(work, |live| live.take_over(runs, &numbers, is_kept));
    let refused = taken.as_ref().unwrap_or(&numbers);
    for number in &numbers {
        let place = usize::try_from(number - 1).unwrap_or(usize::MAX);
        let Some(letter) = letters.get_mut(place) else { continue };
        match refused.binary_search(number) {
            Ok(_) => letter.is_done = false,
            Err(_) => letter.had_by.push(queue.id()),
        }
    }
    taken.map(|refused| refused.len())
}
