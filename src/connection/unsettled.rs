//! The deliveries of one channel that the client has not settled yet, by delivery tag. It knows
//! where each came from, not what it was.

use std::collections::VecDeque;

use smallvec::SmallVec;

use super::command::Settle;
use crate::message::{Outcome, QueueId, Sequence};

/// Groups up to this many queues are merged by looking through them.
const GROUPS_SEARCHED_MAX: usize = 16;

/// Where a delivery came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Origin {
    /// The queue.
    pub(super) queue: QueueId,
    /// Its place there.
    pub(super) sequence: Sequence,
    /// It went to a consumer and counts for the prefetch; else it was fetched with get.
    pub(super) to_consumer: bool,
}

/// Unsettled deliveries in the order of their tags.
///
/// Settled ones in the middle leave a gap; when gaps outnumber what is left, they are closed.
#[derive(Debug, Default)]
pub(super) struct Unsettled {
    last_tag: u64,
    entries: VecDeque<(u64, Option<Origin>)>,
    live_count: usize,
}

impl Unsettled {
    /// The tag of a delivery that needs no settlement.
    pub(super) fn skip(&mut self) -> u64 {
        self.last_tag += 1;
        self.last_tag
    }

    /// Remembers a delivery and gives it its tag.
    pub(super) fn push(&mut self, origin: Origin) -> u64 {
        let tag = self.skip();
        self.entries.push_back((tag, Some(origin)));
        self.live_count += 1;
        tag
    }

    /// Takes the delivery with this tag, or with `multiple` all up to it; tag 0 with `multiple`
    /// means all there are. `None` where the tag is not unsettled.
    pub(super) fn take(
        &mut self,
        tag: u64,
        multiple: bool,
    ) -> Option<SmallVec<[(u64, Origin); 4]>> {
        if multiple && tag == 0 {
            return Some(self.take_all());
        }
        let index = self.entries.binary_search_by_key(&tag, |(tag, _)| *tag).ok()?;
        self.entries.get(index)?.1?;
        let taken: SmallVec<_> = if multiple {
            self.entries.drain(..=index).filter_map(with_origin).collect()
        } else {
            let slot = self.entries.get_mut(index)?;
            slot.1.take().map(|origin| (tag, origin)).into_iter().collect()
        };
        self.live_count -= taken.len();
        self.close_gaps();
        Some(taken)
    }

    /// Takes all of them.
    pub(super) fn take_all(&mut self) -> SmallVec<[(u64, Origin); 4]> {
        self.live_count = 0;
        std::mem::take(&mut self.entries).into_iter().filter_map(with_origin).collect()
    }

    /// Puts deliveries back under the tags they had: a rolled back transaction.
    pub(super) fn restore(&mut self, taken: impl IntoIterator<Item = (u64, Origin)>) {
        let left = self.take_all();
        let mut all: Vec<_> = left.into_iter().chain(taken).collect();
        all.sort_unstable_by_key(|(tag, _)| *tag);
        self.live_count = all.len();
        self.entries = all.into_iter().map(|(tag, origin)| (tag, Some(origin))).collect();
    }

    fn close_gaps(&mut self) {
        while self.entries.front().is_some_and(|(_, origin)| origin.is_none()) {
            self.entries.pop_front();
        }
        if self.entries.len() > 2 * self.live_count + 32 {
            self.entries.retain(|(_, origin)| origin.is_some());
        }
        if self.entries.is_empty() && self.entries.capacity() > 64 {
            self.entries = VecDeque::new();
        }
    }
}

fn with_origin((tag, origin): (u64, Option<Origin>)) -> Option<(u64, Origin)> {
    origin.map(|origin| (tag, origin))
}

