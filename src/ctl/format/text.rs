//! Columns with tabs between them, one row a line. Without a row there is no header either, as in
//! RabbitMQ.

use super::super::output::Table;
use super::term::cell;

pub(super) fn table(table: &Table, has_headers: bool) -> String {
    let mut text = String::new();
    if has_headers && !table.rows.is_empty() {
        text.push_str(&table.columns.join("\t"));
        text.push('\n');
    }
    for row in &table.rows {
        let cells: Vec<String> = row.iter().map(cell).collect();
        text.push_str(&cells.join("\t"));
        text.push('\n');
    }
    text
}
