//! Metrics of objects, one by one: a row for each queue, channel, connection or exchange. They come
//! in RabbitMQ's groups, which a scraper may ask for by name. What they are of and where the values
//! come from stands in the files of the objects.

use std::borrow::Cow;

use super::text::{Kind, Text, Thousandths};
use crate::message::{HistogramFigures, Moment};

/// Something of which there may be very many.
pub(super) trait Object: Send + Sync + 'static {
    /// How it fares at one moment.
    type Seen;

    /// Looks at it.
    fn see(&self, now: Moment) -> Self::Seen;

    /// What tells it from others: the texts of its labels, in the order of their names.
    fn labels(&self) -> [Cow<'_, str>; LABELS_MAX];
}

/// As many labels as a row has at most.
pub(super) const LABELS_MAX: usize = 3;

/// Metrics that are asked for together.
#[derive(Debug)]
pub(super) struct Group<T: Object> {
    /// RabbitMQ's name for it.
    pub(super) name: &'static str,
    /// Names of the labels that its rows have.
    pub(super) labels: &'static [&'static str],
    pub(super) families: &'static [ObjectFamily<T>],
}

/// What a value is a number of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Unit {
    One,
    /// Of a second, or of the whole.
    Thousandth,
}

/// One of them.
pub(super) struct ObjectFamily<T: Object> {
    /// Without what it begins with.
    pub(super) name: &'static str,
    pub(super) kind: Kind,
    pub(super) help: &'static str,
    value: Value<T>,
}

/// Where a value comes from; nothing where an object has none.
enum Value<T: Object> {
    Number(Unit, fn(&T, &T::Seen) -> Option<u64>),
    /// With so many to the unit in which it is told.
    Histogram(f64, fn(&T, &T::Seen) -> HistogramFigures),
}

impl<T: Object> std::fmt::Debug for ObjectFamily<T> {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_tuple("ObjectFamily").field(&self.name).finish()
    }
}

impl<T: Object> ObjectFamily<T> {
    pub(super) const fn counter(
        name: &'static str,
        help: &'static str,
        value: fn(&T, &T::Seen) -> Option<u64>,
    ) -> Self {
        Self { name, kind: Kind::Counter, help, value: Value::Number(Unit::One, value) }
    }

    pub(super) const fn gauge(
        name: &'static str,
        help: &'static str,
        value: fn(&T, &T::Seen) -> Option<u64>,
    ) -> Self {
        Self { name, kind: Kind::Gauge, help, value: Value::Number(Unit::One, value) }
    }

    /// A gauge of seconds or of a part of the whole, whose values come in thousandths.
    pub(super) const fn thousandths(
        name: &'static str,
        help: &'static str,
        value: fn(&T, &T::Seen) -> Option<u64>,
    ) -> Self {
        Self { name, kind: Kind::Gauge, help, value: Value::Number(Unit::Thousandth, value) }
    }

    /// A histogram whose values are so many to the unit in which it is told.
    pub(super) const fn histogram(
        name: &'static str,
        help: &'static str,
        per_unit: f64,
        value: fn(&T, &T::Seen) -> HistogramFigures,
    ) -> Self {
        Self { name, kind: Kind::Histogram, help, value: Value::Histogram(per_unit, value) }
    }

    /// The number of one object, 0 where it has none.
    pub(super) fn number(&self, object: &T, seen: &T::Seen) -> u64 {
        match self.value {
            Value::Number(_, value) => value(object, seen).unwrap_or(0),
            Value::Histogram(..) => 0,
        }
    }

    /// The row of one object.
    pub(super) fn tell(
        &self,
        name: &str,
        labels: &[&str],
        (object, now): (&T, Moment),
        text: &mut Text,
    ) {
        let seen = object.see(now);
        let texts = object.labels();
        let texts = texts.iter().map(|text| &**text);
        let pairs: Vec<(&str, &str)> = labels.iter().copied().zip(texts).collect();
        match self.value {
            Value::Number(unit, value) => match (value(object, &seen), unit) {
                (Some(value), Unit::One) => text.sample(name, &pairs, value),
                (Some(value), Unit::Thousandth) => text.sample(name, &pairs, Thousandths(value)),
                (None, _) => {}
            },
            Value::Histogram(per_unit, value) => {
                text.histogram(name, &pairs, &value(object, &seen), per_unit);
            }
        }
    }
}
