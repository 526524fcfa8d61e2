//! Prometheus' text format 0.0.4, which is what RabbitMQ answers with. It knows no metric.

use std::fmt::Write;

/// What a scraper is told the text is.
pub(super) const CONTENT_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

/// What a metric is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// It only rises, and starts anew with the node.
    Counter,
    /// It is as it is now.
    Gauge,
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
        };
        let help = help.replace('\\', "\\\\").replace('\n', "\\n");
        self.write(format_args!("# HELP {name} {help}\n# TYPE {name} {kind}\n"));
    }

    /// One value.
    pub(super) fn sample(&mut self, name: &str, labels: &[(&str, &str)], value: u64) {
        self.0.push_str(name);
        let mut before = '{';
        for (label, text) in labels {
            let text = text.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n");
            self.write(format_args!("{before}{label}=\"{text}\""));
            before = ',';
        }
        if !labels.is_empty() {
            self.0.push('}');
        }
        self.write(format_args!(" {value}\n"));
    }

    pub(super) fn into_string(self) -> String {
        self.0
    }

    fn write(&mut self, text: std::fmt::Arguments<'_>) {
        // A string takes everything.
        let _ = self.0.write_fmt(text);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
