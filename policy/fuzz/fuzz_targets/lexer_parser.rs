//! Any bytes as a line.
#![no_main]

#[path = "../checks/lines.rs"]
mod lines;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| lines::check(bytes));
