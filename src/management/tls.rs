//! `/api/leveret/tls`: what the listeners that encrypt have to agree on with who comes, and who
//! they say that they are. It is for monitors; keys are not told.

use axum::extract::State;
use axum::response::Response;
use serde_json::{Value, json};

use super::answer;
use super::api::{Api, Shared};
use super::caller::Caller;
use super::certificates::ListenerCertificates;
use super::operation::Operation;
use super::refusal::Refusal;
use super::routes::Routes;

/// What can be agreed on in a handshake.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TlsOffer {
    /// Versions by Erlang's names, the newest first.
    pub versions: Vec<&'static str>,
    /// Cipher suites, the best first.
    pub suites: Vec<CipherSuite>,
}

/// A cipher suite by its parts, as Erlang names them. What shows that bytes are whole is in the
/// cipher.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CipherSuite {
    /// As OpenSSL calls it.
    pub openssl: &'static str,
    /// How its key is agreed on.
    pub key_exchange: &'static str,
    /// What bytes are encrypted with.
    pub cipher: &'static str,
    /// What keys are derived with.
    pub hash: &'static str,
}

pub(super) fn routes() -> Routes {
    Routes::new()
        .get("/leveret/tls/versions", Operation::all("Versions of TLS"), versions)
        .get("/leveret/tls/cipher-suites", Operation::all("Cipher suites of TLS"), suites)
        .get(
            "/leveret/tls/certificates",
            Operation::all("Certificates of listeners that encrypt"),
            certificates,
        )
}

/// What listeners offer; where none encrypts, what one would.
struct Offered<'a> {
    spoken: &'a TlsOffer,
    listeners: Vec<TlsOffer>,
}

impl<'a> Offered<'a> {
    fn by(api: &'a Api) -> Self {
        let listeners = (api.options.certificates)().into_iter().map(|found| found.offer).collect();
        Self { spoken: &api.options.facts.tls_spoken, listeners }
    }

    fn has(&self, is_in: impl Fn(&TlsOffer) -> bool) -> bool {
        self.listeners.is_empty() || self.listeners.iter().any(is_in)
    }
}

async fn versions(State(api): State<Shared>, caller: Caller) -> Result<Response, Refusal> {
    caller.check_monitor()?;
    let offered = Offered::by(&api);
    let shape = |version: &&str| {
        let is_offered = offered.has(|offer| offer.versions.contains(version));
        json!({"version": version, "offered": is_offered})
    };
    Ok(answer::json(&offered.spoken.versions.iter().map(shape).collect()))
}

async fn suites(State(api): State<Shared>, caller: Caller) -> Result<Response, Refusal> {
    caller.check_monitor()?;
    let offered = Offered::by(&api);
    let shape = |suite: &CipherSuite| {
        json!({
            "name": suite.openssl,
            "key_exchange": suite.key_exchange,
            "cipher": suite.cipher,
            "mac": "aead",
            "prf": suite.hash,
            "offered": offered.has(|offer| offer.suites.contains(suite)),
        })
    };
    Ok(answer::json(&offered.spoken.suites.iter().map(shape).collect()))
}

async fn certificates(State(api): State<Shared>, caller: Caller) -> Result<Response, Refusal> {
    caller.check_monitor()?;
    let found = (api.options.certificates)();
    Ok(answer::json(&found.iter().map(|found| shape(found, &api.options.node)).collect()))
}

fn shape(found: &ListenerCertificates, node: &str) -> Value {
    json!({
        "node": node,
        "protocol": found.listener.protocol_name(),
        "interface": found.listener.place.host(),
        "port": found.listener.place.port(),
        "certfile": found.own_text,
        "cacertfile": found.authorities_text,
    })
}
