//! What is in a data directory, as one value: what a start would find, file by file and queue by
//! queue. How it is printed is in `report`; its JSON is what stands here.

use std::collections::BTreeMap;
use std::io;

use serde::Serialize;

use super::catalog::{Catalog, QueueState};
use super::folder::{Folder, Recovered};
use super::messages::Messages;
use crate::message::QueueKind;
use crate::store::survey::{self, CheckpointState, FileRole, LogFileState};
use crate::store::{Damage, Opened, StoreError};

/// Everything. Where the store does not open, only what the files say.
#[derive(Debug, Serialize)]
pub(super) struct Overview {
    pub(super) data_directory: String,
    /// Who has it open now.
    pub(super) in_use_by: Option<String>,
    /// What the heads of the files say: mostly one.
    pub(super) format_versions: Vec<u16>,
    /// The last run stopped in order; nobody knows while it runs.
    pub(super) stopped_in_order: Option<bool>,
    /// Why a start would be refused.
    pub(super) refusals: Vec<String>,
    pub(super) damage: Option<DamageFound>,
    pub(super) definitions: Option<BTreeMap<&'static str, u64>>,
    pub(super) files: Vec<FileLine>,
    pub(super) queues: Option<Vec<QueueLine>>,
    pub(super) totals: Totals,
}

/// What is not as it was written.
#[derive(Debug, Default, PartialEq, Eq, Serialize)]
pub(super) struct DamageFound {
    /// Behind the last whole batch, promised to nobody.
    pub(super) torn_bytes: u64,
    pub(super) places: Vec<DamagedPlace>,
    /// Checkpoints that are not whole.
    pub(super) checkpoints: Vec<String>,
    /// What earlier starts set aside.
    pub(super) set_aside: Vec<String>,
    /// Messages that cannot be read, where that was looked for.
    pub(super) messages: Option<u64>,
}

impl DamageFound {
    /// Something that was on disk for certain cannot be read.
    pub(super) fn is_some(&self) -> bool {
        !self.places.is_empty() || !self.checkpoints.is_empty() || self.messages.unwrap_or(0) > 0
    }
}

/// Bytes that were on disk for certain and cannot be read.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub(super) struct DamagedPlace {
    pub(super) file: String,
    pub(super) offset: u64,
    pub(super) bytes: u64,
}

/// One file.
#[derive(Debug, Serialize)]
pub(super) struct FileLine {
    pub(super) name: String,
    pub(super) kind: &'static str,
    pub(super) bytes: u64,
    pub(super) log: Option<LogLine>,
    pub(super) checkpoint: Option<CheckpointLine>,
}

/// A log file that is in use. A message in several queues counts in each.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub(super) struct LogLine {
    pub(super) is_sealed: bool,
    pub(super) messages_written: u64,
    pub(super) messages_alive: u64,
    /// Of bodies.
    pub(super) bytes_alive: u64,
}

/// A checkpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub(super) struct CheckpointLine {
    pub(super) is_whole: bool,
    /// The first log file that it does not cover.
    pub(super) next_log: Option<u64>,
    /// The start of the node that wrote it, counted from 1.
    pub(super) start: Option<u64>,
    pub(super) at_clean_stop: Option<bool>,
}

/// One queue.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub(super) struct QueueLine {
    pub(super) vhost: Option<String>,
    pub(super) name: Option<String>,
    pub(super) number: u64,
    #[serde(rename = "type")]
    pub(super) kind: Option<&'static str>,
    /// False where a start would drop it.
    pub(super) is_declared: bool,
    pub(super) messages: u64,
    /// Of bodies.
    pub(super) bytes: u64,
    /// Those that cannot be read, where that was looked for.
    pub(super) damaged: Option<u64>,
}

/// All of it together.
#[derive(Debug, Default, PartialEq, Eq, Serialize)]
pub(super) struct Totals {
    pub(super) files: u64,
    pub(super) file_bytes: u64,
    pub(super) queues: u64,
    pub(super) messages: u64,
    /// Of bodies.
    pub(super) message_bytes: u64,
}

impl Overview {
    /// What a folder holds whose store opens.
    pub(super) fn of_store(
        folder: &Folder,
        recovered: &Recovered,
        catalog: &Catalog,
        verify: bool,
    ) -> io::Result<Self> {
        let opened = &recovered.opened;
        let mut overview = Self::of_files(folder, recovered.refusal.as_ref())?;
        let unreadable = catalog.unreadable.iter();
        overview
            .refusals
            .extend(unreadable.map(|why| format!("a definition cannot be read: {why}")));
        overview.stopped_in_order = folder.holder.is_none().then_some(opened.was_clean);
        overview.tell_logs(recovered, catalog);
        let queue = |queue| QueueLine::of(queue, verify.then(|| damaged_in(opened, queue)));
        let queues: Vec<QueueLine> = catalog.queues.iter().map(queue).collect();
        overview.tell_damage(&opened.damage, &queues, verify);
        overview.totals.queues = queues.len() as u64;
        overview.totals.messages = queues.iter().map(|queue| queue.messages).sum();
        overview.totals.message_bytes = queues.iter().map(|queue| queue.bytes).sum();
        overview.definitions = Some(catalog.counts.clone());
        overview.queues = Some(queues);
        Ok(overview)
    }

