//! When a consumer acknowledges: one for so many messages, and for what is left at the end.

use crate::perf::wire::{CHANNEL, Output};
use crate::protocol::methods::basic;

/// What is delivered and not acknowledged.
#[derive(Debug)]
pub(super) struct Acknowledging {
    /// None where there is nothing to acknowledge.
    every: Option<u64>,
    unacknowledged: u64,
    latest_tag: u64,
}

impl Acknowledging {
    pub(super) fn every(every: Option<u64>) -> Self {
        Self { every, unacknowledged: 0, latest_tag: 0 }
    }

    pub(super) fn deliver(&mut self, delivery_tag: u64, output: &mut Output) {
        let Some(every) = self.every else { return };
        self.latest_tag = delivery_tag;
        self.unacknowledged += 1;
        if self.unacknowledged >= every {
            self.finish(output);
        }
    }

    /// Acknowledges what is left.
    pub(super) fn finish(&mut self, output: &mut Output) {
        if self.unacknowledged > 0 {
            let multiple = self.unacknowledged > 1;
            self.unacknowledged = 0;
            output.method(CHANNEL, &basic::Ack { delivery_tag: self.latest_tag, multiple });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::frame;
    use crate::protocol::methods::Method;

    /// The acknowledgements for so many deliveries, those at the end left out or not.
    fn acks(every: Option<u64>, deliveries: u64, is_finished: bool) -> Vec<(u64, bool)> {
        let (mut acknowledging, mut output) = (Acknowledging::every(every), Output::default());
        (1..=deliveries).for_each(|tag| acknowledging.deliver(tag, &mut output));
        if is_finished {
            acknowledging.finish(&mut output);
        }
        let (mut acks, mut rest) = (Vec::new(), output.waiting());
        while let Some((frame, size)) = frame::next(rest, 4096).unwrap() {
            let Method::BasicAck(ack) = Method::decode(frame.payload).unwrap() else { panic!() };
            acks.push((ack.delivery_tag, ack.multiple));
            rest = &rest[size..];
        }
        acks
    }

    #[test]
    fn each_acknowledgement_is_for_as_many_messages_as_asked() {
        assert_eq!(acks(Some(100), 250, false), [(100, true), (200, true)]);
        assert_eq!(acks(Some(1), 2, false), [(1, false), (2, false)]);
    }

    #[test]
    fn what_is_left_at_the_end_is_acknowledged_once() {
        assert_eq!(acks(Some(100), 250, true), [(100, true), (200, true), (250, true)]);
        assert_eq!(acks(Some(100), 200, true), [(100, true), (200, true)]);
    }

    #[test]
    fn without_acknowledgements_none_are_written() {
        assert_eq!(acks(None, 250, true), []);
    }
}
