//! What is written, in whatever layer, becomes the configuration that is meant, or errors that
//! name their place.

use std::{path::PathBuf, time::Duration};

use super::*;
use crate::node::config::{
    NodeLimits, Permissions, QueueType,
    logs::{LogCategory, LogFormat, LogLevel, LogStream},
    with_defaults,
};

use crate::message::DeclareEquivalence;

type Loaded = Result<(Config, Vec<Warning>), ConfigErrors>;

fn resolved(texts: &[&str], environment: &[(&str, &str)], flags: &Serve) -> Loaded {
    let name = |index| format!("{}.conf", char::from(b'a' + index));
    let sources: Vec<Source> = (0..)
        .zip(texts)
        .map(|(index, text)| Source { name: name(index), text: (*text).to_owned() })
        .collect();
    let environment = environment.iter().map(|(name, value)| ((*name).into(), (*value).into()));
    resolve(&sources, environment, flags, Vec::new())
}

fn config(text: &str) -> Config {
    resolved(&[text], &[], &Serve::default()).unwrap().0
}

fn errors(text: &str) -> String {
    resolved(&[text], &[], &Serve::default()).unwrap_err().to_string()
}

fn warnings(text: &str) -> Vec<String> {
    let (_, warnings) = resolved(&[text], &[], &Serve::default()).unwrap();
    warnings.iter().map(ToString::to_string).collect()
}

fn listeners(config: &Config) -> Vec<String> {
    config.listeners.iter().map(ToString::to_string).collect()
}

#[test]
fn nothing_set_means_the_defaults() {
    let config = config("# heartbeat = 5\n");
    assert_eq!(config, Config::default());
    assert_eq!(listeners(&config), ["127.0.0.1:5672", "[::1]:5672"]);
    assert_eq!(config.data_dir, PathBuf::from("./data"));
    assert_eq!(config.heartbeat_seconds, 60);
    assert_eq!(config.frame_size_max, 131_072);
    assert_eq!(config.initial_frame_size_max, 4096);
    assert_eq!(config.channel_max, 2047);
    assert_eq!(config.consumer_max_per_channel, None);
    assert_eq!(config.message_size_max, 134_217_728);
    assert_eq!(config.handshake_timeout_ms, 10_000);
    assert_eq!(config.tcp.backlog, 128);
    assert!(config.tcp.nodelay && !config.tcp.keepalive);
    assert_eq!(config.tcp.linger, None);
    assert_eq!(config.default_virtual_host, "/");
    assert_eq!((config.default_user.as_str(), config.default_pass.as_str()), ("guest", "guest"));
    assert_eq!(config.default_user_tags, ["administrator"]);
    assert_eq!(config.loopback_users, ["guest"]);
    assert_eq!(config.auth_mechanisms, ["PLAIN", "AMQPLAIN"]);
    assert_eq!(config.default_queue_type, QueueType::Classic);
    assert_eq!(config.product.name, "RabbitMQ");
    assert_eq!(config.product.version, "4.3.5");
    assert!(config.product.platform.starts_with("Leveret "));
    assert_eq!(config.logging.file, None);
}

#[test]
fn the_defaults_of_the_table_mean_what_nothing_set_means() {
    let rows = keys::all().filter(|row| matches!(row.status, Status::Obeyed(_)));
    let lines = rows.filter(|row| !row.default.is_empty());
    let text: String = lines.map(|row| format!("{} = {}\n", row.name, row.default)).collect();
    let set = config(&text);
    assert_eq!(with_defaults(&set.set), with_defaults(&BTreeMap::new()));
    assert_eq!(Config { set: BTreeMap::new(), ..set }, Config::default());
}

#[test]
fn limits_of_the_node_arrive() {
    let config = config(
        "connection_max = 1\nchannel_max_per_node = 2\nvhost_max = 3\ncluster_queue_limit = 4\n\
         cluster_exchange_limit = infinity\n",
    );
    let limits = NodeLimits {
        connections: Some(1),
        channels: Some(2),
        virtual_hosts: Some(3),
        queues: Some(4),
        exchanges: None,
    };
    assert_eq!(config.node_limits, limits);
}

