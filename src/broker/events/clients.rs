//! What is told of clients: logins, connections, channels, consumers.

use core::net::{IpAddr, SocketAddr};

use super::notice::Notice;
use crate::auth::Login;
use crate::broker::session::{LiveConsumer, Session};
use crate::broker::{Encryption, process_id};
use crate::connection::command::Consume;
use crate::message::ConsumerKey;
use crate::protocol::field::{FieldTable, FieldValue};

impl Session {
    /// Notes something, where somebody wants to know.
    fn note(&mut self, notice: impl FnOnce(&Self) -> Notice) {
        if self.broker.events.are_watched() {
            let notice = notice(self);
            self.broker.events.note(&mut self.work.wakers, || notice);
        }
    }

    /// Somebody proved who it is, or failed to, which is told in words. Who comes with a
    /// certificate and fails has no name.
    pub(in super::super) fn note_login(
        &mut self,
        login: Option<&Login>,
        mechanism: &str,
        failure: Option<&str>,
    ) {
        self.note(|session| {
            let key = match failure {
                None => "user.authentication.success",
                Some(_) => "user.authentication.failure",
            };
            let notice = Notice::new(key);
            let notice = match login {
                Some(login) => notice.with("name", login.shown_user().to_string()),
                None => notice,
            };
            let notice = notice
                .with("auth_mechanism", mechanism)
                .with("connection_name", &*session.name)
                .with("connection_type", "network");
            let notice = session.with_ends(notice, false).with("protocol", PROTOCOL);
            let encryption = session.arrival.encryption.as_deref();
            let notice = notice.with("ssl", encryption.is_some());
            let told = Encryption::told(encryption).into_iter();
            let told = told.filter(|(name, value)| !value.is_empty() && OF_LOGINS.contains(name));
            let notice = told.fold(notice, |all, (name, value)| all.with(name, value));
            match failure {
                None => notice,
                Some(text) => notice.with("error", characters(text)),
            }
        });
    }

    /// A client is in a virtual host.
    pub(in super::super) fn note_connection(&mut self) {
        self.note(|session| {
            let client = session.mailbox.client.get();
            let Some(client) = client else { return Notice::new("connection.created") };
            let introduction = &client.introduction;
            let connected_at = i64::try_from(client.connected_at.0).unwrap_or(0);
            let notice = Notice::new("connection.created")
                .with("name", &*client.name)
                .with("pid", session.process_id(0))
                .with("node", session.broker.options.node_name.as_str())
                .with("user", &*client.user)
                .with("vhost", &*client.virtual_host)
                .with("type", "network")
                .with("protocol", PROTOCOL)
                .with("auth_mechanism", client.auth_mechanism.as_deref().unwrap_or_default())
                .number("channel_max", introduction.channel_max)
                .number("frame_max", introduction.frame_size_max)
                .number("timeout", i64::try_from(introduction.heartbeat_seconds).unwrap_or(0))
                .number("connected_at", connected_at)
                .with("ssl", client.encryption.is_some());
            let told = Encryption::told(client.encryption.as_deref());
            let notice = told.into_iter().fold(notice, |all, (name, value)| all.with(name, value));
            let notice = session.with_ends(notice, true).by(Some(&client.user));
            introduced(notice, introduction.client_name.as_deref(), &introduction.client_properties)
        });
    }

    /// A connection is over, wherever it was.
    pub(in super::super) fn note_end(&mut self) {
        if !self.broker.events.are_watched() {
            return;
        }
        let client = self.mailbox.client.get().cloned();
        // Nobody else asks for it now.
        let left = self.connection.introduce();
        let introduction = client.as_ref().map_or(&left, |client| &client.introduction);
        let notice = Notice::new("connection.closed")
            .with("name", &*self.name)
            .with("pid", self.process_id(0))
            .with("node", self.broker.options.node_name.as_str());
        let (name, properties) = (&introduction.client_name, &introduction.client_properties);
        let notice = introduced(notice, name.as_deref(), properties);
        self.broker.events.note(&mut self.work.wakers, || notice);
    }

