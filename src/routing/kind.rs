//! The types of exchanges and their names.

use crate::protocol::field::{FieldTable, FieldValue};

/// The type of an exchange.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ExchangeKind {
    /// The exact key.
    Direct,
    /// Everything.
    Fanout,
    /// Patterns over words.
    Topic,
    /// The headers of the message.
    Headers,
    /// One destination by a hash that moves little when destinations change.
    ConsistentHash,
    /// One destination at random.
    Random,
    /// The same: there is one node.
    LocalRandom,
    /// One destination by the remainder of a hash.
    ModulusHash,
    /// Everything, and the latest messages to whoever is bound later.
    RecentHistory,
    /// Everything but what is equal to an earlier one.
    Deduplication,
    /// As another type, after a while.
    Delayed,
}

impl ExchangeKind {
    const ALL: [(Self, &'static str); 11] = [
        (Self::Direct, "direct"),
        (Self::Fanout, "fanout"),
        (Self::Topic, "topic"),
        (Self::Headers, "headers"),
        (Self::ConsistentHash, "x-consistent-hash"),
        (Self::Random, "x-random"),
        (Self::LocalRandom, "x-local-random"),
        (Self::ModulusHash, "x-modulus-hash"),
        (Self::RecentHistory, "x-recent-history"),
        (Self::Deduplication, "x-message-deduplication"),
        (Self::Delayed, "x-delayed-message"),
    ];

    /// Every type.
    pub fn all() -> impl Iterator<Item = Self> {
        Self::ALL.into_iter().map(|(kind, _)| kind)
    }

    /// The type of this name.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|(_, known)| *known == name).map(|(kind, _)| kind)
    }

    /// Its name.
    #[must_use]
    pub fn name(self) -> &'static str {
        Self::ALL.into_iter().find(|(kind, _)| *kind == self).map_or("", |(_, name)| name)
    }

    /// The type by which an exchange of this type routes: one that waits before it does names it in
    /// its arguments.
    ///
    /// # Errors
    /// It names none that there is: the explanation of a 406, as the plugin has it.
    pub fn that_routes(self, arguments: &FieldTable) -> Result<Self, String> {
        if self != Self::Delayed {
            return Ok(self);
        }
        let named = arguments.get("x-delayed-type").and_then(FieldValue::as_str);
        let kind = named.and_then(Self::parse).filter(|kind| *kind != Self::Delayed);
        kind.ok_or_else(|| {
            "Invalid argument, 'x-delayed-type' must be an existing exchange type".to_owned()
        })
    }

    /// Where a message goes depends on nothing but its key, so that the answer may be remembered.
    #[must_use]
    pub fn depends_on_key_only(self) -> bool {
        matches!(self, Self::Direct | Self::Fanout | Self::Topic | Self::ModulusHash)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_types_are_pairs() {
        for (kind, name) in ExchangeKind::ALL {
            assert_eq!((ExchangeKind::parse(name), kind.name()), (Some(kind), name));
        }
        assert_eq!(ExchangeKind::parse("x-unknown"), None);
    }

    #[test]
    fn an_exchange_that_waits_names_the_type_it_routes_by() {
        let routes_by = |name: &str| {
            let arguments = [("x-delayed-type", name)].into_iter().collect();
            ExchangeKind::Delayed.that_routes(&arguments).ok()
        };
        assert_eq!(routes_by("topic"), Some(ExchangeKind::Topic));
        assert_eq!((routes_by("x-delayed-message"), routes_by("x-unknown")), (None, None));
        assert!(ExchangeKind::Delayed.that_routes(&FieldTable::new()).is_err());
        let other = ExchangeKind::Topic.that_routes(&FieldTable::new());
        assert_eq!(other, Ok(ExchangeKind::Topic));
    }
}
