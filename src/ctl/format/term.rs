//! A value in one cell, as RabbitMQ's tools print it: text as it is, lists in brackets, and tables
//! as lists of pairs.

use serde_json::Value;

/// The text of a cell. No name may break a line or speak to the terminal.
pub(in crate::ctl) fn cell(value: &Value) -> String {
    match value {
        Value::String(text) => escaped(text),
        Value::Array(items) => {
            let items: Vec<String> = items.iter().map(cell).collect();
            format!("[{}]", items.join(", "))
        }
        other => inside(other),
    }
}

/// The same inside a table, where text stands in quotes.
fn inside(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::Bool(_) | Value::Number(_) => value.to_string(),
        Value::String(text) => format!("\"{}\"", escaped(text)),
        Value::Array(items) => {
            let items: Vec<String> = items.iter().map(inside).collect();
            format!("[{}]", items.join(","))
        }
        Value::Object(fields) => {
            let fields: Vec<String> = fields
                .iter()
                .map(|(name, value)| format!("{{\"{}\",{}}}", escaped(name), inside(value)))
                .collect();
            format!("[{}]", fields.join(","))
        }
    }
}

fn escaped(text: &str) -> String {
    if !text.contains(char::is_control) {
        return text.to_owned();
    }
    let escape = |c: char| match c.is_control() {
        true => c.escape_default().to_string(),
        false => c.to_string(),
    };
    text.chars().map(escape).collect()
}
