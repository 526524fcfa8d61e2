//! What one step of a session publishes, until it is enqueued: messages by queue, and the confirms
//! that wait for them. It knows no rules; those are in `publish`.

use std::sync::Arc;

use smallvec::SmallVec;

use super::publish_tally::PublishTally;
use super::queue_handle::QueueHandle;
use super::route_cache::CachedRoute;
use crate::connection::{Publish, Way};
use crate::limits::PUBLISH_RUN_COUNT_MAX;
use crate::message::{Message, MessageRun};
use crate::routing::Claim;
use crate::store::Position;

/// A batch on its way.
#[derive(Debug, Default)]
pub(super) struct Batch {
    pub(super) groups: Groups,
    pub(super) confirmed: Confirmed,
    pub(super) routes: Routes,
    /// What messages claimed from exchanges that let equal ones pass once: the channel and number
    /// of each, and its claim.
    pub(super) claims: Vec<((u16, u64), Claim)>,
    /// Where in the log the equals of duplicates stand.
    pub(super) equals_at: Position,
    /// A part of it that was enqueued already came not to all its queues.
    pub(super) is_short: bool,
    /// One of these queues is out of service.
    pub(super) has_met_broken: bool,
    /// What it came to.
    pub(super) tally: PublishTally,
    /// Somebody wants copies of what is published.
    pub(super) is_traced: bool,
}

impl Batch {
    pub(super) fn is_empty(&self) -> bool {
        self.groups.0.is_empty() && self.confirmed.0.is_empty()
    }
}

/// Messages for one queue.
#[derive(Debug)]
pub(super) struct Group {
    pub(super) queue: Arc<QueueHandle>,
    pub(super) runs: SmallVec<[MessageRun; 1]>,
    /// Of each message, where the queue may refuse it: its channel and its number there. Where it
    /// could not when the first one was added, it takes them all.
    pub(super) numbers: Option<Vec<(u16, u64)>>,
    /// Of the last run.
    way: Option<Way>,
}

impl Group {
    /// Adds a run behind the others, or to the last one if it is like it.
    fn add(&mut self, messages: MessageRun, way: Option<Way>) {
        let last_way = std::mem::replace(&mut self.way, way);
        let is_alike = way.is_some() && way == last_way;
        match self.runs.last_mut() {
            Some(last) if is_alike && last.len() < PUBLISH_RUN_COUNT_MAX => last.append(messages),
            _ => self.runs.push(messages),
        }
    }
}

/// Messages by queue, in the order in which they came.
#[derive(Debug, Default)]
pub(super) struct Groups(Vec<Group>);

impl Groups {
    /// Adds a run to each of these queues. `number` is the channel of the first message and its
    /// number there, 0 where it is not confirmed.
    pub(super) fn add_to_all(
        &mut self,
        queues: &[Arc<QueueHandle>],
        messages: MessageRun,
        way: Option<Way>,
        number: (u16, u64),
    ) {
        let Some((last, others)) = queues.split_last() else { return };
        if !others.is_empty() {
            messages.iter().for_each(Message::share);
        }
        let add = |groups: &mut Self, queue: &Arc<QueueHandle>, messages| {
            groups.add(queue, messages, way, number, queue.refuses());
        };
        others.iter().for_each(|queue| add(self, queue, messages.clone()));
        add(self, last, messages);
    }

    /// The same, and every queue tells whether it took the message of this number.
    pub(super) fn add_numbered(
        &mut self,
        queues: &[Arc<QueueHandle>],
        message: &MessageRun,
        number: u64,
    ) {
        if queues.len() > 1 {
            message.iter().for_each(Message::share);
        }
        for queue in queues {
            self.add(queue, message.clone(), None, (0, number), true);
        }
    }

    fn add(
        &mut self,
        queue: &Arc<QueueHandle>,
        messages: MessageRun,
        way: Option<Way>,
        number: (u16, u64),
        is_told: bool,
    ) {
        let count = messages.len() as u64;
        let known = self.0.iter().rposition(|group| Arc::ptr_eq(&group.queue, queue));
        let place = known.unwrap_or(self.0.len());
        match self.0.get_mut(place) {
            Some(group) => group.add(messages, way),
            None => {
                let runs = SmallVec::from_buf([messages]);
                let numbers = is_told.then(Vec::new);
                self.0.push(Group { queue: queue.clone(), runs, numbers, way });
            }
        }
        let (channel, first) = number;
        if let Some(numbers) = self.0.get_mut(place).and_then(|group| group.numbers.as_mut()) {
            let number = |offset| if first == 0 { 0 } else { first + offset };
            numbers.extend((0..count).map(|offset| (channel, number(offset))));
        }
    }

    /// How many queues there are.
    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &Group> {
        self.0.iter()
    }

    pub(super) fn drain(&mut self) -> impl Iterator<Item = Group> {
        self.0.drain(..)
    }
}

/// Confirms that wait for their messages to be enqueued: channel, first, last.
#[derive(Debug, Default)]
pub(super) struct Confirmed(Vec<(u16, u64, u64)>);

impl Confirmed {
    pub(super) fn add(&mut self, publish: &Publish) {
        let Some((first, last)) = publish.confirms() else { return };
        match self.0.iter_mut().rev().find(|(known, ..)| *known == publish.channel) {
            Some((_, _, known_last)) => *known_last = last,
            None => self.0.push((publish.channel, first, last)),
        }
    }

