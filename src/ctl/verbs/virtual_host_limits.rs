//! Limits of virtual hosts.

use serde_json::{Value, json};

use super::super::call::Call;
use super::super::failure::Failure;
use super::super::output::{Output, Table};
use super::super::url::path;
use super::super::verb::Verb;
use super::or_absent;

pub(super) const VERBS: &[Verb] = &[
    Verb::new(
        "list_vhost_limits",
        "[--global]",
        "Show the limits of a virtual host, or of all",
        "Listing limits for {whose_limits} ...",
        list,
    ),
    Verb::new(
        "set_vhost_limits",
        "<definition>",
        "Set limits of a virtual host: {\"max-queues\": 10}",
        "Setting vhost limits to \"{definition}\" for vhost \"{vhost}\" ...",
        set,
    ),
    Verb::new(
        "clear_vhost_limits",
        "",
        "Take all limits of a virtual host away",
        "Clearing vhost \"{vhost}\" limits ...",
        clear,
    ),
];

fn list(call: &Call) -> Result<Output, Failure> {
    if !call.has("--global") {
        call.check_host()?;
        let limits = limits(call)?;
        return Ok(Output::Report { text: limits.to_string(), json: limits });
    }
    let all = call.api.list(path(&["vhost-limits"]))?;
    let row = |item: &Value| {
        let limits = item.get("value").map(Value::to_string).unwrap_or_default();
        vec![item.get("vhost").cloned().unwrap_or_default(), limits.into()]
    };
    Ok(Output::Rows(Table {
        columns: vec!["vhost", "limits"],
        rows: all.iter().map(row).collect(),
    }))
}

/// What is set now.
fn limits(call: &Call) -> Result<Value, Failure> {
    let items = call.api.list(path(&["vhost-limits", call.virtual_host()]))?;
    let limits = items.first().and_then(|item| item.get("value").cloned());
    Ok(limits.unwrap_or_else(|| json!({})))
}

/// The new limits are all there are afterwards.
fn set(call: &Call) -> Result<Output, Failure> {
    call.check_host()?;
    let wished = call.json("<definition>")?;
    let path = path(&["parameters", "vhost-limits", call.virtual_host(), "limits"]);
    call.api.put(path, &json!({"value": wished}))?;
    Ok(Output::Done)
}

fn clear(call: &Call) -> Result<Output, Failure> {
    call.check_host()?;
    let path = path(&["parameters", "vhost-limits", call.virtual_host(), "limits"]);
    or_absent(call.api.delete(path))
}
