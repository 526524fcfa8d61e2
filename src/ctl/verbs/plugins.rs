//! Plugins of RabbitMQ: what they do is built in or is not there; nothing is switched on or off.

use serde_json::{Value, json};

use super::super::call::Call;
use super::super::failure::Failure;
use super::super::output::Output;
use super::super::verb::Verb;
use super::{built_in, node};

const VERSION: &str = env!("CARGO_PKG_VERSION");

pub(super) const VERBS: &[Verb] = &[
    Verb::new(
        "list",
        "[<pattern>] [--verbose|-v] [--minimal|-m] [--enabled|-E] \
         [--implicitly-enabled|-e] [--offline] [--online]",
        "List what is built in whose name has a part",
        "",
        list,
    ),
    Verb::new(
        "is_enabled",
        "<plugin>... [--offline] [--online]",
        "Check that these are built in",
        "{asking_of_plugins}",
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

/// What is there, and whether no node was asked for it.
struct Found {
    names: Vec<String>,
    is_offline: bool,
}

/// Without a word about it, a node that does not run is done without, as with RabbitMQ: an image
/// is built before one starts.
fn found(call: &Call, needs_node: bool) -> Result<Found, Failure> {
    if !call.has("--offline") {
        match built_in(call) {
            Err(Failure::Unreachable(_)) if !needs_node && !call.has("--online") => {}
            asked => return asked.map(|names| Found { names, is_offline: false }),
        }
    }
    let names = built_in::here(|name| std::env::var(name).ok());
    Ok(Found { names, is_offline: true })
}

/// What is said before plugins are looked for.
pub(in crate::ctl) fn asking(call: &Call) -> String {
    let names = call.words("<plugin>").join(", ");
    match call.has("--offline") {
        true => format!("Inferring if plugin {names} is enabled from what is built in..."),
        false => format!("Asking node {} if plugin {names} is enabled...", call.node()),
    }
}

fn built_in(call: &Call) -> Result<Vec<String>, Failure> {
    let node = node::figures(call)?;
    let names = node.get("enabled_plugins").and_then(Value::as_array).into_iter().flatten();
    Ok(names.filter_map(Value::as_str).map(str::to_owned).collect())
}

fn list(call: &Call) -> Result<Output, Failure> {
    let pattern = call.maybe("<pattern>").unwrap_or_default();
    let Found { mut names, is_offline } = found(call, false)?;
    names.retain(|name| name.contains(pattern.trim_matches(['^', '$', '.', '*'])));
    names.sort();
    Ok(Output::Report { text: lines(call, &names, is_offline), json: json(&names, is_offline) })
}

fn lines(call: &Call, names: &[String], is_offline: bool) -> String {
    if call.has("--minimal") {
        return names.join("\n");
    }
    let widest = names.iter().map(String::len).max().unwrap_or(0);
    let mark = if is_offline { "[E ]" } else { "[E*]" };
    let line = |name: &String| format!("{mark} {name:<widest$} {VERSION}");
    let mut lines = Vec::new();
    if call.common.tells_what_it_does() {
        lines.push(" Configured: E = explicitly enabled; e = implicitly enabled".to_owned());
        lines.push(match is_offline {
            true => " | Status: no node was asked".to_owned(),
            false => format!(" | Status: * = running on {}", call.node()),
        });
        lines.push(" |/".to_owned());
    }
    lines.extend(names.iter().map(line));
    lines.join("\n")
}

fn json(names: &[String], is_offline: bool) -> Value {
    let running_version = if is_offline { Value::from(false) } else { VERSION.into() };
    let plugin = |name: &String| {
        json!({
            "name": name, "enabled": "enabled", "running": !is_offline, "version": VERSION,
            "running_version": running_version,
        })
    };
    let plugins: Vec<Value> = names.iter().map(plugin).collect();
    let status = if is_offline { "node_down" } else { "running" };
    json!({"status": status, "format": "normal", "plugins": plugins})
}

fn is_enabled(call: &Call) -> Result<Output, Failure> {
    let names = call.words("<plugin>");
    let found = found(call, true)?;
    let place = match found.is_offline {
        true => String::new(),
        false => format!(" on node {}", call.node()),
    };
    let missing = missing(&names, &found.names);
    let (what, is) = if names.len() == 1 { ("Plugin", "is") } else { ("Plugins", "are") };
    if missing.is_empty() {
        let names = names.join(", ");
        return Ok(Output::Message(format!("{what} {names} {is} enabled{place}")));
    }
    let (missing, known) = (missing.join(", "), found.names.join(", "));
    Err(Failure::Unavailable(format!(
        "Plugin {missing} is not enabled{place}. Enabled plugins and dependencies: {known}"
    )))
}

fn enable(call: &Call) -> Result<Output, Failure> {
    let names = call.words("<plugin>");
    if names.is_empty() && !call.has("--all") {
        return Err(call.misused("not enough arguments."));
    }
    let found = found(call, false)?;
    let missing = missing(&names, &found.names);
    match (missing.is_empty(), found.is_offline) {
        (true, false) => Ok(Output::Hint("Plugin configuration unchanged.".to_owned())),
        (true, true) => Ok(Output::Hint(format!(
            "set {} plugins.\nOffline change; changes will take effect at broker restart.",
            names.len()
        ))),
        (false, _) => Err(Failure::Unavailable(why_missing(&missing, &found.names))),
    }
}

/// One that a key switches on is told from one that is not there.
fn why_missing(missing: &[&str], known: &[String]) -> String {
    let (by_key, absent): (Vec<&str>, Vec<&str>) =
        missing.iter().partition(|name| built_in::key(name).is_some());
    let key = |name: &&str| {
        let key = built_in::key(name).unwrap_or_default();
        format!("{name} is switched on by the key {key} of the configuration, which is not set")
    };
    let mut reasons: Vec<String> = by_key.iter().map(key).collect();
    if !absent.is_empty() {
        let (absent, known) = (absent.join(", "), known.join(", "));
        reasons.push(format!("not built in: {absent}. What is: {known}"));
    }
    reasons.join("\n")
}

/// Those that are not there.
fn missing<'a>(names: &[&'a str], known: &[String]) -> Vec<&'a str> {
    names.iter().filter(|name| !known.iter().any(|known| known == *name)).copied().collect()
}
