//! A password as it is kept: four bytes of salt, then a digest of salt and password, as in
//! RabbitMQ; one of Argon2 is the text that libraries of it agree on. How it is made and compared
//! is the business of `auth`.

use std::fmt;

/// A salted digest of a password. An empty one stands for no password at all.
#[derive(Clone, PartialEq, Eq)]
pub struct PasswordHash {
    /// How the digest was made.
    pub algorithm: HashingAlgorithm,
    /// The salt and the digest.
    pub bytes: Vec<u8>,
}

/// How a password is made a digest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HashingAlgorithm {
    /// What new passwords are hashed with.
    Sha256,
    /// Longer, at the operator's wish.
    Sha512,
    /// From before RabbitMQ 3.6.
    Md5,
    /// Slow to guess, at the operator's wish; RabbitMQ does not know it.
    Argon2id,
}

impl HashingAlgorithm {
    const ALL: [(Self, &'static str); 4] = [
        (Self::Sha256, "rabbit_password_hashing_sha256"),
        (Self::Sha512, "rabbit_password_hashing_sha512"),
        (Self::Md5, "rabbit_password_hashing_md5"),
        (Self::Argon2id, "leveret_password_hashing_argon2id"),
    ];

    /// The algorithm of RabbitMQ's module of this name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|(_, known)| *known == name).map(|(algorithm, _)| algorithm)
    }

    /// RabbitMQ reads hashes that were made so.
    #[must_use]
    pub fn is_rabbitmqs(self) -> bool {
        self != Self::Argon2id
    }

    /// It takes long enough that others should not wait for it.
    #[must_use]
    pub fn is_slow(self) -> bool {
        self == Self::Argon2id
    }

    /// The name of RabbitMQ's module.
    #[must_use]
    pub fn name(self) -> &'static str {
        Self::ALL.into_iter().find(|(known, _)| *known == self).map_or("", |(_, name)| name)
    }
}

impl PasswordHash {
    /// No password proves who has this.
    #[must_use]
    pub fn none() -> Self {
        Self { algorithm: HashingAlgorithm::Sha256, bytes: Vec::new() }
    }
}

/// A hash is worth guessing at: it never enters a log.
impl fmt::Debug for PasswordHash {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shown = if self.bytes.is_empty() { "none" } else { "hidden" };
        write!(formatter, "PasswordHash({}, {shown})", self.algorithm.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn algorithms_have_the_names_of_modules() {
        for (algorithm, name) in HashingAlgorithm::ALL {
            assert_eq!(HashingAlgorithm::from_name(name), Some(algorithm));
            assert_eq!(algorithm.name(), name);
        }
        assert_eq!(HashingAlgorithm::from_name("sha256"), None);
    }

    #[test]
    fn a_hash_is_not_shown() {
        let hash = PasswordHash { algorithm: HashingAlgorithm::Md5, bytes: b"salty".to_vec() };
        assert_eq!(format!("{hash:?}"), "PasswordHash(rabbit_password_hashing_md5, hidden)");
    }
}