#[test]
fn every_obeyed_key_of_a_connection_arrives() {
    let config = config(
        "heartbeat = 0\nframe_max = 1MiB\ninitial_frame_max = 64KiB\nchannel_max = 100\n\
         consumer_max_per_channel = 16\nmax_message_size = 16MB\nhandshake_timeout = 500\n\
         tcp_listen_options.backlog = 4096\ntcp_listen_options.nodelay = false\n\
         tcp_listen_options.keepalive = true\ntcp_listen_options.sndbuf = 192KiB\n\
         tcp_listen_options.recbuf = 1000\ntcp_listen_options.linger.on = true\n\
         tcp_listen_options.linger.timeout = 3\n",
    );
    assert_eq!(config.heartbeat_seconds, 0);
    assert_eq!(config.frame_size_max, 1_048_576);
    assert_eq!(config.initial_frame_size_max, 65_536);
    assert_eq!(config.channel_max, 100);
    assert_eq!(config.consumer_max_per_channel, Some(16));
    assert_eq!(config.message_size_max, 16_000_000);
    assert_eq!(config.handshake_timeout_ms, 500);
    assert_eq!(config.tcp.backlog, 4096);
    assert!(!config.tcp.nodelay && config.tcp.keepalive);
    assert_eq!(config.tcp.send_buffer_size, Some(196_608));
    assert_eq!(config.tcp.receive_buffer_size, Some(1000));
    assert_eq!(config.tcp.linger, Some(Duration::from_secs(3)));
}

#[test]
fn infinity_is_no_limit_but_a_handshake_ends_within_a_day() {
    let config = config(
        "consumer_max_per_channel = 5\nconsumer_max_per_channel = infinity\n\
         handshake_timeout = infinity\n",
    );
    assert_eq!(config.consumer_max_per_channel, None);
    assert_eq!(config.handshake_timeout_ms, 86_400_000);
}

#[test]
fn no_new_password_is_hashed_by_md5_and_the_error_says_by_what_instead() {
    let text = "password_hashing_module = rabbit_password_hashing_md5\n";
    let error = errors(text);
    let instead = "expected rabbit_password_hashing_sha256, rabbit_password_hashing_sha512 or \
                   leveret_password_hashing_argon2id";
    assert!(error.contains(instead), "{error}");
}

#[test]
fn lines_go_to_the_exchange_where_it_is_switched_on() {
    let exchange = |text: &str| config(text).logging.exchange;
    assert_eq!(exchange("log.exchange.level = error\n"), None);
    assert_eq!(exchange("log.exchange = false\n"), None);
    let text = "log.exchange = true\nlog.exchange.level = error\nlog.exchange.formatter = json\n";
    let log = exchange(text).unwrap();
    assert_eq!((log.format, log.filter.default), (LogFormat::Json, LogLevel::Error));
    let log = exchange("log.exchange = true\nlog.queue.level = debug\n").unwrap();
    assert_eq!((log.format, log.filter.default), (LogFormat::Text, LogLevel::Info));
    assert_eq!(log.filter.categories[&LogCategory::Queue], LogLevel::Debug);
}

#[test]
fn events_are_told_where_they_are_switched_on_or_have_a_virtual_host() {
    let host = |text: &str| config(text).event_exchange;
    assert_eq!(host(""), None);
    assert_eq!(host("event_exchange.enabled = true\n").as_deref(), Some("/"));
    let text = "default_vhost = v\nevent_exchange.enabled = true\n";
    assert_eq!(host(text).as_deref(), Some("v"));
    assert_eq!(host("event_exchange.vhost = e\n").as_deref(), Some("e"));
    assert_eq!(host("event_exchange.vhost = e\nevent_exchange.enabled = false\n"), None);
}

#[test]
fn a_consumer_timeout_is_set_or_lifted_or_left_to_the_type_of_the_queue() {
    assert_eq!(config("").consumer_timeout_ms, None);
    assert_eq!(config("consumer_timeout = 5000\n").consumer_timeout_ms, Some(5000));
    for none in ["undefined", "infinity", "false", "0"] {
        let text = format!("consumer_timeout = 5000\nconsumer_timeout = {none}\n");
        assert_eq!(config(&text).consumer_timeout_ms, Some(0), "{none}");
    }
}

