//! Prometheus' text format 0.0.4, which is what RabbitMQ answers with. It knows no metric.

use std::fmt::{self, Display, Write};

use crate::message::HistogramFigures;

/// What a scraper is told the text is.
pub(super) const CONTENT_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

/// What a metric is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// It only rises, and starts anew with the node.
    Counter,
    /// It is as it is now.
    Gauge,
    /// How many values are of which size, from the start of the node on.
    Histogram,
}

/// A number that comes in thousandths of what it is told in, as milliseconds do of seconds.
#[derive(Clone, Copy, Debug)]
pub(super) struct Thousandths(pub(super) u64);

impl Display for Thousandths {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}.{:03}", self.0 / 1000, self.0 % 1000)
    }
}

/// The text of one answer.
#[derive(Debug, Default)]
pub(super) struct Text(String);

impl Text {
    /// What stands before the values of a metric.
    pub(super) fn head(&mut self, name: &str, kind: Kind, help: &str) {
        let kind = match kind {
            Kind::Counter => "counter",
            Kind::Gauge => "gauge",
            Kind::Histogram => "histogram",
        };
        let help = help.replace('\\', "\\\\").replace('\n', "\\n");
        self.write(format_args!("# HELP {name} {help}\n# TYPE {name} {kind}\n"));
    }

    /// One value.
    pub(super) fn sample(&mut self, name: &str, labels: &[(&str, &str)], value: impl Display) {
        self.0.push_str(name);
        let mut before = '{';
        for (label, text) in labels {
            self.write(format_args!("{before}{label}=\""));
            self.escaped(text);
            self.0.push('"');
            before = ',';
        }
        if !labels.is_empty() {
            self.0.push('}');
        }
        self.write(format_args!(" {value}\n"));
    }

    /// All lines of a histogram, whose values are so many to the unit in which it is told.
    pub(super) fn histogram(
        &mut self,
        name: &str,
        labels: &[(&str, &str)],
        figures: &HistogramFigures,
        per_unit: f64,
    ) {
        let bucket = format!("{name}_bucket");
        let mut so_far = 0;
        let bounds = figures.bounds.iter().map(|bound| in_units(*bound, per_unit).to_string());
        for (bound, count) in bounds.chain(["+Inf".to_owned()]).zip(&figures.counts) {
            so_far += count;
            let labels: Vec<_> = labels.iter().copied().chain([("le", bound.as_str())]).collect();
            self.sample(&bucket, &labels, so_far);
        }
        self.sample(&format!("{name}_sum"), labels, in_units(figures.sum, per_unit));
        self.sample(&format!("{name}_count"), labels, so_far);
    }

    /// What another text has.
    pub(super) fn append(&mut self, other: &Self) {
        self.0.push_str(&other.0);
    }

    /// How many bytes it has so far.
    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    pub(super) fn into_string(self) -> String {
        self.0
    }

    /// The text of a label, in which little is special.
    fn escaped(&mut self, mut text: &str) {
        while let Some((plain, special)) = text.find(['\\', '"', '\n']).map(|at| text.split_at(at))
        {
            self.0.push_str(plain);
            self.0.push_str(match special.as_bytes().first() {
                Some(b'\n') => "\\n",
                Some(b'"') => "\\\"",
                _ => "\\\\",
            });
            text = special.get(1..).unwrap_or_default();
        }
        self.0.push_str(text);
    }

    fn write(&mut self, text: fmt::Arguments<'_>) {
        // A string takes everything.
        let _ = self.0.write_fmt(text);
    }
}

#[expect(clippy::cast_precision_loss, reason = "a sum need not be exact to the last digit")]
fn in_units(value: u64, per_unit: f64) -> f64 {
    value as f64 / per_unit
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_histogram_adds_up_its_buckets() {
        let mut text = Text::default();
        let figures = HistogramFigures { bounds: &[1, 2500], counts: vec![2, 3, 4], sum: 30_500 };
        text.head("a_seconds", Kind::Histogram, "How long");
        text.histogram("a_seconds", &[("of", "b")], &figures, 1000.0);
        let expected = "# HELP a_seconds How long\n# TYPE a_seconds histogram\n\
                        a_seconds_bucket{of=\"b\",le=\"0.001\"} 2\n\
                        a_seconds_bucket{of=\"b\",le=\"2.5\"} 5\n\
                        a_seconds_bucket{of=\"b\",le=\"+Inf\"} 9\n\
                        a_seconds_sum{of=\"b\"} 30.5\na_seconds_count{of=\"b\"} 9\n";
        assert_eq!(text.into_string(), expected);
    }

    #[test]
    fn a_metric_has_a_head_and_a_line_for_each_value() {
        let mut text = Text::default();
        text.head("a_total", Kind::Counter, "How many");
        text.sample("a_total", &[("kind", "x"), ("of", "y")], 7);
        text.sample("a_total", &[], u64::MAX);
        let expected = "# HELP a_total How many\n# TYPE a_total counter\n\
                        a_total{kind=\"x\",of=\"y\"} 7\na_total 18446744073709551615\n";
        assert_eq!(text.into_string(), expected);
    }

    #[test]
    fn what_would_end_a_line_or_a_label_is_escaped() {
        let mut text = Text::default();
        text.head("a", Kind::Gauge, "one\ntwo \\ \"three\"");
        text.sample("a", &[("b", "one\ntwo \\ \"three\"")], 1);
        let expected = "# HELP a one\\ntwo \\\\ \"three\"\n# TYPE a gauge\n\
                        a{b=\"one\\ntwo \\\\ \\\"three\\\"\"} 1\n";
        assert_eq!(text.into_string(), expected);
    }
}
