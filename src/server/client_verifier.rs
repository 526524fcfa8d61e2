//! Whether a client's certificate is to be believed: rustls decides, by authorities and their lists
//! of what they revoked, but how long the way from it to an authority may be, which rustls does not
//! count.

use std::sync::Arc;

use rustls::client::danger::HandshakeSignatureValid;
use rustls::crypto::CryptoProvider;
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::server::{VerifierBuilderError, WebPkiClientVerifier};
use rustls::{
    CertificateError, DigitallySignedStruct, DistinguishedName, Error, RootCertStore,
    SignatureScheme,
};
use rustls_pki_types::{CertificateDer, UnixTime};

use super::tls_files;
use super::tls_options::{ClientCheck, RevocationExtent, TlsError, TlsOptions};

/// A verifier that counts.
#[derive(Debug)]
struct CountingVerifier {
    inner: Arc<dyn ClientCertVerifier>,
    authorities: Vec<CertificateDer<'static>>,
    depth: usize,
}

/// The verifier that these options ask for; none where clients need no certificate.
pub(super) fn of(
    options: &TlsOptions,
    provider: &Arc<CryptoProvider>,
) -> Result<Option<Arc<dyn ClientCertVerifier>>, TlsError> {
    if options.client == ClientCheck::Nothing {
        return Ok(None);
    }
    let Some(path) = &options.authorities else {
        let message = "expected cacertfile, the certificates of the authorities to check by";
        return Err(TlsError::new("verify", message));
    };
    let authorities = tls_files::certificates("cacertfile", path)?;
    let mut roots = RootCertStore::empty();
    let (added, _) = roots.add_parsable_certificates(authorities.iter().cloned());
    if added == 0 {
        let message = format!("no certificate in {} is one of an authority", path.display());
        return Err(TlsError::new("cacertfile", message));
    }
    let builder = WebPkiClientVerifier::builder_with_provider(roots.into(), provider.clone());
    let builder = match options.client {
        ClientCheck::OwnCertificate => builder,
        ClientCheck::Certificate | ClientCheck::Nothing => builder.allow_unauthenticated(),
    };
    let builder = match &options.revocation {
        None => builder,
        Some(check) => {
            let lists = tls_files::revocation_lists("crl_cache.hash_dir.path", &check.folder)?;
            let builder = builder.with_crls(lists);
            match check.extent {
                RevocationExtent::Chain => builder.enforce_revocation_expiration(),
                RevocationExtent::Own => {
                    builder.only_check_end_entity_revocation().enforce_revocation_expiration()
                }
                RevocationExtent::BestEffort => builder.allow_unknown_revocation_status(),
            }
        }
    };
    let inner = builder.build().map_err(not_built)?;
    Ok(Some(Arc::new(CountingVerifier { inner, authorities, depth: options.depth })))
}

fn not_built(error: VerifierBuilderError) -> TlsError {
    match error {
        VerifierBuilderError::InvalidCrl(_) => TlsError::new("crl_cache.hash_dir.path", error),
        error => TlsError::new("cacertfile", error),
    }
}

impl ClientCertVerifier for CountingVerifier {
    fn offer_client_auth(&self) -> bool {
        self.inner.offer_client_auth()
    }

    fn client_auth_mandatory(&self) -> bool {
        self.inner.client_auth_mandatory()
    }

    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        self.inner.root_hint_subjects()
    }

    fn verify_client_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        // Many clients send the authority's own certificate along, which stands between nothing.
        let between = intermediates.iter().filter(|found| !self.authorities.contains(found));
        if between.count() > self.depth {
            return Err(Error::InvalidCertificate(CertificateError::UnknownIssuer));
        }
        self.inner.verify_client_cert(end_entity, intermediates, now)
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.inner.verify_tls12_signature(message, certificate, signature)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.inner.verify_tls13_signature(message, certificate, signature)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.inner.supported_verify_schemes()
    }
}
