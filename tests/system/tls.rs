//! TLS on all doors of the real binary, with OpenSSL's client and another: versions, certificates
//! on either side, logins by them, and certificates that are read anew.

use std::fs;
use std::io::{Read, Write};
use std::net::{Ipv6Addr, SocketAddr, TcpListener};
use std::process::{Command, Stdio};
use std::time::Duration;

use leveret::protocol::methods::{Method, connection};
use leveret::protocol::{PROTOCOL_HEADER, field::FieldTable};
use rustix::process::Signal;
use rustls::version::{TLS12, TLS13};

use crate::certificates::{Authority, TlsStream, plug, shake_hands, with};
use crate::process::Process;
use crate::wire::Wire;

/// `guest:guest`.
const LOGIN: &str = "Authorization: Basic Z3Vlc3Q6Z3Vlc3Q=\r\n";

fn authority() -> Authority {
    let authority = Authority::new();
    authority.issue("server", "localhost");
    authority
}

fn start(authority: &Authority, sets: &[&str]) -> Process {
    let flags: Vec<String> = authority
        .flags()
        .into_iter()
        .chain(with(sets.iter().map(|set| (*set).to_owned())))
        .collect();
    Process::start_with(&flags.iter().map(String::as_str).collect::<Vec<_>>())
}

/// Where TLS is listened for: behind the plain place.
fn place(process: &Process) -> SocketAddr {
    process.addresses()[1]
}

fn connect(authority: &Authority, process: &Process, shows: Option<&str>) -> TlsStream {
    let config = authority.client(&[&TLS13, &TLS12], shows);
    shake_hands(plug(place(process)), config, "localhost").unwrap()
}

fn has_openssl() -> bool {
    let found = Command::new("openssl").arg("version").output().is_ok();
    if !found {
        println!("there is no openssl here: nothing to show");
    }
    found
}

/// What OpenSSL's client says of a connection over which it sends AMQP's header.
fn openssl(authority: &Authority, process: &Process, arguments: &[&str]) -> (bool, String) {
    let mut client = Command::new("openssl")
        .args(["s_client", "-connect", &place(process).to_string(), "-servername", "localhost"])
        .args(["-verify_return_error", "-CAfile"])
        .arg(authority.file("ca.pem"))
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // It ends by itself where the handshake fails.
    let _ = client.stdin.take().unwrap().write_all(b"AMQP\0\x01\0\0");
    let output = client.wait_with_output().unwrap();
    let text = [output.stdout, output.stderr].concat();
    (output.status.success(), String::from_utf8_lossy(&text).into_owned())
}

#[test]
fn openssl_speaks_1_2_and_1_3_and_nothing_older() {
    if !has_openssl() {
        return;
    }
    let authority = authority();
    let mut process = start(&authority, &[]);
    for (flag, version) in [("-tls1_2", "TLSv1.2"), ("-tls1_3", "TLSv1.3")] {
        let (_, text) = openssl(&authority, &process, &[flag]);
        assert!(text.contains(&format!("New, {version}")), "{text}");
        assert!(text.contains("Verify return code: 0 (ok)"), "{text}");
    }
    let (is_good, text) =
        openssl(&authority, &process, &["-tls1_1", "-cipher", "DEFAULT@SECLEVEL=0"]);
    assert!(!is_good && text.contains("Cipher is (NONE)"), "{text}");
    let line = process.logged("TLS handshake failed");
    assert!(line.contains("[warning]") && line.contains("127.0.0.1:"), "{line}");
}

#[test]
fn only_versions_and_ciphers_that_are_offered_are_spoken() {
    if !has_openssl() {
        return;
    }
    let authority = authority();
    let sets =
        ["ssl_options.versions.1=tlsv1.2", "ssl_options.ciphers.1=ECDHE-ECDSA-AES128-GCM-SHA256"];
    let process = start(&authority, &sets);
    let (_, text) = openssl(&authority, &process, &["-tls1_2"]);
    assert!(text.contains("Cipher is ECDHE-ECDSA-AES128-GCM-SHA256"), "{text}");
    let (is_good, text) = openssl(&authority, &process, &["-tls1_3"]);
    assert!(!is_good, "{text}");
}

