//! Pages of the manual, made from the definition of the command line. What stands below the help
//! there keeps its lines: it has examples and lists.

use std::io;

use clap::Command;
use clap::builder::{Resettable, StyledStr};
use clap_mangen::Man;

/// A page, as `man -l` reads it.
pub(crate) fn page(command: &Command) -> io::Result<Vec<u8>> {
    let below = command.get_after_long_help().or_else(|| command.get_after_help());
    let below = below.map(ToString::to_string).unwrap_or_default();
    let bare = command.clone();
    let bare = bare.after_help(none()).after_long_help(none());
    let mut page = Vec::new();
    Man::new(bare).render(&mut page)?;
    if !below.is_empty() {
        page.extend(as_it_stands(&below).into_bytes());
    }
    Ok(page)
}

fn none() -> Resettable<StyledStr> {
    Resettable::Reset
}

/// A section whose lines are not filled.
fn as_it_stands(text: &str) -> String {
    let lines: Vec<String> = text.lines().map(escaped).collect();
    format!(".SH NOTES\n.nf\n{}\n.fi\n", lines.join("\n"))
}

/// A line that begins with a dot or a quote would be an order.
fn escaped(line: &str) -> String {
    let line = line.replace('\\', "\\e").replace('-', "\\-");
    if line.starts_with(['.', '\'']) { format!("\\&{line}") } else { line }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_stands_below_the_help_keeps_its_lines() {
        let command = Command::new("hare").after_help("Examples:\n  hare -q\n.x \\y");
        let page = String::from_utf8(page(&command).unwrap()).unwrap();
        let end = ".nf\nExamples:\n  hare \\-q\n\\&.x \\ey\n.fi\n";
        assert!(page.ends_with(end), "{page}");
        assert_eq!(page.matches("Examples").count(), 1, "{page}");
    }
}
