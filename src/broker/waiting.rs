//! What a session holds back until the log is on disk: confirms, and answers to what changed
//! something that lasts. It decides nothing about when that is.

use std::collections::VecDeque;
use std::sync::Arc;

use super::channel_exchanges::ChannelExchange;
use super::session::Session;
use crate::connection::{Event, Reply};
use crate::message::Moment;
use crate::protocol::reply::{AmqpError, ConnectionError};
use crate::store::Position;

/// Who publishes to so many exchanges in turn has one count for each of them.
const CONFIRM_EXCHANGES_SEARCHED: usize = 4;

/// An event that waits.
#[derive(Debug)]
struct Held {
    /// What has to be on disk.
    position: Position,
    /// When it came, or the first of those that are one.
    since: Moment,
    event: Event,
}

/// Events that wait, in the order in which they came.
#[derive(Debug, Default)]
pub(super) struct Waiting {
    events: VecDeque<Held>,
    /// How many of them are answers to requests.
    answers: usize,
    /// Publishes that count as confirmed, each for its exchange, when that much is on disk. They
    /// come with what the log has to write, which has a bound.
    exchanges: VecDeque<(Position, Arc<ChannelExchange>, u64)>,
}

impl Waiting {
    /// The position that the first one waits for.
    pub(super) fn first(&self) -> Option<Position> {
        self.events.front().map(|held| held.position)
    }

    /// An answer waits: the connection reads no further request.
    pub(super) fn has_answers(&self) -> bool {
        self.answers > 0
    }

    /// Holds an event back. Confirms of one channel that follow each other are one, where the later
    /// ones need not wait longer: who publishes without a pause is to hear of what is on disk.
    pub(super) fn push(&mut self, position: Position, since: Moment, event: Event) {
        if let Event::Confirmed { channel, first, last } = event
            && let Some(Held { position: known, event: waiting, .. }) = self.events.back_mut()
            && let Event::Confirmed { channel: on, last: end, .. } = waiting
            && *on == channel
            && *end + 1 == first
            && position <= *known
        {
            *end = last;
            return;
        }
        self.answers += usize::from(matches!(event, Event::Answered { .. }));
        self.events.push_back(Held { position, since, event });
    }

    /// So many publishes to an exchange count as confirmed when that much is on disk.
    pub(super) fn count_later(
        &mut self,
        position: Position,
        exchange: Arc<ChannelExchange>,
        count: u64,
    ) {
        let mut known = self.exchanges.iter_mut().rev().take(CONFIRM_EXCHANGES_SEARCHED);
        let is_same = |known: &&mut (Position, Arc<ChannelExchange>, u64)| {
            known.0 == position && Arc::ptr_eq(&known.1, &exchange)
        };
        match known.find(is_same) {
            Some((_, _, known)) => *known += count,
            None => self.exchanges.push_back((position, exchange, count)),
        }
    }

    /// That much is on disk.
    fn count_confirmed(&mut self, durable: Position) {
        let is_due = |waiting: &mut (Position, Arc<ChannelExchange>, u64)| waiting.0 <= durable;
        while let Some((_, exchange, count)) = self.exchanges.pop_front_if(is_due) {
            exchange.count_confirmed(count);
        }
    }

    /// The next event whose position is reached, and since when it waited.
    pub(super) fn pop(&mut self, durable: Position) -> Option<(Moment, Event)> {
        let held = self.events.pop_front_if(|held| held.position <= durable)?;
        self.answers -= usize::from(matches!(held.event, Event::Answered { .. }));
        Some((held.since, held.event))
    }

    /// Nothing becomes durable any more: confirms turn into refusals, answers into an error.
    pub(super) fn fail(&mut self, why: &str) -> Vec<Event> {
        self.answers = 0;
        self.exchanges.clear();
        self.events.drain(..).flat_map(|held| failed(held.event, why)).collect()
    }

    /// The connection is gone: nobody waits.
    pub(super) fn clear(&mut self) {
        *self = Self::default();
    }
}

impl Session {
    /// Tells what waited for the disk and has it now, or never will.
    pub(super) fn release_durable(&mut self) {
        if self.waiting.first().is_none() {
            return;
        }
        let Some(durability) = self.broker.durability.clone() else { return };
        while let Some((since, event)) = self.waiting.pop(durability.log.durable()) {
            self.measure_confirm(since, &event);
            self.post(event);
        }
        self.waiting.count_confirmed(durability.log.durable());
        if self.waiting.first().is_some()
            && let Some(why) = durability.poison()
        {
            self.waiting.fail(&why).into_iter().for_each(|event| self.post(event));
        }
    }

