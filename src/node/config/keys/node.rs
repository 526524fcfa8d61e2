//! Keys of the node itself: its data, its memory and disk, and what it says it is.

use std::path::PathBuf;

use super::super::values::Kind;
use super::Key;

const OWN_MEMORY: &str = "memory is accounted for by Leveret itself";

pub(super) static DATA: &[Key] = &[Key::obeyed(
    "data_dir",
    "./data",
    Kind::Text,
    "The folder that holds all of the node's data. Leveret's own key.",
    |typed, setting| typed.data_dir = setting.text().map(PathBuf::from),
)];

pub(super) static MEMORY_AND_DISK: &[Key] = &[
    Key::later(
        "vm_memory_high_watermark.relative",
        "0.6",
        Kind::Fraction { min: 0.0, max: f64::MAX },
        "Share of the memory above which publishers are blocked.",
    ),
    Key::later(
        "vm_memory_high_watermark.absolute",
        "",
        Kind::SIZE,
        "Memory above which publishers are blocked.",
    ),
    Key::later(
        "total_memory_available_override_value",
        "",
        Kind::SIZE,
        "Memory that this machine is taken to have.",
    ),
    Key::later(
        "memory_monitor_interval",
        "2500",
        Kind::POSITIVE,
        "Milliseconds between looks at the memory in use.",
    ),
    Key::later(
        "disk_free_limit.absolute",
        "50MB",
        Kind::SIZE,
        "Free disk space below which publishers are blocked.",
    ),
    Key::later(
        "disk_free_limit.relative",
        "",
        Kind::Fraction { min: 0.0, max: f64::MAX },
        "The same as a multiple of the memory.",
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
        "The name of the cluster in the server properties.",
        |typed, setting| typed.cluster_name = setting.text(),
    ),
    Key::later("motd_file", "", Kind::Text, "A file whose text is logged at the start."),
];
