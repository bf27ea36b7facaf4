//! `--start`: a moment as people say it. A time of day without a zone is UTC, and what was understood is said back.

use std::time::Duration;

use jiff::Timestamp;
use jiff::civil::{DateTime, Time};
use jiff::tz::{Offset, TimeZone};
use sallyport_policy::duration;

use super::usage::UsageError;

/// The longest text that is looked at.
const LONGEST: usize = 64;

/// A moment, perhaps relative to that of asking.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Start {
    /// `now`
    Now,
    /// `+30m`
    In(Duration),
    /// `14:00`, `14:00+02:00`, `14:00[Europe/Berlin]`: the next time that the clock there shows this.
    Clock {
        /// What the clock shows.
        time: Time,
        /// Whose clock.
        zone: TimeZone,
    },
    /// `2026-11-21T14:00Z`
    At(Timestamp),
}

impl Start {
    /// Reads one of the forms above.
    ///
    /// # Errors
    /// When it is none of them, or the zone is unknown here.
    pub fn parse(typed: &str) -> Result<Self, UsageError> {
        let invalid = |why: &str| UsageError::Invalid {
            what: "the start",
            value: typed.to_owned(),
            why: why.to_owned(),
        };
        let forms =
            || invalid("write +30m, 14:00 (UTC), 14:00+02:00, 14:00[Europe/Berlin] or 2026-11-21T14:00Z");
        if typed.len() > LONGEST {
            return Err(forms());
        }
        if typed.eq_ignore_ascii_case("now") {
            return Ok(Self::Now);
        }
        if let Some(length) = typed.strip_prefix('+') {
            return duration::parse(length).map(Self::In).map_err(|_| forms());
        }
        let (local, zone) = split_zone(typed);
        let zone = match zone {
            "" | "Z" | "z" | "UTC" => TimeZone::UTC,
            name if name.starts_with(['+', '-']) => TimeZone::fixed(offset(name).ok_or_else(forms)?),
            name => TimeZone::get(name).map_err(|_| invalid("this zone is not known here"))?,
        };
        match local.split_once(['T', 't', '_']) {
            Some((date, time)) => {
                let date = date.parse().map_err(|_| forms())?;
                let local = DateTime::from_parts(date, clock(time).ok_or_else(forms)?);
                // The hour that is skipped in spring or comes twice in autumn is nobody's plan: it is not guessed.
                let moment = zone.to_ambiguous_zoned(local).unambiguous().map_err(|_| {
                    invalid("the clock there does not show that exactly once; give the offset, like +02:00")
                })?;
                Ok(Self::At(moment.timestamp()))
            }
            None => Ok(Self::Clock { time: clock(local).ok_or_else(forms)?, zone }),
        }
    }

    /// The moment that is meant at `now`; `None` for at once, and for what cannot be reckoned.
    #[must_use]
    pub fn moment(&self, now: Timestamp) -> Option<Timestamp> {
        match self {
            Self::Now => None,
            Self::In(length) => now.checked_add(*length).ok(),
            Self::At(moment) => Some(*moment),
            Self::Clock { time, zone } => {
                let today = now.to_zoned(zone.clone()).date();
                [Some(today), today.tomorrow().ok()].into_iter().flatten().find_map(|date| {
                    let there = zone.to_timestamp(DateTime::from_parts(date, *time)).ok()?;
                    (there > now).then_some(there)
                })
            }
        }
    }
}

/// The text before the zone, and the zone as it was written.
fn split_zone(typed: &str) -> (&str, &str) {
    if let Some((local, zone)) = typed.split_once(['[', '@']) {
        return (local, zone.strip_suffix(']').unwrap_or(zone));
    }
    if let Some(local) = typed.strip_suffix(['Z', 'z']) {
        return (local, "Z");
    }
    // An offset stands after the time; before it, `-` divides the date.
    let from = typed.find(':').unwrap_or(typed.len());
    match typed.get(from..).and_then(|rest| rest.find(['+', '-'])) {
        Some(at) => typed.split_at(from + at),
        None => (typed, ""),
    }
}

