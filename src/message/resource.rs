//! How a queue or an exchange is named in a text that a client reads: `queue 'q' in vhost '/'`.
//! Only the rendering: whether the thing exists is the definitions' business. Floor 1.

use std::fmt;

use crate::protocol::reply::ChannelError;

/// What a [`Resource`] is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ResourceKind {
    /// A queue.
    Queue,
    /// An exchange.
    Exchange,
}

/// A queue or an exchange by its full name; its `Display` is the one form that clients match on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Resource<'a> {
    /// Queue or exchange.
    pub kind: ResourceKind,
    /// The name, as declared.
    pub name: &'a str,
    /// The virtual host that it lives in.
    pub virtual_host: &'a str,
}

impl<'a> Resource<'a> {
    /// The queue of this name.
    pub fn queue(name: &'a str, virtual_host: &'a str) -> Self {
        Self { kind: ResourceKind::Queue, name, virtual_host }
    }

    /// The exchange of this name.
    pub fn exchange(name: &'a str, virtual_host: &'a str) -> Self {
        Self { kind: ResourceKind::Exchange, name, virtual_host }
    }

    /// The 405 for a queue that belongs to another connection, or that is re-declared with
    /// another `exclusive` flag; clients see the same words in both cases.
    pub fn locked(&self) -> ChannelError {
        ChannelError::resource_locked(format!(
            "cannot obtain exclusive access to locked {self}. It could be originally declared on \
             another connection or the exclusive property value does not match that of the \
             original declaration."
        ))
    }
}

impl fmt::Display for Resource<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = match self.kind {
            ResourceKind::Queue => "queue",
            ResourceKind::Exchange => "exchange",
        };
        write!(formatter, "{kind} '{}' in vhost '{}'", self.name, self.virtual_host)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_rendered_as_clients_match_them() {
        assert_eq!(Resource::queue("q", "/").to_string(), "queue 'q' in vhost '/'");
        assert_eq!(Resource::exchange("", "v").to_string(), "exchange '' in vhost 'v'");
    }

    #[test]
    fn a_locked_queue_is_refused_with_the_full_sentence() {
        assert_eq!(
            Resource::queue("q", "/").locked().text,
            "RESOURCE_LOCKED - cannot obtain exclusive access to locked queue 'q' in vhost '/'. \
             It could be originally declared on another connection or the exclusive property \
             value does not match that of the original declaration."
        );
    }
}