#[test]
fn repeated_declarations_are_compared_strictly_until_the_operator_says_otherwise() {
    let strict = config("");
    assert_eq!(strict.declare_equivalence, DeclareEquivalence::Strict);
    assert!(!strict.lets_quorum_be_classic);
    let relaxed = config(
        "declare_equivalence = relaxed\n\
         quorum_queue.property_equivalence.relaxed_checks_on_redeclaration = true\n",
    );
    assert_eq!(relaxed.declare_equivalence, DeclareEquivalence::Relaxed);
    assert!(relaxed.lets_quorum_be_classic);
    assert_eq!(
        errors("heartbeat = 0\ndeclare_equivalence = lax\n"),
        "a.conf:2: declare_equivalence: expected strict or relaxed, found `lax`"
    );
}

#[test]
fn the_keys_of_the_first_user_arrive() {
    let config = config(
        "default_vhost = main\ndefault_user = admin\ndefault_pass = 'a # b'\n\
         default_user_tags.monitoring = true\ndefault_user_tags.administrator = false\n\
         default_permissions.configure = ^a\ndefault_permissions.read = \"\"\n\
         default_queue_type = quorum\ncluster_name = east\nproduct.name = Other\n\
         product.version = 9\nproduct.platform = here\nproduct.information = none\n\
         data_dir = /srv/broker data\n",
    );
    assert_eq!(config.default_virtual_host, "main");
    assert_eq!((config.default_user.as_str(), config.default_pass.as_str()), ("admin", "a # b"));
    assert_eq!(config.default_user_tags, ["monitoring"]);
    let (configure, write, read) = ("^a".to_owned(), ".*".to_owned(), String::new());
    assert_eq!(config.default_permissions, Permissions { configure, write, read });
    assert_eq!(config.default_queue_type, QueueType::Quorum);
    assert_eq!(config.cluster_name, "east");
    assert_eq!(config.product.name, "Other");
    assert_eq!(config.product.version, "9");
    assert_eq!((config.product.platform.as_str()), "here");
    assert_eq!(config.product.information, "none");
    assert_eq!(config.data_dir, PathBuf::from("/srv/broker data"));
}

#[test]
fn a_bare_port_means_every_interface_and_listeners_keep_their_order() {
    assert_eq!(listeners(&config("listeners.tcp.default = 5672")), ["*:5672"]);
    let text = "listeners.tcp.default = 1\nlisteners.tcp.10 = 127.0.0.1:10\n\
                listeners.tcp.2 = [::1]:0\nlisteners.tcp.3 = [::1]:0\nlisteners.tcp.4 = 1\n";
    assert_eq!(listeners(&config(text)), ["[::1]:0", "[::1]:0", "*:1", "127.0.0.1:10"]);
}

#[test]
fn none_takes_back_the_listeners_of_its_layer_and_of_those_below() {
    let text = "listeners.tcp = none\nlisteners.tcp.default = 5672\n";
    assert!(listeners(&config(text)).is_empty());
    let environment = [("LEVERET_LISTENERS_TCP_1", "127.0.0.1:1")];
    let (above, _) = resolved(&[text], &environment, &Serve::default()).unwrap();
    assert_eq!(listeners(&above), ["127.0.0.1:1"]);
    let flags = Serve { set: vec!["listeners.tcp=none".to_owned()], ..Serve::default() };
    let (none, _) = resolved(&[text], &environment, &flags).unwrap();
    assert!(listeners(&none).is_empty());
}

#[test]
fn guest_stays_at_home_until_it_is_named() {
    assert_eq!(config("loopback_users.bob = true").loopback_users, ["bob", "guest"]);
    assert!(config("loopback_users.guest = false").loopback_users.is_empty());
    assert!(config("loopback_users = none").loopback_users.is_empty());
    assert_eq!(config("loopback_users.a\\.b = true").loopback_users, ["a.b", "guest"]);
}

