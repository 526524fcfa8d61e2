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
use super::repairs::free_name;

/// The newest checkpoint that is whole, and all that are.
#[derive(Debug, Default)]
pub(super) struct Loaded {
    pub(super) head: Option<CheckpointHead>,
    pub(super) ledger: Ledger,
    /// Bytes of the newest.
    pub(super) size: u64,
    pub(super) kept: Vec<Kept>,
    pub(super) boot: u64,
    /// Names of those that are not whole, the newest first.
    pub(super) damaged: Vec<String>,
}

/// Reads the checkpoints that are there.
pub(super) fn load(storage: &dyn Storage, inventory: &Inventory) -> Result<Loaded, StoreError> {
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
            if let Some((offset, kind)) = checkpoint::unknown_kind(&bytes) {
                return Err(StoreError::UnknownKind { file: name, offset, kind });
            }
            loaded.damaged.push(name);
            continue;
        };
        loaded.kept.insert(0, Kept { number: *number, next_file: head.next_file });
        loaded.boot = loaded.boot.max(head.boot);
        if loaded.head.is_none() {
            loaded.head = Some(head);
            loaded.ledger = ledger;
            loaded.size = bytes.len() as u64;
        }
    }
    let missing = missing_logs(inventory);
    if loaded.head.is_none() && !missing.is_empty() {
        let logs = inventory.logs.iter().map(|number| log_name(*number));
        let found = loaded.damaged.iter().rev().cloned().chain(logs).collect();
        return Err(StoreError::NoCheckpoint { found, missing });
    }
    Ok(loaded)
}

/// Without a checkpoint, all there ever was must be there: a file that was given back may have held
/// definitions, and what was removed of the others. Gives what is not, several in a row as one.
fn missing_logs(inventory: &Inventory) -> Vec<String> {
    let Inventory { logs, checkpoints, .. } = inventory;
    let mut missing = Vec::new();
    let mut next = 1;
    for number in logs {
        match number.saturating_sub(next) {
            0 => {}
            1 => missing.push(log_name(next)),
            _ => missing.push(format!("{} to {}", log_name(next), log_name(number - 1))),
        }
        next = number + 1;
    }
    // The first log file is there before the first checkpoint.
    if logs.is_empty() && !checkpoints.is_empty() {
        missing.push(log_name(next));
    }
    missing
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
    damaged.iter().try_for_each(|name| {
        let bytes = storage.open(name).and_then(|file| read_from(&*file, 0));
        let kept = bytes.and_then(|b| free_name(storage, &format!("{QUARANTINE}{name}"), &b));
        let moved = kept.and_then(|kept| storage.rename(name, &kept));
        moved.map_err(|error| StoreError::disk(format!("set {name} aside"), error))
    })
}
