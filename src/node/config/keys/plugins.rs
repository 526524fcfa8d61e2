//! Keys of what RabbitMQ keeps in plugins or in Erlang: the other doors, the cluster, and odds
//! and ends.

use super::super::values::Kind;
use super::Key;

const ERLANG: &str = "there is no Erlang virtual machine inside";
const NO_PARTITIONS: &str = "a minority never goes on by itself";

pub(super) static MANAGEMENT: &[Key] = &[
    Key::obeyed(
        "management.tcp.port",
        "",
        Kind::PORT,
        "Port of the HTTP API, 15672 where only its address is set. Where neither is, it listens \
         on 127.0.0.1:15672 and [::1]:15672, unless another process does or `--listen` is given. \
         Port 0 lets the system choose.",
        |typed, setting| typed.management_port = setting.number(),
    ),
    Key::obeyed(
        "management.tcp.ip",
        "",
        Kind::Ip,
        "Address of the HTTP API. Where only its port is set, that is every interface.",
        |typed, setting| typed.management_ip = setting.value.to_address().and_then(|a| a.host),
    ),
    Key::obeyed(
        "management.unix.path",
        "",
        Kind::Text,
        "Socket of the HTTP API on this machine, where root and the user that the broker runs as \
         need no password: `leveret ctl` uses it. Without it that is management.sock in the data \
         directory; none for no such socket. Leveret's own key.",
        |typed, setting| typed.management_socket = setting.text(),
    ),
    Key::later("management.tcp.*", "", Kind::Text, "Details of the HTTP API's sockets."),
    Key::obeyed(
        "management.proxy_protocol",
        "false",
        Kind::Boolean,
        "Expect the PROXY protocol's header on every connection to the HTTP API.",
        |typed, setting| typed.management_proxy_protocol = setting.boolean(),
    ),
    Key::later("management.listener.*", "", Kind::Text, "The HTTP API's listener, the old way."),
    Key::obeyed(
        "management.path_prefix",
        "",
        Kind::Path,
        "What every path of the HTTP API begins with, such as /rabbitmq.",
        |typed, setting| typed.management_path_prefix = setting.text(),
    ),
    Key::later(
        "management.rates_mode",
        "basic",
        Kind::Choice(&["basic", "detailed", "none"]),
        "How much is counted for rates.",
    ),
    Key::obeyed(
        "management.cors.allow_origins",
        "",
        Kind::Choice(&["none"]),
        "Set to none to let no web page of another origin use the HTTP API.",
        |typed, setting| typed.management_origins.clear(setting.origin.layer()),
    ),
    Key::obeyed(
        "management.cors.allow_origins.<N>",
        "",
        Kind::Text,
        "An origin whose web pages may use the HTTP API, such as https://example.com, or * for \
         all. Without any, none may.",
        |typed, setting| {
            if let Some(origin) = setting.text() {
                typed.management_origins.insert(setting, origin);
            }
        },
    ),
    Key::obeyed(
        "management.cors.max_age",
        "1800",
        Kind::NUMBER,
        "Seconds for which a browser need not ask again whether a page may.",
        |typed, setting| typed.management_max_age_seconds = setting.number(),
    ),
    Key::later("management.{csp,hsts,headers}.*", "", Kind::Text, "Headers of HTTP answers."),
    Key::obeyed(
        "management.http.max_body_size",
        "10000000",
        Kind::SIZE,
        "Largest body of a request to the HTTP API, in bytes.",
        |typed, setting| typed.management_body_size_max = setting.number(),
    ),
    Key::later("management.http_log_dir", "", Kind::Text, "Where requests are logged."),
    Key::later("management.disable_stats", "false", Kind::Boolean, "Keep no statistics."),
    Key::later(
        "management.{disable_basic_auth,enable_queue_totals,enable_uaa,\
         require_auth_for_api_desc_page}",
        "false",
        Kind::Boolean,
        "Details of the HTTP API.",
    ),
    Key::later("management.sample_retention_policies.*", "", Kind::Text, "How long samples live."),
    Key::later("management.login_session_timeout", "", Kind::NUMBER, "Minutes a login lasts."),
    Key::later("management.delegate_count", "", Kind::NUMBER, "Tasks that gather statistics."),
    Key::later("management.db_cache_multiplier", "", Kind::NUMBER, "How long answers are kept."),
    Key::later(
        "management.{oauth_enabled,oauth_disable_basic_auth,oauth_client_id,oauth_client_secret,\
         oauth_provider_url,oauth_scopes,oauth_metadata_url,oauth_response_type,\
         oauth_initiated_logon_type,oauth_authorization_endpoint_params,\
         oauth_token_endpoint_params,uaa_client_id,uaa_location}",
        "",
        Kind::Text,
        "Login to the web pages by OAuth 2.",
    ),
    Key::later(
        "management.{oauth_resource_servers,oauth_authorization_endpoint_params,\
         oauth_token_endpoint_params}.*",
        "",
        Kind::Text,
        "Further details of login by OAuth 2.",
    ),
    Key::later("management.restrictions.*", "", Kind::Text, "What the HTTP API will not do."),
    Key::later(
        "management_agent.disable_metrics_collector",
        "false",
        Kind::Boolean,
        "Leave statistics to Prometheus.",
    ),
    Key::later("management_agent.*", "", Kind::Text, "Further details of statistics."),
    Key::later(
        "collect_statistics",
        "none",
        Kind::Choice(&["none", "coarse", "fine"]),
        "How much is counted.",
    ),
    Key::later(
        "collect_statistics_interval",
        "5000",
        Kind::POSITIVE,
        "Milliseconds between samples.",
    ),
    Key::obeyed(
        "prometheus.tcp.port",
        "",
        Kind::PORT,
        "Port of the metrics for Prometheus, 15692 in RabbitMQ. Without it nothing listens for \
         them. Port 0 lets the system choose.",
        |typed, setting| typed.prometheus_port = setting.number(),
    ),
    Key::obeyed(
        "prometheus.tcp.ip",
        "",
        Kind::Ip,
        "Address of the metrics, where their port is set. Without it that is every interface.",
        |typed, setting| typed.prometheus_ip = setting.value.to_address().and_then(|a| a.host),
    ),
    Key::obeyed(
        "prometheus.path",
        "/metrics",
        Kind::Text,
        "Path of the metrics.",
        |typed, setting| typed.prometheus_path = setting.text(),
    ),
    Key::obeyed(
        "prometheus.return_per_object_metrics",
        "false",
        Kind::Boolean,
        "Tell of each queue, channel and connection at the common path, too, as \
         `/metrics/per-object` does.",
        |typed, setting| typed.prometheus_is_of_each = setting.boolean(),
    ),
    Key::later(
        "prometheus.authentication.enabled",
        "false",
        Kind::Boolean,
        "Ask for a user and password.",
    ),
    Key::later("prometheus.*", "", Kind::Text, "Further details of metrics."),
];

