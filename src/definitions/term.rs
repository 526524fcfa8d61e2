//! A JSON value as RabbitMQ's texts show it: as an Erlang term.

use serde_json::Value;

/// The value as a term.
#[must_use]
pub fn term(value: &Value) -> String {
    match value {
        Value::Null => "null".to_owned(),
        Value::Bool(is_true) => is_true.to_string(),
        Value::Number(number) => number.to_string(),
        Value::String(text) => format!("<<\"{text}\">>"),
        Value::Array(items) => {
            let items: Vec<String> = items.iter().map(term).collect();
            format!("[{}]", items.join(","))
        }
        Value::Object(fields) => {
            let fields: Vec<String> = fields
                .iter()
                .map(|(name, value)| format!("{{<<\"{name}\">>,{}}}", term(value)))
                .collect();
            format!("[{}]", fields.join(","))
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn values_look_as_in_erlang() {
        let value = json!({"a": [1, true, null, "x"], "b": 1.5});
        assert_eq!(term(&value), "[{<<\"a\">>,[1,true,null,<<\"x\">>]},{<<\"b\">>,1.5}]");
    }
}
