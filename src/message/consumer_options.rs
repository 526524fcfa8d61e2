//! What the arguments of a consume ask for, parsed once. Not the flags of the method, and not
//! what a consumer's queue allows. Floor 1.

use super::argument::Arguments;
use super::queue_options::QueueKind;
use super::resource::Resource;
use crate::protocol::field::FieldTable;
use crate::protocol::reply::AmqpError;

/// The options of a consumer, as its arguments say.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ConsumerOptions {
    /// `x-priority`: higher ones are served first, and zero is where nobody asked.
    pub priority: i64,
    /// `x-consumer-timeout`: how long a delivery may stay unsettled.
    pub consumer_timeout_ms: Option<u64>,
}

impl ConsumerOptions {
    /// Parses the arguments of a consume on `queue`. `x-cancel-on-ha-failover` is of the past,
    /// the `x-stream-` arguments are of another type of queue, and both are passed over, as
    /// everything unknown is. Both kinds of queue take the same arguments today; the kind is a
    /// parameter because RabbitMQ's differ.
    pub fn parse(
        queue: Resource<'_>,
        table: &FieldTable,
        kind: QueueKind,
    ) -> Result<Self, AmqpError> {
        let arguments = Arguments::new(table, queue);
        match kind {
            QueueKind::Classic | QueueKind::Quorum => Ok(Self {
                priority: arguments.integer("x-priority")?.unwrap_or(0),
                consumer_timeout_ms: arguments.count("x-consumer-timeout")?,
            }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::field::FieldValue;

    fn parse(name: &str, value: impl Into<FieldValue>) -> Result<ConsumerOptions, String> {
        let mut table = FieldTable::new();
        table.insert(name, value);
        ConsumerOptions::parse(Resource::queue("qq", "/"), &table, QueueKind::Classic).map_err(
            |error| match error {
                AmqpError::Channel(error) => error.text,
                AmqpError::Connection(error) => panic!("a connection error: {}", error.text),
            },
        )
    }

    #[test]
    fn a_priority_is_any_integer() {
        assert_eq!(parse("x-priority", -5).unwrap().priority, -5);
        assert_eq!(parse("x-priority", 1_i64 << 40).unwrap().priority, 1 << 40);
        assert_eq!(parse("x-priority", FieldValue::U8(9)).unwrap().priority, 9);
        assert_eq!(parse("x-foo", 1).unwrap().priority, 0);
    }

    #[test]
    fn a_priority_that_is_no_integer_is_refused() {
        for (value, type_name) in [
            (FieldValue::from("a"), "longstr"),
            (FieldValue::F64(1.5), "double"),
            (FieldValue::Boolean(true), "bool"),
            (FieldValue::Void, "void"),
            (FieldValue::Timestamp(1), "timestamp"),
        ] {
            assert_eq!(
                parse("x-priority", value).unwrap_err(),
                format!(
                    "PRECONDITION_FAILED - invalid arg 'x-priority' for queue 'qq' in vhost '/': \
                     \"expected integer, got {type_name}\""
                )
            );
        }
    }

    #[test]
    fn a_consumer_timeout_is_not_negative() {
        assert_eq!(parse("x-consumer-timeout", 5).unwrap().consumer_timeout_ms, Some(5));
        assert_eq!(
            parse("x-consumer-timeout", -1).unwrap_err(),
            "PRECONDITION_FAILED - invalid arg 'x-consumer-timeout' for queue 'qq' in vhost '/': \
             {value_negative,-1}"
        );
    }

    #[test]
    fn arguments_of_other_times_and_types_are_passed_over() {
        for name in ["x-cancel-on-ha-failover", "x-stream-offset", "x-stream-filter", "x-foo"] {
            assert_eq!(parse(name, 1).unwrap(), ConsumerOptions::default(), "{name}");
        }
    }
}
