//! What a store tells those who look into it without running it: what a file is by its name and its
//! head, how full the log files are, and messages with what stands beside them. It changes nothing.

use std::io;

use super::checkpoint;
use super::header::{FileHeader, HeaderError};
use super::reader::Reader;
use super::shelf::{Named, QUARANTINE, RESERVE, parse_name, read_from};
use super::storage::StorageFile;
use super::writer::lock;
use crate::message::{Message, Moment, QueueId, Sequence, SequenceRange};

/// What a file of the data directory is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FileRole {
    /// A part of the log, by its number.
    Log(u64),
    /// All that is alive at one place of the log.
    Checkpoint(u64),
    /// A log file that is to be written again.
    Spare(u64),
    /// Room for a full disk.
    Reserve,
    /// Bytes that were damaged, set aside.
    Quarantine,
    /// None of the store's.
    Other,
}

impl FileRole {
    /// What a file of this name is.
    #[must_use]
    pub fn of(name: &str) -> Self {
        match parse_name(name) {
            Named::Log(number) => Self::Log(number),
            Named::Checkpoint(number) => Self::Checkpoint(number),
            Named::Spare(number) => Self::Spare(number),
            Named::Other if name == RESERVE => Self::Reserve,
            Named::Other if name.starts_with(QUARANTINE) => Self::Quarantine,
            Named::Other => Self::Other,
        }
    }
}

/// The version of the format that the head of a log file or checkpoint names, also one that this
/// version does not know; none where the head is damaged.
///
/// # Errors
/// The disk does not answer.
pub fn format_version(file: &dyn StorageFile) -> io::Result<Option<u16>> {
    let mut head = [0; super::header::FILE_HEADER_SIZE];
    let read = file.read_at(0, &mut head)?;
    Ok(match FileHeader::decode(head.get(..read).unwrap_or(&[])) {
        Ok(_) => Some(super::header::FORMAT_VERSION),
        Err(HeaderError::UnknownVersion(version)) => Some(version),
        Err(HeaderError::Damaged) => None,
    })
}

/// What a whole checkpoint says of itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CheckpointState {
    /// The first log file that it does not cover.
    pub next_file: u64,
    /// Counts the starts of the node up to the one that wrote it.
    pub boot: u64,
    /// The node stopped in order right after it.
    pub is_clean_stop: bool,
}

impl CheckpointState {
    /// Reads the checkpoint of this number; none where it is not whole.
    ///
    /// # Errors
    /// The disk does not answer.
    pub fn read(file: &dyn StorageFile, number: u64) -> io::Result<Option<Self>> {
        let found = checkpoint::decode(&read_from(file, 0)?);
        Ok(found.filter(|(head, _)| head.number == number).map(|(head, _)| Self {
            next_file: head.next_file,
            boot: head.boot,
            is_clean_stop: head.is_clean_stop,
        }))
    }
}

/// How full a log file is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LogFileState {
    /// Its number.
    pub number: u64,
    /// Places in it that are alive.
    pub live: u64,
    /// Places that were ever written to it.
    pub written: u64,
}

/// A message in its place of a queue.
#[derive(Clone, Debug)]
pub struct StoredMessage {
    /// The place.
    pub sequence: Sequence,
    /// When it was first written: milliseconds since the epoch.
    pub arrived: Moment,
    /// The message.
    pub message: Message,
}

/// Messages that were looked at.
#[derive(Debug)]
pub struct Seen {
    /// The last place that was looked at: it may be before what was asked for.
    pub last: Sequence,
    /// What could be read, rising.
    pub messages: Vec<StoredMessage>,
}

impl Reader {
    /// The log files in which something is alive or was, by their numbers.
    #[must_use]
    pub fn log_files(&self) -> Vec<LogFileState> {
        let ledger = lock(&self.ledger);
        let files = ledger.files.iter();
        files
            .map(|(&number, file)| LogFileState { number, live: file.live, written: file.written })
            .collect()
    }

    /// The log file in which a place stands.
    #[must_use]
    pub fn log_file_of(&self, queue: QueueId, sequence: Sequence) -> Option<u64> {
        let ledger = lock(&self.ledger);
        let (_, extent) = ledger.queues.get(&queue)?.extent_of(sequence)?;
        Some(extent.file)
    }

    /// Reads the messages of a range that stands in one file, as a recovered run does: as many as
    /// fit `size_max` bytes, at least one. What is alive and not given back is damaged.
    ///
    /// # Errors
    /// The disk does not answer.
    pub fn look(&self, queue: QueueId, range: SequenceRange, size_max: u64) -> io::Result<Seen> {
        let Some(file) = self.log_file_of(queue, range.first) else {
            return Ok(Seen { last: range.last, messages: Vec::new() });
        };
        let found = self.copy(queue, range, file, size_max)?;
        let reached = found.rest.map(|rest| rest.first.saturating_sub(1).max(range.first));
        let messages = found.copies.into_iter().map(|copied| StoredMessage {
            sequence: copied.sequence,
            arrived: Moment(copied.came.arrived),
            message: copied.message,
        });
        Ok(Seen { last: reached.unwrap_or(range.last), messages: messages.collect() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_says_what_a_file_is() {
        let roles = [
            ("log-000000000007", FileRole::Log(7)),
            ("checkpoint-000000000002", FileRole::Checkpoint(2)),
            ("spare-000000000001", FileRole::Spare(1)),
            ("reserve", FileRole::Reserve),
            ("quarantine-log-000000000001-64", FileRole::Quarantine),
            ("notes.txt", FileRole::Other),
        ];
        for (name, role) in roles {
            assert_eq!(FileRole::of(name), role, "{name}");
        }
    }
}
