//! Bytes on their way to the socket. Small frames gather in one buffer; slices of large bodies are
//! kept as they are and go out between, so that nothing large is copied.

use std::collections::VecDeque;
use std::io::IoSlice;

use bytes::Bytes;

use crate::limits::BODY_SHARED_SIZE_MIN;

/// What waits to be written.
///
/// ```text
/// buffer: | method | header | frame head |      | frame end | method | ...
/// shared:                                  body
/// ```
#[derive(Debug, Default)]
pub struct Output {
    buffer: Vec<u8>,
    /// How much of the buffer is written.
    start: usize,
    /// Slices and the place in the buffer before which each goes out.
    shared: VecDeque<(usize, Bytes)>,
    shared_size: usize,
}

impl Output {
    /// The buffer that frame writers append to.
    pub fn buffer(&mut self) -> &mut Vec<u8> {
        &mut self.buffer
    }

    /// Appends a slice: a small one is copied, a large one kept.
    pub fn append(&mut self, slice: Bytes) {
        if slice.len() < BODY_SHARED_SIZE_MIN {
            self.buffer.extend_from_slice(&slice);
        } else {
            self.shared_size += slice.len();
            self.shared.push_back((self.buffer.len(), slice));
        }
    }

    /// Bytes that wait.
    #[must_use]
    pub fn len(&self) -> usize {
        self.buffer.len() - self.start + self.shared_size
    }

    /// Nothing waits.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Fills `slices` with what comes next and tells how many were filled.
    pub fn fill<'a>(&'a self, slices: &mut [IoSlice<'a>]) -> usize {
        let mut filled = 0;
        for (slot, bytes) in slices.iter_mut().zip(self.pieces()) {
            *slot = IoSlice::new(bytes);
            filled += 1;
        }
        filled
    }

    /// What waits, in order, piece by piece.
    pub fn pieces(&self) -> impl Iterator<Item = &[u8]> {
        let mut place = self.start;
        let last = std::iter::once((self.buffer.len(), None));
        self.shared
            .iter()
            .map(|(before, bytes)| (*before, Some(bytes)))
            .chain(last)
            .flat_map(move |(before, bytes)| {
                let inline = self.buffer.get(place..before).unwrap_or(&[]);
                place = before;
                [inline, bytes.map_or(&[][..], |bytes| bytes)]
            })
            .filter(|piece| !piece.is_empty())
    }

    /// The first `count` bytes went out.
    pub fn advance(&mut self, mut count: usize) {
        while count > 0 {
            let before = self.shared.front().map_or(self.buffer.len(), |(before, _)| *before);
            let inline = count.min(before - self.start);
            self.start += inline;
            count -= inline;
            if count == 0 {
                break;
            }
            let Some((_, bytes)) = self.shared.front_mut() else { break };
            let taken = count.min(bytes.len());
            bytes::Buf::advance(bytes, taken);
            self.shared_size -= taken;
            count -= taken;
            if bytes.is_empty() {
                self.shared.pop_front();
            }
        }
        if self.is_empty() {
            self.buffer.clear();
            self.start = 0;
            self.shared.clear();
        }
    }

    /// Gives a buffer to write to, where there is none yet: whoever moves bytes has one at hand.
    pub fn lend(&mut self, buffer: Vec<u8>) -> Option<Vec<u8>> {
        if self.buffer.capacity() > 0 {
            return Some(buffer);
        }
        self.buffer = buffer;
        None
    }

    /// Takes the memory back that an idle connection does not need.
    pub fn reclaim(&mut self) -> Vec<u8> {
        if !self.is_empty() {
            return Vec::new();
        }
        std::mem::take(self).buffer
    }

    /// Everything that waits, in one piece, and nothing waits any more: for tests and simulations.
    #[must_use]
    pub fn take(&mut self) -> Vec<u8> {
        let bytes = self.pieces().flat_map(|piece| piece.iter().copied()).collect();
        *self = Self::default();
        bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn filled() -> (Output, Vec<u8>) {
        let mut output = Output::default();
        let large = Bytes::from(vec![7; BODY_SHARED_SIZE_MIN]);
        output.buffer().extend_from_slice(b"head");
        output.append(large.clone());
        output.append(Bytes::from_static(b"tail"));
        output.append(large.clone());
        let expected = [&b"head"[..], &large, b"tail", &large].concat();
        (output, expected)
    }

    #[test]
    fn pieces_leave_in_the_order_they_came() {
        let (mut output, expected) = filled();
        assert_eq!(output.pieces().count(), 4);
        assert_eq!(output.len(), expected.len());
        assert_eq!(output.take(), expected);
        assert!(output.is_empty());
    }

    #[test]
    fn any_number_of_bytes_may_be_written_at_once() {
        for step in [1, 3, 4, 5, 1000, 100_000] {
            let (mut output, expected) = filled();
            let mut written = Vec::new();
            while !output.is_empty() {
                let all: Vec<u8> = output.pieces().flatten().copied().collect();
                let count = step.min(all.len());
                written.extend_from_slice(&all[..count]);
                output.advance(count);
            }
            assert_eq!(written, expected, "step {step}");
        }
    }

    #[test]
    fn a_drained_output_gives_its_memory_back() {
        let (mut output, expected) = filled();
        assert_eq!(output.reclaim().capacity(), 0, "it is in use");
        output.advance(expected.len());
        let buffer = output.reclaim();
        assert!(buffer.is_empty() && buffer.capacity() > 0);
        assert_eq!((output.buffer.capacity(), output.shared.capacity()), (0, 0));
        assert!(output.lend(buffer).is_none());
        output.buffer().push(1);
        assert!(output.lend(Vec::new()).is_some(), "it has one");
    }
}
