//! Which fields of what is told are wanted: `columns=name,owner_pid_details.name`.

use std::collections::BTreeMap;

use serde_json::Value;

use super::query::Query;
use crate::limits::COLUMN_DEPTH_MAX;

/// The wanted fields.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Columns {
    All,
    /// By their names, and what is wanted of each.
    Some(BTreeMap<String, Self>),
}

impl Columns {
    pub(super) fn of(query: &Query) -> Self {
        query.value("columns").map_or(Self::All, Self::parse)
    }

    fn parse(text: &str) -> Self {
        let mut columns = Self::Some(BTreeMap::new());
        for path in text.split(',') {
            let names = path.split('.').filter(|name| !name.is_empty());
            let mut names = names.take(COLUMN_DEPTH_MAX).peekable();
            if names.peek().is_some() {
                columns.add(names);
            }
        }
        columns
    }

    /// The field at the end of these names is wanted, too.
    fn add<'a>(&mut self, names: impl Iterator<Item = &'a str>) {
        let mut at = self;
        for name in names {
            let Self::Some(fields) = at else { return };
            at = fields.entry(name.to_owned()).or_insert_with(|| Self::Some(BTreeMap::new()));
        }
        *at = Self::All;
    }

    /// What is left of a value: of each object the wanted fields, also of those in a list.
    pub(super) fn pick(&self, value: Value) -> Value {
        match (self, value) {
            (Self::Some(wanted), Value::Object(object)) => {
                let picked = object.into_iter().filter_map(|(name, value)| {
                    let picked = wanted.get(&name)?.pick(value);
                    Some((name, picked))
                });
                Value::Object(picked.collect())
            }
            (Self::Some(_), Value::Array(values)) => {
                values.into_iter().map(|value| self.pick(value)).collect()
            }
            (_, value) => value,
        }
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
            ("b,b.c", json!({"b": {"c": 2, "d": 3}})),
            ("b.c,b.d,b.c", json!({"b": {"c": 2, "d": 3}})),
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

    /// As many names as a request has room for once stood in each other.
    #[test]
    fn a_path_that_leads_nowhere_takes_no_room() {
        let path = "a.".repeat(1_000_000);
        let mut columns = &Columns::parse(&path);
        let mut depth = 0;
        while let Columns::Some(fields) = columns {
            columns = &fields["a"];
            depth += 1;
        }
        assert_eq!(depth, COLUMN_DEPTH_MAX);
    }
}
