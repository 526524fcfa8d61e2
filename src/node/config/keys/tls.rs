//! Keys of TLS: those of the AMQP door, and those of the doors that speak HTTP, which may have
//! their own.

use super::super::values::Kind;
use super::Key;

const NO_RENEGOTIATION: &str = "nothing is negotiated twice";
const OWN_TLS: &str = "it belongs to the TLS of Erlang";

const VERIFY: Kind = Kind::Choice(&["verify_peer", "verify_none"]);

const REVOCATION: Kind = Kind::Choice(&["true", "false", "peer", "best_effort"]);
const VERSION: Kind = Kind::Choice(&["tlsv1.3", "tlsv1.2", "tlsv1.1", "tlsv1"]);

pub(super) static TLS: &[Key] = &[
    Key::obeyed(
        "ssl_options",
        "",
        Kind::Choice(&["none"]),
        "Set to none for no TLS options.",
        |typed, _| typed.tls.clear(),
    ),
    Key::obeyed(
        "ssl_options.cacertfile",
        "",
        Kind::Text,
        "Certificates of trusted authorities, in PEM: those of clients are checked by them.",
        |typed, setting| typed.tls.note("cacertfile", setting),
    ),
    Key::obeyed(
        "ssl_options.certfile",
        "",
        Kind::Text,
        "The server's certificate, in PEM, and behind it those that lead to an authority. SIGHUP \
         makes the server read it, and the files beside it, anew.",
        |typed, setting| typed.tls.note("certfile", setting),
    ),
    Key::obeyed(
        "ssl_options.keyfile",
        "",
        Kind::Text,
        "The server's private key, in PEM.",
        |typed, setting| typed.tls.note("keyfile", setting),
    ),
    Key::obeyed(
        "ssl_options.password",
        "",
        Kind::Text,
        "Password of the private key, where that is encrypted (PKCS#8).",
        |typed, setting| typed.tls.note("password", setting),
    ),
    Key::obeyed(
        "ssl_options.verify",
        "verify_none",
        VERIFY,
        "Whether certificates of clients are checked.",
        |typed, setting| typed.tls.note("verify", setting),
    ),
    Key::obeyed(
        "ssl_options.fail_if_no_peer_cert",
        "false",
        Kind::Boolean,
        "Refuse clients without a certificate, where certificates are checked.",
        |typed, setting| typed.tls.note("fail_if_no_peer_cert", setting),
    ),
    Key::obeyed(
        "ssl_options.depth",
        "1",
        Kind::Number { min: 0, max: 255 },
        "Certificates that may stand between a client's own and a trusted one.",
        |typed, setting| typed.tls.note("depth", setting),
    ),
    Key::obeyed(
        "ssl_options.versions.<N>",
        "",
        VERSION,
        "Versions of TLS that are offered. Without any such key: tlsv1.3 and tlsv1.2. Older ones \
         are never spoken.",
        |typed, setting| typed.tls.note(&format!("versions.{}", setting.capture()), setting),
    ),
    Key::obeyed(
        "ssl_options.ciphers.<N>",
        "",
        Kind::CipherSuite,
        "Cipher suites that are offered, the best first. Without any such key, all that are known.",
        |typed, setting| typed.tls.note(&format!("ciphers.{}", setting.capture()), setting),
    ),
    Key::obeyed(
        "ssl_options.honor_cipher_order",
        "false",
        Kind::Boolean,
        "The server chooses the cipher suite, not the client.",
        |typed, setting| typed.tls.note("honor_cipher_order", setting),
    ),
    Key::obeyed(
        "ssl_options.sni.*",
        "",
        Kind::Text,
        "The certificate for those who ask for a host: ssl_options.sni.HOST.certfile, .keyfile and \
         .password; *.HOST stands for all hosts below. Others get ssl_options.certfile. Leveret's \
         own key.",
        |typed, setting| typed.tls.note(&format!("sni.{}", setting.capture()), setting),
    ),
    Key::inert(
        "ssl_options.{client_renegotiation,secure_renegotiate}",
        NO_RENEGOTIATION,
        "Whether a connection is negotiated anew.",
    ),
    Key::inert(
        "ssl_options.{honor_ecc_order,bypass_pem_cache,reuse_sessions,log_alert,log_level}",
        OWN_TLS,
        "Details of TLS.",
    ),
    Key::obeyed(
        "ssl_options.crl_check",
        "false",
        REVOCATION,
        "With verify_peer, whether authorities have revoked a client's certificate, or one on the \
         way to the authority: true looks all up, peer the client's, and whose list is missing or \
         old is not let in; best_effort lets those in.",
        |typed, setting| typed.tls.note("crl_check", setting),
    ),
    Key::obeyed(
        "ssl_options.crl_cache.hash_dir.path",
        "",
        Kind::Text,
        "The folder with revocation lists, in PEM; with crl_check. They are not fetched, and read \
         anew on SIGHUP.",
        |typed, setting| typed.tls.note("crl_cache.hash_dir.path", setting),
    ),
    Key::later(
        "ssl_options.{crl_cache,cacerts,key}.*",
        "",
        Kind::Text,
        "Revocation lists that are fetched, and certificates and keys in place.",
    ),
    Key::inert("ssl_options.{dh,dhfile}", "such keys are never agreed on", "Diffie and Hellman."),
    Key::later("ssl_options.{cert,psk_identity}", "", Kind::Text, "Further details of TLS."),
    Key::obeyed(
        "ssl_handshake_timeout",
        "5000",
        Kind::Number { min: 1, max: 86_400_000 },
        "Milliseconds that the TLS handshake may take.",
        |typed, setting| typed.tls_handshake_ms = setting.number(),
    ),
    Key::inert(
        "ssl_allow_poodle_attack",
        "SSL 3.0 is never spoken",
        "Allow old and broken versions of TLS.",
    ),
];

