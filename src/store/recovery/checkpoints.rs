//! Which checkpoint a start begins with: the newest that is whole. What is not is set aside once
//! the start succeeds. It replays nothing.

use super::super::checkpoint::{self, CheckpointHead};
use super::super::error::StoreError;
use super::super::header::{FileHeader, HeaderError};
use super::super::ledger::Ledger;
use super::super::shelf::{QUARANTINE, checkpoint_name, log_name, read_from};
use super::super::storage::Storage;
use super::super::writer::Kept;
use super::Inventory;

/// The newest checkpoint that is whole, and all that are.
#[derive(Debug, Default)]
pub(in crate::store) struct Loaded {
    pub(in crate::store) head: Option<CheckpointHead>,
    pub(in crate::store) ledger: Ledger,
    pub(in crate::store) kept: Vec<Kept>,
    pub(in crate::store) boot: u64,
    /// Names of those that are not whole, the newest first.
    pub(in crate::store) damaged: Vec<String>,
}

/// Reads the checkpoints that are there.
pub(in crate::store) fn load(
    storage: &dyn Storage,
    inventory: &Inventory,
) -> Result<Loaded, StoreError> {
    let mut loaded = Loaded::default();
    for number in inventory.checkpoints.iter().rev() {
        let name = checkpoint_name(*number);
        let bytes = storage
            .open(&name)
            .and_then(|file| read_from(&*file, 0))
            .map_err(|error| StoreError::disk(format!("read {name}"), error))?;
        if let Err(HeaderError::UnknownVersion(version)) = FileHeader::decode(&bytes) {
            return Err(StoreError::UnknownVersion { file: name, version });
        }
        let Some((head, ledger)) =
            checkpoint::decode(&bytes).filter(|(head, _)| head.number == *number)
        else {
            loaded.damaged.push(name);
            continue;
        };
        loaded.kept.insert(0, Kept { number: *number, next_file: head.next_file });
        loaded.boot = loaded.boot.max(head.boot);
        if loaded.head.is_none() {
            loaded.head = Some(head);
            loaded.ledger = ledger;
        }
    }
    if loaded.head.is_none() && !is_log_from_its_beginning(&inventory.logs) {
        let logs = inventory.logs.iter().map(|number| log_name(*number));
        let found = loaded.damaged.iter().rev().cloned().chain(logs).collect();
        return Err(StoreError::NoCheckpoint { found });
    }
    Ok(loaded)
}

/// Without a checkpoint, all there ever was must be there: a file that was given back may have held
/// definitions, and what was removed of the others.
fn is_log_from_its_beginning(logs: &[u64]) -> bool {
    logs.iter().copied().eq(1..=logs.len() as u64)
}

/// Makes the checkpoint that is begun with outlive a power loss, which a process that was killed
/// may not have done any more, and takes those that are not whole out of the way.
pub(super) fn settle(
    storage: &dyn Storage,
    head: Option<&CheckpointHead>,
    damaged: &[String],
) -> Result<(), StoreError> {
    if let Some(head) = head {
        let name = checkpoint_name(head.number);
        let synced = storage.open(&name).and_then(|file| file.sync());
        synced.map_err(|error| StoreError::sync(format!("sync {name}"), &error))?;
    }
    for name in damaged {
        let moved = storage.rename(name, &format!("{QUARANTINE}{name}"));
        moved.map_err(|error| StoreError::disk(format!("set {name} aside"), error))?;
    }
    Ok(())
}
