//! Comma-separated values, all of them in quotes.

use super::super::output::Table;
use super::term::cell;

pub(super) fn table(table: &Table) -> String {
    let quoted = |text: &str| format!("\"{}\"", text.replace('"', "\"\""));
    let line = |cells: Vec<String>| format!("{}\n", cells.join(","));
    let header = line(table.columns.iter().map(|name| quoted(name)).collect());
    let rows = table.rows.iter();
    let rows = rows.map(|row| line(row.iter().map(|value| quoted(&cell(value))).collect()));
    if table.rows.is_empty() { String::new() } else { header + &rows.collect::<String>() }
}
