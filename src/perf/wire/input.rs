//! Bytes on their way in, as frames. Reads go into a buffer that all connections of a thread share;
//! a connection keeps only the part of a frame that is left over. Of a large body's frame only the
//! start is kept, and the rest is passed over where it was read: no body is ever moved.

use std::io::{self, Read};

use super::error::{WireError, refuse_closing};
use crate::protocol::frame::{self, FRAME_END, Frame, FrameError, FrameKind, HEAD_SIZE};
use crate::protocol::methods::Method;

/// What one read may bring. At least one frame must fit in.
pub(in crate::perf) const READ_SIZE: usize = 256 * 1024;

/// What is kept of a large body frame.
pub(in crate::perf) const KEPT_SIZE: usize = 16;

/// Body frames of more octets are not kept until they are whole.
const LARGE_SIZE: usize = 4 * 1024;

/// A frame that has come whole.
#[derive(Clone, Copy, Debug)]
pub(in crate::perf) enum Piece<'a> {
    Frame(Frame<'a>),
    /// A frame of a body: the first octets of its payload, and how many there were.
    LargeBody {
        start: [u8; KEPT_SIZE],
        size: usize,
    },
}

impl<'a> Piece<'a> {
    /// The method in it, where it is one; a closing by the broker is an error.
    pub(in crate::perf) fn method(&self) -> Result<Option<Method<'a>>, WireError> {
        let Piece::Frame(Frame { kind: FrameKind::Method, payload, .. }) = *self else {
            return Ok(None);
        };
        let method = Method::decode(payload)?;
        refuse_closing(&method)?;
        Ok(Some(method))
    }
}

/// What a connection keeps between reads.
#[derive(Debug, Default)]
pub(in crate::perf) struct Input {
    rest: Vec<u8>,
    large: Option<Large>,
}

/// A large body frame that is on its way.
#[derive(Clone, Copy, Debug)]
struct Large {
    start: [u8; KEPT_SIZE],
    size: usize,
    /// Octets to come, the frame's end included.
    remaining: usize,
}

/// The bytes of one read, behind what was left over.
#[derive(Debug)]
pub(in crate::perf) struct Bytes<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl Input {
    /// Of bytes that came before, by another way.
    pub(in crate::perf) fn after(rest: Vec<u8>) -> Self {
        Self { rest, large: None }
    }

    /// Whether bytes wait that nobody has looked at.
    pub(in crate::perf) fn has_rest(&self) -> bool {
        !self.rest.is_empty()
    }

    /// Whether a frame begins where the bytes are.
    pub(in crate::perf) fn is_between(&self) -> bool {
        self.large.is_none()
    }

    /// What was left over, at the start of the buffer.
    pub(in crate::perf) fn restore(&mut self, buffer: &mut [u8]) -> usize {
        let size = self.rest.len();
        if let Some(place) = buffer.get_mut(..size) {
            place.copy_from_slice(&self.rest);
        }
        self.rest.clear();
        size
    }

    /// Reads once behind what was restored; none where the socket has nothing.
    pub(in crate::perf) fn read(
        source: &mut impl Read,
        buffer: &mut [u8],
        restored: usize,
    ) -> io::Result<Option<usize>> {
        match source.read(buffer.get_mut(restored..).unwrap_or_default()) {
            Ok(0) => {
                Err(io::Error::new(io::ErrorKind::UnexpectedEof, "the broker ended the connection"))
            }
            Ok(size) => Ok(Some(size)),
            Err(error) if is_silence(&error) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// The next frame that is whole.
    pub(in crate::perf) fn next<'a>(
        &mut self,
        bytes: &mut Bytes<'a>,
        frame_size_max: usize,
    ) -> Result<Option<Piece<'a>>, FrameError> {
        if self.large.is_some() {
            return self.pass_over(bytes);
        }
        let waiting = bytes.waiting();
        if let Some((frame, size)) = frame::next(waiting, frame_size_max)? {
            bytes.at += size;
            return Ok(Some(Piece::Frame(frame)));
        }
        self.large = large(waiting);
        if self.large.is_some() {
            bytes.at += HEAD_SIZE + KEPT_SIZE;
            return self.pass_over(bytes);
        }
        Ok(None)
    }

    /// Keeps what is left for the next read.
    pub(in crate::perf) fn keep(&mut self, bytes: &Bytes<'_>) {
        self.rest.extend_from_slice(bytes.waiting());
    }

