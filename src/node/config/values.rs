//! The kinds of values that a key may have, and how the text an operator wrote becomes one of
//! them. Not here: which key has which kind (`keys`), and what a value means (`resolve`).

use std::{fmt, net::IpAddr};

use crate::definitions::Pattern;
use crate::server::{Network, knows_cipher_suite};

/// What a key expects. The bounds are inclusive.
#[derive(Clone, Copy, Debug)]
pub enum Kind {
    /// `true` or `false`; `on` and `off` mean the same.
    Boolean,
    /// A whole number.
    Number { min: u64, max: u64 },
    /// A whole number, or `infinity` for no limit.
    Limit { min: u64, max: u64 },
    /// A whole number, or -1 for no limit.
    LimitOrMinus,
    /// A length of time: milliseconds, or numbers with units, as `1h30m`.
    Duration,
    /// A number of milliseconds; `undefined`, as RabbitMQ has it, `infinity`, `false` or 0 for no
    /// limit.
    Timeout,
    /// A number of bytes, with or without a unit.
    Size { min: u64, max: u64 },
    /// The same, or 0 for no limit.
    SizeOrZero { min: u64, max: u64 },
    /// A number with a fraction.
    Fraction { min: f64, max: f64 },
    /// One of a few words.
    Choice(&'static [&'static str]),
    /// A regular expression.
    Pattern,
    /// What paths begin with: nothing, or a slash and more.
    Path,
    /// A port, or an address with a port.
    Address,
    /// An address without a port.
    Ip,
    /// Who may use a file.
    Mode,
    /// Addresses that begin alike.
    Network,
    /// A suite of ciphers that TLS is spoken with.
    CipherSuite,
    /// Anything.
    Text,
}

/// A value that its kind has accepted.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    Boolean(bool),
    Number(u64),
    Infinity,
    Fraction(f64),
    Text(String),
    Address(ListenAddress),
}

/// Where to listen. Without a host it is every interface.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ListenAddress {
    pub host: Option<IpAddr>,
    /// Port 0 lets the system choose one.
    pub port: u16,
}

impl Kind {
    /// Any whole number.
    pub const NUMBER: Self = Self::Number { min: 0, max: u64::MAX };
    /// A whole number that must be at least one.
    pub const POSITIVE: Self = Self::Number { min: 1, max: u64::MAX };
    /// A whole number or `infinity`.
    pub const LIMIT: Self = Self::Limit { min: 0, max: u64::MAX };
    /// A TCP port.
    pub const PORT: Self = Self::Number { min: 0, max: 65_535 };
    /// Any number of bytes.
    pub const SIZE: Self = Self::Size { min: 0, max: u64::MAX };

    /// Reads `text`, or answers `None` when it is not of this kind.
    #[must_use]
    pub fn parse(&self, text: &str) -> Option<Value> {
        match *self {
            Self::Boolean => boolean(text),
            Self::Number { min, max } => number(text, min, max),
            Self::LimitOrMinus if text == "-1" => Some(Value::Infinity),
            Self::LimitOrMinus => number(text, 0, u64::MAX),
            Self::Duration => duration(text).map(Value::Number),
            Self::Limit { .. } if text == "infinity" => Some(Value::Infinity),
            Self::Limit { min, max } => number(text, min, max),
            Self::Timeout if matches!(text, "undefined" | "infinity" | "false") => {
                Some(Value::Infinity)
            }
            Self::Timeout => number(text, 0, u64::MAX),
            Self::Size { min, max } => {
                size(text).filter(|bytes| (min..=max).contains(bytes)).map(Value::Number)
            }
            Self::SizeOrZero { min, max } => {
                let fits = |bytes: &u64| *bytes == 0 || (min..=max).contains(bytes);
                size(text).filter(fits).map(Value::Number)
            }
            Self::Fraction { min, max } => fraction(text, min, max),
            Self::Choice(words) => words.contains(&text).then(|| Value::Text(text.to_owned())),
            Self::Pattern => Pattern::parse(text).ok().map(|_| Value::Text(text.to_owned())),
            Self::Path => path(text),
            Self::Address => ListenAddress::parse(text).map(Value::Address),
            Self::Ip => {
                let host = text.parse().ok()?;
                Some(Value::Address(ListenAddress { host: Some(host), port: 0 }))
            }
            Self::Mode => mode(text),
            Self::Network => Network::parse(text).map(|_| Value::Text(text.to_owned())),
            Self::CipherSuite => knows_cipher_suite(text).then(|| Value::Text(text.to_owned())),
            Self::Text => Some(Value::Text(text.to_owned())),
        }
    }