pub(super) static HTTPS: &[Key] = &[
    Key::obeyed(
        "management.ssl.port",
        "",
        Kind::PORT,
        "Port of the HTTP API over TLS, 15671 in RabbitMQ. Where it is set and no key of \
         management.tcp is, the HTTP API is there only.",
        |typed, setting| {
            typed.management_tls_port = setting.number();
            typed.management_tls.ask("management.ssl.port", setting);
        },
    ),
    Key::obeyed(
        "management.ssl.ip",
        "",
        Kind::Ip,
        "Its address. Without it that is every interface.",
        |typed, setting| typed.management_tls_ip = setting.value.to_address().and_then(|a| a.host),
    ),
    Key::obeyed(
        "management.ssl.{cacertfile,certfile,keyfile,password}",
        "",
        Kind::Text,
        "As in ssl_options. Without a certfile of its own the HTTP API has all of ssl_options.",
        |typed, setting| typed.management_tls.note(&setting.capture(), setting),
    ),
    Key::obeyed(
        "management.ssl.verify",
        "verify_none",
        VERIFY,
        "As in ssl_options.",
        |typed, setting| typed.management_tls.note("verify", setting),
    ),
    Key::obeyed(
        "management.ssl.{fail_if_no_peer_cert,honor_cipher_order}",
        "false",
        Kind::Boolean,
        "As in ssl_options.",
        |typed, setting| typed.management_tls.note(&setting.capture(), setting),
    ),
    Key::obeyed(
        "management.ssl.depth",
        "1",
        Kind::Number { min: 0, max: 255 },
        "As in ssl_options.",
        |typed, setting| typed.management_tls.note("depth", setting),
    ),
    Key::obeyed(
        "management.ssl.versions.<N>",
        "",
        VERSION,
        "As in ssl_options.",
        |typed, setting| {
            typed.management_tls.note(&format!("versions.{}", setting.capture()), setting);
        },
    ),
    Key::obeyed(
        "management.ssl.ciphers.<N>",
        "",
        Kind::CipherSuite,
        "As in ssl_options.",
        |typed, setting| {
            typed.management_tls.note(&format!("ciphers.{}", setting.capture()), setting);
        },
    ),
    Key::obeyed(
        "management.ssl.crl_check",
        "false",
        REVOCATION,
        "As in ssl_options.",
        |typed, setting| typed.management_tls.note("crl_check", setting),
    ),
    Key::obeyed(
        "management.ssl.crl_cache.hash_dir.path",
        "",
        Kind::Text,
        "As in ssl_options.",
        |typed, setting| typed.management_tls.note("crl_cache.hash_dir.path", setting),
    ),
    Key::obeyed("management.ssl.sni.*", "", Kind::Text, "As in ssl_options.", |typed, setting| {
        typed.management_tls.note(&format!("sni.{}", setting.capture()), setting);
    }),
    Key::inert(
        "management.ssl.{client_renegotiation,secure_renegotiate}",
        NO_RENEGOTIATION,
        "As in ssl_options.",
    ),
    Key::inert("management.ssl.honor_ecc_order", OWN_TLS, "As in ssl_options."),
    Key::later("management.ssl.*", "", Kind::Text, "Details of the HTTP API's sockets."),
    Key::obeyed(
        "prometheus.ssl.port",
        "",
        Kind::PORT,
        "Port of the metrics over TLS, 15691 in RabbitMQ.",
        |typed, setting| {
            typed.prometheus_tls_port = setting.number();
            typed.prometheus_tls.ask("prometheus.ssl.port", setting);
        },
    ),
    Key::obeyed(
        "prometheus.ssl.ip",
        "",
        Kind::Ip,
        "Its address. Without it that is every interface.",
        |typed, setting| typed.prometheus_tls_ip = setting.value.to_address().and_then(|a| a.host),
    ),
    Key::obeyed(
        "prometheus.ssl.{cacertfile,certfile,keyfile,password}",
        "",
        Kind::Text,
        "As in ssl_options. Without a certfile of their own metrics have all of ssl_options.",
        |typed, setting| typed.prometheus_tls.note(&setting.capture(), setting),
    ),
    Key::obeyed(
        "prometheus.ssl.verify",
        "verify_none",
        VERIFY,
        "As in ssl_options.",
        |typed, setting| typed.prometheus_tls.note("verify", setting),
    ),
    Key::obeyed(
        "prometheus.ssl.{fail_if_no_peer_cert,honor_cipher_order}",
        "false",
        Kind::Boolean,
        "As in ssl_options.",
        |typed, setting| typed.prometheus_tls.note(&setting.capture(), setting),
    ),
    Key::obeyed(
        "prometheus.ssl.depth",
        "1",
        Kind::Number { min: 0, max: 255 },
        "As in ssl_options.",
        |typed, setting| typed.prometheus_tls.note("depth", setting),
    ),
    Key::obeyed(
        "prometheus.ssl.versions.<N>",
        "",
        VERSION,
        "As in ssl_options.",
        |typed, setting| {
            typed.prometheus_tls.note(&format!("versions.{}", setting.capture()), setting);
        },
    ),
    Key::obeyed(
        "prometheus.ssl.ciphers.<N>",
        "",
        Kind::CipherSuite,
        "As in ssl_options.",
        |typed, setting| {
            typed.prometheus_tls.note(&format!("ciphers.{}", setting.capture()), setting);
        },
    ),
    Key::obeyed(
        "prometheus.ssl.crl_check",
        "false",
        REVOCATION,
        "As in ssl_options.",
        |typed, setting| typed.prometheus_tls.note("crl_check", setting),
    ),
    Key::obeyed(
        "prometheus.ssl.crl_cache.hash_dir.path",
        "",
        Kind::Text,
        "As in ssl_options.",
        |typed, setting| typed.prometheus_tls.note("crl_cache.hash_dir.path", setting),
    ),
    Key::obeyed("prometheus.ssl.sni.*", "", Kind::Text, "As in ssl_options.", |typed, setting| {
        typed.prometheus_tls.note(&format!("sni.{}", setting.capture()), setting);
    }),
];
