//! Keys of the node itself: its data, its memory and disk, and what it says it is.

use std::path::PathBuf;

use super::super::values::Kind;
use super::Key;

const OWN_MEMORY: &str = "memory is accounted for by Leveret itself";

pub(super) static DATA: &[Key] = &[
    Key::obeyed(
        "data_dir",
        "./data",
        Kind::Text,
        "The folder that holds all of the node's data. Leveret's own key.",
        |typed, setting| typed.data_dir = setting.text().map(PathBuf::from),
    ),
    Key::obeyed(
        "pid_file",
        "",
        Kind::Text,
        "A file for the number of the process, which is taken away at the end; the variable \
         RABBITMQ_PID_FILE sets it, too. Leveret's own key.",
        |typed, setting| typed.pid_file = setting.text().map(PathBuf::from),
    ),
    Key::obeyed(
        "durability",
        "fsync",
        Kind::Choice(&["fsync", "os"]),
        "When a persistent message is confirmed: `fsync`, when the disk has it, so that it \
         survives a power failure; `os`, when the operating system has it, so that it survives the \
         end of the process but not of the machine. Leveret's own key.",
        |typed, setting| typed.is_synced = setting.text().map(|word| word == "fsync"),
    ),
    Key::obeyed(
        "store.accept_damaged_definitions",
        "false",
        Kind::Boolean,
        "Start though a definition on disk is damaged: what it defined is missing then. Leveret's \
         own key.",
        |typed, setting| typed.accepts_damaged_definitions = setting.boolean(),
    ),
    Key::obeyed(
        "store.read_window",
        "16MiB",
        Kind::SIZE,
        "Memory for message bodies that are on disk too. Leveret's own key.",
        |typed, setting| typed.read_window_size = setting.number(),
    ),
    Key::obeyed(
        "store.memory_share",
        "0.4",
        Kind::Fraction { min: 0.0, max: 1.0 },
        "Share of the memory for message bodies that are nowhere but there; above it they are \
         written to disk. Leveret's own key.",
        |typed, setting| typed.memory_share = setting.fraction(),
    ),
];

pub(super) static MEMORY_AND_DISK: &[Key] = &[
    Key::obeyed(
        "vm_memory_high_watermark.relative",
        "0.6",
        Kind::Fraction { min: 0.0, max: f64::MAX },
        "Share of the memory of the machine, or of its control group, that the process may have; \
         above it publishers are blocked. 0 blocks them always.",
        |typed, setting| typed.memory_watermark_share = setting.fraction(),
    ),
    Key::obeyed(
        "vm_memory_high_watermark.absolute",
        "",
        Kind::SIZE,
        "The same in bytes, where no share is set.",
        |typed, setting| typed.memory_watermark = setting.number(),
    ),
    Key::obeyed(
        "total_memory_available_override_value",
        "",
        Kind::SIZE,
        "Memory that this machine is taken to have.",
        |typed, setting| typed.memory_available = setting.number(),
    ),
    Key::obeyed(
        "memory_monitor_interval",
        "2500",
        Kind::POSITIVE,
        "Milliseconds between looks at the memory in use.",
        |typed, setting| typed.memory_interval_ms = setting.number(),
    ),
    Key::obeyed(
        "disk_free_limit.absolute",
        "50MB",
        Kind::SIZE,
        "Free disk space below which publishers are blocked.",
        |typed, setting| typed.disk_free_limit = setting.number(),
    ),
    Key::obeyed(
        "disk_free_limit.relative",
        "",
        Kind::Fraction { min: 0.0, max: f64::MAX },
        "The same as a multiple of the memory.",
        |typed, setting| typed.disk_free_share = setting.fraction(),
    ),
    Key::inert(
        "vm_memory_high_watermark_paging_ratio",
        OWN_MEMORY,
        "When queues begin to page out.",
    ),
    Key::inert("vm_memory_calculation_strategy", OWN_MEMORY, "How memory is counted."),
];

pub(super) static PRODUCT: &[Key] = &[
    Key::obeyed(
        "product.name",
        "RabbitMQ",
        Kind::Text,
        "The product in the server properties. Clients choose their behavior by it.",
        |typed, setting| typed.product_name = setting.text(),
    ),
    Key::obeyed(
        "product.version",
        "4.3.5",
        Kind::Text,
        "The version in the server properties. Clients choose their behavior by it.",
        |typed, setting| typed.product_version = setting.text(),
    ),
    Key::obeyed(
        "product.platform",
        "",
        Kind::Text,
        "The platform in the server properties: Leveret and its version, unless set. Leveret's \
         own key.",
        |typed, setting| typed.product_platform = setting.text(),
    ),
    Key::obeyed(
        "product.information",
        "",
        Kind::Text,
        "The information in the server properties. Leveret's own key.",
        |typed, setting| typed.product_information = setting.text(),
    ),
    Key::obeyed(
        "cluster_name",
        "leveret",
        Kind::Text,
        "The name of the cluster in the server properties, until one is set over HTTP.",
        |typed, setting| typed.cluster_name = setting.text(),
    ),
    Key::later("motd_file", "", Kind::Text, "A file whose text is logged at the start."),
];
