//! JSON: a list has one item a line, with its fields in the order of the columns.

use serde_json::{Value, json};

use super::super::output::{Output, Table};

pub(super) fn output(output: &Output) -> String {
    match output {
        Output::Rows(table) | Output::Framed(table) => rows(table),
        Output::Done => format!("{}\n", json!({"result": "ok"})),
        Output::Hint(text) => format!("{}\n", json!({"status": "ok", "message": text})),
        Output::Message(text) => format!("{}\n", json!({"message": text})),
        Output::Report { json, .. } => format!("{json}\n"),
        Output::Raw(text) => text.clone(),
    }
}

pub(super) fn failure(text: &str) -> String {
    json!({"result": "error", "message": text}).to_string()
}

fn rows(table: &Table) -> String {
    let rows: Vec<String> = table.rows.iter().map(|row| object(&table.columns, row)).collect();
    match rows.as_slice() {
        [] => "[]\n".to_owned(),
        rows => format!("[\n{}\n]\n", rows.join("\n,")),
    }
}

fn object(columns: &[&str], row: &[Value]) -> String {
    let fields = columns.iter().zip(row);
    let fields: Vec<String> =
        fields.map(|(name, value)| format!("{}:{value}", Value::from(*name))).collect();
    format!("{{{}}}", fields.join(","))
}
