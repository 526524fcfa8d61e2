//! The key by which one binding is found among those between the same two ends: its routing key,
//! encoded, `~` for the empty one, and where it has arguments `~` and a hash of these. RabbitMQ's
//! hash is one of Erlang's terms; this one is of the bytes of the table.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sha2::{Digest, Sha256};

use super::percent;
use crate::broker::ListedBinding;
use crate::protocol::field::FieldTable;

/// Bytes of a hash: two bindings with the same one are not to be expected.
const HASH_SIZE: usize = 9;

/// The key of a binding.
pub(super) fn properties_key(routing_key: &str, arguments: &FieldTable) -> String {
    match (percent::encode_key(routing_key), hash(arguments)) {
        (key, Some(hash)) => format!("{key}~{hash}"),
        (key, None) if key.is_empty() => "~".to_owned(),
        (key, None) => key,
    }
}

/// What stands for arguments; nothing for none.
fn hash(arguments: &FieldTable) -> Option<String> {
    if arguments.is_empty() {
        return None;
    }
    let mut bytes = Vec::new();
    arguments.encode(&mut bytes);
    let digest = Sha256::digest(&bytes);
    Some(URL_SAFE_NO_PAD.encode(digest.get(..HASH_SIZE).unwrap_or_default()))
}

/// A binding is the one that this key is for.
pub(super) fn is_meant(key: &str, binding: &ListedBinding) -> bool {
    let (routing_key, wanted) = match key.split_once('~') {
        Some((routing_key, hash)) => (routing_key, Some(hash).filter(|hash| !hash.is_empty())),
        None => (key, None),
    };
    percent::decode(routing_key) == binding.routing_key()
        && hash(binding.arguments()).as_deref() == wanted
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As a RabbitMQ that was asked made them.
    #[test]
    fn without_arguments_a_key_is_rabbitmqs() {
        for (routing_key, expected) in [
            ("", "~"),
            ("a.b", "a.b"),
            ("~", "%7E"),
            ("~x~y", "%7Ex%7Ey"),
            ("ee", "ee"),
            ("b 2/é", "b+2%2F%C3%A9"),
            ("a/b %~é_-.", "a%2Fb+%25%7E%C3%A9_-."),
            ("!*'()+,;:", "%21%2A%27%28%29%2B%2C%3B%3A"),
            ("@&=$#?", "%40%26%3D%24%23%3F"),
            ("\\\"<>[]", "%5C%22%3C%3E%5B%5D"),
            ("{}|^`", "%7B%7D%7C%5E%60"),
            ("Az09", "Az09"),
        ] {
            assert_eq!(properties_key(routing_key, &FieldTable::new()), expected);
        }
    }

    #[test]
    fn arguments_make_a_key_that_stays_and_needs_no_encoding() {
        let one: FieldTable = [("k", 1)].into_iter().collect();
        let other: FieldTable = [("k", 2)].into_iter().collect();
        let key = properties_key("", &one);
        assert_eq!(key, properties_key("", &one.clone()));
        assert_eq!(properties_key("a.b", &one), format!("a.b{key}"));
        assert_ne!(key, properties_key("", &other));
        assert!(key.starts_with('~') && key.len() == 13, "{key}");
        assert_eq!(percent::encode(&key), key);
    }
}
