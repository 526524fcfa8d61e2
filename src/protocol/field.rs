//! Field tables as values: names, values, and the table that keeps their order. How they stand on
//! the wire is in `decode` and `encode`.

use std::fmt;
use std::hash::{Hash, Hasher};

use smallvec::SmallVec;

/// A name in a table: any bytes of up to 255, though mostly text, and mostly so short that a table
/// of many needs no memory for each.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FieldName(SmallVec<[u8; 16]>);

impl FieldName {
    /// The bytes as they stand on the wire.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

impl From<&[u8]> for FieldName {
    fn from(bytes: &[u8]) -> Self {
        Self(SmallVec::from_slice(bytes))
    }
}

impl From<&str> for FieldName {
    fn from(text: &str) -> Self {
        text.as_bytes().into()
    }
}

impl From<String> for FieldName {
    fn from(text: String) -> Self {
        text.as_bytes().into()
    }
}

impl fmt::Display for FieldName {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&String::from_utf8_lossy(&self.0))
    }
}

impl fmt::Debug for FieldName {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{:?}", String::from_utf8_lossy(&self.0))
    }
}

/// A value in a table or an array, with the letter it has on the wire.
#[derive(Clone, Debug)]
pub enum FieldValue {
    /// `t`
    Boolean(bool),
    /// `b`
    I8(i8),
    /// `B`
    U8(u8),
    /// `s`, a signed short here as in RabbitMQ
    I16(i16),
    /// `u`
    U16(u16),
    /// `I`
    I32(i32),
    /// `i`
    U32(u32),
    /// `l`; `L` is read as the same and never written
    I64(i64),
    /// `f`
    F32(f32),
    /// `d`
    F64(f64),
    /// `D`: `value` with its point moved left by `scale`
    Decimal {
        /// Digits behind the point.
        scale: u8,
        /// All digits.
        value: u32,
    },
    /// `S`
    LongString(Box<[u8]>),
    /// `A`
    Array(Vec<Self>),
    /// `T`, in seconds
    Timestamp(u64),
    /// `F`
    Table(FieldTable),
    /// `V`
    Void,
    /// `x`
    Bytes(Box<[u8]>),
}

impl FieldValue {
    /// The number, of whatever integer kind it is.
    #[must_use]
    pub fn as_integer(&self) -> Option<i64> {
        match self {
            Self::I8(value) => Some(i64::from(*value)),
            Self::U8(value) => Some(i64::from(*value)),
            Self::I16(value) => Some(i64::from(*value)),
            Self::U16(value) => Some(i64::from(*value)),
            Self::I32(value) => Some(i64::from(*value)),
            Self::U32(value) => Some(i64::from(*value)),
            Self::I64(value) => Some(*value),
            _ => None,
        }
    }

    /// The text of a long string that is text.
    #[must_use]
    pub fn as_str(&self) -> Option<&str> {
        match self {
            Self::LongString(bytes) => std::str::from_utf8(bytes).ok(),
            _ => None,
        }
    }

    /// Floats are compared by their bits, so that equality holds for all values.
    fn bits(&self) -> Option<u64> {
        match self {
            Self::F32(value) => Some(u64::from(value.to_bits())),
            Self::F64(value) => Some(value.to_bits()),
            Self::Timestamp(value) => Some(*value),
            Self::Boolean(value) => Some(u64::from(*value)),
            Self::Decimal { scale, value } => Some(u64::from(*scale) << 32 | u64::from(*value)),
            other => other.as_integer().map(i64::cast_unsigned),
        }
    }
}

impl PartialEq for FieldValue {
    fn eq(&self, other: &Self) -> bool {
        if std::mem::discriminant(self) != std::mem::discriminant(other) {
            return false;
        }
        match (self, other) {
            (Self::LongString(left), Self::LongString(right))
            | (Self::Bytes(left), Self::Bytes(right)) => left == right,
            (Self::Array(left), Self::Array(right)) => left == right,
            (Self::Table(left), Self::Table(right)) => left == right,
            _ => self.bits() == other.bits(),
        }
    }
}

impl Eq for FieldValue {}

impl Hash for FieldValue {
    fn hash<H: Hasher>(&self, state: &mut H) {
        std::mem::discriminant(self).hash(state);
        match self {
            Self::LongString(bytes) | Self::Bytes(bytes) => bytes.hash(state),
            Self::Array(values) => values.hash(state),
            Self::Table(table) => table.hash(state),
            _ => self.bits().hash(state),
        }
    }
}

impl From<&str> for FieldValue {
    fn from(text: &str) -> Self {
        Self::LongString(text.as_bytes().into())
    }
}

