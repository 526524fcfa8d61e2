//! The way out: what is shown goes to the standard output, and it is a failure where it does not
//! arrive, so that a script does not take half a list for a whole one.

use std::io::{self, Write};

use super::failure::Failure;

/// A line to the standard output.
pub(super) fn line(line: &str) -> Result<(), Failure> {
    text(&format!("{line}\n"))
}

/// A text to the standard output, to its last byte.
pub(super) fn text(text: &str) -> Result<(), Failure> {
    let mut output = io::stdout().lock();
    arrived(output.write_all(text.as_bytes()).and_then(|()| output.flush()))
}

/// A line to the standard error: nobody is left to tell if that fails.
pub(super) fn complaint(text: &str) {
    let _ = writeln!(io::stderr(), "{text}");
}

/// Who closes a pipe, as `head` does, has read enough.
pub(super) fn arrived(written: io::Result<()>) -> Result<(), Failure> {
    match written {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            Err(Failure::Software(format!("the standard output cannot be written to: {error}")))
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn output_that_is_lost_is_a_failure_unless_nobody_reads_it() {
        assert_eq!(arrived(Ok(())), Ok(()));
        assert_eq!(arrived(Err(io::ErrorKind::BrokenPipe.into())), Ok(()));
        let full = arrived(Err(io::ErrorKind::StorageFull.into())).unwrap_err();
        assert_eq!(full.code(), 70);
        assert!(full.text().starts_with("the standard output cannot be written to"));
    }
}
