//! The node: what it is, how it fares, and how it is configured.

use serde_json::{Value, json};

use super::super::call::Call;
use super::super::failure::Failure;
use super::super::format::cell;
use super::super::output::Output;
use super::super::url::path;
use super::super::verb::Verb;
use super::memory::{Memory, Unit};
use super::{health, listeners};

pub(super) const VERBS: &[Verb] = &[
    Verb::new(
        "status",
        "[--unit <unit>]",
        "Show how the node fares",
        "Status of node {node} ...",
        status,
    ),
    Verb::new(
        "cluster_status",
        "",
        "Show the nodes, of which there is one",
        "Cluster status of node {node} ...",
        cluster_status,
    ),
    Verb::new(
        "server_version",
        "",
        "Show the version of RabbitMQ that the node follows",
        "Asking node {node} for its RabbitMQ version...",
        server_version,
    ),
    Verb::new(
        "environment",
        "",
        "Show the configuration that is in force",
        "Application environment of node {node} ...",
        environment,
    ),
    Verb::new(
        "os_env",
        "",
        "Show the variables of this environment that a node would heed",
        "",
        os_environment,
    ),
    Verb::new(
        "command_line_arguments",
        "",
        "Show how the process of the node was called",
        "Command line arguments of node {node} ...",
        arguments,
    ),
];

/// What the API tells of the node.
pub(super) fn figures(call: &Call) -> Result<Value, Failure> {
    let nodes = call.api.list(path(&["nodes"]))?;
    Ok(nodes.into_iter().next().unwrap_or_default())
}

/// What is told of a node.
pub(super) struct Facts {
    overview: Value,
    node: Value,
    alarms: Vec<String>,
    memory: Memory,
    flags: Vec<Value>,
    watermark: Value,
}

impl Facts {
    pub(super) fn of(call: &Call) -> Result<Self, Failure> {
        let node = figures(call)?;
        let name = node.get("name").and_then(Value::as_str).unwrap_or_default();
        let alarms = call.api.ask_any(super::super::api::Asked {
            path: path(&["health", "checks", "alarms"]),
            ..Default::default()
        })?;
        Ok(Self {
            overview: call.api.get(path(&["overview"]))?,
            alarms: health::resources(&serde_json::from_slice(&alarms.body).unwrap_or_default()),
            memory: Memory::of(call, name)?,
            flags: call.api.list(path(&["feature-flags"]))?,
            watermark: watermark(call)?,
            node,
        })
    }

    fn text(&self, unit: Unit) -> String {
        let number = |name: &str| self.node.get(name).and_then(Value::as_u64).unwrap_or(0);
        let total = |name: &str| self.overview.pointer(&format!("/object_totals/{name}"));
        let total = |name: &str| total(name).map(cell).unwrap_or_default();
        let sections: [(&str, Vec<String>); 9] = [
            ("Runtime", self.runtime()),
            ("Plugins", bulleted(&self.node, "enabled_plugins")),
            ("Data directory", vec![format!("Node data directory: {}", self.field("db_dir"))]),
            ("Config files", bulleted(&self.node, "config_files")),
            ("Log file(s)", bulleted(&self.node, "log_files")),
            ("Alarms", or_none(self.alarms.clone())),
            ("Memory", self.memory_lines(unit)),
            (
                "Free Disk Space",
                vec![
                    format!(
                        "Low free disk space watermark: {}",
                        unit.of(number("disk_free_limit"))
                    ),
                    format!("Free disk space: {}", unit.of(number("disk_free"))),
                ],
            ),
            (
                "Totals",
                vec![
                    format!("Connection count: {}", total("connections")),
                    format!("Queue count: {}", total("queues")),
                    format!("File descriptors: {} used", number("fd_used")),
                ],
            ),
        ];
        let mut text = String::new();
        for (title, lines) in sections {
            text.push_str(&format!("{title}\n\n{}\n\n", lines.join("\n")));
        }
        let listeners: Vec<String> = self.listeners().iter().map(listeners::line).collect();
        text.push_str(&format!("Listeners\n\n{}\n", listeners.join("\n")));
        text
    }