#[test]
fn mechanisms_stand_in_the_order_of_their_numbers() {
    let text = "auth_mechanisms.10 = PLAIN\nauth_mechanisms.2 = AMQPLAIN\n";
    assert_eq!(config(text).auth_mechanisms, ["AMQPLAIN", "PLAIN"]);
    let text = "auth_mechanisms.1 = EXTERNAL\nauth_mechanisms.2 = PLAIN\n";
    assert_eq!(config(text).auth_mechanisms, ["EXTERNAL", "PLAIN"]);
    let text = "auth_mechanisms.1 = RABBIT-CR-DEMO\nauth_mechanisms.2 = PLAIN\n";
    assert_eq!(config(text).auth_mechanisms, ["PLAIN"]);
    assert_eq!(
        warnings(text),
        ["a.conf:1: auth_mechanisms.1 is not used yet: RABBIT-CR-DEMO is not offered"]
    );
}

#[test]
fn definitions_come_from_local_files_and_from_nowhere_else_yet() {
    assert!(config("").definitions.is_empty());
    let text = "definitions.import_backend = local_filesystem\ndefinitions.local.path = /b\n\
                load_definitions = /a.json\n";
    assert_eq!(config(text).definitions, [PathBuf::from("/a.json"), PathBuf::from("/b")]);
    assert_eq!(config("management.load_definitions = a").definitions, [PathBuf::from("a")]);
    assert_eq!(config("definitions.local.path = b").definitions, [PathBuf::from("b")]);
    let text = "definitions.import_backend = https\ndefinitions.local.path = /b\n";
    assert!(config(text).definitions.is_empty());
    let expected = "a.conf:1: definitions.import_backend is not used yet: nothing is imported \
                    from https";
    assert_eq!(warnings(text), [expected]);
}

#[test]
fn later_lines_later_files_the_environment_and_flags_win_in_this_order() {
    let files = ["heartbeat = 1\nheartbeat = 2\nframe_max = 8192\n", "heartbeat = 3\n"];
    let (config, _) = resolved(&files, &[], &Serve::default()).unwrap();
    assert_eq!((config.heartbeat_seconds, config.frame_size_max), (3, 8192));
    let environment = [("LEVERET_HEARTBEAT", "4"), ("PATH", "/bin"), ("LEVERET_TEST_X", "1")];
    let (config, _) = resolved(&files, &environment, &Serve::default()).unwrap();
    assert_eq!(config.heartbeat_seconds, 4);
    let set = vec!["heartbeat=5".to_owned(), "heartbeat = 6".to_owned()];
    let flags = Serve { set, ..Serve::default() };
    let (config, _) = resolved(&files, &environment, &flags).unwrap();
    assert_eq!(config.heartbeat_seconds, 6);
}

#[test]
fn flags_of_their_own_win_over_every_key() {
    let flags = Serve {
        listen: vec!["127.0.0.1:0".to_owned(), "5673".to_owned()],
        data_dir: Some("d".into()),
        set: vec!["data_dir=x".to_owned(), "listeners.tcp.1=1".to_owned()],
        ..Serve::default()
    };
    let (config, _) = resolved(&["listeners.tcp.default = 5672"], &[], &flags).unwrap();
    assert_eq!(listeners(&config), ["127.0.0.1:0", "*:5673"]);
    assert_eq!(config.data_dir, PathBuf::from("d"));
}

#[test]
fn variables_are_put_into_the_values_of_files() {
    let environment = [("NAME", "bob"), ("PASS", "x = #1")];
    let text = "default_user = $(NAME)-$(NAME)\ndefault_pass = $(PASS)\ncluster_name = $5 (a)\n";
    let (config, _) = resolved(&[text], &environment, &Serve::default()).unwrap();
    assert_eq!(config.default_user, "bob-bob");
    assert_eq!(config.default_pass, "x = #1");
    assert_eq!(config.cluster_name, "$5 (a)");
    assert_eq!(
        errors("default_user = $(NAME)\ndefault_pass = $(NAME\n"),
        "a.conf:1: default_user: there is no environment variable NAME\n\
         a.conf:2: default_pass: expected a closing parenthesis after `$(`"
    );
}

