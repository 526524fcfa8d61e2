//! Events of the node, one line of JSON each.

use super::super::call::Call;
use super::super::failure::Failure;
use super::super::output::Output;
use super::super::url::{path, with_query};
use super::super::verb::Verb;

pub(super) const VERBS: &[Verb] = &[Verb::new(
    "consume_event_stream",
    "[--duration|-d <seconds>] [--pattern <pattern>]",
    "Show what happens in the node as JSON, until it is interrupted",
    "",
    follow,
)];

fn follow(call: &Call) -> Result<Output, Failure> {
    let events = path(&["leveret", "events"]);
    call.follow(match call.maybe("--pattern") {
        Some(pattern) => with_query(events, "pattern", pattern),
        None => events,
    })
}
