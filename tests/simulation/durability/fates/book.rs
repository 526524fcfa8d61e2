//! The book of fates: what became of each message that was published, from what clients were told
//! of it, and what may not be: a death that no rule allows, a delivery too early or too late, one
//! that comes twice, one that went back to where it left.
//!
//! ```text
//! published --> in a queue --death--> in the next one --> accepted
//!                  ^  | delivered
//!                  +--+ given back
//! ```
//!
//! A message goes to one queue, or with `fan` to several, and each copy is known by the first queue
//! that it came to: dead letters go to one queue each, and never back up.

use std::collections::{BTreeMap, BTreeSet};

use super::rules::{LAST, QueueRules};
use crate::client::{Delivery, ToldDeath};

/// Rules by queue.
pub(super) type AllRules = BTreeMap<&'static str, QueueRules>;

/// A message, and the first queue its copy came to.
pub(super) type Key = (u64, String);

/// A client, and where the queue has priorities, a consumer: only then two of one client are not
/// served in the order of the queue. Gets, which have no name, are answered beside consumers.
type Receiver = (usize, Option<String>);

/// Times above this end at a multiple of so many milliseconds.
const DUE_STEP_MS: u64 = 4;

/// What the publisher knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Answer {
    None,
    Confirmed,
    Refused,
}

/// A message as it was published.
#[derive(Clone, Debug)]
pub(super) struct Sent {
    pub(super) publisher: usize,
    pub(super) at: u64,
    /// The broker took it at that moment.
    pub(super) is_taken: bool,
    pub(super) delay_ms: u64,
    pub(super) expiration_ms: Option<u64>,
    pub(super) priority: Option<u8>,
    pub(super) is_persistent: bool,
    /// The queues, and the time to live that each gave it.
    pub(super) queues: BTreeMap<String, Option<u64>>,
    pub(super) answer: Answer,
    /// The life of the node in which it was published.
    pub(super) life: u64,
}

/// One copy of it.
#[derive(Clone, Debug, Default)]
pub(super) struct Copy {
    /// The queue in which it was seen last.
    queue: String,
    deaths: usize,
    was_seen: bool,
    holder: Option<usize>,
    /// How often its delivery failed in this queue.
    failures: u64,
    /// The node started since: a copy that failed too often and found no room elsewhere is tried
    /// once more.
    may_fail_again: bool,
    /// It waits before it is tried again.
    not_before: u64,
    /// Queues in which somebody rejected it.
    rejected_in: BTreeSet<String>,
    /// A consumer accepted it, so often.
    accepted: u64,
    is_accepted: bool,
    /// That is about to be on disk.
    is_ending: bool,
    /// That is on disk.
    is_final: bool,
    /// The node died when it may have been in two places.
    is_doubtful: bool,
}

/// A client's message, and how it is given back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum End {
    Accepted,
    Rejected,
    Returned,
    Failed,
}

/// Everything.
#[derive(Debug, Default)]
pub(super) struct Book {
    pub(super) sent: BTreeMap<u64, Sent>,
    pub(super) copies: BTreeMap<Key, Copy>,
    /// The last message by receiver, queue, publisher and priority.
    orders: BTreeMap<(Receiver, String, usize, Option<u8>), u64>,
    has_no_order: bool,
    pub(super) life: u64,
    /// Ends of the node that were no stops.
    pub(super) crashes: u64,
    /// How often each reason was told.
    pub(super) reasons: BTreeMap<String, u64>,
}

/// A delivery as it was heard.
#[derive(Debug)]
pub(super) struct Heard<'a> {
    pub(super) now: u64,
    pub(super) client: usize,
    pub(super) queue: &'a str,
    pub(super) no_ack: bool,
    pub(super) delivery: &'a Delivery,
}

