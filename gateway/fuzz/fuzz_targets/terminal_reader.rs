//! The reader and the watcher of open shells under any mixture of keys, output, sizes and silences: it must not panic, keep more than its
//! bounds, or pass on more than it was given.
//!
//! Its files are built in here rather than the gateway as a whole, whose instrumented build takes half an hour and 7 GB.

#![no_main]
#![allow(dead_code, reason = "the gateway uses what the fuzzer does not")]

#[path = "../reader/open.rs"]
mod open;
#[path = "../reader/terminal.rs"]
mod terminal;

libfuzzer_sys::fuzz_target!(|data: &[u8]| open::fuzz_reader(data));
