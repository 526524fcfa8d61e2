//! What an operator does to a node that runs, by RabbitMQ's tools: its logs, its events, its TLS,
//! and the maintenance before a stop.

use std::fs;
use std::io::{BufRead, BufReader};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::process::{Child, Stdio};

use leveret::protocol::methods::Method;
use rustix::process::Signal;
use serde_json::Value;
use tempfile::tempdir;

use crate::certificates::Authority;
use crate::ctl::Tools;
use crate::process::Process;
use crate::wire::Wire;

const HERE: [&str; 2] = ["--listen", "127.0.0.1:0"];

/// A broker that logs to this file.
fn logging_to(path: &Path) -> Process {
    let set = format!("log.file={}", path.display());
    Process::start_with(&[&HERE[..], &["--set", &set]].concat())
}

/// A client comes, and the log has its name from here on where it is to have it.
fn visit(address: SocketAddr) -> String {
    let wire = Wire::connect(address);
    let name = wire.local_address().to_string();
    wire.close();
    name
}

/// A tool that goes on; what it printed by the time it has this.
fn printed(child: &mut Child, part: &str) -> String {
    let output = BufReader::new(child.stdout.as_mut().unwrap());
    let mut text = String::new();
    for line in output.lines() {
        text.push_str(&line.unwrap());
        text.push('\n');
        if text.contains(part) {
            return text;
        }
    }
    panic!("it ended without {part}: {text}");
}

#[test]
fn the_level_of_logs_is_set_while_the_node_runs() {
    let folder = tempdir().unwrap();
    let path = folder.path().join("leveret.log");
    let mut process = logging_to(&path);
    let tools = Tools::of(&process);
    assert_eq!(
        tools.run("rabbitmqctl set_log_level error", 0),
        "Setting log level to \"error\" ...\n"
    );
    let unseen = visit(process.address());
    tools.run("rabbitmqctl set_log_level info", 0);
    tools.run("rabbitmqctl set_log_level none connection", 0);
    let hidden = visit(process.address());
    tools.run("rabbitmqctl set_log_level info connection", 0);
    let seen = visit(process.address());
    let text = tools.run("rabbitmqctl set_log_level loud", 69);
    assert!(text.contains("level loud is not supported. Try one of debug, info"), "{text}");
    tools.run("rabbitmqctl set_log_level", 64);
    process.stop();
    let log = fs::read_to_string(&path).unwrap();
    assert!(log.contains(&seen), "{log}");
    assert!(!log.contains(&unseen) && !log.contains(&hidden), "{log}");
}

#[test]
fn a_log_file_that_was_moved_away_is_made_anew() {
    let folder = tempdir().unwrap();
    let path = folder.path().join("leveret.log");
    let mut process = logging_to(&path);
    let tools = Tools::of(&process);
    let moved = |number: u32| folder.path().join(format!("leveret.log.{number}"));
    fs::rename(&path, moved(1)).unwrap();
    assert!(tools.run("rabbitmqctl rotate_logs", 0).starts_with("Rotating logs for node"));
    let second = visit(process.address());
    fs::rename(&path, moved(2)).unwrap();
    process.signal(Signal::HUP);
    process.logged("opened the log file anew");
    visit(process.address());
    process.stop();
    assert!(fs::read_to_string(moved(1)).unwrap().contains("Server startup complete"));
    assert!(fs::read_to_string(moved(2)).unwrap().contains(&second));
    assert!(fs::read_to_string(&path).unwrap().contains("stopped"));
    let console = Process::start();
    let text = Tools::of(&console).run("rabbitmqctl rotate_logs", 69);
    assert!(text.contains("the node logs to no file"), "{text}");
}