    /// What is expected, for error messages and for the sample file.
    #[must_use]
    pub fn expected(&self) -> String {
        match *self {
            Self::Boolean => "true or false".to_owned(),
            Self::Number { min, max } => format!("a whole number{}", range(min, max)),
            Self::Limit { min, max } => format!("a whole number{}, or infinity", range(min, max)),
            Self::LimitOrMinus => "a whole number, or -1 for no limit".to_owned(),
            Self::Duration => "milliseconds, or a time such as 90s or 1h30m".to_owned(),
            Self::Timeout => "a whole number, or undefined for no limit".to_owned(),
            Self::Size { min, max } => {
                format!("a size in bytes{}, such as 128MiB or 50MB", range(min, max))
            }
            Self::SizeOrZero { min, max } => {
                format!("a size in bytes{}, or 0 for no limit", range(min, max))
            }
            Self::Fraction { min, max } if max == f64::MAX => format!("a number from {min}"),
            Self::Fraction { min, max } => format!("a number from {min} to {max}"),
            Self::Choice(words) => one_of(words),
            Self::Pattern => "a regular expression".to_owned(),
            Self::Path => "a path of letters, digits, -, _ and ., such as /rabbitmq".to_owned(),
            Self::Address => {
                "a port (every interface) or ADDRESS:PORT, such as 127.0.0.1:5672 or [::1]:5672"
                    .to_owned()
            }
            Self::Ip => "an address, such as 127.0.0.1 or ::1".to_owned(),
            Self::Network => "addresses, such as 10.0.0.0/8 or 2001:db8::/32".to_owned(),
            Self::CipherSuite => "a cipher suite of TLS 1.3 or 1.2, under its registered name or \
                                  OpenSSL's, such as TLS_AES_256_GCM_SHA384 or \
                                  ECDHE-RSA-AES256-GCM-SHA384"
                .to_owned(),
            Self::Mode => "the permissions of a file in octal, such as 660".to_owned(),
            Self::Text => "a text".to_owned(),
        }
    }
}

impl Value {
    /// The number in it, if there is one and it fits.
    #[must_use]
    pub fn to_number<T: TryFrom<u64>>(&self) -> Option<T> {
        match self {
            Self::Number(number) => T::try_from(*number).ok(),
            _ => None,
        }
    }

    #[must_use]
    pub fn to_fraction(&self) -> Option<f64> {
        match self {
            Self::Fraction(fraction) => Some(*fraction),
            _ => None,
        }
    }

    #[must_use]
    pub fn to_boolean(&self) -> Option<bool> {
        match self {
            Self::Boolean(boolean) => Some(*boolean),
            _ => None,
        }
    }

    #[must_use]
    pub fn to_text(&self) -> Option<String> {
        match self {
            Self::Text(text) => Some(text.clone()),
            _ => None,
        }
    }

    #[must_use]
    pub fn to_address(&self) -> Option<ListenAddress> {
        match self {
            Self::Address(address) => Some(*address),
            _ => None,
        }
    }
}

impl ListenAddress {
    /// Reads `5672`, `*:5672`, `127.0.0.1:5672`, `[::1]:5672`, and `::1:5672` as RabbitMQ does.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let Some((host, port)) = text.rsplit_once(':') else {
            return Some(Self { host: None, port: port_number(text)? });
        };
        let port = port_number(port)?;
        if host == "*" {
            return Some(Self { host: None, port });
        }
        let bare = host.strip_prefix('[').and_then(|inner| inner.strip_suffix(']'));
        Some(Self { host: Some(bare.unwrap_or(host).parse().ok()?), port })
    }
}

