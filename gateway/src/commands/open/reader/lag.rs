//! How long a shell's answer takes: every wait of the reader is at least some multiple of it, so that on a slow way or a
//! busy node silence is not taken for an answer.

use std::time::Duration;

/// A wait is this many times the slowest answer of late.
const TIMES: u32 = 4;
/// The longest that a wait becomes by it. An answer that took longer than this was none.
const MOST: Duration = Duration::from_secs(2);

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Lag {
    /// Keys went to the shell, and nothing has come since.
    sent: Option<Duration>,
    slowest: Duration,
}

impl Lag {
    /// Something went to a shell that answers all it reads.
    pub(super) fn sent(&mut self, now: Duration) {
        self.sent.get_or_insert(now);
    }

    /// Something came.
    pub(super) fn came(&mut self, now: Duration) {
        let took = self.sent.take().map(|sent| now.saturating_sub(sent)).filter(|took| *took <= MOST);
        if let Some(took) = took {
            self.slowest = took.max(self.slowest * 7 / 8);
        }
    }

    /// How long to wait where `least` is long enough on a fast way.
    pub(super) fn patience(&self, least: Duration) -> Duration {
        least.max((self.slowest * TIMES).min(MOST))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LEAST: Duration = Duration::from_millis(30);

    fn at(millis: u64) -> Duration {
        Duration::from_millis(millis)
    }

    #[test]
    fn a_slow_answer_makes_patient_and_fast_ones_impatient_again() {
        let mut lag = Lag::default();
        assert_eq!(lag.patience(LEAST), LEAST);
        lag.sent(at(0));
        // The first key counts, and the first answer.
        lag.sent(at(90));
        lag.came(at(100));
        lag.came(at(5000));
        assert_eq!(lag.patience(LEAST), at(400));
        assert_eq!(lag.patience(at(500)), at(500));
        for _ in 0..30 {
            lag.sent(at(0));
            lag.came(at(1));
        }
        assert_eq!(lag.patience(LEAST), LEAST);
    }

    #[test]
    fn what_takes_too_long_is_no_answer_and_no_wait_grows_beyond_bounds() {
        let mut lag = Lag::default();
        lag.sent(at(0));
        lag.came(at(2001));
        assert_eq!(lag.patience(LEAST), LEAST);
        lag.sent(at(0));
        lag.came(at(2000));
        assert_eq!(lag.patience(LEAST), MOST);
    }
}
