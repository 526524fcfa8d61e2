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
