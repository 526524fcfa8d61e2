//! Rows of text in columns, for terminals and for Markdown, and figures as they stand in them.

use std::fmt::Write;

/// What stands where there is no figure.
const NO_FIGURE: &str = "-";

/// A table whose first columns are words and the others figures.
#[derive(Debug)]
pub(in crate::perf) struct Table {
    headings: Vec<String>,
    word_columns: usize,
    rows: Vec<Vec<String>>,
}

impl Table {
    pub(in crate::perf) fn new(word_columns: usize, headings: Vec<String>) -> Self {
        Self { headings, word_columns, rows: Vec::new() }
    }

    pub(in crate::perf) fn row(&mut self, cells: Vec<String>) {
        self.rows.push(cells);
    }

    pub(in crate::perf) fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// With columns as wide as they need to be.
    pub(in crate::perf) fn to_text(&self) -> String {
        let mut text = String::new();
        for row in std::iter::once(&self.headings).chain(&self.rows) {
            let mut line = String::new();
            for (column, cell) in row.iter().enumerate() {
                let width = self.width(column);
                let _ = match column < self.word_columns {
                    true => write!(line, "{cell:width$}  "),
                    false => write!(line, "{cell:>width$}  "),
                };
            }
            text.push_str(line.trim_end());
            text.push('\n');
        }
        text
    }

    /// As Markdown, figures to the right.
    pub(in crate::perf) fn to_markdown(&self) -> String {
        let rule = |(column, _): (usize, &String)| {
            if column < self.word_columns { "---".to_owned() } else { "---:".to_owned() }
        };
        let rule = self.headings.iter().enumerate().map(rule).collect();
        [&self.headings, &rule]
            .into_iter()
            .chain(&self.rows)
            .fold(String::new(), |text, row| text + "| " + &row.join(" | ") + " |\n")
    }

    fn width(&self, column: usize) -> usize {
        let rows = std::iter::once(&self.headings).chain(&self.rows);
        rows.filter_map(|row| row.get(column)).map(|cell| cell.chars().count()).max().unwrap_or(0)
    }
}

/// A number of about three digits, and thousands apart where there are more.
pub(in crate::perf) fn figure(value: Option<f64>) -> String {
    match value {
        None => NO_FIGURE.to_owned(),
        Some(value) if value < 10.0 => format!("{value:.2}"),
        Some(value) if value < 100.0 => format!("{value:.1}"),
        Some(value) => thousands(&format!("{value:.0}")),
    }
}

fn thousands(digits: &str) -> String {
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table() -> Table {
        let mut table = Table::new(1, ["broker", "rate"].map(str::to_owned).to_vec());
        table.row(["a", "1,000"].map(str::to_owned).to_vec());
        table
    }

    #[test]
    fn words_stand_left_and_figures_right() {
        assert_eq!(table().to_text(), "broker   rate\na       1,000\n");
    }

    #[test]
    fn markdown_has_a_rule_below_the_headings() {
        assert_eq!(table().to_markdown(), "| broker | rate |\n| --- | ---: |\n| a | 1,000 |\n");
    }

    #[test]
    fn figures_have_about_three_digits_and_thousands_apart() {
        let figures = [Some(0.123), Some(9.5), Some(42.25), Some(175_000.4), Some(1e6), None];
        let expected = ["0.12", "9.50", "42.2", "175,000", "1,000,000", "-"];
        assert_eq!(figures.map(figure), expected);
    }
}
