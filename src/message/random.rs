//! Random numbers from a seed that is an argument: names of server-named queues, consumer tags,
//! reply tokens and random routing. Not a source of entropy: the doors bring the seed.

use std::hash::{DefaultHasher, Hasher};

/// A sequence of numbers that cannot be told without its 128-bit key.
#[derive(Clone, Debug)]
pub struct Random {
    key: [u64; 2],
    counter: u64,
}

impl Random {
    /// A generator with this key.
    #[must_use]
    pub fn new(key: [u64; 2]) -> Self {
        Self { key, counter: 0 }
    }

    /// The next number.
    pub fn draw(&mut self) -> u64 {
        self.counter = self.counter.wrapping_add(1);
        let mut hasher = DefaultHasher::new();
        for word in [self.key[0], self.counter, self.key[1]] {
            hasher.write_u64(word);
        }
        hasher.finish()
    }

    /// A key for a generator of its own.
    pub fn fork(&mut self) -> Self {
        Self::new([self.draw(), self.draw()])
    }

    /// 22 characters of URL-safe base64, as in RabbitMQ's generated names (128 bits).
    pub fn name(&mut self, prefix: &str) -> String {
        const ALPHABET: &[u8; 64] =
            b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
        let mut bits = (u128::from(self.draw()) << 64) | u128::from(self.draw());
        let mut name = String::with_capacity(prefix.len() + 23);
        name.push_str(prefix);
        name.push('-');
        for _ in 0..22 {
            let letter = ALPHABET.get((bits & 63) as usize).copied().unwrap_or(b'A');
            name.push(char::from(letter));
            bits >>= 6;
        }
        name
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn generated_names_have_the_prefix_and_22_characters_and_differ() {
        let mut random = Random::new([1, 2]);
        let (one, two) = (random.name("amq.gen"), random.name("amq.gen"));
        assert!(one.starts_with("amq.gen-"));
        assert_eq!(one.len(), "amq.gen-".len() + 22);
        assert_ne!(one, two);
    }

    #[test]
    fn equal_keys_give_equal_sequences() {
        let (mut left, mut right) = (Random::new([7, 9]), Random::new([7, 9]));
        assert_eq!(left.draw(), right.draw());
        assert_eq!(left.fork().draw(), right.fork().draw());
    }
}
