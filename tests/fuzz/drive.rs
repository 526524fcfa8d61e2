//! What drives a fuzz target: its corpus, then inputs that are made up and inputs that are changed,
//! for as long as it may take. An input under which the target panics is kept and shown. It knows
//! nothing of what a target does.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::time::Duration;

use leveret::message::Random;

/// How long an input that is made up may be.
const SIZE_MAX: usize = 400;

/// Inputs that are kept to be changed.
const POOL_COUNT: usize = 256;

/// A target that panicked.
#[derive(Debug)]
pub(crate) struct Finding {
    pub(crate) input: Vec<u8>,
    pub(crate) message: String,
}

/// Makes inputs.
struct Inputs {
    random: Random,
    pool: Vec<Vec<u8>>,
}

/// How often the target ran, or what made it panic.
pub(crate) fn drive(
    target: impl Fn(&[u8]),
    corpus: &[Vec<u8>],
    seed: u64,
    duration: Duration,
) -> Result<u64, Finding> {
    #[expect(
        clippy::disallowed_methods,
        reason = "how long to go on is the only thing asked of it"
    )]
    let begin = std::time::Instant::now();
    let mut count = 0;
    for input in corpus {
        attempt(&target, input)?;
        count += 1;
    }
    let mut inputs = Inputs { random: Random::new([seed, 7]), pool: corpus.to_vec() };
    while begin.elapsed() < duration {
        let input = inputs.next();
        attempt(&target, &input)?;
        inputs.keep(input);
        count += 1;
    }
    Ok(count)
}

fn attempt(target: &impl Fn(&[u8]), input: &[u8]) -> Result<(), Finding> {
    catch_unwind(AssertUnwindSafe(|| target(input))).map_err(|panic| {
        let text = panic.downcast_ref::<String>().map(String::as_str);
        let text = text.or_else(|| panic.downcast_ref::<&str>().copied());
        Finding { input: input.to_vec(), message: text.unwrap_or("a panic").to_owned() }
    })
}

/// Writes the input where it can be found again, and tells where.
pub(crate) fn keep(folder: &Path, target: &str, finding: &Finding) -> PathBuf {
    std::fs::create_dir_all(folder).unwrap();
    let path = folder.join(format!("{target}-{:016x}.hex", digest(&finding.input)));
    std::fs::write(&path, to_hex(&finding.input)).unwrap();
    path
}

fn digest(input: &[u8]) -> u64 {
    input.iter().fold(0xcbf2_9ce4_8422_2325, |digest: u64, octet| {
        (digest ^ u64::from(*octet)).wrapping_mul(0x0100_0000_01b3)
    })
}

/// Two digits for each byte.
pub(crate) fn to_hex(bytes: &[u8]) -> String {
    bytes.iter().map(|octet| format!("{octet:02x}")).collect()
}

/// The bytes of a text of digits; blanks, and lines that begin with `#`, mean nothing.
pub(crate) fn from_hex(text: &str) -> Vec<u8> {
    let lines = text.lines().filter(|line| !line.starts_with('#'));
    let digits: Vec<u8> = lines
        .flat_map(str::chars)
        .filter(|letter| !letter.is_whitespace())
        .map(|letter| u8::try_from(letter.to_digit(16).unwrap()).unwrap())
        .collect();
    digits.chunks_exact(2).map(|pair| pair[0] << 4 | pair[1]).collect()
}

impl Inputs {
    fn below(&mut self, end: usize) -> usize {
        usize::try_from(self.random.draw() % end as u64).unwrap()
    }

    fn next(&mut self) -> Vec<u8> {
        if self.pool.is_empty() || self.below(3) == 0 {
            return self.made_up();
        }
        let place = self.below(self.pool.len());
        let mut input = self.pool[place].clone();
        for _ in 0..=self.below(6) {
            self.change(&mut input);
        }
        input
    }

    fn made_up(&mut self) -> Vec<u8> {
        let size = self.below(SIZE_MAX);
        let words = (0..size / 8 + 1).map(|_| self.random.draw().to_le_bytes());
        let mut input: Vec<u8> = words.flatten().collect();
        input.truncate(size);
        // Half of them with small numbers, which mean more in most places.
        if self.below(2) == 0 {
            input.iter_mut().for_each(|octet| *octet %= 24);
        }
        input
    }

    /// One small change.
    fn change(&mut self, input: &mut Vec<u8>) {
        let place = self.below(input.len() + 1);
        let octet = self.random.draw().to_le_bytes()[0];
        match self.below(8) {
            0 => input.insert(place, octet),
            1 => input.truncate(place),
            2 => {
                let other = self.below(self.pool.len());
                let from = self.below(self.pool[other].len() + 1);
                input.truncate(place);
                input.extend_from_slice(&self.pool[other][from..]);
                input.truncate(4 * SIZE_MAX);
            }
            3 => {
                let end = (place + 4).min(input.len());
                let piece = input[place..end].to_vec();
                input.splice(place..place, piece);
            }
            4 => {
                let end = (place + 1 + usize::from(octet % 4)).min(input.len());
                input.drain(place..end);
            }
            kind => {
                if let Some(found) = input.get_mut(place) {
                    *found = match kind {
                        5 => octet,
                        6 => *found ^ 1 << (octet % 8),
                        _ => [0, 1, 0x7F, 0x80, 0xCE, 0xFF][usize::from(octet % 6)],
                    };
                }
            }
        }
    }

    /// Now and then an input takes another's place among those that are changed.
    fn keep(&mut self, input: Vec<u8>) {
        if self.pool.len() < POOL_COUNT {
            self.pool.push(input);
        } else if self.below(8) == 0 {
            let place = self.below(self.pool.len());
            self.pool[place] = input;
        }
    }
}
