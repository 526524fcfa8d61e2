//! The table of protocol rules against the tree: its ids, the places that cite them, and the tests
//! that show them. What a rule demands is shown by those tests, not here.

use std::{collections::HashSet, fmt};

use serde::Deserialize;

use super::tree::{Finding, Tree, code_only};

const TABLE: &str = "spec/rules.json";

/// How many rules the specification has.
const SPECIFICATION_RULES: usize = 139;

/// How many of them must have a test.
pub(crate) const TESTED_AT_LEAST: usize = 110;

const CLIENTS_DUTY: &str = "the client's duty";
const NOT_VISIBLE: &str = "not visible from outside";
const REPLACED_BY: &str = "replaced by ";

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Rule {
    id: String,
    /// Where the specification has it; deviations have none.
    source: Option<String>,
    text: String,
    on_failure: Option<String>,
    side: Side,
    tests: Vec<String>,
    exception: Option<Exception>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Side {
    Server,
    Client,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Exception {
    reason: String,
    note: String,
}

impl Rule {
    fn is_deviation(&self) -> bool {
        self.id.starts_with("rabbitmq.")
    }

    fn reason(&self) -> Option<&str> {
        self.exception.as_ref().map(|exception| exception.reason.as_str())
    }

    fn deviation(&self) -> Option<&str> {
        self.reason()?.strip_prefix(REPLACED_BY)
    }
}

pub(crate) fn read(tree: &Tree) -> Vec<Rule> {
    let text = tree.text(TABLE).unwrap_or_else(|| panic!("{TABLE} is missing"));
    serde_json::from_str(text).unwrap_or_else(|e| panic!("{TABLE}:{}: {e}", e.line()))
}

fn finding(rule: &Rule, advice: impl fmt::Display) -> Finding {
    Finding::new(TABLE, 1, format!("{}: {advice}", rule.id))
}

/// Entries that are not in the form the table promises.
pub(crate) fn unsound(rules: &[Rule]) -> Vec<Finding> {
    let mut findings = Vec::new();
    let mut seen = HashSet::new();
    for rule in rules {
        if !seen.insert(rule.id.as_str()) {
            findings.push(finding(rule, "the id stands twice; make ids unique"));
        }
        if !is_id(&rule.id) || rule.text.is_empty() {
            findings.push(finding(rule, "write the id as class.method.rule-name, and a text"));
        }
        if rule.is_deviation() != rule.source.is_none() {
            findings
                .push(finding(rule, "rules of the specification, and only they, have a source"));
        }
        if rule.is_deviation() && !matches!(rule.side, Side::Server) {
            findings.push(finding(rule, "a deviation is on the server's side"));
        }
        if !rule.on_failure.as_deref().is_none_or(is_reply_code_name) {
            findings.push(finding(rule, "name the reply code as in NOT_FOUND"));
        }
        findings.extend(unsound_exception(rule, rules).map(|advice| finding(rule, advice)));
    }
    let count = rules.iter().filter(|rule| !rule.is_deviation()).count();
    if count != SPECIFICATION_RULES {
        let advice = format!("{count} rules of the specification; it has {SPECIFICATION_RULES}");
        findings.push(Finding::new(TABLE, 1, advice));
    }
    findings
}

fn unsound_exception(rule: &Rule, rules: &[Rule]) -> Option<String> {
    let exception = rule.exception.as_ref()?;
    if let Some(deviation) = rule.deviation() {
        return match rules.iter().find(|other| other.id == deviation) {
            None => Some(format!("there is no {deviation}")),
            Some(other) if other.tests.is_empty() => Some(format!("{deviation} needs a test")),
            Some(_) => None,
        };
    }
    if ![CLIENTS_DUTY, NOT_VISIBLE].contains(&exception.reason.as_str()) {
        return Some(format!("'{}' is no reason to go without a test", exception.reason));
    }
    if exception.note.is_empty() {
        return Some("the exception needs a note".to_owned());
    }
    (!rule.tests.is_empty()).then(|| "it has a test; take the exception off".to_owned())
}

fn is_id(id: &str) -> bool {
    let is_word = |word: &str| {
        !word.is_empty()
            && word.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-')
    };
    id.contains('.') && id.split('.').all(is_word)
}

fn is_reply_code_name(name: &str) -> bool {
    !name.is_empty() && name.chars().all(|c| c.is_ascii_uppercase() || c == '_')
}

/// Comments of the form `// Rule: id` whose id is not in the table.
pub(crate) fn unknown_citations(tree: &Tree, rules: &[Rule]) -> Vec<Finding> {
    let known: HashSet<&str> = rules.iter().map(|rule| rule.id.as_str()).collect();
    let mut findings = Vec::new();
    for file in tree.rust().filter(|file| !file.path.starts_with("tests/tidy")) {
        for (index, line) in file.text.lines().enumerate() {
            for id in cited(line).filter(|id| !known.contains(id)) {
                let advice = format!("no rule {id} in {TABLE}; correct the id or add the rule");
                findings.push(Finding::new(&file.path, index + 1, advice));
            }
        }
    }
    findings
}

/// The ids that a line cites: one, or several with commas between them. Words are no ids.
fn cited(line: &str) -> impl Iterator<Item = &str> {
    let comment = line.split_once("//").map_or("", |(_, comment)| comment);
    let list = comment.trim_start_matches(['/', '!', ' ']).strip_prefix("Rule: ");
    list.unwrap_or_default()
        .split(',')
        .map(|id| {
            let id = id.trim();
            id.split_once(' ').map_or(id, |(id, _)| id).trim_end_matches(['.', ':', ';'])
        })
        .filter(|id| id.contains('.'))
}

/// Rules with neither a test nor an exception.
pub(crate) fn untested(rules: &[Rule]) -> Vec<Finding> {
    let mut findings = Vec::new();
    for rule in rules {
        let is_shown = !rule.tests.is_empty();
        if !is_shown && rule.exception.is_none() {
            findings.push(finding(rule, "name the test that shows it, or an exception"));
        }
    }
    findings
}

/// Tests that rules name and that are not in the tree.
pub(crate) fn missing_tests(tree: &Tree, rules: &[Rule]) -> Vec<Finding> {
    let mut findings = Vec::new();
    for rule in rules {
        for test in rule.tests.iter().filter(|test| !exists(tree, test)) {
            findings.push(finding(rule, format_args!("there is no test {test}")));
        }
    }
    findings
}

/// `unit::queue::contents::name` is in `src/queue/contents.rs` or the tests beside it, and
/// `conformance::queue::name` in `tests/conformance/queue.rs`.
fn exists(tree: &Tree, test: &str) -> bool {
    let Some((place, name)) = test.rsplit_once("::") else { return false };
    let (target, path) = place.split_once("::").unwrap_or((place, ""));
    let path = path.split("::").filter(|part| *part != "tests").collect::<Vec<_>>().join("/");
    let files = match (target, path.as_str()) {
        ("unit", path) => vec![
            format!("src/{path}.rs"),
            format!("src/{path}/mod.rs"),
            format!("src/{path}/tests.rs"),
        ],
        (target, "") => vec![format!("tests/{target}.rs"), format!("tests/{target}/main.rs")],
        (target, path) => {
            vec![format!("tests/{target}/{path}.rs"), format!("tests/{target}/{path}/mod.rs")]
        }
    };
    let folder = format!("src/{path}/tests/");
    let holds = |text: &str| code_only(text).contains(&format!("fn {name}("));
    tree.rust()
        .filter(|file| {
            files.contains(&file.path) || target == "unit" && file.path.starts_with(&folder)
        })
        .any(|file| holds(&file.text))
}

/// How many rules have a test, and why the others have none.
#[derive(Debug)]
pub(crate) struct Coverage {
    pub(crate) tested: usize,
    total: usize,
    shown_by_deviation: usize,
    clients_duty: usize,
    not_visible: usize,
    untested: usize,
    deviations: usize,
    deviations_tested: usize,
}

impl Coverage {
    pub(crate) fn of(rules: &[Rule]) -> Self {
        let (deviations, specified): (Vec<&Rule>, Vec<&Rule>) =
            rules.iter().partition(|rule| rule.is_deviation());
        let (tested, without): (Vec<&Rule>, Vec<&Rule>) =
            specified.iter().partition(|rule| !rule.tests.is_empty());
        let reasons = |reason| without.iter().filter(|rule| rule.reason() == Some(reason)).count();
        Self {
            tested: tested.len(),
            total: specified.len(),
            shown_by_deviation: tested.iter().filter(|r| r.deviation().is_some()).count(),
            clients_duty: reasons(CLIENTS_DUTY),
            not_visible: reasons(NOT_VISIBLE),
            untested: without.iter().filter(|rule| rule.exception.is_none()).count(),
            deviations: deviations.len(),
            deviations_tested: deviations.iter().filter(|rule| !rule.tests.is_empty()).count(),
        }
    }
}

impl fmt::Display for Coverage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "rules: {} of {} have a test", self.tested, self.total)?;
        write!(f, " ({} of them show the deviation that replaces it);", self.shown_by_deviation)?;
        write!(
            f,
            " {} are the client's duty, {} not visible",
            self.clients_duty, self.not_visible
        )?;
        write!(f, " from outside, {} untested;", self.untested)?;
        write!(f, " deviations: {} of {} have a test", self.deviations_tested, self.deviations)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rule(id: &str, tests: &[&str], reason: Option<&str>) -> Rule {
        Rule {
            id: id.to_owned(),
            source: (!id.starts_with("rabbitmq.")).then(|| "somewhere".to_owned()),
            text: "A text.".to_owned(),
            on_failure: Some("NOT_FOUND".to_owned()),
            side: Side::Server,
            tests: tests.iter().map(|&test| test.to_owned()).collect(),
            exception: reason
                .map(|reason| Exception { reason: reason.to_owned(), note: "A note.".to_owned() }),
        }
    }

    #[test]
    fn a_test_is_looked_for_where_its_path_points() {
        let tree = Tree::of(&[
            ("src/queue/contents/tests.rs", "fn keeps_place() {}\n"),
            ("tests/conformance/queue.rs", "fn is_declared() {}\n// fn is_gone() {}\n"),
        ]);
        assert!(exists(&tree, "unit::queue::contents::keeps_place"));
        assert!(exists(&tree, "conformance::queue::is_declared"));
        assert!(!exists(&tree, "conformance::queue::is_gone"));
        assert!(!exists(&tree, "conformance::exchange::is_declared"));
    }

    #[test]
    fn a_citation_of_no_rule_is_found() {
        let code =
            "// Rule: a.known, a.wrong\n/// Rule: a.known: because.\nlet x = 1; // Rule: b.no\n";
        let tree = Tree::of(&[("src/x.rs", code)]);
        let found = unknown_citations(&tree, &[rule("a.known", &[], None)]);
        let found: Vec<String> = found.iter().map(ToString::to_string).collect();
        assert_eq!(found.len(), 2, "{found:?}");
    }

    #[test]
    fn a_rule_without_test_or_exception_is_found() {
        let rules = [
            rule("a.tested", &["x::y"], None),
            rule("a.excused", &[], Some(CLIENTS_DUTY)),
            rule("a.bare", &[], None),
        ];
        let found: Vec<String> = untested(&rules).iter().map(ToString::to_string).collect();
        assert!(found.iter().any(|f| f.contains("a.bare")), "{found:?}");
        assert!(!found.iter().any(|f| f.contains("a.tested") || f.contains("a.excused")));
    }

    #[test]
    fn an_exception_needs_one_of_three_reasons_and_a_tested_deviation() {
        let rules = [
            rule("a.one", &[], Some("no time")),
            rule("a.two", &[], Some("replaced by rabbitmq.bare")),
            rule("a.three", &[], Some("replaced by rabbitmq.none")),
            rule("a.four", &["x::y"], Some("replaced by rabbitmq.tested")),
            rule("rabbitmq.bare", &[], None),
            rule("rabbitmq.tested", &["x::y"], None),
        ];
        let wrong: Vec<&str> = rules
            .iter()
            .filter(|rule| unsound_exception(rule, &rules).is_some())
            .map(|rule| rule.id.as_str())
            .collect();
        assert_eq!(wrong, ["a.one", "a.two", "a.three"]);
    }
}