#[test]
fn amqp_goes_over_tls_whatever_its_size() {
    let authority = authority();
    let process = start(&authority, &[]);
    for version in [&TLS12, &TLS13] {
        let config = authority.client(&[version], None);
        let stream = shake_hands(plug(place(&process)), config, "localhost").unwrap();
        let mut wire = Wire::over(stream);
        wire.log_in(0);
        wire.open_channel(1);
        wire.declare_queue("q");
        wire.round_trip("q");
        wire.send_and_get_back("q", &vec![7; 5_000_000]);
        for size in [0, 1, 16_383, 16_384, 16_385, 131_072] {
            wire.send_and_get_back("q", &vec![b'x'; size]);
        }
        wire.close();
    }
}

#[test]
fn a_plain_port_stays_plain_beside_it() {
    let authority = authority();
    let mut process = start(&authority, &[]);
    let config = authority.client(&[&TLS13], None);
    assert!(shake_hands(plug(process.address()), config, "localhost").is_err());
    process.logged("the client does not speak AMQP 0-9-1 but TLS");
    Wire::connect(process.address()).close();
}

const DEMANDING: [&str; 2] =
    ["ssl_options.verify=verify_peer", "ssl_options.fail_if_no_peer_cert=true"];

#[test]
fn clients_without_a_certificate_or_with_a_foreign_one_are_not_let_in() {
    let authority = authority();
    authority.issue("client", "client.example");
    let stranger = Authority::new();
    stranger.issue("stranger", "client.example");
    for file in ["stranger.pem", "stranger.key"] {
        fs::copy(stranger.file(file), authority.file(file)).unwrap();
    }
    let mut process = start(&authority, &DEMANDING);
    for shows in [None, Some("stranger")] {
        let config = authority.client(&[&TLS13], shows);
        let mut stream = shake_hands(plug(place(&process)), config, "localhost").unwrap();
        // In 1.3 the client hears of it after its own part of the handshake.
        let _ = stream.write_all(&PROTOCOL_HEADER);
        assert!(stream.read(&mut [0; 8]).is_err(), "{shows:?}");
    }
    process.logged("TLS handshake failed");
    let mut wire = Wire::over(connect(&authority, &process, Some("client")));
    wire.log_in(0);
    wire.close();
}

/// Whether a client with this certificate is let in.
fn is_let_in(authority: &Authority, process: &Process, shows: &str) -> bool {
    let mut stream = connect(authority, process, Some(shows));
    // In 1.3 the client hears of it after its own part of the handshake.
    stream.write_all(&PROTOCOL_HEADER).is_ok() && stream.read(&mut [0; 8]).is_ok()
}

/// The key was once taken and never obeyed.
#[test]
fn certificates_that_were_revoked_let_nobody_in() {
    let authority = authority();
    ["good", "bad", "late"].iter().for_each(|name| {
        authority.issue(name, "client.example");
    });
    let folder =
        format!("ssl_options.crl_cache.hash_dir.path={}", authority.file("lists").display());
    for check in ["true", "peer", "best_effort"] {
        authority.revoke(&["bad"], 2049);
        let check = format!("ssl_options.crl_check={check}");
        let mut process = start(&authority, &[&DEMANDING[..], &[&check, &folder]].concat());
        assert!(is_let_in(&authority, &process, "good"), "{check}");
        assert!(is_let_in(&authority, &process, "late"), "{check}");
        assert!(!is_let_in(&authority, &process, "bad"), "{check}");
        assert!(process.logged("TLS handshake failed").contains("Revoked"));
        authority.revoke(&["bad", "late"], 2049);
        process.signal(Signal::HUP);
        process.logged("server.pem anew: good until");
        assert!(!is_let_in(&authority, &process, "late"), "{check}");
    }
    // An old list says too little about who is not on it.
    authority.revoke(&["bad"], 2021);
    for (check, is_good) in [("true", false), ("peer", false), ("best_effort", true)] {
        let check = format!("ssl_options.crl_check={check}");
        let process = start(&authority, &[&DEMANDING[..], &[&check, &folder]].concat());
        assert_eq!(is_let_in(&authority, &process, "good"), is_good, "{check}");
        assert!(!is_let_in(&authority, &process, "bad"), "{check}");
    }
}

