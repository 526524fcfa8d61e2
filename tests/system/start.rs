//! From the command line to the start-up line, and why there may be none.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, TcpListener};
use std::process::{Command, Output};

use crate::process::{Process, binary};
use crate::wire::Wire;

fn run(arguments: &[&str]) -> Output {
    Command::new(binary()).args(arguments).output().expect("the binary runs")
}

fn text(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).expect("text")
}

fn has_ipv6() -> bool {
    TcpListener::bind((Ipv6Addr::LOCALHOST, 0)).is_ok()
}

#[test]
fn the_start_up_line_says_all_there_is_to_know() {
    let mut process = Process::start();
    let line = process.output_line();
    let begin = format!("Leveret {} listens on 127.0.0.1:", env!("CARGO_PKG_VERSION"));
    assert!(line.starts_with(&begin), "{line}");
    let folder = format!("; data directory {}; ", process.data_folder().display());
    assert!(line.contains(&folder), "{line}");
    assert!(line.contains("; storage: disk, confirmed after fsync; started in "), "{line}");
    assert!(line.ends_with(" ms"), "{line}");
    process.logged("Server startup complete; 0 plugins started.");
}

#[test]
fn port_zero_is_told_as_the_port_it_became() {
    let process = Process::start();
    assert_ne!(process.address().port(), 0);
    Wire::connect(process.address()).close();
}

#[test]
fn every_listener_is_told_and_accepts() {
    let mut flags = vec!["--listen", "127.0.0.1:0", "--listen", "127.0.0.2:0"];
    if has_ipv6() {
        flags.extend(["--listen", "[::1]:0"]);
    } else {
        println!("no IPv6 here: only IPv4 listeners are tried");
    }
    let process = Process::start_with(&flags);
    assert_eq!(process.addresses().len(), flags.len() / 2);
    for address in process.addresses() {
        Wire::connect(*address).close();
    }
}

#[test]
fn a_bare_port_means_every_interface() {
    let process = Process::start_with(&["--listen", "0"]);
    let hosts: Vec<IpAddr> = process.addresses().iter().map(|address| address.ip()).collect();
    assert!(hosts.contains(&Ipv4Addr::UNSPECIFIED.into()), "{hosts:?}");
    assert_eq!(hosts.contains(&Ipv6Addr::UNSPECIFIED.into()), has_ipv6(), "{hosts:?}");
    for address in process.addresses() {
        let host = match address.ip() {
            IpAddr::V4(_) => IpAddr::from(Ipv4Addr::LOCALHOST),
            IpAddr::V6(_) => IpAddr::from(Ipv6Addr::LOCALHOST),
        };
        Wire::connect((host, address.port()).into()).close();
    }
}

#[test]
fn serve_is_what_is_meant_without_a_command() {
    let mut command = Command::new(binary());
    command.args(["--listen", "127.0.0.1:0"]);
    let process = Process::start_by(command);
    Wire::connect(process.address()).close();
}

#[test]
fn a_port_in_use_is_a_clear_error() {
    let holder = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let address = holder.local_addr().unwrap().to_string();
    let (status, lines) = Process::launch_with(&["--listen", &address]).ended();
    assert_eq!(status.code(), Some(69), "{lines:#?}");
    let expected = format!("cannot listen on {address}: Address already in use");
    assert!(lines.iter().any(|line| line.text.contains(&expected)), "{lines:#?}");
    assert!(lines.iter().all(|line| !line.is_output), "it never listened: {lines:#?}");
}

#[test]
fn an_address_of_another_machine_is_a_clear_error() {
    let (status, lines) = Process::launch_with(&["--listen", "198.51.100.1:0"]).ended();
    assert_eq!(status.code(), Some(69), "{lines:#?}");
    let expected = "cannot listen on 198.51.100.1:0: ";
    assert!(lines.iter().any(|line| line.text.contains(expected)), "{lines:#?}");
}

#[test]
fn help_tells_the_flags_and_shows_how() {
    for arguments in [&["--help"][..], &["serve", "--help"]] {
        let output = run(arguments);
        assert!(output.status.success());
        let help = text(&output.stdout);
        for part in ["--listen", "--data-dir", "--config", "--set", "rabbitmq.conf", "Examples:"] {
            assert!(help.contains(part), "{part} in\n{help}");
        }
    }
}

#[test]
fn version_is_the_version_of_the_package() {
    let output = run(&["--version"]);
    assert!(output.status.success());
    assert_eq!(text(&output.stdout), concat!("leveret ", env!("CARGO_PKG_VERSION"), "\n"));
}

#[test]
fn a_flag_that_does_not_exist_is_refused_with_a_hint() {
    let output = run(&["--lisden", "5672"]);
    assert_eq!(output.status.code(), Some(2));
    let error = text(&output.stderr);
    assert!(error.contains("--lisden") && error.contains("--listen"), "{error}");
}
