//! The reader of open shells under any mixture of keys, output, sizes and silences: it must not panic, keep more than its
//! bounds, or pass on more than it was given.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| sallyport::commands::open::fuzz_reader(data));
