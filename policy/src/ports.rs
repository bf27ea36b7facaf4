//! Sets of TCP ports, as policies write them: `5432` or `8000-8999`.

use std::fmt;
use std::ops::RangeInclusive;

/// Ports that a tunnel may lead to.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Ports(Vec<RangeInclusive<u16>>);

/// Why a text is not a port or a range.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{shown}` is not a port from 1 to 65535 or a range like `8000-8999`")]
pub struct PortError {
    shown: String,
}

impl Ports {
    /// Reads one port or range per text.
    ///
    /// # Errors
    /// At the first text that is neither, that says port 0, or whose range runs backwards.
    pub fn parse<'a>(texts: impl IntoIterator<Item = &'a str>) -> Result<Self, PortError> {
        texts.into_iter().map(range).collect::<Result<_, _>>().map(Self)
    }

    /// Whether `port` is one of them.
    #[must_use]
    pub fn contains(&self, port: u16) -> bool {
        self.0.iter().any(|range| range.contains(&port))
    }

    /// The ranges as they were written; a single port is a range of one.
    #[must_use]
    pub fn ranges(&self) -> &[RangeInclusive<u16>] {
        &self.0
    }

    /// Whether there is none.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

fn range(text: &str) -> Result<RangeInclusive<u16>, PortError> {
    let wrong = || PortError {
        shown: text.chars().take(32).map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect(),
    };
    let port = |text: &str| {
        let digits = text.bytes().all(|byte| byte.is_ascii_digit());
        text.parse::<u16>().ok().filter(|port| digits && *port > 0).ok_or_else(wrong)
    };
    let (first, last) = text.split_once('-').unwrap_or((text, text));
    let (first, last) = (port(first)?, port(last)?);
    if first > last { Err(wrong()) } else { Ok(first..=last) }
}

impl fmt::Display for Ports {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, range) in self.0.iter().enumerate() {
            if index > 0 {
                f.write_str(", ")?;
            }
            if range.start() == range.end() {
                write!(f, "{}", range.start())?;
            } else {
                write!(f, "{}-{}", range.start(), range.end())?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ports_and_ranges_hold_what_they_say() {
        let ports = Ports::parse(["5432", "8000-8999"]).unwrap();
        assert_eq!(ports.to_string(), "5432, 8000-8999");
        for (port, inside) in
            [(5431, false), (5432, true), (5433, false), (7999, false), (8000, true), (8999, true)]
        {
            assert_eq!(ports.contains(port), inside, "{port}");
        }
        assert!(!Ports::default().contains(80));
    }

    #[test]
    fn anything_else_is_refused() {
        for text in ["", "0", "65536", "-1", "1-", "-", "9-8", "1-2-3", "+80", " 80", "http", "0-10", "*"] {
            assert!(Ports::parse([text]).is_err(), "{text:?}");
        }
    }
}
