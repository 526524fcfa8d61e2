//! Where alarms go on: how much memory the process may have, and how much of the disk must be free.
//! The node looks and says what it saw; a look, and a limit that is set, decide at once. Both
//! limits can be set while the node runs, and are the operator's again after a restart.
//!
//! Bodies that are in memory only have a bound of their own (`durability`, `store.memory_share`),
//! below this limit: from there on they are written to disk, and nobody is blocked. This is for all
//! that the process has, whatever it is. While it has too much, bodies that are in memory only are
//! written out, however few they are.

use tracing::{info, warn};

use super::alarm::{Alarm, Alarms};
use super::lock::lock;
use super::shared::Broker;
use super::work::Work;
use crate::connection::Event;

/// A limit on what is there.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Watermark {
    /// Bytes.
    Absolute(u64),
    /// A multiple of the memory that the node may use.
    Relative(f64),
}

impl Watermark {
    /// The bytes that it comes to; all there can be where a part of nobody knows what is meant.
    #[must_use]
    pub fn bytes(self, available: Option<u64>) -> u64 {
        match (self, available) {
            (Self::Absolute(bytes), _) => bytes,
            (Self::Relative(part), Some(available)) => share(available, part),
            (Self::Relative(part), None) if part > 0.0 => u64::MAX,
            (Self::Relative(_), None) => 0,
        }
    }
}

/// A part of a number of bytes.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    clippy::cast_precision_loss,
    reason = "a share of memory need not be exact, and is never negative"
)]
#[must_use]
pub fn share(bytes: u64, part: f64) -> u64 {
    (bytes as f64 * part) as u64
}

/// The limits, and what was seen last.
#[derive(Clone, Copy, Debug)]
pub(super) struct Watermarks {
    memory: Watermark,
    disk: Watermark,
    /// Bytes of memory that the node may use.
    available: Option<u64>,
    /// Bytes of memory that the process has.
    used: Option<u64>,
    /// Free bytes of the disk, and whether it took nothing more.
    free: Option<(u64, bool)>,
}

impl Watermarks {
    pub(super) fn new(memory: Watermark, disk: Watermark, available: Option<u64>) -> Self {
        Self { memory, disk, available, used: None, free: None }
    }

    pub(super) fn memory_limit(&self) -> u64 {
        self.memory.bytes(self.available)
    }

    /// A part of nobody knows what asks for nothing.
    pub(super) fn disk_free_limit(&self) -> u64 {
        match (self.disk, self.available) {
            (Watermark::Relative(_), None) => 0,
            (limit, available) => limit.bytes(available),
        }
    }

    /// A limit of nothing is always passed.
    fn is_memory_high(&self) -> bool {
        let limit = self.memory_limit();
        limit == 0 || self.used.is_some_and(|used| used > limit)
    }

    fn is_disk_low(&self) -> bool {
        self.free.is_some_and(|(free, is_full)| is_full || free < self.disk_free_limit())
    }
}

impl Broker {
    /// The alarms that are on.
    #[must_use]
    pub fn alarms(&self) -> Alarms {
        self.alarms.now()
    }

    /// Bytes of memory above which publishers are blocked.
    #[must_use]
    pub fn memory_limit(&self) -> u64 {
        lock(&self.watermarks).memory_limit()
    }

    /// The same as it was set.
    #[must_use]
    pub fn memory_high_watermark(&self) -> Watermark {
        lock(&self.watermarks).memory
    }

    /// Free bytes of the disk below which publishers are blocked.
    #[must_use]
    pub fn disk_free_limit(&self) -> u64 {
        lock(&self.watermarks).disk_free_limit()
    }

    /// The same as it was set.
    #[must_use]
    pub fn disk_free_watermark(&self) -> Watermark {
        lock(&self.watermarks).disk
    }

    /// The process has so many bytes of memory, of so many that it may use.
    pub fn see_memory(&self, used: Option<u64>, available: Option<u64>) {
        self.judge_memory(|seen| (seen.used, seen.available) = (used, available));
    }

