//! For each invariant, a fault on the wires that it must notice within the fixed seeds, while all
//! other invariants look away. A check that cannot fail would be found here.

use crate::plants::Plant;
use crate::world::Run;
use crate::{FIXED_SEEDS, OPERATIONS};

/// The plant is noticed by this invariant in some fixed seed; tells which and after what.
fn is_noticed(plant: Plant, invariant: &'static str) {
    let noticed = FIXED_SEEDS.into_iter().find_map(|seed| {
        let run = Run { seed, operations: OPERATIONS, plant: Some((plant, invariant)) };
        run.run().err()
    });
    let Some(failure) = noticed else { panic!("{plant:?} was not noticed") };
    assert_eq!(failure.violation.invariant, invariant);
    println!("{plant:?}: seed {}: {}", failure.seed, failure.violation.text);
}

#[test]
fn a_lost_message_is_noticed() {
    is_noticed(Plant::LosePublish, "lost");
}

#[test]
fn an_invented_message_is_noticed() {
    is_noticed(Plant::InventMessage, "invented");
}

#[test]
fn a_second_delivery_is_noticed() {
    is_noticed(Plant::DoubleDelivery, "delivered_twice");
}

#[test]
fn a_wrong_order_is_noticed() {
    is_noticed(Plant::SwapDeliveries, "order");
}

#[test]
fn a_requeue_to_the_wrong_place_is_noticed() {
    is_noticed(Plant::MisplaceRequeued, "requeue");
}

#[test]
fn too_many_deliveries_to_a_consumer_are_noticed() {
    is_noticed(Plant::RaisePrefetch, "prefetch");
}

#[test]
fn too_many_deliveries_to_a_channel_are_noticed() {
    is_noticed(Plant::RaiseChannelPrefetch, "prefetch");
}

#[test]
fn wrong_counts_are_noticed() {
    is_noticed(Plant::MiscountMessages, "counters");
    is_noticed(Plant::MiscountConsumers, "counters");
}

#[test]
fn missing_and_doubled_confirms_are_noticed() {
    is_noticed(Plant::LoseConfirm, "confirms");
    is_noticed(Plant::DoubleConfirm, "confirms");
}

#[test]
fn late_and_missing_returns_are_noticed() {
    is_noticed(Plant::LateReturn, "returns");
    is_noticed(Plant::LoseReturn, "returns");
}

#[test]
fn a_dishonest_flag_is_noticed() {
    is_noticed(Plant::HideRedelivery, "redelivered");
    is_noticed(Plant::FeignRedelivery, "redelivered");
}

#[test]
fn an_exclusive_queue_that_stays_is_noticed() {
    is_noticed(Plant::ShareExclusive, "exclusive");
}

#[test]
fn missing_and_swapped_replies_are_noticed() {
    is_noticed(Plant::LoseReply, "replies");
    is_noticed(Plant::SwapReplies, "replies");
    is_noticed(Plant::LateConsumeOk, "replies");
}

#[test]
fn a_message_that_waits_for_nothing_is_noticed() {
    is_noticed(Plant::LowerPrefetch, "waiting");
}
