//! The syntax of `rabbitmq.conf`: one `key = value` a line, `#` comments, quotes where wanted.
//! Gives back the assignments of one text in their order, and what it could not read. Not here:
//! whether a key exists or a value is good (`keys`, `values`).
//!
//! ```text
//! line       = blank [ assignment ] blank [ "#" anything ]
//! assignment = key blank "=" blank value
//! key        = segment { "." segment }        "\." is a dot inside a segment
//! value      = "'" text "'" | '"' text '"' | text up to "#", without blanks at its end
//! ```

use nom::{
    IResult, Parser,
    branch::alt,
    bytes::complete::{is_not, tag, take_while},
    character::complete::{char, none_of, space0},
    combinator::{all_consuming, opt, rest, value, verify},
    multi::{fold_many1, separated_list1},
    sequence::{delimited, preceded, terminated},
};

/// One assignment, with the line it stood on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Assignment {
    pub line: usize,
    /// The segments of the key: `["listeners", "tcp", "default"]`.
    pub key: Vec<String>,
    pub value: String,
}

/// A line that is no assignment: the key, if it came so far, and what was expected.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unreadable {
    pub line: usize,
    pub key: Option<Vec<String>>,
    pub expected: &'static str,
}

/// Reads a text: its assignments, and the lines that are none.
#[must_use]
pub fn assignments(text: &str) -> (Vec<Assignment>, Vec<Unreadable>) {
    let mut assignments = Vec::new();
    let mut unreadable = Vec::new();
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    for (index, content) in text.lines().enumerate() {
        match line(content.trim()) {
            Ok((_, None)) => {}
            Ok((_, Some((key, value)))) => {
                assignments.push(Assignment { line: index + 1, key, value });
            }
            Err(_) => {
                let (key, expected) = what_is_wrong(content.trim());
                unreadable.push(Unreadable { line: index + 1, key, expected });
            }
        }
    }
    (assignments, unreadable)
}

/// Reads a key alone, as after `--set`.
#[must_use]
pub fn key(text: &str) -> Option<Vec<String>> {
    all_consuming(segments).parse(text).ok().map(|(_, segments)| segments)
}

/// Of a line that is no assignment.
fn what_is_wrong(line: &str) -> (Option<Vec<String>>, &'static str) {
    let parsed: IResult<&str, _> = begin(line);
    let Ok((value, key)) = parsed else { return (None, "expected `key = value`") };
    let expected = match value.chars().next() {
        None | Some('#') => "expected a value; an empty one is written \"\"",
        Some(quote) if value.matches(quote).count() == 1 => "expected a closing quote",
        Some(_) => "expected nothing behind the closing quote",
    };
    (Some(key), expected)
}

fn begin(input: &str) -> IResult<&str, Vec<String>> {
    terminated(segments, (space0, char('='), space0)).parse(input)
}

fn line(input: &str) -> IResult<&str, Option<(Vec<String>, String)>> {
    let assignment = (begin, text);
    all_consuming(terminated(opt(assignment), (space0, opt(comment)))).parse(input)
}

fn comment(input: &str) -> IResult<&str, &str> {
    preceded(char('#'), rest).parse(input)
}

fn segments(input: &str) -> IResult<&str, Vec<String>> {
    separated_list1(char('.'), segment).parse(input)
}

fn segment(input: &str) -> IResult<&str, String> {
    let escaped_dot = value('.', tag("\\."));
    let plain = none_of(" \t=.#'\"");
    fold_many1(alt((escaped_dot, plain)), String::new, |mut segment, character| {
        segment.push(character);
        segment
    })
    .parse(input)
}

fn text(input: &str) -> IResult<&str, String> {
    alt((quoted('\''), quoted('"'), bare)).parse(input)
}

fn quoted<'a>(
    quote: char,
) -> impl Parser<&'a str, Output = String, Error = nom::error::Error<&'a str>> {
    let inside = take_while(move |found| found != quote);
    delimited(char(quote), inside, char(quote)).map(str::to_owned)
}

/// Everything up to a comment. It may not start with a quote: that one was never closed.
fn bare(input: &str) -> IResult<&str, String> {
    verify(is_not("#"), |text: &str| !text.trim().is_empty() && !text.starts_with(['\'', '"']))
        .map(|text: &str| text.trim_end().to_owned())
        .parse(input)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn only(text: &str) -> (String, String) {
        let (mut found, unreadable) = assignments(text);
        assert!(unreadable.is_empty(), "{text}");
        assert_eq!(found.len(), 1, "{text}");
        let found = found.remove(0);
        (found.key.join("|"), found.value)
    }

    #[test]
    fn keys_and_values_are_told_apart_whatever_the_blanks() {
        for text in ["heartbeat = 60", "heartbeat=60", "  heartbeat\t=\t60  ", "heartbeat = 60#x"] {
            assert_eq!(only(text), ("heartbeat".to_owned(), "60".to_owned()), "{text}");
        }
    }

    #[test]
    fn a_key_is_cut_at_its_dots_unless_they_are_escaped() {
        assert_eq!(only("listeners.tcp.1 = ::1:5672").0, "listeners|tcp|1");
        assert_eq!(only("loopback_users.a\\.b = true").0, "loopback_users|a.b");
        assert_eq!(
            key("log.console.level"),
            Some(vec!["log".into(), "console".into(), "level".into()])
        );
        assert_eq!(key("log..level"), None);
        assert_eq!(key(""), None);
    }

    #[test]
    fn quotes_keep_what_would_be_a_comment_or_a_blank() {
        assert_eq!(only("default_pass = 'a # b '").1, "a # b ");
        assert_eq!(only("default_pass = \"it's\" # why").1, "it's");
        assert_eq!(only("default_permissions.read = ''").1, "");
        assert_eq!(only("cluster_name = my broker = best # truly").1, "my broker = best");
        assert_eq!(only("motd_file = it's").1, "it's");
    }

    #[test]
    fn lines_are_counted_from_one_and_blank_ones_say_nothing() {
        let (found, unreadable) =
            assignments("\u{feff}# head\r\n\r\nheartbeat = 5\r\n   # x\r\nframe_max = 8192\r\n");
        assert!(unreadable.is_empty());
        let lines: Vec<_> = found.iter().map(|found| (found.line, found.value.as_str())).collect();
        assert_eq!(lines, [(3, "5"), (5, "8192")]);
    }

    #[test]
    fn what_is_no_assignment_is_reported_by_its_line() {
        let none = "expected `key = value`";
        let empty = "expected a value; an empty one is written \"\"";
        for (text, key, expected) in [
            ("heartbeat", None, none),
            ("heartbeat =", Some("heartbeat"), empty),
            ("heartbeat = # 60", Some("heartbeat"), empty),
            ("= 60", None, none),
            ("a..b = 1", None, none),
            ("a. = 1", None, none),
            ("a b = 1", None, none),
            ("a = 'open", Some("a"), "expected a closing quote"),
            ("a = 'closed' more", Some("a"), "expected nothing behind the closing quote"),
            ("[{rabbit, []}].", None, none),
        ] {
            let (found, unreadable) = assignments(&format!("heartbeat = 1\n{text}\nheartbeat = 2"));
            let key = key.map(|key| vec![key.to_owned()]);
            assert_eq!(unreadable, [Unreadable { line: 2, key, expected }], "{text}");
            assert_eq!(found.len(), 2, "{text}");
        }
    }
}
