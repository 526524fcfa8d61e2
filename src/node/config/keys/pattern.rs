//! Names of keys as patterns, for keys that come in families, and how a written key or the name
//! of an environment variable is matched with them.
//!
//! A segment of a name is a literal; `<N>`, any number; `<name>`, any one segment; `{a,b}`, one
//! of these; or, at the end only, `*`, one segment or more.

/// One segment of a name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Segment<'a> {
    Literal(&'a str),
    OneOf(&'a str),
    Number,
    Any,
    Tail,
}

/// True when the name stands for itself alone.
#[must_use]
pub fn is_exact(name: &str) -> bool {
    segments(name).all(|segment| matches!(segment, Segment::Literal(_)))
}

/// How much a name says: of two names that match, the one that says more is meant.
#[must_use]
pub fn specificity(name: &str) -> usize {
    let weight = |segment| match segment {
        Segment::Literal(_) => 4,
        Segment::OneOf(_) => 3,
        Segment::Number => 2,
        Segment::Any => 1,
        Segment::Tail => 0,
    };
    segments(name).map(weight).sum()
}

/// Matches a written key. Gives back what stood in the place of each segment that is no literal.
#[must_use]
pub fn captures(name: &str, key: &[String]) -> Option<Vec<String>> {
    let mut found = Vec::new();
    let mut rest = key;
    for segment in segments(name) {
        let (first, behind) = rest.split_first()?;
        let fits = match segment {
            Segment::Literal(literal) => first == literal,
            Segment::OneOf(words) => words.split(',').any(|word| word == first),
            Segment::Number => first.bytes().all(|byte| byte.is_ascii_digit()),
            Segment::Any => true,
            Segment::Tail => {
                found.push(rest.join("."));
                return Some(found);
            }
        };
        if !fits {
            return None;
        }
        if !matches!(segment, Segment::Literal(_)) {
            found.push(first.clone());
        }
        rest = behind;
    }
    rest.is_empty().then_some(found)
}

/// The key that a variable's name (without its prefix) means if it belongs to this name. What
/// stands for a placeholder is in small letters, since variables are in capitals.
#[must_use]
pub fn key_of_variable(name: &str, variable: &str) -> Option<Vec<String>> {
    let segments: Vec<_> = segments(name).collect();
    spelled(&segments, variable)
}

/// The ways in which a name may be written that are as near as can be to `key`: alternatives one
/// by one, and the key's own segments where anything goes. For suggestions. The number is how many
/// letters come from the name, not from the key.
#[must_use]
pub fn spellings(name: &str, key: &[String]) -> Vec<(String, usize)> {
    let mut spellings = vec![(String::new(), 0)];
    for (position, segment) in segments(name).enumerate() {
        let own = key.get(position).map_or("", String::as_str);
        let (words, is_own): (Vec<&str>, bool) = match segment {
            Segment::Literal(literal) => (vec![literal], false),
            Segment::OneOf(words) => (words.split(',').collect(), false),
            Segment::Number if own.parse::<u64>().is_err() => (vec!["1"], false),
            Segment::Any | Segment::Tail if own.is_empty() => return Vec::new(),
            Segment::Number | Segment::Any | Segment::Tail => (vec![own], true),
        };
        let dot = if position == 0 { "" } else { "." };
        let lengthen = |(start, count): &(String, usize), word: &str| {
            (format!("{start}{dot}{word}"), count + if is_own { 0 } else { word.len() })
        };
        spellings = spellings
            .iter()
            .flat_map(|start| words.iter().map(move |word| lengthen(start, word)))
            .collect();
    }
    spellings
}

fn segments(name: &str) -> impl Iterator<Item = Segment<'_>> {
    name.split('.').map(|segment| {
        let inside = |open, close| segment.strip_prefix(open)?.strip_suffix(close);
        match (segment, inside('{', '}'), inside('<', '>')) {
            ("*", ..) => Segment::Tail,
            ("<N>", ..) => Segment::Number,
            (_, Some(words), _) => Segment::OneOf(words),
            (.., Some(_)) => Segment::Any,
            (literal, ..) => Segment::Literal(literal),
        }
    })
}

