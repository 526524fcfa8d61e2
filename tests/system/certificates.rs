//! Certificates that are made for one test, and a client of TLS that believes them.

use std::fs;
use std::io;
use std::net::{SocketAddr, TcpStream};
use std::path::PathBuf;
use std::sync::Arc;

use rcgen::{
    BasicConstraints, CertificateParams, CertificateRevocationListParams, CertifiedIssuer, DnType,
    IsCa, KeyIdMethod, KeyPair, KeyUsagePurpose, RevokedCertParams, SerialNumber, date_time_ymd,
};
use rustls::crypto::aws_lc_rs;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{
    ClientConfig, ClientConnection, RootCertStore, StreamOwned, SupportedProtocolVersion,
};
use tempfile::{TempDir, tempdir};

use crate::process::PATIENCE;

/// An authority with a folder, in which what it gives out lies as NAME.pem and NAME.key, its own
/// certificate as ca.pem.
pub(crate) struct Authority {
    issuer: CertifiedIssuer<'static, KeyPair>,
    folder: TempDir,
}

/// A client's end of a connection.
pub(crate) type TlsStream = StreamOwned<ClientConnection, TcpStream>;

impl Authority {
    pub(crate) fn new() -> Self {
        let mut params = CertificateParams::default();
        params.distinguished_name.push(DnType::CommonName, "hare authority");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        let issuer = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
        let folder = tempdir().unwrap();
        fs::write(folder.path().join("ca.pem"), issuer.as_ref().pem()).unwrap();
        Self { issuer, folder }
    }

    pub(crate) fn file(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Gives out a certificate for a host, whose common name is `name`; its bytes come back.
    pub(crate) fn issue(&self, name: &str, host: &str) -> Vec<u8> {
        let mut params = CertificateParams::new(vec![host.to_owned()]).unwrap();
        params.distinguished_name.push(DnType::CommonName, name);
        params.serial_number = Some(serial_number(name));
        let key = KeyPair::generate().unwrap();
        let certificate = params.signed_by(&key, &self.issuer).unwrap();
        fs::write(self.file(&format!("{name}.pem")), certificate.pem()).unwrap();
        fs::write(self.file(&format!("{name}.key")), key.serialize_pem()).unwrap();
        certificate.der().to_vec()
    }

    /// Writes a list of what it has revoked, which holds until this year.
    pub(crate) fn revoke(&self, names: &[&str], until: i32) {
        let revoked = names.iter().map(|name| RevokedCertParams {
            serial_number: serial_number(name),
            revocation_time: date_time_ymd(2020, 1, 2),
            reason_code: None,
            invalidity_date: None,
        });
        let params = CertificateRevocationListParams {
            this_update: date_time_ymd(2020, 1, 2),
            next_update: date_time_ymd(until, 1, 2),
            crl_number: SerialNumber::from(1),
            issuing_distribution_point: None,
            revoked_certs: revoked.collect(),
            key_identifier_method: KeyIdMethod::Sha256,
        };
        let list = params.signed_by(&self.issuer).unwrap();
        fs::create_dir_all(self.file("lists")).unwrap();
        fs::write(self.file("lists").join("revoked.pem"), list.pem().unwrap()).unwrap();
    }

    /// The flags of a broker that has `server`'s certificate.
    pub(crate) fn flags(&self) -> Vec<String> {
        let file = |option: &str, name: &str| {
            format!("ssl_options.{option}={}", self.file(name).display())
        };
        let sets = [
            "listeners.ssl.default=127.0.0.1:0".to_owned(),
            file("cacertfile", "ca.pem"),
            file("certfile", "server.pem"),
            file("keyfile", "server.key"),
        ];
        ["--listen", "127.0.0.1:0"].map(str::to_owned).into_iter().chain(with(sets)).collect()
    }

    /// A client of some versions that believes this authority, and shows a certificate.
    pub(crate) fn client(
        &self,
        versions: &[&'static SupportedProtocolVersion],
        shows: Option<&str>,
    ) -> Arc<ClientConfig> {
        let mut roots = RootCertStore::empty();
        roots.add(self.issuer.as_ref().der().clone()).unwrap();
        let builder = ClientConfig::builder_with_provider(aws_lc_rs::default_provider().into())
            .with_protocol_versions(versions)
            .unwrap()
            .with_root_certificates(roots);
        Arc::new(match shows {
            None => builder.with_no_client_auth(),
            Some(name) => {
                let file = |end: &str| self.file(&format!("{name}.{end}"));
                let chain = vec![CertificateDer::from_pem_file(file("pem")).unwrap()];
                let key = PrivateKeyDer::from_pem_file(file("key")).unwrap();
                builder.with_client_auth_cert(chain, key).unwrap()
            }
        })
    }
}

/// Its name says which certificate it is.
fn serial_number(name: &str) -> SerialNumber {
    SerialNumber::from_slice(name.as_bytes())
}

/// As flags.
pub(crate) fn with(sets: impl IntoIterator<Item = String>) -> Vec<String> {
    sets.into_iter().flat_map(|set| ["--set".to_owned(), set]).collect()
}

/// A socket to there, and what it is asked for.
pub(crate) fn plug(address: SocketAddr) -> TcpStream {
    let stream = TcpStream::connect_timeout(&address, PATIENCE).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream.set_write_timeout(Some(PATIENCE)).unwrap();
    stream.set_nodelay(true).unwrap();
    stream
}

/// The handshake over a socket.
pub(crate) fn shake_hands(
    mut stream: TcpStream,
    config: Arc<ClientConfig>,
    host: &str,
) -> io::Result<TlsStream> {
    let name = ServerName::try_from(host.to_owned()).unwrap();
    let mut connection = ClientConnection::new(config, name).unwrap();
    while connection.is_handshaking() {
        connection.complete_io(&mut stream)?;
    }
    Ok(StreamOwned::new(connection, stream))
}