impl Book {
    /// A delivery came; gives the copy.
    ///
    /// # Errors
    /// It cannot be.
    pub(super) fn delivered(&mut self, heard: &Heard<'_>, rules: &AllRules) -> Result<Key, String> {
        let Heard { now, client, queue, no_ack, delivery } = heard;
        let Some(sent) = self.sent.get(&delivery.message) else {
            return Err(format!("message {} was never published", delivery.message));
        };
        let first = delivery.deaths.last().map_or(*queue, |death| &*death.queue).to_owned();
        let key = (delivery.message, first);
        let told = |text: &str| {
            let copy = self.copies.get(&key);
            Err(format!("{text}: {heard:?}\n  sent {sent:?}\n  known {copy:?}"))
        };
        if !sent.queues.contains_key(&key.1) {
            return told("it came to a queue it was not sent to");
        }
        if let Err(text) = check_times(sent, heard, rules) {
            return told(&text);
        }
        let empty = Copy { queue: key.1.clone(), ..Copy::default() };
        let mut copy = self.copies.get(&key).cloned().unwrap_or(empty);
        if let Err(text) = copy.moved(heard, rules) {
            return told(&text);
        }
        if sent.answer == Answer::Refused && !is_buried_refusal(sent, &delivery.deaths) {
            return told("it was refused");
        }
        if delivery.deaths.is_empty() && sent.delay_ms == 0 && !delivery.redelivered {
            let has_priorities = rules[queue].is_quorum || rules[queue].priority_max.is_some();
            let consumer_tag = match &delivery.consumer_tag {
                Some(_) if !has_priorities => None,
                tag => Some(tag.clone().unwrap_or_default()),
            };
            let order =
                ((*client, consumer_tag), (*queue).to_owned(), sent.publisher, sent.priority);
            let last = self.orders.insert(order, delivery.message).unwrap_or(0);
            if last > delivery.message && !copy.is_doubtful && !self.has_no_order {
                return told(&format!("message {last} came before"));
            }
        }
        delivery.deaths.iter().take(1).for_each(|death| {
            *self.reasons.entry(death.reason.clone()).or_default() += 1;
        });
        copy.was_seen = true;
        copy.holder = Some(*client);
        self.copies.insert(key.clone(), copy);
        if *no_ack {
            self.ended(&key, End::Accepted, *now, rules);
        }
        Ok(key)
    }

    /// A delivery ended.
    pub(super) fn ended(&mut self, key: &Key, end: End, now: u64, rules: &AllRules) {
        let Some(copy) = self.copies.get_mut(key) else { return };
        copy.holder = None;
        // Nobody has dead letters of the last queue.
        let is_gone = end == End::Rejected && copy.queue == LAST;
        let of_kind: &[&str] = match end {
            _ if is_gone => return copy.accept(),
            End::Accepted => return copy.accept(),
            End::Rejected => {
                copy.rejected_in.insert(copy.queue.clone());
                return;
            }
            End::Returned => &["all", "returned"],
            End::Failed => &["all", "failed"],
        };
        copy.failures += u64::from(end == End::Failed);
        let retry = rules.get(&*copy.queue).and_then(|rules| rules.in_force().retry);
        let retry = retry.filter(|retry| of_kind.contains(&retry.kind));
        copy.not_before = retry.map_or(0, |retry| {
            let failures = if copy.is_doubtful { 1 } else { copy.failures.max(1) };
            now + (retry.min_ms * failures).min(retry.max_ms)
        });
    }

    /// It waits before it is tried again.
    pub(super) fn waits(&self, key: &Key, now: u64) -> bool {
        self.copies.get(key).is_some_and(|copy| copy.not_before > now)
    }

    /// A policy changed: what waited in the queue may be ready.
    pub(super) fn released(&mut self, queue: &str) {
        let here = self.copies.values_mut().filter(|copy| copy.queue == queue);
        here.for_each(|copy| copy.not_before = 0);
    }

    /// All that happened until now is about to be on disk.
    pub(super) fn is_to_be_on_disk(&mut self) {
        self.copies.values_mut().for_each(|copy| copy.is_ending = copy.is_accepted);
    }

    /// It is.
    pub(super) fn is_on_disk(&mut self) {
        self.copies.values_mut().for_each(|copy| copy.is_final |= copy.is_ending);
        if std::mem::take(&mut self.has_no_order) {
            self.orders.clear();
        }
    }

