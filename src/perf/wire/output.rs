//! Bytes on their way out of a client: appended at the end, taken from the front by the socket.

use crate::protocol::frame;
use crate::protocol::methods::WireMethod;

/// Bytes that wait for the socket.
#[derive(Debug, Default)]
pub(in crate::perf) struct Output {
    bytes: Vec<u8>,
    written: usize,
}

impl Output {
    /// Where more can be appended.
    pub(in crate::perf) fn bytes(&mut self) -> &mut Vec<u8> {
        &mut self.bytes
    }

    pub(in crate::perf) fn method(&mut self, channel: u16, method: &impl WireMethod) {
        frame::write_method(&mut self.bytes, channel, method);
    }

    /// What is still to be written.
    pub(in crate::perf) fn waiting(&self) -> &[u8] {
        self.bytes.get(self.written..).unwrap_or_default()
    }

    /// The socket took so many octets.
    pub(in crate::perf) fn written(&mut self, size: usize) {
        self.written += size;
        if self.written >= self.bytes.len() {
            self.bytes.clear();
            self.written = 0;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_socket_took_is_gone_and_the_rest_waits() {
        let mut output = Output::default();
        output.bytes().extend_from_slice(b"abcdef");
        output.written(2);
        output.bytes().extend_from_slice(b"g");
        assert_eq!(output.waiting(), b"cdefg");
        output.written(5);
        assert!(output.waiting().is_empty() && output.bytes().is_empty());
    }
}
