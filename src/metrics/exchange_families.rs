//! Metrics of each exchange and each virtual host: what RabbitMQ tells of the whole cluster.

use std::borrow::Cow;

use super::object_family::{Group, LABELS_MAX, Object, ObjectFamily};
use crate::broker::ListedExchange;
use crate::message::{Moment, Name};
use crate::routing::ExchangeFigures;

/// An exchange with how many bindings leave it, counted for all of its virtual host at once.
#[derive(Debug)]
pub(super) struct CountedExchange {
    pub(super) exchange: ListedExchange,
    pub(super) bindings: u64,
}

/// A virtual host.
#[derive(Debug)]
pub(super) struct Host(pub(super) Name);

impl Object for CountedExchange {
    type Seen = ();

    fn see(&self, _now: Moment) {}

    fn labels(&self) -> [Cow<'_, str>; LABELS_MAX] {
        let definition = &self.exchange.definition;
        let (host, kind) = (self.exchange.virtual_host(), &*definition.kind);
        [host.into(), (&*definition.name).into(), kind.into()]
    }
}

impl Object for ListedExchange {
    type Seen = ExchangeFigures;

    fn see(&self, _now: Moment) -> ExchangeFigures {
        self.figures()
    }

    fn labels(&self) -> [Cow<'_, str>; LABELS_MAX] {
        [self.virtual_host().into(), (&*self.definition.name).into(), "".into()]
    }
}

/// What there is to tell of each exchange, in the order of the answer.
pub(super) static EXCHANGES: &[Group<ListedExchange>] =
    &[Group { name: "exchange_metrics", labels: &["vhost", "exchange"], families: MESSAGES }];

type MessageFamily = ObjectFamily<ListedExchange>;

const MESSAGES: &[MessageFamily] = &[
    MessageFamily::counter(
        "exchange_messages_published_total",
        "Messages that clients published to the exchange",
        |_, seen| Some(seen.published_in),
    ),
    MessageFamily::counter(
        "exchange_messages_confirmed_total",
        "Messages published to the exchange that were confirmed",
        |_, seen| Some(seen.confirmed),
    ),
    MessageFamily::counter(
        "exchange_messages_unroutable_returned_total",
        "Messages published to the exchange that no queue took and that went back",
        |_, seen| Some(seen.returned),
    ),
    MessageFamily::counter(
        "exchange_messages_unroutable_dropped_total",
        "Messages published to the exchange that no queue took and that were dropped",
        |_, seen| Some(seen.dropped),
    ),
];

impl Object for Host {
    type Seen = ();

    fn see(&self, _now: Moment) {}

    fn labels(&self) -> [Cow<'_, str>; LABELS_MAX] {
        [(&*self.0).into(), "".into(), "".into()]
    }
}

type ExchangeFamily = ObjectFamily<CountedExchange>;
type HostFamily = ObjectFamily<Host>;

const OF_EXCHANGE: &[&str] = &["vhost", "exchange", "type"];

/// What there is to tell of exchanges, by names that begin with `rabbitmq_cluster_`.
pub(super) static EXCHANGES_OF_CLUSTER: &[Group<CountedExchange>] = &[
    Group {
        name: "exchange_bindings",
        labels: OF_EXCHANGE,
        families: &[ExchangeFamily::gauge(
            "exchange_bindings",
            "Bindings that leave the exchange",
            |object, ()| Some(object.bindings),
        )],
    },
    Group {
        name: "exchange_names",
        labels: OF_EXCHANGE,
        families: &[ExchangeFamily::gauge("exchange_name", "is 1 for each exchange", |_, ()| {
            Some(1)
        })],
    },
];

/// The same of virtual hosts.
pub(super) static HOSTS_OF_CLUSTER: &[Group<Host>] = &[Group {
    name: "vhost_status",
    labels: &["vhost"],
    families: &[HostFamily::gauge("vhost_status", "is 1 for each virtual host", |_, ()| Some(1))],
}];
