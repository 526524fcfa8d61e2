//! Environment variables as settings: `LEVERET_` and a key in capitals, with underscores for dots
//! and dashes. `LEVERET_LISTENERS_TCP_DEFAULT=5672` is `listeners.tcp.default = 5672`.

use super::{
    errors::{ConfigError, Origin},
    keys::{self, pattern},
};

const PREFIX: &str = "LEVERET_";

/// What a variable means for the configuration.
#[derive(Debug, PartialEq, Eq)]
pub enum Meaning {
    /// It is none of ours.
    Nothing,
    /// It sets this key.
    Key(Vec<String>),
}

/// The variables of this process. What is no Unicode is replaced, not passed over: a key's value
/// is then refused where its kind can tell.
pub fn of_process() -> impl Iterator<Item = (String, String)> {
    let lossy = |text: std::ffi::OsString| text.to_string_lossy().into_owned();
    std::env::vars_os().map(move |(name, value)| (lossy(name), lossy(value)))
}

/// Finds the key that a variable sets. A variable with our prefix that sets none is an error, as
/// an unknown key in a file is.
///
/// # Errors
/// When no key, or more than one, has that name in capitals.
pub fn meaning(variable: &str) -> Result<Meaning, ConfigError> {
    let Some(name) = variable.strip_prefix(PREFIX) else {
        return Ok(Meaning::Nothing);
    };
    // These belong to the project's own tests, and to `leveret ctl`.
    if name == "REGENERATE" || name.starts_with("TEST_") || name.starts_with("CTL_") {
        return Ok(Meaning::Nothing);
    }
    let mut found: Vec<(usize, Vec<String>)> = keys::all()
        .flat_map(keys::Key::names)
        .filter_map(|key| Some((pattern::specificity(key), pattern::key_of_variable(key, name)?)))
        .collect();
    found.sort_by_key(|(specificity, _)| std::cmp::Reverse(*specificity));
    let most = found.first().map(|(specificity, _)| *specificity);
    found.retain(|(specificity, _)| Some(*specificity) == most);
    let mut found = found.into_iter().map(|(_, key)| key);
    match (found.next(), found.next()) {
        (None, _) => Err(error(variable, unknown(variable))),
        (Some(key), None) => Ok(Meaning::Key(key)),
        (Some(one), Some(other)) => Err(error(variable, ambiguous(&one, &other))),
    }
}

/// The variable that sets a key.
#[must_use]
pub fn variable_of(key: &str) -> String {
    format!("{PREFIX}{}", key.to_ascii_uppercase().replace(['.', '-'], "_"))
}

fn unknown(variable: &str) -> String {
    let spellings = keys::all()
        .flat_map(keys::Key::names)
        .flat_map(|key| pattern::spellings(key, &[]))
        .map(|(key, known_letters)| (variable_of(&key), known_letters));
    match keys::nearest_of(variable, spellings) {
        Some(nearest) => format!("no key has this name; did you mean {nearest}?"),
        None => "no key has this name".to_owned(),
    }
}

fn ambiguous(one: &[String], other: &[String]) -> String {
    format!("it may mean {} or {}: use --set or a file", one.join("."), other.join("."))
}

fn error(variable: &str, message: String) -> ConfigError {
    ConfigError { origin: Origin::Variable { name: variable.to_owned() }, key: None, message }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(variable: &str) -> String {
        match meaning(variable).unwrap() {
            Meaning::Key(key) => key.join("."),
            Meaning::Nothing => String::new(),
        }
    }

    #[test]
    fn a_variable_names_its_key() {
        for (variable, expected) in [
            ("LEVERET_HEARTBEAT", "heartbeat"),
            ("LEVERET_LISTENERS_TCP", "listeners.tcp"),
            ("LEVERET_LISTENERS_TCP_DEFAULT", "listeners.tcp.default"),
            ("LEVERET_LOG_CONSOLE_LEVEL", "log.console.level"),
            ("LEVERET_LOG_QUEUE_LEVEL", "log.queue.level"),
            ("LEVERET_AUTH_BACKENDS_1_AUTHZ", "auth_backends.1.authz"),
            ("LEVERET_LOOPBACK_USERS_GUEST", "loopback_users.guest"),
            ("LEVERET_CHANNEL_MAX", "channel_max"),
        ] {
            assert_eq!(key(variable), expected);
        }
    }

    #[test]
    fn variables_of_others_and_of_the_tests_are_left_alone() {
        for variable in ["PATH", "RABBITMQ_NODE_PORT", "LEVERET_REGENERATE", "LEVERET_CTL_URL"] {
            assert_eq!(meaning(variable), Ok(Meaning::Nothing), "{variable}");
        }
    }

    #[test]
    fn a_variable_without_a_key_is_an_error_that_names_it() {
        let error = meaning("LEVERET_HEARTBEET").unwrap_err();
        assert_eq!(
            error.to_string(),
            "LEVERET_HEARTBEET: no key has this name; did you mean LEVERET_HEARTBEAT?"
        );
        let error = meaning("LEVERET_ENTIRELY_DIFFERENT").unwrap_err();
        assert_eq!(error.to_string(), "LEVERET_ENTIRELY_DIFFERENT: no key has this name");
        assert!(meaning("LEVERET_").is_err());
    }

    #[test]
    fn every_exact_key_can_be_set_by_a_variable_of_its_own() {
        for name in keys::all().flat_map(keys::Key::names).filter(|name| pattern::is_exact(name)) {
            assert_eq!(key(&variable_of(name)), name);
        }
    }

    #[test]
    fn an_ambiguous_variable_says_what_it_may_mean() {
        let text = ambiguous(&["a_b".to_owned()], &["a".to_owned(), "b".to_owned()]);
        assert_eq!(text, "it may mean a_b or a.b: use --set or a file");
    }
}
