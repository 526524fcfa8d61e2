//! Keys of queues and streams.

use super::super::QueueType;
use super::super::values::Kind;
use super::Key;
use crate::message::DeclareEquivalence;

const ONE_STORE: &str = "one log holds every queue's messages";
const NO_RAFT: &str = "there is no Raft library inside";

pub(super) static QUEUES: &[Key] = &[
    Key::obeyed(
        "default_queue_type",
        "classic",
        Kind::Choice(&["classic", "quorum", "rabbit_classic_queue", "rabbit_quorum_queue"]),
        "Type of queues that are declared without one.",
        |typed, setting| {
            let is_quorum = setting.text().is_some_and(|name| name.contains("quorum"));
            let queue_type = if is_quorum { QueueType::Quorum } else { QueueType::Classic };
            typed.default_queue_type = Some(queue_type);
        },
    ),
    Key::obeyed(
        "consumer_timeout",
        "",
        Kind::Timeout,
        "Milliseconds that a consumer may hold a delivery, where neither it nor its queue says \
         otherwise. Where this is not set, it is 1800000 on queues of quorum type, and without \
         limit on classic ones.",
        |typed, setting| typed.consumer_timeout_ms = Some(setting.number().unwrap_or(0)),
    ),
    Key::obeyed(
        "declare_equivalence",
        "strict",
        Kind::Choice(&["strict", "relaxed"]),
        "What becomes of a queue or an exchange that is declared again with other arguments or \
         flags: `strict`, the declaration is refused with 406, as in RabbitMQ; `relaxed`, it is \
         answered with ok and changes nothing. A virtual host may say otherwise in its metadata. \
         Leveret's own key.",
        |typed, setting| {
            typed.declare_equivalence =
                setting.text().as_deref().and_then(DeclareEquivalence::from_name);
        },
    ),
    Key::later(
        "consumer_disconnected_timeout",
        "60000",
        Kind::NUMBER,
        "Milliseconds after which a consumer out of reach gives its deliveries back.",
    ),
    Key::later(
        "queue_leader_locator",
        "client-local",
        Kind::Text,
        "Which node of a cluster leads a new queue.",
    )
    .also(&["queue_master_locator"]),
    Key::inert("classic_queue.default_version", ONE_STORE, "Format of classic queues on disk."),
    Key::inert("queue_index_embed_msgs_below", ONE_STORE, "Size of messages kept in an index."),
    Key::inert(
        "message_store_shutdown_timeout",
        ONE_STORE,
        "Milliseconds that the message store has to stop.",
    ),
    Key::inert(
        "quorum_queue.{commands_soft_limit,compute_checksums,wal_max_size_bytes,\
         segment_max_entries}",
        NO_RAFT,
        "How quorum queues write.",
    )
    .also(&["quorum_commands_soft_limit"]),
    Key::later(
        "quorum_queue.initial_cluster_size",
        "3",
        Kind::POSITIVE,
        "Nodes that a new quorum queue stands on.",
    ),
    Key::later(
        "quorum_queue.continuous_membership_reconciliation.*",
        "",
        Kind::Text,
        "Adding members to quorum queues as nodes come and go.",
    ),
    Key::obeyed(
        "quorum_queue.property_equivalence.relaxed_checks_on_redeclaration",
        "false",
        Kind::Boolean,
        "Let a quorum queue be declared again with `x-queue-type: classic`.",
        |typed, setting| typed.lets_quorum_be_classic = setting.boolean(),
    ),
    Key::inert("raft.*", NO_RAFT, "How Raft writes."),
    Key::later("queue_types.<type>.enabled", "true", Kind::Boolean, "Whether a type may be used."),
    Key::later("stream.*", "", Kind::Text, "Streams, and the door for their own protocol."),
    Key::later(
        "message_interceptors.*",
        "",
        Kind::Text,
        "Headers that are added to messages as they come and go.",
    ),
];