    /// So many bytes of the disk are free; or it is full whatever it says. True where that is too
    /// little.
    pub fn see_disk(&self, free: u64, is_full: bool) -> bool {
        self.judge_disk(|seen| seen.free = Some((free, is_full)))
    }

    /// Publishers are blocked from another amount of memory on.
    pub fn set_memory_high_watermark(&self, limit: Watermark) {
        self.judge_memory(|seen| seen.memory = limit);
        self.tell_memory_limit();
    }

    /// Publishers are blocked below another amount of free space.
    pub fn set_disk_free_limit(&self, limit: Watermark) {
        self.judge_disk(|seen| seen.disk = limit);
        self.tell_disk_limit();
    }

    /// Says in the log where the limits are.
    pub fn tell_limits(&self) {
        self.tell_memory_limit();
        self.tell_disk_limit();
    }

    fn judge_memory(&self, see: impl FnOnce(&mut Watermarks)) {
        let mut watermarks = lock(&self.watermarks);
        see(&mut watermarks);
        let seen = *watermarks;
        let is_high = seen.is_memory_high();
        self.press(is_high);
        if self.alarms.set(Alarm::Memory, is_high) {
            drop(watermarks);
            let word = if is_high { "set" } else { "clear" };
            let (used, allowed) = (seen.used.unwrap_or(0), seen.memory_limit());
            info!(
                target: "node",
                "vm_memory_high_watermark {word}. Memory used:{used} allowed:{allowed}"
            );
            self.alarm_changed(Alarm::Memory);
        }
    }

    fn judge_disk(&self, see: impl FnOnce(&mut Watermarks)) -> bool {
        let mut watermarks = lock(&self.watermarks);
        see(&mut watermarks);
        let seen = *watermarks;
        let is_low = seen.is_disk_low();
        if self.alarms.set(Alarm::Disk, is_low) {
            drop(watermarks);
            let word = if is_low { "insufficient" } else { "sufficient" };
            let (free, limit) = (seen.free.map_or(0, |(free, _)| free), seen.disk_free_limit());
            info!(
                target: "node",
                "Free disk space is {word}. Free bytes: {free}. Limit: {limit}"
            );
            self.alarm_changed(Alarm::Disk);
        }
        is_low
    }

    /// Sets an alarm, whatever was seen. True where that is new.
    pub fn set_alarm(&self, alarm: Alarm, is_on: bool) -> bool {
        let is_new = self.alarms.set(alarm, is_on);
        self.press(self.alarms().has(Alarm::Memory));
        if is_new {
            self.alarm_changed(alarm);
        }
        is_new
    }

    /// While the process has too much, what is in memory only goes to disk.
    fn press(&self, is_memory_high: bool) {
        if let Some(durability) = &self.durability {
            durability.memory.press(is_memory_high);
        }
    }

    fn alarm_changed(&self, alarm: Alarm) {
        let (on, name, node) = (self.alarms(), alarm.name(), &self.options.node_name);
        if on.has(alarm) {
            warn!(
                target: "node",
                "{name} resource limit alarm set on node '{node}'. \
                 *** Publishers will be blocked until this alarm clears ***"
            );
        } else {
            warn!(target: "node", "{name} resource limit alarm cleared on node '{node}'");
        }
        let mailboxes: Vec<_> = lock(&self.sessions).values().cloned().collect();
        let mut work = Work::default();
        self.events.note_alarm(name, on.has(alarm), &mut work.wakers);
        for mailbox in mailboxes {
            // Who left needs no word.
            let _ = mailbox.push(Event::AlarmsChanged, &mut work.wakers);
        }
        work.wake();
    }

