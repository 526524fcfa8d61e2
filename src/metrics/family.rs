//! A metric: its name with its help text, and where its values come from. Names of RabbitMQ are its
//! own, help texts are ours; what it has not begins with `leveret_`.

use super::text::{Kind, Text, Thousandths};
use super::{MetricsOptions, ProcessFigures};
use crate::broker::{BrokerFigures, QueueFigures};
use crate::message::{HistogramFigures, Moment, Name};

/// What is told, all of one moment.
#[derive(Debug)]
pub(super) struct Seen<'a> {
    pub(super) options: &'a MetricsOptions,
    pub(super) now: Moment,
    /// Which of the answers this is for.
    pub(super) endpoint: &'static str,
    /// The name of the cluster.
    pub(super) cluster: Name,
    pub(super) process: ProcessFigures,
    pub(super) queues: QueueFigures,
    pub(super) broker: BrokerFigures,
}

/// A row of the table.
#[derive(Debug)]
pub(super) struct Family {
    pub(super) name: &'static str,
    pub(super) kind: Kind,
    pub(super) help: &'static str,
    values: fn(&Seen<'_>, &mut Values<'_>),
}

/// Takes the values of one metric.
#[derive(Debug)]
pub(super) struct Values<'a> {
    text: &'a mut Text,
    name: &'a str,
}

/// The only protocol there is, as a label.
pub(super) const AMQP: (&str, &str) = ("protocol", "amqp091");

impl Family {
    pub(super) const fn counter(
        name: &'static str,
        help: &'static str,
        values: fn(&Seen<'_>, &mut Values<'_>),
    ) -> Self {
        Self { name, kind: Kind::Counter, help, values }
    }

    pub(super) const fn gauge(
        name: &'static str,
        help: &'static str,
        values: fn(&Seen<'_>, &mut Values<'_>),
    ) -> Self {
        Self { name, kind: Kind::Gauge, help, values }
    }

    pub(super) const fn histogram(
        name: &'static str,
        help: &'static str,
        values: fn(&Seen<'_>, &mut Values<'_>),
    ) -> Self {
        Self { name, kind: Kind::Histogram, help, values }
    }

    /// Its head and its values.
    pub(super) fn tell(&self, seen: &Seen<'_>, text: &mut Text) {
        self.tell_as(self.name, seen, text);
    }

    /// The same by another name.
    pub(super) fn tell_as(&self, name: &str, seen: &Seen<'_>, text: &mut Text) {
        text.head(name, self.kind, self.help);
        (self.values)(seen, &mut Values { text, name });
    }
}

impl Values<'_> {
    pub(super) fn one(&mut self, value: u64) {
        self.text.sample(self.name, &[], value);
    }

    /// Of the only protocol there is.
    pub(super) fn amqp(&mut self, value: u64) {
        self.text.sample(self.name, &[AMQP], value);
    }

    /// The age of what came then, in seconds; 0 where there is none.
    pub(super) fn age(&mut self, came_at: Option<Moment>, now: Moment) {
        let age_ms = came_at.map_or(0, |at| now.since(at));
        self.text.sample(self.name, &[], Thousandths(age_ms));
    }

    /// Nothing where it is not known.
    pub(super) fn any(&mut self, value: Option<u64>) {
        value.into_iter().for_each(|value| self.one(value));
    }

    pub(super) fn of_kind(&mut self, kind: &str, value: u64) {
        self.text.sample(self.name, &[("kind", kind)], value);
    }

    /// A histogram whose values are so many to the unit in which it is told.
    pub(super) fn histogram(
        &mut self,
        labels: &[(&str, &str)],
        figures: &HistogramFigures,
        per_unit: f64,
    ) {
        self.text.histogram(self.name, labels, figures, per_unit);
    }

    pub(super) fn labeled(&mut self, labels: &[(&str, &str)], value: u64) {
        self.text.sample(self.name, labels, value);
    }
}