#[test]
fn all_errors_come_at_once_each_with_its_place() {
    let text = "heartbeat = soon\nheartbeet = 60\nnonsense\nlisteners.tcp.1 = here\n\
                default_pass = encrypted:abc\nframe_max = 4095\nmanagement.tcp.port = 70000\n";
    let environment = [("LEVERET_FRAME_MAX", "big"), ("LEVERET_HEARTBEET", "1")];
    let flags = Serve {
        set: vec!["heartbeat".to_owned(), "no.such.thing=1".to_owned()],
        listen: vec!["localhost".to_owned()],
        ..Serve::default()
    };
    let address = "a port (every interface) or ADDRESS:PORT, such as 127.0.0.1:5672 or [::1]:5672";
    let frame = "a size in bytes from 4096 to 2147483647, or 0 for no limit";
    let expected = [
        "a.conf:3: expected `key = value`",
        "a.conf:1: heartbeat: expected a whole number from 0 to 65535, found `soon`",
        "a.conf:2: heartbeet: no such key; did you mean heartbeat?",
        &format!("a.conf:4: listeners.tcp.1: expected {address}, found `here`"),
        "a.conf:5: default_pass: encrypted values cannot be read; write the value itself, or \
         $(NAME) to take it from the environment variable NAME",
        &format!("a.conf:6: frame_max: expected {frame}, found `4095`"),
        "a.conf:7: management.tcp.port: expected a whole number from 0 to 65535, found `70000`",
        &format!("LEVERET_FRAME_MAX: frame_max: expected {frame}, found `big`"),
        "LEVERET_HEARTBEET: no key has this name; did you mean LEVERET_HEARTBEAT?",
        "--set: expected key=value",
        "--set: no.such.thing: no such key",
        &format!("--listen: expected {address}, found `localhost`"),
    ];
    let found = resolved(&[text], &environment, &flags).unwrap_err().to_string();
    assert_eq!(found.lines().collect::<Vec<_>>(), expected);
}

#[test]
fn a_file_that_cannot_be_read_is_an_error_beside_the_others() {
    let flags = Serve {
        config: vec!["no/such/file.conf".into()],
        set: vec!["heartbeat=x".to_owned()],
        ..Serve::default()
    };
    let errors = load(&flags, std::iter::empty()).unwrap_err();
    assert_eq!(errors.0.len(), 2);
    assert!(errors.to_string().starts_with("no/such/file.conf: cannot be read: "));
}

#[test]
fn a_line_that_is_no_text_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.conf");
    fs::write(&path, b"heartbeat = 1\ncluster_name = \xff\n").unwrap();
    let flags = Serve { config: vec![path.clone()], ..Serve::default() };
    let errors = load(&flags, std::iter::empty()).unwrap_err();
    assert_eq!(errors.to_string(), format!("{}:2: expected UTF-8", path.display()));
}

#[test]
fn variables_that_are_refused_stop_the_start_and_those_unheeded_are_told() {
    let refused =
        resolved(&[], &[("RABBITMQ_DEFAULT_PASS_FILE", "/run/secret")], &Serve::default());
    let told = refused.unwrap_err().to_string();
    assert!(told.starts_with("RABBITMQ_DEFAULT_PASS_FILE: is not heeded"), "{told}");
    let unheeded = [("RABBITMQ_MNESIA_BASE", "/srv"), ("RABBITMQ_LOG_BASE", "/log")];
    let (_, warnings) = resolved(&[], &unheeded, &Serve::default()).unwrap();
    let told: Vec<String> = warnings.iter().map(ToString::to_string).collect();
    let expected = [
        "RABBITMQ_LOG_BASE: log.dir says where logs are",
        "RABBITMQ_MNESIA_BASE: data_dir says where the data is",
    ];
    assert_eq!(told, expected);
}

#[test]
fn files_are_read_in_the_order_of_their_flags() {
    let folder = tempfile::tempdir().unwrap();
    let files = [("one.conf", "heartbeat = 1\n"), ("two.conf", "heartbeat = 2\n")];
    let write = |(name, text): (&str, &str)| {
        let path = folder.path().join(name);
        fs::write(&path, text).unwrap();
        path
    };
    let flags = Serve { config: files.map(write).to_vec(), ..Serve::default() };
    let (config, _) = Config::load(&flags, std::iter::empty()).unwrap();
    assert_eq!(config.heartbeat_seconds, 2);
}

