//! The `expiration` property of a message: a time to live in milliseconds, written as text. Not
//! when a message expires: that is the queue's business. Floor 1.

use super::term;
use crate::protocol::reply::ChannelError;

/// The longest time to live and the longest lease, ten years, as RabbitMQ has it.
pub const EXPIRY_MS_MAX: u64 = 315_360_000_000;

/// The milliseconds that an `expiration` property says: digits only, 0 to [`EXPIRY_MS_MAX`].
pub fn parse(expiration: &str) -> Result<u64, ChannelError> {
    milliseconds(expiration).map_err(|reason| {
        ChannelError::precondition_failed(format!("invalid expiration '{expiration}': {reason}"))
    })
}

fn milliseconds(expiration: &str) -> Result<u64, String> {
    let magnitude = expiration.strip_prefix('-').unwrap_or(expiration);
    let digits_end =
        magnitude.find(|character: char| !character.is_ascii_digit()).unwrap_or(magnitude.len());
    let (digits, leftover) = magnitude.split_at(digits_end);
    if digits.is_empty() {
        return Err("no_integer".to_owned());
    }
    if !leftover.is_empty() {
        return Err(format!("{{leftover_string,{}}}", term::quoted(leftover)));
    }
    let number = match digits.trim_start_matches('0') {
        "" => "0",
        number => number,
    };
    if magnitude.len() < expiration.len() {
        return Err(format!("{{value_negative,-{number}}}"));
    }
    number
        .parse()
        .ok()
        .filter(|milliseconds| *milliseconds <= EXPIRY_MS_MAX)
        .ok_or_else(|| format!("{{value_too_large,{number}}}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(expiration: &str) -> String {
        parse(expiration).unwrap_err().text
    }

    #[test]
    fn digits_up_to_ten_years_are_taken() {
        assert_eq!(parse("0").unwrap(), 0);
        assert_eq!(parse("00010").unwrap(), 10);
        assert_eq!(parse("315360000000").unwrap(), EXPIRY_MS_MAX);
    }

    #[test]
    fn everything_else_is_refused_with_rabbitmqs_reason() {
        for (expiration, reason) in [
            ("abc", "no_integer"),
            ("", "no_integer"),
            (" 10", "no_integer"),
            ("é", "no_integer"),
            ("-1", "{value_negative,-1}"),
            ("1.5", "{leftover_string,\".5\"}"),
            ("10 ", "{leftover_string,\" \"}"),
            ("5a", "{leftover_string,\"a\"}"),
            ("0x10", "{leftover_string,\"x10\"}"),
            ("315360000001", "{value_too_large,315360000001}"),
            ("99999999999999999999999", "{value_too_large,99999999999999999999999}"),
        ] {
            assert_eq!(
                refusal(expiration),
                format!("PRECONDITION_FAILED - invalid expiration '{expiration}': {reason}")
            );
        }
    }

    #[test]
    fn a_sign_is_not_a_digit() {
        assert!(refusal("+5").ends_with("no_integer"));
        assert!(refusal("-0").ends_with("{value_negative,-0}"));
    }
}
