//! Which routing keys a user may use with the topic exchanges of a virtual host. Which exchanges
//! are topic exchanges is not known here, nor whether the exchange may be used at all.

use std::borrow::Cow;
use std::collections::BTreeMap;

use super::Access;
use crate::definitions::{Pattern, PatternError, TopicPermissionDefinition};
use crate::message::Name;

/// What restricts a user in a virtual host, by exchange.
#[derive(Clone, Debug, Default)]
pub struct TopicPermissions(BTreeMap<Name, TopicPatterns>);

/// The keys that may be used with one exchange; none by default.
#[derive(Clone, Debug, Default)]
pub struct TopicPatterns {
    write: Pattern,
    read: Pattern,
}

impl TopicPatterns {
    /// The patterns of one user, with the names that they speak of put in. As the patterns of other
    /// permissions they are unanchored; an empty one matches the empty key alone.
    ///
    /// # Errors
    /// A pattern is no regular expression.
    pub fn new(permission: &TopicPermissionDefinition) -> Result<Self, PatternError> {
        let TopicPermissionDefinition { user, host, write, read, .. } = permission;
        let parse = |text: &str| Pattern::parse(&expanded(text, user, &host.name));
        Ok(Self { write: parse(write)?, read: parse(read)? })
    }

    fn allow(&self, access: Access, routing_key: &str) -> bool {
        match access {
            Access::Read => self.read.matches(routing_key),
            Access::Write => self.write.matches(routing_key),
            // Nothing is declared by a key.
            Access::Configure => true,
        }
    }
}

impl TopicPermissions {
    /// Whether the key may be used so with the exchange: any, where nothing restricts it.
    #[must_use]
    pub fn allow(&self, access: Access, exchange: &str, routing_key: &str) -> bool {
        self.0.get(exchange).is_none_or(|patterns| patterns.allow(access, routing_key))
    }

    /// Restricts the keys of an exchange, or, with none, lifts that.
    pub fn restrict(&mut self, exchange: &Name, patterns: Option<TopicPatterns>) {
        match patterns {
            Some(patterns) => self.0.insert(exchange.clone(), patterns),
            None => self.0.remove(exchange),
        };
    }

    /// Nothing is restricted.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// A pattern with names in the place of `{username}` and `{vhost}`. A name is a name and no
/// pattern, whatever letters it has. `{client_id}` stays: an AMQP client has none.
fn expanded<'a>(text: &'a str, user: &str, host: &str) -> Cow<'a, str> {
    if text.is_empty() {
        return "^$".into();
    }
    if !text.contains('{') {
        return text.into();
    }
    let text = text.replace("{username}", &regex::escape(user));
    text.replace("{vhost}", &regex::escape(host)).into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::definitions::HostKey;
    use crate::message::VirtualHostNumber;

    fn patterns(user: &str, write: &str, read: &str) -> Result<TopicPatterns, PatternError> {
        TopicPatterns::new(&TopicPermissionDefinition {
            user: user.into(),
            host: HostKey { number: VirtualHostNumber(1), name: "h.1".into() },
            exchange: "x".into(),
            write: write.into(),
            read: read.into(),
        })
    }

    fn may_write(user: &str, write: &str, key: &str) -> bool {
        patterns(user, write, "").unwrap().allow(Access::Write, key)
    }

    #[test]
    fn a_key_is_restricted_with_exchanges_that_are_named_only() {
        let mut topics = TopicPermissions::default();
        topics.restrict(&"x".into(), Some(patterns("ann", "^a", "^b").unwrap()));
        assert!(topics.allow(Access::Write, "x", "a.1") && !topics.allow(Access::Write, "x", "b"));
        assert!(topics.allow(Access::Read, "x", "b.1") && !topics.allow(Access::Read, "x", "a"));
        assert!(topics.allow(Access::Write, "y", "b") && topics.allow(Access::Read, "y", "a"));
        topics.restrict(&"x".into(), None);
        assert!(topics.allow(Access::Write, "x", "b") && topics.is_empty());
    }

    #[test]
    fn names_stand_for_themselves_whatever_letters_they_have() {
        assert!(may_write("a.b", "^{username}-{vhost}-{username}$", "a.b-h.1-a.b"));
        assert!(!may_write("a.b", "^{username}$", "axb"));
        assert!(!may_write(".*", "^{username}$", "anything"));
        assert!(may_write("(", "^{username}$", "("));
        assert!(may_write("{vhost}", "^{username}$", "{vhost}"), "a name is put in once");
    }

    #[test]
    fn what_names_nothing_stays_as_it_is() {
        assert!(may_write("ann", "^{client_id}$", "{client_id}"));
        assert!(may_write("ann", "^a{2}$", "aa"));
    }

    #[test]
    fn an_empty_pattern_is_of_the_empty_key() {
        assert!(may_write("ann", "", "") && !may_write("ann", "", "a"));
    }

    #[test]
    fn a_malformed_pattern_is_an_error() {
        assert!(patterns("ann", "(", "").is_err() && patterns("ann", "", "[").is_err());
    }
}