    fn maintenance(&self) -> &str {
        match self.node.get("being_drained") {
            Some(Value::Bool(true)) => "under maintenance",
            _ => "not under maintenance",
        }
    }

    fn field(&self, name: &str) -> String {
        self.node.get(name).map(cell).unwrap_or_default()
    }

    fn version(&self) -> String {
        self.overview.get("rabbitmq_version").map(cell).unwrap_or_default()
    }

    fn runtime(&self) -> Vec<String> {
        let uptime = self.node.get("uptime").and_then(Value::as_u64).unwrap_or(0) / 1000;
        let product = |name: &str| self.overview.get(name).map(cell).unwrap_or_default();
        vec![
            format!("OS PID: {}", self.field("os_pid")),
            format!("Uptime (seconds): {uptime}"),
            format!("Is under maintenance?: {}", self.field("being_drained")),
            format!("RabbitMQ version: {}", self.version()),
            format!("Product: {} {}", product("product_name"), product("product_version")),
            format!("Node name: {}", self.field("name")),
        ]
    }

    fn memory_lines(&self, unit: Unit) -> Vec<String> {
        let limit = self.node.get("mem_limit").and_then(Value::as_u64).unwrap_or(0);
        let mut lines = vec![
            format!("Total memory used: {}", unit.of(self.memory.total)),
            format!("Limit of bodies that are in memory only: {}", unit.of(limit)),
            String::new(),
        ];
        lines.extend(self.memory.lines(unit));
        lines
    }

    fn listeners(&self) -> Vec<Value> {
        self.overview.get("listeners").and_then(Value::as_array).cloned().unwrap_or_default()
    }

    fn json(&self) -> Value {
        let field = |name: &str| self.node.get(name).cloned().unwrap_or_default();
        let total = |name: &str| self.overview.pointer(&format!("/object_totals/{name}")).cloned();
        let pid = field("os_pid").as_str().and_then(|pid| pid.parse::<u64>().ok());
        json!({
            "pid": pid,
            "uptime": field("uptime").as_u64().unwrap_or(0) / 1000,
            "is_under_maintenance": field("being_drained"),
            "rabbitmq_version": self.version(),
            "product_name": self.overview.get("product_name"),
            "product_version": self.overview.get("product_version"),
            "active_plugins": field("enabled_plugins"),
            "data_directory": field("db_dir"),
            "log_files": field("log_files"),
            "config_files": field("config_files"),
            "alarms": self.alarms,
            "memory": {"total": {"rss": self.memory.total}},
            "vm_memory_high_watermark_setting": self.watermark,
            "vm_memory_high_watermark_limit": field("mem_limit"),
            "disk_free": field("disk_free"),
            "disk_free_limit": field("disk_free_limit"),
            "file_descriptors": {
                "total_used": field("fd_used"), "total_limit": field("fd_total"),
                "sockets_used": field("sockets_used"), "sockets_limit": field("sockets_total"),
            },
            "listeners": self.listeners(),
            "totals": {
                "connection_count": total("connections"), "queue_count": total("queues"),
            },
        })
    }
}

/// The limit of memory as it was set, a part or bytes.
fn watermark(call: &Call) -> Result<Value, Failure> {
    let mut set = call.api.get(path(&["leveret", "memory-high-watermark"]))?;
    if let Some(fields) = set.as_object_mut() {
        // What it comes to, is told beside it.
        fields.remove("bytes");
    }
    Ok(set)
}

fn or_none(lines: Vec<String>) -> Vec<String> {
    if lines.is_empty() { vec!["(none)".to_owned()] } else { lines }
}

fn bulleted(value: &Value, field: &str) -> Vec<String> {
    let items = value.get(field).and_then(Value::as_array).into_iter().flatten();
    or_none(items.map(|item| format!(" * {}", cell(item))).collect())
}

