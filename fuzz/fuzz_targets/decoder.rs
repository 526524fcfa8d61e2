//! The decoder under libFuzzer; the function is that of `tests/fuzz`.

#![no_main]

#[path = "../../tests/fuzz/decoder.rs"]
mod decoder;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| decoder::fuzz_decoder(bytes));
