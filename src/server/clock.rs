//! The one place that reads the clock: the wall clock once, then the monotonic one, so that time
//! never runs backward.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use crate::message::Moment;

/// Time as the machines see it.
#[derive(Clone, Copy, Debug)]
pub struct Clock {
    started_at: Moment,
    origin: Instant,
}

impl Default for Clock {
    fn default() -> Self {
        Self::start()
    }
}

impl Clock {
    /// Reads both clocks.
    #[expect(clippy::disallowed_methods, reason = "the one place that reads the clock")]
    #[must_use]
    pub fn start() -> Self {
        let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Self { started_at: Moment(milliseconds(since_epoch)), origin: Instant::now() }
    }

    /// The time at which it was started.
    #[must_use]
    pub fn started_at(&self) -> Moment {
        self.started_at
    }

    /// The time now.
    #[expect(clippy::disallowed_methods, reason = "the one place that reads the clock")]
    #[must_use]
    pub fn now(&self) -> Moment {
        let elapsed = Instant::now().saturating_duration_since(self.origin);
        self.started_at.plus(milliseconds(elapsed))
    }

    /// How long it is until a moment.
    #[must_use]
    pub fn until(&self, moment: Moment) -> Duration {
        Duration::from_millis(moment.since(self.now()))
    }

    /// How long this clock has run.
    #[expect(clippy::disallowed_methods, reason = "the one place that reads the clock")]
    #[must_use]
    pub fn elapsed(&self) -> Duration {
        Instant::now().saturating_duration_since(self.origin)
    }
}

fn milliseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
