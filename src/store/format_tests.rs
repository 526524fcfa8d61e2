//! That `format.md` tells the numbers of the code.

use super::header::{BATCH_ALIGNMENT, BATCH_HEADER_SIZE, FILE_HEADER_SIZE, FORMAT_VERSION};
use super::index::ENTRY_SIZE;
use super::record::{
    FLAG_DEDUPLICATION, FLAG_EXPIRES, FLAG_MOVED, FLAG_PERSISTENT, FLAG_PRIORITY, FLAG_SHARED,
    FLAG_TRANSIENT, KINDS, RECORD_HEADER_SIZE,
};

const FORMAT: &str = include_str!("format.md");

fn says(text: &str) {
    assert!(FORMAT.contains(text), "format.md does not say '{text}'");
}

#[test]
fn sizes_are_those_of_the_code() {
    says(&format!("Format version {FORMAT_VERSION}."));
    says(&format!("## Head of a file, {FILE_HEADER_SIZE} bytes"));
    says(&format!("a head of {BATCH_HEADER_SIZE} bytes"));
    says(&format!("Batches start at multiples of {BATCH_ALIGNMENT}."));
    says(&format!("{RECORD_HEADER_SIZE}  .  payload"));
    says(&format!("An entry of an index has {ENTRY_SIZE} bytes"));
}

#[test]
fn kinds_and_flags_are_those_of_the_code() {
    for (kind, number) in KINDS {
        says(&format!("| {number} {} |", format!("{kind:?}").to_lowercase()));
    }
    for (flag, text) in [
        (FLAG_TRANSIENT, "ends with this boot"),
        (FLAG_MOVED, "copied on"),
        (FLAG_PERSISTENT, "its publisher"),
        (FLAG_EXPIRES, "its publisher gave it an expiration"),
        (FLAG_SHARED, "references point to it"),
    ] {
        says(&format!("{flag} {text}"));
    }
    for flag in [FLAG_PRIORITY, FLAG_DEDUPLICATION] {
        says(&format!("if flag {flag};"));
    }
}
