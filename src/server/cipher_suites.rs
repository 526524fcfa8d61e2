//! The cipher suites that are spoken, under the names by which operators and RabbitMQ know them.

use rustls::SupportedCipherSuite;
use rustls::crypto::aws_lc_rs::cipher_suite;

/// A suite and its names.
#[derive(Debug)]
pub(super) struct Suite {
    pub(super) suite: SupportedCipherSuite,
    /// As it is registered, and as OpenSSL calls it.
    names: [&'static str; 2],
    /// What RabbitMQ calls its cipher.
    pub(super) cipher: &'static str,
    /// What RabbitMQ calls how its key is agreed on.
    pub(super) key_exchange: &'static str,
}

/// All of them.
static SUITES: [Suite; 9] = [
    Suite {
        suite: cipher_suite::TLS13_AES_256_GCM_SHA384,
        names: ["TLS_AES_256_GCM_SHA384", "TLS_AES_256_GCM_SHA384"],
        cipher: "aes_256_gcm",
        key_exchange: "any",
    },
    Suite {
        suite: cipher_suite::TLS13_AES_128_GCM_SHA256,
        names: ["TLS_AES_128_GCM_SHA256", "TLS_AES_128_GCM_SHA256"],
        cipher: "aes_128_gcm",
        key_exchange: "any",
    },
    Suite {
        suite: cipher_suite::TLS13_CHACHA20_POLY1305_SHA256,
        names: ["TLS_CHACHA20_POLY1305_SHA256", "TLS_CHACHA20_POLY1305_SHA256"],
        cipher: "chacha20_poly1305",
        key_exchange: "any",
    },
    Suite {
        suite: cipher_suite::TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384,
        names: ["TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384", "ECDHE-ECDSA-AES256-GCM-SHA384"],
        cipher: "aes_256_gcm",
        key_exchange: "ecdhe_ecdsa",
    },
    Suite {
        suite: cipher_suite::TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256,
        names: ["TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256", "ECDHE-ECDSA-AES128-GCM-SHA256"],
        cipher: "aes_128_gcm",
        key_exchange: "ecdhe_ecdsa",
    },
    Suite {
        suite: cipher_suite::TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256,
        names: ["TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256", "ECDHE-ECDSA-CHACHA20-POLY1305"],
        cipher: "chacha20_poly1305",
        key_exchange: "ecdhe_ecdsa",
    },
    Suite {
        suite: cipher_suite::TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384,
        names: ["TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384", "ECDHE-RSA-AES256-GCM-SHA384"],
        cipher: "aes_256_gcm",
        key_exchange: "ecdhe_rsa",
    },
    Suite {
        suite: cipher_suite::TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256,
        names: ["TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256", "ECDHE-RSA-AES128-GCM-SHA256"],
        cipher: "aes_128_gcm",
        key_exchange: "ecdhe_rsa",
    },
    Suite {
        suite: cipher_suite::TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256,
        names: ["TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256", "ECDHE-RSA-CHACHA20-POLY1305"],
        cipher: "chacha20_poly1305",
        key_exchange: "ecdhe_rsa",
    },
];

/// A suite by its parts, as Erlang names them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CipherSuiteName {
    /// As OpenSSL calls it.
    pub openssl: &'static str,
    /// How its key is agreed on.
    pub key_exchange: &'static str,
    /// What bytes are encrypted with, and shown to be whole.
    pub cipher: &'static str,
    /// What keys are derived with.
    pub hash: &'static str,
}

impl Suite {
    pub(super) fn name(&self) -> CipherSuiteName {
        let [registered, openssl] = self.names;
        let hash = if registered.ends_with("SHA384") { "sha384" } else { "sha256" };
        CipherSuiteName { openssl, key_exchange: self.key_exchange, cipher: self.cipher, hash }
    }
}

/// All that can be spoken, the best first.
pub fn cipher_suites() -> impl Iterator<Item = CipherSuiteName> {
    SUITES.iter().map(Suite::name)
}

/// Whether a suite of this name is spoken.
#[must_use]
pub fn knows_cipher_suite(name: &str) -> bool {
    named(name).is_some()
}

/// The suite of this name.
pub(super) fn named(name: &str) -> Option<&'static Suite> {
    SUITES.iter().find(|suite| suite.names.contains(&name))
}

/// The names of a suite that was agreed on.
pub(super) fn of(agreed: SupportedCipherSuite) -> Option<&'static Suite> {
    SUITES.iter().find(|suite| suite.suite == agreed)
}

#[cfg(test)]
mod tests {
    use rustls::crypto::aws_lc_rs::ALL_CIPHER_SUITES;

    use super::*;

    #[test]
    fn every_suite_has_its_names() {
        for suite in ALL_CIPHER_SUITES {
            assert!(of(*suite).is_some(), "{suite:?}");
        }
    }

    #[test]
    fn a_suite_goes_by_either_name() {
        let names = ["TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384", "ECDHE-RSA-AES256-GCM-SHA384"];
        let [one, other] = names.map(|name| named(name).unwrap().suite);
        assert_eq!(one, other);
        for unknown in ["", "RC4-SHA", "TLS_RSA_WITH_AES_128_CBC_SHA", "aes_256_gcm"] {
            assert!(!knows_cipher_suite(unknown), "{unknown}");
        }
    }
}