    fn pass_over<'a>(&mut self, bytes: &mut Bytes<'_>) -> Result<Option<Piece<'a>>, FrameError> {
        let Some(large) = &mut self.large else { return Ok(None) };
        let waiting = bytes.waiting();
        if waiting.len() < large.remaining {
            large.remaining -= waiting.len();
            bytes.at += waiting.len();
            return Ok(None);
        }
        let end = waiting.get(large.remaining.saturating_sub(1)).copied().unwrap_or_default();
        if end != FRAME_END {
            return Err(FrameError::MissingEnd(end));
        }
        bytes.at += large.remaining;
        let piece = Piece::LargeBody { start: large.start, size: large.size };
        self.large = None;
        Ok(Some(piece))
    }
}

impl<'a> Bytes<'a> {
    pub(in crate::perf) fn of(bytes: &'a [u8]) -> Self {
        Self { bytes, at: 0 }
    }

    /// Whoever knows what follows may take it from here; see `Input::is_between`.
    pub(in crate::perf) fn take(&mut self, size: usize) {
        self.at += size;
    }

    pub(in crate::perf) fn waiting(&self) -> &'a [u8] {
        self.bytes.get(self.at..).unwrap_or_default()
    }
}

/// The start of a large body frame; `frame::next` has judged its kind and size.
fn large(waiting: &[u8]) -> Option<Large> {
    let (&[kind, _, _, size_3, size_2, size_1, size_0], rest) = waiting.split_first_chunk()?;
    let size = u32::from_be_bytes([size_3, size_2, size_1, size_0]) as usize;
    let is_large = kind == FrameKind::Body as u8 && size > LARGE_SIZE;
    let start = *rest.first_chunk().filter(|_| is_large)?;
    Some(Large { start, size, remaining: size - KEPT_SIZE + 1 })
}

pub(in crate::perf) fn is_silence(error: &io::Error) -> bool {
    use io::ErrorKind::{Interrupted, TimedOut, WouldBlock};
    matches!(error.kind(), Interrupted | TimedOut | WouldBlock)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn body(payload: &[u8]) -> Vec<u8> {
        let mut bytes = Vec::new();
        frame::write_body(&mut bytes, 1, payload);
        bytes
    }

    /// The first octet and the size of each frame, from reads of the pieces.
    fn frames(pieces: &[&[u8]]) -> Result<Vec<(u8, usize)>, String> {
        let (mut input, mut frames, mut buffer) = (Input::default(), Vec::new(), vec![0; 65_536]);
        for mut piece in pieces.iter().copied() {
            let restored = input.restore(&mut buffer);
            let size = Input::read(&mut piece, &mut buffer, restored).unwrap().unwrap();
            let mut bytes = Bytes::of(&buffer[..restored + size]);
            while let Some(piece) =
                input.next(&mut bytes, 131_072).map_err(|error| error.to_string())?
            {
                frames.push(match piece {
                    Piece::Frame(frame) => (frame.payload[0], frame.payload.len()),
                    Piece::LargeBody { start, size } => (start[0], size),
                });
            }
            input.keep(&bytes);
        }
        Ok(frames)
    }

    #[test]
    fn frames_come_whole_however_the_bytes_are_cut() {
        let bytes = [body(b"first"), body(&[b'l'; 5000]), body(b"second")].concat();
        for cut in 1..bytes.len() {
            let expected = vec![(b'f', 5), (b'l', 5000), (b's', 6)];
            assert_eq!(frames(&[&bytes[..cut], &bytes[cut..]]), Ok(expected), "cut at {cut}");
        }
    }

    #[test]
    fn a_large_body_frame_comes_when_its_last_octet_is_there_and_leaves_nothing_behind() {
        let bytes = body(&[b'l'; 20_000]);
        let pieces: Vec<&[u8]> = bytes[..bytes.len() - 1].chunks(999).collect();
        assert_eq!(frames(&pieces), Ok(vec![]));
        let all: Vec<&[u8]> = bytes.chunks(999).collect();
        assert_eq!(frames(&all), Ok(vec![(b'l', 20_000)]));
    }

    #[test]
    fn a_large_body_frame_with_a_wrong_end_is_an_error() {
        let mut bytes = body(&[b'l'; 20_000]);
        *bytes.last_mut().unwrap() = 0;
        assert!(frames(&[&bytes[..9000], &bytes[9000..]]).unwrap_err().contains("ends with"));
    }

    #[test]
    fn the_end_of_a_connection_is_an_error_and_silence_is_none() {
        struct Silent;
        impl Read for Silent {
            fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
                Err(io::ErrorKind::WouldBlock.into())
            }
        }
        assert_eq!(Input::read(&mut Silent, &mut [0; 8], 0).unwrap(), None);
        assert!(Input::read(&mut io::empty(), &mut [0; 8], 0).is_err());
    }
}