    /// The node ended and started again.
    pub(super) fn restarted(&mut self, is_clean: bool) {
        self.life += 1;
        self.crashes += u64::from(!is_clean);
        for copy in self.copies.values_mut().filter(|copy| !copy.is_final) {
            copy.holder = None;
            copy.not_before = 0;
            copy.is_doubtful |= !is_clean;
            copy.is_accepted &= is_clean;
            copy.is_ending = false;
            copy.may_fail_again = true;
        }
        // What was published and not seen may double as well.
        let unseen =
            self.sent.iter().filter(|_| !is_clean).flat_map(|(message, sent)| {
                sent.queues.keys().map(|queue| (*message, queue.clone()))
            });
        for key in unseen.collect::<Vec<_>>() {
            let queue = key.1.clone();
            let new = || Copy { queue, is_doubtful: true, ..Copy::default() };
            self.copies.entry(key).or_insert_with(new);
        }
        self.orders.clear();
    }

    /// What a lost client was about to get comes back to its place, when its body was read: behind
    /// what others have by then. Until all is quiet, no order is asked for.
    pub(super) fn forget_orders(&mut self) {
        self.has_no_order = true;
    }

    /// Messages that should have come and did not: each was confirmed, and every queue was emptied.
    ///
    /// # Errors
    /// One is somewhere it cannot be, or came too often.
    pub(super) fn missing(&self) -> Result<Vec<Key>, String> {
        let mut missing = Vec::new();
        for (message, sent) in &self.sent {
            for queue in sent.queues.keys() {
                let key = (*message, queue.clone());
                let copy = self.copies.get(&key);
                let accepted = copy.map_or(0, |copy| copy.accepted);
                if accepted > 1 + self.crashes {
                    return Err(format!("message {key:?} came too often: {sent:?} {copy:?}"));
                }
                let is_promised = sent.answer == Answer::Confirmed
                    && (sent.is_persistent || sent.life == self.life);
                if accepted == 0 && is_promised {
                    missing.push(key);
                }
            }
        }
        Ok(missing)
    }

    /// A message was refused. One that nobody should have had, somebody had.
    pub(super) fn refused(&mut self, message: u64) -> Result<(), String> {
        let Some(sent) = self.sent.get_mut(&message) else { return Ok(()) };
        sent.answer = Answer::Refused;
        let sent = &*sent;
        for queue in sent.queues.keys().filter(|_| sent.queues.len() == 1) {
            let copy = self.copies.get(&(message, queue.clone()));
            if copy.is_some_and(|copy| copy.was_seen && copy.deaths == 0) {
                return Err(format!("message {message} came and is refused: {sent:?} {copy:?}"));
            }
        }
        Ok(())
    }
}

impl Copy {
    /// Nobody is to have it again.
    fn accept(&mut self) {
        self.is_accepted = true;
        self.accepted += 1;
    }

    /// It is delivered in a queue, after so many deaths.
    fn moved(&mut self, heard: &Heard<'_>, rules: &AllRules) -> Result<(), String> {
        let Heard { queue, delivery, .. } = heard;
        let deaths = delivery.deaths.len();
        if self.is_final {
            return Err("it was accepted, and that was on disk".to_owned());
        }
        let has_doubt = self.is_doubtful;
        if !has_doubt && (self.is_accepted || self.holder.is_some()) {
            return Err("it comes twice".to_owned());
        }
        if !has_doubt && deaths < self.deaths {
            return Err("it died since, elsewhere".to_owned());
        }
        // The queues in which it died since it was seen last, the first one first.
        let since: Vec<&ToldDeath> = delivery.deaths.iter().rev().skip(self.deaths).collect();
        if !has_doubt && since.is_empty() {
            return self.moved_within(heard, rules);
        }
        if !has_doubt && since.first().is_some_and(|death| death.queue != self.queue) {
            return Err(format!("it was in {}, and died elsewhere", self.queue));
        }
        for death in since {
            let limit = rules[&*death.queue].arguments.delivery_limit;
            let failures = if death.queue == self.queue { self.failures } else { 0 };
            let is_reason = match &*death.reason {
                "rejected" => self.rejected_in.contains(&death.queue),
                "delivery_limit" => has_doubt || failures > 0,
                "expired" | "maxlen" => true,
                _ => false,
            };
            let is_too_late = limit.is_some_and(|limit| failures > limit)
                && death.reason != "delivery_limit"
                && !has_doubt
                && !self.may_fail_again;
            if !is_reason || is_too_late {
                return Err(format!("{death:?} is no reason, after {failures} failures"));
            }
        }
        if has_doubt && *queue == self.queue && deaths == self.deaths {
            return Ok(());
        }
        self.queue = (*queue).to_owned();
        self.deaths = deaths;
        self.failures = 0;
        self.may_fail_again = false;
        self.not_before = 0;
        Ok(())
    }