    /// Takes out those that a queue refused.
    pub(super) fn leave_out(&mut self, refused: &[(u16, u64)]) {
        if refused.is_empty() {
            return;
        }
        let mut parts = Vec::new();
        for (channel, first, last) in self.0.drain(..) {
            let is_here = |(other, number): &&(u16, u64)| {
                *other == channel && (first..=last).contains(number)
            };
            let mut next = first;
            for &(_, number) in refused.iter().filter(is_here) {
                parts.push((channel, next, number - 1));
                next = number + 1;
            }
            parts.push((channel, next, last));
        }
        parts.retain(|(_, first, last)| first <= last);
        self.0 = parts;
    }

    pub(super) fn drain(&mut self) -> impl Iterator<Item = (u16, u64, u64)> {
        self.0.drain(..)
    }
}

/// Routes that were found for this batch, by what is equal in its publishes.
#[derive(Debug, Default)]
pub(super) struct Routes(SmallVec<[Option<Arc<CachedRoute>>; 4]>);

impl Routes {
    pub(super) fn get(&self, way: Way) -> Option<Arc<CachedRoute>> {
        self.0.get(way.names())?.clone()
    }

    pub(super) fn remember(&mut self, way: Way, route: Arc<CachedRoute>) {
        let place = way.names();
        if self.0.len() <= place {
            self.0.resize(place + 1, None);
        }
        if let Some(slot) = self.0.get_mut(place) {
            *slot = Some(route);
        }
    }

    /// Something was done that may change where messages go.
    pub(super) fn forget(&mut self) {
        self.0.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::definitions::QueueDefinition;
    use crate::message::{Body, Envelope, QueueId, QueueOptions};
    use crate::protocol::field::FieldTable;

    fn queue(id: u64) -> Arc<QueueHandle> {
        let definition = QueueDefinition {
            id: QueueId(id),
            name: "q".into(),
            durable: false,
            auto_delete: false,
            owner: None,
            arguments: FieldTable::new(),
            options: QueueOptions::default(),
            ttl_before: Vec::new(),
        };
        let definition = Arc::new(definition);
        Arc::new(QueueHandle::new(definition, "/".into(), None, None, None, Arc::default()))
    }

    fn message(body: &str) -> MessageRun {
        let envelope =
            Envelope { exchange: "", routing_key: "q", properties: &[0, 0], is_persistent: false };
        MessageRun::one(Message::new(envelope, Body::Copied(body.as_bytes())))
    }

    fn way(names: u32) -> Option<Way> {
        Some(Way::of(names))
    }

    fn bodies(runs: &[MessageRun]) -> Vec<String> {
        let body = |message: &Message| String::from_utf8(message.body_to_vec()).unwrap();
        runs.iter().map(|run| run.iter().map(body).collect::<Vec<_>>().join(" ")).collect()
    }

    #[test]
    fn messages_of_one_way_are_one_run_whatever_other_queues_get_between() {
        let (one, two) = (queue(1), queue(2));
        let mut groups = Groups::default();
        for body in ["a", "b", "c"] {
            groups.add_to_all(std::slice::from_ref(&one), message(body), way(1), (1, 0));
            groups.add_to_all(std::slice::from_ref(&two), message(body), way(2), (1, 0));
        }
        let runs: Vec<_> = groups.drain().map(|group| bodies(&group.runs)).collect();
        assert_eq!(runs, [["a b c"], ["a b c"]]);
    }

    #[test]
    fn a_queue_keeps_the_order_of_messages_that_came_by_different_ways() {
        let queues = [queue(1)];
        let mut groups = Groups::default();
        let ways = [way(1), way(1), way(2), way(1), None, None, way(1)];
        for (way, body) in ways.into_iter().zip(["a", "b", "c", "d", "e", "f", "g"]) {
            groups.add_to_all(&queues, message(body), way, (1, 0));
        }
        let runs: Vec<_> = groups.drain().map(|group| bodies(&group.runs)).collect();
        assert_eq!(runs, [["a b", "c", "d", "e", "f", "g"]]);
    }

    #[test]
    fn confirms_leave_out_what_a_queue_refused() {
        let drained = |refused: &[(u16, u64)]| {
            let mut confirmed = Confirmed(vec![(1, 3, 9), (2, 1, 2)]);
            confirmed.leave_out(refused);
            confirmed.drain().collect::<Vec<_>>()
        };
        assert_eq!(drained(&[]), [(1, 3, 9), (2, 1, 2)]);
        assert_eq!(drained(&[(1, 3), (1, 6), (2, 2)]), [(1, 4, 5), (1, 7, 9), (2, 1, 1)]);
        assert_eq!(drained(&[(1, 9), (2, 1), (2, 2)]), [(1, 3, 8)]);
    }

    #[test]
    fn routes_are_those_of_their_names_until_they_are_forgotten() {
        let mut routes = Routes::default();
        let queues = [queue(1), queue(2)].into_iter().collect();
        routes
            .remember(Way::of(9).with_other_properties(), Arc::new(CachedRoute::new(queues, None)));
        let known = |routes: &Routes, names| routes.get(Way::of(names)).is_some();
        assert_eq!([8, 9, 10].map(|names| known(&routes, names)), [false, true, false]);
        routes.forget();
        assert!(!known(&routes, 9));
    }
}
