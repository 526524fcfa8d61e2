//! TLS as it was typed, for one door, and what is meant by it. All files are read here once, so
//! that what is wrong with one is told with the key that names it.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use super::TlsConfig;
use super::errors::{ConfigError, Origin, Warning};
use super::keys::Setting;
use super::resolve::{Typed, sorted};
use crate::server::{
    ClientCheck, RevocationCheck, RevocationExtent, Tls, TlsError, TlsIdentity, TlsOptions,
};

/// How long a handshake may take: RabbitMQ's default.
const HANDSHAKE_MS: u64 = 5000;

/// What was typed for one door.
#[derive(Clone, Debug, Default)]
pub struct TypedTls {
    /// By the last words of their keys.
    options: BTreeMap<String, Setting>,
    /// The key by which the door is encrypted at all.
    asked: Option<(String, Origin)>,
}

/// What is found out on the way.
#[derive(Debug, Default)]
pub struct Findings {
    pub errors: Vec<ConfigError>,
    pub warnings: Vec<Warning>,
}

impl Findings {
    /// Doors that share their options find the same.
    fn say_once(&mut self) {
        keep_first(&mut self.errors);
        keep_first(&mut self.warnings);
    }
}

fn keep_first<T: Clone + PartialEq>(all: &mut Vec<T>) {
    let mut first: Vec<T> = Vec::new();
    for one in all.drain(..) {
        if !first.contains(&one) {
            first.push(one);
        }
    }
    *all = first;
}

impl TypedTls {
    pub fn note(&mut self, option: &str, setting: &Setting) {
        self.options.insert(option.to_owned(), setting.clone());
    }

    pub fn clear(&mut self) {
        self.options.clear();
    }

    /// A key asks for the door.
    pub fn ask(&mut self, key: &str, setting: &Setting) {
        self.asked = Some((key.to_owned(), setting.origin.clone()));
    }

    /// What is meant, where somebody asks for it. A door without a certificate has the options of
    /// another: `otherwise`, whose keys begin differently.
    pub fn resolve(
        &self,
        prefix: &str,
        otherwise: Option<(&str, &Self)>,
        findings: &mut Findings,
    ) -> Option<TlsOptions> {
        let (key, origin) = self.asked.as_ref()?;
        let has_own = self.options.contains_key("certfile");
        let (prefix, typed) = otherwise.filter(|_| !has_own).unwrap_or((prefix, self));
        let section = Section { prefix, options: &typed.options, asked: (key, origin) };
        section.resolve(findings)
    }
}

impl Typed {
    /// What each door wants of TLS. Where one has no certificate of its own, that of AMQP serves.
    pub(super) fn tls(&self, findings: &mut Findings) -> TlsConfig {
        let common = Some(("ssl_options", &self.tls));
        let is_listened_on = !sorted(self.tls_listeners.clone()).is_empty();
        let amqp = is_listened_on.then(|| self.tls.resolve("ssl_options", None, findings));
        let tls = TlsConfig {
            amqp: amqp.flatten(),
            management: self.management_tls.resolve("management.ssl", common, findings),
            metrics: self.prometheus_tls.resolve("prometheus.ssl", common, findings),
            handshake_ms: self.tls_handshake_ms.unwrap_or(HANDSHAKE_MS),
        };
        findings.say_once();
        tls
    }
}

/// The options of one door, and where they stand.
struct Section<'a> {
    prefix: &'a str,
    options: &'a BTreeMap<String, Setting>,
    asked: (&'a str, &'a Origin),
}