/// The mechanisms that are offered, once the header is sent.
fn offered(wire: &mut Wire) -> String {
    wire.write(&PROTOCOL_HEADER);
    match wire.next_method().method() {
        Method::ConnectionStart(start) => String::from_utf8(start.mechanisms.to_vec()).unwrap(),
        other => panic!("{other:?}"),
    }
}

fn log_in_by(wire: &mut Wire, mechanism: &str) {
    let capabilities: FieldTable = [("authentication_failure_close", true)].into_iter().collect();
    wire.send(
        0,
        &connection::StartOk {
            client_properties: [("capabilities", capabilities)].into_iter().collect(),
            mechanism,
            response: b"",
            locale: "en_US",
        },
    );
}

const BY_CERTIFICATE: [&str; 4] = [
    "ssl_options.verify=verify_peer",
    "auth_mechanisms.1=PLAIN",
    "auth_mechanisms.2=EXTERNAL",
    "ssl_cert_login_from=common_name",
];

#[test]
fn a_certificate_logs_its_user_in() {
    let authority = authority();
    authority.issue("hare", "client.example");
    authority.issue("nobody", "client.example");
    let mut process = start(&authority, &[&BY_CERTIFICATE[..], &["default_user=hare"]].concat());
    let mut plain = Wire::plug(process.address());
    assert_eq!(offered(&mut plain), "PLAIN");
    let mut hare = Wire::over(connect(&authority, &process, Some("hare")));
    assert_eq!(offered(&mut hare), "PLAIN EXTERNAL");
    log_in_by(&mut hare, "EXTERNAL");
    assert!(matches!(hare.next_method().method(), Method::ConnectionTune(_)));
    for (shows, why) in [
        (Some("nobody"), "user 'nobody' invalid credentials"),
        (None, "the client presented no certificate"),
    ] {
        let mut wire = Wire::over(connect(&authority, &process, shows));
        offered(&mut wire);
        log_in_by(&mut wire, "EXTERNAL");
        match wire.next_method().method() {
            Method::ConnectionClose(close) => assert_eq!(
                (close.reply_code, close.reply_text),
                (
                    403,
                    "ACCESS_REFUSED - Login was refused using authentication mechanism EXTERNAL. \
                     For details see the broker logfile."
                )
            ),
            other => panic!("{other:?}"),
        }
        process.logged(why);
    }
}

#[test]
fn whoever_comes_is_let_in_only_where_anonymous_is_wanted() {
    let process = Process::start();
    assert_eq!(offered(&mut Wire::plug(process.address())), "PLAIN AMQPLAIN");
    let sets = ["--set", "auth_mechanisms.1=ANONYMOUS", "--listen", "127.0.0.1:0"];
    let process = Process::start_with(&sets);
    let mut wire = Wire::plug(process.address());
    assert_eq!(offered(&mut wire), "ANONYMOUS");
    log_in_by(&mut wire, "ANONYMOUS");
    assert!(matches!(wire.next_method().method(), Method::ConnectionTune(_)));
    let nobody =
        [&sets[..], &["--set", "anonymous_login_user=none", "--set", "auth_mechanisms.2=PLAIN"]];
    let process = Process::start_with(&nobody.concat());
    assert_eq!(offered(&mut Wire::plug(process.address())), "PLAIN");
}

/// The certificate that the broker shows.
fn shown(stream: &TlsStream) -> Vec<u8> {
    stream.conn.peer_certificates().unwrap()[0].to_vec()
}

