//! How many messages came and went on one connection since somebody looked: plain numbers, so that
//! a message costs none of its own. Who adds them to those of all connections is in the broker.

use crate::message::QueueKind;

/// Messages since the last look. Most steps come to nothing, or to one part of it.
#[derive(Clone, Copy, Debug, Default)]
pub struct Traffic {
    published: Published,
    classic: Consumed,
    quorum: Consumed,
    has_published: bool,
    has_classic: bool,
    has_quorum: bool,
}

/// Messages that clients published, and what became of them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Published {
    /// Every basic.publish with its content, whatever became of it.
    pub received: u64,
    /// Those that passed the checks on a channel with confirms or transactions.
    pub received_confirm: u64,
    /// Confirmed to their publisher.
    pub confirmed: u64,
    /// Given to a queue: once for each.
    pub routed: u64,
    /// No queue took them, and nobody asked for them back.
    pub dropped: u64,
    /// No queue took them, and they went back.
    pub returned: u64,
}

/// Messages that clients got from queues of one type, and what they said of them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Consumed {
    /// Delivered to consumers that acknowledge nothing.
    pub consume_auto_ack: u64,
    /// Delivered to consumers that acknowledge.
    pub consume_manual_ack: u64,
    /// Fetched by basic.get without acknowledgement.
    pub get_auto_ack: u64,
    /// Fetched by basic.get, to be acknowledged.
    pub get_manual_ack: u64,
    /// How often basic.get found nothing.
    pub get_empty: u64,
    /// Those of all above that were delivered before.
    pub redelivered: u64,
    /// Acknowledged by clients.
    pub acknowledged: u64,
}

impl Traffic {
    /// Something came or went.
    #[must_use]
    pub fn is_any(&self) -> bool {
        self.has_published | self.has_classic | self.has_quorum
    }

    /// What came in, to be added to.
    pub fn published(&mut self) -> &mut Published {
        self.has_published = true;
        &mut self.published
    }

    /// What went out of queues of a type, to be added to.
    pub fn consumed(&mut self, kind: QueueKind) -> &mut Consumed {
        let (consumed, has_some) = match kind {
            QueueKind::Classic => (&mut self.classic, &mut self.has_classic),
            QueueKind::Quorum => (&mut self.quorum, &mut self.has_quorum),
        };
        *has_some = true;
        consumed
    }

    /// What came in since the last look: whoever takes it leaves nothing.
    pub fn take_published(&mut self) -> Option<&mut Published> {
        std::mem::take(&mut self.has_published).then_some(&mut self.published)
    }

    /// The same of what went out of queues of a type.
    pub fn take_consumed(&mut self, kind: QueueKind) -> Option<&mut Consumed> {
        let (consumed, has_some) = match kind {
            QueueKind::Classic => (&mut self.classic, &mut self.has_classic),
            QueueKind::Quorum => (&mut self.quorum, &mut self.has_quorum),
        };
        std::mem::take(has_some).then_some(consumed)
    }
}

impl Published {
    /// From its numbers, in the order of the fields.
    #[must_use]
    pub fn from_array(
        [received, received_confirm, confirmed, routed, dropped, returned]: [u64; 6],
    ) -> Self {
        Self { received, received_confirm, confirmed, routed, dropped, returned }
    }
}

impl Consumed {
    /// From its numbers, in the order of the fields.
    #[must_use]
    pub fn from_array(
        [
            consume_auto_ack,
            consume_manual_ack,
            get_auto_ack,
            get_manual_ack,
            get_empty,
            redelivered,
            acknowledged,
        ]: [u64; 7],
    ) -> Self {
        Self {
            consume_auto_ack,
            consume_manual_ack,
            get_auto_ack,
            get_manual_ack,
            get_empty,
            redelivered,
            acknowledged,
        }
    }

    /// Messages that went out, in whichever way.
    #[must_use]
    pub fn delivered(&self) -> u64 {
        self.consume_auto_ack + self.consume_manual_ack + self.get_auto_ack + self.get_manual_ack
    }

    /// Messages went to a consumer. Which of them went again, their queue counts.
    pub fn count_consumed(&mut self, no_ack: bool, count: usize) {
        let counter =
            if no_ack { &mut self.consume_auto_ack } else { &mut self.consume_manual_ack };
        *counter += count as u64;
    }

    /// A message went to who fetched it.
    pub fn count_got(&mut self, no_ack: bool, is_redelivered: bool) {
        let counter = if no_ack { &mut self.get_auto_ack } else { &mut self.get_manual_ack };
        *counter += 1;
        self.redelivered += u64::from(is_redelivered);
    }
}