#[test]
fn the_log_is_shown_as_it_is_written() {
    let folder = tempdir().unwrap();
    let path = folder.path().join("leveret.log");
    let process = logging_to(&path);
    let tools = Tools::of(&process);
    let banner = tools.run("rabbitmq-diagnostics log_tail_stream --duration 1", 0);
    assert!(banner.contains(" for 1 seconds ..."), "{banner}");
    assert!(!banner.contains("Server startup complete"), "only what is new: {banner}");
    let mut follow = tools.command("rabbitmq-diagnostics -q log_tail_stream");
    let mut follow = follow.stdout(Stdio::piped()).spawn().unwrap();
    let address = process.address();
    let visitor = std::thread::scope(|scope| {
        let visits = scope.spawn(|| (0..20).fold(String::new(), |_, _| pause_and_visit(address)));
        printed(&mut follow, "accepting AMQP connection");
        visits.join().unwrap()
    });
    printed(&mut follow, &visitor);
    follow.kill().unwrap();
    follow.wait().unwrap();
}

/// Until somebody follows there is no telling when it begins.
fn pause_and_visit(address: SocketAddr) -> String {
    std::thread::sleep(std::time::Duration::from_millis(50));
    visit(address)
}

#[test]
fn events_are_shown_as_lines_of_json() {
    let set = ["--set", "event_exchange.enabled=true"];
    let process = Process::start_with(&[&HERE[..], &set].concat());
    let tools = Tools::of(&process);
    let line = "rabbitmq-diagnostics consume_event_stream --pattern ^vhost";
    let mut follow = tools.command(line).stdout(Stdio::piped()).spawn().unwrap();
    let told = std::thread::scope(|scope| {
        scope.spawn(|| {
            (0..20).for_each(|number| {
                tools.run(&format!("rabbitmqctl add_vhost v{number}"), 0);
            });
        });
        printed(&mut follow, "vhost.created")
    });
    follow.kill().unwrap();
    follow.wait().unwrap();
    let event: Value = serde_json::from_str(told.lines().last().unwrap()).unwrap();
    assert_eq!(event["event"], "vhost.created", "{told}");
    assert!(event["name"].as_str().unwrap().starts_with('v') && event["timestamp_in_ms"].is_i64());
    assert_eq!(tools.run(&format!("{line} -d 1"), 0), "");
    let without = Process::start();
    let text = Tools::of(&without).run("rabbitmq-diagnostics consume_event_stream", 69);
    assert!(text.contains("event_exchange.enabled"), "{text}");
}

#[test]
fn a_node_under_maintenance_has_no_clients_and_can_be_revived() {
    let folder = tempdir().unwrap();
    let path = folder.path().join("amqp.sock");
    let local = format!("listeners.unix.1={}", path.display());
    let process = Process::start_with(&[&HERE[..], &["--set", &local]].concat());
    let tools = Tools::of(&process);
    let port = process.address().port();
    let check_port = format!("rabbitmq-diagnostics check_port_listener {port}");
    let mut inside = Wire::with_channel(process.address());
    inside.declare_queue("q");
    tools.run("rabbitmqctl suspend_listeners", 0);
    assert!(TcpStream::connect(process.address()).is_err() && !path.exists());
    inside.round_trip("q");
    tools.run(&check_port, 69);
    tools.run("rabbitmq-diagnostics check_port_connectivity", 69);
    tools.run("rabbitmqctl resume_listeners", 0);
    assert!(path.exists());
    tools.run(&check_port, 0);
    let text = tools.run("rabbitmq-upgrade drain", 0);
    assert!(text.contains("into maintenance mode."), "{text}");
    match inside.next_method().method() {
        Method::ConnectionClose(close) => assert_eq!(
            (close.reply_code, close.reply_text),
            (320, "CONNECTION_FORCED - Node was put into maintenance mode")
        ),
        other => panic!("{other:?}"),
    }
    assert!(TcpStream::connect(process.address()).is_err());
    let status = tools.run("rabbitmqctl status", 0);
    assert!(status.contains("Is under maintenance?: true"), "{status}");
    tools.run("rabbitmq-diagnostics check_running", 0);
    tools.run("rabbitmqctl await_startup", 0);
    tools.run("rabbitmq-upgrade revive", 0);
    tools.run(&check_port, 0);
    visit(process.address());
    let status = tools.run("rabbitmqctl status", 0);
    assert!(status.contains("Is under maintenance?: false"), "{status}");
}

