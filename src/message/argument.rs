//! Arguments read one by one out of a field table, each refused with RabbitMQ's words where its
//! type or value is wrong. It knows types and ranges, not what an argument means. Floor 1.

use std::borrow::Cow;
use std::fmt::Display;

use super::expiration::EXPIRY_MS_MAX;
use super::resource::Resource;
use super::term;
use crate::protocol::field::{FieldTable, FieldValue};
use crate::protocol::reply::ChannelError;

/// The arguments of one declaration, and whose they are. Of a key that is there twice the first
/// counts, as in RabbitMQ.
#[derive(Debug, Clone, Copy)]
pub(super) struct Arguments<'a> {
    table: &'a FieldTable,
    resource: Resource<'a>,
}

impl<'a> Arguments<'a> {
    pub(super) fn new(table: &'a FieldTable, resource: Resource<'a>) -> Self {
        Self { table, resource }
    }

    /// Any integer, of whatever width.
    pub(super) fn integer(&self, name: &str) -> Result<Option<i64>, ChannelError> {
        let Some(value) = self.table.get(name) else { return Ok(None) };
        value.as_integer().map(Some).ok_or_else(|| {
            let type_name = term::type_name(value);
            self.invalid(name, format_args!("\"expected integer, got {type_name}\""))
        })
    }

    /// An integer that is not negative.
    pub(super) fn count(&self, name: &str) -> Result<Option<u64>, ChannelError> {
        let Some(number) = self.integer(name)? else { return Ok(None) };
        u64::try_from(number)
            .map(Some)
            .map_err(|_| self.invalid(name, format_args!("{{value_negative,{number}}}")))
    }

    /// An integer above zero.
    pub(super) fn positive(&self, name: &str) -> Result<Option<u64>, ChannelError> {
        match self.count(name)? {
            Some(0) => Err(self.invalid(name, "{value_zero,0}")),
            count => Ok(count),
        }
    }

    /// A time in milliseconds of at most ten years.
    pub(super) fn milliseconds(&self, name: &str) -> Result<Option<u64>, ChannelError> {
        match self.count(name)? {
            Some(milliseconds) if milliseconds > EXPIRY_MS_MAX => {
                Err(self.invalid(name, format_args!("{{value_too_large,{milliseconds}}}")))
            }
            milliseconds => Ok(milliseconds),
        }
    }

    /// A boolean; numbers and strings are none.
    pub(super) fn boolean(&self, name: &str) -> Result<Option<bool>, ChannelError> {
        match self.table.get(name) {
            None => Ok(None),
            Some(FieldValue::Boolean(value)) => Ok(Some(*value)),
            Some(other) => Err(self.unacceptable_type(name, other)),
        }
    }

