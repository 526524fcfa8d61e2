//! One look at a thing, with what was seen of it before: rates, and the series of a chart, in
//! RabbitMQ's form. It keeps nothing.

use serde_json::{Map, Value, json};

use super::samples::SAMPLE_INTERVAL_MS;
use super::spans::Span;
use crate::message::Moment;

/// Two looks that are closer together make no rate.
const RATE_MS_MIN: u64 = 250;

/// Numbers at one moment.
#[derive(Clone, Debug)]
pub(super) struct Sample {
    pub(super) at: Moment,
    pub(super) numbers: Box<[u64]>,
}

/// What is seen now, and what was.
#[derive(Clone, Debug)]
pub(super) struct Look {
    pub(super) sample: Sample,
    /// What rates are measured from.
    pub(super) earlier: Option<Sample>,
    /// All that is kept, the oldest first.
    pub(super) history: Vec<Sample>,
}

impl Sample {
    fn number(&self, index: usize) -> u64 {
        self.numbers.get(index).copied().unwrap_or_default()
    }

    /// It is not before the other, and none of so many counters went back.
    pub(super) fn may_follow(&self, other: &Self, counters: usize) -> bool {
        let mut pairs = self.numbers.iter().zip(&other.numbers).take(counters);
        self.at >= other.at && pairs.all(|(now, before)| now >= before)
    }
}

impl Look {
    /// Nothing is known of before.
    pub(super) fn first(sample: Sample) -> Self {
        Self { sample, earlier: None, history: Vec::new() }
    }

    /// What one of the numbers is now.
    pub(super) fn number(&self, index: usize) -> u64 {
        self.sample.number(index)
    }

    /// How much one of the numbers changes in a second.
    pub(super) fn rate(&self, index: usize) -> f64 {
        let Some(earlier) = &self.earlier else { return 0.0 };
        let elapsed_ms = self.sample.at.since(earlier.at);
        if elapsed_ms < RATE_MS_MIN {
            return 0.0;
        }
        rounded(self.change(earlier, index) * 1000.0 / elapsed_ms as f64)
    }

    /// By how much one of the numbers changed in a millisecond; nothing where nothing is known.
    pub(super) fn share(&self, index: usize) -> Option<f64> {
        let earlier = self.earlier.as_ref()?;
        let elapsed_ms = self.sample.at.since(earlier.at);
        (elapsed_ms >= RATE_MS_MIN).then(|| self.change(earlier, index) / elapsed_ms as f64)
    }

    fn change(&self, earlier: &Sample, index: usize) -> f64 {
        self.number(index) as f64 - earlier.number(index) as f64
    }

    /// The rate of one of the numbers and, where a chart is asked for, its series.
    pub(super) fn details(&self, index: usize, span: Option<Span>) -> Value {
        let mut details = Map::from_iter([("rate".to_owned(), Value::from(self.rate(index)))]);
        if let Some(span) = span {
            details.extend(self.series(index, span));
        }
        Value::Object(details)
    }

    /// Figures with their rates, under their names; the first of them is at `first`.
    pub(super) fn told<'a>(
        &'a self,
        figures: &'a [(&'static str, u64)],
        first: usize,
        span: Option<Span>,
    ) -> impl Iterator<Item = (String, Value)> + 'a {
        figures.iter().zip(first..).flat_map(move |((name, count), index)| {
            let details = (format!("{name}_details"), self.details(index, span));
            [((*name).to_owned(), Value::from(*count)), details]
        })
    }

    /// The newest first, at whole multiples of the interval.
    fn series(&self, index: usize, span: Span) -> [(String, Value); 3] {
        let newest = self.sample.at.0 / SAMPLE_INTERVAL_MS * SAMPLE_INTERVAL_MS;
        let moments: Vec<u64> =
            span.steps().map(|back_ms| newest.saturating_sub(back_ms)).collect();
        let values: Vec<u64> = moments.iter().map(|at| self.value_at(Moment(*at), index)).collect();
        let sample = |(at, value)| json!({"sample": value, "timestamp": at});
        let samples: Value = moments.iter().zip(&values).map(sample).collect();
        let sum = values.iter().map(|value| *value as f64).sum::<f64>();
        let end = |value: Option<&u64>| value.map_or(0.0, |value| *value as f64);
        let change = end(values.first()) - end(values.last());
        [
            ("samples".to_owned(), samples),
            ("avg_rate".to_owned(), rounded(change * 1000.0 / span.age_ms() as f64).into()),
            ("avg".to_owned(), rounded(sum / values.len().max(1) as f64).into()),
        ]
    }

    /// What a number was then: between two looks it changed evenly, and before the first it was
    /// what it was then.
    fn value_at(&self, at: Moment, index: usize) -> u64 {
        let seen = || self.history.iter().chain([&self.sample]);
        let before = seen().rfind(|sample| sample.at <= at);
        let after = seen().find(|sample| sample.at >= at);
        let Some((before, after)) = before.zip(after) else {
            let end = before.or(after).unwrap_or(&self.sample);
            return end.number(index);
        };
        let (first, last) = (i128::from(before.number(index)), i128::from(after.number(index)));
        let elapsed_ms = i128::from(at.since(before.at));
        let width_ms = i128::from(after.at.since(before.at).max(1));
        u64::try_from(first + (last - first) * elapsed_ms / width_ms).unwrap_or_default()
    }
}

/// More than three places behind the point say nothing.
pub(super) fn rounded(number: f64) -> f64 {
    (number * 1000.0).round() / 1000.0
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample(second: u64, number: u64) -> Sample {
        Sample { at: Moment(second * 1000), numbers: [number].into() }
    }

    #[test]
    fn a_series_is_told_as_charts_read_it() {
        let history = vec![sample(1010, 0), sample(1016, 30), sample(1021, 30)];
        let look = Look { sample: sample(1026, 80), earlier: Some(sample(1021, 30)), history };
        let details = look.details(0, Some(Span::new(20, 5).unwrap()));
        let expected = json!({
            "rate": 10.0,
            "samples": [
                {"sample": 70, "timestamp": 1_025_000},
                {"sample": 30, "timestamp": 1_020_000},
                {"sample": 25, "timestamp": 1_015_000},
                {"sample": 0, "timestamp": 1_010_000},
                {"sample": 0, "timestamp": 1_005_000},
            ],
            "avg_rate": 3.5,
            "avg": 25.0,
        });
        assert_eq!(details, expected);
        assert_eq!(look.details(0, None), json!({"rate": 10.0}));
    }

    #[test]
    fn of_the_first_look_all_is_flat() {
        let look = Look::first(sample(1003, 7));
        let details = look.details(0, Some(Span::new(10, 5).unwrap()));
        assert_eq!((&details["rate"], &details["avg_rate"]), (&json!(0.0), &json!(0.0)));
        assert_eq!(details["samples"].as_array().unwrap().len(), 3);
        assert_eq!(details["avg"], 7.0);
    }
}
