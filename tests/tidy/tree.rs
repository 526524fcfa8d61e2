//! The tree of the project as text: the files that belong to it, and their code without comments
//! and strings. It judges nothing.

use std::{fmt, fs, path::Path};

/// Folders that hold what was made or fetched, not what was written.
const FOREIGN_FOLDERS: [&str; 9] = [
    ".cache",
    ".git",
    "__pycache__",
    "artifacts",
    "corpus",
    "data",
    "node_modules",
    "target",
    "venv",
];

/// A place and what to do about it.
#[derive(Debug)]
pub(crate) struct Finding {
    pub(crate) path: String,
    line: usize,
    advice: String,
}

impl Finding {
    pub(crate) fn new(path: &str, line: usize, advice: impl Into<String>) -> Self {
        Self { path: path.to_owned(), line, advice: advice.into() }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: {}", self.path, self.line, self.advice)
    }
}

/// One file, its path from the root of the project with forward slashes.
#[derive(Debug)]
pub(crate) struct File {
    pub(crate) path: String,
    pub(crate) text: String,
    pub(crate) size: u64,
}

impl File {
    pub(crate) fn is_rust(&self) -> bool {
        self.path.ends_with(".rs")
    }

    /// The folder right under `src`, or nothing for the files that stand there themselves.
    pub(crate) fn floor_folder(&self) -> Option<&str> {
        self.path.strip_prefix("src/")?.split_once('/').map(|(folder, _)| folder)
    }

    pub(crate) fn is_generated(&self) -> bool {
        self.text.lines().take(5).any(|line| line.contains("@generated"))
    }

    /// Numbered lines of code, with comments and the insides of strings blanked out.
    pub(crate) fn code_lines(&self) -> Vec<(usize, String)> {
        code_only(&self.text).lines().map(str::to_owned).enumerate().map(numbered).collect()
    }
}

fn numbered((index, line): (usize, String)) -> (usize, String) {
    (index + 1, line)
}

/// All files of the project, sorted by path.
#[derive(Debug)]
pub(crate) struct Tree {
    pub(crate) files: Vec<File>,
}

impl Tree {
    pub(crate) fn read() -> Self {
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        let mut files = Vec::new();
        collect(root, root, &mut files);
        files.sort_by(|a, b| a.path.cmp(&b.path));
        Self { files }
    }

    /// A tree made up by a test of the checks.
    pub(crate) fn of(files: &[(&str, &str)]) -> Self {
        let file = |&(path, text): &(&str, &str)| File {
            path: path.to_owned(),
            text: text.to_owned(),
            size: text.len() as u64,
        };
        Self { files: files.iter().map(file).collect() }
    }

    pub(crate) fn text(&self, path: &str) -> Option<&str> {
        self.files.iter().find(|file| file.path == path).map(|file| file.text.as_str())
    }

    pub(crate) fn rust(&self) -> impl Iterator<Item = &File> {
        self.files.iter().filter(|file| file.is_rust())
    }
}

fn collect(root: &Path, folder: &Path, files: &mut Vec<File>) {
    let entries = fs::read_dir(folder).unwrap_or_else(|e| panic!("{}: {e}", folder.display()));
    for entry in entries.flatten() {
        let (path, name) = (entry.path(), entry.file_name());
        let Ok(kind) = entry.file_type() else { continue };
        if kind.is_dir() {
            if !FOREIGN_FOLDERS.iter().any(|foreign| name == *foreign) {
                collect(root, &path, files);
            }
        } else if kind.is_file() {
            let relative = path.strip_prefix(root).unwrap_or(&path);
            files.push(File {
                path: relative.to_string_lossy().replace('\\', "/"),
                size: entry.metadata().map_or(0, |metadata| metadata.len()),
                // Bytes that are no text are of no interest beyond their size.
                text: fs::read_to_string(&path).unwrap_or_default(),
            });
        }
    }
}

/// The text with comments and the contents of strings and characters replaced by blanks; lines
/// keep their numbers.
pub(crate) fn code_only(text: &str) -> String {
    let mut scanner = Scanner { rest: text, code: String::with_capacity(text.len()) };
    while !scanner.rest.is_empty() {
        scanner.step();
    }
    scanner.code
}

struct Scanner<'a> {
    rest: &'a str,
    code: String,
}

impl Scanner<'_> {
    fn step(&mut self) {
        if self.rest.starts_with("//") {
            self.blank(self.rest.find('\n').unwrap_or(self.rest.len()));
        } else if self.rest.starts_with("/*") {
            self.blank(self.end_of("*/", 2));
        } else if let Some(length) = raw_string(self.rest) {
            self.blank(length);
        } else if self.rest.starts_with('"') {
            self.blank(quoted(self.rest, '"'));
        } else if is_character(self.rest) {
            self.blank(quoted(self.rest, '\''));
        } else {
            // A word is taken whole, so that the `r` of `for"` does not open a raw string.
            let end = self.rest.find(|c: char| !c.is_alphanumeric() && c != '_');
            let first = self.rest.chars().next().map_or(1, char::len_utf8);
            let (taken, rest) = self.rest.split_at(end.unwrap_or(self.rest.len()).max(first));
            self.code.push_str(taken);
            self.rest = rest;
        }
    }

    fn end_of(&self, mark: &str, from: usize) -> usize {
        let tail = self.rest.get(from..).unwrap_or_default();
        tail.find(mark).map_or(self.rest.len(), |at| from + at + mark.len())
    }

    fn blank(&mut self, length: usize) {
        let (gone, rest) = self.rest.split_at(length);
        self.code.extend(gone.chars().map(|c| if c == '\n' { '\n' } else { ' ' }));
        self.rest = rest;
    }
}

/// The length of the raw string that begins here, if one does.
fn raw_string(text: &str) -> Option<usize> {
    let after = text.strip_prefix("br").or_else(|| text.strip_prefix('r'))?;
    let hashes = after.len() - after.trim_start_matches('#').len();
    let body = after.get(hashes..)?.strip_prefix('"')?;
    let mark = format!("\"{}", "#".repeat(hashes));
    Some(text.len() - body.len() + body.find(&mark).map_or(body.len(), |at| at + mark.len()))
}

/// The length of the string or character that begins here, its quotes included.
fn quoted(text: &str, quote: char) -> usize {
    let mut escaped = true; // the opening quote does not close
    for (at, c) in text.char_indices() {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            c if c == quote => return at + c.len_utf8(),
            _ => {}
        }
    }
    text.len()
}

/// Whether a character literal begins here, and not a lifetime.
fn is_character(text: &str) -> bool {
    let mut characters = text.chars();
    if characters.next() != Some('\'') {
        return false;
    }
    match characters.next() {
        Some('\\') => true,
        Some(_) => characters.next() == Some('\''),
        None => false,
    }
}

#[cfg(test)]
mod tests {
    use super::code_only;

    #[test]
    fn comments_strings_and_characters_are_not_code() {
        let code =
            code_only("let a = \"tokio \\\" x\"; // std::fs\nlet b = '\"'; let c: &'a str;\n");
        assert!(!code.contains("tokio") && !code.contains("std::fs"), "{code}");
        assert!(code.contains("let b") && code.contains("&'a str"), "{code}");
        assert_eq!(code.lines().count(), 2);
    }

    #[test]
    fn raw_strings_and_block_comments_are_not_code() {
        let code = code_only("x(r#\"a \" tokio\"#); y(br\"b\"); /* std::fs\n */ for_z();\n");
        assert!(!code.contains("tokio") && !code.contains("std::fs"), "{code}");
        assert!(code.contains("y(") && code.contains("for_z()"), "{code}");
    }
}
