//! The table holds every key that operators set, each row is sound, and look-ups find the row
//! that is meant.

use super::*;

fn cut(key: &str) -> Vec<String> {
    key.split('.').map(str::to_owned).collect()
}

fn row(key: &str) -> &'static Key {
    find(&cut(key)).unwrap_or_else(|| panic!("{key} is unknown")).0
}

/// The inventory of keys, by group, with examples for families.
const INVENTORY: &str = "
listeners.tcp.default listeners.tcp.1 listeners.tcp listeners.ssl listeners.ssl.default
listeners.unix.1 unix_listen_options.mode management.unix.path
listeners.ssl.2 num_acceptors.tcp num_acceptors.ssl tcp_listen_options.backlog
tcp_listen_options.nodelay tcp_listen_options.linger.on tcp_listen_options.linger.timeout
tcp_listen_options.sndbuf tcp_listen_options.recbuf tcp_listen_options.keepalive
tcp_listen_options.exit_on_close proxy_protocol reverse_dns_lookups
heartbeat frame_max initial_frame_max max_channels_per_connection channel_max max_connections
connection_max channel_max_per_node consumer_max_per_channel max_message_size handshake_timeout
vhost_max cluster_queue_limit cluster_exchange_limit
vm_memory_high_watermark.relative vm_memory_high_watermark.absolute
total_memory_available_override_value disk_free_limit.absolute disk_free_limit.relative
memory_monitor_interval vm_memory_high_watermark_paging_ratio vm_memory_calculation_strategy
default_vhost default_user default_pass default_user_tags.administrator
default_permissions.configure default_permissions.read default_permissions.write
default_users.app.vhost_pattern default_users.app.password default_users.1.tags
loopback_users loopback_users.guest load_definitions definitions.import_backend
definitions.local.path definitions.https.url definitions.skip_if_unchanged
definitions.hashing.algorithm definitions.tls.verify default_queue_type
default_policies.operator.a.max_length default_limits.vhosts.1.max_connections
anonymous_login_user anonymous_login_pass
queue_leader_locator consumer_timeout consumer_disconnected_timeout classic_queue.default_version
queue_index_embed_msgs_below quorum_queue.commands_soft_limit quorum_queue.initial_cluster_size
quorum_queue.continuous_membership_reconciliation.enabled
quorum_queue.property_equivalence.relaxed_checks_on_redeclaration quorum_queue.wal_max_size_bytes
quorum_queue.segment_max_entries quorum_queue.compute_checksums raft.wal_max_size_bytes
raft.wal_max_entries raft.segment_max_entries raft.data_dir stream.data_dir stream.read_ahead
queue_types.classic.enabled
auth_mechanisms.1 auth_backends.1 auth_backends.1.authn auth_backends.2.authz auth_ldap.servers.1
auth_ldap.user_dn_pattern auth_http.http_method auth_oauth2.resource_server_id
auth_oauth2.scope_aliases.admin auth_cache.cached_backend auth_cache.cache_ttl
password_hashing_module credential_validator.min_length credential_validator.regexp
credential_validator.validation_backend ssl_cert_login_from ssl_cert_login_san_type
ssl_cert_login_san_index
ssl_options ssl_options.cacertfile ssl_options.certfile ssl_options.keyfile ssl_options.password
ssl_options.verify ssl_options.fail_if_no_peer_cert ssl_options.depth ssl_options.versions.1
ssl_options.ciphers.1 ssl_options.honor_cipher_order ssl_options.honor_ecc_order
ssl_options.client_renegotiation ssl_options.bypass_pem_cache ssl_options.crl_check
ssl_options.crl_cache.hash_dir.path ssl_options.key.PrivateKeyInfo ssl_handshake_timeout
log.file log.file.level log.file.rotation.date log.file.rotation.size log.console
log.console.level log.console.formatter log.console.stdio log.connection.level log.channel.level
log.queue.level log.federation.level log.ra.level log.default.level log.syslog log.syslog.host
log.syslog.ssl_options.verify log.exchange log.exchange.level log.journald log.journald.fields
log.dir log.console.formatter.time_format log.connection.rotation.size log.connection.file
management.tcp.port management.tcp.ip management.ssl.port management.path_prefix
management.rates_mode management.cors.allow_origins.1 management.http.max_body_size
management.disable_stats management.sample_retention_policies.global.minute
management.login_session_timeout management.oauth_enabled management.oauth_client_id
management.oauth_resource_servers.1.id
management.restrictions.quorum_queue_replica_operations.disabled
management_agent.disable_metrics_collector collect_statistics_interval management.load_definitions
prometheus.tcp.port prometheus.tcp.ip prometheus.path prometheus.return_per_object_metrics
prometheus.ssl.port prometheus.authentication.enabled
cluster_name cluster_formation.peer_discovery_backend cluster_formation.classic_config.nodes.1
cluster_formation.dns.hostname cluster_formation.k8s.host cluster_formation.aws.region
cluster_formation.consul.host cluster_formation.etcd.endpoints.1
cluster_formation.target_cluster_size_hint cluster_formation.discovery_retry_limit
cluster_formation.discovery_retry_interval cluster_formation.node_cleanup.interval net_ticktime
cluster_tags.region node_tags.zone cluster_partition_handling
cluster_partition_handling.pause_if_all_down.recover
deprecated_features.permit.global_qos message_interceptors.incoming.set_header_timestamp.overwrite
runtime_parameters.limits.shovel vhost_restart_strategy mqtt.listeners.tcp.default
stomp.default_user stream.listeners.tcp.default web_mqtt.tcp.port web_stomp.ws_frame
web_amqp.enabled
shovel.topology.predeclared federation.x event_exchange.vhost aws.prefer_imdsv2 motd_file
product.name product.version prevent_startup_if_node_was_reset data_dir";

