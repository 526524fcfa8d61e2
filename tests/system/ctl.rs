//! `leveret ctl` and the links by the names of RabbitMQ's tools, beside a broker: as an operator,
//! an entry script and a container's health check call them.

use std::io::Write;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use serde_json::Value;
use tempfile::{TempDir, tempdir};

use crate::durability::connect;
use crate::inspect::declare;
use crate::management::{MANAGED, place};
use crate::process::{Process, binary};

/// A folder with a link for each of RabbitMQ's tools.
fn links() -> TempDir {
    let folder = tempdir().unwrap();
    for name in [
        "rabbitmqctl",
        "rabbitmq-diagnostics",
        "rabbitmq-plugins",
        "rabbitmq-queues",
        "rabbitmq-upgrade",
    ] {
        symlink(binary(), folder.path().join(name)).unwrap();
    }
    folder
}

/// A tool that finds the broker by its data directory, as in a container.
pub(crate) struct Tools {
    links: TempDir,
    data: PathBuf,
}

impl Tools {
    pub(crate) fn of(process: &Process) -> Self {
        Self { links: links(), data: process.data_folder().to_owned() }
    }

    pub(crate) fn command(&self, line: &str) -> Command {
        let mut words = line.split(' ');
        let name = words.next().unwrap();
        let mut command = match name {
            "leveret" => Command::new(binary()),
            link => Command::new(self.links.path().join(link)),
        };
        command.args(words).stdin(Stdio::null());
        for (name, _) in std::env::vars_os() {
            let name = name.to_string_lossy().into_owned();
            if name.starts_with("LEVERET_") || name.starts_with("RABBITMQ_") {
                command.env_remove(name);
            }
        }
        command.env("LEVERET_DATA_DIR", &self.data);
        command
    }

    /// What is printed by a line that has to leave this status.
    pub(crate) fn run(&self, line: &str, status: i32) -> String {
        told(&self.command(line).output().unwrap(), line, status)
    }
}

fn told(output: &Output, line: &str, status: i32) -> String {
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let errors = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(status), "{line}: {text}{errors}");
    if status == 0 { text } else { errors }
}

#[test]
fn an_operator_needs_no_password_on_the_machine() {
    let process = Process::start();
    let tools = Tools::of(&process);
    let path = process.data_folder().join("management.sock");
    assert_eq!(std::os::unix::fs::MetadataExt::mode(&path.metadata().unwrap()) & 0o777, 0o600);
    assert_eq!(
        tools.run("rabbitmqctl list_users", 0),
        "Listing users ...\nuser\ttags\nguest\t[administrator]\n"
    );
    assert_eq!(tools.run("leveret ctl -s list_users", 0), "guest\t[administrator]\n");
    let json = "[\n{\"user\":\"guest\",\"tags\":[\"administrator\"]}\n]\n";
    assert_eq!(tools.run("leveret ctl list_users --formatter json", 0), json);
}

#[test]
fn users_are_made_permitted_changed_and_deleted() {
    let process = Process::start();
    let tools = Tools::of(&process);
    for (line, status, part) in [
        ("rabbitmqctl add_vhost orders --description Orders --tags a,b", 0, "Adding vhost"),
        ("rabbitmqctl add_vhost orders", 0, "Adding vhost"),
        ("rabbitmqctl add_user ann secret", 0, "Done. Don't forget"),
        ("rabbitmqctl add_user ann secret", 70, "User \"ann\" already exists"),
        ("rabbitmqctl set_user_tags ann monitoring x", 0, "to [monitoring, x] ..."),
        ("rabbitmqctl set_permissions -p orders ann ^a ^b .*", 0, "Setting permissions"),
        ("rabbitmqctl set_permissions -p nope ann a b c", 65, "Virtual host 'nope' does not"),
        ("rabbitmqctl set_permissions nobody a b c", 67, "User \"nobody\" does not exist"),
        ("rabbitmqctl set_permissions ann ( b c", 69, "Error:"),
        ("rabbitmqctl list_user_permissions -q ann", 0, "orders\t^a\t^b\t.*\n"),
        ("rabbitmqctl authenticate_user ann secret", 0, "Success"),
        ("rabbitmqctl authenticate_user ann wrong", 65, "failed to authenticate user \"ann\""),
        ("rabbitmqctl change_password ann new", 0, ""),
        ("rabbitmqctl authenticate_user ann new", 0, "Success"),
        ("rabbitmqctl -q list_users", 0, "ann\t[monitoring, x]\n"),
        ("rabbitmqctl clear_password ann", 0, ""),
        ("rabbitmqctl authenticate_user ann new", 65, "invalid credentials"),
        ("rabbitmqctl set_user_limits ann {\"max-connections\":3}", 0, ""),
        ("rabbitmqctl list_user_limits --user ann", 0, "{\"max-connections\":3}\n"),
        ("rabbitmqctl clear_user_limits ann all", 0, ""),
        ("rabbitmqctl -q list_user_limits --user ann", 0, "{}\n"),
        ("rabbitmqctl set_topic_permissions ann amq.topic ^a ^b", 0, ""),
        ("rabbitmqctl -s list_topic_permissions", 0, "ann\tamq.topic\t^a\t^b\n"),
        ("rabbitmqctl clear_permissions -p orders ann", 0, ""),
        ("rabbitmqctl -q list_permissions -p orders", 0, ""),
        ("rabbitmqctl delete_user ann", 0, "Deleting user \"ann\" ..."),
        ("rabbitmqctl delete_user ann", 67, "User \"ann\" does not exist"),
        ("rabbitmqctl -s list_vhosts name description tags", 0, "orders\tOrders\t[a, b]\n"),
        ("rabbitmqctl delete_vhost orders", 0, ""),
        ("rabbitmqctl delete_vhost orders", 65, "Virtual host 'orders' does not exist"),
    ] {
        let text = tools.run(line, status);
        assert!(text.contains(part), "{line}: {text}");
    }
}

