//! A disk that is full for a while, that fails, that forgets: what was promised holds all the same.

use super::world::Weather;
use super::{FIXED_SEEDS, coverage::Coverage, run};

fn run_all(weather: Weather) -> Coverage {
    let mut coverage = Coverage::default();
    for seed in FIXED_SEEDS.step_by(2) {
        coverage.merge(&run(seed, weather));
    }
    println!("durability, {weather:?}: {coverage}");
    coverage
}

#[test]
fn a_full_disk_loses_nothing_and_recovers_by_itself() {
    let coverage = run_all(Weather::Full);
    assert!(coverage.count("full disks") > 100 && coverage.count("turns of a full log") > 100);
}

#[test]
fn a_call_that_fails_ends_confirms_and_loses_nothing() {
    let coverage = run_all(Weather::Failing);
    assert!(coverage.count("poisoned logs") > 50 && coverage.count("refusals") > 50);
}
