//! What the tools answer when something is wrong with what they were asked, or with where the
//! answer goes: never 0. What they do otherwise is in `ctl` and `ctl_operations`.

use std::fs::{self, File};
use std::process::{Command, Stdio};

use serde_json::{Value, json};
use tempfile::tempdir;

use crate::ctl::Tools;
use crate::process::Process;
use crate::wire::Wire;

/// The status and the standard error of a line whose words may be empty.
fn refused(tools: &Tools, words: &[&str]) -> (Option<i32>, String) {
    let output = tools.command("rabbitmqctl").args(words).output().unwrap();
    (output.status.code(), String::from_utf8_lossy(&output.stderr).into_owned())
}

#[test]
fn output_that_is_lost_is_a_failure_and_a_closed_pipe_is_none() {
    let process = Process::start();
    let tools = Tools::of(&process);
    for line in
        ["rabbitmqctl -q export_definitions -", "rabbitmqctl list_users", "rabbitmqctl help"]
    {
        let full = File::create("/dev/full").unwrap();
        let output = tools.command(line).stdout(full).stderr(Stdio::piped()).output().unwrap();
        let errors = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(70), "{line}: {errors}");
        assert!(errors.contains("the standard output cannot be written to"), "{errors}");
        let mut child = tools.command(line).stdout(Stdio::piped()).spawn().unwrap();
        drop(child.stdout.take());
        assert_eq!(child.wait().unwrap().code(), Some(0), "{line}");
    }
}

#[test]
fn an_export_that_is_cut_off_leaves_no_file() {
    let process = Process::start();
    let tools = Tools::of(&process);
    let folder = tempdir().unwrap();
    let file = folder.path().join("definitions.json");
    let limited = |blocks: u32| {
        let line = format!("ulimit -f {blocks}; trap '' XFSZ; exec \"$0\" \"$@\"");
        let tool = tools.command("rabbitmqctl");
        let mut shell = Command::new("sh");
        shell.args(["-c", &line]).arg(tool.get_program());
        shell.envs(tool.get_envs().filter_map(|(name, value)| Some((name, value?))));
        shell.args(["-q", "export_definitions"]).arg(&file).output().unwrap()
    };
    let output = limited(0);
    let errors = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(70), "{errors}");
    assert!(errors.contains("definitions.json"), "{errors}");
    assert!(!file.exists(), "half a file would be imported one day");
    assert_eq!(limited(100).status.code(), Some(0));
    assert!(fs::metadata(&file).unwrap().len() > 100);
    tools.run("rabbitmqctl -q export_definitions /nowhere/definitions.json", 65);
}

#[test]
fn an_empty_name_is_that_of_nothing_and_never_of_all() {
    let process = Process::start();
    let tools = Tools::of(&process);
    for (words, part) in [
        (&["list_queues", "-p", ""][..], "vhost cannot be an empty string"),
        (&["clear_permissions", ""], "user cannot be an empty string"),
        (&["clear_permissions", "-p", "", "guest"], "vhost cannot be"),
        (&["clear_topic_permissions", ""], "user cannot be"),
        (&["clear_user_limits", "", "all"], "user cannot be"),
        (&["list_user_limits", "--user", ""], "user cannot be"),
        (&["clear_vhost_limits", "-p", ""], "vhost cannot be"),
        (&["restart_vhost", "-p", ""], "vhost cannot be"),
        (&["add_vhost", ""], "vhost cannot be"),
        (&["delete_vhost", ""], "vhost cannot be"),
        (&["add_user", "", "secret"], "user cannot be"),
        (&["delete_user", ""], "user cannot be"),
        (&["clear_policy", ""], "name cannot be"),
        (&["clear_parameter", "", "n"], "component cannot be"),
        (&["purge_queue", ""], "queue cannot be"),
        (&["close_connection", "", "why"], "connection cannot be"),
    ] {
        let (status, errors) = refused(&tools, words);
        assert!(status == Some(65) && errors.contains(part), "{words:?}: {status:?} {errors}");
    }
    for words in [
        &["set_permissions", "guest", "", "", ""][..],
        &["set_topic_permissions", "guest", "", ".*", ".*"],
        &["set_user_tags", "guest", ""],
    ] {
        assert_eq!(refused(&tools, words).0, Some(0), "{words:?}");
    }
    let (status, _) = refused(&tools, &["clear_topic_permissions", "guest", ""]);
    assert_eq!(status, Some(69), "one exchange is not all of them");
}

