//! Queues with rules, on a disk whose power fails: limits, times to live, dead letters, delivery
//! limits, priorities, retries and messages that wait, by random arguments, and by policies that
//! are set and cleared while all of it runs. Of every message it must be clear at the end what
//! became of it, and nothing may come early, late, or for a reason that was none.
//!
//! It is not asked here what exactly a queue does in each step: that is asked of one queue beside
//! its model, in `src/queue/machine/tests/model.rs`.
//!
//! Reading order: `rules` (what queues are told), `world` (what runs), `acts` (what clients do and
//! hear), `ends` (how the node ends, and how the run does), `book` (what may become of a message).

mod acts;
mod book;
mod ends;
mod rules;
mod world;

use std::hash::{BuildHasher, Hasher, RandomState};

use super::coverage::Coverage;
use world::FateRun;

/// Seeds of every run of the tests.
const FIXED_SEEDS: std::ops::Range<u64> = 1..31;

/// What every run over the fixed seeds must show.
const EXPECTED: [&str; 24] = [
    "accepted",
    "deaths: rejected",
    "deaths: expired",
    "deaths: maxlen",
    "deaths: delivery_limit",
    "publishes",
    "publishes to several",
    "publishes that wait",
    "confirms",
    "refusals",
    "policies set",
    "policies cleared",
    "deliveries",
    "redeliveries",
    "gets",
    "retries that wait",
    "requeues",
    "failures",
    "connections lost",
    "powers lost",
    "powers lost in a call",
    "processes killed",
    "clean stops",
    "dead letters refused",
];

fn run(seed: u64) -> Coverage {
    match (FateRun { seed }).run() {
        Ok(coverage) => coverage,
        Err(failure) => panic!(
            "seed {seed}: {}\nthe last steps:\n{}\nagain with: LEVERET_SIMULATION_SEED={seed} \
             cargo test --test simulation fates::every_message_has_a_fate_for_a_random_seed",
            failure.text,
            failure.steps.join("\n"),
        ),
    }
}

#[test]
fn every_message_has_a_fate_that_its_queues_rules_allow() {
    let mut coverage = Coverage::default();
    for seed in FIXED_SEEDS {
        coverage.merge(&run(seed));
    }
    println!("fates, {} seeds: {coverage}", FIXED_SEEDS.end - FIXED_SEEDS.start);
    let missing = EXPECTED.into_iter().filter(|name| coverage.count(name) == 0);
    assert_eq!(missing.collect::<Vec<_>>(), Vec::<&str>::new(), "never came up");
}

#[test]
fn every_message_has_a_fate_for_a_random_seed() {
    let given = std::env::var("LEVERET_SIMULATION_SEED").ok();
    let seed = match given {
        Some(text) => text.parse().unwrap(),
        None => RandomState::new().build_hasher().finish(),
    };
    println!("random seed {seed}; again with: LEVERET_SIMULATION_SEED={seed}");
    println!("fates: {}", run(seed));
}

#[test]
fn a_seed_repeats_its_run() {
    let shown = |seed| run(seed).to_string();
    assert_eq!(shown(7), shown(7));
    assert_ne!(shown(7), shown(8));
}
