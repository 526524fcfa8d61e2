//! What the checks let pass, each with its reason. The list may only shrink: an entry that no
//! longer covers anything fails the check.

/// A file that one check leaves alone.
#[derive(Debug)]
pub(crate) struct Exception {
    pub(crate) check: &'static str,
    pub(crate) path: &'static str,
    pub(crate) reason: &'static str,
}

pub(crate) const EXCEPTIONS: &[Exception] = &[];

/// Rules that no test can show before the part of the product they speak of is there.
pub(crate) const RULES_THAT_WAIT: &[(&str, &str)] = &[
    ("queue.declare.durable.persistence", "nothing survives a stop before the store is there"),
    ("queue.bind.durable-exchange", "nothing survives a stop before the store is there"),
    ("basic.persistence", "nothing survives a stop before the store is there"),
];