#[test]
fn every_key_of_the_inventory_is_known() {
    let unknown: Vec<_> =
        INVENTORY.split_whitespace().filter(|key| find(&cut(key)).is_none()).collect();
    assert!(unknown.is_empty(), "{unknown:?}");
}

#[test]
fn names_are_unique_and_every_default_is_a_value_of_its_kind() {
    let mut names: Vec<_> = all().flat_map(Key::names).collect();
    names.sort_unstable();
    let count = names.len();
    names.dedup();
    assert_eq!(names.len(), count);
    for key in all().filter(|key| !key.default.is_empty()) {
        assert!(key.kind.parse(key.default).is_some(), "{}", key.name);
    }
}

#[test]
fn every_row_says_what_it_is_for_in_a_sentence() {
    for key in all() {
        assert!(key.doc.ends_with('.') && !key.doc.contains("  "), "{}", key.name);
    }
}

#[test]
fn the_name_that_says_most_is_found() {
    assert_eq!(row("management.tcp.port").name, "management.tcp.port");
    assert_eq!(row("management.tcp.backlog").name, "management.tcp.*");
    assert_eq!(row("listeners.tcp").name, "listeners.tcp");
    assert_eq!(row("listeners.tcp.default").name, "listeners.tcp.<name>");
    assert_eq!(row("log.file.formatter").name, "log.file.formatter");
    assert_eq!(row("log.file.rotation.date").name, "log.file.rotation.*");
    assert_eq!(row("channel_max").name, "max_channels_per_connection");
}

#[test]
fn an_unknown_key_has_no_row() {
    for key in
        ["heartbeet", "listeners", "listeners.tcp.a.b", "log.conection.level", "ssl_options.x"]
    {
        assert!(find(&cut(key)).is_none(), "{key}");
    }
}

#[test]
fn the_nearest_key_is_suggested_and_only_if_it_is_near() {
    for (written, expected) in [
        ("heartbeet", Some("heartbeat")),
        ("log.conection.level", Some("log.connection.level")),
        ("listener.tcp.1", Some("listeners.tcp.1")),
        ("loopback_user.bob", Some("loopback_users.bob")),
        ("max_mesage_size", Some("max_message_size")),
        ("chanel_max", Some("channel_max")),
        ("disk_free_limit", Some("disk_free_limit.absolute")),
        ("completely_unlike_anything", None),
    ] {
        assert_eq!(nearest(&cut(written)).as_deref(), expected, "{written}");
    }
}

#[test]
fn distance_counts_the_letters_to_change() {
    for (one, other, expected) in
        [("", "", 0), ("abc", "abc", 0), ("abc", "", 3), ("", "ab", 2), ("kitten", "sitting", 3)]
    {
        assert_eq!(distance(one, other), expected, "{one} {other}");
        assert_eq!(distance(other, one), expected, "{other} {one}");
    }
}