#[tokio::test]
async fn queues_and_connections_are_listed_and_taken_away() {
    let process = Process::start();
    let (connection, channel) = connect(&process).await;
    declare(&channel, "q").await;
    let tools = Tools::of(&process);
    assert_eq!(
        tools.run("rabbitmqctl list_queues name messages", 0),
        "Timeout: 60.0 seconds ...\nListing queues for vhost / ...\nname\tmessages\nq\t0\n"
    );
    assert_eq!(
        tools.run("rabbitmqctl -q list_queues name,durable,arguments -s", 0).lines().count(),
        1
    );
    let wrong = tools.run("rabbitmqctl list_queues nonsense", 64);
    assert!(wrong.contains("Info key(s) nonsense are not supported"), "{wrong}");
    let connections = tools.run("rabbitmqctl list_connections pid user state --formatter json", 0);
    let connections: Value = serde_json::from_str(&connections).unwrap();
    let name = connections[0]["pid"].as_str().unwrap().to_owned();
    let mut close = tools.command("rabbitmqctl close_connection");
    let output = close.args([&name, "tired"]).output().unwrap();
    told(&output, "close_connection", 0);
    tools.run("rabbitmqctl purge_queue q", 0);
    tools.run("rabbitmqctl purge_queue nope", 69);
    let deleted = tools.run("rabbitmqctl delete_queue q --if-empty", 0);
    assert!(deleted.contains("Queue was successfully deleted with 0 ready messages"), "{deleted}");
    tools.run("rabbitmqctl delete_queue q", 64);
    let closed = tools.run("rabbitmqctl -q close_all_connections --global enough", 0);
    assert!(closed.starts_with("Closed "), "{closed}");
    drop(connection);
}

#[test]
fn policies_parameters_and_definitions_go_in_and_out() {
    let process = Process::start();
    let tools = Tools::of(&process);
    let file = tools.links.path().join("definitions.json");
    let file = file.to_str().unwrap();
    for (line, status, part) in [
        ("rabbitmqctl set_policy p ^a {\"max-length\":5} --priority 3 --apply-to queues", 0, ""),
        ("rabbitmqctl -s list_policies", 0, "/\tp\t^a\tqueues\t{\"max-length\":5}\t3\n"),
        ("rabbitmqctl set_policy p ^a {\"foo\":1}", 69, "Validation failed"),
        ("rabbitmqctl set_policy p ^a foo", 69, "JSON decoding error"),
        ("rabbitmqctl set_vhost_limits {\"max-queues\":9}", 0, ""),
        ("rabbitmqctl list_vhost_limits", 0, "{\"max-queues\":9}\n"),
        ("rabbitmqctl set_vm_memory_high_watermark 0.5", 0, ""),
        ("rabbitmqctl set_disk_free_limit 10MB", 0, ""),
        ("rabbitmqctl set_disk_free_limit much", 65, "Bad argument"),
        ("rabbitmqctl trace_on", 0, "Trace enabled for vhost /"),
        ("rabbitmqctl trace_off", 0, "Trace disabled for vhost /"),
        ("rabbitmqctl set_global_parameter g {\"a\":1}", 0, ""),
        ("rabbitmqctl -s list_global_parameters", 0, "g\t{\"a\":1}\n"),
        (&format!("rabbitmqctl export_definitions {file}"), 0, "Exporting definitions in JSON"),
        ("rabbitmqctl clear_policy p", 0, ""),
        ("rabbitmqctl clear_policy p", 69, "Parameter does not exist"),
        (&format!("rabbitmqctl import_definitions {file}"), 0, "Successfully"),
        ("rabbitmqctl import_definitions /nowhere.json", 65, "File /nowhere.json does not exist"),
        ("rabbitmqctl -s list_policies", 0, "p"),
        ("rabbitmqctl -q export_definitions -", 0, "{"),
    ] {
        let text = tools.run(line, status);
        assert!(text.contains(part), "{line}: {text}");
    }
    let mut import = tools.command("rabbitmqctl import_definitions -");
    let mut import = import.stdin(Stdio::piped()).stdout(Stdio::null()).spawn().unwrap();
    import.stdin.take().unwrap().write_all(b"{\"vhosts\": [{\"name\": \"piped\"}]}").unwrap();
    assert!(import.wait().unwrap().success());
    assert!(tools.run("rabbitmqctl -s list_vhosts", 0).contains("piped\n"));
}

