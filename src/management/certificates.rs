//! `/api/health/checks/certificate-expiration`: whether a certificate of a listener, or of the
//! authorities that it knows, runs out soon. When that is, the node finds out.

use axum::extract::State;
use axum::response::Response;
use serde_json::{Value, json};

use super::api::Shared;
use super::caller::Caller;
use super::health::{failed, ok};
use super::names::Names;
use super::node_facts::ListenerFacts;
use super::refusal::Refusal;
use super::tls::TlsOffer;
use crate::auth::CertificateEnd;

/// Tells the certificates of all listeners.
pub type Certificates = Box<dyn Fn() -> Vec<ListenerCertificates> + Send + Sync>;

/// Until when the certificates of a listener are good.
#[derive(Clone, Debug)]
pub struct ListenerCertificates {
    /// The listener.
    pub listener: ListenerFacts,
    /// The file of its own.
    pub own_file: String,
    /// Of its own.
    pub own: Vec<CertificateEnd>,
    /// Its own in PEM.
    pub own_text: String,
    /// The file of those of authorities.
    pub authorities_file: Option<String>,
    /// Of authorities.
    pub authorities: Vec<CertificateEnd>,
    /// Of authorities, in PEM.
    pub authorities_text: Option<String>,
    /// What the operator wrote of it, by RabbitMQ's names, without what is secret.
    pub options: Vec<(&'static str, String)>,
    /// What the listener has to agree on.
    pub offer: TlsOffer,
}

/// Units of time, in seconds, as RabbitMQ counts them.
const UNITS: [(&str, i64); 4] =
    [("days", 86_400), ("weeks", 604_800), ("months", 2_592_000), ("years", 31_536_000)];

pub(super) async fn check(
    State(api): State<Shared>,
    _caller: Caller,
    Names((within, unit)): Names<(String, String)>,
) -> Result<Response, Refusal> {
    let Some((_, unit)) = UNITS.iter().find(|(name, _)| *name == unit) else {
        let units = "Supported units: days, weeks, months, years.";
        return Err(Refusal::bad(format!("Time unit not recognised. {units}")));
    };
    let within: u32 = within.parse().map_err(|_| Refusal::bad("Invalid expiration value."))?;
    let now = i64::try_from((api.options.clock)().0 / 1000).unwrap_or(i64::MAX);
    let until = now.saturating_add(i64::from(within).saturating_mul(*unit));
    let certificates = (api.options.certificates)();
    let node = &api.options.node;
    let expiring: Vec<Value> =
        certificates.iter().filter_map(|found| expiring(found, until, node)).collect();
    Ok(match expiring.is_empty() {
        true => ok(),
        false => failed("Certificates expiring", json!({"expired": expiring})),
    })
}

/// What of a listener runs out until then.
fn expiring(found: &ListenerCertificates, until: i64, node: &str) -> Option<Value> {
    let due = |ends: &[CertificateEnd]| -> Vec<String> {
        ends.iter().filter(|end| end.seconds <= until).map(|end| end.shown.clone()).collect()
    };
    let (own, authorities) = (due(&found.own), due(&found.authorities));
    (!own.is_empty() || !authorities.is_empty()).then(|| {
        json!({
            "node": node,
            "protocol": found.listener.protocol_name(),
            "interface": found.listener.place.host(),
            "port": found.listener.place.port(),
            "certfile": found.own_file,
            "cacertfile": found.authorities_file,
            "certfile_expires_on": own,
            "cacertfile_expires_on": authorities,
        })
    })
}
