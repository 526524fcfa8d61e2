//! Bindings. What binds is an exchange in each case.

use serde_json::Value;

use super::super::call::Call;
use super::super::failure::Failure;
use super::super::listing::Listing;
use super::super::output::Output;
use super::super::url::path;
use super::super::verb::Verb;

pub(super) const VERBS: &[Verb] = &[Verb::new(
    "list_bindings",
    "[<column>...]",
    "List bindings",
    "Listing bindings for vhost {vhost}...",
    list,
)
.lists(&LISTING)];

const LISTING: Listing = Listing {
    columns: &[
        ("source_name", "source"),
        ("source_kind", "source_kind"),
        ("destination_name", "destination"),
        ("destination_kind", "destination_type"),
        ("routing_key", "routing_key"),
        ("arguments", "arguments"),
        ("vhost", "vhost"),
    ],
    defaults: &[
        "source_name",
        "source_kind",
        "destination_name",
        "destination_kind",
        "routing_key",
        "arguments",
    ],
};

fn list(call: &Call) -> Result<Output, Failure> {
    call.check_host()?;
    LISTING.show_with(call, path(&["bindings", call.virtual_host()]), |binding| {
        if let Some(binding) = binding.as_object_mut() {
            binding.insert("source_kind".to_owned(), Value::from("exchange"));
        }
    })
}
