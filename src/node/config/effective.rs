//! What the configuration comes to, key by key, for operators who ask a node that runs: what was
//! set, and the defaults of those keys that are obeyed and were not. It decides nothing.

use std::collections::BTreeMap;

use super::keys::{self, Key, Status};

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

fn entry(name: &str, text: &str) -> (String, String) {
    let is_secret = SECRET.iter().any(|part| name.ends_with(part));
    (name.to_owned(), if is_secret { HIDDEN } else { text }.to_owned())
}

#[cfg(test)]
mod tests {
    use super::super::load::{Source, resolve};
    use super::with_defaults;
    use crate::node::command_line::Serve;

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