    fn tell_memory_limit(&self) {
        const MIB: u64 = 1024 * 1024;
        let watermarks = *lock(&self.watermarks);
        let (limit, all) = (watermarks.memory_limit(), watermarks.available.unwrap_or(0));
        info!(
            target: "node",
            "Memory high watermark set to {} MiB ({limit} bytes) of {} MiB ({all} bytes) total",
            limit / MIB, all / MIB
        );
    }

    fn tell_disk_limit(&self) {
        let limit = self.disk_free_limit();
        info!(target: "node", "Disk free limit set to {}MB", limit / 1_000_000);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::broker::BrokerOptions;

    const GIB: u64 = 1024 * 1024 * 1024;

    fn broker(memory_high_watermark: Watermark) -> Broker {
        let memory_available = Some(10 * GIB);
        let options =
            BrokerOptions { memory_high_watermark, memory_available, ..BrokerOptions::default() };
        Broker::new(options, [1, 2]).unwrap()
    }

    fn reason(broker: &Broker) -> &'static str {
        broker.alarms().reason().unwrap_or("")
    }

    #[test]
    fn memory_above_its_part_is_an_alarm_until_it_is_below() {
        let broker = broker(Watermark::Relative(0.5));
        assert_eq!(broker.memory_limit(), 5 * GIB);
        for (used, expected) in
            [(5 * GIB, ""), (5 * GIB + 1, "low on memory"), (9 * GIB, "low on memory"), (GIB, "")]
        {
            broker.see_memory(Some(used), Some(10 * GIB));
            assert_eq!(reason(&broker), expected, "{used}");
        }
    }

    #[test]
    fn the_part_is_of_what_there_is_at_the_last_look() {
        let broker = broker(Watermark::Relative(0.5));
        broker.see_memory(Some(3 * GIB), Some(10 * GIB));
        assert_eq!(reason(&broker), "");
        broker.see_memory(Some(3 * GIB), Some(4 * GIB));
        assert_eq!((reason(&broker), broker.memory_limit()), ("low on memory", 2 * GIB));
    }

    #[test]
    fn a_limit_that_is_set_decides_by_what_was_seen() {
        let broker = broker(Watermark::Relative(0.5));
        broker.see_memory(Some(3 * GIB), Some(10 * GIB));
        broker.set_memory_high_watermark(Watermark::Absolute(2 * GIB));
        assert_eq!((reason(&broker), broker.memory_limit()), ("low on memory", 2 * GIB));
        assert!(!broker.see_disk(GIB, false));
        broker.set_disk_free_limit(Watermark::Relative(1.0));
        assert_eq!(broker.disk_free_limit(), 10 * GIB);
        assert_eq!(reason(&broker), "low on memory & disk");
        broker.set_memory_high_watermark(Watermark::Relative(0.9));
        assert_eq!(reason(&broker), "low on disk");
        broker.set_disk_free_limit(Watermark::Absolute(GIB));
        assert_eq!(reason(&broker), "");
    }

    #[test]
    fn a_watermark_of_nothing_blocks_before_anything_is_seen() {
        let broker = broker(Watermark::Relative(0.5));
        broker.set_memory_high_watermark(Watermark::Relative(0.0));
        assert_eq!(reason(&broker), "low on memory");
        broker.see_memory(None, None);
        assert_eq!(reason(&broker), "low on memory");
    }

    #[test]
    fn a_part_of_what_is_not_known_is_no_limit() {
        let broker = broker(Watermark::Relative(0.5));
        broker.see_memory(Some(u64::MAX - 1), None);
        broker.set_disk_free_limit(Watermark::Relative(0.5));
        assert!(!broker.see_disk(0, false));
        assert_eq!(reason(&broker), "");
    }

    #[test]
    fn a_disk_that_takes_nothing_is_low_whatever_it_says() {
        let broker = broker(Watermark::Relative(0.5));
        assert!(broker.see_disk(GIB, true));
        assert_eq!(reason(&broker), "low on disk");
        assert!(!broker.see_disk(GIB, false));
        assert_eq!(reason(&broker), "");
    }
}