impl fmt::Display for ListenAddress {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.host {
            None => write!(formatter, "*:{}", self.port),
            Some(IpAddr::V4(host)) => write!(formatter, "{host}:{}", self.port),
            Some(IpAddr::V6(host)) => write!(formatter, "[{host}]:{}", self.port),
        }
    }
}

fn boolean(text: &str) -> Option<Value> {
    match text {
        "true" | "on" => Some(Value::Boolean(true)),
        "false" | "off" => Some(Value::Boolean(false)),
        _ => None,
    }
}

/// A slash at the end says nothing, and nothing at all is no prefix.
fn path(text: &str) -> Option<Value> {
    let text = text.trim_end_matches('/');
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
    let is_name = |name: &str| !name.is_empty() && name.bytes().all(is_plain);
    let is_good = text.is_empty()
        || text.strip_prefix('/').is_some_and(|names| names.split('/').all(is_name));
    is_good.then(|| Value::Text(text.to_owned()))
}

/// Digits only: `parse` alone would take a plus sign.
fn digits(text: &str) -> Option<u64> {
    text.bytes().all(|byte| byte.is_ascii_digit()).then(|| text.parse().ok()).flatten()
}

fn port_number(text: &str) -> Option<u16> {
    digits(text).and_then(|port| u16::try_from(port).ok())
}

fn mode(text: &str) -> Option<Value> {
    let mode = digits(text).and_then(|_| u64::from_str_radix(text, 8).ok());
    mode.filter(|mode| *mode <= 0o777).map(Value::Number)
}

fn number(text: &str, min: u64, max: u64) -> Option<Value> {
    digits(text).filter(|number| (min..=max).contains(number)).map(Value::Number)
}

fn fraction(text: &str, min: f64, max: f64) -> Option<Value> {
    let fraction = text.parse().ok().filter(|fraction| (min..=max).contains(fraction));
    fraction.map(Value::Fraction)
}

/// A bare `k`, `M` or `G` counts by thousands, as RabbitMQ does since 3.13.
fn size(text: &str) -> Option<u64> {
    let unit_at = text.find(|character: char| !character.is_ascii_digit()).unwrap_or(text.len());
    let (count, unit) = text.split_at_checked(unit_at)?;
    let unit = unit.to_ascii_lowercase();
    let (step, power) = match unit.as_str() {
        "" => (1, 0),
        "k" | "kb" => (1000, 1),
        "m" | "mb" => (1000, 2),
        "g" | "gb" => (1000, 3),
        "t" | "tb" => (1000, 4),
        "p" | "pb" => (1000, 5),
        "ki" | "kib" => (1024, 1),
        "mi" | "mib" => (1024, 2),
        "gi" | "gib" => (1024, 3),
        "ti" | "tib" => (1024, 4),
        "pi" | "pib" => (1024, 5),
        _ => return None,
    };
    digits(count)?.checked_mul(u64::pow(step, power))
}

/// Milliseconds of numbers with units, which follow each other as `1h30m`.
fn duration(text: &str) -> Option<u64> {
    if let Some(milliseconds) = digits(text).filter(|_| !text.is_empty()) {
        return Some(milliseconds);
    }
    let (mut total, mut rest) = (0u64, text);
    while !rest.is_empty() {
        let unit_at = rest.find(|letter: char| !letter.is_ascii_digit())?;
        let (count, behind) = rest.split_at_checked(unit_at)?;
        let count_at = behind.find(|letter: char| letter.is_ascii_digit()).unwrap_or(behind.len());
        let (unit, after) = behind.split_at_checked(count_at)?;
        let milliseconds = match unit {
            "ms" => 1,
            "s" => 1000,
            "m" => 60_000,
            "h" => 3_600_000,
            "d" => 86_400_000,
            "w" => 604_800_000,
            _ => return None,
        };
        total = total.checked_add(digits(count)?.checked_mul(milliseconds)?)?;
        rest = after;
    }
    (total > 0).then_some(total)
}

