//! How an output looks: as a table for people and shells, or in a form for programs.

mod csv;
mod erlang;
mod json;
mod pretty;
mod term;
mod text;

pub(in crate::ctl) use term::cell;

use serde_json::Value;

use super::call::Call;
use super::failure::Failure;
use super::output::Output;

/// Who is to read it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Formatter {
    #[default]
    Table,
    Json,
    Csv,
    Pretty,
    Erlang,
}

/// A way to show something.
#[derive(Debug)]
pub(super) struct Shown {
    pub(super) formatter: Formatter,
    pub(super) is_quiet: bool,
    pub(super) has_headers: bool,
}

impl Formatter {
    pub(super) const NAMES: [&str; 5] = ["table", "json", "csv", "pretty_table", "erlang"];

    pub(super) fn of(name: &str) -> Option<Self> {
        Some(match name {
            "table" => Self::Table,
            "json" => Self::Json,
            "csv" => Self::Csv,
            "pretty_table" => Self::Pretty,
            "erlang" => Self::Erlang,
            _ => return None,
        })
    }

    pub(super) fn is_for_programs(self) -> bool {
        matches!(self, Self::Json | Self::Csv)
    }
}

impl Shown {
    pub(super) fn of(call: &Call) -> Self {
        Self {
            formatter: call.common.formatter,
            is_quiet: call.common.is_quiet,
            has_headers: !call.common.has_no_headers,
        }
    }
}

/// The whole text of an output, with the end of its last line.
pub(super) fn shown(output: &Output, shown: &Shown) -> String {
    match (output, shown.formatter) {
        (Output::Raw(text), _) => text.clone(),
        (output, Formatter::Json) => json::output(output),
        (Output::Rows(table) | Output::Framed(table), Formatter::Csv) => csv::table(table),
        (Output::Rows(table), Formatter::Pretty)
        | (Output::Framed(table), Formatter::Pretty | Formatter::Table) => pretty::table(table),
        (Output::Rows(table) | Output::Framed(table), Formatter::Erlang) => erlang::table(table),
        (Output::Rows(table), Formatter::Table) => text::table(table, shown.has_headers),
        (Output::Done, _) => String::new(),
        (Output::Hint(_), _) if shown.is_quiet => String::new(),
        (Output::Report { json, .. }, Formatter::Erlang) => format!("{}\n", erlang::value(json)),
        (Output::Hint(text) | Output::Message(text) | Output::Report { text, .. }, _) => {
            format!("{}\n", text.trim_end_matches('\n'))
        }
    }
}

/// The same as a value, as one part of something larger.
pub(super) fn json(output: &Output) -> Value {
    serde_json::from_str(&json::output(output)).unwrap_or_default()
}

/// What went wrong, for the standard error.
pub(super) fn failure(failure: &Failure, shown: &Shown) -> String {
    match (failure, shown.formatter) {
        (Failure::Usage(_), _) => failure.to_string(),
        (Failure::Check { json, .. }, Formatter::Json) => json.to_string(),
        (failure, Formatter::Json) => json::failure(failure.text()),
        (failure, _) => failure.to_string(),
    }
}

#[cfg(test)]
mod tests;