#[test]
fn what_makes_no_sense_is_refused_with_the_status_of_rabbitmq() {
    let process = Process::start();
    let tools = Tools::of(&process);
    for (line, status, part) in [
        ("set_vm_memory_high_watermark 1.5", 65, "a fraction between 0.0 and 1.0"),
        ("set_vm_memory_high_watermark -1", 65, "a fraction between 0.0 and 1.0"),
        ("set_vm_memory_high_watermark nan", 65, "a fraction between 0.0 and 1.0"),
        ("set_disk_free_limit -1", 65, "Bad argument"),
        ("set_disk_free_limit mem_relative inf", 65, "Bad argument"),
        ("rebalance", 64, "not enough arguments"),
        ("rebalance bogus", 69, "type bogus is not supported"),
        ("rebalance all", 0, ""),
        ("wait --pid 999999999", 69, "process_not_running"),
    ] {
        let text = tools.run(&format!("rabbitmqctl {line}"), status);
        assert!(text.contains(part), "{line}: {text}");
    }
    let folder = tempdir().unwrap();
    let stale = folder.path().join("stale.pid");
    fs::write(&stale, "999999999\n").unwrap();
    let text = tools.run(&format!("rabbitmqctl wait {}", stale.display()), 69);
    assert!(text.contains("process_not_running"), "{text}");
}

#[test]
fn what_was_typed_wrong_is_refused_before_anything_is_said() {
    let process = Process::start();
    let tools = Tools::of(&process);
    let mut wire = Wire::with_channel(process.address());
    wire.declare_queue("q");
    for (line, status, part) in [
        ("list_queues name bogus", 64, "Info key(s) bogus"),
        ("set_policy p ^a {\"max-length\":5} --priority x", 64, "priority x is no number"),
        ("check_port_listener x", 65, "x is no port"),
        ("trace_on -p nov", 65, "'nov' does not exist"),
        ("list_queues -p nov", 65, "'nov' does not exist"),
        ("list_user_permissions nobody", 67, "\"nobody\" does not exist"),
    ] {
        let text = tools.run(&format!("rabbitmqctl {line}"), status);
        assert!(text.contains(part), "{line}: {text}");
    }
    let output = tools.command("rabbitmqctl list_queues name bogus").output().unwrap();
    assert!(output.stdout.is_empty(), "no heading stands above what is not shown");
    let twice = tools.run("rabbitmqctl -q list_queues messages name messages", 0);
    assert_eq!(twice.lines().next(), Some("messages\tname"));
    assert_eq!(tools.run("rabbitmqctl --version", 0), tools.run("rabbitmqctl version", 0));
    let said = tools.run("rabbitmqctl set_policy p ^a {\"max-length\":5}", 0);
    assert!(said.contains("with priority \"0\" for vhost \"/\" ..."), "{said}");
    let said = tools.run("rabbitmqctl list_vhost_limits", 0);
    assert_eq!(said, "Listing limits for vhost \"/\" ...\n{}\n");
    let said = tools.run("rabbitmqctl list_user_limits", 0);
    assert_eq!(said, "Listing limits for user \"guest\" ...\n{}\n");
}

#[test]
fn a_queue_that_is_not_as_it_was_to_be_stays_with_status_64() {
    let process = Process::start();
    let tools = Tools::of(&process);
    let mut wire = Wire::with_channel(process.address());
    wire.declare_queue("q");
    wire.publish("q", b"m");
    wire.message_count("q");
    tools.run("rabbitmqctl delete_queue q --if-empty", 64);
    tools.run("rabbitmqctl delete_queue q --if-unused", 0);
}

