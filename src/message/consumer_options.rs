//! What the arguments of a consume ask for, parsed once. Not the flags of the method, and not
//! what a consumer's queue allows. Floor 1.

use super::argument::Arguments;
use super::queue_options::QueueKind;
use super::resource::Resource;
use crate::protocol::field::FieldTable;
use crate::protocol::reply::{AmqpError, ChannelError};

/// The options of a consumer, as its arguments say.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ConsumerOptions {
    /// `x-priority`: higher ones are served first, and zero is where nobody asked.
    pub priority: i64,
    /// `x-consumer-timeout`: how long a delivery may stay unsettled.
    pub consumer_timeout_ms: Option<u64>,
    /// `x-retry-delay`: how long what is given back waits, for each time that its delivery failed.
    pub retry_delay_ms: Option<u64>,
    /// `x-retry-delay-max`: the longest that it does.
    pub retry_delay_max_ms: Option<u64>,
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
            QueueKind::Classic | QueueKind::Quorum => {
                let priority = arguments.integer("x-priority")?.unwrap_or(0);
                let consumer_timeout_ms = arguments.count("x-consumer-timeout")?;
                let (retry_delay_ms, retry_delay_max_ms) = retry_delay(&arguments)?;
                Ok(Self { priority, consumer_timeout_ms, retry_delay_ms, retry_delay_max_ms })
            }
        }
    }
}

/// The delay and the longest one, which has no meaning by itself.
fn retry_delay(arguments: &Arguments<'_>) -> Result<(Option<u64>, Option<u64>), ChannelError> {
    const DELAY: &str = "x-retry-delay";
    const DELAY_MAX: &str = "x-retry-delay-max";
    arguments.positive(DELAY)?;
    arguments.positive(DELAY_MAX)?;
    let (delay_ms, max_ms) = (arguments.milliseconds(DELAY)?, arguments.milliseconds(DELAY_MAX)?);
    match (delay_ms, max_ms) {
        (Some(delay_ms), Some(max_ms)) if max_ms < delay_ms => {
            Err(arguments.invalid(DELAY_MAX, format_args!("{{value_below_min,{max_ms}}}")))
        }
        both => Ok(both),
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
    fn a_retry_delay_is_above_zero_and_at_most_ten_years() {
        assert_eq!(parse("x-retry-delay", 5).unwrap().retry_delay_ms, Some(5));
        assert_eq!(parse("x-retry-delay-max", 5).unwrap().retry_delay_max_ms, Some(5));
        for name in ["x-retry-delay", "x-retry-delay-max"] {
            for (value, reason) in [
                (FieldValue::I32(0), "{value_zero,0}"),
                (FieldValue::I32(-1), "{value_negative,-1}"),
                (FieldValue::I64(315_360_000_001), "{value_too_large,315360000001}"),
                (FieldValue::from("1"), "\"expected integer, got longstr\""),
            ] {
                let prefix = "PRECONDITION_FAILED - invalid arg";
                let expected = format!("{prefix} '{name}' for queue 'qq' in vhost '/': {reason}");
                assert_eq!(parse(name, value).unwrap_err(), expected);
            }
        }
    }

    #[test]
    fn the_longest_retry_delay_is_not_below_the_first() {
        let mut table = FieldTable::new();
        table.insert("x-retry-delay", 10);
        table.insert("x-retry-delay-max", 9);
        let parsed = ConsumerOptions::parse(Resource::queue("q", "/"), &table, QueueKind::Quorum);
        let Err(AmqpError::Channel(error)) = parsed else { panic!("it is refused") };
        assert_eq!(
            error.text,
            "PRECONDITION_FAILED - invalid arg 'x-retry-delay-max' for queue 'q' in vhost '/': \
             {value_below_min,9}"
        );
    }

    #[test]
    fn arguments_of_other_times_and_types_are_passed_over() {
        for name in ["x-cancel-on-ha-failover", "x-stream-offset", "x-stream-filter", "x-foo"] {
            assert_eq!(parse(name, 1).unwrap(), ConsumerOptions::default(), "{name}");
        }
    }
}