/// `14:00`, `9:30`, `14:00:30`
fn clock(text: &str) -> Option<Time> {
    let mut parts = text.split(':').map(|part| {
        let digits = (1..=2).contains(&part.len()) && part.bytes().all(|byte| byte.is_ascii_digit());
        part.parse::<i8>().ok().filter(|_| digits)
    });
    let (hour, minute) = (parts.next()??, parts.next()??);
    let second = parts.next().unwrap_or(Some(0))?;
    if parts.next().is_some() {
        return None;
    }
    Time::new(hour, minute, second, 0).ok()
}

/// `+02:00`, `+0200`, `-5`
fn offset(text: &str) -> Option<Offset> {
    let (sign, rest) = text.split_at_checked(1)?;
    let digits: String = rest.chars().filter(|char| *char != ':').collect();
    if digits.is_empty()
        || digits.len() == 3
        || digits.len() > 4
        || !digits.bytes().all(|byte| byte.is_ascii_digit())
    {
        return None;
    }
    let (hours, minutes) = digits.split_at(digits.len().min(2));
    let hours: i32 = hours.parse().ok()?;
    let minutes: i32 = if minutes.is_empty() { 0 } else { minutes.parse().ok()? };
    let seconds = (hours * 60 + minutes) * 60;
    if hours > 14 || minutes > 59 {
        return None;
    }
    Offset::from_seconds(if sign == "-" { -seconds } else { seconds }).ok()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    fn moment(typed: &str) -> Option<Timestamp> {
        Start::parse(typed).unwrap().moment(at("2026-11-21T12:00:00Z"))
    }

    #[test]
    fn moments_are_read_in_every_form_and_a_time_of_day_is_the_next_one() {
        for (typed, expected) in [
            ("+30m", "2026-11-21T12:30:00Z"),
            ("14:00", "2026-11-21T14:00:00Z"),
            ("14:00Z", "2026-11-21T14:00:00Z"),
            ("9:30", "2026-11-22T09:30:00Z"),
            ("12:00", "2026-11-22T12:00:00Z"),
            ("14:00+02:00", "2026-11-22T12:00:00Z"),
            ("14:00-5", "2026-11-21T19:00:00Z"),
            ("14:00-0530", "2026-11-21T19:30:00Z"),
            ("14:00[Europe/Berlin]", "2026-11-21T13:00:00Z"),
            ("14:00@Europe/Berlin", "2026-11-21T13:00:00Z"),
            ("2026-11-21T14:00Z", "2026-11-21T14:00:00Z"),
            ("2026-11-21T14:00", "2026-11-21T14:00:00Z"),
            ("2026-11-21T14:00:30+01:00", "2026-11-21T13:00:30Z"),
            ("2026-07-21T14:00[Europe/Berlin]", "2026-07-21T12:00:00Z"),
        ] {
            assert_eq!(moment(typed), Some(at(expected)), "{typed}");
        }
        assert_eq!(moment("now"), None);
    }

    #[test]
    fn what_is_no_moment_is_refused() {
        for typed in [
            "",
            "14",
            "25:00",
            "14:60",
            "14:00+15:00",
            "14:00+1:00x",
            "30m",
            "+",
            "+1d",
            "tomorrow",
            "2026-13-01T14:00Z",
            "14:00[Europe/Nowhere]",
            "14:00:00:00",
            "--1:00",
            "14:00\u{1b}[2J",
        ] {
            assert!(Start::parse(typed).is_err(), "{typed}");
        }
        let twice = Start::parse("2026-10-25T02:30[Europe/Berlin]").unwrap_err().to_string();
        assert!(twice.contains("exactly once"), "{twice}");
    }

    proptest! {
        #[test]
        fn nothing_that_is_typed_falls_over(typed in any::<String>(), shaped in "[0-9:TZ+@\\[\\]-]{0,24}") {
            for text in [typed, shaped] {
                let _ = Start::parse(&text).map(|start| start.moment(at("2026-11-21T12:00:00Z")));
            }
        }
    }
}
