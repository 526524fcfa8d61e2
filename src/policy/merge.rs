//! A user's policy and an operator's become one: of limits the stricter counts. How that goes with
//! a queue's arguments is in `force`.

use serde_json::{Map, Value};

use super::key::{self, Merge};

/// The settings of both.
pub(super) fn merge(
    user: &Map<String, Value>,
    operator: &Map<String, Value>,
) -> Map<String, Value> {
    let mut merged = user.clone();
    for (name, value) in operator {
        let value = match user.get(name) {
            Some(other) => choose(key::merge(name), other, value),
            None => value,
        };
        merged.insert(name.clone(), value.clone());
    }
    merged
}

fn choose<'a>(merge: Merge, user: &'a Value, operator: &'a Value) -> &'a Value {
    let is_stricter = limit(operator) <= limit(user);
    match merge {
        Merge::Operator => operator,
        Merge::Least if is_stricter => operator,
        Merge::Most if !is_stricter => operator,
        Merge::Least | Merge::Most => user,
    }
}

/// Below zero is no limit.
fn limit(value: &Value) -> u64 {
    value.as_u64().unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn merged(user: &Value, operator: &Value) -> Value {
        merge(user.as_object().unwrap(), operator.as_object().unwrap()).into()
    }

    #[test]
    fn the_stricter_limit_counts_and_an_operator_has_the_last_word_on_the_rest() {
        for (user, operator, both) in [
            (json!({"max-length": 5}), json!({"max-length": 7}), json!({"max-length": 5})),
            (json!({"max-length": 7}), json!({"max-length": 5}), json!({"max-length": 5})),
            (
                json!({"max-length": 7, "dead-letter-exchange": "x"}),
                json!({"message-ttl": 5}),
                json!({"max-length": 7, "dead-letter-exchange": "x", "message-ttl": 5}),
            ),
            (
                json!({"overflow": "drop-head"}),
                json!({"overflow": "reject-publish"}),
                json!({"overflow": "reject-publish"}),
            ),
            (
                json!({"delivery-limit": -1}),
                json!({"delivery-limit": 5}),
                json!({"delivery-limit": 5}),
            ),
            (
                json!({"delivery-limit": 5}),
                json!({"delivery-limit": -1}),
                json!({"delivery-limit": 5}),
            ),
            (
                json!({"target-group-size": 3}),
                json!({"target-group-size": 5}),
                json!({"target-group-size": 5}),
            ),
        ] {
            assert_eq!(merged(&user, &operator), both);
        }
    }
}
