//! The whole broker on one thread, with clients, wires and time from one seed: random operations,
//! and after each of them everything that must hold is looked at. `LEVERET_SIMULATION_SEED=N`
//! repeats the random seed of an earlier run.
//!
//! Reading order: `world` (what runs), `plan` (what is done next), `operation` and `client` (what
//! is said and heard), `oracle` (what must be where), `fact`, `invariants`, `plants` (faults that
//! show that invariants notice), `coverage`.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::print_stdout,
    reason = "a panic is a failed test, and the run tells what it did"
)]

mod chance;
mod client;
mod commands;
mod coverage;
mod durability;
mod fact;
mod invariants;
mod operation;
mod oracle;
mod plan;
mod planted;
mod plants;
mod tracer;
mod world;

use std::hash::{BuildHasher, Hasher, RandomState};

use coverage::Coverage;
use world::Run;

/// Seeds of every run of the tests.
const FIXED_SEEDS: std::ops::Range<u64> = 1..41;

/// Operations of a seed.
const OPERATIONS: u64 = 2000;

fn run(seed: u64) -> Coverage {
    match (Run { seed, operations: OPERATIONS, plant: None }).run() {
        Ok(coverage) => coverage,
        Err(failure) => panic!(
            "seed {}: {}: {}\nthe last steps:\n{}\nagain with: LEVERET_SIMULATION_SEED={} cargo \
             test --test simulation a_random_seed",
            failure.seed,
            failure.violation.invariant,
            failure.violation.text,
            failure.steps.join("\n"),
            failure.seed,
        ),
    }
}

#[test]
fn every_invariant_holds_over_the_fixed_seeds_and_no_command_is_left_out() {
    let mut coverage = Coverage::default();
    for seed in FIXED_SEEDS {
        coverage.merge(&run(seed));
    }
    println!("{} seeds: {coverage}", FIXED_SEEDS.end - FIXED_SEEDS.start);
    assert_eq!(coverage.zeros(), Vec::<&str>::new(), "never came up");
}

#[test]
fn every_invariant_holds_for_a_random_seed() {
    let given = std::env::var("LEVERET_SIMULATION_SEED").ok();
    let seed = match given {
        Some(text) => text.parse().unwrap(),
        None => RandomState::new().build_hasher().finish(),
    };
    println!("random seed {seed}; again with: LEVERET_SIMULATION_SEED={seed}");
    let coverage = run(seed);
    println!("{} operations, {} deliveries", coverage.operations, coverage.deliveries);
}

#[test]
fn a_seed_repeats_its_run() {
    let shown = |coverage: Coverage| coverage.to_string();
    assert_eq!(shown(run(7)), shown(run(7)));
    assert_ne!(shown(run(7)), shown(run(8)));
}
