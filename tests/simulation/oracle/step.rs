//! The moments of quiet between steps, and what can be told only then: whether something was passed
//! over, waits for nothing, or is lost.

use std::collections::BTreeSet;

use super::{Oracle, Step};
use crate::fact::Fact;

impl Oracle {
    /// Something is about to be sent. A single operation, with nothing else on the way, lets the
    /// oracle know exactly what it does.
    pub(crate) fn begin_step(&mut self, is_single: bool) {
        self.step = Step { is_single, ..Step::default() };
    }

    /// Everything that can be heard was heard.
    pub(crate) fn end_step(&mut self) {
        let step = std::mem::take(&mut self.step);
        if step.is_single && !step.is_scrambled {
            for (queue, places) in &step.delivered {
                self.look_for_passed_over(*queue, places);
            }
        }
        let alive: Vec<usize> = self.names.values().copied().collect();
        alive.iter().for_each(|queue| self.look_for_waiting(*queue));
        self.look_for_lost_replies();
        let id = |client: &usize| self.connections.get(client).map(|connection| connection.id);
        let deaf: BTreeSet<u64> = self.deaf.iter().filter_map(id).collect();
        self.facts.push(Fact::StepEnded { deaf });
    }

    /// Queues give the first they have, so what is before the last one given is not there.
    fn look_for_passed_over(&mut self, queue: usize, places: &[usize]) {
        let Some(last) = places.iter().max() else { return };
        if !self.queues[queue].is_alive || !self.is_clear(queue) {
            return;
        }
        for place in self.queues[queue].ready.range(..last).copied().collect::<Vec<_>>() {
            let entry = &self.queues[queue].entries[place];
            if entry.is_twin {
                continue;
            }
            if entry.is_sure {
                let (message, was_returned) = (entry.message, entry.was_returned);
                let queue_name = self.queues[queue].name.clone();
                self.facts.push(Fact::PassedOver { queue_name, message, was_returned });
            } else {
                self.is_not_here(queue, place);
            }
        }
    }

    fn look_for_waiting(&mut self, queue: usize) {
        let known = &self.queues[queue];
        let Some(entry) = known.first_sure() else { return };
        if !self.is_clear(queue) {
            return;
        }
        let served = if known.single_active { 1 } else { usize::MAX };
        let idle = known.consumers.iter().take(served).find(|id| self.has_room(**id));
        if let Some(id) = idle {
            self.facts.push(Fact::Waiting {
                queue_name: known.name.clone(),
                message: entry.message,
                consumer_tag: self.consumers[*id].consumer_tag.clone(),
            });
        }
    }

    /// An answer to somebody who reads and waits for it is there at once.
    fn look_for_lost_replies(&mut self) {
        let mut lost = Vec::new();
        for (client, connection) in &mut self.connections {
            if self.deaf.contains(client) {
                continue;
            }
            for channel in connection.channels.values_mut() {
                lost.append(&mut channel.replies_due);
            }
        }
        for message in lost {
            let queue_name = crate::operation::REPLY_TO.to_owned();
            self.facts.push(Fact::Vanished { queue_name, message });
        }
    }

    /// Queues that everybody may look at and of which a count would tell more.
    pub(crate) fn take_doubtful(&mut self) -> Vec<String> {
        let queues: Vec<usize> = self.doubtful.iter().copied().collect();
        let mut names = Vec::new();
        for queue in queues {
            let known = &self.queues[queue];
            if known.is_alive && !self.is_clear(queue) {
                continue;
            }
            self.doubtful.remove(&queue);
            if known.is_alive && known.owner.is_none() {
                names.push(known.name.clone());
            }
        }
        names
    }

    /// At the end everybody left and all queues were emptied: what is still known to be somewhere
    /// is lost.
    pub(crate) fn end_run(&mut self) {
        for queue in self.queues.iter().filter(|queue| queue.is_alive) {
            if let Some(entry) = queue.first_sure() {
                let (queue_name, message) = (queue.name.clone(), entry.message);
                self.facts.push(Fact::Vanished { queue_name, message });
            }
        }
    }
}
