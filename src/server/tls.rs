//! TLS of one door: its certificates, which can be read anew while it is open, and the handshake
//! with who comes. What was agreed before holds on for those who are inside.

use std::collections::BTreeMap;
use std::io::{self, ErrorKind};
use std::path::PathBuf;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use rustls::crypto::{CryptoProvider, aws_lc_rs};
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use rustls::{
    ProtocolVersion, ServerConfig, SupportedCipherSuite, SupportedProtocolVersion, version,
};
use rustls_pki_types::CertificateDer;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

use super::cipher_suites::{CipherSuiteName, Suite};
use super::tls_options::{TlsError, TlsIdentity, TlsOptions};
use super::{cipher_suites, client_verifier, tls_files};
use crate::auth::{CertificateEnd, CertificateLogin, PeerCertificate};
use crate::broker::Encryption;

/// TLS of one door.
#[derive(Debug)]
pub struct Tls {
    options: TlsOptions,
    patience: Duration,
    loaded: RwLock<Arc<Loaded>>,
}

/// What was read last.
#[derive(Debug)]
struct Loaded {
    config: Arc<ServerConfig>,
    ends: CertificateEnds,
    offer: TlsOffer,
}

/// What a door has to agree on with who comes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TlsOffer {
    /// Versions by Erlang's names, the newest first.
    pub versions: Vec<&'static str>,
    /// Suites that its certificates serve for, the best first.
    pub suites: Vec<CipherSuiteName>,
}

/// Until when the certificates of a door are good.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CertificateEnds {
    /// The file with its own.
    pub own_file: PathBuf,
    /// Of its own, and of those of its hosts.
    pub own: Vec<CertificateEnd>,
    /// Its own in PEM, and those that lead from it to an authority.
    pub own_text: String,
    /// The file with those of authorities.
    pub authorities_file: Option<PathBuf>,
    /// Of authorities.
    pub authorities: Vec<CertificateEnd>,
    /// They in PEM.
    pub authorities_text: Option<String>,
}

impl Tls {
    /// Reads all that the options name. A handshake may take as long as `patience`.
    ///
    /// # Errors
    /// A file is not there or holds something else, or the options fit nothing.
    pub fn load(options: TlsOptions, patience: Duration) -> Result<Self, TlsError> {
        let loaded = RwLock::new(Arc::new(Loaded::read(&options)?));
        Ok(Self { options, patience, loaded })
    }

    /// Reads all of it anew, for who comes from now on. Where that fails, nothing changes.
    ///
    /// # Errors
    /// As for `load`.
    pub fn reload(&self) -> Result<(), TlsError> {
        let loaded = Arc::new(Loaded::read(&self.options)?);
        *self.loaded.write().unwrap_or_else(PoisonError::into_inner) = loaded;
        Ok(())
    }

    /// Until when its certificates are good.
    #[must_use]
    pub fn ends(&self) -> CertificateEnds {
        self.loaded().ends.clone()
    }

    /// What can be agreed on.
    #[must_use]
    pub fn offer(&self) -> TlsOffer {
        self.loaded().offer.clone()
    }

    /// What was asked for.
    #[must_use]
    pub fn options(&self) -> &TlsOptions {
        &self.options
    }

