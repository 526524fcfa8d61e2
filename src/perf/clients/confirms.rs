//! What a publisher still waits for: a machine that pairs confirms with the messages they are for,
//! and takes how long each took. It reads no socket and no clock.

use std::collections::VecDeque;

use crate::perf::figures::Histogram;
use crate::perf::runs::Window;
use crate::perf::wire::WireError;
use crate::protocol::methods::basic;

/// Messages that were sent and not confirmed, in the order of their delivery tags.
#[derive(Debug, Default)]
pub(super) struct Confirms {
    /// The moment of sending, up to the latest message; none where a message is confirmed while an
    /// earlier one is not. The first is never none.
    sent: VecDeque<Option<u64>>,
    /// Messages before the first in `sent`; delivery tags count from 1.
    settled: u64,
    waiting: u64,
}

impl Confirms {
    /// How many messages are sent and not confirmed.
    pub(super) fn waiting(&self) -> u64 {
        self.waiting
    }

    /// Takes note of a message that is being sent.
    pub(super) fn send(&mut self, moment_ns: u64) {
        self.sent.push_back(Some(moment_ns));
        self.waiting += 1;
    }

    /// Takes a confirm, and how long the messages waited for it that were sent in the window. One
    /// for what was not sent, or is confirmed already, is an error.
    pub(super) fn receive(
        &mut self,
        ack: &basic::Ack,
        now_ns: u64,
        window: Window,
        latency: &mut Histogram,
    ) -> Result<(), WireError> {
        let place = match ack.delivery_tag {
            // All that there is.
            0 if ack.multiple => self.sent.len().checked_sub(1),
            tag => tag.checked_sub(self.settled + 1).and_then(|place| place.try_into().ok()),
        };
        let last = place
            .filter(|place| self.sent.get(*place).is_some_and(Option::is_some))
            .ok_or(WireError::Unexpected("the broker confirms what does not wait for it"))?;
        let first = if ack.multiple { 0 } else { last };
        for moment_ns in self.sent.range_mut(first..=last).filter_map(Option::take) {
            self.waiting -= 1;
            if window.contains(moment_ns) {
                latency.record(now_ns.saturating_sub(moment_ns));
            }
        }
        while self.sent.pop_front_if(|moment_ns| moment_ns.is_none()).is_some() {
            self.settled += 1;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const WINDOW: Window = Window { from_ns: 10, until_ns: 100 };

    fn receive(confirms: &mut Confirms, tag: u64, multiple: bool) -> Result<Histogram, WireError> {
        let mut latency = Histogram::default();
        let ack = basic::Ack { delivery_tag: tag, multiple };
        confirms.receive(&ack, 50, WINDOW, &mut latency).map(|()| latency)
    }

    /// Sends three messages, at 20, 30 and 40, and confirms at 50 what is given; what waits
    /// after each confirm.
    fn confirm(acks: &[(u64, bool)]) -> (Vec<u64>, Confirms) {
        let mut confirms = Confirms::default();
        [20, 30, 40].into_iter().for_each(|moment_ns| confirms.send(moment_ns));
        let mut waiting = Vec::new();
        for (delivery_tag, multiple) in acks.iter().copied() {
            receive(&mut confirms, delivery_tag, multiple).unwrap();
            waiting.push(confirms.waiting());
        }
        (waiting, confirms)
    }

    #[test]
    fn confirms_settle_one_message_or_all_up_to_theirs_in_whatever_order() {
        assert_eq!(confirm(&[(1, false), (2, false), (3, false)]).0, [2, 1, 0]);
        assert_eq!(confirm(&[(3, false), (1, false), (2, false)]).0, [2, 1, 0]);
        assert_eq!(confirm(&[(2, true), (3, true)]).0, [1, 0]);
        assert_eq!(confirm(&[(2, false), (3, true)]).0, [2, 0]);
        assert_eq!(confirm(&[(1, false), (0, true)]).0, [2, 0]);
    }

    #[test]
    fn tags_go_on_after_all_is_confirmed() {
        let (_, mut confirms) = confirm(&[(3, true)]);
        [60, 60].into_iter().for_each(|moment_ns| confirms.send(moment_ns));
        receive(&mut confirms, 5, false).unwrap();
        assert_eq!(confirms.waiting(), 1);
        receive(&mut confirms, 4, false).unwrap();
        assert_eq!(confirms.waiting(), 0);
    }

    #[test]
    fn a_confirm_for_nothing_is_an_error() {
        for (delivery_tag, multiple) in [(4, false), (4, true), (1, false), (1, true), (0, false)] {
            let (_, mut confirms) = confirm(&[(1, false), (2, false)]);
            assert!(receive(&mut confirms, delivery_tag, multiple).is_err(), "{delivery_tag}");
        }
    }

    #[test]
    fn latency_is_from_sending_to_the_confirm() {
        let (_, mut confirms) = confirm(&[]);
        let latency = receive(&mut confirms, 2, true).unwrap().percentiles().unwrap();
        assert_eq!((latency.count, latency.p50_us, latency.max_us), (2, 0.02, 0.03));
    }

    #[test]
    fn the_latency_of_what_was_sent_outside_of_the_window_does_not_count() {
        let mut confirms = Confirms::default();
        [9, 10, 99, 100].into_iter().for_each(|moment_ns| confirms.send(moment_ns));
        let latency = receive(&mut confirms, 4, true).unwrap();
        assert_eq!(latency.percentiles().unwrap().count, 2);
    }
}