pub(super) static CLUSTER: &[Key] = &[
    Key::later(
        "cluster_formation.peer_discovery_backend",
        "",
        Kind::Text,
        "How nodes find each other: classic_config, dns, k8s, aws, consul or etcd.",
    ),
    Key::later(
        "cluster_formation.classic_config.nodes.<name>",
        "",
        Kind::Text,
        "Nodes of the cluster, one by one.",
    ),
    Key::later("cluster_formation.dns.hostname", "", Kind::Text, "A name that lists all nodes."),
    Key::later(
        "cluster_formation.target_cluster_size_hint",
        "",
        Kind::POSITIVE,
        "Nodes that the cluster is going to have.",
    ),
    Key::later(
        "cluster_formation.{discovery_retry_limit,discovery_retry_interval,lock_retry_limit,\
         lock_retry_timeout,internal_lock_retries}",
        "",
        Kind::LIMIT,
        "How often and how long nodes look for each other.",
    ),
    Key::later(
        "cluster_formation.{k8s,aws,consul,etcd,dns,node_cleanup,proxy,registration}.*",
        "",
        Kind::Text,
        "Details of how nodes find each other.",
    ),
    Key::later("aws.*", "", Kind::Text, "Details of how a node asks the cloud it runs in."),
    Key::inert("cluster_formation.node_type", "every node has a disk", "Kind of a node."),
    Key::inert(
        "cluster_formation.randomized_startup_delay_range.{min,max}",
        "no node waits at random",
        "Seconds to wait before looking for others.",
    ),
    Key::inert("cluster_partition_handling", NO_PARTITIONS, "What a cut network leads to."),
    Key::inert("cluster_partition_handling.*", NO_PARTITIONS, "What a cut network leads to."),
    Key::later("cluster_tags.<name>", "", Kind::Text, "Labels of the cluster."),
    Key::later("node_tags.<name>", "", Kind::Text, "Labels of this node."),
    Key::later("net_ticktime", "60", Kind::POSITIVE, "Seconds until a silent node is gone."),
    Key::later(
        "cluster_keepalive_interval",
        "10000",
        Kind::POSITIVE,
        "Milliseconds between signs of life.",
    ),
    Key::inert("distribution.*", ERLANG, "Connections between Erlang nodes."),
    Key::inert(
        "{mirroring_sync_batch_size,mirroring_sync_max_throughput}",
        "queues are not mirrored",
        "How mirrors catch up.",
    ),
];

