//! A client that opens one connection after the other, with channels or without, and leaves each as
//! it is: how idle connections come to be.

use crate::perf::runs::Progress;
use crate::perf::wire::{
    ANSWER_PATIENCE_NS, Client, Credentials, Handshake, Output, Piece, Standing, WireError,
};
use crate::protocol::methods::{Method, channel};

/// What the openers of a thread share.
#[derive(Debug)]
pub(in crate::perf) struct Opening<'a> {
    pub(in crate::perf) progress: &'a Progress,
    pub(in crate::perf) credentials: &'a Credentials,
    /// Connections that nobody has begun to open.
    pub(in crate::perf) left: u32,
}

/// One of them.
#[derive(Debug)]
pub(in crate::perf) struct Opener {
    channels: u16,
    handshake: Option<Handshake>,
    /// Channels whose opening is not answered yet.
    awaited: Option<u16>,
    since_ns: u64,
    output: Output,
}

impl Opener {
    pub(in crate::perf) fn new(channels: u16) -> Self {
        Self { channels, handshake: None, awaited: None, since_ns: 0, output: Output::default() }
    }

    /// After the handshake: asks for all channels.
    fn open_channels(&mut self) {
        (1..=self.channels).for_each(|number| self.output.method(number, &channel::Open {}));
        self.awaited = Some(self.channels);
    }
}

impl Client for Opener {
    type Shared<'a> = Opening<'a>;

    fn receive(
        &mut self,
        piece: &Piece<'_>,
        _: u64,
        shared: &mut Opening<'_>,
    ) -> Result<(), WireError> {
        let Some(method) = piece.method()? else { return Ok(()) };
        if let (Method::ChannelOpenOk(_), Some(awaited)) = (&method, &mut self.awaited) {
            *awaited = awaited.saturating_sub(1);
        } else if let Some(handshake) = &mut self.handshake {
            handshake.receive(method, shared.credentials, self.output.bytes())?;
            if handshake.is_done() {
                self.handshake = None;
                self.open_channels();
            }
        }
        Ok(())
    }

    fn prepare(&mut self, now_ns: u64, shared: &mut Opening<'_>) -> Result<Standing, WireError> {
        if self.awaited == Some(0) {
            self.awaited = None;
            shared.progress.consume(1);
            return Ok(if shared.left > 0 { Standing::Keep } else { Standing::Leave });
        }
        if self.handshake.is_none() && self.awaited.is_none() {
            // Others may have begun the last one while this one's socket was connecting.
            let Some(left) = shared.left.checked_sub(1) else { return Ok(Standing::Finished) };
            shared.left = left;
            self.since_ns = now_ns;
            self.handshake = Some(Handshake::begin(self.output.bytes()));
        }
        if now_ns.saturating_sub(self.since_ns) > ANSWER_PATIENCE_NS {
            return Err(WireError::Unexpected(
                "the broker opens no more connections: has it reached its limit of open files?",
            ));
        }
        Ok(Standing::Going)
    }

    fn output(&self) -> &[u8] {
        self.output.waiting()
    }

    fn written(&mut self, size: usize) {
        self.output.written(size);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::frame;
    use crate::protocol::methods::{WireMethod, connection};

    fn credentials() -> Credentials {
        let text = str::to_owned;
        Credentials { user: text("u"), password: text("p"), virtual_host: text("/") }
    }

    fn receive(opener: &mut Opener, method: &impl WireMethod, shared: &mut Opening<'_>) {
        let mut bytes = Vec::new();
        frame::write_method(&mut bytes, 0, method);
        let (frame, _) = frame::next(&bytes, 4096).unwrap().unwrap();
        opener.receive(&Piece::Frame(frame), 0, shared).unwrap();
    }

    fn open(opener: &mut Opener, shared: &mut Opening<'_>) -> Standing {
        assert_eq!(opener.prepare(1, shared).unwrap(), Standing::Going);
        let start = connection::Start {
            version_major: 0,
            version_minor: 9,
            server_properties: [("product", "x")].into_iter().collect(),
            mechanisms: b"PLAIN",
            locales: b"en_US",
        };
        receive(opener, &start, shared);
        let tune = connection::Tune { channel_max: 7, frame_max: 4096, heartbeat: 60 };
        receive(opener, &tune, shared);
        receive(opener, &connection::OpenOk {}, shared);
        for _ in 0..opener.channels {
            assert_eq!(opener.prepare(2, shared).unwrap(), Standing::Going);
            receive(opener, &channel::OpenOk {}, shared);
        }
        opener.prepare(3, shared).unwrap()
    }

    #[test]
    fn connections_are_kept_one_after_the_other_until_all_are_open() {
        for channels in [0, 2] {
            let (progress, credentials) = (Progress::new(0, None), credentials());
            let mut shared = Opening { progress: &progress, credentials: &credentials, left: 2 };
            let mut opener = Opener::new(channels);
            assert_eq!(open(&mut opener, &mut shared), Standing::Keep);
            assert_eq!(open(&mut opener, &mut shared), Standing::Leave);
            assert_eq!(progress.consumed(), 2);
            assert_eq!(Opener::new(0).prepare(4, &mut shared).unwrap(), Standing::Finished);
        }
    }
}