#[test]
fn who_is_on_the_way_in_when_a_node_is_drained_is_sent_away() {
    let authority = Authority::new();
    authority.issue("server", "localhost");
    let flags = authority.flags();
    let process = Process::start_with(&flags.iter().map(String::as_str).collect::<Vec<_>>());
    // It begins no handshake.
    let waiting = TcpStream::connect(process.addresses()[1]).unwrap();
    Tools::of(&process).run("rabbitmq-upgrade drain", 0);
    waiting.set_read_timeout(Some(crate::process::PATIENCE)).unwrap();
    let ended = std::io::Read::read(&mut &waiting, &mut [0; 8]);
    assert!(!matches!(ended, Ok(1..)), "{ended:?}");
    assert!(!ended.is_err_and(|error| error.kind() == std::io::ErrorKind::WouldBlock));
}

#[test]
fn tls_is_told_as_it_is_spoken() {
    let authority = Authority::new();
    authority.issue("server", "localhost");
    let mut flags = authority.flags();
    flags.extend(["--set", "ssl_options.versions.1=tlsv1.2"].map(str::to_owned));
    let process = Process::start_with(&flags.iter().map(String::as_str).collect::<Vec<_>>());
    let tools = Tools::of(&process);
    assert_eq!(tools.run("rabbitmq-diagnostics -q tls_versions", 0), "tlsv1.2\n");
    let json = tools.run("rabbitmq-diagnostics tls_versions --formatter json", 0);
    assert_eq!(json, "{\"versions\":[\"tlsv1.2\"]}\n");
    let suites = tools.run("rabbitmq-diagnostics -q cipher_suites", 0);
    // Its key is of elliptic curves.
    assert!(suites.lines().all(|suite| suite.starts_with("ECDHE-ECDSA-")), "{suites}");
    assert_eq!(suites.lines().count(), 3);
    let all = tools.run("rabbitmq-diagnostics -q cipher_suites --all --format erlang", 0);
    assert!(all.starts_with("[\n{any,aes_256_gcm,aead,sha384}\n,{"), "{all}");
    assert_eq!(all.lines().count(), 9 + 2);
    tools.run("rabbitmq-diagnostics cipher_suites --format xml", 65);
    let certificates = tools.run("rabbitmq-diagnostics certificates --formatter json", 0);
    let certificates: Value = serde_json::from_str(&certificates).unwrap();
    let certificate = certificates[0]["certfile"].as_str().unwrap().replace('\n', "");
    let own = fs::read_to_string(authority.file("server.pem")).unwrap();
    assert_eq!(certificate, own.replace(['\r', '\n'], ""));
    assert_eq!(certificates[0]["protocol"], "amqp/ssl");
    let plain = Process::start();
    assert_eq!(Tools::of(&plain).run("rabbitmq-diagnostics -q certificates", 0), "#{}\n");
}

