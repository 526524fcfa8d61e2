//! TLS to a node whose HTTP API is asked over https: whom the tool believes, and who it is.

use std::fs;
use std::path::Path;
use std::sync::Arc;

use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, aws_lc_rs, verify_tls12_signature, verify_tls13_signature};
use rustls::{ClientConfig, DigitallySignedStruct, Error, RootCertStore, SignatureScheme};
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};

use super::failure::Failure;

/// What names a file with the authorities that this machine believes, as OpenSSL has it.
const AUTHORITIES_VARIABLE: &str = "SSL_CERT_FILE";

/// Where systems keep them: Debian, Fedora, openSUSE, Alpine and BSD.
const AUTHORITIES: [&str; 5] = [
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/ca-bundle.pem",
    "/etc/ssl/cert.pem",
    "/usr/local/share/certs/ca-root-nss.crt",
];

/// What was typed of TLS.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct TlsWish {
    /// The file of the authorities that are believed, instead of those of the system.
    pub(super) authorities: Option<String>,
    /// The file of the tool's own certificate.
    pub(super) certificate: Option<String>,
    /// The file of its key.
    pub(super) key: Option<String>,
    /// Whoever answers is believed.
    pub(super) is_insecure: bool,
}

impl TlsWish {
    /// Nothing was said.
    pub(super) fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// What is made of it.
    pub(super) fn config(
        &self,
        environment: impl Fn(&str) -> Option<String>,
    ) -> Result<Arc<ClientConfig>, Failure> {
        let provider = Arc::new(aws_lc_rs::default_provider());
        let refused = |error: Error| Failure::Unavailable(error.to_string());
        let builder = ClientConfig::builder_with_provider(provider.clone())
            .with_safe_default_protocol_versions()
            .map_err(refused)?;
        let builder = if self.is_insecure {
            let anybody = Arc::new(Anybody(provider));
            builder.dangerous().with_custom_certificate_verifier(anybody)
        } else {
            let roots = Arc::new(self.roots(environment)?);
            let verifier = WebPkiServerVerifier::builder_with_provider(roots, provider).build();
            let verifier =
                verifier.map_err(|error| Failure::Unavailable(format!("--ca-file: {error}")))?;
            builder.with_webpki_verifier(verifier)
        };
        let config = match (&self.certificate, &self.key) {
            (None, None) => builder.with_no_client_auth(),
            (Some(certificate), Some(key)) => {
                let chain = certificates("--certificate", certificate)?;
                builder.with_client_auth_cert(chain, private_key(key)?).map_err(refused)?
            }
            _ => return Err(Failure::Usage("--certificate and --key go together".to_owned())),
        };
        Ok(Arc::new(config))
    }

    fn roots(
        &self,
        environment: impl Fn(&str) -> Option<String>,
    ) -> Result<RootCertStore, Failure> {
        let named = self.authorities.clone().map(|path| ("--ca-file", path));
        let of_variable = || Some((AUTHORITIES_VARIABLE, environment(AUTHORITIES_VARIABLE)?));
        let of_system = || {
            let found = AUTHORITIES.iter().find(|path| Path::new(path).exists())?;
            Some(("the system", (*found).to_owned()))
        };
        let (source, path) = named.or_else(of_variable).or_else(of_system).ok_or_else(|| {
            Failure::Data("this system has no file of authorities: give --ca-file".to_owned())
        })?;
        let mut roots = RootCertStore::empty();
        let (added, _) = roots.add_parsable_certificates(certificates(source, &path)?);
        match added {
            0 => Err(Failure::Data(format!("{source}: no certificate of an authority in {path}"))),
            _ => Ok(roots),
        }
    }
}

fn certificates(source: &str, path: &str) -> Result<Vec<CertificateDer<'static>>, Failure> {
    let bytes = read(source, path)?;
    let found: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&bytes).collect();
    let found = found.ok().filter(|found| !found.is_empty());
    found.ok_or_else(|| Failure::Data(format!("{source}: no certificates in PEM in {path}")))
}

fn private_key(path: &str) -> Result<PrivateKeyDer<'static>, Failure> {
    let bytes = read("--key", path)?;
    PrivateKeyDer::from_pem_slice(&bytes)
        .map_err(|_| Failure::Data(format!("--key: no private key in PEM in {path}")))
}

fn read(source: &str, path: &str) -> Result<Vec<u8>, Failure> {
    fs::read(path).map_err(|error| Failure::Data(format!("{source}: cannot read {path}: {error}")))
}

/// Believes whoever answers, as `--insecure` says. That it has the key to what it shows is checked.
#[derive(Debug)]
struct Anybody(Arc<CryptoProvider>);

impl ServerCertVerifier for Anybody {
    fn verify_server_cert(
        &self,
        _end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &self.0.signature_verification_algorithms;
        verify_tls12_signature(message, certificate, signature, algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &self.0.signature_verification_algorithms;
        verify_tls13_signature(message, certificate, signature, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}

#[cfg(test)]
mod tests {
    use rcgen::{CertificateParams, KeyPair};
    use tempfile::{TempDir, tempdir};

    use super::*;

    /// A folder with `own.pem` and `own.key`.
    fn folder() -> TempDir {
        let folder = tempdir().unwrap();
        let key = KeyPair::generate().unwrap();
        let params = CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
        let certificate = params.self_signed(&key).unwrap();
        fs::write(folder.path().join("own.pem"), certificate.pem()).unwrap();
        fs::write(folder.path().join("own.key"), key.serialize_pem()).unwrap();
        folder
    }

    #[test]
    fn a_file_that_is_named_has_to_hold_what_it_is_for() {
        let folder = folder();
        let file = |name: &str| Some(folder.path().join(name).display().to_string());
        let wish = |authorities: &str, certificate: Option<&str>, key: Option<&str>| TlsWish {
            authorities: file(authorities),
            certificate: certificate.and_then(file),
            key: key.and_then(file),
            is_insecure: false,
        };
        assert!(wish("own.pem", Some("own.pem"), Some("own.key")).config(|_| None).is_ok());
        for (wish, status, part) in [
            (wish("none.pem", None, None), 65, "--ca-file: cannot read"),
            (wish("own.key", None, None), 65, "--ca-file: no certificates in PEM"),
            (wish("own.pem", Some("own.pem"), None), 64, "--certificate and --key go together"),
            (wish("own.pem", Some("own.pem"), Some("own.pem")), 65, "--key: no private key"),
        ] {
            let failure = wish.config(|_| None).unwrap_err();
            assert!(failure.code() == status && failure.text().contains(part), "{failure}");
        }
    }

    #[test]
    fn a_variable_says_where_the_authorities_are_where_no_flag_does() {
        let folder = folder();
        let path = folder.path().join("own.pem").display().to_string();
        let environment = |name: &str| (name == AUTHORITIES_VARIABLE).then(|| path.clone());
        let roots = TlsWish::default().roots(environment).unwrap();
        assert_eq!(roots.len(), 1);
    }
}
