//! What scripts expect of the frames that come: a method, a message, an error in its scope, or
//! nothing. Each takes what comes next and nothing later.

use std::fmt;

use leveret::protocol::frame::{ContentHeader, FrameKind};
use leveret::protocol::methods::{Method, WireMethod, basic, channel, connection, queue};

use crate::client::Client;
use crate::plain;
use crate::received::{Content, Delivery, Got, Received, Returned};

/// A reply text: the whole of it, or how it starts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Text {
    Is(String),
    Starts(String),
}

/// A text that starts like this and goes on as it likes.
pub(crate) fn starts(text: &str) -> Text {
    Text::Starts(text.to_owned())
}

impl From<&str> for Text {
    fn from(text: &str) -> Self {
        Self::Is(text.to_owned())
    }
}

impl From<&String> for Text {
    fn from(text: &String) -> Self {
        Self::Is(text.clone())
    }
}

impl Text {
    fn covers(&self, text: &str) -> bool {
        match self {
            Self::Is(expected) => text == expected,
            Self::Starts(expected) => text.starts_with(expected),
        }
    }
}

impl fmt::Display for Text {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Is(text) => write!(formatter, "{text:?}"),
            Self::Starts(text) => write!(formatter, "{text:?}..."),
        }
    }
}

impl Client {
    // Methods.