impl From<String> for FieldValue {
    fn from(text: String) -> Self {
        Self::LongString(text.into_bytes().into())
    }
}

impl From<bool> for FieldValue {
    fn from(value: bool) -> Self {
        Self::Boolean(value)
    }
}

impl From<i32> for FieldValue {
    fn from(value: i32) -> Self {
        Self::I32(value)
    }
}

impl From<u32> for FieldValue {
    fn from(value: u32) -> Self {
        Self::U32(value)
    }
}

impl From<i64> for FieldValue {
    fn from(value: i64) -> Self {
        Self::I64(value)
    }
}

impl From<FieldTable> for FieldValue {
    fn from(table: FieldTable) -> Self {
        Self::Table(table)
    }
}

impl From<Vec<Self>> for FieldValue {
    fn from(values: Vec<Self>) -> Self {
        Self::Array(values)
    }
}

/// Names and values in the order in which they came; a name may come twice.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct FieldTable(Vec<(FieldName, FieldValue)>);

impl FieldTable {
    /// A table without entries.
    #[must_use]
    pub const fn new() -> Self {
        Self(Vec::new())
    }

    /// A table with room for so many entries.
    pub(super) fn with_capacity(count: usize) -> Self {
        Self(Vec::with_capacity(count))
    }

    /// Appends an entry.
    pub fn insert(&mut self, name: impl Into<FieldName>, value: impl Into<FieldValue>) {
        self.0.push((name.into(), value.into()));
    }

    /// Gives a name this value: in the place of the first one it has, or at the end.
    pub fn set(&mut self, name: impl Into<FieldName>, value: impl Into<FieldValue>) {
        let (name, value) = (name.into(), value.into());
        match self.0.iter_mut().find(|(known, _)| *known == name) {
            Some((_, known)) => *known = value,
            None => self.0.push((name, value)),
        }
    }

    /// The first value of this name.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&FieldValue> {
        self.0.iter().find(|(known, _)| known.as_bytes() == name.as_bytes()).map(|(_, value)| value)
    }

    /// The name is there.
    #[must_use]
    pub fn contains(&self, name: &str) -> bool {
        self.get(name).is_some()
    }

    /// Takes the first entry of this name out.
    pub fn remove(&mut self, name: &str) -> Option<FieldValue> {
        let index = self.0.iter().position(|(known, _)| known.as_bytes() == name.as_bytes())?;
        Some(self.0.remove(index).1)
    }

    /// Takes all entries of this name out.
    pub fn remove_all(&mut self, name: &str) {
        self.0.retain(|(known, _)| known.as_bytes() != name.as_bytes());
    }

    /// All entries in their order.
    pub fn iter(&self) -> std::slice::Iter<'_, (FieldName, FieldValue)> {
        self.0.iter()
    }

    /// How many entries there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// There are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl<'a> IntoIterator for &'a FieldTable {
    type Item = &'a (FieldName, FieldValue);
    type IntoIter = std::slice::Iter<'a, (FieldName, FieldValue)>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

impl<N: Into<FieldName>, V: Into<FieldValue>> FromIterator<(N, V)> for FieldTable {
    fn from_iter<I: IntoIterator<Item = (N, V)>>(entries: I) -> Self {
        Self(entries.into_iter().map(|(name, value)| (name.into(), value.into())).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_of_two_equal_names_is_found() {
        let table: FieldTable = [("a", 1), ("a", 2)].into_iter().collect();
        assert_eq!(table.get("a"), Some(&FieldValue::I32(1)));
        assert_eq!(table.len(), 2);
    }

    #[test]
    fn equal_numbers_of_different_kinds_are_different_values() {
        assert_ne!(FieldValue::I32(1), FieldValue::I64(1));
        assert_eq!(FieldValue::I32(1).as_integer(), FieldValue::U8(1).as_integer());
    }

    #[test]
    fn a_float_that_is_no_number_equals_itself() {
        assert_eq!(FieldValue::F64(f64::NAN), FieldValue::F64(f64::NAN));
    }

    #[test]
    fn setting_replaces_the_first_value_where_it_stands() {
        let mut table: FieldTable = [("a", 1), ("b", 2), ("a", 3)].into_iter().collect();
        table.set("a", 4);
        table.set("c", 5);
        let expected = [("a", 4), ("b", 2), ("a", 3), ("c", 5)].into_iter().collect();
        assert_eq!(table, expected);
    }

    #[test]
    fn removing_takes_one_entry() {
        let mut table: FieldTable = [("a", 1), ("b", 2)].into_iter().collect();
        assert_eq!(table.remove("a"), Some(FieldValue::I32(1)));
        assert_eq!(table.remove("a"), None);
        assert!(table.contains("b"));
    }
}
