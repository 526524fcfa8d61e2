//! Messages that a publisher sent one after the other and that go to the same place, taken as one:
//! what they have in common is looked at once. It does not know where they go.

use smallvec::SmallVec;

use super::Message;

/// Neighbors with the same exchange, routing key and properties; never none.
#[derive(Clone, Debug)]
pub struct MessageRun {
    messages: SmallVec<[Message; 1]>,
    body_bytes: u64,
    even_size: Option<u64>,
}

impl MessageRun {
    /// A run of one.
    #[must_use]
    pub fn one(message: Message) -> Self {
        let body_bytes = message.body_size();
        Self { messages: SmallVec::from_buf([message]), body_bytes, even_size: Some(body_bytes) }
    }

    /// Adds a message that is like the others.
    pub fn push(&mut self, message: Message) {
        let body_size = message.body_size();
        self.messages.push(message);
        self.body_bytes += body_size;
        self.even_size = self.even_size.filter(|size| *size == body_size);
    }

    /// Adds messages that are like these.
    pub fn append(&mut self, others: Self) {
        let Self { messages, body_bytes, even_size } = others;
        self.messages.extend(messages);
        self.body_bytes += body_bytes;
        self.even_size = self.even_size.filter(|_| even_size == self.even_size);
    }

    /// How many messages.
    #[must_use]
    #[expect(clippy::len_without_is_empty, reason = "it never is")]
    pub fn len(&self) -> usize {
        self.messages.len()
    }

    /// The first one.
    #[must_use]
    pub fn first(&self) -> Option<&Message> {
        self.messages.first()
    }

    /// All have delivery mode 2.
    #[must_use]
    pub fn is_persistent(&self) -> bool {
        self.messages.first().is_some_and(Message::is_persistent)
    }

    /// Bytes of all bodies.
    #[must_use]
    pub fn body_bytes(&self) -> u64 {
        self.body_bytes
    }

    /// The size of every body, where they have the same.
    #[must_use]
    pub fn even_size(&self) -> Option<u64> {
        self.even_size
    }

    /// The messages, first come first.
    pub fn iter(&self) -> impl Iterator<Item = &Message> {
        self.messages.iter()
    }

    /// The same, taken out.
    pub fn into_messages(self) -> impl ExactSizeIterator<Item = Message> {
        self.messages.into_iter()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::{Body, Envelope};

    fn message(body: &[u8]) -> Message {
        let envelope =
            Envelope { exchange: "", routing_key: "q", properties: &[0, 0], is_persistent: false };
        Message::new(envelope, Body::Copied(body))
    }

    #[test]
    fn a_run_has_an_even_size_as_long_as_all_bodies_have_the_same() {
        let mut run = MessageRun::one(message(b"abc"));
        run.push(message(b"def"));
        assert_eq!((run.len(), run.body_bytes(), run.even_size()), (2, 6, Some(3)));
        run.push(message(b"g"));
        run.push(message(b"hij"));
        assert_eq!((run.len(), run.body_bytes(), run.even_size()), (4, 10, None));
        let mut other = MessageRun::one(message(b"abc"));
        other.append(MessageRun::one(message(b"def")));
        assert_eq!((other.len(), other.body_bytes(), other.even_size()), (2, 6, Some(3)));
        other.append(MessageRun::one(message(b"")));
        assert_eq!((other.len(), other.body_bytes(), other.even_size()), (3, 6, None));
        let bodies: Vec<_> = run.into_messages().map(|message| message.body_to_vec()).collect();
        assert_eq!(bodies, [&b"abc"[..], b"def", b"g", b"hij"]);
    }
}
