//! The states the log may end with: one for each time something could be cut, from the last that is
//! known to be on disk. The log has one order for everything, so a restart finds exactly one of
//! them; what somebody was told makes all before it known.

use super::model::{Lasting, Model};

/// States by version, rising.
#[derive(Debug)]
pub(super) struct History {
    states: Vec<(u64, Model)>,
    /// Somebody was told that this is on disk.
    known: u64,
}

impl History {
    /// A restart found this.
    pub(super) fn new(version: u64, model: Model) -> Self {
        Self { states: vec![(version, model)], known: version }
    }

    /// All that is true now may be cut together.
    pub(super) fn note(&mut self, version: u64, model: &Model) {
        if self.states.last().is_none_or(|(last, _)| *last < version) {
            self.states.push((version, model.clone()));
        }
    }

    /// Somebody was told that this is on disk, and so is all before it.
    pub(super) fn is_told(&mut self, version: u64) {
        self.known = self.known.max(version);
        let known = self.known;
        self.states.retain(|(version, _)| *version >= known);
    }

    /// The state that a restart found: of several that look alike, the last one that `fits`.
    ///
    /// # Errors
    /// It is none that could be, in words.
    pub(super) fn find(
        &self,
        found: &Lasting,
        is_clean: bool,
        fits: impl Fn(&Model) -> bool,
    ) -> Result<&Model, String> {
        let possible = |model: &Model| {
            let lasting = model.lasting();
            if is_clean { lasting } else { lasting.flagged() }
        };
        let newest_first = self.states.iter().rev().map(|(_, model)| model);
        let mut alike = newest_first.filter(|model| possible(model) == *found).peekable();
        if let Some(newest) = alike.peek().copied() {
            return Ok(alike.find(|model| fits(model)).unwrap_or(newest));
        }
        let near = self.states.iter().map(|(_, model)| difference(&possible(model), found));
        let near = near.min_by_key(String::len).unwrap_or_default();
        Err(format!("none of {} possible states was found: {near}", self.states.len()))
    }
}

/// What is not the same, in words.
fn difference(expected: &Lasting, found: &Lasting) -> String {
    let mut text = String::new();
    let mut tell = |what: &str, expected: String, found: String| {
        if expected != found {
            text += &format!("\n  {what}\n    expected {expected}\n    found    {found}");
        }
    };
    tell("exchanges", format!("{:?}", expected.exchanges), format!("{:?}", found.exchanges));
    tell("bindings", format!("{:?}", expected.bindings), format!("{:?}", found.bindings));
    let names = expected.queues.keys().chain(found.queues.keys());
    for name in names.collect::<std::collections::BTreeSet<_>>() {
        let of = |lasting: &Lasting| format!("{:?}", lasting.queues.get(name));
        tell(name, of(expected), of(found));
    }
    text
}
