//! Damaged bytes, kept aside under a name that says where they stood, and counted. Whether they are
//! damaged, others decide.

use super::super::error::StoreError;
use super::super::shelf::{QUARANTINE, Shelf, log_name};
use super::super::storage::Storage;
use super::super::writer::files::create_empty;
use super::{Damage, Intent};

/// Counts what stands from `offset` to `end` of a log file as damaged, and keeps it.
pub(super) fn keep(
    shelf: &Shelf,
    damage: &mut Damage,
    intent: Intent,
    (number, offset, end): (u64, u64, u64),
    bytes: &[u8],
) -> Result<(), StoreError> {
    let start = usize::try_from(offset).unwrap_or(usize::MAX);
    let stop = usize::try_from(end).unwrap_or(usize::MAX).min(bytes.len());
    let damaged = bytes.get(start..stop).unwrap_or(&[]);
    let file = log_name(number);
    let name = format!("{QUARANTINE}{file}-{offset}");
    damage.quarantined.push((file, offset, damaged.len() as u64));
    if intent == Intent::Look {
        return Ok(());
    }
    let kept = write(&*shelf.storage, &name, damaged);
    kept.map_err(|error| StoreError::disk(format!("write {name}"), error))
}

/// On disk for certain before the bytes themselves may be cut. An earlier start may have kept them
/// already, perhaps not to the end.
fn write(storage: &dyn Storage, name: &str, bytes: &[u8]) -> std::io::Result<()> {
    let file = create_empty(storage, name)?;
    file.write_at(0, bytes)?;
    file.sync()?;
    storage.sync_directory()
}
