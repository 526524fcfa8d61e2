//! What the name of a connection says: where it comes from and where it goes to.

use serde_json::{Value, json};

/// A connection of this name, as it is told beside what belongs to it.
pub(super) fn shape(name: &str) -> Value {
    let (host, port) = origin(name);
    json!({"name": name, "peer_host": host, "peer_port": port})
}

/// Where a connection comes from: `host:port -> host:port`.
pub(super) fn origin(name: &str) -> (Option<&str>, Option<u16>) {
    end(name.split_once(" -> ").map(|(origin, _)| origin))
}

/// Where a connection goes to.
pub(super) fn destination(name: &str) -> (Option<&str>, Option<u16>) {
    end(name.split_once(" -> ").map(|(_, destination)| destination))
}

fn end(text: Option<&str>) -> (Option<&str>, Option<u16>) {
    let parts = text.and_then(|text| text.rsplit_once(':'));
    let port = parts.and_then(|(_, port)| port.parse().ok());
    let host = parts.map(|(host, _)| host.trim_matches(['[', ']']));
    (host.filter(|_| port.is_some()), port)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_says_where_a_connection_comes_from_and_goes_to() {
        let name = "127.0.0.1:5000 -> 127.0.0.2:5672";
        assert_eq!(origin(name), (Some("127.0.0.1"), Some(5000)));
        assert_eq!(destination(name), (Some("127.0.0.2"), Some(5672)));
        assert_eq!(origin("[::1]:5000 -> [::1]:5672"), (Some("::1"), Some(5000)));
        for nowhere in ["in process", "a -> b", "a:x -> b:y"] {
            assert_eq!((origin(nowhere), destination(nowhere)), ((None, None), (None, None)));
        }
    }
}
