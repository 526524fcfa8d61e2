//! How a connection is encrypted, as the door tells the broker. It is agreed before a session
//! begins and holds as long as that lives.

use crate::auth::PeerCertificate;

/// What was agreed on, in RabbitMQ's words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Encryption {
    /// The version of TLS.
    pub protocol: &'static str,
    /// What the bytes are encrypted with.
    pub cipher: &'static str,
    /// What shows that they are whole.
    pub hash: &'static str,
    /// How the key was agreed on.
    pub key_exchange: &'static str,
    /// What the client showed of itself.
    pub certificate: Option<PeerCertificate>,
}

impl Encryption {
    /// What is told of it, under RabbitMQ's names; what is not there is an empty text.
    #[must_use]
    pub fn told(encryption: Option<&Self>) -> [(&'static str, &str); 7] {
        let agreed = |part: fn(&Self) -> &str| encryption.map_or("", part);
        let certificate = encryption.and_then(|found| found.certificate.as_ref());
        let shown = |part: fn(&PeerCertificate) -> &str| certificate.map_or("", part);
        [
            ("ssl_protocol", agreed(|found| found.protocol)),
            ("ssl_cipher", agreed(|found| found.cipher)),
            ("ssl_hash", agreed(|found| found.hash)),
            ("ssl_key_exchange", agreed(|found| found.key_exchange)),
            ("peer_cert_subject", shown(|found| &found.subject)),
            ("peer_cert_issuer", shown(|found| &found.issuer)),
            ("peer_cert_validity", shown(|found| &found.validity)),
        ]
    }
}
