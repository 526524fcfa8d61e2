//! Shovels and links of federation: there are none, and who asks is told so as by RabbitMQ with
//! its plugins.

use super::super::call::Call;
use super::super::failure::Failure;
use super::super::listing::Listing;
use super::super::output::Output;
use super::super::url::path;
use super::super::verb::Verb;

pub(super) const VERBS: &[Verb] = &[
    Verb::new(
        "shovel_status",
        "",
        "List shovels that run, of which there are none",
        "Shovel status on node {node}",
        |call| list(call, &SHOVELS, &["shovels"]),
    ),
    Verb::new(
        "federation_status",
        "[--only-down]",
        "List links of federation, of which there are none",
        "Listing federation links on node {node}...",
        |call| list(call, &LINKS, &["federation-links"]),
    ),
];

const SHOVELS: Listing = Listing {
    columns: &[("name", "name"), ("vhost", "vhost"), ("type", "type"), ("state", "state")],
    defaults: &["name", "vhost", "type", "state"],
};

const LINKS: Listing = Listing {
    columns: &[
        ("upstream", "upstream"),
        ("vhost", "vhost"),
        ("type", "type"),
        ("status", "status"),
        ("node", "node"),
    ],
    defaults: &["upstream", "vhost", "type", "status", "node"],
};

fn list(call: &Call, listing: &Listing, parts: &[&str]) -> Result<Output, Failure> {
    listing.show(call, path(parts))
}
