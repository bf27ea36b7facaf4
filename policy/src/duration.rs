//! Lengths of time as people type them: `90s`, `30m`, `1h30m`.

use std::time::Duration;

/// The longest length that can be written: a year. Nothing in Sallyport is meant to last longer.
pub const LONGEST: Duration = Duration::from_secs(366 * 24 * 3600);

/// Why a text is not a length of time.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DurationError {
    /// Not a sequence of numbers with units.
    #[error("`{shown}` is not a length of time; write it like `90s`, `30m`, `1h30m` or `2h`")]
    Malformed {
        /// What was given, cut to 32 characters, with everything unprintable replaced.
        shown: String,
    },
    /// More than [`LONGEST`].
    #[error("a length of time is at most 366 days (8784h)")]
    TooLong,
}

/// Reads hours, minutes and seconds, each at most once and in this order, without blanks or fractions.
///
/// # Errors
/// When the text is anything else, or says more than [`LONGEST`].
pub fn parse(text: &str) -> Result<Duration, DurationError> {
    let malformed = || DurationError::Malformed {
        shown: text.chars().take(32).map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect(),
    };
    let mut rest = text;
    let mut seconds: u64 = 0;
    for (unit, worth) in [('h', 3600), ('m', 60), ('s', 1)] {
        let Some((number, after)) = rest.split_once(unit) else { continue };
        if number.is_empty() || !number.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(malformed());
        }
        // Only digits are left, so the one way to fail is to be too large.
        let number: u64 = number.parse().map_err(|_| DurationError::TooLong)?;
        seconds = number
            .checked_mul(worth)
            .and_then(|part| seconds.checked_add(part))
            .ok_or(DurationError::TooLong)?;
        rest = after;
    }
    if !rest.is_empty() || text.is_empty() {
        return Err(malformed());
    }
    let length = Duration::from_secs(seconds);
    if length > LONGEST { Err(DurationError::TooLong) } else { Ok(length) }
}

/// The shortest way to write `length` that [`parse`] reads back, in whole seconds (a part of one is dropped).
#[must_use]
pub fn show(length: Duration) -> String {
    let seconds = length.as_secs();
    let parts = [(seconds / 3600, 'h'), (seconds % 3600 / 60, 'm'), (seconds % 60, 's')];
    let text: String = parts
        .iter()
        .filter(|(number, _)| *number > 0)
        .map(|(number, unit)| format!("{number}{unit}"))
        .collect();
    if text.is_empty() { "0s".to_owned() } else { text }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_people_type_is_read() {
        for (text, seconds) in [
            ("90s", 90),
            ("30m", 1800),
            ("1h30m", 5400),
            ("2h", 7200),
            ("1h1s", 3601),
            ("0s", 0),
            ("007m", 420),
        ] {
            assert_eq!(parse(text), Ok(Duration::from_secs(seconds)), "{text}");
        }
    }

    #[test]
    fn anything_else_is_refused() {
        for text in
            ["", "1", "h", "m5", "1m1h", "1h1h", "1.5h", "-1h", "+1h", " 1h", "1h ", "1 h", "1d", "١h", "1H"]
        {
            assert!(matches!(parse(text), Err(DurationError::Malformed { .. })), "{text:?}");
        }
        for text in ["8785h", "99999999999999999999h", "18446744073709551615s"] {
            assert_eq!(parse(text), Err(DurationError::TooLong), "{text}");
        }
    }

    proptest! {
        #[test]
        fn what_is_shown_reads_back(seconds in 0..=LONGEST.as_secs()) {
            let length = Duration::from_secs(seconds);
            prop_assert_eq!(parse(&show(length)), Ok(length));
        }

        #[test]
        fn no_text_makes_the_parser_fall_over(text in ".{0,40}") {
            let _ = parse(&text);
        }
    }
}
