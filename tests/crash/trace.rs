//! System calls as strace wrote them down: what was written where, when it began and when it came
//! back. The order of lines is the order in which that happened.

use std::fs;
use std::path::Path;

/// All calls of a run that came back well.
#[derive(Debug)]
pub(crate) struct Trace {
    pub(crate) calls: Vec<Call>,
}

/// One call.
#[derive(Debug)]
pub(crate) struct Call {
    name: String,
    /// The file or socket, as the system names it.
    target: String,
    /// What was written.
    pub(crate) bytes: Vec<u8>,
    /// The lines in which it began and came back.
    began: usize,
    ended: usize,
}

impl Call {
    /// It wrote to a client.
    pub(crate) fn is_to_socket(&self) -> bool {
        self.target.starts_with("socket:") || self.target.starts_with("TCP")
    }

    /// Where these bytes stand in what it wrote.
    pub(crate) fn places(&self, part: &[u8]) -> Vec<usize> {
        let windows = self.bytes.windows(part.len()).enumerate();
        windows.filter(|(_, window)| *window == part).map(|(at, _)| at).collect()
    }

    /// It wrote this text.
    pub(crate) fn has(&self, text: &str) -> bool {
        !self.places(text.as_bytes()).is_empty()
    }

    fn is_sync(&self) -> bool {
        self.name == "fdatasync" || self.name == "fsync"
    }
}

impl Trace {
    /// Reads what `strace -f -y -xx` wrote.
    pub(crate) fn read(file: &Path) -> Self {
        let text = fs::read_to_string(file).expect("a trace");
        let mut calls = Vec::new();
        let mut open: Vec<(String, Call)> = Vec::new();
        for (line, text) in text.lines().enumerate() {
            let (thread, text) = text.split_once(' ').expect("a thread and a call");
            let text = text.trim_start();
            if text.starts_with("<... ") {
                let known = open.iter().position(|(known, _)| known == thread);
                let (_, call) = open.swap_remove(known.expect("a call that began"));
                calls.extend(is_good(text).then_some(Call { ended: line, ..call }));
            } else if let Some(call) = begin(text, line) {
                if text.ends_with("<unfinished ...>") {
                    open.push((thread.to_owned(), call));
                } else {
                    calls.extend(is_good(text).then_some(call));
                }
            }
        }
        // In the order in which they began: what is promised is promised then.
        calls.sort_by_key(|call| call.began);
        Self { calls }
    }

    /// This text was in a log file, and a sync of that file began after that and came back before
    /// this call began.
    pub(crate) fn is_synced_before(&self, text: &str, promise: &Call) -> bool {
        let written = self.calls.iter().filter(|call| call.name == "pwrite64" && call.has(text));
        let is_synced = |write: &Call| {
            self.calls.iter().any(|sync| {
                let is_of_it = sync.is_sync() && sync.target == write.target;
                is_of_it && write.ended < sync.began && sync.ended < promise.began
            })
        };
        written.filter(|write| write.target.contains("/log-")).any(is_synced)
    }
}

/// It did not fail.
fn is_good(text: &str) -> bool {
    text.rsplit_once(" = ").is_some_and(|(_, result)| !result.starts_with('-'))
}

/// The call that begins in this line; none where the line tells of something else.
fn begin(text: &str, line: usize) -> Option<Call> {
    let (name, arguments) = text.split_once('(')?;
    let target = arguments.split_once('<').and_then(|(_, rest)| rest.split_once('>'));
    let target = target.map_or("", |(target, _)| target);
    let written = arguments.split('"').skip(1).step_by(2);
    Some(Call {
        name: name.to_owned(),
        target: String::from_utf8_lossy(&unescaped(target)).into_owned(),
        bytes: written.flat_map(unescaped).collect(),
        began: line,
        ended: line,
    })
}

/// All bytes in strings are in hexadecimal; what is none stands for itself.
fn unescaped(text: &str) -> Vec<u8> {
    let mut parts = text.split(r"\x");
    let mut bytes = parts.next().unwrap_or_default().as_bytes().to_vec();
    for part in parts {
        let (digits, rest) = part.split_at(2);
        bytes.push(u8::from_str_radix(digits, 16).expect("two digits"));
        bytes.extend_from_slice(rest.as_bytes());
    }
    bytes
}
