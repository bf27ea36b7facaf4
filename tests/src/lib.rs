//! The harness of the end-to-end suites: a [`World`] is a running gateway, a cluster and people with keys, and
//! cases drive it by the real `ssh`. The same cases run on the embedded cluster and on a real one.
//!
//! Everything here panics with a sentence when an expectation fails; every wait has an end.

pub mod apiserver;
pub mod browser;
pub mod cast;
pub mod chromium;
pub mod events;
pub mod gate;
pub mod idp;
pub mod manifest;
mod people;
pub mod place;
pub mod process;
pub mod proxy;
pub mod pty;
pub mod server;
pub mod ssh;
pub mod world;

pub use place::Place;
pub use process::Finished;
pub use world::{Kind, World};

use std::time::{Duration, Instant};

/// Asks `found` again and again until it has something, and panics after `limit` with `what` was missing.
pub fn until<T>(what: &str, limit: Duration, mut found: impl FnMut() -> Option<T>) -> T {
    let start = Instant::now();
    loop {
        if let Some(found) = found() {
            return found;
        }
        assert!(start.elapsed() < limit, "{what}: not within {} s", limit.as_secs());
        std::thread::sleep(Duration::from_millis(50));
    }
}

/// Seconds, as most limits are given.
#[must_use]
pub const fn seconds(n: u64) -> Duration {
    Duration::from_secs(n)
}