    /// A method on this channel comes next.
    pub(crate) fn expect_method(&mut self, channel: u16) -> Method<'static> {
        let frame = self.next_frame();
        assert_eq!(frame.channel, channel, "{frame:?}");
        frame.method()
    }

    /// Exactly this method comes next.
    pub(crate) fn expect<M: WireMethod>(&mut self, channel: u16, expected: &M) {
        let mut payload = Vec::new();
        expected.encode(&mut payload);
        let expected = Method::decode(&payload).expect("a method");
        let frame = self.next_frame();
        assert_eq!(frame.channel, channel, "expected {expected:?}, came {frame:?}");
        assert_eq!(frame.kind, FrameKind::Method, "expected {expected:?}, came {frame:?}");
        assert_eq!(frame.method(), expected);
    }

    /// Sends a method and gives the answer, which comes next on its channel.
    pub(crate) fn call(&mut self, channel: u16, method: &impl WireMethod) -> Method<'static> {
        self.send(channel, method);
        self.expect_method(channel)
    }

    /// What was sent on this channel has no answer: the first to come is that of channel.flow.
    pub(crate) fn expect_nothing(&mut self, channel: u16) {
        self.send(channel, &channel::Flow { active: true });
        self.expect(channel, &channel::FlowOk { active: true });
    }

    /// Everything that comes before the answer of channel.flow, which is sent now.
    pub(crate) fn read_until_flow_ok(&mut self, channel: u16) -> Vec<Received> {
        self.send(channel, &channel::Flow { active: true });
        let mut frames = Vec::new();
        loop {
            let frame = self.next_frame();
            let is_method = frame.kind == FrameKind::Method && frame.channel == channel;
            if is_method && matches!(frame.method(), Method::ChannelFlowOk(_)) {
                return frames;
            }
            frames.push(frame);
        }
    }

    // Errors.

    /// channel.close comes next; it is answered, so that the number may be opened again.
    pub(crate) fn expect_channel_close(
        &mut self,
        channel: u16,
        code: u16,
        text: impl Into<Text>,
        ids: (u16, u16),
    ) {
        self.expect_channel_close_unanswered(channel, code, text, ids);
        self.send(channel, &channel::CloseOk {});
    }

    /// channel.close comes next; what becomes of the channel is up to the script.
    pub(crate) fn expect_channel_close_unanswered(
        &mut self,
        channel: u16,
        code: u16,
        text: impl Into<Text>,
        ids: (u16, u16),
    ) {
        let frame = self.next_frame();
        assert_eq!(frame.channel, channel, "{frame:?}");
        let Method::ChannelClose(close) = frame.method() else { panic!("{frame:?}") };
        let text = text.into();
        assert!(text.covers(close.reply_text), "expected {text}, came {:?}", close.reply_text);
        assert_eq!((close.reply_code, (close.class_id, close.method_id)), (code, ids));
    }

    /// connection.close comes next; it is answered, and the socket ends.
    pub(crate) fn expect_connection_close(
        &mut self,
        code: u16,
        text: impl Into<Text>,
        ids: (u16, u16),
    ) {
        self.expect_connection_close_unanswered(code, text, ids);
        self.send(0, &connection::CloseOk {});
        self.expect_end();
    }

    /// connection.close comes next; what is said to it is up to the script.
    pub(crate) fn expect_connection_close_unanswered(
        &mut self,
        code: u16,
        text: impl Into<Text>,
        ids: (u16, u16),
    ) {
        let frame = self.next_frame();
        assert_eq!(frame.channel, 0, "{frame:?}");
        let Method::ConnectionClose(close) = frame.method() else { panic!("{frame:?}") };
        let text = text.into();
        assert!(text.covers(close.reply_text), "expected {text}, came {:?}", close.reply_text);
        assert_eq!((close.reply_code, (close.class_id, close.method_id)), (code, ids));
    }

    // Messages.

    /// The header and the body of a message come next.
    pub(crate) fn expect_content(&mut self, channel: u16) -> Content {
        let frame = self.next_frame();
        assert_eq!((frame.kind, frame.channel), (FrameKind::Header, channel), "{frame:?}");
        let header = ContentHeader::decode(frame.payload).expect("a content header");
        let mut body = Vec::new();
        while (body.len() as u64) < header.body_size {
            let frame = self.next_frame();
            assert_eq!((frame.kind, frame.channel), (FrameKind::Body, channel), "{frame:?}");
            body.extend_from_slice(frame.payload);
        }
        Content::new(&header, body)
    }

    /// A message for a consumer comes next.
    pub(crate) fn expect_delivery(&mut self, channel: u16) -> Delivery {
        match self.expect_method(channel) {
            Method::BasicDeliver(method) => {
                Delivery { method, content: self.expect_content(channel) }
            }
            other => panic!("{other:?}"),
        }
    }

    /// A message that no queue took comes back next.
    pub(crate) fn expect_return(&mut self, channel: u16) -> Returned {
        match self.expect_method(channel) {
            Method::BasicReturn(method) => {
                Returned { method, content: self.expect_content(channel) }
            }
            other => panic!("{other:?}"),
        }
    }

    /// Fetches a message; none where the queue is empty.
    pub(crate) fn get(&mut self, channel: u16, queue: &str, no_ack: bool) -> Option<Got> {
        match self.call(channel, &basic::Get { queue, no_ack }) {
            Method::BasicGetOk(method) => {
                Some(Got { method, content: self.expect_content(channel) })
            }
            Method::BasicGetEmpty(_) => None,
            other => panic!("{other:?}"),
        }
    }

    // Queues.

    /// Declares a queue that is neither durable nor exclusive nor deleted by itself.
    pub(crate) fn declare_queue(&mut self, channel: u16, queue: &str) -> queue::DeclareOk<'static> {
        self.declare(channel, &plain::queue_declare(queue))
    }

    /// Declares a queue and gives the answer.
    pub(crate) fn declare(
        &mut self,
        channel: u16,
        declare: &queue::Declare<'_>,
    ) -> queue::DeclareOk<'static> {
        match self.call(channel, declare) {
            Method::QueueDeclareOk(answer) => answer,
            other => panic!("{other:?}"),
        }
    }

    /// How many messages the queue has ready.
    pub(crate) fn message_count(&mut self, channel: u16, queue: &str) -> u32 {
        let passive = queue::Declare { passive: true, ..plain::queue_declare(queue) };
        self.declare(channel, &passive).message_count
    }

    /// The queue has this many messages ready, or soon will: a peer counts what was published when
    /// its queue has it.
    pub(crate) fn expect_message_count(&mut self, channel: u16, queue: &str, expected: u32) {
        let mut found = self.message_count(channel, queue);
        for _ in 0..100 {
            if found == expected || !self.is_over_socket() {
                break;
            }
            std::thread::sleep(std::time::Duration::from_millis(20));
            found = self.message_count(channel, queue);
        }
        assert_eq!(found, expected, "messages in {queue}");
    }

    /// A passive declare of the queue is answered 404; the channel is open again afterwards.
    pub(crate) fn expect_no_queue(&mut self, channel: u16, queue: &str) {
        self.send(channel, &queue::Declare { passive: true, ..plain::queue_declare(queue) });
        let text = format!("NOT_FOUND - no queue '{queue}' in vhost '/'");
        self.expect_channel_close(channel, 404, &text, (50, 10));
        self.open_channel(channel);
    }

    /// Starts a consumer and waits for consume-ok.
    pub(crate) fn consume(&mut self, channel: u16, consume: &basic::Consume<'_>) {
        match self.call(channel, consume) {
            Method::BasicConsumeOk(_) => {}
            other => panic!("{other:?}"),
        }
    }
}
