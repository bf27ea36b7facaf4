//! A session's name.

use std::fmt;

use jiff::Timestamp;

/// Names one session everywhere: in events, recordings and the API server's audit log.
///
/// 26 characters of Crockford's base 32 in lower case: 48 bits of milliseconds since 1970, then 80 random bits. They
/// sort by time and cannot be guessed.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SessionId(String);

/// The text is not a session id.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a session id (26 characters of `0-9a-z` without `i`, `l`, `o`, `u`)")]
pub struct SessionIdError(String);

const ALPHABET: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";
const LENGTH: usize = 26;

impl SessionId {
    /// A new one.
    #[must_use]
    pub fn new(now: Timestamp) -> Self {
        let milliseconds = u64::try_from(now.as_millisecond()).unwrap_or(0) & 0xffff_ffff_ffff;
        let random: u128 = rand::random::<u128>() & ((1 << 80) - 1);
        let mut bits = (u128::from(milliseconds) << 80) | random;
        let mut characters = [0_u8; LENGTH];
        for slot in characters.iter_mut().rev() {
            let digit = usize::try_from(bits & 31).unwrap_or_default();
            *slot = ALPHABET.get(digit).copied().unwrap_or(b'0');
            bits >>= 5;
        }
        Self(characters.iter().map(|&c| char::from(c)).collect())
    }

    /// Reads one.
    ///
    /// # Errors
    /// When the text is not 26 characters of the alphabet.
    pub fn parse(text: &str) -> Result<Self, SessionIdError> {
        let fits = text.len() == LENGTH && text.bytes().all(|b| ALPHABET.contains(&b));
        if fits { Ok(Self(text.to_owned())) } else { Err(SessionIdError(crate::terminal::clean(text))) }
    }

    /// The text form.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for SessionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn ids_sort_by_time_and_differ_within_it() {
        let early = Timestamp::from_second(1_700_000_000).unwrap();
        let late = early + Duration::from_millis(1);
        let (one, other, later) = (SessionId::new(early), SessionId::new(early), SessionId::new(late));
        assert_ne!(one, other);
        assert!(one < later && other < later);
        assert_eq!(SessionId::parse(one.as_str()), Ok(one));
    }

    #[test]
    fn text_that_could_be_a_path_is_not_an_id() {
        for text in ["", "../../../etc/passwd", "0123456789abcdefghjkmnpqr/", "0123456789ABCDEFGHJKMNPQRS"] {
            SessionId::parse(text).unwrap_err();
        }
    }
}
