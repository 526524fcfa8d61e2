//! Parameters, of virtual hosts and of the node.

use serde_json::{Value, json};

use super::super::call::Call;
use super::super::failure::Failure;
use super::super::listing::Listing;
use super::super::output::Output;
use super::super::url::path;
use super::super::verb::Verb;
use super::missing;

pub(super) const VERBS: &[Verb] = &[
    Verb::new(
        "list_parameters",
        "",
        "List parameters of a virtual host",
        "Listing runtime parameters for vhost \"{vhost}\" ...",
        list,
    ),
    Verb::new(
        "set_parameter",
        "<component> <name> <value>",
        "Set a parameter of a virtual host, which is JSON",
        "Setting runtime parameter \"{name}\" for component \"{component}\" to \"{value}\" in \
         vhost \"{vhost}\" ...",
        set,
    ),
    Verb::new(
        "clear_parameter",
        "<component> <name>",
        "Take a parameter of a virtual host away",
        "Clearing runtime parameter \"{name}\" for component \"{component}\" on vhost \"{vhost}\" \
         ...",
        clear,
    ),
    Verb::new(
        "list_global_parameters",
        "",
        "List parameters of the node",
        "Listing global runtime parameters ...",
        list_global,
    ),
    Verb::new(
        "set_global_parameter",
        "<name> <value>",
        "Set a parameter of the node, which is JSON",
        "Setting global runtime parameter \"{name}\" to \"{value}\" ...",
        set_global,
    ),
    Verb::new(
        "clear_global_parameter",
        "<name>",
        "Take a parameter of the node away",
        "Clearing global runtime parameter \"{name}\" ...",
        clear_global,
    ),
    Verb::new(
        "set_cluster_name",
        "<name>",
        "Set the name that clients and scrapers are told",
        "Setting cluster name to {name} ...",
        set_cluster_name,
    ),
];

const LISTING: Listing = Listing {
    columns: &[("component", "component"), ("name", "name"), ("value", "value")],
    defaults: &["component", "name", "value"],
};

const GLOBAL: Listing =
    Listing { columns: &[("name", "name"), ("value", "value")], defaults: &["name", "value"] };

/// The API lists parameters of a virtual host by component only.
fn list(call: &Call) -> Result<Output, Failure> {
    call.check_host()?;
    let mut parameters = call.api.list(path(&["parameters"]))?;
    let host = call.virtual_host();
    parameters.retain(|item| item.get("vhost").and_then(Value::as_str) == Some(host));
    parameters.iter_mut().for_each(value_as_text);
    LISTING.of(call, &parameters)
}

fn list_global(call: &Call) -> Result<Output, Failure> {
    GLOBAL.show_with(call, path(&["global-parameters"]), value_as_text)
}

/// A value is shown as the JSON that it was set by.
fn value_as_text(parameter: &mut Value) {
    if let Some(value) = parameter.get_mut("value") {
        *value = Value::from(value.to_string());
    }
}

fn set(call: &Call) -> Result<Output, Failure> {
    call.check_host()?;
    call.api.put(one(call), &json!({"value": call.json("<value>")?}))?;
    Ok(Output::Done)
}

fn clear(call: &Call) -> Result<Output, Failure> {
    call.check_host()?;
    call.api.delete(one(call)).map_err(missing("Parameter does not exist"))?;
    Ok(Output::Done)
}

fn one(call: &Call) -> String {
    path(&["parameters", call.word("<component>"), call.virtual_host(), call.word("<name>")])
}

fn set_global(call: &Call) -> Result<Output, Failure> {
    call.api.put(one_global(call), &json!({"value": call.json("<value>")?}))?;
    Ok(Output::Done)
}

fn clear_global(call: &Call) -> Result<Output, Failure> {
    call.api.delete(one_global(call)).map_err(missing("Parameter does not exist"))?;
    Ok(Output::Done)
}

fn one_global(call: &Call) -> String {
    path(&["global-parameters", call.word("<name>")])
}

fn set_cluster_name(call: &Call) -> Result<Output, Failure> {
    call.api.put(path(&["cluster-name"]), &json!({"name": call.word("<name>")}))?;
    Ok(Output::Done)
}
