//! What the HTTP API tells of TLS, in its own words. What is spoken, `server` knows.

use std::path::Path;

use crate::management::{CipherSuite, TlsOffer};
use crate::server::{CipherSuiteName, ClientCheck, Tls, cipher_suites};

/// What a door has to agree on.
pub(super) fn offer(tls: &Tls) -> TlsOffer {
    let offer = tls.offer();
    TlsOffer { versions: offer.versions, suites: offer.suites.into_iter().map(suite).collect() }
}

/// What doors could have to agree on.
pub(super) fn spoken() -> TlsOffer {
    TlsOffer { versions: vec!["tlsv1.3", "tlsv1.2"], suites: cipher_suites().map(suite).collect() }
}

/// What the operator wrote, as RabbitMQ shows it: all as texts, lists as Erlang writes them.
pub(super) fn options(tls: &Tls) -> Vec<(&'static str, String)> {
    let options = tls.options();
    let file = |path: &Path| path.display().to_string();
    let authorities = options.authorities.as_deref().map(|path| ("cacertfile", file(path)));
    let verify = match options.client {
        ClientCheck::Nothing => "verify_none",
        ClientCheck::Certificate | ClientCheck::OwnCertificate => "verify_peer",
    };
    let demands = options.client == ClientCheck::OwnCertificate;
    let versions = tls.offer().versions;
    let versions: Vec<String> = versions.iter().map(|name| format!("'{name}'")).collect();
    let all = [
        ("certfile", file(&options.identity.certificate)),
        ("keyfile", file(&options.identity.key)),
        ("verify", verify.to_owned()),
        ("fail_if_no_peer_cert", demands.to_string()),
        ("versions", format!("[{}]", versions.join(","))),
    ];
    authorities.into_iter().chain(all).collect()
}

fn suite(name: CipherSuiteName) -> CipherSuite {
    let CipherSuiteName { openssl, key_exchange, cipher, hash } = name;
    CipherSuite { openssl, key_exchange, cipher, hash }
}
