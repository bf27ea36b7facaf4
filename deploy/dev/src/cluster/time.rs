//! The one place of the embedded cluster that reads the clock.
//!
//! The cluster stands in for a separate machine, so it keeps its own time; the gateway's injected clock
//! does not reach it, as it would not reach a real cluster.

use jiff::Timestamp;

/// Now.
#[expect(clippy::disallowed_methods, reason = "the cluster is a world of its own with a clock of its own")]
pub fn now() -> Timestamp {
    Timestamp::now()
}

/// RFC 3339 with seconds, as `metav1.Time` is written.
pub fn seconds(at: Timestamp) -> String {
    at.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}

/// RFC 3339 with microseconds, as `metav1.MicroTime` is written.
pub fn micros(at: Timestamp) -> String {
    at.strftime("%Y-%m-%dT%H:%M:%S.%6fZ").to_string()
}
