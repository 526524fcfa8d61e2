//! Consumers.

use super::super::call::Call;
use super::super::failure::Failure;
use super::super::listing::Listing;
use super::super::output::Output;
use super::super::url::path;
use super::super::verb::Verb;

pub(super) const VERBS: &[Verb] = &[Verb::new(
    "list_consumers",
    "[<column>...]",
    "List consumers",
    "Listing consumers in vhost {vhost} ...",
    list,
)
.lists(&LISTING)];

const LISTING: Listing = Listing {
    columns: &[
        ("queue_name", "queue.name"),
        ("channel_pid", "channel_details.name"),
        ("consumer_tag", "consumer_tag"),
        ("ack_required", "ack_required"),
        ("prefetch_count", "prefetch_count"),
        ("active", "active"),
        ("activity_status", "activity_status"),
        ("arguments", "arguments"),
    ],
    defaults: &[
        "queue_name",
        "channel_pid",
        "consumer_tag",
        "ack_required",
        "prefetch_count",
        "active",
        "arguments",
    ],
};

fn list(call: &Call) -> Result<Output, Failure> {
    call.check_host()?;
    LISTING.show(call, path(&["consumers", call.virtual_host()]))
}
