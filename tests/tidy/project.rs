//! The manifest, the changelog and the weight of the tree.

use super::tree::{File, Finding, Tree};

const MANIFEST: &str = "Cargo.toml";
const CHANGELOG: &str = "CHANGELOG.md";
const SAMPLE: &str = "config/leveret.conf";
const FILE_SIZE_MAX: u64 = 100 * 1024;

/// Crates that were weighed and left out, each with what takes its place.
const BANNED: [(&str, &str); 16] = [
    ("async-std", "the doors run on tokio"),
    ("bincode", "records on disk have encodings of their own"),
    ("compio", "the doors run on tokio"),
    ("dashmap", "one owner per state, or papaya for registries"),
    ("fjall", "the log is our own"),
    ("flume", "tokio's channels at the doors, plain buffers below"),
    ("kanal", "tokio's channels at the doors, plain buffers below"),
    ("memmap2", "files are read and written, not mapped"),
    ("monoio", "the doors run on tokio"),
    ("native-tls", "rustls is the one provider"),
    ("openssl", "rustls is the one provider"),
    ("redb", "the log is our own"),
    ("rustls-pemfile", "rustls-pki-types reads PEM"),
    ("sled", "the log is our own"),
    ("testcontainers", "peers are started by tests/peers"),
    ("tokio-uring", "the doors run on tokio"),
];

/// Crates that only tests may use.
const ONLY_FOR_TESTS: [&str; 4] = ["amq-protocol", "lapin", "proptest", "tempfile"];

/// Dependencies without a reason on their line, and those that are not to be there.
pub(crate) fn dependencies(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    let mut section = "";
    let manifest = tree.text(MANIFEST).unwrap_or_default();
    for (index, line) in manifest.lines().enumerate() {
        if line.starts_with('[') {
            section = line.trim_matches(['[', ']']);
            continue;
        }
        let Some((name, rest)) = line.split_once('=') else { continue };
        let name = name.trim().trim_matches('"');
        if line.starts_with('#') || !section.ends_with("dependencies") {
            continue;
        }
        let mut add = |advice: String| findings.push(Finding::new(MANIFEST, index + 1, advice));
        if rest.split_once(" # ").is_none_or(|(_, reason)| reason.trim().len() <= 3) {
            add(format!("say on its line why {name} is there, after a `#`"));
        }
        if let Some((_, instead)) = BANNED.iter().find(|(banned, _)| *banned == name) {
            add(format!("{name} is banned: {instead}"));
        }
        if ONLY_FOR_TESTS.contains(&name) && section != "dev-dependencies" {
            add(format!("{name} is for tests; move it to [dev-dependencies]"));
        }
    }
    if manifest.is_empty() {
        findings.push(Finding::new(MANIFEST, 1, "the manifest is missing"));
    }
    findings
}

/// Test files at the top of `tests` that the manifest does not build (`autotests` is off).
pub(crate) fn orphaned_tests(tree: &Tree) -> Vec<Finding> {
    let manifest = tree.text(MANIFEST).unwrap_or_default();
    let is_root = |path: &str| {
        path.strip_prefix("tests/").is_some_and(|rest| {
            rest.ends_with(".rs") && (!rest.contains('/') || rest.ends_with("/main.rs"))
        })
    };
    tree.rust()
        .filter(|file| is_root(&file.path))
        .filter(|file| !manifest.contains(&format!("path = \"{}\"", file.path)))
        .map(|file| Finding::new(&file.path, 1, "add a [[test]] with this path to Cargo.toml"))
        .collect()
}

/// The comparison itself is a unit test beside the table of keys; here only that both are there.
pub(crate) fn uncompared_configuration(tree: &Tree) -> Vec<Finding> {
    let is_compared =
        tree.rust().any(|f| f.path.starts_with("src/node/config") && f.text.contains(SAMPLE));
    let mut findings = Vec::new();
    if tree.text(SAMPLE).is_none() {
        findings.push(Finding::new(SAMPLE, 1, "generate it from the table of keys"));
    }
    if !is_compared {
        let advice = "compare it with the generated text in a test of src/node/config";
        findings.push(Finding::new(SAMPLE, 1, advice));
    }
    findings
}

/// A changelog without a place for what is not released yet.
pub(crate) fn changelog(tree: &Tree) -> Vec<Finding> {
    let text = tree.text(CHANGELOG).unwrap_or_default();
    if text.lines().any(|line| line.starts_with("## ") && line.contains("Unreleased")) {
        return Vec::new();
    }
    vec![Finding::new(CHANGELOG, 1, "add a section `## Unreleased` for what comes next")]
}

/// Files that are too large to be kept in the history.
pub(crate) fn heavy_files(tree: &Tree) -> Vec<Finding> {
    let is_heavy = |file: &&File| {
        file.size > FILE_SIZE_MAX && file.path != "Cargo.lock" && !file.is_generated()
    };
    tree.files
        .iter()
        .filter(is_heavy)
        .map(|file| {
            let advice = format!("{} KiB; keep it out or make it smaller", file.size / 1024);
            Finding::new(&file.path, 1, advice)
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_dependency_without_reason_a_banned_and_a_misplaced_one_are_found() {
        let manifest = "[package]\nname = \"x\"\n[dependencies]\nnom = \"8\" # parsers\n\
            bytes = \"1\"\nsled = \"1\" # a store\nlapin = \"4\" # a client\n\
            [dev-dependencies]\nlapin = \"4\" # a client\n";
        let tree = Tree::of(&[(MANIFEST, manifest)]);
        let found: Vec<String> = dependencies(&tree).iter().map(ToString::to_string).collect();
        assert_eq!(found.len(), 3, "{found:?}");
    }

    #[test]
    fn a_test_file_that_no_target_builds_is_found() {
        let manifest = "[[test]]\nname = \"a\"\npath = \"tests/a.rs\"\n";
        let files = [("tests/a.rs", ""), ("tests/b/main.rs", ""), ("tests/b/c.rs", "")];
        let mut all = vec![(MANIFEST, manifest)];
        all.extend(files);
        let found = orphaned_tests(&Tree::of(&all));
        assert_eq!(found.iter().map(|f| f.path.as_str()).collect::<Vec<_>>(), ["tests/b/main.rs"]);
    }

    #[test]
    fn a_missing_unreleased_section_is_found() {
        assert!(changelog(&Tree::of(&[(CHANGELOG, "## Unreleased\n")])).is_empty());
        assert_eq!(changelog(&Tree::of(&[(CHANGELOG, "## 0.1.0\n")])).len(), 1);
    }

    #[test]
    fn a_heavy_file_is_found_unless_it_is_generated() {
        let heavy = "x".repeat(200 * 1024);
        let generated = format!("// @generated\n{heavy}");
        let files = [("Cargo.lock", &*heavy), ("src/a.rs", &*generated), ("docs/b.png", &*heavy)];
        assert_eq!(heavy_files(&Tree::of(&files)).len(), 1);
    }
}
