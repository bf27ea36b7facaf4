//! Any bytes as a command under rules.
#![no_main]

#[path = "../checks/paths.rs"]
mod paths;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| paths::check(bytes));
