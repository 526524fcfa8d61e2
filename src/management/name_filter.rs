//! Which names a page is for: those that contain a text, or that a pattern matches, whatever the
//! case.

use super::query::Query;
use super::refusal::Refusal;
use crate::definitions::Pattern;
use crate::limits::{LIST_ROWS_PER_MATCH, LIST_ROWS_PER_TURN};

/// What names must be like.
#[derive(Debug)]
pub(super) enum NameFilter {
    /// They contain this, which is in small letters.
    Containing(String),
    /// This is found in them.
    Matching(Pattern),
}

impl NameFilter {
    /// The one that is asked for.
    pub(super) fn of(query: &Query) -> Result<Option<Self>, Refusal> {
        let Some(name) = query.value("name").filter(|name| !name.is_empty()) else {
            return Ok(None);
        };
        if !query.is_true("use_regex") {
            return Ok(Some(Self::Containing(name.to_lowercase())));
        }
        let pattern = Pattern::parse(&format!("(?i){name}"));
        let pattern = pattern.map_err(|_| Refusal::bad("Pagination parameters are invalid"))?;
        Ok(Some(Self::Matching(pattern)))
    }

    /// What a look at one name may come to.
    pub(super) fn work(&self) -> usize {
        match self {
            Self::Containing(_) => 1,
            Self::Matching(pattern) if pattern.is_linear() => LIST_ROWS_PER_MATCH,
            // That is a search, which may take milliseconds.
            Self::Matching(_) => LIST_ROWS_PER_TURN,
        }
    }

    pub(super) fn lets_pass(&self, name: &str) -> bool {
        match self {
            Self::Containing(text) => name.to_lowercase().contains(text),
            Self::Matching(pattern) => pattern.matches(name),
        }
    }
}
