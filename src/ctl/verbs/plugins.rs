//! Plugins of RabbitMQ: what they do is built in or is not there; nothing is switched on or off.

use serde_json::{Value, json};

use super::super::call::Call;
use super::super::failure::Failure;
use super::super::output::Output;
use super::super::verb::Verb;
use super::node;

pub(super) const VERBS: &[Verb] = &[
    Verb::new(
        "list",
        "[<pattern>] [--verbose|-v] [--minimal|-m] [--enabled|-E] [--implicitly-enabled|-e]",
        "List what is built in whose name has a part",
        "",
        list,
    ),
    Verb::new(
        "is_enabled",
        "<plugin>... [--offline] [--online]",
        "Check that these are built in",
        "Asking node {node} if plugin {plugin} is enabled...",
        is_enabled,
    ),
    Verb::new(
        "enable",
        "[<plugin>...] [--all] [--offline] [--online]",
        "Succeed where all of these are built in",
        "Enabling plugins on node {node}:\n{plugin}",
        enable,
    ),
    Verb::refused("disable", WHY),
    Verb::refused("set", WHY),
    Verb::refused("directories", "there are no folders of plugins"),
];

const WHY: &str = "what plugins of RabbitMQ do is built in, and nothing of it is switched off";

fn built_in(call: &Call) -> Result<Vec<String>, Failure> {
    let node = node::figures(call)?;
    let names = node.get("enabled_plugins").and_then(Value::as_array).into_iter().flatten();
    Ok(names.filter_map(Value::as_str).map(str::to_owned).collect())
}

fn list(call: &Call) -> Result<Output, Failure> {
    let pattern = call.maybe("<pattern>").unwrap_or_default();
    let mut names = built_in(call)?;
    names.retain(|name| name.contains(pattern.trim_matches(['^', '$', '.', '*'])));
    names.sort();
    let version = env!("CARGO_PKG_VERSION");
    let widest = names.iter().map(String::len).max().unwrap_or(0);
    let is_bare = call.has("--minimal");
    let mut lines: Vec<String> = names
        .iter()
        .map(|name| match is_bare {
            true => name.clone(),
            false => format!("[E*] {name:<widest$} {version}"),
        })
        .collect();
    if call.common.tells_what_it_does() && !is_bare {
        let legend = " Configured: E = explicitly enabled; e = implicitly enabled";
        let status = format!(" | Status: * = running on {}", call.node());
        lines.splice(..0, [legend.to_owned(), status, " |/".to_owned()]);
    }
    let plugin = |name: &String| {
        json!({
            "name": name, "enabled": "enabled", "running": true, "version": version,
            "running_version": version,
        })
    };
    let plugins: Vec<Value> = names.iter().map(plugin).collect();
    let json = json!({"status": "running", "format": "normal", "plugins": plugins});
    Ok(Output::Report { text: lines.join("\n"), json })
}

fn is_enabled(call: &Call) -> Result<Output, Failure> {
    let names = call.words("<plugin>");
    let (missing, known) = missing(call, &names)?;
    let node = call.node();
    let (what, is) = if names.len() == 1 { ("Plugin", "is") } else { ("Plugins", "are") };
    if missing.is_empty() {
        let names = names.join(", ");
        return Ok(Output::Message(format!("{what} {names} {is} enabled on node {node}")));
    }
    let (missing, known) = (missing.join(", "), known.join(", "));
    Err(Failure::Unavailable(format!(
        "Plugin {missing} is not enabled on node {node}. Enabled plugins and dependencies: {known}"
    )))
}

fn enable(call: &Call) -> Result<Output, Failure> {
    let names = call.words("<plugin>");
    if names.is_empty() && !call.has("--all") {
        return Err(call.misused("not enough arguments."));
    }
    let (missing, known) = missing(call, &names)?;
    if missing.is_empty() {
        return Ok(Output::Hint("Plugin configuration unchanged.".to_owned()));
    }
    let (missing, known) = (missing.join(", "), known.join(", "));
    Err(Failure::Unavailable(format!("not built in: {missing}. What is: {known}")))
}

/// Those that are not built in, and those that are.
fn missing(call: &Call, names: &[&str]) -> Result<(Vec<String>, Vec<String>), Failure> {
    let known = built_in(call)?;
    let is_missing = |name: &&&str| !known.iter().any(|known| known == **name);
    let missing = names.iter().filter(is_missing).map(|name| (*name).to_owned());
    Ok((missing.collect(), known))
}