    /// It is where it was.
    fn moved_within(&mut self, heard: &Heard<'_>, rules: &AllRules) -> Result<(), String> {
        let Heard { now, queue, delivery, .. } = heard;
        if self.queue != **queue {
            return Err(format!("it was in {} and did not die there", self.queue));
        }
        if self.was_seen && !delivery.redelivered {
            return Err("it comes again, and is not flagged".to_owned());
        }
        if *now < self.not_before {
            return Err(format!("it was to wait until {}", self.not_before));
        }
        let limit = rules[queue].arguments.delivery_limit;
        if limit.is_some_and(|limit| self.failures > limit) && !self.may_fail_again {
            return Err(format!("it failed {} times", self.failures));
        }
        Ok(())
    }
}

/// A queue that was full buried what it refused.
fn is_buried_refusal(sent: &Sent, deaths: &[ToldDeath]) -> bool {
    sent.queues.len() > 1 || deaths.last().is_some_and(|death| death.reason == "maxlen")
}

/// Nothing comes before its time, dies before its time, or is delivered after it.
fn check_times(sent: &Sent, heard: &Heard<'_>, rules: &AllRules) -> Result<(), String> {
    let Heard { now, queue, delivery, .. } = heard;
    let mut since = sent.at + sent.delay_ms;
    if since > *now {
        return Err(format!("it was to wait until {since}"));
    }
    let waited = (sent.delay_ms > 0).then(|| -i64::try_from(sent.delay_ms).unwrap());
    if delivery.delay != waited {
        return Err(format!("it tells of another wait than {waited:?}"));
    }
    let mut expiration_ms = sent.expiration_ms;
    let mut names = BTreeSet::new();
    // Behind a change of the time to live, a queue is a millisecond ahead.
    let now_there = *now + 2;
    for death in delivery.deaths.iter().rev() {
        if death.count != 1 || !names.insert(&*death.queue) {
            return Err("no message comes back up".to_owned());
        }
        if death.reason == "expired" {
            let ttl_ms = rules[&*death.queue].shortest_ttl_since(since);
            let Some(life_ms) = ttl_ms.into_iter().chain(expiration_ms).min() else {
                return Err(format!("it had no time that could be over in {}", death.queue));
            };
            since += life_ms;
        }
        if since > now_there || death.time * 1000 + 1001 < since || death.time * 1000 > *now {
            return Err(format!("its death in {} was not at {since} or later", death.queue));
        }
        expiration_ms = None;
    }
    if delivery.has_expiration != expiration_ms.is_some() {
        return Err("its own time is told wrong".to_owned());
    }
    if !delivery.deaths.is_empty() || sent.delay_ms > 0 || !sent.is_taken {
        return Ok(());
    }
    let ttl_ms = sent.queues.get(*queue).copied().flatten();
    let life_ms = ttl_ms.into_iter().chain(expiration_ms).min();
    let due = life_ms.map(|life_ms| (sent.at + 1 + life_ms).next_multiple_of(DUE_STEP_MS));
    match due.filter(|due| due < now) {
        Some(due) => Err(format!("its time was over at {due}")),
        None => Ok(()),
    }
}
