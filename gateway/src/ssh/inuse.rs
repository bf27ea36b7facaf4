//! Says that a grant is in use, as long as bytes pass: what idle times are measured by. Nothing is done for each byte, and
//! nothing at all in between where the policy has no idle time.

use std::future::Future;
use std::pin::pin;
use std::time::Duration;

use super::pump::Counts;
use crate::access::{Access, Permit};

/// How often the counts are looked at, at most and at least.
const SHORTEST: Duration = Duration::from_secs(1);
const LONGEST: Duration = Duration::from_secs(30);

/// Runs a session's work.
pub(super) async fn while_used<T>(
    access: &Access,
    permit: &Permit,
    counts: &Counts,
    work: impl Future<Output = T>,
) -> T {
    access.touch(permit);
    let Some(idle) = permit.idle_timeout() else { return work.await };
    let look = (idle / 8).clamp(SHORTEST, LONGEST);
    let mut work = pin!(work);
    let mut seen = 0;
    loop {
        tokio::select! {
            done = &mut work => return done,
            () = tokio::time::sleep(look) => {
                let passed = counts.bytes_in().wrapping_add(counts.bytes_out());
                if passed != seen {
                    seen = passed;
                    access.touch(permit);
                }
            }
        }
    }
}
