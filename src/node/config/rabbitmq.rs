//! Variables of the environment that RabbitMQ's own scripts and images know: what they mean here.
//! Of those without a meaning, the operator hears where something else should have been said; the
//! others are passed over, for other programs of the machine may need them.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::path::{Path, PathBuf};

use super::resolve::Typed;

const NODE_PORT: &str = "RABBITMQ_NODE_PORT";
const NODE_IP_ADDRESS: &str = "RABBITMQ_NODE_IP_ADDRESS";
const NODENAME: &str = "RABBITMQ_NODENAME";

/// Variables that RabbitMQ's image refuses, and what to set instead.
const REFUSED: [(&str, &str); 5] = [
    ("RABBITMQ_DEFAULT_PASS_FILE", "default_pass, which may be $(NAME)"),
    ("RABBITMQ_DEFAULT_USER_FILE", "default_user, which may be $(NAME)"),
    ("RABBITMQ_VM_MEMORY_HIGH_WATERMARK", "vm_memory_high_watermark.relative or .absolute"),
    ("RABBITMQ_SSL_", "keys of ssl_options"),
    ("RABBITMQ_MANAGEMENT_SSL_", "keys of management.ssl"),
];

/// Variables that wish for something, and what has it here.
const UNHEEDED: [(&str, &str, &str); 8] = [
    ("RABBITMQ_ADVANCED_CONFIG_FILE", "advanced.config", "is not read, it is Erlang's"),
    ("RABBITMQ_ENABLED_PLUGINS_FILE", "enabled_plugins", "is not read, what it turns on is here"),
    ("RABBITMQ_MNESIA_BASE", "data_dir", "says where the data is"),
    ("RABBITMQ_MNESIA_DIR", "data_dir", "says where the data is"),
    ("RABBITMQ_QUORUM_DIR", "data_dir", "says where the data is"),
    ("RABBITMQ_STREAM_DIR", "data_dir", "says where the data is"),
    ("RABBITMQ_LOG_BASE", "log.dir", "says where logs are"),
    ("RABBITMQ_LOG", "log.console.level", "and log.file.level say what is logged"),
];

/// Why a variable stops the start.
pub(super) fn refused(variable: &str, value: &str) -> Option<String> {
    let is_meant = |known: &str| match known.ends_with('_') {
        true => variable.starts_with(known),
        false => variable == known,
    };
    let (_, instead) = REFUSED.iter().find(|(known, _)| !value.is_empty() && is_meant(known))?;
    Some(format!("is not heeded, as in RabbitMQ's own image; set {instead} in a file"))
}

/// What says, in a variable's place, what was wished: a key, and that it does.
pub(super) fn unheeded(variable: &str, value: &str) -> Option<(&'static str, &'static str)> {
    let found = UNHEEDED.iter().find(|(known, ..)| !value.is_empty() && *known == variable);
    found.map(|(_, key, message)| (*key, *message))
}

/// The keys that a variable sets, as lines of a file would.
pub(super) fn settings<'a>(variable: &str, value: &'a str) -> Vec<(&'static str, &'a str)> {
    match variable {
        _ if value.is_empty() => Vec::new(),
        "RABBITMQ_DEFAULT_USER" => vec![("default_user", value)],
        "RABBITMQ_DEFAULT_PASS" => vec![("default_pass", value)],
        "RABBITMQ_DEFAULT_VHOST" => vec![("default_vhost", value)],
        "RABBITMQ_LOGS" if matches!(value, "-" | "-stderr") => {
            vec![("log.console", "true"), ("log.file", "false")]
        }
        "RABBITMQ_LOGS" => vec![("log.file", value)],
        "RABBITMQ_PID_FILE" => vec![("pid_file", value)],
        _ => Vec::new(),
    }
}

/// What no key says: how the node is called, and where it listens unless a key says that.
///
/// # Errors
/// What was expected.
pub(super) fn note(variable: &str, value: &str, typed: &mut Typed) -> Result<(), &'static str> {
    match variable {
        _ if value.is_empty() => {}
        NODENAME => typed.node_name = Some(value.to_owned()),
        NODE_PORT => {
            let port = value.parse().map_err(|_| "expected a port from 0 to 65535")?;
            typed.node_port = Some(port);
        }
        NODE_IP_ADDRESS if value == "auto" => typed.node_host = Some(None),
        NODE_IP_ADDRESS => {
            let host: IpAddr = value.parse().map_err(|_| "expected an IP address, or auto")?;
            typed.node_host = Some(Some(host));
        }
        _ => {}
    }
    Ok(())
}

