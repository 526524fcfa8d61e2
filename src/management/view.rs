//! How much is told of things: with figures or without, and which charts of them.

use super::api::Shared;
use super::look::Look;
use super::query::Query;
use super::samples::{SAMPLE_INTERVAL_MS, Subject};
use super::spans::Spans;
use crate::message::Moment;

/// How much is asked for.
#[derive(Debug)]
pub(super) struct View {
    pub(super) api: Shared,
    /// Figures, policies and consumers.
    pub(super) has_stats: bool,
    /// Where these are not wanted, how many messages queues have.
    pub(super) has_totals: bool,
    pub(super) spans: Spans,
}

impl View {
    pub(super) fn of(api: &Shared, query: &Query) -> Self {
        Self {
            api: api.clone(),
            has_stats: !query.is_true("disable_stats"),
            has_totals: query.is_true("enable_queue_totals"),
            spans: Spans::of(query),
        }
    }

    /// A look at something that has these numbers; the first of them, so many, only rise.
    pub(super) fn look(&self, subject: Subject, numbers: Vec<u64>, counters: usize) -> Look {
        let charted_ms = self.spans.longest_ms();
        self.api.samples.look(subject, self.api.now(), (numbers, counters), charted_ms)
    }

    /// Since when nobody uses what was used then, where that is a while ago.
    pub(super) fn idle_since(&self, used_at: Moment) -> Option<String> {
        let used_at = used_at.max(self.api.options.facts.started_at);
        let is_idle = self.api.now().since(used_at) >= SAMPLE_INTERVAL_MS;
        is_idle.then(|| super::moment_text::text(used_at))
    }
}
