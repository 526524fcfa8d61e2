//! Who may come from where.

use std::net::{IpAddr, UdpSocket};

use leveret::protocol::methods::Method;

use crate::process::Process;
use crate::wire::Wire;

/// An address of this machine that others reach it by. Asking for a way out sends nothing.
fn own_address() -> Option<IpAddr> {
    let socket = UdpSocket::bind("0.0.0.0:0").ok()?;
    socket.connect("198.51.100.1:9").ok()?;
    let address = socket.local_addr().ok()?.ip();
    (!address.is_loopback() && !address.is_unspecified()).then_some(address)
}

fn expect_refusal(wire: &mut Wire) {
    match wire.next_method().method() {
        Method::ConnectionClose(close) => {
            assert_eq!(close.reply_code, 403);
            let text = "ACCESS_REFUSED - Login was refused using authentication mechanism PLAIN. \
                        For details see the broker logfile.";
            assert_eq!(close.reply_text, text);
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn guest_is_refused_from_another_address_than_the_loopback() {
    let Some(host) = own_address() else {
        println!("this machine has no address but the loopback: nothing to show");
        return;
    };
    let mut process = Process::start_with(&["--listen", "0.0.0.0:0"]);
    let port = process.address().port();
    let mut wire = Wire::plug((host, port).into());
    wire.greet("guest");
    expect_refusal(&mut wire);
    let line = process.logged("refused");
    assert!(line.contains("user 'guest' can only connect via localhost"), "{line}");
    Wire::connect(([127, 0, 0, 1], port).into()).close();
}

#[test]
fn guest_may_come_from_everywhere_when_it_is_taken_off_the_list() {
    let Some(host) = own_address() else {
        println!("this machine has no address but the loopback: nothing to show");
        return;
    };
    let flags = ["--listen", "0.0.0.0:0", "--set", "loopback_users.guest=false"];
    let process = Process::start_with(&flags);
    Wire::connect((host, process.address().port()).into()).close();
}

#[test]
fn a_wrong_password_is_refused_and_logged_without_it() {
    let mut process = Process::start();
    let mut wire = Wire::plug(process.address());
    wire.greet("s3cret-and-wrong");
    expect_refusal(&mut wire);
    let line = process.logged("refused");
    assert!(line.contains("[warning]") || line.contains("[error]"), "{line}");
    assert!(line.contains("guest"), "{line}");
    process.stop();
    let (_, lines) = process.ended();
    assert!(lines.iter().all(|line| !line.text.contains("s3cret")), "{lines:#?}");
}

#[test]
fn a_name_that_failed_to_log_in_forges_no_line_and_is_cut() {
    let mut process = Process::start();
    let mut wire = Wire::plug(process.address());
    let forged = format!("x\n2026-08-01 [info] <node> user 'x' authenticated{}", "y".repeat(2000));
    wire.greet_as(&forged, "s3cret");
    expect_refusal(&mut wire);
    let line = process.logged("refused");
    assert!(line.contains("user 'x\\n2026-08-01 [info]") && line.len() < 500, "{line}");
}
