//! The floors of the house: who may use whom, and what the lower floors do not know.

use super::tree::{File, Finding, Tree, code_only};

/// Folders under `src` and the floor each stands on. Folders of one floor do not see each other.
const FLOORS: [(&str, u8); 18] = [
    ("protocol", 0),
    ("message", 1),
    ("definitions", 2),
    ("auth", 3),
    ("connection", 3),
    ("policy", 3),
    ("queue", 3),
    ("routing", 3),
    ("store", 3),
    ("broker", 4),
    ("client", 5),
    ("management", 5),
    ("metrics", 5),
    ("server", 5),
    ("ctl", 6),
    ("inspect", 6),
    ("node", 6),
    ("perf", 6),
];

/// Folders that use no other, low as it may stand: the command line knows a node by its HTTP API
/// only, so that it works as well for one on another machine.
const APART: [&str; 1] = ["ctl"];

/// The last floor that is a synchronous machine.
const HIGHEST_PURE_FLOOR: u8 = 4;

/// Words that bring in time, chance, threads or the outside world.
const IMPURE: [&str; 8] = [
    "tokio",
    "std::fs",
    "std::net",
    "std::thread",
    "Instant::now",
    "SystemTime",
    "rand::",
    "getrandom",
];

/// The one door of the lower floors to the disk, and its lock.
const FOLDER: [&str; 2] = ["src/store/folder.rs", "src/store/folder_lock.rs"];

/// The folder below all floors, which uses none of them.
const LIMITS: &str = "limits";

fn floor(folder: &str) -> Option<u8> {
    FLOORS.iter().find(|(name, _)| *name == folder).map(|(_, floor)| *floor)
}

/// Uses of a folder that stands on the same floor or above, and folders without a floor.
pub(crate) fn uses_upward(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    for file in tree.rust() {
        let Some(folder) = file.floor_folder() else { continue };
        if folder == LIMITS {
            findings.extend(limits_uses(file));
            continue;
        }
        let Some(own) = floor(folder) else {
            findings.push(Finding::new(
                &file.path,
                1,
                format!("src/{folder} has no floor; give it one in tests/tidy/floors.rs"),
            ));
            continue;
        };
        let code = code_only(&file.text);
        for (line, used) in crate_paths(&code).into_iter().filter(|(_, used)| *used != folder) {
            let may_not = |floor| floor >= own || APART.contains(&folder);
            if floor(used).is_some_and(may_not) {
                let advice = format!(
                    "{folder} (floor {own}) may not use {used}: move the type down, or hand the \
                     value in as an argument"
                );
                findings.push(Finding::new(&file.path, line, advice));
            }
        }
    }
    findings
}

fn limits_uses(file: &File) -> Vec<Finding> {
    let code = code_only(&file.text);
    let advice = "limits are numbers for every floor; use nothing of the crate here";
    let used = crate_paths(&code).into_iter().filter(|(_, used)| floor(used).is_some());
    used.map(|(line, _)| Finding::new(&file.path, line, advice)).collect()
}

/// The first names after each `crate::` with their lines, all those of a `crate::{a, b}` included.
fn crate_paths(code: &str) -> Vec<(usize, &str)> {
    let mut paths = Vec::new();
    let mut line = 1;
    let mut pieces = code.split("crate::");
    line += pieces.next().map_or(0, newlines);
    for piece in pieces {
        match piece.strip_prefix('{') {
            None => paths.push((line, first_word(piece))),
            Some(group) => paths.extend(group_names(group, line)),
        }
        line += newlines(piece);
    }
    paths
}

/// The first word of each member of a group whose opening brace was read.
fn group_names(group: &str, first_line: usize) -> Vec<(usize, &str)> {
    let (mut names, mut depth, mut line, mut expecting) = (Vec::new(), 0_usize, first_line, true);
    for (at, c) in group.char_indices() {
        match c {
            '\n' => line += 1,
            '{' => depth += 1,
            '}' if depth == 0 => break,
            '}' => depth -= 1,
            ',' if depth == 0 => expecting = true,
            c if expecting && !c.is_whitespace() => {
                names.push((line, first_word(group.get(at..).unwrap_or_default())));
                expecting = false;
            }
            _ => {}
        }
    }
    names
}

fn newlines(text: &str) -> usize {
    text.matches('\n').count()
}

fn first_word(text: &str) -> &str {
    let text = text.trim_start();
    let end = text.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(text.len());
    text.get(..end).unwrap_or_default()
}

/// Places on the lower floors that know a runtime, a clock, a thread, a socket, a file or chance.
pub(crate) fn impurities(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    let pure = |file: &&File| {
        !FOLDER.contains(&file.path.as_str())
            && file.floor_folder().and_then(floor).is_some_and(|f| f <= HIGHEST_PURE_FLOOR)
    };
    for file in tree.rust().filter(pure) {
        for (line, code) in file.code_lines() {
            for word in IMPURE.iter().filter(|word| has_word(&code, word)) {
                let advice = format!(
                    "`{word}` below the doors: time and randomness are arguments, the disk is \
                     behind store::Storage, sockets and tasks live on floor 5"
                );
                findings.push(Finding::new(&file.path, line, advice));
            }
        }
    }
    findings
}

/// Whether the word stands in the code by itself, not as the end of a longer one.
fn has_word(code: &str, word: &str) -> bool {
    code.match_indices(word).any(|(at, _)| {
        let before = code.get(..at).and_then(|head| head.chars().next_back());
        let after = code.get(at + word.len()..).and_then(|tail| tail.chars().next());
        let joins = |c: Option<char>| c.is_some_and(|c| c.is_alphanumeric() || c == '_');
        !joins(before) && (word.ends_with(':') || !joins(after))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_use_of_a_higher_floor_or_a_sibling_is_found() {
        let tree = Tree::of(&[
            ("src/queue/a.rs", "use crate::broker::Broker;\n"),
            ("src/queue/b.rs", "use crate::{\n    message::{X, W},\n    routing::Y,\n};\n"),
            ("src/queue/c.rs", "// crate::server\nuse crate::protocol::Z;\nuse crate::queue::Q;\n"),
            ("src/attic/d.rs", ""),
            ("src/ctl/e.rs", "use crate::limits::L;\nuse crate::message::M;\n"),
            ("src/limits/f.rs", "use crate::queue::Q;\n"),
        ]);
        let found: Vec<String> = uses_upward(&tree).iter().map(ToString::to_string).collect();
        let places = [
            "src/queue/a.rs:1:",
            "src/queue/b.rs:3:",
            "src/attic/d.rs:1:",
            "src/ctl/e.rs:2:",
            "src/limits/f.rs:1:",
        ];
        assert_eq!(found.len(), places.len(), "{found:?}");
        assert!(found.iter().zip(places).all(|(f, place)| f.starts_with(place)), "{found:?}");
    }

    #[test]
    fn a_clock_on_a_lower_floor_is_found_and_a_door_may_have_one() {
        let tree = Tree::of(&[
            ("src/broker/a.rs", "let now = Instant::now();\n"),
            ("src/queue/b.rs", "//! tokio\nlet operand::x = 1;\n"),
            ("src/server/c.rs", "use tokio::net;\n"),
            (FOLDER[0], "use std::fs;\n"),
        ]);
        let found: Vec<String> = impurities(&tree).iter().map(ToString::to_string).collect();
        assert_eq!(found.len(), 1, "{found:?}");
        assert!(found.iter().all(|f| f.starts_with("src/broker/a.rs:1:")), "{found:?}");
    }
}