impl Section<'_> {
    fn resolve(&self, findings: &mut Findings) -> Option<TlsOptions> {
        let count = findings.errors.len();
        let identity = self.identity("", findings);
        let hosts = self.hosts(findings);
        let versions = self.versions(findings);
        let revocation = self.revocation(findings);
        if findings.errors.len() > count {
            return None;
        }
        let options = TlsOptions {
            prefix: self.prefix.to_owned(),
            identity: identity?,
            hosts,
            authorities: self.text("cacertfile").map(PathBuf::from),
            client: self.client(findings),
            revocation,
            depth: self.options.get("depth").and_then(Setting::number).unwrap_or(1),
            speaks_1_2: versions.is_empty() || versions.iter().any(|name| name == "tlsv1.2"),
            speaks_1_3: versions.is_empty() || versions.iter().any(|name| name == "tlsv1.3"),
            suites: self.numbered("ciphers").into_iter().map(|(_, name, _)| name).collect(),
            chooses: self.boolean("honor_cipher_order"),
        };
        match Tls::load(options.clone(), Duration::ZERO) {
            Ok(_) => Some(options),
            Err(error) => {
                findings.errors.push(self.error(error));
                None
            }
        }
    }

    fn text(&self, option: &str) -> Option<String> {
        self.options.get(option)?.text()
    }

    fn boolean(&self, option: &str) -> bool {
        self.options.get(option).and_then(Setting::boolean) == Some(true)
    }

    /// Options with a number, in the order of the numbers.
    fn numbered(&self, option: &str) -> Vec<(u64, String, &Setting)> {
        let found = self.options.iter().filter_map(|(name, setting)| {
            let (family, number) = name.split_once('.')?;
            let number = number.parse().unwrap_or(u64::MAX);
            (family == option).then_some((number, setting.text()?, setting))
        });
        let mut found: Vec<_> = found.collect();
        found.sort_by_key(|(number, ..)| *number);
        found
    }

    /// The certificate and key under some words.
    fn identity(&self, words: &str, findings: &mut Findings) -> Option<TlsIdentity> {
        let mut path = |option: &str| {
            let found = self.text(&format!("{words}{option}")).map(PathBuf::from);
            if found.is_none() {
                let key = format!("{}.{words}{option}", self.prefix);
                findings.errors.push(self.missing(&key));
            }
            found
        };
        let (certificate, key) = (path("certfile"), path("keyfile"));
        let password = self.text(&format!("{words}password"));
        Some(TlsIdentity { certificate: certificate?, key: key?, password })
    }

    fn missing(&self, key: &str) -> ConfigError {
        let (asked, origin) = self.asked;
        ConfigError {
            origin: origin.clone(),
            key: Some(asked.to_owned()),
            message: format!("expected {key} as well, the path of a file in PEM"),
        }
    }

    fn hosts(&self, findings: &mut Findings) -> Vec<(String, TlsIdentity)> {
        let mut hosts: Vec<&str> = Vec::new();
        for (name, setting) in self.options {
            let Some(name) = name.strip_prefix("sni.") else { continue };
            match name.rsplit_once('.') {
                Some((host, "certfile" | "keyfile" | "password")) if !host.is_empty() => {
                    if hosts.last() != Some(&host) {
                        hosts.push(host);
                    }
                }
                _ => findings.errors.push(ConfigError {
                    origin: setting.origin.clone(),
                    key: Some(format!("{}.sni.{name}", self.prefix)),
                    message: "expected certfile, keyfile or password behind a host".to_owned(),
                }),
            }
        }
        let identity =
            |host: &str| Some((host.to_owned(), self.identity(&format!("sni.{host}."), findings)?));
        hosts.into_iter().filter_map(identity).collect()
    }

    /// Versions that can be spoken. Naming none is all; naming only others is a mistake.
    fn versions(&self, findings: &mut Findings) -> Vec<String> {
        let (spoken, old): (Vec<_>, Vec<_>) = self
            .numbered("versions")
            .into_iter()
            .partition(|(_, name, _)| matches!(&**name, "tlsv1.3" | "tlsv1.2"));
        for (number, name, setting) in old {
            let key = format!("{}.versions.{number}", self.prefix);
            let origin = setting.origin.clone();
            match spoken.is_empty() {
                true => findings.errors.push(ConfigError {
                    origin,
                    key: Some(key),
                    message: format!("expected tlsv1.3 or tlsv1.2: {name} is never spoken"),
                }),
                false => {
                    let message = format!("has no meaning here: {name} is never spoken");
                    findings.warnings.push(Warning { origin, key, message });
                }
            }
        }
        spoken.into_iter().map(|(_, name, _)| name).collect()
    }

    fn client(&self, findings: &mut Findings) -> ClientCheck {
        let checks = self.text("verify").as_deref() == Some("verify_peer");
        match (checks, self.boolean("fail_if_no_peer_cert")) {
            (true, true) => ClientCheck::OwnCertificate,
            (true, false) => ClientCheck::Certificate,
            (false, demands) => {
                if let Some(setting) = self.options.get("fail_if_no_peer_cert").filter(|_| demands)
                {
                    findings.warnings.push(Warning {
                        origin: setting.origin.clone(),
                        key: format!("{}.fail_if_no_peer_cert", self.prefix),
                        message: format!(
                            "has no meaning without {}.verify = verify_peer",
                            self.prefix
                        ),
                    });
                }
                ClientCheck::Nothing
            }
        }
    }

    /// Whether certificates of clients may have been revoked. Lists are not fetched: they have to
    /// lie somewhere.
    fn revocation(&self, findings: &mut Findings) -> Option<RevocationCheck> {
        let setting = self.options.get("crl_check")?;
        let extent = match setting.text().as_deref() {
            Some("true") => RevocationExtent::Chain,
            Some("peer") => RevocationExtent::Own,
            Some("best_effort") => RevocationExtent::BestEffort,
            _ => return None,
        };
        let (prefix, origin) = (self.prefix, setting.origin.clone());
        if self.text("verify").as_deref() != Some("verify_peer") {
            let message = format!("has no meaning without {prefix}.verify = verify_peer");
            let key = format!("{prefix}.crl_check");
            findings.warnings.push(Warning { origin, key, message });
            return None;
        }
        let Some(folder) = self.text("crl_cache.hash_dir.path").map(PathBuf::from) else {
            findings.errors.push(ConfigError {
                origin,
                key: Some(format!("{prefix}.crl_check")),
                message: format!(
                    "expected {prefix}.crl_cache.hash_dir.path as well, a folder with revocation \
                     lists: they are not fetched"
                ),
            });
            return None;
        };
        Some(RevocationCheck { folder, extent })
    }

    /// An error with the place of the key that it is about.
    fn error(&self, error: TlsError) -> ConfigError {
        let option = error.words();
        let numbered = format!("{option}.");
        let place =
            self.options.iter().find(|(name, _)| **name == option || name.starts_with(&numbered));
        let origin = place.map_or(self.asked.1, |(_, setting)| &setting.origin).clone();
        let key = Some(format!("{}.{option}", self.prefix));
        ConfigError { origin, key, message: error.message }
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::Path;

    use base64::Engine;
    use base64::engine::general_purpose::STANDARD;
    use pkcs8::PrivateKeyInfo;
    use pkcs8::pkcs5::pbes2::Parameters;
    use rcgen::{CertificateParams, KeyPair};
    use tempfile::{TempDir, tempdir};

    use super::super::load::{Source, resolve};
    use super::super::{Config, ConfigErrors, Warning};
    use super::*;
    use crate::node::command_line::Serve;

    /// A folder with `own.pem`, `own.key`, `other.key` and `locked.key`, whose password is `hush`.
    fn folder() -> TempDir {
        let folder = tempdir().unwrap();
        let write = |name: &str, text: &str| fs::write(folder.path().join(name), text).unwrap();
        let (own, other) = (KeyPair::generate().unwrap(), KeyPair::generate().unwrap());
        let params = CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
        write("own.pem", &params.self_signed(&own).unwrap().pem());
        write("own.key", &own.serialize_pem());
        write("other.key", &other.serialize_pem());
        write("old.key", "-----BEGIN RSA PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\n");
        let der = own.serialize_der();
        let plain = PrivateKeyInfo::try_from(&*der).unwrap();
        let locks = Parameters::pbkdf2_sha256_aes256cbc(10, b"saltsalt", &[7; 16]).unwrap();
        let locked = plain.encrypt_with_params(locks, "hush").unwrap();
        let encoded = STANDARD.encode(locked.as_bytes());
        let kind = "ENCRYPTED PRIVATE KEY";
        write("locked.key", &format!("-----BEGIN {kind}-----\n{encoded}\n-----END {kind}-----\n"));
        folder
    }

    /// Lines with `DIR` in the place of the folder.
    fn load(folder: &Path, text: &str) -> Result<(Config, Vec<Warning>), ConfigErrors> {
        let text = text.replace("DIR", &folder.display().to_string());
        let source = Source { name: "a.conf".to_owned(), text };
        resolve(&[source], std::iter::empty(), &Serve::default(), Vec::new())
    }

    const OWN: &str = "listeners.ssl.default = 5671\nssl_options.certfile = DIR/own.pem\n";

    fn error(lines: &str) -> String {
        let folder = folder();
        let text = load(folder.path(), &format!("{OWN}{lines}")).unwrap_err().to_string();
        text.replace(&folder.path().display().to_string(), "DIR")
    }

    fn options(lines: &str) -> TlsOptions {
        let folder = folder();
        let lines = format!("{OWN}ssl_options.keyfile = DIR/own.key\n{lines}");
        load(folder.path(), &lines).unwrap().0.tls.amqp.unwrap()
    }

    #[test]
    fn without_a_listener_nothing_is_read() {
        let text = "ssl_options.certfile = /nowhere\nssl_options.versions.1 = tlsv1\n";
        let (config, _) = load(Path::new(""), text).unwrap();
        assert_eq!(config.tls.amqp, None);
        let none = format!("{text}listeners.ssl.1 = 5671\nlisteners.ssl = none\n");
        assert_eq!(load(Path::new(""), &none).unwrap().0.tls.amqp, None);
    }

    #[test]
    fn a_listener_names_what_it_needs() {
        assert_eq!(
            error(""),
            "a.conf:1: listeners.ssl.default: expected ssl_options.keyfile as well, the path of a \
             file in PEM"
        );
    }

    /// They were told once for each door.
    #[test]
    fn mistakes_that_doors_share_are_told_once() {
        let doors = "management.ssl.port = 15671\nprometheus.ssl.port = 15691\n";
        let folder = folder();
        let lines = format!("{OWN}ssl_options.keyfile = DIR/other.key\n{doors}");
        let errors = load(folder.path(), &lines).unwrap_err();
        assert_eq!(errors.0.len(), 1, "{errors}");
        let lines = format!("{OWN}ssl_options.keyfile = DIR/own.key\n{doors}");
        let lines = format!("{lines}ssl_options.fail_if_no_peer_cert = true\n");
        let (config, warnings) = load(folder.path(), &lines).unwrap();
        assert_eq!(warnings.len(), 1, "{warnings:?}");
        assert_eq!(config.tls.metrics, config.tls.amqp);
        assert_eq!(config.tls.amqp.unwrap().prefix, "ssl_options");
    }

    #[test]
    fn what_is_wrong_with_a_file_is_told_with_its_key_and_line() {
        for (lines, expected) in [
            (
                "ssl_options.keyfile = DIR/none.key\n",
                "a.conf:3: ssl_options.keyfile: cannot read DIR/none.key: No such file",
            ),
            (
                "ssl_options.keyfile = DIR/own.pem\n",
                "a.conf:3: ssl_options.keyfile: expected a private key in PEM, found none in DIR",
            ),
            (
                "ssl_options.keyfile = DIR/other.key\n",
                "a.conf:3: ssl_options.keyfile: the key in DIR/other.key does not go with certfile",
            ),
            (
                "ssl_options.keyfile = DIR/old.key\n",
                "a.conf:3: ssl_options.keyfile: expected a key in PKCS#8, found an older form",
            ),
            (
                "ssl_options.keyfile = DIR/own.key\nssl_options.certfile = DIR/own.key\n",
                "a.conf:4: ssl_options.certfile: expected certificates in PEM, found none in DIR",
            ),
        ] {
            let text = error(lines);
            assert!(text.starts_with(expected), "{text}");
        }
    }

    #[test]
    fn a_key_that_is_locked_needs_its_password() {
        let locked = "ssl_options.keyfile = DIR/locked.key\n";
        assert_eq!(
            error(locked),
            "a.conf:1: ssl_options.password: expected the password of the private key in \
             DIR/locked.key"
        );
        assert_eq!(
            error(&format!("{locked}ssl_options.password = wrong\n")),
            "a.conf:4: ssl_options.password: it does not open the private key in DIR/locked.key"
        );
        options("ssl_options.keyfile = DIR/locked.key\nssl_options.password = hush\n");
    }

    #[test]
    fn who_wants_revocation_checked_says_where_the_lists_are() {
        let checked = "ssl_options.keyfile = DIR/own.key\nssl_options.verify = verify_peer\n\
                       ssl_options.cacertfile = DIR/own.pem\nssl_options.crl_check = peer\n";
        assert_eq!(
            error(checked),
            "a.conf:6: ssl_options.crl_check: expected ssl_options.crl_cache.hash_dir.path as \
             well, a folder with revocation lists: they are not fetched"
        );
        let lists = "ssl_options.crl_cache.hash_dir.path = DIR";
        assert_eq!(
            error(&format!("{checked}{lists}\n")),
            "a.conf:7: ssl_options.crl_cache.hash_dir.path: expected revocation lists, found none \
             in DIR"
        );
        assert_eq!(
            error(&format!("{checked}{lists}/none\n")),
            "a.conf:7: ssl_options.crl_cache.hash_dir.path: cannot read DIR/none: No such file or \
             directory (os error 2)"
        );
        assert_eq!(options("ssl_options.crl_check = false\n").revocation, None);
        assert_eq!(options("ssl_options.crl_check = true\n").revocation, None, "nobody is asked");
    }

    #[test]
    fn clients_are_checked_by_authorities_or_not_at_all() {
        assert_eq!(options("").client, ClientCheck::Nothing);
        let text = error("ssl_options.keyfile = DIR/own.key\nssl_options.verify = verify_peer\n");
        assert!(text.starts_with("a.conf:4: ssl_options.verify: expected cacertfile"), "{text}");
        let checked = "ssl_options.verify = verify_peer\nssl_options.cacertfile = DIR/own.pem\n";
        let checked = options(checked);
        assert_eq!((checked.client, checked.depth), (ClientCheck::Certificate, 1));
        let demanded = "ssl_options.verify = verify_peer\nssl_options.cacertfile = DIR/own.pem\n\
                        ssl_options.fail_if_no_peer_cert = true\nssl_options.depth = 3\n";
        let demanded = options(demanded);
        assert_eq!((demanded.client, demanded.depth), (ClientCheck::OwnCertificate, 3));
    }

    #[test]
    fn old_versions_are_passed_over_unless_there_are_no_others() {
        let both = options("");
        assert!(both.speaks_1_2 && both.speaks_1_3);
        let only = options("ssl_options.versions.1 = tlsv1.2\nssl_options.versions.2 = tlsv1.1\n");
        assert!(only.speaks_1_2 && !only.speaks_1_3);
        let text = error("ssl_options.keyfile = DIR/own.key\nssl_options.versions.1 = tlsv1.1\n");
        let expected = "a.conf:4: ssl_options.versions.1: expected tlsv1.3 or tlsv1.2: tlsv1.1 is \
                        never spoken";
        assert_eq!(text, expected);
    }

    #[test]
    fn cipher_suites_stand_in_the_order_of_their_numbers_and_must_be_known() {
        let lines = "ssl_options.ciphers.10 = TLS_AES_128_GCM_SHA256\n\
                     ssl_options.ciphers.2 = ECDHE-ECDSA-AES256-GCM-SHA384\n";
        let suites = options(lines).suites;
        assert_eq!(suites, ["ECDHE-ECDSA-AES256-GCM-SHA384", "TLS_AES_128_GCM_SHA256"]);
        let text = error("ssl_options.ciphers.1 = RC4-SHA\n");
        assert!(
            text.contains("a.conf:3: ssl_options.ciphers.1: expected a cipher suite"),
            "{text}"
        );
        assert!(text.contains("found `RC4-SHA`"), "{text}");
        let text = error(
            "ssl_options.keyfile = DIR/own.key\nssl_options.versions.1 = tlsv1.3\n\
             ssl_options.ciphers.1 = ECDHE-RSA-AES256-GCM-SHA384\n",
        );
        assert!(text.starts_with("a.conf:5: ssl_options.ciphers: none of them"), "{text}");
    }

    #[test]
    fn a_host_may_have_a_certificate_of_its_own() {
        let lines = "ssl_options.sni.a.example.certfile = DIR/own.pem\n\
                     ssl_options.sni.a.example.keyfile = DIR/locked.key\n\
                     ssl_options.sni.a.example.password = hush\n";
        let hosts = options(lines).hosts;
        assert_eq!(hosts.len(), 1);
        assert_eq!(hosts[0].0, "a.example");
        let own = "ssl_options.keyfile = DIR/own.key\n";
        let text = error(&format!("{own}ssl_options.sni.a.example.keyfile = DIR/own.key\n"));
        assert!(text.contains("expected ssl_options.sni.a.example.certfile as well"), "{text}");
        let text = error(&format!("{own}ssl_options.sni.a.example = DIR/own.key\n"));
        assert!(text.contains("expected certfile, keyfile or password behind a host"), "{text}");
    }

    #[test]
    fn a_door_without_a_certificate_of_its_own_has_that_of_amqp() {
        let folder = folder();
        let keys = "management.ssl.port = 15671\nprometheus.ssl.port = 15691\n\
                    ssl_options.certfile = DIR/own.pem\nssl_options.keyfile = DIR/own.key\n\
                    management.ssl.verify = verify_peer\n";
        let (config, _) = load(folder.path(), keys).unwrap();
        assert_eq!(config.tls.amqp, None, "it listens nowhere");
        assert_eq!(config.tls.management, config.tls.metrics);
        let own = "prometheus.ssl.port = 15691\nprometheus.ssl.certfile = DIR/own.pem\n";
        let text = load(folder.path(), own).unwrap_err().to_string();
        let expected = "a.conf:1: prometheus.ssl.port: expected prometheus.ssl.keyfile as well";
        assert!(text.starts_with(expected), "{text}");
    }

    #[test]
    fn what_has_no_effect_is_told() {
        let folder = folder();
        let lines = format!(
            "{OWN}ssl_options.keyfile = DIR/own.key\nssl_options.fail_if_no_peer_cert = true\n\
             ssl_options.versions.1 = tlsv1.2\nssl_options.versions.2 = tlsv1.1\n\
             ssl_options.client_renegotiation = false\n"
        );
        let (_, warnings) = load(folder.path(), &lines).unwrap();
        let warnings: Vec<String> = warnings.iter().map(ToString::to_string).collect();
        assert_eq!(
            warnings,
            [
                "a.conf:7: ssl_options.client_renegotiation has no meaning here: nothing is \
                 negotiated twice",
                "a.conf:6: ssl_options.versions.2 has no meaning here: tlsv1.1 is never spoken",
                "a.conf:4: ssl_options.fail_if_no_peer_cert has no meaning without \
                 ssl_options.verify = verify_peer",
            ]
        );
    }
}
