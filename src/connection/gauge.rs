//! A number that one session writes and anybody reads. It is no lock: numbers that belong together
//! may be seen apart for a moment.

use std::sync::atomic::{AtomicU64, Ordering};

/// A number that one session writes and others read.
#[derive(Debug, Default)]
pub struct Gauge(AtomicU64);

impl Gauge {
    /// What it is now.
    #[must_use]
    pub fn value(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }

    /// Nobody else writes it, so it need not be read and written in one.
    #[inline]
    pub fn add(&self, count: u64) {
        self.set(self.value().wrapping_add(count));
    }

    /// It is so much less.
    pub fn subtract(&self, count: u64) {
        self.set(self.value().saturating_sub(count));
    }

    /// It is this now.
    #[inline]
    pub fn set(&self, count: u64) {
        self.0.store(count, Ordering::Relaxed);
    }
}
