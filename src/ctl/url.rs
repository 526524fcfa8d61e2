//! Paths of the HTTP API: each part is encoded, so that a name may have any bytes.

use std::fmt::Write as _;

/// A path below `/api` from its parts.
pub(super) fn path(parts: &[&str]) -> String {
    let mut path = String::from("/api");
    for part in parts {
        path.push('/');
        encode(part, &mut path);
    }
    path
}

/// The same behind `?`, as what a name has for a value.
pub(super) fn with_query(mut path: String, name: &str, value: &str) -> String {
    path.push(if path.contains('?') { '&' } else { '?' });
    path.push_str(name);
    path.push('=');
    encode(value, &mut path);
    path
}

/// Whether a name in a path is missing.
pub(super) fn has_empty_part(path: &str) -> bool {
    let path = path.split('?').next().unwrap_or_default();
    path.split('/').skip(1).any(str::is_empty)
}

fn encode(part: &str, path: &mut String) {
    for byte in part.bytes() {
        let is_plain = byte.is_ascii_alphanumeric() || b"-_.~".contains(&byte);
        // A part that is all dots would be read as another place.
        match char::from(byte) {
            plain if is_plain && !part.bytes().all(|byte| byte == b'.') => path.push(plain),
            _ => {
                let _ = write!(path, "%{byte:02X}");
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_that_is_missing_is_seen() {
        assert!(has_empty_part(&path(&["queues", ""])));
        assert!(has_empty_part(&path(&["permissions", "", "ann"])));
        assert!(!has_empty_part(&with_query(path(&["queues"]), "a", "")));
        assert!(!has_empty_part(&path(&["queues", "/"])));
    }

    #[test]
    fn names_are_encoded_whatever_they_hold() {
        assert_eq!(path(&["queues", "/", "a b.c"]), "/api/queues/%2F/a%20b.c");
        assert_eq!(path(&["queues", "..", "é"]), "/api/queues/%2E%2E/%C3%A9");
        assert_eq!(with_query(path(&["queues"]), "columns", "a,b"), "/api/queues?columns=a%2Cb");
    }
}
