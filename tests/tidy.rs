//! The rules of the house as tests: floors, purity, sizes, texts, the rules of the protocol, the
//! manifest. Each failure names file and line and says what to do. It reads the tree and runs
//! nothing; what rustfmt and clippy can see is left to them.

#[path = "tidy/exceptions.rs"]
mod exceptions;
#[path = "tidy/floors.rs"]
mod floors;
#[path = "tidy/project.rs"]
mod project;
#[path = "tidy/rules.rs"]
mod rules;
#[path = "tidy/texts.rs"]
mod texts;
#[path = "tidy/tree.rs"]
mod tree;

use exceptions::EXCEPTIONS;
use tree::{Finding, Tree};

/// Fails with every finding that no exception covers, and with every exception that covers none:
/// the list can only shrink.
fn assert_tidy(check: &str, findings: &[Finding]) {
    let excepted =
        |finding: &&Finding| EXCEPTIONS.iter().any(|e| e.check == check && e.path == finding.path);
    let mut lines: Vec<String> =
        findings.iter().filter(|f| !excepted(f)).map(ToString::to_string).collect();
    for exception in EXCEPTIONS.iter().filter(|e| e.check == check) {
        if !findings.iter().any(|f| f.path == exception.path) {
            lines.push(format!(
                "tests/tidy/exceptions.rs: {} is tidy now ({check}); take it off the list",
                exception.path
            ));
        }
    }
    assert!(lines.is_empty(), "\n{check}: {} finding(s)\n{}\n", lines.len(), lines.join("\n"));
}

#[test]
fn floors_use_only_what_stands_below_them() {
    assert_tidy("floors", &floors::uses_upward(&Tree::read()));
}

#[test]
fn the_lower_floors_know_no_runtime_clock_or_socket() {
    assert_tidy("purity", &floors::impurities(&Tree::read()));
}

#[test]
fn files_and_lines_stay_short() {
    assert_tidy("size", &texts::oversized(&Tree::read()));
}

#[test]
fn every_file_says_what_it_is() {
    assert_tidy("heading", &texts::without_heading(&Tree::read()));
}

#[test]
fn the_map_names_every_folder() {
    assert_tidy("map", &texts::unmapped_folders(&Tree::read()));
}

#[test]
fn no_leftovers_are_in_the_code() {
    assert_tidy("leftovers", &texts::leftovers(&Tree::read()));
}

#[test]
fn texts_have_no_trailing_blanks_and_end_with_a_newline() {
    assert_tidy("blanks", &texts::blanks(&Tree::read()));
}

#[test]
fn the_table_of_rules_is_sound() {
    let tree = Tree::read();
    assert_tidy("rules", &rules::unsound(&rules::read(&tree)));
}

#[test]
fn cited_rules_are_in_the_table() {
    let tree = Tree::read();
    assert_tidy("citations", &rules::unknown_citations(&tree, &rules::read(&tree)));
}

#[test]
fn every_rule_has_a_test_or_an_exception() {
    let tree = Tree::read();
    assert_tidy("untested rules", &rules::untested(&rules::read(&tree)));
}

#[test]
fn the_tests_that_rules_name_exist() {
    let tree = Tree::read();
    assert_tidy("missing tests", &rules::missing_tests(&tree, &rules::read(&tree)));
}

#[test]
fn the_coverage_of_the_rules_is_printed() {
    let coverage = rules::Coverage::of(&rules::read(&Tree::read()));
    println!("{coverage}");
    assert!(coverage.tested >= rules::TESTED_AT_LEAST, "{coverage}");
}

#[test]
fn the_sample_configuration_is_compared_with_the_table_of_keys() {
    assert_tidy("configuration", &project::uncompared_configuration(&Tree::read()));
}

#[test]
fn dependencies_have_reasons_and_none_is_banned() {
    assert_tidy("dependencies", &project::dependencies(&Tree::read()));
}

#[test]
fn every_test_file_is_a_target() {
    assert_tidy("targets", &project::orphaned_tests(&Tree::read()));
}

#[test]
fn the_changelog_has_an_unreleased_section() {
    assert_tidy("changelog", &project::changelog(&Tree::read()));
}

#[test]
fn no_file_is_over_100_kib() {
    assert_tidy("weight", &project::heavy_files(&Tree::read()));
}

#[test]
fn the_list_of_exceptions_names_checks_that_exist() {
    let checks = ["floors", "purity", "size", "heading", "map", "leftovers", "blanks", "weight"];
    for exception in EXCEPTIONS {
        assert!(checks.contains(&exception.check), "no check {}", exception.check);
        assert!(exception.reason.len() > 10, "{}: give a reason", exception.path);
    }
}