#[test]
fn a_key_that_is_not_obeyed_is_named_once_and_stops_nothing() {
    let text = "net_ticktime = 40\nnum_acceptors.tcp = 20\n\
                net_ticktime = 50\nheartbeat = 30\n\
                cluster_formation.classic_config.nodes.1 = rabbit@a\n";
    assert_eq!(config(text).heartbeat_seconds, 30);
    assert_eq!(
        warnings(text),
        [
            "a.conf:5: cluster_formation.classic_config.nodes.1 is not used yet",
            "a.conf:3: net_ticktime is not used yet",
            "a.conf:2: num_acceptors.tcp has no meaning here: one task accepts for each \
             listener, which is enough",
        ]
    );
}

#[test]
fn logging_goes_to_the_console_until_it_is_told_otherwise() {
    let console = config("").logging.console.unwrap();
    assert_eq!((console.stream, console.format), (LogStream::Error, LogFormat::Text));
    assert_eq!(console.filter.default, LogLevel::Info);
    let text =
        "log.console.level = debug\nlog.console.formatter = json\nlog.console.stdio = stdout";
    let console = config(text).logging.console.unwrap();
    assert_eq!((console.stream, console.format), (LogStream::Output, LogFormat::Json));
    assert_eq!(console.filter.default, LogLevel::Debug);
    assert_eq!(config("log.console = false").logging.console, None);
}

#[test]
fn a_log_file_stands_in_the_folder_for_logs() {
    let path = |text: &str| config(text).logging.file.map(|file| file.path);
    assert_eq!(path("log.file = a.log"), Some("a.log".into()));
    assert_eq!(path("log.dir = /logs\nlog.file = a.log"), Some("/logs/a.log".into()));
    assert_eq!(path("log.dir = /logs\nlog.file = /b/a.log"), Some("/b/a.log".into()));
    assert_eq!(path("log.dir = /logs"), Some("/logs/leveret.log".into()));
    assert_eq!(path("log.dir = /logs\nlog.file = false"), None);
    assert_eq!(path("log.file.level = error"), None);
    let text = "log.file = a\nlog.file.level = error\nlog.file.formatter = json\n\
                log.queue.level = none\nlog.default.level = debug\n";
    let file = config(text).logging.file.unwrap();
    assert_eq!((file.format, file.filter.default), (LogFormat::Json, LogLevel::Error));
    assert_eq!(file.filter.categories[&LogCategory::Queue], LogLevel::None);
}

#[test]
fn the_http_api_is_for_this_machine_unless_somebody_says_where() {
    let management = |text: &str| config(text).management.unwrap();
    let places = |text: &str| {
        let addresses = management(text).addresses;
        addresses.iter().map(ToString::to_string).collect::<Vec<_>>().join(" ")
    };
    assert_eq!(places(""), "127.0.0.1:15672 [::1]:15672");
    assert_eq!(places("listeners.tcp.1 = 5673"), "127.0.0.1:15672 [::1]:15672");
    assert_eq!(places("management.tcp.port = 0"), "*:0");
    assert_eq!(places("management.tcp.ip = ::1"), "[::1]:15672");
    assert!(!management("").is_asked_for && management("management.tcp.ip = ::1").is_asked_for);
    let body_size_max = |text: &str| config(text).management_body_size_max;
    assert_eq!(body_size_max(""), 10_000_000);
    assert_eq!(body_size_max("management.http.max_body_size = 5"), 5);
}

#[test]
fn who_lists_listeners_by_flags_gets_no_other_door_unasked() {
    let management = |sets: &[&str]| {
        let listen = vec!["127.0.0.1:0".to_owned()];
        let set = sets.iter().map(|set| (*set).to_owned()).collect();
        let flags = Serve { listen, set, ..Serve::default() };
        resolved(&[], &[], &flags).unwrap().0.management
    };
    assert_eq!(management(&[]), None);
    assert!(management(&["management.tcp.port=0"]).is_some());
}

#[test]
fn metrics_are_told_only_where_they_have_a_port() {
    let metrics = |text: &str| config(text).metrics.map(|m| (m.addresses[0].to_string(), m.path));
    assert_eq!(metrics("prometheus.tcp.ip = ::1\nprometheus.path = /a"), None);
    let expected = Some(("*:15692".to_owned(), "/metrics".to_owned()));
    assert_eq!(metrics("prometheus.tcp.port = 15692"), expected);
    let text = "prometheus.tcp.port = 0\nprometheus.tcp.ip = ::1\nprometheus.path = a/b";
    assert_eq!(metrics(text), Some(("[::1]:0".to_owned(), "/a/b".to_owned())));
    let told = errors("prometheus.tcp.ip = localhost");
    assert!(told.contains("expected an address, such as 127.0.0.1 or ::1"), "{told}");
}