fn status(call: &Call) -> Result<Output, Failure> {
    let unit = Unit::named(call)?;
    let facts = Facts::of(call)?;
    Ok(Output::Report { text: facts.text(unit), json: facts.json() })
}

fn cluster_status(call: &Call) -> Result<Output, Failure> {
    let facts = Facts::of(call)?;
    let (name, version) = (facts.field("name"), facts.version());
    let cluster = facts.overview.get("cluster_name").map(cell).unwrap_or_default();
    let text = format!(
        "Basics\n\nCluster name: {cluster}\n\nDisk Nodes\n\n{name}\n\nRunning Nodes\n\n{name}\n\n\
         Versions\n\n{name}: RabbitMQ {version}\n\nAlarms\n\n{}\n\nNetwork Partitions\n\n(none)\n\n\
         Listeners\n\n{}\n\nMaintenance status\n\nNode: {name}, status: {}\n\n\
         Feature flags\n\n{}\n",
        or_none(facts.alarms.clone()).join("\n"),
        facts.listeners().iter().map(listeners::line).collect::<Vec<_>>().join("\n"),
        facts.maintenance(),
        facts.flags.iter().map(flag).collect::<Vec<_>>().join("\n"),
    );
    let json = json!({
        "cluster_name": cluster,
        "disk_nodes": [name.clone()],
        "ram_nodes": [],
        "running_nodes": [name.clone()],
        "partitions": {},
        "alarms": facts.alarms,
        "versions": {name.clone(): {"rabbitmq_name": "RabbitMQ", "rabbitmq_version": version}},
        "maintenance_status": {name.clone(): facts.maintenance()},
        "feature_flags": facts.flags,
        "listeners": {name: facts.listeners()},
    });
    Ok(Output::Report { text, json })
}

/// One feature flag, for people.
fn flag(flag: &Value) -> String {
    let text = |name: &str| flag.get(name).map(cell).unwrap_or_default();
    format!("Flag: {}, state: {}", text("name"), text("state"))
}

fn server_version(call: &Call) -> Result<Output, Failure> {
    let version = call.api.get(path(&["version"]))?;
    Ok(Output::Message(version.as_str().unwrap_or_default().to_owned()))
}

fn environment(call: &Call) -> Result<Output, Failure> {
    let answer = call.api.get(path(&["config", "effective"]))?;
    let config = answer.get("config").cloned().unwrap_or_default();
    let fields = config.as_object().into_iter().flatten();
    let lines: Vec<String> =
        fields.map(|(name, value)| format!("{name} = {}", cell(value))).collect();
    Ok(Output::Report { text: lines.join("\n"), json: config })
}

/// The tool sees its own environment, which in a container is that of the node.
fn os_environment(_call: &Call) -> Result<Output, Failure> {
    let heeded = |name: &str| name.starts_with("RABBITMQ_") || name.starts_with("LEVERET_");
    let is_secret = |name: &str| name.contains("PASS") || name.contains("COOKIE");
    let variables = std::env::vars().filter(|(name, _)| heeded(name));
    let mut lines: Vec<String> = variables
        .map(|(name, value)| match is_secret(&name) {
            true => format!("{name}=(secret)"),
            false => format!("{name}={value}"),
        })
        .collect();
    lines.sort();
    Ok(Output::Report { text: lines.join("\n"), json: json!(lines) })
}

/// What the system tells of the process, where it is on this machine.
fn arguments(call: &Call) -> Result<Output, Failure> {
    let pid = figures(call)?.get("os_pid").map(cell).unwrap_or_default();
    let line = std::fs::read(format!("/proc/{pid}/cmdline"))
        .map_err(|error| Failure::Unavailable(format!("process {pid} cannot be seen: {error}")))?;
    let words = String::from_utf8_lossy(&line);
    let words: Vec<&str> = words.split_terminator('\0').collect();
    Ok(Output::Report { text: words.join(" "), json: json!(words) })
}
