//! Exchanges.

use super::super::call::Call;
use super::super::failure::Failure;
use super::super::listing::Listing;
use super::super::output::Output;
use super::super::url::path;
use super::super::verb::Verb;

pub(super) const VERBS: &[Verb] = &[Verb::new(
    "list_exchanges",
    "[<column>...]",
    "List exchanges",
    "Listing exchanges for vhost {vhost} ...",
    list,
)
.lists(&LISTING)];

const LISTING: Listing = Listing {
    columns: &[
        ("name", "name"),
        ("type", "type"),
        ("durable", "durable"),
        ("auto_delete", "auto_delete"),
        ("internal", "internal"),
        ("arguments", "arguments"),
        ("policy", "policy"),
        ("vhost", "vhost"),
    ],
    defaults: &["name", "type"],
};

fn list(call: &Call) -> Result<Output, Failure> {
    call.check_host()?;
    LISTING.show(call, path(&["exchanges", call.virtual_host()]))
}
