//! From text to [`Script`].

use super::{LineError, Script};

/// Parses a line.
///
/// # Errors
/// At the first thing that is not in the language, with what to write instead.
pub fn parse(text: &str) -> Result<Script, LineError> {
    if text.trim().is_empty() {
        return Ok(Script::default());
    }
    Err(LineError::new(0..text.len(), "this line cannot be read"))
}
