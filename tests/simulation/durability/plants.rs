//! Bugs that are planted between the store and its disk, or between the store and the broker. For
//! each a test shows that the fixed seeds notice it: a check that cannot fail would be found here.

use super::FIXED_SEEDS;
use super::world::{Run, Weather};

/// A bug.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Plant {
    /// A confirm goes out when its batch was written.
    ConfirmBeforeSync,
    /// Syncs of files do nothing.
    SyncSkipped,
    /// Syncs of the folder do nothing.
    DirectoryNotSynced,
    /// A file goes when its live messages were copied, and the copies are not synced yet.
    RecycledTooEarly,
    /// What a recycled file held in its earlier life is read as if it were new.
    StaleRecord,
    /// Settlements are written for another queue.
    WrongQueue,
    /// A queue goes on at a place that was used before the restart.
    SequenceReused,
}

/// The plant makes some fixed seed fail; tells which and how.
fn is_noticed(plant: Plant) {
    let noticed = FIXED_SEEDS
        .into_iter()
        .find_map(|seed| Run { seed, weather: Weather::Calm, plant: Some(plant) }.run().err());
    let Some(failure) = noticed else { panic!("{plant:?} was not noticed") };
    println!("{plant:?}: seed {}: {}", failure.seed, failure.text);
}

#[test]
fn a_confirm_before_the_sync_is_noticed() {
    is_noticed(Plant::ConfirmBeforeSync);
}

#[test]
fn a_skipped_sync_is_noticed() {
    is_noticed(Plant::SyncSkipped);
}

#[test]
fn a_directory_that_is_not_synced_is_noticed() {
    is_noticed(Plant::DirectoryNotSynced);
}

#[test]
fn a_file_recycled_before_its_messages_are_synced_elsewhere_is_noticed() {
    is_noticed(Plant::RecycledTooEarly);
}

#[test]
fn a_stale_record_of_a_recycled_file_is_noticed() {
    is_noticed(Plant::StaleRecord);
}

#[test]
fn a_settlement_applied_to_the_wrong_queue_is_noticed() {
    is_noticed(Plant::WrongQueue);
}

#[test]
fn a_sequence_used_again_after_a_restart_is_noticed() {
    is_noticed(Plant::SequenceReused);
}
