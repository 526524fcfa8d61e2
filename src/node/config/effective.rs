//! What the configuration comes to, key by key, for operators who ask a node that runs: what was
//! set, and the defaults of those keys that are obeyed and were not. It decides nothing.

use std::collections::BTreeMap;

use super::keys::{self, Key, Status};
use super::values::ListenAddress;
use crate::node::command_line::Serve;

/// What stands in the place of a secret.
const HIDDEN: &str = "********";

/// Ends of names whose values are nobody's business.
const SECRET: [&str; 4] = ["pass", "password", "secret", "token"];

/// What was set, and what holds where nothing is set, in the order of the keys.
pub fn with_defaults(set: &BTreeMap<String, String>) -> Vec<(String, String)> {
    let is_one = |row: &&Key| !row.name.contains(['<', '{', '*']) && !row.default.is_empty();
    let obeyed = keys::all().filter(|row| matches!(row.status, Status::Obeyed(_)));
    let mut all: BTreeMap<_, _> =
        obeyed.filter(is_one).map(|row| entry(row.name, row.default)).collect();
    all.extend(set.clone());
    all.into_iter().collect()
}

/// A key was set. By whatever name, it is one key.
pub(super) fn note(set: &mut BTreeMap<String, String>, row: &Key, key: &[String], text: &str) {
    let is_family = row.name.contains(['<', '{', '*']);
    let name = if is_family { key.join(".") } else { row.name.to_owned() };
    set.extend([entry(&name, text)]);
}

/// What flags say without naming a key, in place of what the key said.
pub(super) fn note_flags(
    set: &mut BTreeMap<String, String>,
    flags: &Serve,
    listen: &[ListenAddress],
) {
    if let Some(folder) = &flags.data_dir {
        set.insert("data_dir".to_owned(), folder.display().to_string());
    }
    if listen.is_empty() {
        return;
    }
    set.retain(|name, _| name != "listeners.tcp" && !name.starts_with("listeners.tcp."));
    let listeners = listen.iter().zip(1..);
    set.extend(listeners.map(|(address, n)| (format!("listeners.tcp.{n}"), address.to_string())));
}

fn entry(name: &str, text: &str) -> (String, String) {
    let is_secret = SECRET.iter().any(|part| name.ends_with(part));
    (name.to_owned(), if is_secret { HIDDEN } else { text }.to_owned())
}

#[cfg(test)]
mod tests {
    use super::super::load::{Source, resolve};
    use super::*;

    #[test]
    fn flags_are_told_in_place_of_the_keys_that_they_override() {
        let text = "data_dir = a\nlisteners.tcp.default = 5673\n";
        let source = Source { name: "a.conf".into(), text: text.into() };
        let flags = Serve {
            data_dir: Some("b".into()),
            listen: vec!["127.0.0.1:0".to_owned()],
            ..Serve::default()
        };
        let (config, _) = resolve(&[source], std::iter::empty(), &flags, Vec::new()).unwrap();
        let all = with_defaults(&config.set);
        let value = |key: &str| all.iter().find(|(name, _)| name == key).map(|(_, value)| value);
        assert_eq!(value("data_dir").unwrap(), "b");
        assert_eq!(value("listeners.tcp.1").unwrap(), "127.0.0.1:0");
        assert_eq!(value("listeners.tcp.default"), None);
    }

    #[test]
    fn what_was_set_and_what_holds_otherwise_is_told_and_no_secret() {
        let text = "channel_max = 7\nlisteners.tcp.1 = 5673\ndefault_users.ann.password = x\n";
        let source = Source { name: "a.conf".into(), text: text.into() };
        let (config, _) =
            resolve(&[source], std::iter::empty(), &Serve::default(), Vec::new()).unwrap();
        let all = with_defaults(&config.set);
        for (key, value) in [
            ("max_channels_per_connection", "7"),
            ("listeners.tcp.1", "5673"),
            ("heartbeat", "60"),
            ("default_pass", "********"),
            ("default_users.ann.password", "********"),
        ] {
            assert!(all.contains(&(key.to_owned(), value.to_owned())), "{key}");
        }
        assert!(all.iter().all(|(key, _)| key != "channel_max"), "it has another name, too");
    }
}
