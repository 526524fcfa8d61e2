//! The form of the texts: how long files and lines are, how they begin and end, what may not be
//! left in them, and whether the map names every folder.

use std::collections::BTreeSet;

use super::tree::{File, Finding, Tree};

const FILE_LINES_MAX: usize = 500;
const LINE_COLUMNS_MAX: usize = 100;
const MAP: &str = "ARCHITECTURE.md";
const MAP_LINES_MAX: usize = 300;

/// Parts of `src` that talk to a terminal.
const TOOLS: [&str; 4] = ["src/main.rs", "src/ctl/", "src/inspect/", "src/perf/"];

/// Endings of files that are written by hand and read as text.
const TEXT_ENDINGS: [&str; 11] =
    [".rs", ".md", ".toml", ".json", ".conf", ".yml", ".py", ".js", ".go", ".c", ".sh"];

/// Lines of a source file that come before its tests.
fn lines_without_tests(file: &File) -> usize {
    let lines: Vec<&str> = file.text.lines().collect();
    let begins_tests = |pair: &[&str]| {
        pair.first() == Some(&"#[cfg(test)]")
            && pair.last().is_some_and(|item| item.starts_with("mod ") && item.ends_with('{'))
    };
    lines.windows(2).position(begins_tests).unwrap_or(lines.len())
}

fn holds_only_tests(path: &str) -> bool {
    path.starts_with("tests/") || path.ends_with("/tests.rs") || path.contains("/tests/")
}

/// Files and lines that are too long.
pub(crate) fn oversized(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    for file in tree.rust().filter(|file| !file.is_generated()) {
        let lines = lines_without_tests(file);
        if lines > FILE_LINES_MAX && !holds_only_tests(&file.path) {
            let advice = format!("{lines} lines without tests; split it by noun");
            findings.push(Finding::new(&file.path, lines, advice));
        }
        for (index, line) in file.text.lines().enumerate() {
            let columns = line.chars().count();
            if columns > LINE_COLUMNS_MAX {
                let advice = format!("{columns} columns; break the line at {LINE_COLUMNS_MAX}");
                findings.push(Finding::new(&file.path, index + 1, advice));
            }
        }
    }
    findings
}

/// Source files that do not open with `//!`.
pub(crate) fn without_heading(tree: &Tree) -> Vec<Finding> {
    let advice = "open the file with `//!`: what it is and what it is not";
    tree.rust()
        .filter(|file| !file.text.starts_with("//! "))
        .map(|file| Finding::new(&file.path, 1, advice))
        .collect()
}

/// Folders of `src` that the map does not name, and a map that grew too long to be one.
pub(crate) fn unmapped_folders(tree: &Tree) -> Vec<Finding> {
    let Some(map) = tree.text(MAP) else {
        return vec![Finding::new(MAP, 1, "write the map of the house")];
    };
    let folders: BTreeSet<&str> = tree
        .rust()
        .filter_map(|file| file.path.strip_prefix("src/")?.rsplit_once('/'))
        .map(|(folder, _)| folder)
        .collect();
    let mut findings: Vec<Finding> = folders
        .into_iter()
        .filter(|folder| !names_folder(map, folder))
        .map(|folder| Finding::new(MAP, 1, format!("say in the code map what src/{folder}/ is")))
        .collect();
    let lines = map.lines().count();
    if lines > MAP_LINES_MAX {
        let advice = format!("{lines} lines; a map has at most {MAP_LINES_MAX}");
        findings.push(Finding::new(MAP, lines, advice));
    }
    findings
}

/// Whether the map has the folder in its own code marks, as in `queue/`.
fn names_folder(map: &str, folder: &str) -> bool {
    [format!("`{folder}/`"), format!("`src/{folder}/`")].iter().any(|name| map.contains(name))
}