#[test]
fn programs_are_told_in_json_what_people_read() {
    let folder = tempdir().unwrap();
    let file = folder.path().join("hare.conf");
    fs::write(&file, "heartbeat = 7\n").unwrap();
    let config = file.to_str().unwrap();
    let process = Process::start_with(&["--listen", "127.0.0.1:0", "--config", config]);
    let tools = Tools::of(&process);
    let json = |line: &str, status: i32| -> Value {
        let line = format!("rabbitmqctl {line} --formatter json");
        serde_json::from_str(&tools.run(&line, status)).expect(&line)
    };
    let status = json("status", 0);
    assert_eq!(status["vm_memory_high_watermark_setting"], json!({"relative": 0.6}));
    assert!(status["vm_memory_high_watermark_limit"].as_u64() > Some(0));
    assert_eq!(status["config_files"], json!([file.display().to_string()]));
    let cluster = json("cluster_status", 0);
    let node = cluster["running_nodes"][0].as_str().unwrap();
    assert_eq!(cluster["maintenance_status"][node], "not under maintenance");
    assert!(!cluster["feature_flags"].as_array().unwrap().is_empty());
    let report = json("report", 0);
    assert_eq!(report["cluster_status"]["cluster_name"], cluster["cluster_name"]);
    let missing = json("check_port_listener 1", 69);
    assert_eq!((&missing["missing"], &missing["result"]), (&json!("1"), &json!("error")));
    assert!(!missing["listeners"].as_array().unwrap().is_empty());
    assert_eq!(json("shovel_status", 0), json!([]));
    assert_eq!(json("federation_status --only-down", 0), json!([]));
    let folder = process.data_folder().display().to_string();
    let environment = json("environment", 0);
    assert_eq!(environment["data_dir"], folder.as_str());
    assert!(environment["listeners.tcp.1"].as_str().unwrap().starts_with("127.0.0.1:"));
    for check in ["await_online_synchronized_mirror", "check_if_node_is_mirror_sync_critical"] {
        assert!(tools.run(&format!("rabbitmqctl -q {check}"), 0).contains("does not apply"));
    }
}

#[test]
fn who_means_another_node_hears_of_it() {
    let process = Process::start();
    let tools = Tools::of(&process);
    let errors = |line: &str| {
        let output = tools.command(line).output().unwrap();
        assert!(output.status.success(), "{line}");
        String::from_utf8_lossy(&output.stderr).into_owned()
    };
    let warned = errors("rabbitmqctl -n bogus@nowhere list_users");
    assert!(warned.contains("Warning: the node that was asked is"), "{warned}");
    let overview = tools.run("rabbitmqctl cluster_status --formatter json", 0);
    let overview: Value = serde_json::from_str(&overview).unwrap();
    let node = overview["running_nodes"][0].as_str().unwrap();
    assert_eq!(errors(&format!("rabbitmqctl -n {node} list_users")), "");
}

#[test]
fn plugins_are_known_where_no_node_runs() {
    let process = Process::start();
    let tools = Tools::of(&process);
    let online = tools.run("rabbitmq-plugins list -m", 0);
    assert_eq!(tools.run("rabbitmq-plugins list -m --offline", 0), online);
    let event = tools.run("rabbitmq-plugins enable rabbitmq_event_exchange", 69);
    assert!(event.contains("by the key event_exchange.enabled"), "{event}");
    tools.run("rabbitmqctl -q shutdown", 0);
    for plugin in online.lines() {
        let enabled = tools.run(&format!("rabbitmq-plugins enable --offline {plugin}"), 0);
        assert!(enabled.contains("Offline change; changes will take effect"), "{enabled}");
        let is = tools.run(&format!("rabbitmq-plugins -q is_enabled --offline {plugin}"), 0);
        assert_eq!(is, format!("Plugin {plugin} is enabled\n"));
    }
    tools.run("rabbitmq-plugins enable rabbitmq_management", 0);
    tools.run("rabbitmq-plugins is_enabled rabbitmq_management", 69);
    tools.run("rabbitmq-plugins enable --online rabbitmq_management", 69);
    tools.run("rabbitmq-plugins enable --offline rabbitmq_mqtt", 69);
    tools.run("rabbitmq-plugins is_enabled --offline rabbitmq_mqtt", 69);
    let mut command = tools.command("rabbitmq-plugins enable --offline rabbitmq_prometheus");
    assert_eq!(command.output().unwrap().status.code(), Some(69));
    command.env("LEVERET_PROMETHEUS_TCP_PORT", "15692");
    assert_eq!(command.output().unwrap().status.code(), Some(0));
}

#[test]
fn help_completions_and_the_manual_tell_of_each_verb() {
    let process = Process::start();
    let tools = Tools::of(&process);
    let help = tools.run("rabbitmqctl help list_queues", 0);
    for part in ["messages_ready,", "Where none is named: name, messages", "one node"] {
        assert!(help.contains(part), "{part}: {help}");
    }
    let completions = tools.run("leveret completions bash rabbitmqctl", 0);
    assert!(completions.contains("pretty_table"));
    assert!(tools.run("leveret man ctl status", 0).contains("ctl\\-status"));
    assert!(tools.run("leveret man rabbitmqctl", 0).contains("list_queues"));
    let page = tools.run("leveret man", 0);
    assert!(page.contains("\n.nf\n") && !page.contains(".SH EXTRA"), "{page}");
    tools.run("leveret man ctl nonsense", 64);
}