pub(super) static OTHER: &[Key] = &[
    Key::later(
        "deprecated_features.permit.<name>",
        "",
        Kind::Boolean,
        "Whether a feature that is on its way out may still be used.",
    ),
    Key::later(
        "runtime_parameters.limits.<component>",
        "",
        Kind::NUMBER,
        "How many parameters a component may have.",
    ),
    Key::later("vhost_restart_strategy", "continue", Kind::Text, "When a virtual host fails."),
    Key::later(
        "prevent_startup_if_node_was_reset",
        "false",
        Kind::Boolean,
        "Refuse to start when the data directory was emptied.",
    ),
    Key::later("mqtt.*", "", Kind::Text, "The MQTT door."),
    Key::later("stomp.*", "", Kind::Text, "The STOMP door."),
    Key::later("amqp1_0.*", "", Kind::Text, "AMQP 1.0."),
    Key::later("web_mqtt.*", "", Kind::Text, "The door for MQTT over WebSocket."),
    Key::later("web_stomp.*", "", Kind::Text, "The door for STOMP over WebSocket."),
    Key::obeyed(
        "web_amqp.enabled",
        "true",
        Kind::Boolean,
        "Take AMQP over WebSockets, at /ws/amqp on the port of the HTTP API. Leveret's own key.",
        |typed, setting| typed.web_amqp = setting.boolean(),
    ),
    Key::later("shovel.*", "", Kind::Text, "Shovels."),
    Key::later("federation.*", "", Kind::Text, "Federation."),
    Key::obeyed(
        "event_exchange.enabled",
        "",
        Kind::Boolean,
        "Tell what happens in the node, as messages through the exchange amq.rabbitmq.event. It is \
         off, unless the next key is set.",
        |typed, setting| typed.event_exchange = setting.boolean(),
    ),
    Key::obeyed(
        "event_exchange.vhost",
        "",
        Kind::Text,
        "Virtual host that has this exchange. Without the key it is that of default_vhost.",
        |typed, setting| typed.event_exchange_host = setting.text(),
    ),
    Key::inert("amqp_client.*", ERLANG, "RabbitMQ's own client."),
    Key::inert("erlang.*", ERLANG, "Flags of the virtual machine."),
    Key::inert("sysmon_handler.*", ERLANG, "Watching busy Erlang processes."),
    Key::inert("metadata_store.*", "definitions stand in the log", "The store of definitions."),
    Key::inert(
        "{hipe_compile,delegate_count,default_worker_pool_size,background_gc_enabled,\
         background_gc_target_interval,mnesia_table_loading_retry_timeout,\
         mnesia_table_loading_retry_limit}",
        ERLANG,
        "Details of the Erlang broker.",
    ),
];