fn range(min: u64, max: u64) -> String {
    match (min, max) {
        (0, u64::MAX) => String::new(),
        (min, u64::MAX) => format!(" from {min}"),
        (min, max) => format!(" from {min} to {max}"),
    }
}

fn one_of(words: &[&str]) -> String {
    match words {
        [only] => format!("the word {only}"),
        [first @ .., last] => format!("{} or {last}", first.join(", ")),
        [] => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bytes(text: &str) -> Option<u64> {
        Kind::SIZE.parse(text).and_then(|value| value.to_number())
    }

    #[test]
    fn sizes_count_by_thousands_or_by_1024_as_their_unit_says() {
        let cases = [
            ("0", 0),
            ("16384", 16_384),
            ("50MB", 50_000_000),
            ("64kB", 64_000),
            ("64KB", 64_000),
            ("1GB", 1_000_000_000),
            ("1KiB", 1024),
            ("128MiB", 134_217_728),
            ("2GiB", 2_147_483_648),
            ("4Gi", 4_294_967_296),
            ("3k", 3_000),
            ("3M", 3_000_000),
            ("3G", 3_000_000_000),
            ("2TB", 2_000_000_000_000),
            ("1Pi", 1_125_899_906_842_624),
        ];
        for (text, expected) in cases {
            assert_eq!(bytes(text), Some(expected), "{text}");
        }
    }

    #[test]
    fn a_size_that_is_no_number_of_bytes_is_refused() {
        for text in ["", "MB", "1.5GB", "-1", "+1", "1XB", "1 MB", "99999999999PB", "1é"] {
            assert_eq!(bytes(text), None, "{text}");
        }
    }

    #[test]
    fn numbers_stay_in_their_range() {
        let kind = Kind::Number { min: 1, max: 10 };
        assert_eq!(kind.parse("10"), Some(Value::Number(10)));
        for text in ["0", "11", "", "ten", "1.0", "+5", "-5", "99999999999999999999999"] {
            assert_eq!(kind.parse(text), None, "{text}");
        }
        assert_eq!(kind.expected(), "a whole number from 1 to 10");
    }

    #[test]
    fn zero_stands_for_no_limit_only_where_it_may() {
        let kind = Kind::SizeOrZero { min: 4096, max: 8192 };
        assert_eq!(kind.parse("0"), Some(Value::Number(0)));
        assert_eq!(kind.parse("8KiB"), Some(Value::Number(8192)));
        assert_eq!(kind.parse("4095"), None);
        assert_eq!(Kind::Size { min: 4096, max: 8192 }.parse("0"), None);
    }

    #[test]
    fn an_address_without_a_port_is_of_either_family() {
        for text in ["127.0.0.1", "::1", "0.0.0.0"] {
            let host = Kind::Ip.parse(text).and_then(|value| value.to_address()?.host);
            assert_eq!(host.map(|host| host.to_string()).as_deref(), Some(text));
        }
        for text in ["", "localhost", "127.0.0.1:80", "[::1]"] {
            assert_eq!(Kind::Ip.parse(text), None, "{text}");
        }
    }

    #[test]
    fn a_length_of_time_has_units_or_is_in_milliseconds() {
        for (text, expected) in [
            ("500", Some(500)),
            ("500ms", Some(500)),
            ("1h30m", Some(5_400_000)),
            ("1d", Some(86_400_000)),
            ("2w1s", Some(1_209_601_000)),
            ("", None),
            ("h", None),
            ("1y", None),
            ("1h30", None),
            ("-1s", None),
            ("99999999999999999w", None),
        ] {
            let value = Kind::Duration.parse(text).and_then(|value| value.to_number());
            assert_eq!(value, expected, "{text}");
        }
        assert_eq!(Kind::LimitOrMinus.parse("-1"), Some(Value::Infinity));
        assert_eq!(Kind::LimitOrMinus.parse("-2"), None);
    }

    #[test]
    fn a_path_begins_with_a_slash_or_is_none() {
        for (text, expected) in [
            ("/rabbit", Some("/rabbit")),
            ("/a/b-c_d.e/", Some("/a/b-c_d.e")),
            ("/", Some("")),
            ("", Some("")),
            ("rabbit", None),
            ("/a//b", None),
            ("/{a}", None),
            ("/a b", None),
        ] {
            let value = Kind::Path.parse(text).and_then(|value| value.to_text());
            assert_eq!(value.as_deref(), expected, "{text}");
        }
    }

    #[test]
    fn permissions_of_a_file_are_octal() {
        assert_eq!(Kind::Mode.parse("660"), Some(Value::Number(0o660)));
        assert_eq!(Kind::Mode.parse("0600"), Some(Value::Number(0o600)));
        for text in ["", "888", "1777", "+660", "rw-rw----"] {
            assert_eq!(Kind::Mode.parse(text), None, "{text}");
        }
    }

    #[test]
    fn a_limit_may_be_infinite() {
        assert_eq!(Kind::LIMIT.parse("infinity"), Some(Value::Infinity));
        assert_eq!(Kind::LIMIT.parse("5"), Some(Value::Number(5)));
        assert_eq!(Kind::NUMBER.parse("infinity"), None);
    }

    #[test]
    fn a_timeout_may_be_lifted_as_in_rabbitmq() {
        for word in ["undefined", "infinity", "false"] {
            assert_eq!(Kind::Timeout.parse(word), Some(Value::Infinity), "{word}");
        }
        assert_eq!(Kind::Timeout.parse("0"), Some(Value::Number(0)));
        assert_eq!((Kind::Timeout.parse("-1"), Kind::Timeout.parse("none")), (None, None));
    }

    #[test]
    fn choices_booleans_fractions_and_patterns_are_checked() {
        let choice = Kind::Choice(&["basic", "detailed", "none"]);
        assert_eq!(choice.parse("none"), Some(Value::Text("none".to_owned())));
        assert_eq!(choice.parse("None"), None);
        assert_eq!(choice.expected(), "basic, detailed or none");
        assert_eq!(Kind::Boolean.parse("on"), Some(Value::Boolean(true)));
        assert_eq!(Kind::Boolean.parse("false"), Some(Value::Boolean(false)));
        assert_eq!(Kind::Boolean.parse("1"), None);
        let fraction = Kind::Fraction { min: 0.0, max: 1.0 };
        assert_eq!(fraction.parse("0.6"), Some(Value::Fraction(0.6)));
        assert_eq!(fraction.parse("1.5"), None);
        assert_eq!(fraction.parse("NaN"), None);
        assert_eq!(Kind::Pattern.parse("^amq\\."), Some(Value::Text("^amq\\.".to_owned())));
        assert!(Kind::Pattern.parse("^(?!amq\\.).*").is_some());
        assert_eq!(Kind::Pattern.parse("("), None);
    }

    #[test]
    fn an_address_is_a_port_or_a_host_and_a_port() {
        let parsed = |text| ListenAddress::parse(text).map(|address| address.to_string());
        for (text, expected) in [
            ("5672", "*:5672"),
            ("*:5672", "*:5672"),
            ("0", "*:0"),
            ("127.0.0.1:5673", "127.0.0.1:5673"),
            ("0.0.0.0:5672", "0.0.0.0:5672"),
            ("[::1]:0", "[::1]:0"),
            ("::1:5672", "[::1]:5672"),
            (":::5672", "[::]:5672"),
        ] {
            assert_eq!(parsed(text).as_deref(), Some(expected), "{text}");
        }
        for text in ["", "65536", "localhost:5672", "127.0.0.1", "127.0.0.1:", ":5672", "[::1]"] {
            assert_eq!(parsed(text), None, "{text}");
        }
    }

    #[test]
    fn a_number_too_large_for_its_type_is_none() {
        assert_eq!(Value::Number(65_536).to_number::<u16>(), None);
        assert_eq!(Value::Number(65_535).to_number::<u16>(), Some(65_535));
    }
}