    /// A channel was opened.
    pub(in super::super) fn note_channel(&mut self, channel: u16) {
        self.note(|session| {
            Notice::new("channel.created")
                .with("name", format!("{} ({channel})", session.name))
                .with("pid", session.process_id(channel))
                .with("connection", session.process_id(0))
                .number("number", channel)
                .with("user", session.user_name())
                .with("vhost", session.host_name())
                .by(Some(session.user_name()))
        });
    }

    /// A channel is closed. Of one without a connection nobody heard that it was opened.
    pub(in super::super) fn note_channel_end(&mut self, channel: u16) {
        if self.mailbox.client.get().is_none() {
            return;
        }
        self.note(|session| {
            let notice = Notice::new("channel.closed").with("pid", session.process_id(channel));
            notice.by(Some(session.user_name()))
        });
    }

    /// A queue has another consumer.
    pub(in super::super) fn note_consumer(&mut self, consume: &Consume) {
        self.note(|session| {
            let channel = consume.consumer.channel;
            let state = session.channels.get(&channel);
            let prefetch_count = state.map_or(0, |state| state.live.prefetch_count());
            session
                .of_consumer("consumer.created", channel, &consume.consumer_tag, &consume.queue)
                .with("exclusive", consume.exclusive)
                .with("ack_required", !consume.no_ack)
                .number("prefetch_count", prefetch_count)
                .arguments("arguments", &consume.arguments)
                .by(Some(session.user_name()))
        });
    }

    /// A queue lost a consumer: by the will of a user, or of nobody.
    pub(in super::super) fn note_consumer_end(
        &mut self,
        key: ConsumerKey,
        consumer: &LiveConsumer,
        user: Option<&str>,
    ) {
        self.note(|session| {
            let (tag, queue) = (&consumer.tag, &consumer.queue.definition.name);
            let notice = session.of_consumer("consumer.deleted", key.channel, tag, queue);
            notice.by(user)
        });
    }

    fn of_consumer(&self, key: &'static str, channel: u16, tag: &str, queue: &str) -> Notice {
        Notice::new(key)
            .with("consumer_tag", tag)
            .with("channel", self.process_id(channel))
            .with("queue", queue)
            .with("vhost", self.host_name())
    }

    fn host_name(&self) -> &str {
        self.place.as_ref().map_or("", |place| &place.host.name)
    }

    /// What tools know the connection by, or, where that is not 0, a channel.
    pub(in super::super) fn process_id(&self, channel: u16) -> String {
        process_id(&self.broker.options.node_name, self.id, channel)
    }

    /// Where the client comes from and goes to, as its name has it.
    fn with_ends(&self, notice: Notice, with_port: bool) -> Notice {
        let ends = self.name.split_once(" -> ");
        let ends = ends.and_then(|(from, to)| Some((from.parse().ok()?, to.parse().ok()?)));
        let Some((from, to)): Option<(SocketAddr, SocketAddr)> = ends else {
            return notice.with("host", UNKNOWN).with("peer_host", UNKNOWN);
        };
        let notice = notice
            .with("host", tuple(to.ip()))
            .with("peer_host", tuple(from.ip()))
            .number("peer_port", from.port());
        if with_port { notice.number("port", to.port()) } else { notice }
    }
}

const UNKNOWN: &str = "unknown";

/// What logins tell of how they are encrypted, where it is there.
const OF_LOGINS: [&str; 5] =
    ["ssl_protocol", "ssl_cipher", "peer_cert_issuer", "peer_cert_subject", "peer_cert_validity"];

const PROTOCOL: &str = "{0,9,1}";

/// What a client said of itself.
fn introduced(notice: Notice, name: Option<&str>, properties: &FieldTable) -> Notice {
    let notice = notice.arguments("client_properties", properties);
    match name {
        Some(name) => notice.with("user_provided_name", name),
        None => notice,
    }
}

/// An address as Erlang has it.
fn tuple(address: IpAddr) -> String {
    let numbers: Vec<String> = match address.to_canonical() {
        IpAddr::V4(address) => address.octets().iter().map(u8::to_string).collect(),
        IpAddr::V6(address) => address.segments().iter().map(u16::to_string).collect(),
    };
    format!("{{{}}}", numbers.join(","))
}

/// A text of Erlang's is a list of characters, and is told as one.
fn characters(text: &str) -> FieldValue {
    FieldValue::Array(
        text.chars().map(|each| FieldValue::I64(i64::from(u32::from(each)))).collect(),
    )
}
