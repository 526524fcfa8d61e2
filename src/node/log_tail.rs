//! The end of the log file for who follows it: it is looked at again and again, also behind a file
//! that was moved away.

use std::fs::{self, File};
use std::io::{self, Read, Seek, SeekFrom};
use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;

use axum::body::Bytes;

use crate::limits::STREAM_CHUNK_SIZE;
use crate::management::LogTail;

/// A file that grows.
#[derive(Debug)]
pub(super) struct FileTail {
    path: PathBuf,
    file: File,
}

impl FileTail {
    /// What is written to it from now on.
    pub(super) fn of(path: PathBuf) -> io::Result<Self> {
        let mut file = File::open(&path)?;
        file.seek(SeekFrom::End(0))?;
        Ok(Self { path, file })
    }

    fn read_on(&mut self) -> io::Result<Bytes> {
        let mut bytes = Vec::new();
        (&self.file).take(STREAM_CHUNK_SIZE as u64).read_to_end(&mut bytes)?;
        Ok(bytes.into())
    }

    /// Another file has its name by now.
    fn is_replaced(&self) -> io::Result<bool> {
        let (own, named) = (self.file.metadata()?, fs::metadata(&self.path));
        Ok(named.is_ok_and(|named| (named.dev(), named.ino()) != (own.dev(), own.ino())))
    }
}

impl LogTail for FileTail {
    fn read(&mut self) -> io::Result<Bytes> {
        // What is replaced has all of its lines, if it was looked at before it was read.
        let is_replaced = self.is_replaced()?;
        if self.file.metadata()?.len() < self.file.stream_position()? {
            self.file.rewind()?;
        }
        let bytes = self.read_on()?;
        if !bytes.is_empty() || !is_replaced {
            return Ok(bytes);
        }
        self.file = File::open(&self.path)?;
        self.read_on()
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    #[test]
    fn a_file_is_followed_also_when_it_is_moved_away_or_emptied() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("log");
        let open = || File::options().append(true).create(true).open(&path).unwrap();
        let mut file = open();
        file.write_all(b"before\n").unwrap();
        let mut tail = FileTail::of(path.clone()).unwrap();
        assert_eq!(tail.read().unwrap(), "");
        file.write_all(b"one\n").unwrap();
        assert_eq!(tail.read().unwrap(), "one\n");
        fs::rename(&path, folder.path().join("log.1")).unwrap();
        file.write_all(b"two\n").unwrap();
        assert_eq!(tail.read().unwrap(), "two\n");
        let mut file = open();
        file.write_all(b"three\n").unwrap();
        assert_eq!(tail.read().unwrap(), "three\n");
        assert_eq!(tail.read().unwrap(), "");
        file.set_len(0).unwrap();
        file.write_all(b"4\n").unwrap();
        assert_eq!(tail.read().unwrap(), "4\n");
    }

    #[test]
    fn much_comes_in_parts_and_nothing_is_left_out() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("log");
        fs::write(&path, "").unwrap();
        let mut tail = FileTail::of(path.clone()).unwrap();
        let text = "x".repeat(STREAM_CHUNK_SIZE * 2 + 1);
        fs::write(&path, &text).unwrap();
        let sizes: Vec<usize> = (0..4).map(|_| tail.read().unwrap().len()).collect();
        assert_eq!(sizes, [STREAM_CHUNK_SIZE, STREAM_CHUNK_SIZE, 1, 0]);
    }
}
