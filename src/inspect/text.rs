//! Figures, moments and strange bytes as people read them, and rows in columns. What is shown is
//! decided elsewhere.

use std::fmt::Write;

use crate::limits::INSPECT_PREVIEW_SIZE;
use crate::message::{CivilTime, Moment};

const UNITS: [&str; 5] = ["KiB", "MiB", "GiB", "TiB", "PiB"];

/// A number of bytes in the unit that leaves it three digits.
pub(super) fn size(bytes: u64) -> String {
    if bytes < 1024 {
        return format!("{bytes} B");
    }
    let mut unit = "";
    let (mut whole, mut tenths) = (bytes, 0);
    for next in UNITS {
        unit = next;
        // Cut and not rounded: 1023.99 KiB is no MiB yet.
        (whole, tenths) = (whole / 1024, whole % 1024 * 10 / 1024);
        if whole < 1024 {
            break;
        }
    }
    format!("{whole}.{tenths} {unit}")
}

/// `1 message`, `2 messages`.
pub(super) fn counted(count: u64, noun: &str) -> String {
    if count == 1 { format!("1 {noun}") } else { format!("{count} {noun}s") }
}

/// A text that cannot do anything to a terminal.
pub(super) fn printable(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for character in text.chars() {
        if character.is_control() {
            out.extend(character.escape_default());
        } else {
            out.push(character);
        }
    }
    out
}

/// The beginning of a body: as text where it is text, else in hexadecimal.
pub(super) fn preview(body: &[u8]) -> String {
    let part = body.get(..INSPECT_PREVIEW_SIZE).unwrap_or(body);
    let is_cut = part.len() < body.len();
    let mut text = match as_text(part, is_cut) {
        Some(text) => printable(text),
        None => hexadecimal(part.get(..INSPECT_PREVIEW_SIZE / 4).unwrap_or(part)),
    };
    if is_cut || text.is_empty() {
        text.push_str(if is_cut { " ..." } else { "(empty)" });
    }
    text
}

/// The bytes as text, but for a character that was cut.
fn as_text(bytes: &[u8], is_cut: bool) -> Option<&str> {
    let text = match std::str::from_utf8(bytes) {
        Ok(text) => text,
        Err(error) if is_cut && error.error_len().is_none() => {
            std::str::from_utf8(bytes.get(..error.valid_up_to())?).ok()?
        }
        Err(_) => return None,
    };
    let is_strange = |c: char| c.is_control() && !matches!(c, '\n' | '\r' | '\t');
    (!text.contains(is_strange)).then_some(text)
}

fn hexadecimal(bytes: &[u8]) -> String {
    let mut text = String::from("0x");
    for byte in bytes {
        // A string takes all that is written to it.
        let _ = write!(text, "{byte:02x}");
    }
    text
}

/// A moment in milliseconds since the epoch, in UTC.
pub(super) fn moment(moment: Moment) -> String {
    let (seconds, milliseconds) = (moment.0 / 1000, moment.0 % 1000);
    let CivilTime { year, month, day, hour, minute, second } = CivilTime::of_seconds(seconds);
    format!("{year:04}-{month:02}-{day:02} {hour:02}:{minute:02}:{second:02}.{milliseconds:03} UTC")
}

/// Rows below their headings, each column as wide as it needs to be. Those in `figures` stand to
/// the right.
pub(super) fn columns<const N: usize>(
    headings: [&str; N],
    figures: [bool; N],
    rows: &[[String; N]],
) -> String {
    let headings = headings.map(str::to_owned);
    let all = || std::iter::once(&headings).chain(rows);
    let mut widths = [0; N];
    for row in all() {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = (*width).max(cell.chars().count());
        }
    }
    let mut text = String::new();
    for row in all() {
        let mut line = String::new();
        for ((cell, width), is_figure) in row.iter().zip(widths).zip(figures) {
            let _ = match is_figure {
                true => write!(line, "{cell:>width$}  "),
                false => write!(line, "{cell:width$}  "),
            };
        }
        text.push_str(line.trim_end());
        text.push('\n');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_have_the_unit_that_leaves_them_short() {
        let sizes = [0, 1023, 1024, 1536, 1024 * 1024 - 1, 34 * 1024 * 1024, u64::MAX];
        let expected =
            ["0 B", "1023 B", "1.0 KiB", "1.5 KiB", "1023.9 KiB", "34.0 MiB", "16383.9 PiB"];
        assert_eq!(sizes.map(size), expected);
    }

    #[test]
    fn one_is_one_and_others_are_several() {
        let counts = [0, 1, 2].map(|count| counted(count, "message"));
        assert_eq!(counts, ["0 messages", "1 message", "2 messages"]);
    }

    #[test]
    fn moments_are_dates_in_utc_on_leap_days_too() {
        let moments = [0, 951_826_154_007, 1_767_225_599_999].map(|ms| moment(Moment(ms)));
        let expected = [
            "1970-01-01 00:00:00.000 UTC",
            "2000-02-29 12:09:14.007 UTC",
            "2025-12-31 23:59:59.999 UTC",
        ];
        assert_eq!(moments, expected);
        assert!(moment(Moment(u64::MAX)).ends_with("UTC"));
    }

    #[test]
    fn a_body_is_shown_as_text_or_in_hexadecimal_and_never_commands_the_terminal() {
        assert_eq!(preview(b"a\tl\xC3\xB6we\n"), "a\\tl\u{F6}we\\n");
        assert_eq!(preview(b"\x1b[2J"), "0x1b5b324a");
        assert_eq!(preview(b"\xff\x00"), "0xff00");
        assert_eq!(preview(b""), "(empty)");
        assert_eq!(printable("a\u{1b}[2J\u{9b}"), "a\\u{1b}[2J\\u{9b}");
    }

    #[test]
    fn a_long_body_is_cut_between_characters() {
        let text = format!("x{}", "\u{F6}".repeat(INSPECT_PREVIEW_SIZE));
        let shown = preview(text.as_bytes());
        assert!(shown.ends_with("\u{F6} ..."), "{shown}");
        assert!(shown.chars().count() < INSPECT_PREVIEW_SIZE, "{shown}");
        let bytes = vec![0xfe; 2 * INSPECT_PREVIEW_SIZE];
        assert_eq!(preview(&bytes), format!("0x{} ...", "fe".repeat(INSPECT_PREVIEW_SIZE / 4)));
    }

    #[test]
    fn words_stand_left_and_figures_right() {
        let rows = [["a".to_owned(), "1".to_owned()], ["long".to_owned(), "1000".to_owned()]];
        let expected = "name  count\na         1\nlong   1000\n";
        assert_eq!(columns(["name", "count"], [false, true], &rows), expected);
    }
}
