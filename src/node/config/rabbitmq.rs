//! Variables of the environment that RabbitMQ's own scripts and images know: what they mean here.
//! Those without a meaning are passed over, for others of the same machine may need them.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::path::{Path, PathBuf};

use super::resolve::Typed;

const NODE_PORT: &str = "RABBITMQ_NODE_PORT";
const NODE_IP_ADDRESS: &str = "RABBITMQ_NODE_IP_ADDRESS";
const NODENAME: &str = "RABBITMQ_NODENAME";

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
