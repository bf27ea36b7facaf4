//! When a grant is open.

use jiff::Timestamp;

/// From `start` on, until just before `end`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Window {
    /// The first moment inside.
    pub start: Timestamp,
    /// The first moment outside again.
    pub end: Timestamp,
}

impl Window {
    /// Whether `now` is inside.
    #[must_use]
    pub fn contains(&self, now: Timestamp) -> bool {
        self.start <= now && now < self.end
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_window_begins_inside_and_ends_outside() {
        let second = |n| Timestamp::from_second(n).unwrap();
        let window = Window { start: second(10), end: second(20) };
        let inside = [9, 10, 19, 20].map(|n| window.contains(second(n)));
        assert_eq!(inside, [false, true, true, false]);
    }
}
