//! The table of verbs is whole, and a wrong command line is told what is right.

use clap::CommandFactory;

use super::verb::Action;
use super::{Tool, line, verbs};
use crate::command_line::CommandLine;

/// The verbs of RabbitMQ's tools, by tool.
const RABBITMQCTL: &str = "
status list_queues list_connections list_channels list_consumers list_exchanges list_bindings
list_users list_vhosts list_permissions list_policies list_parameters list_feature_flags
list_deprecated_features list_unresponsive_queues add_user delete_user change_password
clear_password set_user_tags authenticate_user set_permissions clear_permissions
list_user_permissions set_permissions_globally set_topic_permissions clear_topic_permissions
list_topic_permissions list_user_topic_permissions add_vhost delete_vhost update_vhost_metadata
set_vhost_tags enable_vhost_deletion_protection disable_vhost_deletion_protection set_policy
clear_policy set_operator_policy clear_operator_policy list_operator_policies set_parameter
clear_parameter set_global_parameter clear_global_parameter list_global_parameters
set_vhost_limits list_vhost_limits clear_vhost_limits set_user_limits list_user_limits
clear_user_limits purge_queue delete_queue close_connection close_all_connections
close_all_user_connections export_definitions import_definitions trace_on trace_off set_log_level
rotate_logs set_vm_memory_high_watermark set_disk_free_limit set_cluster_name cluster_status
join_cluster reset force_reset force_boot forget_cluster_node change_cluster_node_type
update_cluster_nodes rename_cluster_node stop_app start_app stop shutdown wait await_startup
await_online_nodes enable_feature_flag environment eval eval_file exec report hash_password encode
decode suspend_listeners resume_listeners restart_vhost list_hashes list_ciphers force_gc ping
node_health_check sync_queue cancel_sync_queue schema_info hipe_compile
ping status server_version erlang_version check_running check_local_alarms check_alarms
check_port_connectivity check_port_listener check_protocol_listener check_virtual_hosts
check_certificate_expiration check_for_quorum_queues_without_an_elected_leader
check_if_any_deprecated_features_are_used check_if_metadata_store_is_initialized
check_if_metadata_store_is_initialized_with_data check_if_node_is_quorum_critical is_running
is_booting listeners memory_breakdown alarms cipher_suites tls_versions command_line_arguments
consume_event_stream log_tail log_tail_stream log_location maybe_stuck message_size_stats
metadata_store_status observer os_env remote_shell resolve_hostname resolver_info
runtime_thread_stats discover_peers erlang_cookie_hash erlang_cookie_sources
list_network_interfaces list_policies_that_match certificates
quorum_status rebalance add_member delete_member grow grow_to_count shrink peek force_checkpoint
reclaim_quorum_memory transfer_leadership
add_replica delete_replica restart_stream stream_status coordinator_status add_super_stream
delete_super_stream list_stream_connections list_stream_consumers list_stream_publishers
list_stream_tracking list_stream_consumer_groups list_stream_group_consumers
activate_stream_consumer
drain revive await_online_quorum_plus_one post_upgrade await_online_synchronized_mirror
check_if_node_is_mirror_sync_critical shovel_status federation_status
version help autocomplete";

const PLUGINS: &str = "list enable disable set directories is_enabled version help autocomplete";

#[test]
fn every_verb_is_here_or_refused_by_its_name_with_a_reason() {
    for (tool, names) in [(Tool::RabbitmqCtl, RABBITMQCTL), (Tool::Plugins, PLUGINS)] {
        let command = line::command(tool);
        for name in names.split_whitespace() {
            assert!(command.find_subcommand(name).is_some(), "{} {name}", tool.name());
        }
    }
    for verb in verbs::ALL.iter().chain(verbs::PLUGINS).flat_map(|section| section.verbs) {
        if let Action::Refuses(reason) = verb.action {
            assert!(reason.len() > 10, "{} says why", verb.name);
        }
        assert!(verb.about.len() > 5, "{} says what it does", verb.name);
    }
}

#[test]
fn no_verb_is_there_twice() {
    let mut names: Vec<&str> =
        verbs::ALL.iter().flat_map(|section| section.verbs).map(|verb| verb.name).collect();
    let count = names.len();
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), count);
}

#[test]
fn the_command_lines_hold_together() {
    for tool in Tool::ALL {
        line::command(tool).debug_assert();
    }
    CommandLine::command().debug_assert();
}

/// The status and the text of a command line that nobody is asked about.
fn refused(tool: Tool, words: &[&str]) -> (u8, String) {
    let words: Vec<String> = words.iter().map(|word| (*word).to_owned()).collect();
    let failure = line::read(tool, &words).expect_err(&words.join(" "));
    (failure.code(), failure.to_string())
}

#[test]
fn a_wrong_command_line_is_answered_by_64_and_how_it_is_right() {
    for (words, part) in [
        (&["list_quues"][..], "Command 'list_quues' not found. \nDid you mean 'list_queues'?"),
        (&["add_user"], "not enough arguments."),
        (&["list_users", "extra"], "too many arguments."),
        (&["list_users", "--nonsense"], "Invalid options for this command:\n--nonsense"),
        (&["set_permissions", "ann", "a", "b"], "set_permissions <username> <configure> <write>"),
        (&["list_users", "--formatter", "xml"], "there is no formatter xml"),
        (&["list_users", "-t", "x"], "no number of seconds"),
        (&[], "Available verbs"),
        (&["help", "nonsense"], "Command 'nonsense' not found"),
    ] {
        let (code, text) = refused(Tool::RabbitmqCtl, words);
        assert!(code == 64 && text.contains(part), "{words:?}: {code} {text}");
    }
}

#[test]
fn options_stand_before_a_verb_or_behind_it() {
    let words =
        ["-q", "--vhost=a", "list_queues", "-n", "hare", "name", "-s", "--formatter", "json"];
    let words = words.map(str::to_owned);
    let Ok(line::Line::Call(call)) = line::read(Tool::RabbitmqCtl, &words) else { panic!() };
    assert_eq!((call.virtual_host(), call.node()), ("a", "hare"));
    assert!(call.common.has_no_headers && !call.common.tells_what_it_does());
    assert_eq!(call.words("<column>"), ["name"]);
}

#[test]
fn what_is_said_first_names_what_was_typed() {
    let words = ["set_user_tags", "ann", "a", "b"].map(str::to_owned);
    let Ok(line::Line::Call(call)) = line::read(Tool::Ctl, &words) else { panic!() };
    assert_eq!(call.banner(), ["Setting tags for user \"ann\" to [a, b] ..."]);
}
