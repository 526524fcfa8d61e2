//! Turns: who works through much lets others work in between. There is no clock here: what is done
//! is counted, in rows that are looked at and values that are made.

use serde_json::Value;
use tokio::task::yield_now;

use crate::limits::LIST_ROWS_PER_TURN;

/// What one request did since others had their turn.
#[derive(Debug, Default)]
pub(super) struct Turns {
    done: usize,
}

impl Turns {
    /// So much was done. Where that is enough for one turn, others have theirs.
    pub(super) async fn spend(&mut self, work: usize) {
        self.done = self.done.saturating_add(work);
        if self.done >= LIST_ROWS_PER_TURN {
            self.done = 0;
            yield_now().await;
        }
    }

    /// Something was done that may take as long as a turn.
    pub(super) async fn end(&mut self) {
        self.spend(LIST_ROWS_PER_TURN).await;
    }
}

/// The work that is in a value: how many it is made of, and some bytes of a text are one.
pub(super) fn work_in(value: &Value) -> usize {
    match value {
        Value::Null | Value::Bool(_) | Value::Number(_) => 1,
        Value::String(text) => 1 + text.len() / 64,
        Value::Array(values) => 1 + values.iter().map(work_in).sum::<usize>(),
        Value::Object(fields) => 1 + fields.values().map(|value| 1 + work_in(value)).sum::<usize>(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_value_is_the_more_work_the_more_is_in_it() {
        for (value, work) in [
            (json!(null), 1),
            (json!("short"), 1),
            (json!("x".repeat(640)), 11),
            (json!([1, 2, [3]]), 5),
            (json!({"a": 1, "b": [true]}), 6),
        ] {
            assert_eq!(work_in(&value), work, "{value}");
        }
    }
}