#[test]
fn certificates_are_read_anew_on_sighup_and_connections_live_on() {
    let authority = Authority::new();
    let first = authority.issue("server", "localhost");
    let mut process = start(&authority, &[]);
    let stream = connect(&authority, &process, None);
    assert_eq!(shown(&stream), first);
    let mut wire = Wire::over(stream);
    wire.log_in(0);
    wire.open_channel(1);
    wire.declare_queue("q");
    let second = authority.issue("server", "localhost");
    process.signal(Signal::HUP);
    process.logged("server.pem anew: good until");
    wire.round_trip("q");
    assert_eq!(shown(&connect(&authority, &process, None)), second);
    fs::write(authority.file("server.pem"), "nonsense").unwrap();
    process.signal(Signal::HUP);
    let line = process.logged("certificates stay as they were");
    let expected = "ssl_options.certfile: expected certificates in PEM";
    assert!(line.contains("[error]") && line.contains(expected), "{line}");
    assert_eq!(shown(&connect(&authority, &process, None)), second);
    wire.round_trip("q");
    process.stop();
}

#[test]
fn each_host_has_its_own_certificate() {
    let authority = authority();
    let set = |host: &str, name: &str| {
        let file = |end: &str| authority.file(&format!("{name}.{end}")).display().to_string();
        [
            format!("ssl_options.sni.{host}.certfile={}", file("pem")),
            format!("ssl_options.sni.{host}.keyfile={}", file("key")),
        ]
    };
    let other = authority.issue("other", "other.example");
    let below = authority.issue("below", "*.field.example");
    let sets = [set("other.example", "other"), set("*.field.example", "below")].concat();
    let process = start(&authority, &sets.iter().map(String::as_str).collect::<Vec<_>>());
    let config = authority.client(&[&TLS13], None);
    for (host, expected) in [("other.example", other), ("hare.field.example", below)] {
        let stream = shake_hands(plug(place(&process)), config.clone(), host).unwrap();
        assert_eq!(shown(&stream), expected, "{host}");
    }
    assert!(shake_hands(plug(place(&process)), config.clone(), "unknown.example").is_err());
    assert!(shake_hands(plug(place(&process)), config, "localhost").is_ok());
}

#[test]
fn a_handshake_that_never_ends_is_ended() {
    let authority = authority();
    let mut process = start(&authority, &["ssl_handshake_timeout=200"]);
    let mut stream = plug(place(&process));
    assert_eq!(stream.read(&mut [0; 8]).unwrap(), 0);
    process.logged("TLS handshake failed: handshake timeout");
}

/// Where a door is, by the start-up line.
fn door(process: &mut Process, name: &str) -> SocketAddr {
    let line = process.output_line();
    let (_, rest) = line.split_once(&format!("; {name} on ")).expect(&line);
    let (place, _) = rest.split_once(';').expect(&line);
    place.strip_suffix(" (TLS)").expect(&line).parse().expect(&line)
}

fn get(authority: &Authority, address: SocketAddr, path: &str) -> String {
    let config = authority.client(&[&TLS13], None);
    let mut stream = shake_hands(plug(address), config, "localhost").unwrap();
    let request = format!("GET {path} HTTP/1.1\r\nHost: hare\r\nConnection: close\r\n{LOGIN}\r\n");
    stream.write_all(request.as_bytes()).unwrap();
    let mut answer = Vec::new();
    // Some end without a word of TLS.
    let _ = stream.read_to_end(&mut answer);
    String::from_utf8(answer).unwrap()
}

const EVERYWHERE: [&str; 5] = [
    "management.ssl.port=0",
    "management.ssl.ip=127.0.0.1",
    "prometheus.ssl.port=0",
    "prometheus.ssl.ip=127.0.0.1",
    "cluster_name=hare",
];

