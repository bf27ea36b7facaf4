//! The one source of time. Everything that asks what time it is, or waits for a moment, takes a [`Clock`];
//! `.clippy.toml` bans the ambient ones. Wall-clock time only: certificates, windows and recordings all speak it.
//! Network time-outs may use tokio's timers, since nothing is decided by them.

use std::fmt::Debug;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use tokio::sync::watch;

/// A moment's source, shared by everything in one gateway.
pub type SharedClock = Arc<dyn Clock>;

/// Tells the time and waits for it.
pub trait Clock: Debug + Send + Sync + 'static {
    /// The present moment, UTC.
    fn now(&self) -> Timestamp;

    /// Resolves once [`Clock::now`] has reached `deadline`; at once if it already has.
    fn sleep_until(&self, deadline: Timestamp) -> Pin<Box<dyn Future<Output = ()> + Send + '_>>;
}

/// The machine's clock.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemClock;

/// Long sleeps are cut into pieces, so that a stepped wall clock is noticed within this time.
const RECHECK: Duration = Duration::from_millis(500);

impl Clock for SystemClock {
    #[expect(clippy::disallowed_methods, reason = "the one place that reads the wall clock")]
    fn now(&self) -> Timestamp {
        Timestamp::now()
    }

    fn sleep_until(&self, deadline: Timestamp) -> Pin<Box<dyn Future<Output = ()> + Send + '_>> {
        Box::pin(async move {
            loop {
                let left = deadline.duration_since(self.now());
                if left <= SignedDuration::ZERO {
                    return;
                }
                let left = Duration::try_from(left).unwrap_or(RECHECK);
                tokio::time::sleep(left.min(RECHECK)).await;
            }
        })
    }
}

/// A clock that moves only when told to, for tests.
#[derive(Debug)]
pub struct ManualClock {
    now: Mutex<watch::Sender<Timestamp>>,
}

impl ManualClock {
    /// A clock that stands at `start`.
    #[must_use]
    pub fn at(start: Timestamp) -> Arc<Self> {
        Arc::new(Self { now: Mutex::new(watch::channel(start).0) })
    }

    /// Moves to `moment`, forwards or backwards, and wakes those whose deadline has come.
    pub fn set(&self, moment: Timestamp) {
        self.now.lock().unwrap_or_else(PoisonError::into_inner).send_replace(moment);
    }

    /// Moves forward.
    pub fn advance(&self, by: Duration) {
        let now = self.now();
        self.set(now.checked_add(by).unwrap_or(Timestamp::MAX));
    }
}

impl Clock for ManualClock {
    fn now(&self) -> Timestamp {
        *self.now.lock().unwrap_or_else(PoisonError::into_inner).borrow()
    }

    fn sleep_until(&self, deadline: Timestamp) -> Pin<Box<dyn Future<Output = ()> + Send + '_>> {
        let mut moments = self.now.lock().unwrap_or_else(PoisonError::into_inner).subscribe();
        Box::pin(async move {
            // An error means that the clock itself is gone, and with it everyone who could care.
            let _ = moments.wait_for(|now| *now >= deadline).await;
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_sleeper_wakes_when_its_moment_comes_and_not_before() {
        let start = Timestamp::UNIX_EPOCH;
        let clock = ManualClock::at(start);
        let deadline = start + Duration::from_secs(60);
        let mut sleep = clock.sleep_until(deadline);
        assert!(futures::poll!(&mut sleep).is_pending());
        clock.advance(Duration::from_secs(59));
        assert!(futures::poll!(&mut sleep).is_pending());
        clock.advance(Duration::from_secs(1));
        sleep.await;
        assert_eq!(clock.now(), deadline);
    }

    #[tokio::test]
    async fn a_moment_in_the_past_is_not_waited_for() {
        SystemClock.sleep_until(Timestamp::UNIX_EPOCH).await;
    }
}
