//! Passwords: how a hash is made, and whether a password is the one it was made of. How hashes are
//! kept is in `definitions`.

use md5::Md5;
use sha2::{Digest, Sha256, Sha512};
use subtle::ConstantTimeEq;

use crate::definitions::{HashingAlgorithm, PasswordHash};

/// Bytes of salt in front of the digest, as in RabbitMQ.
const SALT_SIZE: usize = 4;

impl PasswordHash {
    /// The hash of a new password, with a salt that nobody can tell beforehand.
    #[must_use]
    pub fn new(password: &[u8], salt: [u8; SALT_SIZE]) -> Self {
        let algorithm = HashingAlgorithm::Sha256;
        let bytes = [&salt[..], &digest(algorithm, &salt, password)].concat();
        Self { algorithm, bytes }
    }

    /// Whether it was made of this password. A blank password proves nothing, and what is no hash
    /// is nobody's. It takes the same time wherever the first difference is.
    #[must_use]
    pub fn is_of(&self, password: &[u8]) -> bool {
        let Some((salt, expected)) = self.bytes.split_first_chunk::<SALT_SIZE>() else {
            return false;
        };
        let digest = digest(self.algorithm, salt, password);
        !password.is_empty() && bool::from(digest.ct_eq(expected))
    }
}

fn digest(algorithm: HashingAlgorithm, salt: &[u8], password: &[u8]) -> Vec<u8> {
    fn of<D: Digest>(salt: &[u8], password: &[u8]) -> Vec<u8> {
        D::new().chain_update(salt).chain_update(password).finalize().to_vec()
    }
    match algorithm {
        HashingAlgorithm::Sha256 => of::<Sha256>(salt, password),
        HashingAlgorithm::Sha512 => of::<Sha512>(salt, password),
        HashingAlgorithm::Md5 => of::<Md5>(salt, password),
    }
}

#[cfg(test)]
mod tests {
    use base64::Engine;
    use base64::engine::general_purpose::STANDARD;

    use super::*;

    fn hash(algorithm: HashingAlgorithm, base64: &str) -> PasswordHash {
        PasswordHash { algorithm, bytes: STANDARD.decode(base64).unwrap() }
    }

    #[test]
    fn hashes_of_rabbitmq_are_those_of_their_password() {
        // The first stands in RabbitMQ's documentation of passwords.
        for (algorithm, base64, password) in [
            (
                HashingAlgorithm::Sha256,
                "kI3GCqW5JLMJa4iX1lo7X4D6XbYqlLgxIs30+P6tENUV2POR",
                "test12",
            ),
            (
                HashingAlgorithm::Sha512,
                "kI3GChuNuIYf8lRbCCxZjgjKwsY19ns6+uFO0zcXRBGA/XGJPYD8OWMy7EB8TaOm\
                 AzjP2azv84GbINYwX2cDWb4DHnc=",
                "test12",
            ),
            (HashingAlgorithm::Md5, "kI3GChNpte2FApYFXScl+0dIluk=", "test12"),
        ] {
            let hash = hash(algorithm, base64);
            assert!(hash.is_of(password.as_bytes()), "{}", algorithm.name());
            assert!(!hash.is_of(b"test13") && !hash.is_of(b"test1") && !hash.is_of(b""));
        }
    }

    #[test]
    fn a_new_hash_is_of_its_password_only() {
        let hash = PasswordHash::new("pässword".as_bytes(), [1, 2, 3, 4]);
        assert_eq!(hash.algorithm, HashingAlgorithm::Sha256);
        assert_eq!((hash.bytes.len(), &hash.bytes[..4]), (36, &[1, 2, 3, 4][..]));
        assert!(hash.is_of("pässword".as_bytes()));
        assert!(!hash.is_of(b"password"));
        assert_ne!(hash, PasswordHash::new("pässword".as_bytes(), [1, 2, 3, 5]));
    }

    #[test]
    fn what_is_no_hash_is_of_no_password() {
        let good = PasswordHash::new(b"a", [0; 4]);
        for size in 0..good.bytes.len() {
            let bytes = good.bytes[..size].to_vec();
            let cut = PasswordHash { algorithm: HashingAlgorithm::Sha256, bytes };
            assert!(!cut.is_of(b"a") && !cut.is_of(b""), "{size} bytes");
        }
        let other = PasswordHash { algorithm: HashingAlgorithm::Sha512, ..good };
        assert!(!other.is_of(b"a"));
    }

    #[test]
    fn a_blank_password_proves_nothing() {
        assert!(!PasswordHash::new(b"", [0; 4]).is_of(b""));
    }
}