    /// A long string. Bytes that are not UTF-8 are replaced: no name on the wire can have them.
    pub(super) fn text(&self, name: &str) -> Result<Option<Cow<'a, str>>, ChannelError> {
        match self.table.get(name) {
            None => Ok(None),
            Some(FieldValue::LongString(bytes)) => Ok(Some(String::from_utf8_lossy(bytes))),
            Some(other) => Err(self.unacceptable_type(name, other)),
        }
    }

    /// The name of an exchange, which RabbitMQ refuses in words of its own.
    pub(super) fn exchange_name(&self, name: &str) -> Result<Option<Cow<'a, str>>, ChannelError> {
        self.text(name).map_err(|unacceptable| match self.table.get(name) {
            Some(value) => ChannelError::precondition_failed(format!(
                "invalid type '{}' for arg '{name}' in {}",
                term::type_name(value),
                self.resource
            )),
            None => unacceptable,
        })
    }

    /// One of the given words; `refusal` is the reason if it is another.
    pub(super) fn choice<T: Copy>(
        &self,
        name: &str,
        choices: &[(&str, T)],
        refusal: impl FnOnce(&str) -> String,
    ) -> Result<Option<T>, ChannelError> {
        let Some(word) = self.text(name)? else { return Ok(None) };
        match choices.iter().find(|(choice, _)| *choice == word) {
            Some((_, meaning)) => Ok(Some(*meaning)),
            None => Err(self.invalid(name, refusal(&word))),
        }
    }

    /// The 406 for an argument, with the reason as RabbitMQ prints it.
    pub(super) fn invalid(&self, name: &str, reason: impl Display) -> ChannelError {
        let resource = self.resource;
        ChannelError::precondition_failed(format!("invalid arg '{name}' for {resource}: {reason}"))
    }

    fn unacceptable_type(&self, name: &str, value: &FieldValue) -> ChannelError {
        let type_name = term::type_name(value);
        self.invalid(name, format_args!("{{unacceptable_type,{type_name}}}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with<T>(value: FieldValue, read: impl FnOnce(Arguments<'_>) -> T) -> T {
        let mut table = FieldTable::new();
        table.insert("x-a", value);
        read(Arguments::new(&table, Resource::queue("q", "/")))
    }

    fn reason<T: std::fmt::Debug>(result: Result<T, ChannelError>) -> String {
        let text = result.unwrap_err().text;
        let prefix = "PRECONDITION_FAILED - invalid arg 'x-a' for queue 'q' in vhost '/': ";
        text.strip_prefix(prefix).expect("another prefix").to_owned()
    }

    #[test]
    fn an_absent_argument_is_none_of_every_type() {
        let table = FieldTable::new();
        let arguments = Arguments::new(&table, Resource::queue("q", "/"));
        assert_eq!(arguments.integer("x-a").unwrap(), None);
        assert_eq!(arguments.milliseconds("x-a").unwrap(), None);
        assert_eq!(arguments.boolean("x-a").unwrap(), None);
        assert_eq!(arguments.text("x-a").unwrap(), None);
    }

    #[test]
    fn integers_of_every_width_are_integers_and_nothing_else_is() {
        for value in [FieldValue::I8(1), FieldValue::U8(1), FieldValue::U16(1), FieldValue::I64(1)]
        {
            assert_eq!(with(value, |a| a.integer("x-a")).unwrap(), Some(1));
        }
        for (value, type_name) in [
            (FieldValue::Timestamp(5), "timestamp"),
            (FieldValue::Boolean(true), "bool"),
            (FieldValue::from("10"), "longstr"),
            (FieldValue::Bytes(Box::from(*b"xy")), "binary"),
            (FieldValue::F64(1.5), "double"),
            (FieldValue::F32(1.5), "float"),
            (FieldValue::Decimal { scale: 1, value: 15 }, "decimal"),
            (FieldValue::Array(vec![]), "array"),
            (FieldValue::Table(FieldTable::new()), "table"),
            (FieldValue::Void, "void"),
        ] {
            assert_eq!(
                reason(with(value, |a| a.integer("x-a"))),
                format!("\"expected integer, got {type_name}\"")
            );
        }
    }

    #[test]
    fn ranges_are_checked_with_the_value_in_the_reason() {
        assert_eq!(reason(with(FieldValue::I8(-1), |a| a.count("x-a"))), "{value_negative,-1}");
        assert_eq!(reason(with(FieldValue::I32(0), |a| a.positive("x-a"))), "{value_zero,0}");
        let too_large = FieldValue::I64(315_360_000_001);
        assert_eq!(
            reason(with(too_large, |a| a.milliseconds("x-a"))),
            "{value_too_large,315360000001}"
        );
    }

    #[test]
    fn booleans_and_strings_name_the_type_they_got() {
        let number = FieldValue::I32(1);
        assert_eq!(
            reason(with(number.clone(), |a| a.boolean("x-a"))),
            "{unacceptable_type,signedint}"
        );
        assert_eq!(
            reason(with(number, |a| a.text("x-a").map(drop))),
            "{unacceptable_type,signedint}"
        );
    }

    #[test]
    fn an_exchange_name_of_another_type_is_refused_in_words_of_its_own() {
        let error = with(FieldValue::I64(1), |a| a.exchange_name("x-a").map(drop)).unwrap_err();
        assert_eq!(
            error.text,
            "PRECONDITION_FAILED - invalid type 'long' for arg 'x-a' in queue 'q' in vhost '/'"
        );
    }
}