fn of_environment(text: &str, environment: &[(&str, &str)]) -> Config {
    resolved(&[text], environment, &Serve::default()).unwrap().0
}

#[test]
fn variables_of_rabbitmq_are_above_files_and_below_our_own() {
    let variables = [
        ("RABBITMQ_DEFAULT_USER", "ann"),
        ("RABBITMQ_DEFAULT_PASS", "secret"),
        ("RABBITMQ_DEFAULT_VHOST", "orders"),
        ("RABBITMQ_NODENAME", "rabbit@hare"),
        ("RABBITMQ_LOGS", "/var/log/a.log"),
        ("RABBITMQ_ERLANG_COOKIE", "unknown here"),
        ("LEVERET_DEFAULT_PASS", "ours"),
    ];
    let config = of_environment("default_user = bob\ndefault_pass = x\n", &variables);
    assert_eq!((config.default_user.as_str(), config.default_pass.as_str()), ("ann", "ours"));
    assert_eq!(config.default_virtual_host, "orders");
    assert_eq!(config.node_name.as_deref(), Some("rabbit@hare"));
    assert_eq!(config.logging.file.unwrap().path, PathBuf::from("/var/log/a.log"));
}

#[test]
fn the_port_and_address_of_the_node_hold_where_no_listener_is_set() {
    let port = ("RABBITMQ_NODE_PORT", "5680");
    let address = ("RABBITMQ_NODE_IP_ADDRESS", "10.0.0.1");
    assert_eq!(listeners(&of_environment("", &[port])), ["*:5680"]);
    assert_eq!(listeners(&of_environment("", &[address])), ["10.0.0.1:5672"]);
    assert_eq!(listeners(&of_environment("", &[port, address])), ["10.0.0.1:5680"]);
    let auto = ("RABBITMQ_NODE_IP_ADDRESS", "auto");
    assert_eq!(listeners(&of_environment("", &[auto])), ["*:5672"]);
    let set = of_environment("listeners.tcp.default = 5681\n", &[port, address]);
    assert_eq!(listeners(&set), ["*:5681"]);
    assert!(listeners(&of_environment("listeners.tcp = none\n", &[port])).is_empty());
    let error = resolved(&[""], &[("RABBITMQ_NODE_PORT", "x")], &Serve::default()).unwrap_err();
    let expected = "RABBITMQ_NODE_PORT: expected a port from 0 to 65535, found `x`";
    assert_eq!(error.to_string(), expected);
}

#[test]
fn a_folder_is_its_conf_files_in_the_order_of_their_names() {
    let folder = tempfile::tempdir().unwrap();
    for (name, text) in [
        ("20-b.conf", "heartbeat = 20\nchannel_max = 7\n"),
        ("10-a.conf", "heartbeat = 10\nframe_max = 8192\n"),
        ("readme.md", "no configuration"),
    ] {
        fs::write(folder.path().join(name), text).unwrap();
    }
    let path = folder.path().display().to_string();
    let flags = Serve { config: vec![folder.path().to_owned()], ..Serve::default() };
    let variable = |value: String| [("RABBITMQ_CONFIG_FILES".to_owned(), value)].into_iter();
    for loaded in [
        load(&flags, std::iter::empty()),
        load(&Serve::default(), variable(path.clone())),
        load(&Serve::default(), variable(format!("{path}/*.conf"))),
    ] {
        let config = loaded.unwrap().0;
        let numbers = (config.heartbeat_seconds, config.channel_max, config.frame_size_max);
        assert_eq!(numbers, (20, 7, 8192));
    }
    let first = load(&Serve::default(), variable(format!("{path}/10*f"))).unwrap().0;
    assert_eq!(first.heartbeat_seconds, 10);
    let missing = load(&Serve::default(), variable(format!("{path}/nowhere/*.conf")));
    assert!(missing.unwrap_err().to_string().contains("nowhere/*.conf: cannot be read: No such"));
}