/// What a container asks, word by word.
const HEALTH_CHECK: &str = "set -e
rabbitmq-diagnostics -q ping
rabbitmq-diagnostics -q check_running
rabbitmq-diagnostics -q check_local_alarms
rabbitmq-diagnostics -q check_port_connectivity
rabbitmqctl await_startup --timeout 20
rabbitmqctl status > /dev/null
rabbitmq-diagnostics status --formatter json | grep -q rabbitmq_version
rabbitmq-plugins is_enabled rabbitmq_management
rabbitmq-plugins enable rabbitmq_management
! rabbitmq-plugins is_enabled rabbitmq_mqtt
rabbitmq-queues check_if_node_is_quorum_critical
rabbitmqctl cluster_status | grep -q 'Running Nodes'
";

#[test]
fn the_health_check_of_a_container_passes_as_long_as_the_broker_is_there() {
    let process = Process::start();
    let tools = Tools::of(&process);
    let check = || {
        let mut path = tools.links.path().as_os_str().to_owned();
        path.push(":");
        path.push(std::env::var_os("PATH").unwrap());
        let mut shell = Command::new("sh");
        shell.args(["-c", HEALTH_CHECK]).env("LEVERET_DATA_DIR", &tools.data).env("PATH", path);
        shell.output().unwrap()
    };
    told(&check(), "the health check", 0);
    let pid = tools.run("leveret ctl -q shutdown", 0);
    assert_eq!(pid, "");
    assert!(!process.data_folder().join("management.sock").exists(), "it has stopped");
    assert_eq!(check().status.code(), Some(69));
    let error = tools.run("rabbitmqctl list_users", 69);
    assert!(error.contains("unable to perform an operation on the node at unix:"), "{error}");
    tools.run("rabbitmqctl await_startup --timeout 0.3", 75);
    tools.run("rabbitmqctl wait /nowhere.pid --timeout 0.3", 75);
}

#[test]
fn over_tcp_a_user_logs_in_and_may_what_its_tags_let_it() {
    let mut process = Process::start_with(&MANAGED);
    let tools = Tools::of(&process);
    let url = format!("--url http://{}", place(&mut process));
    let refused = tools.run(&format!("leveret ctl {url} list_users"), 69);
    assert!(refused.contains("give --username and --password"), "{refused}");
    let guest = format!("{url} --username guest --password guest");
    assert!(tools.run(&format!("leveret ctl {guest} -q list_users"), 0).contains("guest\t"));
    tools.run("rabbitmqctl add_user ann secret", 0);
    tools.run("rabbitmqctl set_user_tags ann monitoring", 0);
    let ann = "--username ann --password secret";
    tools.run(&format!("rabbitmqctl {ann} list_connections"), 0);
    tools.run(&format!("rabbitmqctl {ann} add_vhost mine"), 69);
    tools.run(&format!("rabbitmqctl {ann} shutdown"), 69);
}

#[test]
fn what_is_not_done_is_refused_and_never_passed_over() {
    let process = Process::start();
    let tools = Tools::of(&process);
    for line in [
        "rabbitmqctl eval 1+1.",
        "rabbitmqctl join_cluster rabbit@other --ram",
        "rabbitmqctl stop_app",
        "rabbitmqctl force_reset",
        "rabbitmq-plugins disable rabbitmq_management",
        "rabbitmq-plugins enable rabbitmq_mqtt",
        "rabbitmq-queues add_member q node",
    ] {
        let text = tools.run(line, 69);
        assert!(text.len() > 30, "{line}: {text}");
    }
    tools.run("rabbitmqctl nonsense", 64);
}

#[test]
fn completions_and_the_manual_are_printed() {
    let process = Process::start();
    let tools = Tools::of(&process);
    assert!(tools.run("leveret completions bash", 0).contains("set_permissions"));
    assert!(tools.run("leveret completions zsh rabbitmqctl", 0).contains("list_queues"));
    assert!(tools.run("leveret man", 0).contains(".TH"));
    assert!(tools.run("leveret man ctl", 0).contains("list_queues"));
    assert!(tools.run("rabbitmqctl help", 0).contains("list_queues"));
    assert!(tools.run("rabbitmqctl help set_permissions", 0).contains("<configure>"));
}

#[test]
fn a_broker_that_is_to_have_no_socket_has_none() {
    let flags = ["--listen", "127.0.0.1:0", "--set", "management.unix.path=none"];
    let process = Process::start_with(&flags);
    assert!(!process.data_folder().join("management.sock").exists());
    let elsewhere = tempdir().unwrap();
    let path = elsewhere.path().join("ctl.sock");
    let set = format!("management.unix.path={}", path.display());
    let process = Process::start_with(&["--listen", "127.0.0.1:0", "--set", &set]);
    let tools = Tools::of(&process);
    let socket = |path: &Path| format!("leveret ctl --socket {} -q ping", path.display());
    assert_eq!(tools.run(&socket(&path), 0), "Ping succeeded\n");
}
