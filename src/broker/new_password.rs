//! Passwords that users are to have: which they may be, and the hashes that are kept of them.
//! Whether a login has the right one is asked in `login`; what takes long waits in
//! `password_checks`.

use tracing::info;

use super::declaration::DeclarationRefused;
use super::lock::lock;
use super::shared::Broker;
use crate::definitions::PasswordHash;

impl Broker {
    /// The hash of a new password. The user's own stays where it is of this password already.
    pub fn hash_password(&self, user: &str, password: &str) -> PasswordHash {
        self.known_hash(user, password).unwrap_or_else(|| self.new_hash(password))
    }

    /// The hash that a user has, where it is of this password and made as new ones are. One that
    /// takes long to make is not asked.
    pub(super) fn known_hash(&self, user: &str, password: &str) -> Option<PasswordHash> {
        let known = self.node_definitions().user(user)?.password.clone();
        let is_as_new = known.algorithm == self.options.hashing_algorithm && !known.is_slow();
        (is_as_new && known.is_of(password.as_bytes())).then_some(known)
    }

    /// A hash of a password that no user has yet.
    pub fn new_hash(&self, password: &str) -> PasswordHash {
        let algorithm = self.options.hashing_algorithm;
        PasswordHash::new(algorithm, password.as_bytes(), self.draw_salt())
    }

    pub(super) fn draw_salt(&self) -> [u8; 16] {
        let mut random = lock(&self.random);
        let salt = (u128::from(random.draw()) << 64) | u128::from(random.draw());
        salt.to_be_bytes()
    }

    /// Whether a new user may have this password.
    ///
    /// # Errors
    /// It may not: RabbitMQ's words.
    pub fn check_password(&self, password: &str) -> Result<(), DeclarationRefused> {
        self.options.password_rule.check(password).map_err(|reason| {
            info!(target: "node", "a password is refused: {reason}");
            DeclarationRefused::BadPassword
        })
    }
}

#[cfg(test)]
mod tests {
    use super::super::options::BrokerOptions;
    use super::*;

    #[test]
    fn a_password_that_is_set_again_keeps_its_hash() {
        let broker = Broker::new(BrokerOptions::default(), [1, 2]).unwrap();
        let known = broker.node_definitions().user("guest").unwrap().password.clone();
        assert_eq!(broker.hash_password("guest", "guest"), known);
        assert_ne!(broker.hash_password("guest", "other"), known);
        assert_ne!(broker.hash_password("new", "guest"), known, "the salt is another");
    }
}