fn spelled(segments: &[Segment<'_>], variable: &str) -> Option<Vec<String>> {
    let Some((segment, behind)) = segments.split_first() else {
        return variable.is_empty().then(Vec::new);
    };
    let with = |word: &str| spelled_with(word, behind, variable);
    match segment {
        Segment::Literal(literal) => with(literal),
        Segment::OneOf(words) => words.split(',').find_map(with),
        Segment::Tail => (!variable.is_empty()).then(|| vec![variable.to_ascii_lowercase()]),
        Segment::Number | Segment::Any => {
            let ends = variable.match_indices('_').map(|(end, _)| end).chain([variable.len()]);
            let mut words = ends.filter_map(|end| variable.get(..end));
            let is_number = *segment == Segment::Number;
            words.find_map(|word| {
                let fits = !is_number || word.bytes().all(|byte| byte.is_ascii_digit());
                (fits && !word.is_empty()).then(|| with(&word.to_ascii_lowercase())).flatten()
            })
        }
    }
}

/// Takes `word`, in capitals, from the front of the variable, and matches the rest.
fn spelled_with(word: &str, behind: &[Segment<'_>], variable: &str) -> Option<Vec<String>> {
    let capitals = word.to_ascii_uppercase().replace('-', "_");
    let rest = variable.strip_prefix(capitals.as_str())?;
    let rest = if behind.is_empty() { rest } else { rest.strip_prefix('_')? };
    let mut key = spelled(behind, rest)?;
    key.insert(0, word.to_owned());
    Some(key)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn matched(name: &str, key: &str) -> Option<Vec<String>> {
        let key: Vec<String> = key.split('.').map(str::to_owned).collect();
        captures(name, &key)
    }

    fn meant(name: &str, variable: &str) -> Option<String> {
        key_of_variable(name, variable).map(|key| key.join("."))
    }

    #[test]
    fn each_kind_of_segment_matches_its_own() {
        let none: [&str; 0] = [];
        assert_eq!(matched("heartbeat", "heartbeat").unwrap(), none);
        assert_eq!(matched("heartbeat", "heartbeat.x"), None);
        assert_eq!(matched("auth_backends.<N>.authn", "auth_backends.2.authn").unwrap(), ["2"]);
        assert_eq!(matched("auth_backends.<N>.authn", "auth_backends.x.authn"), None);
        assert_eq!(matched("listeners.tcp.<name>", "listeners.tcp.default").unwrap(), ["default"]);
        assert_eq!(matched("listeners.tcp.<name>", "listeners.tcp"), None);
        assert_eq!(matched("log.{a,b}.level", "log.b.level").unwrap(), ["b"]);
        assert_eq!(matched("log.{a,b}.level", "log.c.level"), None);
        assert_eq!(matched("auth_ldap.*", "auth_ldap.ssl.verify").unwrap(), ["ssl.verify"]);
        assert_eq!(matched("auth_ldap.*", "auth_ldap"), None);
    }

    #[test]
    fn a_variable_is_the_key_in_capitals_with_underscores() {
        let cases = [
            ("heartbeat", "HEARTBEAT", Some("heartbeat")),
            ("heartbeat", "HEARTBEATS", None),
            ("max_message_size", "MAX_MESSAGE_SIZE", Some("max_message_size")),
            ("listeners.tcp.<name>", "LISTENERS_TCP_DEFAULT", Some("listeners.tcp.default")),
            ("listeners.tcp.<name>", "LISTENERS_TCP", None),
            ("auth_backends.<N>.authn", "AUTH_BACKENDS_10_AUTHN", Some("auth_backends.10.authn")),
            ("auth_backends.<N>", "AUTH_BACKENDS_1_AUTHN", None),
            ("users.<name>.tags", "USERS_MY_APP_TAGS", Some("users.my_app.tags")),
            ("log.{a,b}.level", "LOG_B_LEVEL", Some("log.b.level")),
            ("auth_ldap.*", "AUTH_LDAP_USE_SSL", Some("auth_ldap.use_ssl")),
        ];
        for (name, variable, expected) in cases {
            assert_eq!(meant(name, variable).as_deref(), expected, "{name} {variable}");
        }
    }

    #[test]
    fn a_name_that_says_more_is_more_specific() {
        assert!(specificity("a.b") > specificity("a.{b,c}"));
        assert!(specificity("a.{b,c}") > specificity("a.<N>"));
        assert!(specificity("a.<N>") > specificity("a.<name>"));
        assert!(specificity("a.<name>") > specificity("a.*"));
        assert!(is_exact("a.b") && !is_exact("a.<name>"));
    }

    #[test]
    fn spellings_keep_what_was_written_where_anything_goes() {
        let key = ["auth_backend".to_owned(), "3".to_owned()];
        assert_eq!(spellings("auth_backends.<N>", &key), [("auth_backends.3".to_owned(), 13)]);
        let both = [("log.a".to_owned(), 4), ("log.b".to_owned(), 4)];
        assert_eq!(spellings("log.{a,b}", &key), both);
        assert!(spellings("x.y.<name>", &key).is_empty());
    }
}
