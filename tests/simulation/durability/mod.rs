//! The whole broker over its store, on a disk whose power fails: clients publish, consume and
//! declare while the log is turned by hand, then everything stops at some call and is opened again.
//! What a client was told must be there, in its place and order, and nothing may be invented.
//!
//! Reading order: `world` (what runs), `acts` and `hear` (what clients say and are told), `restart`
//! (how it stops and what is checked), `model`, `history` and `recovered` (what may be found),
//! `gate`, `plants` and `tamper` (bugs that must be noticed), `faults` (a disk that is full, fails
//! or forgets), `fates` (queues with rules).

mod acts;
mod coverage;
mod fates;
mod faults;
mod gate;
mod hear;
mod history;
mod model;
mod plants;
mod recovered;
mod restart;
mod seat;
mod tamper;
mod world;

use std::hash::{BuildHasher, Hasher, RandomState};

use coverage::Coverage;
use world::{Run, Weather};

/// Seeds of every run of the tests.
const FIXED_SEEDS: std::ops::Range<u64> = 1..41;

fn run(seed: u64, weather: Weather) -> Coverage {
    match (Run { seed, weather, plant: None }).run() {
        Ok(coverage) => coverage,
        Err(failure) => panic!(
            "seed {}, {weather:?}: {}\nthe last steps:\n{}\nagain with: LEVERET_SIMULATION_SEED={} \
             cargo test --test simulation durability::what_was_promised_is_kept_for_a_random_seed",
            failure.seed,
            failure.text,
            failure.steps.join("\n"),
            failure.seed,
        ),
    }
}

#[test]
fn what_was_promised_is_kept_at_every_crash_point_of_the_fixed_seeds() {
    let mut coverage = Coverage::default();
    for seed in FIXED_SEEDS {
        coverage.merge(&run(seed, Weather::Calm));
    }
    println!("durability, {} seeds: {coverage}", FIXED_SEEDS.end - FIXED_SEEDS.start);
    assert_eq!(coverage.zeros(), Vec::<&str>::new(), "never came up");
    assert!(coverage.count("crash points") >= 2000);
}

#[test]
fn what_was_promised_is_kept_for_a_random_seed() {
    let given = std::env::var("LEVERET_SIMULATION_SEED").ok();
    let seed = match given {
        Some(text) => text.parse().unwrap(),
        None => RandomState::new().build_hasher().finish(),
    };
    println!("random seed {seed}; again with: LEVERET_SIMULATION_SEED={seed}");
    for weather in Weather::ALL {
        println!("durability, {weather:?}: {}", run(seed, weather));
    }
}

#[test]
fn a_seed_repeats_its_run() {
    let shown = |seed| run(seed, Weather::Calm).to_string();
    assert_eq!(shown(7), shown(7));
    assert_ne!(shown(7), shown(8));
}
