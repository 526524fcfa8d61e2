//! Bytes read as a script: a supply of small decisions that never runs into an error. Where the
//! bytes end, everything is zero.

/// The bytes that are left.
#[derive(Debug)]
pub(crate) struct Script<'a>(&'a [u8]);

/// Names that come up again, so that what is declared is also used.
const NAMES: [&str; 10] =
    ["q", "q", "q", "r", "", "amq.topic", "amq.fanout", "x", "amq.rabbitmq.reply-to", "healthy"];

impl<'a> Script<'a> {
    pub(crate) fn new(bytes: &'a [u8]) -> Self {
        Self(bytes)
    }

    /// Nothing is left.
    pub(crate) fn is_over(&self) -> bool {
        self.0.is_empty()
    }

    pub(crate) fn octet(&mut self) -> u8 {
        self.take(1).first().copied().unwrap_or(0)
    }

    pub(crate) fn number(&mut self) -> u64 {
        self.take(4).iter().fold(0, |number, octet| number << 8 | u64::from(*octet))
    }

    pub(crate) fn flag(&mut self) -> bool {
        self.octet() & 1 == 1
    }

    /// One of a few names.
    pub(crate) fn name(&mut self) -> &'static str {
        NAMES[usize::from(self.octet()) % NAMES.len()]
    }

    /// Up to `count` bytes.
    pub(crate) fn take(&mut self, count: usize) -> &'a [u8] {
        let (taken, rest) = self.0.split_at(count.min(self.0.len()));
        self.0 = rest;
        taken
    }
}
