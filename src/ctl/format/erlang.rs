//! Terms as Erlang writes them, as far as JSON tells them apart.

use serde_json::Value;

use super::super::output::Table;

pub(super) fn table(table: &Table) -> String {
    let row = |row: &Vec<Value>| {
        let fields = table.columns.iter().zip(row);
        let fields: Vec<String> =
            fields.map(|(name, field)| format!("{{{},{}}}", atom(name), value(field))).collect();
        format!("[{}]", fields.join(","))
    };
    let rows: Vec<String> = table.rows.iter().map(row).collect();
    format!("[{}]\n", rows.join(",\n "))
}

pub(super) fn value(term: &Value) -> String {
    match term {
        Value::Null => "undefined".to_owned(),
        Value::Bool(_) | Value::Number(_) => term.to_string(),
        Value::String(text) => binary(text),
        Value::Array(items) => {
            let items: Vec<String> = items.iter().map(value).collect();
            format!("[{}]", items.join(","))
        }
        Value::Object(fields) => {
            let fields: Vec<String> = fields
                .iter()
                .map(|(name, field)| format!("{{{},{}}}", binary(name), value(field)))
                .collect();
            format!("[{}]", fields.join(","))
        }
    }
}

fn binary(text: &str) -> String {
    format!("<<{}>>", Value::from(text))
}

/// A name with a dash is no atom without quotes.
fn atom(name: &str) -> String {
    let is_plain = name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
    if is_plain { name.to_owned() } else { format!("'{name}'") }
}
