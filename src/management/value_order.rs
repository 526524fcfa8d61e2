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

/// The nearest float first, and then how far a whole number is from it: two whole numbers may have
/// the same one, and to be equal to a third is to be equal.
fn compare_numbers(left: &Number, right: &Number) -> Ordering {
    let (near_left, near_right) = (nearest(left), nearest(right));
    let distances = || distance(left, near_left).cmp(&distance(right, near_right));
    near_left.total_cmp(&near_right).then_with(distances)
}

/// To add 0 makes -0 the same as 0.
fn nearest(number: &Number) -> f64 {
    number.as_f64().unwrap_or_default() + 0.0
}

#[expect(clippy::cast_possible_truncation, reason = "the float is the one next to 64 bits")]
fn distance(number: &Number, nearest: f64) -> i128 {
    let whole = number.as_i64().map(i128::from).or_else(|| number.as_u64().map(i128::from));
    whole.map_or(0, |whole| whole - nearest as i128)
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
            json!(u64::MAX),
            json!(1e30),
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

    /// Two whole numbers and the float between them once went in a circle.
    #[test]
    fn whole_numbers_and_floats_stand_in_one_order() {
        let float = 9_007_199_254_740_992.0;
        let whole = 9_007_199_254_740_992_u64;
        for (left, right, expected) in [
            (json!(whole - 1), json!(float), Ordering::Less),
            (json!(whole), json!(float), Ordering::Equal),
            (json!(whole + 1), json!(float), Ordering::Greater),
            (json!(whole + 1), json!(whole), Ordering::Greater),
            (json!(u64::MAX), json!(u64::MAX - 1), Ordering::Greater),
            (json!(u64::MAX), json!(18_446_744_073_709_551_616.0), Ordering::Less),
            (json!(i64::MIN), json!(-9_223_372_036_854_775_808.0), Ordering::Equal),
            (json!(0), json!(-0.0), Ordering::Equal),
        ] {
            assert_eq!(compare(&left, &right), expected, "{left} {right}");
            assert_eq!(compare(&right, &left), expected.reverse(), "{right} {left}");
        }
    }
}