    fn loaded(&self) -> Arc<Loaded> {
        self.loaded.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The handshake.
    pub(super) async fn shake_hands<Stream>(&self, stream: Stream) -> io::Result<TlsStream<Stream>>
    where
        Stream: AsyncRead + AsyncWrite + Unpin,
    {
        let acceptor = TlsAcceptor::from(self.loaded().config.clone());
        let shaken = tokio::time::timeout(self.patience, acceptor.accept(stream)).await;
        shaken.unwrap_or_else(|_| Err(io::Error::new(ErrorKind::TimedOut, "handshake timeout")))
    }
}

/// What was agreed on in a handshake.
pub(super) fn agreed<Stream>(stream: &TlsStream<Stream>, login: CertificateLogin) -> Encryption {
    let (_, connection) = stream.get_ref();
    let suite = connection.negotiated_cipher_suite().and_then(cipher_suites::of);
    let shown = connection.peer_certificates().and_then(<[_]>::first);
    Encryption {
        protocol: match connection.protocol_version() {
            Some(ProtocolVersion::TLSv1_2) => "tlsv1.2",
            _ => "tlsv1.3",
        },
        cipher: suite.map_or("unknown", |suite| suite.cipher),
        // Every suite that is spoken shows by its cipher that bytes are whole.
        hash: "aead",
        key_exchange: suite.map_or("unknown", |suite| suite.key_exchange),
        certificate: shown.and_then(|certificate| PeerCertificate::read(certificate, login)),
    }
}

impl Loaded {
    fn read(options: &TlsOptions) -> Result<Self, TlsError> {
        let provider = Arc::new(provider(options)?);
        let builder = ServerConfig::builder_with_provider(provider.clone())
            .with_protocol_versions(&versions(options))
            .map_err(|_| {
                TlsError::new("ciphers", "none of them is of a version that is offered")
            })?;
        let builder = match client_verifier::of(options, &provider)? {
            Some(verifier) => builder.with_client_cert_verifier(verifier),
            None => builder.with_no_client_auth(),
        };
        let mut identities = Identities::read(options, &provider)?;
        let authorities = match &options.authorities {
            Some(path) => Some(tls_files::certificates("cacertfile", path)?),
            None => None,
        };
        let ends = CertificateEnds {
            own_file: options.identity.certificate.clone(),
            own: std::mem::take(&mut identities.ends),
            own_text: tls_files::text(&identities.own.cert),
            authorities_file: options.authorities.clone(),
            authorities: authorities.as_deref().map(ends).unwrap_or_default(),
            authorities_text: authorities.as_deref().map(tls_files::text),
        };
        let offer = TlsOffer {
            versions: version_names(options),
            suites: identities.suites(&provider, options),
        };
        let mut config = builder.with_cert_resolver(Arc::new(identities));
        config.ignore_client_order = options.chooses;
        Ok(Self { config: Arc::new(config), ends, offer })
    }
}

fn provider(options: &TlsOptions) -> Result<CryptoProvider, TlsError> {
    let mut provider = aws_lc_rs::default_provider();
    if options.suites.is_empty() {
        return Ok(provider);
    }
    let suite = |name: &String| {
        let found = cipher_suites::named(name).map(|suite| suite.suite);
        found.ok_or_else(|| TlsError::new("ciphers", format!("no cipher suite {name} is spoken")))
    };
    provider.cipher_suites = options.suites.iter().map(suite).collect::<Result<_, _>>()?;
    Ok(provider)
}

fn versions(options: &TlsOptions) -> Vec<&'static SupportedProtocolVersion> {
    let versions = [(options.speaks_1_3, &version::TLS13), (options.speaks_1_2, &version::TLS12)];
    versions.into_iter().filter_map(|(is_spoken, version)| is_spoken.then_some(version)).collect()
}

fn version_names(options: &TlsOptions) -> Vec<&'static str> {
    let names = [(options.speaks_1_3, "tlsv1.3"), (options.speaks_1_2, "tlsv1.2")];
    names.into_iter().filter_map(|(is_spoken, name)| is_spoken.then_some(name)).collect()
}

fn ends(certificates: &[CertificateDer<'_>]) -> Vec<CertificateEnd> {
    certificates.iter().filter_map(|certificate| CertificateEnd::read(certificate)).collect()
}

/// Who a door is, by the host that it is asked for.
#[derive(Debug)]
struct Identities {
    own: Arc<CertifiedKey>,
    /// In small letters; one that begins with `*.` stands for every host below it.
    hosts: BTreeMap<String, Arc<CertifiedKey>>,
    ends: Vec<CertificateEnd>,
}

impl Identities {
    fn read(options: &TlsOptions, provider: &CryptoProvider) -> Result<Self, TlsError> {
        let own = certified(&options.identity, provider)?;
        let mut ends = ends(&own.cert);
        let mut hosts = BTreeMap::new();
        for (host, identity) in &options.hosts {
            let key = certified(identity, provider).map_err(|error| error.of_host(host))?;
            ends.extend(self::ends(&key.cert));
            hosts.insert(host.to_ascii_lowercase(), Arc::new(key));
        }
        Ok(Self { own: Arc::new(own), hosts, ends })
    }

    /// The suites that some of the keys serve for: before 1.3 each is for keys of one kind.
    fn suites(&self, provider: &CryptoProvider, options: &TlsOptions) -> Vec<CipherSuiteName> {
        let keys = || std::iter::once(&self.own).chain(self.hosts.values());
        let serves = |suite: &SupportedCipherSuite| match suite {
            SupportedCipherSuite::Tls13(_) => options.speaks_1_3,
            SupportedCipherSuite::Tls12(suite) => {
                let mut keys = keys();
                options.speaks_1_2 && keys.any(|key| key.key.choose_scheme(suite.sign).is_some())
            }
        };
        let suites = provider.cipher_suites.iter().copied().filter(serves);
        suites.filter_map(cipher_suites::of).map(Suite::name).collect()
    }
}

fn certified(identity: &TlsIdentity, provider: &CryptoProvider) -> Result<CertifiedKey, TlsError> {
    let chain = tls_files::certificates("certfile", &identity.certificate)?;
    let key = tls_files::key(&identity.key, identity.password.as_deref())?;
    let wrong = |error| {
        let path = identity.key.display();
        TlsError::new("keyfile", format!("the key in {path} does not go with certfile: {error}"))
    };
    CertifiedKey::from_der(chain, key, provider).map_err(wrong)
}

impl ResolvesServerCert for Identities {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        let found = hello.server_name().and_then(|name| {
            let name = name.to_ascii_lowercase();
            let above = name.split_once('.').map(|(_, rest)| format!("*.{rest}"));
            self.hosts.get(&name).or_else(|| self.hosts.get(&above?))
        });
        Some(found.unwrap_or(&self.own).clone())
    }
}
