//! What RabbitMQ's tools can do and this node has no use for: each is refused by its name, with the
//! reason, so that no script believes that it was done.

use super::super::verb::Verb;

const ONE_NODE: &str = "a node is alone: there is no cluster to join, to leave or to repair";
const NO_ERLANG: &str = "there is no Erlang virtual machine inside";
const NO_REPLICAS: &str = "a queue has no replicas: there is one node";
const NO_STREAMS: &str = "there are no streams";
const NO_ENCRYPTION: &str = "encrypted values in configuration files are not understood";
const NO_STOPPED_APP: &str =
    "a node runs or is stopped as a whole: stop the process, and start it again";

pub(super) const VERBS: &[Verb] = &[
    Verb::refused("join_cluster", ONE_NODE),
    Verb::refused("forget_cluster_node", ONE_NODE),
    Verb::refused("change_cluster_node_type", ONE_NODE),
    Verb::refused("update_cluster_nodes", ONE_NODE),
    Verb::refused("rename_cluster_node", "RABBITMQ_NODENAME names the node at its start"),
    Verb::refused("force_boot", ONE_NODE),
    Verb::refused("reset", "stop the node and remove its data directory"),
    Verb::refused("force_reset", "stop the node and remove its data directory"),
    Verb::refused("stop_app", NO_STOPPED_APP),
    Verb::refused("start_app", NO_STOPPED_APP),
    Verb::refused("sync_queue", NO_REPLICAS),
    Verb::refused("cancel_sync_queue", NO_REPLICAS),
    Verb::refused("add_member", NO_REPLICAS),
    Verb::refused("delete_member", NO_REPLICAS),
    Verb::refused("grow", NO_REPLICAS),
    Verb::refused("grow_to_count", NO_REPLICAS),
    Verb::refused("shrink", NO_REPLICAS),
    Verb::refused("transfer_leadership", NO_REPLICAS),
    Verb::refused("force_checkpoint", "the log writes its checkpoints by itself"),
    Verb::refused("reclaim_quorum_memory", "bodies leave memory by themselves"),
    Verb::refused("peek", "`leveret inspect DATA_DIR --queue NAME` shows messages in their places"),
    Verb::refused("eval", NO_ERLANG),
    Verb::refused("eval_file", NO_ERLANG),
    Verb::refused("exec", NO_ERLANG),
    Verb::refused("remote_shell", NO_ERLANG),
    Verb::refused("observer", NO_ERLANG),
    Verb::refused("force_gc", "nothing here collects garbage"),
    Verb::refused("hipe_compile", NO_ERLANG),
    Verb::refused("schema_info", "there is no Mnesia"),
    Verb::refused("maybe_stuck", NO_ERLANG),
    Verb::refused("runtime_thread_stats", NO_ERLANG),
    Verb::refused("erlang_version", NO_ERLANG),
    Verb::refused("erlang_cookie_hash", NO_ERLANG),
    Verb::refused("erlang_cookie_sources", NO_ERLANG),
    Verb::refused("resolver_info", NO_ERLANG),
    Verb::refused("resolve_hostname", "`getent hosts NAME` asks the same resolver"),
    Verb::refused("list_network_interfaces", "`ip address` shows them"),
    Verb::refused("discover_peers", ONE_NODE),
    Verb::refused("metadata_store_status", "definitions are in the log: no Raft is behind them"),
    Verb::refused("encode", NO_ENCRYPTION),
    Verb::refused("decode", NO_ENCRYPTION),
    Verb::refused("list_hashes", NO_ENCRYPTION),
    Verb::refused("list_ciphers", NO_ENCRYPTION),
    Verb::refused("add_replica", NO_STREAMS),
    Verb::refused("delete_replica", NO_STREAMS),
    Verb::refused("restart_stream", NO_STREAMS),
    Verb::refused("stream_status", NO_STREAMS),
    Verb::refused("coordinator_status", NO_STREAMS),
    Verb::refused("add_super_stream", NO_STREAMS),
    Verb::refused("delete_super_stream", NO_STREAMS),
    Verb::refused("list_stream_connections", NO_STREAMS),
    Verb::refused("list_stream_consumers", NO_STREAMS),
    Verb::refused("list_stream_publishers", NO_STREAMS),
    Verb::refused("list_stream_tracking", NO_STREAMS),
    Verb::refused("list_stream_consumer_groups", NO_STREAMS),
    Verb::refused("list_stream_group_consumers", NO_STREAMS),
    Verb::refused("activate_stream_consumer", NO_STREAMS),
];
