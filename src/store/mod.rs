//! Floor 3: what remembers. All contact with the disk goes through [`Storage`], one flat folder of
//! files: [`FileStorage`] has real ones, [`MemoryStorage`] is a disk whose power can fail, and
//! [`FaultyStorage`] breaks as it is told. It knows owners, sequences and bytes, and no AMQP.
//!
//! Reading order: [`Log`] (what everybody sees), `batch`, `record`, `ledger` (what facts come to),
//! [`Writer`] (who turns the log), `recovery`, [`Reader`], [`survey`] (for those who only look).
//! Every byte on disk is drawn here:
#![doc = include_str!("format.md")]

mod appender;
mod batch;
mod checkpoint;
mod checksum;
mod encode;
pub mod error;
mod fact;
pub mod faulty;
mod figures;
mod folder;
mod folder_lock;
mod header;
mod index;
mod ledger;
mod log;
pub mod memory;
mod places;
mod queue_facts;
mod ranges;
mod reader;
mod record;
mod recovery;
mod scan;
mod shelf;
pub mod storage;
pub mod survey;
mod write_cache;
mod writer;

pub use appender::Appender;
pub use batch::Change;
pub use error::StoreError;
pub use faulty::{Failure, Faults, FaultyStorage, Operation};
pub use figures::StoreFigures;
pub use folder::FileStorage;
pub use log::{Health, Log, Position};
pub use memory::MemoryStorage;
pub use queue_facts::{Stay, Tail};
pub use reader::{Found, Reader};
pub use recovery::{Damage, Definition, Opened, RecoveredQueue, StoreOptions, open};
pub use storage::{Storage, StorageFile};
pub use writer::{Writer, WriterCounts};

#[cfg(test)]
mod amplification_tests;
#[cfg(test)]
mod format_tests;
#[cfg(test)]
mod tests;
