//! Alarms: what the node can be short of, and the set of those that are on. While one is, nothing
//! more is read from clients that publish (`pressure`). Where the limits are, and who looks, is in
//! `watermarks`.

use std::sync::atomic::{AtomicU8, Ordering};

/// Something that the node is short of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Alarm {
    /// Free space of the disk.
    Disk,
    /// Memory of the process.
    Memory,
}

impl Alarm {
    /// Each there is, in the order in which they are told.
    const ALL: [Self; 2] = [Self::Disk, Self::Memory];

    /// The name by which health checks tell what is short.
    #[must_use]
    pub fn resource(self) -> &'static str {
        match self {
            Self::Disk => "disk space",
            Self::Memory => "memory",
        }
    }

    /// The name that logs have for it.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Disk => "disk",
            Self::Memory => "memory",
        }
    }

    fn bit(self) -> u8 {
        match self {
            Self::Disk => 1,
            Self::Memory => 2,
        }
    }
}

/// The alarms that are on at one moment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Alarms(u8);

impl Alarms {
    /// None is on.
    #[must_use]
    pub fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// This one is on.
    #[must_use]
    pub fn has(self, alarm: Alarm) -> bool {
        self.0 & alarm.bit() != 0
    }

    /// Those that are on.
    pub fn iter(self) -> impl Iterator<Item = Alarm> {
        Alarm::ALL.into_iter().filter(move |alarm| self.has(*alarm))
    }

    /// What blocked clients are told; nothing where none is on.
    #[must_use]
    pub fn reason(self) -> Option<&'static str> {
        match (self.has(Alarm::Memory), self.has(Alarm::Disk)) {
            (true, true) => Some("low on memory & disk"),
            (true, false) => Some("low on memory"),
            (false, true) => Some("low on disk"),
            (false, false) => None,
        }
    }
}

impl FromIterator<Alarm> for Alarms {
    fn from_iter<I: IntoIterator<Item = Alarm>>(alarms: I) -> Self {
        Self(alarms.into_iter().fold(0, |bits, alarm| bits | alarm.bit()))
    }
}

/// The same as it changes: a look at it costs a load.
#[derive(Debug, Default)]
pub(super) struct LiveAlarms(AtomicU8);

impl LiveAlarms {
    pub(super) fn now(&self) -> Alarms {
        Alarms(self.0.load(Ordering::Acquire))
    }

    /// True where that is new.
    pub(super) fn set(&self, alarm: Alarm, is_on: bool) -> bool {
        let before = match is_on {
            true => self.0.fetch_or(alarm.bit(), Ordering::AcqRel),
            false => self.0.fetch_and(!alarm.bit(), Ordering::AcqRel),
        };
        Alarms(before).has(alarm) != is_on
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clients_are_told_of_all_that_is_short() {
        let live = LiveAlarms::default();
        assert_eq!((live.now().reason(), live.now().is_empty()), (None, true));
        assert!(live.set(Alarm::Disk, true) && !live.set(Alarm::Disk, true));
        assert_eq!(live.now().reason(), Some("low on disk"));
        assert!(live.set(Alarm::Memory, true));
        assert_eq!(live.now().reason(), Some("low on memory & disk"));
        assert_eq!(live.now(), Alarms::from_iter([Alarm::Memory, Alarm::Disk]));
        assert!(live.set(Alarm::Disk, false) && !live.set(Alarm::Disk, false));
        assert_eq!(live.now().reason(), Some("low on memory"));
        assert_eq!(live.now().iter().map(Alarm::resource).collect::<Vec<_>>(), ["memory"]);
    }
}
