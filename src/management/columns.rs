//! Which fields of what is told are wanted: `columns=name,owner_pid_details.name`.

use serde_json::{Map, Value};

use super::query::Query;

/// The wanted fields.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Columns {
    All,
    /// Each by the names on the way to it.
    Some(Vec<Vec<String>>),
}

impl Columns {
    pub(super) fn of(query: &Query) -> Self {
        query.value("columns").map_or(Self::All, Self::parse)
    }

    fn parse(text: &str) -> Self {
        let words = |text: &str, separator| {
            let words = text.split(separator).filter(|word| !word.is_empty());
            words.map(str::to_owned).collect::<Vec<_>>()
        };
        let paths = words(text, ',').into_iter().map(|path| words(&path, '.'));
        Self::Some(paths.filter(|path| !path.is_empty()).collect())
    }

    /// What is left of a value: of each object the wanted fields, also of those in a list.
    pub(super) fn pick(&self, value: Value) -> Value {
        match (self, value) {
            (Self::Some(_), Value::Object(object)) => Value::Object(self.pick_fields(object)),
            (Self::Some(_), Value::Array(values)) => {
                values.into_iter().map(|value| self.pick(value)).collect()
            }
            (_, value) => value,
        }
    }

    fn pick_fields(&self, object: Map<String, Value>) -> Map<String, Value> {
        let mut picked = Map::new();
        for (name, value) in object {
            if let Some(below) = self.below(&name) {
                picked.insert(name, below.pick(value));
            }
        }
        picked
    }

    /// What is wanted of the field of this name; `None` where it is not.
    fn below(&self, name: &str) -> Option<Self> {
        let Self::Some(paths) = self else { return Some(Self::All) };
        let mut below = Vec::new();
        for path in paths {
            match path.split_first() {
                Some((first, rest)) if first == name && rest.is_empty() => return Some(Self::All),
                Some((first, rest)) if first == name => below.push(rest.to_vec()),
                _ => {}
            }
        }
        (!below.is_empty()).then_some(Self::Some(below))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn of_objects_and_of_those_in_lists_the_wanted_fields_stay() {
        let value = json!({"a": 1, "b": {"c": 2, "d": 3}, "e": [{"c": 4, "f": 5}], "g": {}});
        for (columns, expected) in [
            ("a", json!({"a": 1})),
            ("b", json!({"b": {"c": 2, "d": 3}})),
            ("b.c,e.c", json!({"b": {"c": 2}, "e": [{"c": 4}]})),
            ("b.c,b", json!({"b": {"c": 2, "d": 3}})),
            ("a.x", json!({"a": 1})),
            ("g.x", json!({"g": {}})),
            ("nope", json!({})),
            ("", json!({})),
            (",.,", json!({})),
        ] {
            assert_eq!(Columns::parse(columns).pick(value.clone()), expected, "{columns}");
        }
        assert_eq!(Columns::All.pick(value.clone()), value);
    }
}