#[test]
fn the_http_api_and_metrics_have_tls_too_and_tell_of_it() {
    let authority = authority();
    let mut process = start(&authority, &EVERYWHERE);
    let management = door(&mut process, "management");
    let metrics = door(&mut process, "metrics");
    let answer = get(&authority, metrics, "/metrics");
    assert!(answer.starts_with("HTTP/1.1 200") && answer.contains("rabbitmq_"), "{answer}");
    let overview = get(&authority, management, "/api/overview");
    for protocol in ["amqp", "amqp/ssl", "https", "https/prometheus"] {
        assert!(overview.contains(&format!("\"protocol\":\"{protocol}\"")), "{overview}");
    }
    let mut wire = Wire::over(connect(&authority, &process, None));
    wire.log_in(0);
    let connections = get(&authority, management, "/api/connections");
    for field in [
        "\"ssl\":true",
        "\"ssl_protocol\":\"tlsv1.3\"",
        "\"ssl_cipher\":\"aes_256_gcm\"",
        "\"ssl_hash\":\"aead\"",
        "\"ssl_key_exchange\":\"any\"",
        "\"peer_cert_subject\":\"\"",
    ] {
        assert!(connections.contains(field), "{field}: {connections}");
    }
    let soon = "/api/health/checks/certificate-expiration/1/weeks";
    assert!(get(&authority, management, soon).contains("{\"status\":\"ok\"}"));
    let late = "/api/health/checks/certificate-expiration/9000/years";
    let answer = get(&authority, management, late);
    assert!(answer.starts_with("HTTP/1.1 503"), "{answer}");
    assert!(answer.contains("Certificates expiring") && answer.contains("server.pem"), "{answer}");
}

#[test]
fn every_door_is_there_over_ipv6() {
    if TcpListener::bind((Ipv6Addr::LOCALHOST, 0)).is_err() {
        println!("this machine has no IPv6: nothing to show");
        return;
    }
    let authority = authority();
    let file = |name: &str| authority.file(name).display().to_string();
    let sets = [
        "listeners.ssl.1=[::]:0".to_owned(),
        "management.tcp.port=0".to_owned(),
        "management.tcp.ip=::1".to_owned(),
        format!("ssl_options.certfile={}", file("server.pem")),
        format!("ssl_options.keyfile={}", file("server.key")),
    ];
    let flags: Vec<String> =
        ["--listen", "[::1]:0"].map(str::to_owned).into_iter().chain(with(sets)).collect();
    let mut process = Process::start_with(&flags.iter().map(String::as_str).collect::<Vec<_>>());
    let plain = Wire::connect(process.address());
    let own = plain.local_address();
    process.logged(&format!("accepting AMQP connection {own} -> [::1]:"));
    let encrypted = (Ipv6Addr::LOCALHOST, place(&process).port()).into();
    let config = authority.client(&[&TLS13], None);
    Wire::over(shake_hands(plug(encrypted), config, "localhost").unwrap()).log_in(0);
    assert!(process.output_line().contains("management on [::1]:"));
    plain.close();
}

#[test]
fn a_listener_without_a_certificate_stops_the_start() {
    let mut process = Process::launch_with(&["--set", "listeners.ssl.default=0"]);
    let (status, lines) = process.ended();
    assert_eq!(status.code(), Some(78));
    let text = "--set: listeners.ssl.default: expected ssl_options.certfile as well";
    assert!(lines.iter().any(|line| line.text.contains(text)), "{lines:#?}");
}

#[test]
fn who_reads_nothing_over_tls_holds_up_nobody_and_gets_all_later() {
    let authority = authority();
    let process = start(&authority, &[]);
    let mut slow = Wire::over(connect(&authority, &process, None));
    slow.log_in(0);
    slow.open_channel(1);
    slow.declare_queue("q");
    slow.send(
        1,
        &leveret::protocol::methods::basic::Consume {
            queue: "q",
            consumer_tag: "c",
            no_local: false,
            no_ack: true,
            exclusive: false,
            nowait: true,
            arguments: FieldTable::new(),
        },
    );
    let mut quick = Wire::with_channel(process.address());
    let body = vec![b'x'; 100_000];
    for _ in 0..100 {
        quick.publish("q", &body);
    }
    std::thread::sleep(Duration::from_millis(300));
    quick.declare_queue("other");
    quick.round_trip("other");
    for _ in 0..100 {
        assert_eq!(slow.next_delivery_size(), body.len());
    }
    slow.close();
}
