//! The fuzz targets, driven on stable Rust for `LEVERET_FUZZ_SECONDS` (5 where it is not set): from
//! the corpus, and with made-up and changed inputs from `LEVERET_FUZZ_SEED`. `fuzz/` has the same
//! functions for libFuzzer.
//!
//! A finding is written to `target/fuzz/`; put it into `tests/fuzz/corpus/`, and it is tried first
//! in every run.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::print_stdout,
    reason = "a panic is a failed test, and the run tells what it did"
)]

mod connection;
mod decoder;
mod drive;
mod methods;
mod script;

use std::hash::{BuildHasher, Hasher, RandomState};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Seconds for each target where nothing else is asked for.
const SECONDS: u64 = 5;

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok().map(|text| text.parse().unwrap())
}

fn corpus(folder: &Path) -> Vec<Vec<u8>> {
    let mut paths: Vec<PathBuf> =
        std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    let read = |path: &PathBuf| drive::from_hex(&std::fs::read_to_string(path).unwrap());
    paths.iter().map(read).collect()
}

/// Drives a target for as long as was asked for; the two have a thread each.
fn fuzz(name: &str, target: fn(&[u8])) {
    let corpus = corpus(&root().join("tests/fuzz/corpus").join(name));
    assert!(!corpus.is_empty(), "{name} has no corpus");
    let seed =
        number("LEVERET_FUZZ_SEED").unwrap_or_else(|| RandomState::new().build_hasher().finish());
    let duration = Duration::from_secs(number("LEVERET_FUZZ_SECONDS").unwrap_or(SECONDS));
    match drive::drive(target, &corpus, seed, duration) {
        Ok(count) => println!(
            "{name}: {count} inputs in {} s, {} of them from the corpus, seed {seed}",
            duration.as_secs(),
            corpus.len()
        ),
        Err(finding) => {
            let path = drive::keep(&root().join("target/fuzz"), name, &finding);
            panic!(
                "{name}: {}\ninput {}\nkept as {}\nseed {seed}",
                finding.message,
                drive::to_hex(&finding.input),
                path.display()
            );
        }
    }
}

#[test]
fn the_decoder_answers_whatever_comes() {
    fuzz("decoder", decoder::fuzz_decoder);
}

#[test]
fn a_hostile_client_harms_only_itself() {
    fuzz("connection", connection::fuzz_connection);
}

/// A target that panics on two bytes in a row: the canary.
fn canary(bytes: &[u8]) {
    assert!(!bytes.windows(2).any(|pair| pair == [0xCE, 0x7F]), "the canary");
}

#[test]
fn a_planted_panic_is_found_and_its_input_kept() {
    let finding = drive::drive(canary, &[vec![0; 8]], 1, Duration::from_secs(60)).unwrap_err();
    assert!(finding.message.contains("the canary"));
    let folder = tempfile::tempdir().unwrap();
    let path = drive::keep(folder.path(), "canary", &finding);
    let kept = drive::from_hex(&std::fs::read_to_string(path).unwrap());
    assert_eq!(kept, finding.input);
    assert!(drive::drive(canary, &[kept], 1, Duration::ZERO).is_err());
}
