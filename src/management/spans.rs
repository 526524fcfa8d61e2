//! How far back charts are asked to go, and in which steps: `msg_rates_age=60&msg_rates_incr=5` and
//! so on.

use super::query::Query;

/// Samples of one series in an answer: more than a chart is wide.
const SAMPLES_TOLD_MAX: u64 = 1000;

/// How far a chart goes back, and in which steps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Span {
    age_seconds: u64,
    step_seconds: u64,
}

/// The same of the kinds of figures that RabbitMQ tells apart.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Spans {
    /// Messages in queues.
    pub(super) lengths: Option<Span>,
    /// Messages that come and go.
    pub(super) rates: Option<Span>,
    /// Bytes on connections.
    pub(super) octets: Option<Span>,
    /// Everything of the node.
    pub(super) node: Option<Span>,
}

impl Span {
    /// None where that makes no chart, or one of more samples than anybody draws.
    pub(super) fn new(age_seconds: u64, step_seconds: u64) -> Option<Self> {
        let steps = age_seconds.checked_div(step_seconds)?;
        (1..SAMPLES_TOLD_MAX).contains(&steps).then_some(Self { age_seconds, step_seconds })
    }

    fn of(query: &Query, name: &str) -> Option<Self> {
        let number = |what| query.value(&format!("{name}_{what}"))?.parse().ok();
        Self::new(number("age")?, number("incr")?)
    }

    /// Milliseconds before its newest sample, of each.
    pub(super) fn steps(self) -> impl Iterator<Item = u64> {
        (0..=self.age_seconds / self.step_seconds).map(move |step| step * self.step_seconds * 1000)
    }

    pub(super) fn age_ms(self) -> u64 {
        self.age_seconds.saturating_mul(1000)
    }
}

impl Spans {
    pub(super) fn of(query: &Query) -> Self {
        Self {
            lengths: Span::of(query, "lengths"),
            rates: Span::of(query, "msg_rates"),
            octets: Span::of(query, "data_rates"),
            node: Span::of(query, "node_stats"),
        }
    }

    /// How far the longest goes back; 0 where there is none.
    pub(super) fn longest_ms(&self) -> u64 {
        let all = [self.lengths, self.rates, self.octets, self.node];
        all.into_iter().flatten().map(Span::age_ms).max().unwrap_or(0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_chart_needs_both_its_age_and_its_steps() {
        let spans = |text| Spans::of(&Query::parse(text));
        assert_eq!(spans("msg_rates_age=60&lengths_incr=5"), Spans::default());
        assert_eq!(spans("msg_rates_age=60&msg_rates_incr=0"), Spans::default());
        assert_eq!(spans("msg_rates_age=5&msg_rates_incr=60"), Spans::default());
        assert_eq!(spans("msg_rates_age=99999999&msg_rates_incr=1"), Spans::default());
        let asked = spans("msg_rates_age=60&msg_rates_incr=5&data_rates_age=600&data_rates_incr=5");
        assert_eq!(asked.rates, Span::new(60, 5));
        assert_eq!((asked.longest_ms(), asked.lengths), (600_000, None));
        assert_eq!(asked.rates.unwrap().steps().count(), 13);
    }
}
