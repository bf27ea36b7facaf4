//! What commands a text for some other shell may contain: a guess, for the guardrail of open shells.
//!
//! Where its guarantee ends: here. It finds what people write and what they paste, also within substitutions, loops and
//! `sh -c '…'`; who wants to hide a command from it can.

mod context;
mod nested;
mod scan;
#[cfg(test)]
mod tests;

use super::{LONGEST_LINE, Script, parse};
use context::{Found, Piece};
pub use nested::nested;
use nested::{Inner, inner};
use scan::scan;

/// How deep texts in texts are looked into.
const DEEPEST: usize = 4;
/// The most commands that are made out in a text.
const MOST_FOUND: usize = 256;

/// What was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Survey {
    /// The text is in our language: this is what it says. For what its programs would interpret, ask [`nested`].
    Known(Script),
    /// It is not.
    Guessed {
        /// Programs and arguments of the commands that could be made out. An argument that cannot be known is left out; a
        /// program that cannot be known stands as it is written (`$EDITOR`). Empty where none could be made out, or where
        /// there is more than is looked at: half of it would be a wrong answer.
        commands: Vec<Vec<String>>,
        /// Why it is not known, for people.
        why: String,
    },
}

/// Looks through a text. Never fails: what cannot be read is `Guessed` with what could.
#[must_use]
pub fn survey(text: &str) -> Survey {
    let error = match parse(text) {
        Ok(script) => return Survey::Known(script),
        Err(error) => error,
    };
    match guess(text) {
        Ok(commands) => Survey::Guessed { commands, why: error.to_string() },
        Err(why) => Survey::Guessed { commands: Vec::new(), why },
    }
}

/// What is still to be looked into.
enum Todo {
    Text(String),
    Command(Vec<Piece>),
}

fn guess(text: &str) -> Result<Vec<Vec<String>>, String> {
    if text.len() > LONGEST_LINE {
        return Err(format!("it has more than {LONGEST_LINE} bytes"));
    }
    let mut commands = Vec::new();
    // Last in, first out; what is within a command comes right after it.
    let mut todo = vec![(0, Todo::Text(text.to_owned()))];
    let mut looked = 0;
    while let Some((depth, next)) = todo.pop() {
        looked += 1;
        if depth > DEEPEST {
            return Err(format!("commands stand in more than {DEEPEST} others"));
        }
        if looked > 4 * MOST_FOUND || commands.len() > MOST_FOUND {
            return Err(format!("it has more than {MOST_FOUND} commands"));
        }
        match next {
            Todo::Text(text) => {
                let found = scan(&text);
                if found.len() > MOST_FOUND {
                    return Err(format!("it has more than {MOST_FOUND} commands"));
                }
                todo.extend(found.into_iter().rev().map(|found| match found {
                    Found::Command(pieces) => (depth, Todo::Command(pieces)),
                    Found::Text(text) => (depth + 1, Todo::Text(text)),
                }));
            }
            Todo::Command(pieces) => {
                let argv: Vec<String> = pieces.iter().map(|piece| piece.text.clone()).collect();
                match inner(&argv) {
                    Inner::Nothing => {}
                    Inner::Text(text) => todo.push((depth + 1, Todo::Text(text))),
                    Inner::Commands(ranges) => {
                        todo.extend(ranges.into_iter().rev().filter_map(|range| {
                            let pieces = pieces.get(range).filter(|pieces| !pieces.is_empty())?;
                            Some((depth + 1, Todo::Command(pieces.to_vec())))
                        }));
                    }
                }
                let known = |(at, piece): (usize, Piece)| (at == 0 || piece.known).then_some(piece.text);
                commands.push(pieces.into_iter().enumerate().filter_map(known).collect());
            }
        }
    }
    Ok(commands)
}