    /// What can be said without a store.
    pub(super) fn of_files(folder: &Folder, refusal: Option<&StoreError>) -> io::Result<Self> {
        let mut files = Vec::new();
        let mut versions = Vec::new();
        for name in folder.storage.list()? {
            match FileLine::read(folder, &name) {
                Ok((line, version)) => {
                    files.push(line);
                    versions.extend(version);
                }
                // A running broker took it away.
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => return Err(error),
            }
        }
        versions.sort_unstable();
        versions.dedup();
        Ok(Self {
            data_directory: folder.path.display().to_string(),
            in_use_by: folder.holder.clone(),
            format_versions: versions,
            stopped_in_order: None,
            // While a broker runs, that is no more than a file that was just changed.
            refusals: refusal
                .filter(|_| folder.holder.is_none())
                .iter()
                .map(ToString::to_string)
                .collect(),
            damage: None,
            definitions: None,
            totals: Totals {
                files: files.len() as u64,
                file_bytes: files.iter().map(|file| file.bytes).sum(),
                ..Totals::default()
            },
            files,
            queues: None,
        })
    }

    fn tell_logs(&mut self, recovered: &Recovered, catalog: &Catalog) {
        let reader = &recovered.opened.reader;
        let mut alive: BTreeMap<u64, u64> = BTreeMap::new();
        for queue in &catalog.queues {
            for run in &queue.runs {
                if let Some(file) = reader.log_file_of(queue.number, run.range.first) {
                    *alive.entry(file).or_default() += run.bytes;
                }
            }
        }
        let states: BTreeMap<u64, LogFileState> =
            reader.log_files().into_iter().map(|state| (state.number, state)).collect();
        for file in &mut self.files {
            let FileRole::Log(number) = FileRole::of(&file.name) else { continue };
            // What a start gives back is not in use.
            if let Some(state) = states.get(&number).filter(|_| recovered.overlay.has(&file.name)) {
                file.log = Some(LogLine {
                    // What was not sealed, the start above the folder has sealed.
                    is_sealed: !recovered.overlay.is_written(&file.name),
                    messages_written: state.written,
                    messages_alive: state.live,
                    bytes_alive: alive.get(&number).copied().unwrap_or(0),
                });
            }
        }
    }

    fn tell_damage(&mut self, damage: &Damage, queues: &[QueueLine], verify: bool) {
        let set_aside = self.files.iter().filter(|file| file.kind == "quarantine");
        let place = |(file, offset, bytes): &(String, u64, u64)| DamagedPlace {
            file: file.clone(),
            offset: *offset,
            bytes: *bytes,
        };
        self.damage = Some(DamageFound {
            torn_bytes: damage.torn_size,
            places: damage.quarantined.iter().map(place).collect(),
            checkpoints: damage.checkpoints.clone(),
            set_aside: set_aside.map(|file| file.name.clone()).collect(),
            messages: verify.then(|| queues.iter().filter_map(|queue| queue.damaged).sum()),
        });
    }

    /// Messages that were looked for and cannot be read.
    pub(super) fn damaged_messages(&self) -> u64 {
        self.damage.as_ref().and_then(|damage| damage.messages).unwrap_or(0)
    }
}

fn damaged_in(opened: &Opened, queue: &QueueState) -> u64 {
    let places = Messages::of(&opened.reader, queue);
    places.filter(|place| place.stored.is_none()).count() as u64
}

impl FileLine {
    /// A file, and the version of the format that its head names.
    fn read(folder: &Folder, name: &str) -> io::Result<(Self, Option<u16>)> {
        let file = folder.storage.open(name)?;
        let role = FileRole::of(name);
        let checkpoint = match role {
            FileRole::Checkpoint(number) => {
                Some(CheckpointLine::of(CheckpointState::read(&*file, number)?))
            }
            _ => None,
        };
        let version = match role {
            FileRole::Log(_) | FileRole::Checkpoint(_) => survey::format_version(&*file)?,
            _ => None,
        };
        let line = Self {
            name: name.to_owned(),
            kind: kind(role),
            bytes: file.size()?,
            log: None,
            checkpoint,
        };
        Ok((line, version))
    }
}

fn kind(role: FileRole) -> &'static str {
    match role {
        FileRole::Log(_) => "log",
        FileRole::Checkpoint(_) => "checkpoint",
        FileRole::Spare(_) => "spare",
        FileRole::Reserve => "reserve",
        FileRole::Quarantine => "quarantine",
        FileRole::Other => "other",
    }
}

impl CheckpointLine {
    fn of(state: Option<CheckpointState>) -> Self {
        Self {
            is_whole: state.is_some(),
            next_log: state.map(|state| state.next_file),
            start: state.map(|state| state.boot),
            at_clean_stop: state.map(|state| state.is_clean_stop),
        }
    }
}

impl QueueLine {
    fn of(queue: &QueueState, damaged: Option<u64>) -> Self {
        Self {
            vhost: queue.virtual_host.as_deref().map(str::to_owned),
            name: queue.name.as_deref().map(str::to_owned),
            number: queue.number.0,
            kind: queue.kind.map(|kind| match kind {
                QueueKind::Classic => "classic",
                QueueKind::Quorum => "quorum",
            }),
            is_declared: queue.is_declared(),
            messages: queue.messages(),
            bytes: queue.bytes(),
            damaged,
        }
    }
}
