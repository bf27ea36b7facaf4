//! The part of the gateway's `commands::open` that knows no network: the reader, the watcher, and what they stand on.

#[path = "../../src/commands/open/keys.rs"]
mod keys;
#[path = "../../src/commands/open/picture.rs"]
mod picture;
#[path = "../../src/commands/open/programs.rs"]
mod programs;
#[path = "../../src/commands/open/prompts.rs"]
mod prompts;
#[path = "../../src/commands/open/reader/mod.rs"]
mod reader;
#[path = "../../src/commands/open/typed.rs"]
mod typed;
#[path = "../../src/commands/open/watcher/mod.rs"]
mod watcher;

pub(crate) fn fuzz_reader(data: &[u8]) {
    reader::fuzz(data);
    watcher::fuzz(data);
}
