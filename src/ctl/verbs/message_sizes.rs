//! How large messages are that clients publish, in RabbitMQ's words.

use serde_json::Value;

use super::super::call::Call;
use super::super::failure::Failure;
use super::super::output::{Output, Table};
use super::super::url::path;
use super::super::verb::Verb;

pub(super) const VERBS: &[Verb] = &[Verb::new(
    "message_size_stats",
    "",
    "Show how large messages are that clients published since the node started",
    "Gathering message size statistics from cluster via {node} ...",
    sizes,
)];

fn sizes(call: &Call) -> Result<Output, Failure> {
    let buckets = call.api.list(path(&["leveret", "message-sizes"]))?;
    let columns = vec!["Message Size", "Count", "Percentage"];
    Ok(Output::Framed(Table { columns, rows: buckets.iter().map(row).collect() }))
}

fn row(bucket: &Value) -> Vec<Value> {
    let number = |name: &str| bucket.get(name).and_then(Value::as_u64);
    let range = match (number("above_bytes"), number("up_to_bytes")) {
        (Some(above), Some(up_to)) => format!("between {} and {}", shown(above), shown(up_to)),
        (None, Some(up_to)) => format!("below {}", shown(up_to)),
        (above, None) => format!("above {}", shown(above.unwrap_or_default())),
    };
    let share = bucket.get("percentage").and_then(Value::as_f64).unwrap_or_default();
    vec![range.into(), number("count").into(), format!("{share:.2}").into()]
}

/// A size that is a round number.
fn shown(bytes: u64) -> String {
    match bytes {
        1_000_000.. => format!("{}MB", bytes / 1_000_000),
        1000.. => format!("{}KB", bytes / 1000),
        _ => format!("{bytes}B"),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_bucket_is_named_by_its_bounds() {
        for (above, up_to, expected) in [
            (None, Some(100), "below 100B"),
            (Some(100), Some(1000), "between 100B and 1KB"),
            (Some(100_000), Some(1_000_000), "between 100KB and 1MB"),
            (Some(100_000_000), None, "above 100MB"),
        ] {
            let bucket = json!({
                "above_bytes": above, "up_to_bytes": up_to, "count": 3, "percentage": 12.345
            });
            assert_eq!(row(&bucket), [json!(expected), json!(3), json!("12.35")]);
        }
    }
}