/// Notes to oneself without an issue, debugging output, and printing outside the tools.
pub(crate) fn leftovers(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    for file in tree.rust() {
        for (index, line) in file.text.lines().enumerate() {
            for note in ["TODO", "FIXME", "XXX", "HACK"].iter().filter(|n| is_note(line, n)) {
                let advice = format!("give the {note} its issue, as {note}(#12), or do it now");
                findings.push(Finding::new(&file.path, index + 1, advice));
            }
        }
        for (line, code) in file.code_lines() {
            let printing = ["println!", "print!"].iter().any(|call| code.contains(call));
            if code.contains("dbg!") {
                findings.push(Finding::new(&file.path, line, "take the dbg! out"));
            } else if printing && file.path.starts_with("src/") && !may_print(&file.path) {
                let advice = "log through tracing; only the tools print";
                findings.push(Finding::new(&file.path, line, advice));
            }
        }
    }
    findings
}

fn may_print(path: &str) -> bool {
    holds_only_tests(path) || TOOLS.iter().any(|tool| path.starts_with(tool))
}

/// Whether a comment in the line holds the note as a word, without the number of an issue.
fn is_note(line: &str, note: &str) -> bool {
    let Some((_, comment)) = line.split_once("//") else { return false };
    comment.match_indices(note).any(|(at, _)| {
        let before = comment.get(..at).and_then(|head| head.chars().next_back());
        let after = comment.get(at + note.len()..).unwrap_or_default();
        before.is_none_or(|c| !c.is_alphanumeric())
            && !after.starts_with("(#")
            && !after.starts_with(char::is_alphanumeric)
    })
}

/// Trailing blanks, and files that do not end with a newline.
pub(crate) fn blanks(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    let is_text = |file: &&File| {
        TEXT_ENDINGS.iter().any(|ending| file.path.ends_with(ending)) || file.text.starts_with("#!")
    };
    for file in tree.files.iter().filter(is_text) {
        for (index, line) in file.text.lines().enumerate() {
            if line.trim_end() != line {
                findings.push(Finding::new(&file.path, index + 1, "take the trailing blanks off"));
            }
        }
        if !file.text.is_empty() && !file.text.ends_with('\n') {
            let line = file.text.lines().count();
            findings.push(Finding::new(&file.path, line, "end the file with a newline"));
        }
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::*;

    fn places(findings: &[Finding]) -> Vec<String> {
        findings.iter().map(|f| f.to_string().split(": ").next().unwrap().to_owned()).collect()
    }

    #[test]
    fn a_long_file_and_a_long_line_are_found_and_tests_are_not_counted() {
        let long = "//! A file.\n".to_owned() + &"x();\n".repeat(FILE_LINES_MAX);
        let tested = format!(
            "//! A file.\n{}#[cfg(test)]\nmod tests {{\n{}}}\n",
            "x();\n".repeat(400),
            "y();\n".repeat(400)
        );
        let wide = format!("//! {}\n", "w".repeat(LINE_COLUMNS_MAX));
        let tree = Tree::of(&[("src/a.rs", &long), ("src/b.rs", &tested), ("src/c.rs", &wide)]);
        assert_eq!(places(&oversized(&tree)), ["src/a.rs:501", "src/c.rs:1"]);
    }

    #[test]
    fn a_file_without_heading_and_a_folder_off_the_map_are_found() {
        let files = [(MAP, "`queue/` holds\n"), ("src/queue/a.rs", "//! A.\n"), ("src/b/c.rs", "")];
        assert_eq!(places(&without_heading(&Tree::of(&files))), ["src/b/c.rs:1"]);
        assert_eq!(unmapped_folders(&Tree::of(&files)).len(), 1);
    }

    #[test]
    fn notes_without_issues_and_prints_are_found() {
        let note = ["TO", "DO"].concat();
        let code = format!(
            "//! A.\n// {note} later\n// {note}(#3) later\nlet x = \"println!\";\nprintln!();\n"
        );
        let tree = Tree::of(&[("src/queue/a.rs", &code), ("src/main.rs", "//! B.\nprintln!();\n")]);
        assert_eq!(places(&leftovers(&tree)), ["src/queue/a.rs:2", "src/queue/a.rs:5"]);
    }

    #[test]
    fn trailing_blanks_and_a_missing_newline_are_found() {
        let tree = Tree::of(&[("a.md", "x \ny"), ("b.bin", "x ")]);
        assert_eq!(places(&blanks(&tree)), ["a.md:1", "a.md:2"]);
    }
}
