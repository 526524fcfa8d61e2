//! Which passwords new users may have. What a user has already is never looked at again.

use crate::definitions::Pattern;

/// A rule for new passwords, in RabbitMQ's words for what breaks it.
#[derive(Clone, Debug, Default)]
pub enum PasswordRule {
    /// Any that is not blank.
    #[default]
    Any,
    /// So many bytes at least.
    Length(usize),
    /// What an expression finds something in.
    Matching(Pattern),
}

impl PasswordRule {
    /// Whether a password keeps it.
    ///
    /// # Errors
    /// Why it does not.
    pub fn check(&self, password: &str) -> Result<(), String> {
        match self {
            Self::Length(min) if password.len() < *min => {
                Err(format!("minimum required password length is {min}"))
            }
            Self::Matching(pattern) if !pattern.matches(password) => {
                Err("provided password does not match the validator regular expression".to_owned())
            }
            Self::Any | Self::Length(_) | Self::Matching(_) => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rule_lets_those_pass_that_keep_it() {
        assert!(PasswordRule::Any.check("a").is_ok());
        let long = PasswordRule::Length(3);
        assert!(long.check("abc").is_ok());
        assert_eq!(long.check("ab").unwrap_err(), "minimum required password length is 3");
        let digits = PasswordRule::Matching(Pattern::parse("[0-9]").unwrap());
        assert!(digits.check("a1").is_ok() && digits.check("a").is_err());
    }
}
