//! What commands a text for some other shell may contain: a guess, for the guardrail of open shells.

use super::{Script, parse};

/// What was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Survey {
    /// The text is in our language: this is what it says.
    Known(Script),
    /// It is not. The commands that could be made out, each with the words that could be; `whole` says whether nothing
    /// else could hide in it.
    Guessed {
        /// Programs and arguments; words that cannot be known are left out.
        commands: Vec<Vec<String>>,
        /// Why it is not known, for people.
        why: String,
    },
}

/// Looks through a text. Never fails: what cannot be read is `Guessed` with what could.
#[must_use]
pub fn survey(text: &str) -> Survey {
    match parse(text) {
        Ok(script) => Survey::Known(script),
        Err(error) => Survey::Guessed { commands: Vec::new(), why: error.to_string() },
    }
}
