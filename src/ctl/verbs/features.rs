//! Feature flags, and features that are deprecated.

use serde_json::{Value, json};

use super::super::call::Call;
use super::super::failure::Failure;
use super::super::listing::Listing;
use super::super::output::Output;
use super::super::url::path;
use super::super::verb::Verb;

pub(super) const VERBS: &[Verb] = &[
    Verb::new(
        "list_feature_flags",
        "[<column>...]",
        "List feature flags",
        "Listing feature flags ...",
        |call| FLAGS.show(call, path(&["feature-flags"])),
    )
    .lists(&FLAGS),
    Verb::new(
        "enable_feature_flag",
        "<flag> [--experimental] [--opt-in]",
        "Enable a feature flag, or `all`; what is here is enabled from the start",
        "Enabling feature flag \"{flag}\" ...",
        enable,
    ),
    Verb::new(
        "list_deprecated_features",
        "[<column>...] [--used]",
        "List deprecated features, or those that are in use",
        "Listing deprecated features ...",
        list_deprecated,
    )
    .lists(&DEPRECATED),
    Verb::new(
        "check_if_any_deprecated_features_are_used",
        "",
        "Fail where a deprecated feature is in use",
        "Checking if any deprecated features are used ...",
        check_deprecated,
    ),
];

const FLAGS: Listing = Listing {
    columns: &[
        ("name", "name"),
        ("state", "state"),
        ("stability", "stability"),
        ("provided_by", "provided_by"),
        ("desc", "desc"),
        ("doc_url", "doc_url"),
    ],
    defaults: &["name", "state"],
};

const DEPRECATED: Listing = Listing {
    columns: &[
        ("name", "name"),
        ("deprecation_phase", "deprecation_phase"),
        ("provided_by", "provided_by"),
        ("desc", "desc"),
        ("doc_url", "doc_url"),
    ],
    defaults: &["name", "deprecation_phase"],
};

fn enable(call: &Call) -> Result<Output, Failure> {
    let flag = call.word("<flag>");
    if flag == "all" {
        return Ok(Output::Done);
    }
    let enabled = call.api.put(path(&["feature-flags", flag, "enable"]), &json!({}));
    enabled.map_err(|trouble| match trouble {
        super::super::api::Trouble::Refused { status: 400 | 404, .. } => Failure::Usage(format!(
            "Error:\nThis feature flag is not supported by node {}",
            call.node()
        )),
        other => other.into(),
    })?;
    Ok(Output::Done)
}

fn list_deprecated(call: &Call) -> Result<Output, Failure> {
    let used = call.has("--used").then_some("used");
    let parts: Vec<&str> = std::iter::once("deprecated-features").chain(used).collect();
    DEPRECATED.show(call, path(&parts))
}

fn check_deprecated(call: &Call) -> Result<Output, Failure> {
    let used = call.api.list(path(&["deprecated-features", "used"]))?;
    let names: Vec<&str> =
        used.iter().filter_map(|item| item.get("name").and_then(Value::as_str)).collect();
    match names.as_slice() {
        [] => Ok(Output::Message(format!(
            "Cluster of node {} reported no deprecated features in use",
            call.node()
        ))),
        names => Err(Failure::Unavailable(format!(
            "deprecated features are in use: {}",
            names.join(", ")
        ))),
    }
}
