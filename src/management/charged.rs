//! Bytes of a request, or of an answer, that count with what clients hold as long as they are
//! there. What they say it does not know.

use std::io;

use axum::body::Bytes;

use super::api::Api;
use crate::message::Charge;

/// Bytes that are counted.
#[derive(Debug)]
pub(super) struct Charged {
    bytes: Vec<u8>,
    charge: Charge,
}

impl Charged {
    pub(super) fn new(api: &Api) -> Self {
        Self { bytes: Vec::new(), charge: api.broker.charge(0) }
    }

    pub(super) fn len(&self) -> usize {
        self.bytes.len()
    }

    pub(super) fn extend(&mut self, more: &[u8]) {
        let before = self.bytes.capacity();
        self.bytes.extend_from_slice(more);
        if self.bytes.capacity() != before {
            self.charge.set(self.bytes.capacity() as u64);
        }
    }

    /// They are counted until the last of these is gone.
    pub(super) fn into_bytes(self) -> Bytes {
        Bytes::from_owner(self)
    }
}

impl AsRef<[u8]> for Charged {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

impl io::Write for Charged {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.extend(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
