//! Lists: which columns there are, which are shown where none is named, and which field of the
//! API's items each is.

use serde_json::Value;

use super::call::Call;
use super::failure::Failure;
use super::output::{Output, Table};
use super::url::with_query;

/// A kind of list.
#[derive(Debug)]
pub(super) struct Listing {
    /// The name of a column, and the field of an item, with dots between those inside each other.
    pub(super) columns: &'static [(&'static str, &'static str)],
    pub(super) defaults: &'static [&'static str],
}

/// The columns that are shown.
type Chosen = Vec<(&'static str, &'static str)>;

impl Listing {
    /// Asks for a list, of what is shown only, and shows it.
    pub(super) fn show(&self, call: &Call, path: String) -> Result<Output, Failure> {
        self.show_with(call, path, |_| {})
    }

    /// The same with a change to each item.
    pub(super) fn show_with(
        &self,
        call: &Call,
        path: String,
        change: impl Fn(&mut Value),
    ) -> Result<Output, Failure> {
        let chosen = self.chosen(call)?;
        let mut items = call.api.list(self.path(path, &chosen))?;
        items.iter_mut().for_each(change);
        Ok(Output::Rows(table(&chosen, &items)))
    }

    /// All items with those columns that are shown.
    pub(super) fn of(&self, call: &Call, items: &[Value]) -> Result<Output, Failure> {
        Ok(Output::Rows(table(&self.chosen(call)?, items)))
    }

    /// The same in a frame.
    pub(super) fn framed(&self, call: &Call, items: &[Value]) -> Result<Output, Failure> {
        Ok(Output::Framed(table(&self.chosen(call)?, items)))
    }

    /// The columns that were typed, by spaces or by commas, or else the usual ones.
    pub(super) fn chosen(&self, call: &Call) -> Result<Chosen, Failure> {
        let typed = call.words("<column>");
        let named = typed.iter().flat_map(|word| word.split(','));
        let mut named: Vec<&str> = named.map(str::trim).filter(|name| !name.is_empty()).collect();
        if named.is_empty() {
            named.extend(self.defaults);
        }
        let find = |name: &&str| self.columns.iter().find(|(known, _)| known == name).copied();
        let unknown: Vec<&str> =
            named.iter().filter(|name| find(name).is_none()).copied().collect();
        match unknown.as_slice() {
            [] => Ok(once_each(named.iter().filter_map(find))),
            unknown => {
                let text = format!("Info key(s) {} are not supported", unknown.join(","));
                Err(call.misused(&text))
            }
        }
    }

    /// Which columns there are, for who asks how to name them.
    pub(super) fn help(&self) -> String {
        let names: Vec<&str> = self.columns.iter().map(|(name, _)| *name).collect();
        let (names, usual) = (names.join(", "), self.defaults.join(", "));
        format!("Columns: {names}\n\nWhere none is named: {usual}")
    }

    fn path(&self, path: String, chosen: &Chosen) -> String {
        let mut fields: Vec<&str> = chosen.iter().map(|(_, field)| *field).collect();
        fields.sort_unstable();
        fields.dedup();
        with_query(path, "columns", &fields.join(","))
    }
}

/// A column that is named twice is one.
fn once_each(named: impl Iterator<Item = (&'static str, &'static str)>) -> Chosen {
    let mut chosen = Chosen::new();
    for column in named {
        if !chosen.contains(&column) {
            chosen.push(column);
        }
    }
    chosen
}

fn table(chosen: &Chosen, items: &[Value]) -> Table {
    let row = |item: &Value| chosen.iter().map(|(_, field)| field_of(item, field)).collect();
    Table {
        columns: chosen.iter().map(|(name, _)| *name).collect(),
        rows: items.iter().map(row).collect(),
    }
}

/// A field, or an empty text where there is none, as RabbitMQ has it.
fn field_of(item: &Value, field: &str) -> Value {
    let found = field.split('.').try_fold(item, |item, name| item.get(name));
    found.filter(|value| !value.is_null()).cloned().unwrap_or_else(|| Value::from(""))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_column_that_is_named_twice_is_shown_once() {
        let (a, b) = (("a", "x"), ("b", "x"));
        assert_eq!(once_each([a, b, a].into_iter()), [a, b]);
    }

    #[test]
    fn a_field_may_stand_inside_another_or_be_missing() {
        let item = json!({"a": {"b": 1}, "n": null});
        assert_eq!(field_of(&item, "a.b"), json!(1));
        for field in ["a.c", "n", "x.y"] {
            assert_eq!(field_of(&item, field), json!(""));
        }
    }
}
