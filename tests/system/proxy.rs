//! The PROXY protocol before the doors of the real binary: who connects is who the proxy says.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};

use rustls::version::TLS13;

use crate::certificates::{Authority, plug, shake_hands, with};
use crate::management::{MANAGED, place};
use crate::process::Process;
use crate::wire::Wire;

const BEHIND: [&str; 4] = ["--listen", "127.0.0.1:0", "--set", "proxy_protocol=true"];

fn plug_as(address: SocketAddr, header: &[u8]) -> TcpStream {
    let mut stream = plug(address);
    stream.write_all(header).unwrap();
    stream
}

/// Version 2, for a client of IPv6.
fn binary(command: u8, family: u8, addresses: &[u8]) -> Vec<u8> {
    let size = u16::try_from(addresses.len()).unwrap().to_be_bytes();
    [b"\r\n\r\n\0\r\nQUIT\n", &[command, family][..], &size, addresses].concat()
}

#[test]
fn a_client_is_who_its_proxy_says() {
    let mut process = Process::start_with(&BEHIND);
    let header = b"PROXY TCP4 127.0.0.9 127.0.0.8 4000 5672\r\n";
    let mut wire = Wire::of(plug_as(process.address(), header));
    wire.log_in(0);
    process.logged("accepting AMQP connection 127.0.0.9:4000 -> 127.0.0.8:5672");
    wire.close();
    let mut ends = [0; 36];
    (ends[15], ends[31], ends[33], ends[35]) = (1, 1, 7, 8);
    let mut wire = Wire::of(plug_as(process.address(), &binary(0x21, 0x21, &ends)));
    wire.log_in(0);
    process.logged("accepting AMQP connection [::1]:7 -> [::1]:8");
    wire.close();
}

#[test]
fn a_user_of_this_machine_alone_does_not_come_through_a_proxy_from_elsewhere() {
    let mut process = Process::start_with(&BEHIND);
    let header = b"PROXY TCP4 192.0.2.1 192.0.2.2 4000 5672\r\n";
    let mut wire = Wire::of(plug_as(process.address(), header));
    wire.greet("guest");
    process.logged("connection 192.0.2.1:4000 -> 192.0.2.2:5672: login refused: user 'guest' can");
}

#[test]
fn a_proxy_that_speaks_for_itself_is_the_client() {
    let mut process = Process::start_with(&BEHIND);
    for header in [&b"PROXY UNKNOWN\r\n"[..], &binary(0x20, 0, &[])] {
        let stream = plug_as(process.address(), header);
        let own = stream.local_addr().unwrap();
        Wire::of(stream).log_in(0);
        process.logged(&format!("accepting AMQP connection {own} -> "));
    }
}

fn is_closed(mut stream: TcpStream) -> bool {
    // What it sent may be unread, and then the end is a reset.
    stream.read(&mut [0; 8]).map_or(true, |count| count == 0)
}

#[test]
fn who_sends_no_header_is_not_let_in() {
    let mut process =
        Process::start_with(&[&BEHIND[..], &["--set", "handshake_timeout=300"]].concat());
    assert!(is_closed(plug_as(process.address(), b"AMQP\0\0\x09\x01AMQP\0\0\x09\x01")));
    process.logged("it does not begin with a PROXY header");
    assert!(is_closed(plug_as(process.address(), b"PROXY TCP4 127.0")));
    process.logged("no whole PROXY header came in time");
}

#[test]
fn only_proxies_that_are_trusted_are_believed() {
    let trusting = ["--set", "proxy_protocol.trusted.1=127.0.0.0/8"];
    let process = Process::start_with(&[&BEHIND[..], &trusting].concat());
    let header = b"PROXY TCP4 127.0.0.9 127.0.0.8 4000 5672\r\n";
    Wire::of(plug_as(process.address(), header)).log_in(0);
    let trusting = ["--set", "proxy_protocol.trusted.1=192.0.2.0/24"];
    let mut process = Process::start_with(&[&BEHIND[..], &trusting].concat());
    assert!(is_closed(plug_as(process.address(), header)));
    process.logged("it is none of those that are trusted");
}

#[test]
fn tls_goes_through_a_proxy() {
    let authority = Authority::new();
    authority.issue("server", "localhost");
    let sets = with(["proxy_protocol=true".to_owned()]);
    let flags: Vec<String> = authority.flags().into_iter().chain(sets).collect();
    let mut process = Process::start_with(&flags.iter().map(String::as_str).collect::<Vec<_>>());
    let header = b"PROXY TCP6 ::1 ::1 4000 5671\r\n";
    let stream = plug_as(process.addresses()[1], header);
    let stream = shake_hands(stream, authority.client(&[&TLS13], None), "localhost").unwrap();
    Wire::over(stream).log_in(0);
    process.logged("accepting AMQP connection [::1]:4000 -> [::1]:5671");
}

#[test]
fn the_http_api_may_stand_behind_a_proxy_of_its_own() {
    let flags = [&MANAGED[..], &["--set", "management.proxy_protocol=true"]].concat();
    let mut process = Process::start_with(&flags);
    let place = place(&mut process);
    let request = "GET /api/whoami HTTP/1.1\r\nHost: hare\r\nConnection: close\r\n\
                   Authorization: Basic Z3Vlc3Q6Z3Vlc3Q=\r\n\r\n";
    for (from, status) in [("127.0.0.1", "200"), ("192.0.2.1", "401")] {
        let header = format!("PROXY TCP4 {from} 127.0.0.1 1 2\r\n{request}");
        let mut answer = String::new();
        plug_as(place, header.as_bytes()).read_to_string(&mut answer).unwrap();
        assert!(answer.starts_with(&format!("HTTP/1.1 {status}")), "{answer}");
    }
    Wire::connect(process.address()).close();
}
