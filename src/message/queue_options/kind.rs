//! The types of queue, and which arguments each of them knows. What an argument means is in
//! `queue_options`; this is only whose it is. Floor 1.

/// The type of a queue, fixed when it is declared.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum QueueKind {
    /// `classic`: the default, may be transient, exclusive or auto-deleted.
    #[default]
    Classic,
    /// `quorum`: always durable and shared, counts deliveries.
    Quorum,
}

/// Arguments of a classic queue, in the order in which a re-declaration is compared.
const CLASSIC_ARGUMENTS: &[&str] = &[
    "x-expires",
    "x-message-ttl",
    "x-dead-letter-exchange",
    "x-dead-letter-routing-key",
    "x-max-length",
    "x-max-length-bytes",
    "x-max-priority",
    "x-overflow",
    "x-queue-mode",
    "x-queue-version",
    "x-single-active-consumer",
    "x-queue-type",
    "x-queue-master-locator",
    // RabbitMQ keeps these for quorum queues; here every type has them.
    "x-dead-letter-strategy",
    "x-delivery-limit",
    "x-consumer-timeout",
    "x-delayed-retry-type",
    "x-delayed-retry-min",
    "x-delayed-retry-max",
    "x-queue-leader-locator",
    // Not of RabbitMQ.
    "x-storage",
];

/// Arguments of a quorum queue, in the order in which a re-declaration is compared.
const QUORUM_ARGUMENTS: &[&str] = &[
    "x-dead-letter-exchange",
    "x-dead-letter-routing-key",
    "x-dead-letter-strategy",
    "x-expires",
    "x-max-length",
    "x-max-length-bytes",
    "x-max-in-memory-length",
    "x-max-in-memory-bytes",
    "x-overflow",
    "x-single-active-consumer",
    "x-queue-type",
    "x-quorum-initial-group-size",
    "x-delivery-limit",
    "x-message-ttl",
    "x-queue-leader-locator",
    "x-member-placement-tag",
    "x-consumer-timeout",
    "x-consumer-disconnected-timeout",
    "x-delayed-retry-type",
    "x-delayed-retry-min",
    "x-delayed-retry-max",
    "x-storage",
];

/// Arguments that only streams have; known so that they are refused elsewhere.
const STREAM_ONLY_ARGUMENTS: &[&str] = &[
    "x-max-age",
    "x-stream-max-segment-size-bytes",
    "x-stream-filter-size-bytes",
    "x-initial-cluster-size",
];

impl QueueKind {
    /// The name in `x-queue-type`, in policies and in the HTTP API.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Classic => "classic",
            Self::Quorum => "quorum",
        }
    }

    /// The kind of this name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        [Self::Classic, Self::Quorum].into_iter().find(|kind| kind.name() == name)
    }

    /// The name that error texts use, that of RabbitMQ's module.
    #[must_use]
    pub fn module_name(self) -> &'static str {
        match self {
            Self::Classic => "rabbit_classic_queue",
            Self::Quorum => "rabbit_quorum_queue",
        }
    }

    /// The arguments that mean something to this type, in the order in which RabbitMQ compares
    /// those of a re-declaration.
    #[must_use]
    pub fn arguments(self) -> &'static [&'static str] {
        match self {
            Self::Classic => CLASSIC_ARGUMENTS,
            Self::Quorum => QUORUM_ARGUMENTS,
        }
    }

    /// Whether this type understands the argument.
    #[must_use]
    pub fn knows(self, argument: &str) -> bool {
        self.arguments().contains(&argument)
    }

    /// Whether the argument belongs to some other type only. An argument that no type has is
    /// foreign to none: it is accepted and kept without a meaning.
    #[must_use]
    pub fn is_foreign(self, argument: &str) -> bool {
        !self.knows(argument)
            && [CLASSIC_ARGUMENTS, QUORUM_ARGUMENTS, STREAM_ONLY_ARGUMENTS]
                .iter()
                .any(|arguments| arguments.contains(&argument))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_back() {
        for kind in [QueueKind::Classic, QueueKind::Quorum] {
            assert_eq!(QueueKind::from_name(kind.name()), Some(kind));
        }
        assert_eq!(QueueKind::from_name("Classic"), None);
    }

    #[test]
    fn an_argument_is_foreign_only_if_another_type_has_it() {
        assert!(QueueKind::Quorum.is_foreign("x-max-priority"));
        assert!(QueueKind::Quorum.is_foreign("x-queue-mode"));
        assert!(QueueKind::Classic.is_foreign("x-quorum-initial-group-size"));
        assert!(QueueKind::Classic.is_foreign("x-max-age"));
        assert!(!QueueKind::Classic.is_foreign("x-foo"));
    }

    #[test]
    fn the_arguments_that_every_type_shares_here_are_foreign_to_none() {
        for argument in [
            "x-delivery-limit",
            "x-delayed-retry-type",
            "x-delayed-retry-min",
            "x-delayed-retry-max",
            "x-consumer-timeout",
            "x-dead-letter-strategy",
            "x-storage",
        ] {
            assert!(QueueKind::Classic.knows(argument), "{argument}");
            assert!(QueueKind::Quorum.knows(argument), "{argument}");
        }
    }
}
