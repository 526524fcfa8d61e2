//! Metrics of each connection.

use std::borrow::Cow;

use super::object_family::{Group, LABELS_MAX, Object, ObjectFamily};
use crate::broker::{ListedConnection, OctetFigures};
use crate::message::Moment;

impl Object for ListedConnection {
    type Seen = OctetFigures;

    fn see(&self, _now: Moment) -> OctetFigures {
        self.traffic()
    }

    fn labels(&self) -> [Cow<'_, str>; LABELS_MAX] {
        [self.name().into(), "".into(), "".into()]
    }
}

type ConnectionFamily = ObjectFamily<ListedConnection>;

/// RabbitMQ's label for a connection, too.
const OF_CONNECTION: &[&str] = &["channel"];

/// All there are, in the order of the answer.
pub(super) static CONNECTIONS: &[Group<ListedConnection>] = &[
    Group { name: "connection_coarse_metrics", labels: OF_CONNECTION, families: COARSE },
    Group { name: "connection_metrics", labels: OF_CONNECTION, families: DETAILS },
];

const COARSE: &[ConnectionFamily] = &[
    ConnectionFamily::counter(
        "connection_incoming_bytes_total",
        "Bytes that came over the connection",
        |_, seen| Some(seen.received_bytes),
    ),
    ConnectionFamily::counter(
        "connection_outgoing_bytes_total",
        "Bytes that went over the connection",
        |_, seen| Some(seen.sent_bytes),
    ),
];

const DETAILS: &[ConnectionFamily] = &[
    ConnectionFamily::counter(
        "connection_incoming_packets_total",
        "Reads of the connection's socket",
        |_, seen| Some(seen.reads),
    ),
    ConnectionFamily::counter(
        "connection_outgoing_packets_total",
        "Writes to the connection's socket",
        |_, seen| Some(seen.writes),
    ),
    ConnectionFamily::gauge("connection_channels", "Channels of the connection", |object, _| {
        Some(object.channel_count() as u64)
    }),
];
