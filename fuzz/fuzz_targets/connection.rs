//! The connection under libFuzzer; the function is that of `tests/fuzz`.

#![no_main]

#[path = "../../tests/fuzz/connection.rs"]
mod connection;
#[path = "../../tests/fuzz/methods.rs"]
mod methods;
#[path = "../../tests/fuzz/script.rs"]
mod script;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| connection::fuzz_connection(bytes));
