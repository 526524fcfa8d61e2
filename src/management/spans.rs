//! How far back charts are asked to go, and in which steps: `msg_rates_age=60&msg_rates_incr=5` and
//! so on.

use super::query::Query;
use super::refusal::Refusal;

/// Steps of one series in an answer: more than a chart is wide.
const STEPS_MAX: u64 = 500;

/// What the names of the parameters begin with.
const NAMES: [&str; 4] = ["lengths", "msg_rates", "data_rates", "node_stats"];

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
        let is_good = age_seconds > 0 && steps <= STEPS_MAX;
        is_good.then_some(Self { age_seconds, step_seconds })
    }

    fn of(query: &Query, name: &str) -> Option<Self> {
        let (age, step) = wished(query, name)?;
        Self::new(age.try_into().ok()?, step.try_into().ok()?)
    }

    /// Milliseconds before its newest sample, of each.
    pub(super) fn steps(self) -> impl Iterator<Item = u64> {
        (0..=self.age_seconds / self.step_seconds).map(move |step| step * self.step_seconds * 1000)
    }

    pub(super) fn age_ms(self) -> u64 {
        self.age_seconds.saturating_mul(1000)
    }
}

/// The age and the steps that are asked for; nothing where one is not, or is no number.
fn wished(query: &Query, name: &str) -> Option<(i64, i64)> {
    let number = |what| query.value(&format!("{name}_{what}"))?.parse().ok();
    Some((number("age")?, number("incr")?))
}

/// Whether charts can be made of what is asked for.
///
/// # Errors
/// One cannot, or has more samples than anybody draws: RabbitMQ's words.
pub(super) fn check(query: &Query) -> Result<(), Refusal> {
    let bad = NAMES.into_iter().filter(|name| Span::of(query, name).is_none());
    match bad.filter_map(|name| wished(query, name)).next() {
        None => Ok(()),
        Some((age, step)) => {
            Err(Refusal::bad(format!("Invalid range parameters: age {age}, incr {step}")))
        }
    }
}

impl Spans {
    pub(super) fn of(query: &Query) -> Self {
        Self {
            lengths: Span::of(query, NAMES[0]),
            rates: Span::of(query, NAMES[1]),
            octets: Span::of(query, NAMES[2]),
            node: Span::of(query, NAMES[3]),
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
        assert_eq!(spans("msg_rates_age=60&msg_rates_incr=x"), Spans::default());
        assert_eq!(spans("msg_rates_age=5&msg_rates_incr=60").rates.unwrap().steps().count(), 1);
        let asked = spans("msg_rates_age=60&msg_rates_incr=5&data_rates_age=600&data_rates_incr=5");
        assert_eq!(asked.rates, Span::new(60, 5));
        assert_eq!((asked.longest_ms(), asked.lengths), (600_000, None));
        assert_eq!(asked.rates.unwrap().steps().count(), 13);
    }

    #[test]
    fn what_makes_no_chart_is_refused() {
        let checked = |text: &str| check(&Query::parse(text)).is_ok();
        assert!(checked("msg_rates_age=60&msg_rates_incr=5&lengths_age=0"));
        for text in ["age=-5&_incr=5", "age=60&_incr=0", "age=99999999&_incr=1"] {
            let text = format!("lengths_{}", text.replace("&_", "&lengths_"));
            assert!(!checked(&text), "{text}");
        }
    }
}
