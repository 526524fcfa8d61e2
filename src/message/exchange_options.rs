//! What an exchange's declaration asks for beyond its flags. Arguments that belong to one type
//! of exchange are the business of routing; here is what every exchange has. Floor 1.

use super::argument::Arguments;
use super::resource::Resource;
use crate::protocol::field::FieldTable;
use crate::protocol::reply::ChannelError;

/// The argument that names where unroutable messages go.
pub(super) const ALTERNATE_EXCHANGE: &str = "alternate-exchange";

/// The options of an exchange, as its arguments say.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ExchangeOptions {
    /// `alternate-exchange`; it need not exist, and the empty name is the default exchange.
    pub alternate_exchange: Option<Box<str>>,
}

impl ExchangeOptions {
    /// Parses the arguments of an exchange that is about to be created.
    pub fn parse(exchange: Resource<'_>, table: &FieldTable) -> Result<Self, ChannelError> {
        let alternate_exchange =
            Arguments::new(table, exchange).exchange_name(ALTERNATE_EXCHANGE)?;
        Ok(Self { alternate_exchange: alternate_exchange.as_deref().map(Box::from) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::field::FieldValue;

    fn parse(value: FieldValue) -> Result<ExchangeOptions, ChannelError> {
        let mut table = FieldTable::new();
        table.insert(ALTERNATE_EXCHANGE, value);
        ExchangeOptions::parse(Resource::exchange("x", "/"), &table)
    }

    #[test]
    fn an_alternate_exchange_is_a_long_string_and_may_be_empty() {
        assert_eq!(parse("a".into()).unwrap().alternate_exchange.as_deref(), Some("a"));
        assert_eq!(parse("".into()).unwrap().alternate_exchange.as_deref(), Some(""));
    }

    #[test]
    fn an_alternate_exchange_of_another_type_is_refused() {
        for (value, type_name) in [
            (FieldValue::I32(5), "signedint"),
            (FieldValue::I16(3), "short"),
            (FieldValue::Boolean(true), "bool"),
            (FieldValue::Bytes(Box::from(*b"a")), "binary"),
            (FieldValue::Void, "void"),
        ] {
            assert_eq!(
                parse(value).unwrap_err().text,
                format!(
                    "PRECONDITION_FAILED - invalid type '{type_name}' for arg \
                     'alternate-exchange' in exchange 'x' in vhost '/'"
                )
            );
        }
    }

    #[test]
    fn other_arguments_are_left_to_the_type_of_the_exchange() {
        let mut table = FieldTable::new();
        table.insert("x-delayed-type", 5);
        let options = ExchangeOptions::parse(Resource::exchange("x", "/"), &table).unwrap();
        assert_eq!(options, ExchangeOptions::default());
    }
}
