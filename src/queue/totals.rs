//! What stretches of messages add up to, kept along so that nobody has to count.

use std::ops::{AddAssign, SubAssign};

use crate::limits::MESSAGE_OVERHEAD_SIZE;
use crate::message::Message;

/// Bytes of messages in RAM: their bodies and a fixed part for each.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Resident {
    /// Of those that are given to the log: they can be forgotten once it has them.
    pub logged: u64,
    /// Of those that are nowhere else.
    pub unlogged: u64,
}

/// Sums over stretches.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Totals {
    /// Messages.
    pub count: usize,
    /// Messages whose bodies are on disk only.
    pub paged_count: usize,
    /// Bytes of all bodies, wherever they are.
    pub body_bytes: u64,
    /// Bytes in RAM.
    pub resident: Resident,
}

impl Resident {
    /// So many bytes of one kind.
    #[must_use]
    pub fn of(size: u64, is_logged: bool) -> Self {
        match is_logged {
            true => Self { logged: size, unlogged: 0 },
            false => Self { logged: 0, unlogged: size },
        }
    }
}

/// Bytes that a message takes in RAM.
#[must_use]
pub fn resident_size(message: &Message) -> u64 {
    message.body_size() + MESSAGE_OVERHEAD_SIZE
}

impl AddAssign for Resident {
    fn add_assign(&mut self, other: Self) {
        self.logged += other.logged;
        self.unlogged += other.unlogged;
    }
}

impl SubAssign for Resident {
    fn sub_assign(&mut self, other: Self) {
        self.logged -= other.logged;
        self.unlogged -= other.unlogged;
    }
}

impl AddAssign for Totals {
    fn add_assign(&mut self, other: Self) {
        self.count += other.count;
        self.paged_count += other.paged_count;
        self.body_bytes += other.body_bytes;
        self.resident += other.resident;
    }
}

impl SubAssign for Totals {
    fn sub_assign(&mut self, other: Self) {
        self.count -= other.count;
        self.paged_count -= other.paged_count;
        self.body_bytes -= other.body_bytes;
        self.resident -= other.resident;
    }
}
