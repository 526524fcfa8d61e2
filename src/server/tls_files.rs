//! Certificates, keys and revocation lists as they lie on disk, in PEM. Each error names the option
//! whose file it is.

use std::ffi::OsStr;
use std::fs;
use std::path::Path;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use pkcs8::EncryptedPrivateKeyInfo;
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{
    CertificateDer, CertificateRevocationListDer, PrivateKeyDer, PrivatePkcs8KeyDer,
};

use super::tls_options::TlsError;

const ENCRYPTED_BEGIN: &str = "-----BEGIN ENCRYPTED PRIVATE KEY-----";
const ENCRYPTED_END: &str = "-----END ENCRYPTED PRIVATE KEY-----";

/// Characters of a line in PEM.
const PEM_WIDTH: usize = 64;

/// How OpenSSL marks a key that it encrypted in its own old way.
const OLD_MARK: &str = "Proc-Type: 4,ENCRYPTED";

/// The certificates in a file, of which there must be one.
pub(super) fn certificates(
    option: &'static str,
    path: &Path,
) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let text = read(option, path)?;
    let certificates: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&text).collect();
    let wrong = || {
        let expected = "expected certificates in PEM";
        TlsError::new(option, format!("{expected}, found none in {}", path.display()))
    };
    certificates.ok().filter(|found| !found.is_empty()).ok_or_else(wrong)
}

/// The revocation lists in the files of a folder, of which there must be one: in PEM, or as they
/// are in files whose names end as OpenSSL's do, in `.r` and a number. Other files are let be.
pub(super) fn revocation_lists(
    option: &'static str,
    folder: &Path,
) -> Result<Vec<CertificateRevocationListDer<'static>>, TlsError> {
    let unread =
        |error| TlsError::new(option, format!("cannot read {}: {error}", folder.display()));
    let mut lists = Vec::new();
    for entry in fs::read_dir(folder).map_err(unread)? {
        let path = entry.map_err(unread)?.path();
        if !path.is_file() {
            continue;
        }
        let bytes = read(option, &path)?;
        let found: Result<Vec<_>, _> =
            CertificateRevocationListDer::pem_slice_iter(&bytes).collect();
        match found {
            Ok(found) if !found.is_empty() => lists.extend(found),
            _ if is_named_as_list(&path) => lists.push(bytes.into()),
            _ => {}
        }
    }
    // One may have two names.
    lists.sort_by(|one, other| one.as_ref().cmp(other.as_ref()));
    lists.dedup();
    if lists.is_empty() {
        let expected = "expected revocation lists, found none in";
        return Err(TlsError::new(option, format!("{expected} {}", folder.display())));
    }
    Ok(lists)
}

fn is_named_as_list(path: &Path) -> bool {
    let ending = path.extension().and_then(OsStr::to_str).and_then(|end| end.strip_prefix('r'));
    ending.is_some_and(|number| number.parse::<u32>().is_ok())
}

/// Certificates as a file would have them.
pub(super) fn text(certificates: &[CertificateDer<'_>]) -> String {
    let mut text = String::new();
    for certificate in certificates {
        text.push_str("-----BEGIN CERTIFICATE-----\n");
        for line in STANDARD.encode(certificate).as_bytes().chunks(PEM_WIDTH) {
            text.push_str(&String::from_utf8_lossy(line));
            text.push('\n');
        }
        text.push_str("-----END CERTIFICATE-----\n");
    }
    text
}

/// The first key in a file.
pub(super) fn key(path: &Path, password: Option<&str>) -> Result<PrivateKeyDer<'static>, TlsError> {
    let bytes = read("keyfile", path)?;
    let text = String::from_utf8_lossy(&bytes);
    if text.contains(OLD_MARK) {
        let advice = "`openssl pkcs8 -topk8` turns it into one";
        return Err(TlsError::new(
            "keyfile",
            format!(
                "expected a key in PKCS#8, found an older form in {}; {advice}",
                path.display()
            ),
        ));
    }
    if let Some(encrypted) = between(&text, ENCRYPTED_BEGIN, ENCRYPTED_END) {
        return decrypted(encrypted, password, path);
    }
    PrivateKeyDer::from_pem_slice(&bytes).map_err(|_| no_key(path))
}

fn no_key(path: &Path) -> TlsError {
    let expected = "expected a private key in PEM";
    TlsError::new("keyfile", format!("{expected}, found none in {}", path.display()))
}

fn decrypted(
    encoded: &str,
    password: Option<&str>,
    path: &Path,
) -> Result<PrivateKeyDer<'static>, TlsError> {
    let wrong =
        |what| TlsError::new("password", format!("{what} the private key in {}", path.display()));
    let password = password.ok_or_else(|| wrong("expected the password of"))?;
    let encoded: String = encoded.split_whitespace().collect();
    let bytes = STANDARD.decode(encoded).map_err(|_| no_key(path))?;
    let encrypted =
        EncryptedPrivateKeyInfo::try_from(bytes.as_slice()).map_err(|_| no_key(path))?;
    let plain = encrypted.decrypt(password).map_err(|_| wrong("it does not open"))?;
    Ok(PrivatePkcs8KeyDer::from(plain.as_bytes().to_vec()).into())
}

fn between<'a>(text: &'a str, begin: &str, end: &str) -> Option<&'a str> {
    let (_, rest) = text.split_once(begin)?;
    rest.split_once(end).map(|(inside, _)| inside)
}

fn read(option: &'static str, path: &Path) -> Result<Vec<u8>, TlsError> {
    let wrong = |error| TlsError::new(option, format!("cannot read {}: {error}", path.display()));
    fs::read(path).map_err(wrong)
}
