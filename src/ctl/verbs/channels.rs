//! Channels. There are no processes here: a channel goes by its name where RabbitMQ shows one.

use super::super::call::Call;
use super::super::failure::Failure;
use super::super::listing::Listing;
use super::super::output::Output;
use super::super::url::path;
use super::super::verb::Verb;

pub(super) const VERBS: &[Verb] =
    &[Verb::new("list_channels", "[<column>...]", "List channels", "Listing channels ...", list)
        .lists(&LISTING)];

const LISTING: Listing = Listing {
    columns: &[
        ("pid", "name"),
        ("connection", "connection_details.name"),
        ("name", "name"),
        ("number", "number"),
        ("user", "user"),
        ("vhost", "vhost"),
        ("transactional", "transactional"),
        ("confirm", "confirm"),
        ("consumer_count", "consumer_count"),
        ("messages_unacknowledged", "messages_unacknowledged"),
        ("messages_uncommitted", "messages_uncommitted"),
        ("acks_uncommitted", "acks_uncommitted"),
        ("messages_unconfirmed", "messages_unconfirmed"),
        ("prefetch_count", "prefetch_count"),
        ("global_prefetch_count", "global_prefetch_count"),
        ("state", "state"),
    ],
    defaults: &["pid", "user", "consumer_count", "messages_unacknowledged"],
};

fn list(call: &Call) -> Result<Output, Failure> {
    LISTING.show(call, path(&["channels"]))
}
