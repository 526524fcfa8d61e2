//! From where on publishers are blocked for want of memory or disk, until the node stops.

use serde_json::{Value, json};

use super::super::call::Call;
use super::super::failure::Failure;
use super::super::output::Output;
use super::super::url::path;
use super::super::verb::Verb;

pub(super) const VERBS: &[Verb] = &[
    Verb::new(
        "set_vm_memory_high_watermark",
        "<fraction> [<value>]",
        "Block publishers above a part of the memory, or above `absolute` bytes",
        "Setting memory threshold on {node} to {fraction} {value} ...",
        |call| set(call, "memory-high-watermark", &wish(call, "<fraction>", "absolute", true)?),
    ),
    Verb::new(
        "set_disk_free_limit",
        "<limit> [<value>]",
        "Block publishers below so many free bytes, or below a part of the memory (mem_relative)",
        "Setting disk free limit on {node} to {limit} {value} ...",
        |call| set(call, "disk-free-limit", &wish(call, "<limit>", "mem_relative", false)?),
    ),
];

fn set(call: &Call, what: &str, wish: &Value) -> Result<Output, Failure> {
    call.api.put(path(&["leveret", what]), wish)?;
    Ok(Output::Done)
}

/// One word is what the verb is made for, and behind the other way's name stands the other: bytes
/// or a part, where `is_part` says that the first is a part.
fn wish(call: &Call, first: &str, other: &str, is_part: bool) -> Result<Value, Failure> {
    let refused = || Failure::Data("Bad argument: expected a size or a fraction".to_owned());
    let (text, is_part) = match (call.word(first), call.maybe("<value>")) {
        (name, Some(value)) if name == other => (value, !is_part),
        (value, None) => (value, is_part),
        _ => return Err(call.misused("too many arguments.")),
    };
    if is_part {
        return Ok(json!({"relative": fraction(text, first == "<fraction>")?}));
    }
    Ok(json!({"absolute": bytes(text).ok_or_else(refused)?}))
}

/// A part of the memory. Publishers that are blocked above more than all of it never are; free disk
/// may well have to be more.
fn fraction(text: &str, is_threshold: bool) -> Result<f64, Failure> {
    let max = if is_threshold { 1.0 } else { f64::MAX };
    let part = text.parse().ok().filter(|part| (0.0..=max).contains(part));
    part.ok_or_else(|| {
        Failure::Data(match is_threshold {
            true => "The threshold should be a fraction between 0.0 and 1.0".to_owned(),
            false => "Bad argument: expected a fraction that is not below 0".to_owned(),
        })
    })
}

/// A size as in a configuration file.
fn bytes(text: &str) -> Option<u64> {
    let digits = text.trim_end_matches(char::is_alphabetic);
    let factor: u64 = match text.get(digits.len()..)?.to_ascii_lowercase().as_str() {
        "" => 1,
        "kb" => 1000,
        "mb" => 1_000_000,
        "gb" => 1_000_000_000,
        "tb" => 1_000_000_000_000,
        "k" | "kib" => 1 << 10,
        "m" | "mib" => 1 << 20,
        "g" | "gib" => 1 << 30,
        "t" | "tib" => 1 << 40,
        _ => return None,
    };
    digits.parse::<u64>().ok()?.checked_mul(factor)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_threshold_is_no_more_than_all_memory() {
        for text in ["0", "0.4", "1", "1.0"] {
            assert!(fraction(text, true).is_ok(), "{text}");
        }
        for text in ["1.5", "2", "1e3", "-1", "nan", "inf", "much", ""] {
            assert_eq!(fraction(text, true).unwrap_err().code(), 65, "{text}");
        }
        assert_eq!(fraction("1.5", false), Ok(1.5));
        assert_eq!(fraction("inf", false).unwrap_err().code(), 65);
    }

    #[test]
    fn a_size_may_have_a_unit() {
        for (text, size) in [
            ("100", Some(100)),
            ("2GB", Some(2_000_000_000)),
            ("1MiB", Some(1 << 20)),
            ("x", None),
            ("1XB", None),
            ("-1", None),
            ("99999999999TB", None),
        ] {
            assert_eq!(bytes(text), size, "{text}");
        }
    }
}
