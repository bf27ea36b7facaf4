//! Texts that people give, and names that we make.

use rand::RngExt;
use sallyport_policy::{PolicyName, RequestName};

use super::AccessError;

/// The longest reason, in characters.
pub(super) const LONGEST_REASON: usize = 1024;

/// Without vowels and look-alikes: nothing to misread, and no words.
const LETTERS: &[u8] = b"bcdfghjklmnpqrstvwxz2456789";

/// A reason without control characters and surplus blanks; `None` where nothing is left.
///
/// # Errors
/// When it is longer than [`LONGEST_REASON`].
pub(super) fn reason(given: Option<String>) -> Result<Option<String>, AccessError> {
    let Some(given) = given else { return Ok(None) };
    // Four bytes a character at most: what is longer than this is too long whatever cleaning leaves of it.
    let long = |length: usize| {
        AccessError::Invalid(format!(
            "a reason has at most {LONGEST_REASON} characters, this one has {length}"
        ))
    };
    if given.len() > LONGEST_REASON * 16 {
        return Err(long(given.chars().count()));
    }
    let visible = |c: char| if c.is_control() || is_layout(c) { ' ' } else { c };
    let text: String = given.chars().map(visible).collect();
    let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
    match text.chars().count() {
        0 => Ok(None),
        length if length > LONGEST_REASON => Err(long(length)),
        _ => Ok(Some(text)),
    }
}

/// The longest ticket, in characters.
const LONGEST_TICKET: usize = 256;

/// A ticket without what cannot be seen; `None` where nothing is left.
///
/// # Errors
/// When it is longer than [`LONGEST_TICKET`].
pub(super) fn ticket(given: Option<String>) -> Result<Option<String>, AccessError> {
    let cleaned = reason(given)
        .map_err(|_| AccessError::Invalid(format!("a ticket has at most {LONGEST_TICKET} characters")))?;
    match cleaned {
        Some(text) if text.chars().count() > LONGEST_TICKET => {
            Err(AccessError::Invalid(format!("a ticket has at most {LONGEST_TICKET} characters")))
        }
        other => Ok(other),
    }
}

/// Characters that change how others are laid out, with which a text can be made to show what it does not say.
const fn is_layout(c: char) -> bool {
    matches!(c, '\u{ad}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}')
}

/// `<policy>-<6 characters>`, at random.
pub(super) fn request_name(policy: &PolicyName) -> Result<RequestName, AccessError> {
    let mut rng = rand::rng();
    let tail: String = (0..6)
        .filter_map(|_| LETTERS.get(rng.random_range(0..LETTERS.len())))
        .map(|letter| char::from(*letter))
        .collect();
    RequestName::parse(&format!("{policy}-{tail}")).map_err(|error| AccessError::Invalid(error.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reason_keeps_its_words_and_loses_what_cannot_be_seen() {
        let cleaned = reason(Some("  INC-4711\u{1b}[2J\n checkout\t500s \u{202e}".into())).unwrap();
        assert_eq!(cleaned.as_deref(), Some("INC-4711 [2J checkout 500s"));
        assert_eq!(reason(Some(" \n\u{200b} ".into())).unwrap(), None);
        assert_eq!(reason(None).unwrap(), None);
    }

    #[test]
    fn a_reason_that_is_too_long_is_refused_not_cut() {
        assert!(reason(Some("ä".repeat(1024))).is_ok());
        let error = reason(Some("ä".repeat(1025))).unwrap_err();
        assert_eq!(error.exit_status(), 64);
        assert!(reason(Some("x".repeat(1 << 20))).is_err());
        assert!(reason(Some("\u{1b}".repeat(2000))).unwrap().is_none());
    }

    #[test]
    fn made_names_are_names() {
        let policy = PolicyName::parse(&"p".repeat(50)).unwrap();
        for _ in 0..200 {
            let name = request_name(&policy).unwrap();
            assert_eq!(name.as_str().len(), 57);
        }
    }
}
