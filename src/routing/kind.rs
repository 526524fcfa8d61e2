//! The types of exchanges and their names.

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
}

impl ExchangeKind {
    const ALL: [(Self, &'static str); 9] = [
        (Self::Direct, "direct"),
        (Self::Fanout, "fanout"),
        (Self::Topic, "topic"),
        (Self::Headers, "headers"),
        (Self::ConsistentHash, "x-consistent-hash"),
        (Self::Random, "x-random"),
        (Self::LocalRandom, "x-local-random"),
        (Self::ModulusHash, "x-modulus-hash"),
        (Self::RecentHistory, "x-recent-history"),
    ];

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
}