/// Groups deliveries by queue, so that each queue is locked once.
#[must_use]
pub(super) fn grouped(
    channel: u16,
    outcome: Outcome,
    taken: impl IntoIterator<Item = (u64, Origin)>,
) -> Vec<Settle> {
    let mut groups: Vec<Settle> = Vec::new();
    for (_, origin) in taken {
        let searched = groups.len().saturating_sub(GROUPS_SEARCHED_MAX);
        let same = |group: &&mut Settle| group.queue == origin.queue;
        let group = match groups.iter_mut().skip(searched).rev().find(same) {
            Some(group) => group,
            None => {
                groups.push(Settle {
                    channel,
                    queue: origin.queue,
                    outcome,
                    to_consumers: 0,
                    sequences: SmallVec::new(),
                });
                match groups.last_mut() {
                    Some(group) => group,
                    None => continue,
                }
            }
        };
        group.sequences.push(origin.sequence);
        group.to_consumers += u32::from(origin.to_consumer);
    }
    groups
}

#[cfg(test)]
mod tests {
    use super::*;

    fn origin(sequence: u64) -> Origin {
        Origin { queue: QueueId(1), sequence, to_consumer: true }
    }

    fn filled(count: u64) -> Unsettled {
        let mut unsettled = Unsettled::default();
        for sequence in 0..count {
            assert_eq!(unsettled.push(origin(sequence)), sequence + 1);
        }
        unsettled
    }

    fn tags(taken: Option<SmallVec<[(u64, Origin); 4]>>) -> Option<Vec<u64>> {
        taken.map(|taken| taken.into_iter().map(|(tag, _)| tag).collect())
    }

    #[test]
    fn a_tag_is_settled_once() {
        let mut unsettled = filled(3);
        assert_eq!(tags(unsettled.take(2, false)), Some(vec![2]));
        assert_eq!(tags(unsettled.take(2, false)), None);
        assert_eq!(tags(unsettled.take(2, true)), None);
        assert_eq!(unsettled.live_count, 2);
    }

    #[test]
    fn multiple_takes_all_up_to_the_tag() {
        let mut unsettled = filled(5);
        assert_eq!(tags(unsettled.take(1, false)), Some(vec![1]));
        assert_eq!(tags(unsettled.take(3, true)), Some(vec![2, 3]));
        assert_eq!(tags(unsettled.take(0, true)), Some(vec![4, 5]));
        assert_eq!(tags(unsettled.take(0, true)), Some(vec![]));
        assert_eq!(tags(unsettled.take(0, false)), None);
    }

    #[test]
    fn deliveries_without_acknowledgement_use_tags_that_cannot_be_settled() {
        let mut unsettled = filled(1);
        assert_eq!(unsettled.skip(), 2);
        assert_eq!(unsettled.push(origin(9)), 3);
        assert_eq!(tags(unsettled.take(2, false)), None);
        assert_eq!(tags(unsettled.take(3, true)), Some(vec![1, 3]));
    }

    #[test]
    fn one_old_delivery_does_not_hold_the_gaps_behind_it() {
        let mut unsettled = filled(1);
        for sequence in 0..10_000 {
            let tag = unsettled.push(origin(sequence));
            assert!(unsettled.take(tag, false).is_some());
        }
        assert!(unsettled.entries.len() < 100);
    }

    #[test]
    fn a_rollback_restores_the_order_of_tags() {
        let mut unsettled = filled(4);
        let taken = unsettled.take(2, false).unwrap();
        unsettled.restore(taken);
        assert_eq!(tags(unsettled.take(0, true)), Some(vec![1, 2, 3, 4]));
    }

    #[test]
    fn settlements_are_grouped_by_queue() {
        let origins = [(1, 1), (2, 5), (1, 2)].map(|(queue, sequence)| {
            (0, Origin { queue: QueueId(queue), sequence, to_consumer: queue == 1 })
        });
        let groups = grouped(7, Outcome::Accepted, origins);
        assert_eq!(groups.len(), 2);
        assert_eq!(groups[0].sequences.as_slice(), [1, 2]);
        assert_eq!((groups[0].to_consumers, groups[1].to_consumers), (2, 0));
    }
}