    /// Tells this client's own connection when the last fact of this step is on disk.
    pub(super) fn post_durable(&mut self, event: Event) {
        let position = self.work.position;
        match &self.broker.durability {
            Some(durability) if !durability.is_durable(position) => {
                self.waiting.push(position, self.work.now, event);
            }
            _ => self.post(event),
        }
    }
}

impl Session {
    /// Something of this client waits for the disk: it is to learn how late it is before it looks
    /// whether the wait is over.
    #[must_use]
    pub fn awaits_disk(&self) -> bool {
        self.waiting.first().is_some()
    }

    /// It is this late.
    pub fn learn_time(&mut self, now: Moment) {
        self.work.now = now;
    }

    /// Confirms waited for the disk until now, those that are one as long as their first.
    fn measure_confirm(&self, since: Moment, event: &Event) {
        if let Event::Confirmed { first, last, .. } = event {
            let (waited_ms, count) = (self.work.now.since(since), last + 1 - first);
            self.broker.measures.confirm_ms.add(self.id.0, waited_ms, count);
        }
    }
}

/// What is told instead of an event that will never be true.
fn failed(event: Event, why: &str) -> Vec<Event> {
    match event {
        Event::Confirmed { channel, first, last } => {
            (first..=last).map(|number| Event::Rejected { channel, number }).collect()
        }
        Event::Answered { channel, reply } => vec![refusal(channel, &reply, why)],
        event => vec![event],
    }
}

fn refusal(channel: u16, reply: &Reply, why: &str) -> Event {
    let what = if matches!(reply, Reply::Committed) { "transaction" } else { "definition" };
    let text = format!("the {what} could not be stored: {why}");
    let error: AmqpError = ConnectionError::internal_error(text).into();
    Event::Refused { channel, error: error.at(0, 0) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn confirmed(channel: u16, first: u64, last: u64) -> Event {
        Event::Confirmed { channel, first, last }
    }

    #[test]
    fn confirms_that_follow_each_other_wait_together_and_none_for_a_later_one() {
        let mut waiting = Waiting::default();
        waiting.push(3, Moment(0), confirmed(1, 1, 2));
        waiting.push(3, Moment(0), confirmed(1, 3, 3));
        waiting.push(4, Moment(0), confirmed(1, 4, 4));
        waiting.push(4, Moment(0), confirmed(2, 1, 1));
        assert!(matches!(
            waiting.pop(3),
            Some((_, Event::Confirmed { channel: 1, first: 1, last: 3 }))
        ));
        assert!(waiting.pop(3).is_none(), "the next ones wait for what came later");
        assert!(matches!(
            waiting.pop(4),
            Some((_, Event::Confirmed { channel: 1, first: 4, last: 4 }))
        ));
        assert_eq!(waiting.first(), Some(4));
    }

    #[test]
    fn a_confirm_that_joins_others_makes_none_of_them_earlier() {
        let mut waiting = Waiting::default();
        waiting.push(4, Moment(0), confirmed(1, 1, 1));
        waiting.push(3, Moment(0), confirmed(1, 2, 2));
        assert!(waiting.pop(3).is_none());
        assert!(matches!(
            waiting.pop(4),
            Some((_, Event::Confirmed { channel: 1, first: 1, last: 2 }))
        ));
    }

    #[test]
    fn an_answer_that_waits_is_counted_until_it_is_told() {
        let mut waiting = Waiting::default();
        waiting.push(7, Moment(0), Event::Answered { channel: 1, reply: Reply::QueueBound });
        assert!(waiting.has_answers() && waiting.pop(6).is_none());
        assert!(waiting.pop(7).is_some() && !waiting.has_answers());
    }

    #[test]
    fn what_is_never_stored_is_refused_one_by_one() {
        let mut waiting = Waiting::default();
        waiting.push(3, Moment(0), confirmed(1, 5, 6));
        waiting.push(3, Moment(0), Event::Answered { channel: 2, reply: Reply::Committed });
        let events = waiting.fail("sync failed");
        assert!(matches!(
            events.as_slice(),
            [
                Event::Rejected { channel: 1, number: 5 },
                Event::Rejected { channel: 1, number: 6 },
                Event::Refused { channel: 2, .. }
            ]
        ));
        assert!(!waiting.has_answers());
    }
}