#[test]
fn sizes_of_messages_and_policies_that_match_are_shown_in_frames() {
    let process = Process::start();
    let tools = Tools::of(&process);
    let mut wire = Wire::with_channel(process.address());
    wire.declare_queue("aq");
    wire.round_trip("aq");
    wire.round_trip("aq");
    let sizes = tools.run("rabbitmq-diagnostics -q message_size_stats", 0);
    let lines: Vec<&str> = sizes.lines().collect();
    assert!(lines[1].starts_with("│ Message Size"), "{sizes}");
    assert!(lines[3].contains("below 100B") && lines[3].contains("│ 2 "), "{sizes}");
    assert!(lines[3].contains("100.00"), "{sizes}");
    let sets = ["a ^a {\"max-length\":9} --priority 1", "b ^aq {\"max-length\":8} --priority 2"];
    for set in sets {
        tools.run(&format!("rabbitmqctl set_policy {set}"), 0);
    }
    let line = "rabbitmq-diagnostics list_policies_that_match aq --formatter json";
    let policies: Value = serde_json::from_str(&tools.run(line, 0)).unwrap();
    let names: Vec<&str> =
        policies.as_array().unwrap().iter().map(|p| p["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["b", "a"]);
    tools.run("rabbitmq-diagnostics list_policies_that_match none", 65);
    tools.run("rabbitmq-diagnostics list_policies_that_match aq --object-type stream", 65);
    let of_exchange = "rabbitmq-diagnostics -q list_policies_that_match x --object-type exchange";
    assert_eq!(tools.run(of_exchange, 0), "");
}

#[test]
fn the_tool_asks_over_https_whom_it_can_believe() {
    let authority = Authority::new();
    authority.issue("server", "localhost");
    authority.issue("client", "client.example");
    let mut flags = authority.flags();
    let sets = [
        "management.ssl.port=0",
        "management.ssl.ip=127.0.0.1",
        "ssl_options.verify=verify_peer",
        "ssl_options.fail_if_no_peer_cert=true",
    ];
    flags.extend(sets.iter().flat_map(|set| ["--set".to_owned(), (*set).to_owned()]));
    let mut process = Process::start_with(&flags.iter().map(String::as_str).collect::<Vec<_>>());
    let line = process.output_line();
    let (_, rest) = line.split_once("; management on 127.0.0.1:").expect(&line);
    let port = rest.split_once(" (TLS)").expect(&line).0;
    let tools = Tools::of(&process);
    let file = |name: &str| authority.file(name).display().to_string();
    let (ca, certificate, key) = (file("ca.pem"), file("client.pem"), file("client.key"));
    let login = "--username guest --password guest";
    let shown = format!("--certificate {certificate} --key {key}");
    let ask = |host: &str, options: &str, status: i32| {
        let url = format!("--url https://{host}:{port}");
        tools.run(&format!("leveret ctl {url} {login} {options} -q list_users"), status)
    };
    let users = ask("localhost", &format!("--ca-file {ca} {shown}"), 0);
    assert!(users.contains("guest\t[administrator]"), "{users}");
    let text = ask("localhost", &shown, 69);
    assert!(text.contains("invalid peer certificate: UnknownIssuer"), "{text}");
    let text = ask("127.0.0.1", &format!("--ca-file {ca} {shown}"), 69);
    assert!(text.contains("invalid peer certificate"), "another name: {text}");
    ask("127.0.0.1", &format!("-k {shown}"), 0);
    ask("localhost", &format!("--tls-ca-cert-file {ca}"), 69);
    ask("localhost", &format!("--ca-file {key}"), 65);
    tools.run(&format!("leveret ctl --ca-file {ca} list_users"), 64);
}

#[test]
fn a_pid_file_tells_whom_to_wait_for_and_goes_with_the_node() {
    let folder = tempdir().unwrap();
    let path = folder.path().join("run/leveret.pid");
    let mut command = std::process::Command::new(crate::process::binary());
    command.args(["serve", "--listen", "127.0.0.1:0"]).env("RABBITMQ_PID_FILE", &path);
    let mut process = Process::start_by(command);
    assert_eq!(fs::read_to_string(&path).unwrap(), format!("{}\n", process.id()));
    let tools = Tools::of(&process);
    let wait = format!("wait {}", path.display());
    let told = tools.run(&format!("rabbitmqctl {wait}"), 0);
    assert!(told.contains(&format!("pid is {}\n", process.id())), "{told}");
    assert!(told.contains("Applications 'rabbit_and_plugins' are running on node"), "{told}");
    assert_eq!(tools.run(&format!("rabbitmqctl -q {wait}"), 0), "");
    process.stop();
    assert!(!path.exists());
}

#[test]
fn an_export_says_what_rabbitmq_does_not_take() {
    let process = Process::start();
    let tools = Tools::of(&process);
    tools.run("rabbitmqctl set_policy p ^a {\"storage\":\"disk\"}", 0);
    let output = tools.command("rabbitmqctl -q export_definitions -").output().unwrap();
    assert!(output.status.success());
    let errors = String::from_utf8_lossy(&output.stderr).into_owned();
    let warning = "policy 'p' in vhost '/' sets 'storage', which is refused";
    assert!(errors.contains(warning), "{errors}");
    let file: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(file["policies"][0]["name"], "p");
}