/// The configuration files that variables name: one, and then those of a folder, or those whose
/// names match, as in `/etc/rabbitmq/conf.d/*.conf`.
pub(super) fn files(environment: &BTreeMap<String, String>) -> Vec<PathBuf> {
    let value = |name: &str| environment.get(name).filter(|value| !value.is_empty());
    let one = value("RABBITMQ_CONFIG_FILE").map(|path| with_ending(Path::new(path)));
    let several = value("RABBITMQ_CONFIG_FILES").map(PathBuf::from);
    one.into_iter().chain(several).collect()
}

/// RabbitMQ takes the name with its ending or without.
fn with_ending(path: &Path) -> PathBuf {
    let ends = path.extension().is_some_and(|ending| ending == "conf");
    let mut name = path.as_os_str().to_owned();
    if !ends && !path.is_file() {
        name.push(".conf");
    }
    name.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_variable_that_says_nothing_here_or_is_empty_sets_nothing() {
        for (variable, value) in
            [("RABBITMQ_DEFAULT_USER", ""), ("RABBITMQ_ERLANG_COOKIE", "x"), ("DEFAULT_USER", "x")]
        {
            assert_eq!(settings(variable, value), [], "{variable}");
        }
        let mut typed = Typed::default();
        assert_eq!(note(NODE_PORT, "", &mut typed), Ok(()));
        assert_eq!(typed.node_port, None);
    }

    /// Secrets in files were once passed over, and the user had the password that everybody knows.
    #[test]
    fn variables_that_rabbitmqs_image_refuses_are_refused() {
        for variable in [
            "RABBITMQ_DEFAULT_PASS_FILE",
            "RABBITMQ_VM_MEMORY_HIGH_WATERMARK",
            "RABBITMQ_SSL_CERTFILE",
            "RABBITMQ_MANAGEMENT_SSL_KEYFILE",
        ] {
            assert!(refused(variable, "x").is_some_and(|text| text.contains("set ")), "{variable}");
            assert_eq!(refused(variable, ""), None, "{variable}");
        }
        assert_eq!(refused("RABBITMQ_DEFAULT_PASS", "x"), None);
    }

    #[test]
    fn a_wish_that_is_not_heeded_is_told_with_what_has_it() {
        let told = Some(("data_dir", "says where the data is"));
        assert_eq!(unheeded("RABBITMQ_MNESIA_BASE", "/srv"), told);
        assert_eq!(unheeded("RABBITMQ_MNESIA_BASE", ""), None);
        assert_eq!(unheeded("RABBITMQ_ERLANG_COOKIE", "x"), None);
    }

    #[test]
    fn a_log_is_a_file_or_the_console() {
        assert_eq!(settings("RABBITMQ_LOGS", "/var/log/a.log"), [("log.file", "/var/log/a.log")]);
        let console = [("log.console", "true"), ("log.file", "false")];
        assert_eq!(settings("RABBITMQ_LOGS", "-"), console);
    }

    #[test]
    fn what_is_no_port_or_address_is_refused() {
        let mut typed = Typed::default();
        assert!(note(NODE_PORT, "tcp://10.0.0.1:5672", &mut typed).is_err());
        assert!(note(NODE_IP_ADDRESS, "localhost", &mut typed).is_err());
        assert_eq!((typed.node_port, typed.node_host), (None, None));
    }

    #[test]
    fn a_file_may_be_named_without_its_ending() {
        let folder = tempfile::tempdir().unwrap();
        let (plain, ended) = (folder.path().join("plain"), folder.path().join("a.conf"));
        std::fs::write(&plain, "").unwrap();
        let named = |path: &Path| {
            let path = path.display().to_string();
            files(&BTreeMap::from([("RABBITMQ_CONFIG_FILE".to_owned(), path)]))
        };
        assert_eq!(named(&plain), std::slice::from_ref(&plain));
        assert_eq!(named(&ended), std::slice::from_ref(&ended));
        assert_eq!(named(&folder.path().join("a")), [ended]);
        assert!(files(&BTreeMap::new()).is_empty());
    }
}
