//! Passwords: how a hash is made, and whether a password is the one it was made of. How hashes are
//! kept is in `definitions`.

use argon2::{Algorithm, Argon2, Params, Version};
use base64::Engine;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use md5::Md5;
use sha2::{Digest, Sha256, Sha512};
use subtle::ConstantTimeEq;

use crate::definitions::{HashingAlgorithm, PasswordHash};
use crate::limits::ARGON2_COSTS_MAX;

/// Bytes of salt in front of the digest, as in RabbitMQ.
const SALT_SIZE: usize = 4;

/// Bytes of salt of a hash of Argon2, and of its digest.
const ARGON2_SALT_SIZE: usize = 16;
const ARGON2_DIGEST_SIZE: usize = 32;

/// KiB of memory that a new hash of Argon2 takes, and passes over it: OWASP names no less.
const ARGON2_COSTS: [u32; 2] = [19 * 1024, 2];

/// What a hash of Argon2 begins with, as all libraries write it.
const ARGON2_HEAD: &str = "$argon2id$v=19$";

impl PasswordHash {
    /// The hash of a new password, with a salt that nobody can tell beforehand.
    #[must_use]
    pub fn new(algorithm: HashingAlgorithm, password: &[u8], salt: [u8; ARGON2_SALT_SIZE]) -> Self {
        let bytes = match algorithm {
            HashingAlgorithm::Argon2id => argon2_text(password, salt).unwrap_or_default(),
            HashingAlgorithm::Sha256 | HashingAlgorithm::Sha512 | HashingAlgorithm::Md5 => {
                let salt = salt.get(..SALT_SIZE).unwrap_or_default();
                [salt, &digest(algorithm, salt, password)].concat()
            }
        };
        Self { algorithm, bytes }
    }

    /// Whether it was made of this password. A blank password proves nothing, and what is no hash
    /// is nobody's. It takes the same time wherever the first difference is.
    #[must_use]
    pub fn is_of(&self, password: &[u8]) -> bool {
        if self.algorithm == HashingAlgorithm::Argon2id {
            return !password.is_empty() && is_argon2_of(&self.bytes, password) == Some(true);
        }
        let Some((salt, expected)) = self.bytes.split_first_chunk::<SALT_SIZE>() else {
            return false;
        };
        let digest = digest(self.algorithm, salt, password);
        !password.is_empty() && bool::from(digest.ct_eq(expected))
    }

    /// To tell whether a password is right takes long enough that others should not wait for it.
    #[must_use]
    pub fn is_slow(&self) -> bool {
        self.algorithm.is_slow()
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
        // It is no digest of this shape, and equals none.
        HashingAlgorithm::Argon2id => Vec::new(),
    }
}

fn argon2_text(password: &[u8], salt: [u8; ARGON2_SALT_SIZE]) -> Option<Vec<u8>> {
    let [memory, passes] = ARGON2_COSTS;
    let digest = argon2_digest([memory, passes, 1], &salt, password, ARGON2_DIGEST_SIZE)?;
    let [salt, digest] = [&salt[..], &digest].map(|bytes| STANDARD_NO_PAD.encode(bytes));
    let text = format!("{ARGON2_HEAD}m={memory},t={passes},p=1${salt}${digest}");
    Some(text.into_bytes())
}

/// Whether the hash is of this password; none where it is no hash, or one that costs too much.
fn is_argon2_of(hash: &[u8], password: &[u8]) -> Option<bool> {
    let text = std::str::from_utf8(hash).ok()?.strip_prefix(ARGON2_HEAD)?;
    let (costs, rest) = text.split_once('$')?;
    let (salt, digest) = rest.split_once('$')?;
    let mut costs = ["m=", "t=", "p="].into_iter().zip(costs.split(','));
    let mut cost = || costs.next().and_then(|(name, text)| text.strip_prefix(name)?.parse().ok());
    let costs @ [memory, passes, lanes] = [cost()?, cost()?, cost()?];
    let [memory_max, passes_max] = ARGON2_COSTS_MAX;
    if memory > memory_max || passes > passes_max || lanes != 1 {
        return None;
    }
    let salt = STANDARD_NO_PAD.decode(salt).ok()?;
    let expected = STANDARD_NO_PAD.decode(digest).ok()?;
    let digest = argon2_digest(costs, &salt, password, ARGON2_DIGEST_SIZE)?;
    Some(bool::from(digest.ct_eq(&expected)))
}

fn argon2_digest(
    [memory, passes, lanes]: [u32; 3],
    salt: &[u8],
    password: &[u8],
    size: usize,
) -> Option<Vec<u8>> {
    let params = Params::new(memory, passes, lanes, Some(size)).ok()?;
    let argon2 = Argon2::new(Algorithm::Argon2id, Version::V0x13, params);
    let mut digest = vec![0; size];
    argon2.hash_password_into(password, salt, &mut digest).ok()?;
    Some(digest)
}

#[cfg(test)]
mod tests {
    use base64::Engine;
    use base64::engine::general_purpose::STANDARD;

    use super::*;

    fn hash(algorithm: HashingAlgorithm, base64: &str) -> PasswordHash {
        PasswordHash { algorithm, bytes: STANDARD.decode(base64).unwrap() }
    }

    fn sha256(password: &str, [a, b, c, d]: [u8; 4]) -> PasswordHash {
        let mut salt = [9; 16];
        salt[..4].copy_from_slice(&[a, b, c, d]);
        PasswordHash::new(HashingAlgorithm::Sha256, password.as_bytes(), salt)
    }

    #[test]
    fn argon2_is_of_its_password_only_and_says_how_it_was_made() {
        let new =
            |password: &[u8]| PasswordHash::new(HashingAlgorithm::Argon2id, password, [7; 16]);
        let hash = new(b"secret");
        let text = std::str::from_utf8(&hash.bytes).unwrap();
        assert!(text.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{text}");
        assert!(hash.is_slow() && hash.is_of(b"secret"));
        assert!(!hash.is_of(b"secre") && !hash.is_of(b""));
        assert!(!new(b"").is_of(b""));
    }

    /// Who writes a hash into a definitions file must not take all memory with it.
    #[test]
    fn argon2_of_another_cost_proves_nothing() {
        let greedy = "$argon2id$v=19$m=4194304,t=2,p=1$c2FsdHNhbHQ$aGFzaGhhc2hoYXNoaGFzaA";
        for bytes in [greedy.as_bytes(), b"$argon2id$", b"", &[0xFF; 40]] {
            let hash =
                PasswordHash { algorithm: HashingAlgorithm::Argon2id, bytes: bytes.to_vec() };
            assert!(!hash.is_of(b"secret"));
        }
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
        let hash = sha256("pässword", [1, 2, 3, 4]);
        assert_eq!(hash.algorithm, HashingAlgorithm::Sha256);
        assert_eq!((hash.bytes.len(), &hash.bytes[..4]), (36, &[1, 2, 3, 4][..]));
        assert!(hash.is_of("pässword".as_bytes()));
        assert!(!hash.is_of(b"password"));
        assert_ne!(hash, sha256("pässword", [1, 2, 3, 5]));
    }

    #[test]
    fn what_is_no_hash_is_of_no_password() {
        let good = sha256("a", [0; 4]);
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
        assert!(!sha256("", [0; 4]).is_of(b""));
    }
}
