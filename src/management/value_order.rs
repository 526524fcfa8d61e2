//! The order of JSON values in sorted lists, which is that of RabbitMQ's terms: numbers first, then
//! words, objects, lists, and texts last. What is not there counts as 0.

use std::cmp::Ordering;

use serde_json::{Map, Number, Value};

/// Where `left` stands towards `right`.
pub(super) fn compare(left: &Value, right: &Value) -> Ordering {
    match (left, right) {
        (Value::Number(left), Value::Number(right)) => compare_numbers(left, right),
        (Value::String(left), Value::String(right)) => left.cmp(right),
        (Value::Array(left), Value::Array(right)) => {
            compare_all(left.iter().zip(right)).then_with(|| left.len().cmp(&right.len()))
        }
        (Value::Object(left), Value::Object(right)) => compare_objects(left, right),
        _ => rank(left).cmp(&rank(right)),
    }
}

fn compare_numbers(left: &Number, right: &Number) -> Ordering {
    match (left.as_i64(), right.as_i64()) {
        (Some(left), Some(right)) => left.cmp(&right),
        _ => {
            let float = |number: &Number| number.as_f64().unwrap_or_default();
            float(left).total_cmp(&float(right))
        }
    }
}

/// The smaller object first, then names, then values.
fn compare_objects(left: &Map<String, Value>, right: &Map<String, Value>) -> Ordering {
    left.len()
        .cmp(&right.len())
        .then_with(|| left.keys().cmp(right.keys()))
        .then_with(|| compare_all(left.values().zip(right.values())))
}

fn compare_all<'a>(pairs: impl Iterator<Item = (&'a Value, &'a Value)>) -> Ordering {
    let mut orders = pairs.map(|(left, right)| compare(left, right));
    orders.find(|order| order.is_ne()).unwrap_or(Ordering::Equal)
}

/// Words stand in the order of the alphabet.
fn rank(value: &Value) -> u8 {
    match value {
        Value::Number(_) => 0,
        Value::Bool(false) => 1,
        Value::Null => 2,
        Value::Bool(true) => 3,
        Value::Object(_) => 4,
        Value::Array(_) => 5,
        Value::String(_) => 6,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn values_stand_in_one_order() {
        let sorted = [
            json!(-1),
            json!(0),
            json!(1.5),
            json!(2),
            json!(false),
            json!(null),
            json!(true),
            json!({}),
            json!({"a": 1}),
            json!({"a": 2}),
            json!({"b": 0}),
            json!([]),
            json!([1]),
            json!([1, 0]),
            json!([2]),
            json!(""),
            json!("a"),
            json!("b"),
        ];
        for (at, left) in sorted.iter().enumerate() {
            for (other, right) in sorted.iter().enumerate() {
                assert_eq!(compare(left, right), at.cmp(&other), "{left} {right}");
            }
        }
    }
}
