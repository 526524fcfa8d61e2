//! What an operator wants of TLS, and what is wrong with it. What is made of it is in `tls`.

use std::fmt;
use std::path::PathBuf;

/// How one door is encrypted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TlsOptions {
    /// What the keys begin with that say so.
    pub prefix: String,
    /// Who the door is for those who ask for nobody, or for somebody whom it does not know.
    pub identity: TlsIdentity,
    /// Who it is for those who ask for a host.
    pub hosts: Vec<(String, TlsIdentity)>,
    /// Certificates of authorities, by which those of clients are checked.
    pub authorities: Option<PathBuf>,
    /// What is asked of clients.
    pub client: ClientCheck,
    /// Whether certificates of clients may have been revoked.
    pub revocation: Option<RevocationCheck>,
    /// How many certificates may stand between a client's and that of an authority.
    pub depth: usize,
    /// TLS 1.2 is spoken.
    pub speaks_1_2: bool,
    /// TLS 1.3 is spoken.
    pub speaks_1_3: bool,
    /// Names of cipher suites, the best first; none means all.
    pub suites: Vec<String>,
    /// Of what both know the door chooses, not the client.
    pub chooses: bool,
}

/// Who a door is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TlsIdentity {
    /// Its certificate, and those that lead from it to an authority.
    pub certificate: PathBuf,
    /// The key to it.
    pub key: PathBuf,
    /// The password of the key.
    pub password: Option<String>,
}

/// What is asked of clients.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ClientCheck {
    /// Nothing.
    #[default]
    Nothing,
    /// A certificate that they have is checked.
    Certificate,
    /// They must have one.
    OwnCertificate,
}

/// How it is found out whether certificates of clients were revoked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RevocationCheck {
    /// The folder with the lists of authorities.
    pub folder: PathBuf,
    /// Which certificates are looked up.
    pub extent: RevocationExtent,
}

/// Which certificates are looked up in the lists, and what becomes of those that are in none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RevocationExtent {
    /// All on the way to an authority. Whose list is missing or old is not let in.
    Chain,
    /// The client's own, as strictly.
    Own,
    /// All; where a list is missing it is let in.
    BestEffort,
}

/// What cannot be done as the operator wants it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TlsError {
    /// The host whose identity it is about.
    pub host: Option<String>,
    /// Which option is wrong, by its key's last word.
    pub option: &'static str,
    /// What is wrong with it.
    pub message: String,
}

impl TlsError {
    pub(super) fn new(option: &'static str, message: impl fmt::Display) -> Self {
        Self { host: None, option, message: message.to_string() }
    }

    pub(super) fn of_host(self, host: &str) -> Self {
        Self { host: Some(host.to_owned()), ..self }
    }

    /// The words of the key that is wrong, behind those that all keys of a door begin with.
    #[must_use]
    pub fn words(&self) -> String {
        match &self.host {
            Some(host) => format!("sni.{host}.{}", self.option),
            None => self.option.to_owned(),
        }
    }
}

impl fmt::Display for TlsError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}: {}", self.words(), self.message)
    }
}

impl std::error::Error for TlsError {}
