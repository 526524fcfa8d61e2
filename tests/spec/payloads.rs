//! Method payloads made from the data alone, without the code under test: an encoder of its own, so
//! that a mistake in the codec cannot hide behind itself. Seeded, so that a failure comes again.

use crate::generate::{Class, Field, Method};

/// A small generator of numbers (xorshift), for values that need no quality.
#[derive(Debug)]
pub(crate) struct Numbers(u64);

impl Numbers {
    pub(crate) fn seeded(seed: u64) -> Self {
        Self(seed | 1)
    }

    pub(crate) fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    /// A number below `end`.
    pub(crate) fn below(&mut self, end: usize) -> usize {
        usize::try_from(self.next() % end as u64).unwrap()
    }

    pub(crate) fn bytes(&mut self, size: usize) -> Vec<u8> {
        (0..size).map(|_| self.next().to_be_bytes()[3]).collect()
    }

    /// Lower case letters.
    pub(crate) fn text(&mut self) -> String {
        let size = 1 + self.below(12);
        (0..size).map(|_| char::from(b'a' + u8::try_from(self.below(26)).unwrap())).collect()
    }
}

/// A whole payload of a method frame: class, method, arguments.
pub(crate) fn payload(class: &Class, method: &Method, numbers: &mut Numbers) -> Vec<u8> {
    let mut out = [class.id.to_be_bytes(), method.id.to_be_bytes()].concat();
    let is_bit = |field: &Field| field.kind == "bit";
    for run in method.fields.chunk_by(|left, right| is_bit(left) && is_bit(right)) {
        match run {
            [first, ..] if is_bit(first) => out.push(octet_of_bits(run, numbers)),
            fields => fields.iter().for_each(|field| argument(&mut out, field, numbers)),
        }
    }
    out
}

/// No method has more than eight neighboring bits.
fn octet_of_bits(run: &[Field], numbers: &mut Numbers) -> u8 {
    assert!(run.len() <= 8);
    let used = run.iter().enumerate().filter(|(_, field)| !field.reserved);
    used.fold(0, |bits, (index, _)| bits | u8::try_from(numbers.below(2)).unwrap() << index)
}

fn argument(out: &mut Vec<u8>, field: &Field, numbers: &mut Numbers) {
    let number = if field.reserved { 0 } else { numbers.next() }.to_be_bytes();
    let text = if field.reserved { String::new() } else { numbers.text() };
    match field.kind.as_str() {
        "octet" => out.extend(&number[7..]),
        "short" => out.extend(&number[6..]),
        "long" => out.extend(&number[4..]),
        "longlong" | "timestamp" => out.extend(number),
        "shortstr" => short_string(out, text.as_bytes()),
        "longstr" => long_string(out, text.as_bytes()),
        "table" => long_string(out, &entries(numbers)),
        other => panic!("no such type as {other}"),
    }
}

pub(crate) fn short_string(out: &mut Vec<u8>, bytes: &[u8]) {
    out.push(u8::try_from(bytes.len()).unwrap());
    out.extend(bytes);
}

pub(crate) fn long_string(out: &mut Vec<u8>, bytes: &[u8]) {
    out.extend(u32::try_from(bytes.len()).unwrap().to_be_bytes());
    out.extend(bytes);
}

/// One entry of each kind that is written, under names in alphabetical order: the second opinion
/// sorts them.
pub(crate) fn entries(numbers: &mut Numbers) -> Vec<u8> {
    let mut out = Vec::new();
    for (first, letter) in (b'a'..).zip(b"tbBsuIilfdDSTVxAF") {
        let name = format!("{}{}", char::from(first), numbers.text());
        short_string(&mut out, name.as_bytes());
        value(&mut out, *letter, numbers);
    }
    out
}

/// The letter of a kind and a value of it.
pub(crate) fn value(out: &mut Vec<u8>, letter: u8, numbers: &mut Numbers) {
    let number = numbers.next().to_be_bytes();
    out.push(letter);
    match letter {
        b't' => out.push(number[0] & 1),
        b'b' | b'B' => out.push(number[0]),
        b's' | b'u' => out.extend(&number[..2]),
        b'I' | b'i' => out.extend(&number[..4]),
        b'l' | b'L' | b'T' => out.extend(number),
        b'f' => out.extend(1.5_f32.to_be_bytes()),
        b'd' => out.extend((-0.25_f64).to_be_bytes()),
        b'D' => out.extend(&number[..5]),
        b'S' | b'x' => long_string(out, &numbers.bytes(usize::from(number[0] & 31))),
        b'V' => {}
        b'A' => {
            let mut values = Vec::new();
            b"tIVS".iter().for_each(|letter| value(&mut values, *letter, numbers));
            long_string(out, &values);
        }
        b'F' => {
            let mut entries = Vec::new();
            short_string(&mut entries, b"inner");
            value(&mut entries, b'I', numbers);
            long_string(out, &entries);
        }
        other => panic!("no such letter as {other}"),
    }
}
