//! What the tools answer when something is wrong with what they were asked, or with where the
//! answer goes: never 0. What they do otherwise is in `ctl` and `ctl_operations`.

use std::fs::{self, File};
use std::process::{Command, Stdio};

use tempfile::tempdir;

use crate::ctl::Tools;
use crate::process::Process;

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
