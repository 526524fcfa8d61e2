//! The list of what a real RabbitMQ does otherwise, and what keeps it honest: a test on it must
//! fail against that version, must exist, and must be told to users in docs/differences.md.

use std::path::PathBuf;
use std::sync::OnceLock;

use serde::Deserialize;

use crate::script::Peer;

/// A script that ends otherwise on a real RabbitMQ.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Difference {
    /// File and name of the test.
    pub(crate) test: String,
    /// The version that differs.
    pub(crate) peer_version: String,
    /// What that version does.
    pub(crate) peer: String,
    /// Why Leveret does otherwise.
    pub(crate) reason: String,
    /// Where that was decided: a choice of ours, what later versions do, or nobody's decision.
    pub(crate) source: Source,
    /// The section of the reference of RabbitMQ's behavior that says so, and what it is about.
    pub(crate) section: String,
    /// The first cell of the row in docs/differences.md that tells it.
    pub(crate) row: String,
}

/// Where a difference was decided.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Source {
    /// Leveret chooses, because versions differ or none does well.
    Choice,
    /// RabbitMQ 4 does as Leveret does.
    LaterVersion,
    /// It is an internal failure of RabbitMQ, which nobody chose and no client can want.
    Failure,
    /// RabbitMQ cannot do it, and says so: Leveret can.
    Improvement,
}

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

fn read(path: &str) -> String {
    std::fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

fn list() -> &'static [Difference] {
    static LIST: OnceLock<Vec<Difference>> = OnceLock::new();
    LIST.get_or_init(|| {
        let text = read("tests/conformance/differences.json");
        serde_json::from_str(&text).unwrap_or_else(|error| panic!("differences.json: {error}"))
    })
}

/// The difference that this peer is to show in this test.
pub(crate) fn expected(test: &str, peer: &Peer) -> Option<&'static Difference> {
    list().iter().find(|difference| {
        !peer.is_leveret && difference.test == test && difference.peer_version == peer.version
    })
}

/// The sections of the reference that decide: our choices, and what changed in RabbitMQ 4.
const CHOICES: &str = "0";
const LATER_VERSIONS: &str = "16";

/// How a script ended, and how it was to end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// As on every broker.
    Passed,
    /// The list says so.
    DiffersAsListed,
    /// The list does not say so.
    Failed,
    /// The list says so, but it is not so any more.
    Stale,
}

/// A script that is listed must fail, every other must pass.
pub(crate) fn verdict(difference: Option<&Difference>, has_passed: bool) -> Verdict {
    match (difference, has_passed) {
        (None, true) => Verdict::Passed,
        (None, false) => Verdict::Failed,
        (Some(_), true) => Verdict::Stale,
        (Some(_), false) => Verdict::DiffersAsListed,
    }
}

#[test]
fn only_a_listed_difference_excuses_a_failure() {
    let listed = list().first();
    assert_eq!(verdict(None, true), Verdict::Passed);
    assert_eq!(verdict(None, false), Verdict::Failed);
    assert_eq!(verdict(listed, true), Verdict::Stale);
    assert_eq!(verdict(listed, false), Verdict::DiffersAsListed);
}

#[test]
fn a_listed_difference_is_expected_of_its_version_only() {
    let listed = list().first().expect("a difference");
    let peer = |is_leveret, version: &str| Peer { is_leveret, version: version.to_owned() };
    assert!(expected(&listed.test, &peer(false, &listed.peer_version)).is_some());
    assert!(expected(&listed.test, &peer(false, "4.3.5")).is_none());
    assert!(expected(&listed.test, &peer(true, &listed.peer_version)).is_none());
    assert!(expected("script::of_nobody", &peer(false, &listed.peer_version)).is_none());
}

#[test]
fn every_listed_difference_is_a_test_that_exists_once() {
    let mut seen = std::collections::HashSet::new();
    for difference in list() {
        assert!(seen.insert(&difference.test), "{} stands twice", difference.test);
        let (file, name) = difference.test.split_once("::").expect("file::test");
        let text = read(&format!("tests/conformance/{file}.rs"));
        assert!(text.contains(&format!("fn {name}()")), "no test {}", difference.test);
    }
}

/// A choice of ours is in the section of choices. What is elsewhere in the reference is what
/// RabbitMQ 4 does, what a failure takes the place of, or what RabbitMQ cannot do.
#[test]
fn every_listed_difference_has_the_section_that_its_source_asks_for() {
    for difference in list() {
        let (number, matter) = difference.section.split_once(": ").expect("section: matter");
        let is_number = number.split('.').all(|part| part.parse::<u8>().is_ok());
        assert!(is_number && !matter.is_empty(), "{}: {}", difference.test, difference.section);
        let fits = match difference.source {
            Source::Choice => number == CHOICES,
            Source::LaterVersion => true,
            Source::Failure | Source::Improvement => ![CHOICES, LATER_VERSIONS].contains(&number),
        };
        assert!(fits, "{}: section {number} is not about that", difference.test);
    }
}

#[test]
fn every_listed_difference_is_told_to_users() {
    let document = read("docs/differences.md");
    for difference in list() {
        let row = format!("\n| {} |", difference.row);
        assert!(document.contains(&row), "docs/differences.md has no row '{}'", difference.row);
        assert!(difference.reason.len() > 10, "{}: give a reason", difference.test);
        let is_in_first_table =
            document.find(&row) < document.find("\n## Where Leveret differs from every version");
        let is_later = difference.source == Source::LaterVersion;
        assert!(is_in_first_table || !is_later, "{}: not of a later version", difference.test);
    }
}
