//! The sample file `config/leveret.conf`, generated from the table of keys: every key, commented
//! out, with its default and what it is for. A test compares the file with this.

use std::fmt::Write;

use super::{
    keys::{GROUPS, Key, Status, pattern},
    values::Kind,
};

const WIDTH: usize = 96;

const HEAD: &str = "\
Leveret's configuration, in the syntax of rabbitmq.conf: one `key = value` a line, `#` for \
comments, quotes where a value holds a `#` or blanks at its ends, $(NAME) for the environment \
variable NAME. Of two lines with the same key the later one counts. Environment variables named \
as the key in capitals (LEVERET_HEARTBEAT=30) override this file, and flags (--set heartbeat=30) \
override both.";

const LEGEND: &str = "\
Every key is here, with its default. In names, <N> is a number, <name> any word, {a,b} one of \
these, * anything. A key that is not used yet, or has no meaning here, may be set: Leveret says \
so once and goes on.";

/// The whole text.
#[must_use]
pub fn text() -> String {
    let mut text = String::new();
    paragraph(&mut text, HEAD);
    text.push_str("##\n");
    paragraph(&mut text, LEGEND);
    text.push_str("##\n## This file is generated from the table in src/node/config/keys.\n");
    for group in GROUPS {
        let _ = write!(text, "\n## ==== {} ====\n", group.title);
        for key in group.keys {
            entry(&mut text, key);
        }
    }
    text
}

fn entry(text: &mut String, key: &Key) {
    text.push('\n');
    let expected = match key.kind {
        Kind::Text => String::new(),
        _ => format!(" Expects {}.", key.kind.expected()),
    };
    let status = match key.status {
        Status::Obeyed(_) => String::new(),
        Status::NotUsedYet => " Not used yet.".to_owned(),
        Status::NoMeaning(reason) => format!(" No meaning here: {reason}."),
    };
    paragraph(text, &format!("{}{expected}{status}", key.doc));
    if !key.aliases.is_empty() {
        paragraph(text, &format!("Also called {}.", key.aliases.join(", ")));
    }
    let _ = writeln!(text, "{}", line(key));
}

/// The key as it would be written. A family has no line of its own to take the comment from.
fn line(key: &Key) -> String {
    match (pattern::is_exact(key.name), key.default) {
        (true, default) => format!("# {} = {default}", key.name).trim_end().to_owned(),
        (false, "") => format!("# {} = ...", key.name),
        (false, default) => format!("# {} = {default}", key.name),
    }
}

fn paragraph(text: &mut String, words: &str) {
    let mut width = 0;
    for word in words.split(' ') {
        let length = word.chars().count();
        if width == 0 || width + 1 + length > WIDTH {
            let _ = write!(text, "{}## {word}", if width == 0 { "" } else { "\n" });
            width = 3 + length;
        } else {
            let _ = write!(text, " {word}");
            width += 1 + length;
        }
    }
    text.push('\n');
}

#[cfg(test)]
mod tests {
    use std::{env, fs, path::Path};

    use super::*;
    use crate::node::config::{keys, parse};

    #[test]
    fn the_sample_file_is_the_table() {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("config/leveret.conf");
        if env::var_os("LEVERET_REGENERATE").is_some() {
            fs::write(&path, text()).unwrap();
        }
        let file = fs::read_to_string(&path).unwrap();
        assert!(file == text(), "config/leveret.conf differs: run with LEVERET_REGENERATE=1");
    }

    #[test]
    fn the_sample_sets_nothing_as_it_is() {
        assert_eq!(parse::assignments(&text()), (Vec::new(), Vec::new()));
    }

    #[test]
    fn every_key_of_the_table_stands_in_the_sample_once() {
        let text = text();
        for key in keys::all() {
            let start = format!("# {} =", key.name);
            let count = text.lines().filter(|line| line.starts_with(&start)).count();
            assert_eq!(count, 1, "{}", key.name);
        }
    }

    #[test]
    fn lines_fit_the_width_unless_one_word_is_longer() {
        for line in text().lines().filter(|line| line.starts_with("## ")) {
            assert!(line.chars().count() <= WIDTH + 3, "{line}");
        }
    }
}
