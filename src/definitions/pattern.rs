//! A pattern over names, as operators write them for RabbitMQ: unanchored, in PCRE's language, and
//! over bytes, so that `\w`, `\d` and `.` are what they are there: no letter beyond ASCII. What
//! cannot be said so (`\p{L}`, `[ä]`) is over letters of all scripts. What may be matched in linear
//! time is; look-around and what else needs a search goes to an engine that gives up after a while.
//! Who matches what with it is not decided here.

use std::borrow::Cow;
use std::fmt;

use fancy_regex::BytesMode;
use regex::bytes::{Regex, RegexBuilder};

use crate::limits::PATTERN_BACKTRACK_MAX;

/// A pattern; the empty one matches nothing.
#[derive(Clone, Debug, Default)]
pub struct Pattern(Matcher);

#[derive(Clone, Debug, Default)]
enum Matcher {
    #[default]
    Nothing,
    Everything,
    Linear(Regex),
    Backtracking(Box<fancy_regex::Regex>),
}

/// A text that is no pattern, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PatternError(String);

impl fmt::Display for PatternError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

impl std::error::Error for PatternError {}

impl Pattern {
    /// The pattern that this text writes.
    ///
    /// # Errors
    /// It is no regular expression.
    pub fn parse(text: &str) -> Result<Self, PatternError> {
        Ok(Self(match text {
            "" => Matcher::Nothing,
            ".*" => Matcher::Everything,
            text => {
                let plain = with_plain_braces(text);
                match linear(&plain) {
                    Some(expression) => Matcher::Linear(expression),
                    None => Matcher::Backtracking(Box::new(backtracking(text, &plain)?)),
                }
            }
        }))
    }

    /// A look into a name takes no longer than the name and the pattern are long.
    #[must_use]
    pub fn is_linear(&self) -> bool {
        !matches!(self.0, Matcher::Backtracking(_))
    }

    /// Whether it is found anywhere in a name. A search that takes too long found nothing.
    #[must_use]
    pub fn matches(&self, name: &str) -> bool {
        match &self.0 {
            Matcher::Nothing => false,
            Matcher::Everything => true,
            Matcher::Linear(expression) => expression.is_match(name.as_bytes()),
            Matcher::Backtracking(expression) => {
                expression.is_match(name.as_bytes()).unwrap_or(false)
            }
        }
    }
}

/// To PCRE a brace that says how often, or belongs to an escape, is one, and every other a letter;
/// the engines want those escaped.
fn with_plain_braces(text: &str) -> Cow<'_, str> {
    if !text.contains('{') {
        return text.into();
    }
    let mut plain = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, special)) = rest.find(['{', '\\']).map(|at| rest.split_at(at)) {
        plain.push_str(before);
        let size = match special.starts_with('\\') {
            true => escape_size(special),
            false => 1,
        };
        if special.starts_with('{') && !is_repetition(special) {
            plain.push('\\');
        }
        let (kept, behind) = special.split_at(size);
        plain.push_str(kept);
        rest = behind;
    }
    plain.push_str(rest);
    plain.into()
}

/// A backslash with the letter behind it, and with the brace that belongs to some of these.
fn escape_size(text: &str) -> usize {
    let mut letters = text.chars();
    let (first, second) = (letters.next(), letters.next());
    let has_brace = second.is_some_and(|letter| "pPxugkN".contains(letter));
    let size: usize = first.into_iter().chain(second).map(char::len_utf8).sum();
    size + usize::from(has_brace && letters.next() == Some('{'))
}

/// `{2}`, `{2,}` or `{2,3}`.
fn is_repetition(text: &str) -> bool {
    let inside = text.strip_prefix('{').and_then(|text| text.split_once('}'));
    let Some((inside, _)) = inside else { return false };
    let (least, most) = inside.split_once(',').unwrap_or((inside, ""));
    let is_number = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    !least.is_empty() && is_number(least) && is_number(most)
}

/// What it says of a look-around is of no use, the other engine's word is.
fn linear(plain: &str) -> Option<Regex> {
    let build = |is_unicode| RegexBuilder::new(plain).unicode(is_unicode).build();
    build(false).or_else(|_| build(true)).ok()
}

