//! A time to live that a queue had once: messages that came then keep it, whatever the queue's is
//! now. Not what comes of it, which the queue reckons.

use super::Moment;

/// How long messages lived in a queue that came before a moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Era {
    /// Those that came before it, and not in an era before this one.
    pub until: Moment,
    /// None: for ever.
    pub ttl_ms: Option<u64>,
}