fn backtracking(text: &str, plain: &str) -> Result<fancy_regex::Regex, PatternError> {
    let build = |mode| {
        let mut builder = fancy_regex::RegexBuilder::new(plain);
        builder.bytes_mode(mode).backtrack_limit(PATTERN_BACKTRACK_MAX).build()
    };
    let built = build(BytesMode::Ascii).or_else(|_| build(BytesMode::Unicode));
    built.map_err(|error| PatternError(format!("'{text}' is no regular expression: {error}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn matching<'a>(pattern: &str, names: &[&'a str]) -> Vec<&'a str> {
        let pattern = Pattern::parse(pattern).unwrap();
        names.iter().copied().filter(|name| pattern.matches(name)).collect()
    }

    #[test]
    fn a_pattern_is_found_anywhere_and_the_empty_one_nowhere() {
        let names = ["", "a", "ab", "my-orders-1"];
        assert_eq!(matching("", &names), [""; 0]);
        assert_eq!(matching(".*", &names), names);
        assert_eq!(matching("orders", &names), ["my-orders-1"]);
        assert_eq!(matching("^a$", &names), ["a"]);
    }

    #[test]
    fn look_around_and_back_references_mean_what_they_mean_in_pcre() {
        let names = ["amq.direct", "amq", "my.amq.x", "orders", "orders.dead", "aa.bb"];
        assert_eq!(matching(r"^(?!amq\.).*", &names), names[1..]);
        assert_eq!(matching(r"^orders(?=\.)", &names), ["orders.dead"]);
        assert_eq!(matching(r"(?<!my\.)amq", &names), ["amq.direct", "amq"]);
        assert_eq!(matching(r"(a)\1.*(b)\2$", &names), ["aa.bb"]);
    }

    /// Letters of all scripts were once meant: rights went further than RabbitMQ's, and what
    /// repeats them often was refused as too large.
    #[test]
    fn classes_are_of_ascii_as_in_pcre() {
        let names = ["a", "7", "ä", "١", "äö"];
        assert_eq!(matching(r"^\w+$", &names), ["a", "7"]);
        assert_eq!(matching(r"^\d$", &names), ["7"]);
        assert_eq!(matching("^.$", &names), ["a", "7"]);
        assert_eq!(matching(r"^(?!a)\w$", &names), ["7"]);
        assert_eq!(matching(r"^[\w.-]{1,255}$", &names), ["a", "7"]);
        assert_eq!(matching(r"^(?!7)[\w.-]{1,255}$", &names), ["a"]);
    }

    #[test]
    fn what_names_other_letters_matches_them() {
        let names = ["a", "ä", "Ä", "äö"];
        assert_eq!(matching("^ä", &names), ["ä", "äö"]);
        assert_eq!(matching("^[äa]$", &names), ["a", "ä"]);
        assert_eq!(matching(r"^\p{L}+$", &names), names);
        assert_eq!(matching(r"^(?!a)\p{L}$", &names), ["ä", "Ä"]);
    }

    #[test]
    fn a_brace_that_says_nothing_is_a_letter() {
        let names = ["{a}", "a", "aa", "aaa", "{2}", "a{,3}"];
        assert_eq!(matching("^{a}$", &names), ["{a}"]);
        assert_eq!(matching("^a{2}$", &names), ["aa"]);
        assert_eq!(matching("^a{2,}$", &names), ["aa", "aaa"]);
        assert_eq!(matching("^(?!b)a{,3}$", &names), ["a{,3}"]);
        assert_eq!(matching(r"^\{2\}$", &names), ["{2}"]);
        assert_eq!(matching(r"^[{]\x{61}}$", &names), ["{a}"]);
        assert_eq!(matching(r"^\p{L}{2}$", &names), ["aa"]);
    }

    #[test]
    fn the_linear_engine_takes_what_it_can() {
        assert!(matches!(Pattern::parse("^(a+)+$").unwrap().0, Matcher::Linear(_)));
        assert!(matches!(Pattern::parse("^(?!a)").unwrap().0, Matcher::Backtracking(_)));
    }

    #[test]
    fn a_pattern_that_gives_up_matches_nothing() {
        let pattern = Pattern::parse(r"^b(?!x)|^(a|a)+(a|a)+\1c$").unwrap();
        assert!(pattern.matches("b") && pattern.matches("aaac"));
        // Each way to share the letters is tried before it is sure that none matches.
        let name = format!("{}d", "a".repeat(200));
        let Matcher::Backtracking(expression) = &pattern.0 else { panic!("{pattern:?}") };
        assert!(expression.is_match(name.as_bytes()).is_err(), "it gives up on this name");
        assert!(!pattern.matches(&name));
    }

    #[test]
    fn a_text_that_is_no_pattern_is_told_in_one_line() {
        for text in ["(", "^(?!amq"] {
            let told = Pattern::parse(text).unwrap_err().to_string();
            assert!(told.starts_with(&format!("'{text}' is no regular expression: ")), "{told}");
            assert!(told.contains("parenthesis") && !told.contains('\n'), "{told}");
        }
    }
}
