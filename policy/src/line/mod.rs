//! What somebody typed, parsed: the part of the POSIX shell language whose commands can be known before they run.
//!
//! Pipelines, `&&`, `||`, `;`, `!`, redirections, quoting, assignments, `$NAME` and globs are in; what would have to run
//! something to be known (command substitution), or change what words mean (functions, aliases, `eval`), is refused with
//! what to write instead. Parsing is linear in the line's length and does not recurse.
//!
//! Where its guarantee ends: this says what a *guarded* shell will do, because that shell is made from it. What another
//! shell makes of the same text is only guessed ([`survey`]).

mod expand;
mod glob;
mod parse;
mod survey;

use std::ops::Range;

pub use expand::{Field, Unset, Variables, expand, expand_one, expand_target};
pub use glob::{Glob, Matcher, TooLarge};
pub use parse::parse;
pub use survey::{Survey, nested, survey};

/// The longest line, in bytes.
pub const LONGEST_LINE: usize = 16 * 1024;
/// The most commands in a line.
pub const MOST_COMMANDS: usize = 64;
/// The most words in a line, and the most that its words may become.
pub const MOST_WORDS: usize = 4096;

/// A whole line, or several. Empty where there is nothing to do.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Script {
    /// In the order in which they are written.
    pub steps: Vec<Step>,
}

/// A pipeline, and when it runs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Step {
    /// What must have come before.
    pub when: When,
    /// What runs.
    pub pipeline: Pipeline,
}

/// When a step runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum When {
    /// The first one, and after `;` or a line's end.
    Always,
    /// After `&&`.
    Succeeded,
    /// After `||`.
    Failed,
}

/// Commands, each one's output the next one's input.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pipeline {
    /// Whether `!` stands before it.
    pub negated: bool,
    /// Never empty.
    pub commands: Vec<Simple>,
}

/// One command, not yet expanded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Simple {
    /// `NAME=value` before it, or alone.
    pub assignments: Vec<(String, Word)>,
    /// The program and its arguments; empty where there are only assignments or redirections.
    pub words: Vec<Word>,
    /// In the order in which they are written.
    pub redirections: Vec<Redirection>,
    /// Where it stands in the line, in bytes.
    pub span: Range<usize>,
}

/// A word as it is written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Word {
    /// Its parts, one behind the other.
    pub parts: Vec<Part>,
    /// Where it stands in the line, in bytes.
    pub span: Range<usize>,
}

/// A part of a word.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Part {
    /// Text. Unquoted, `*`, `?` and `[` in it make a pattern.
    Text {
        /// Without its quotes.
        text: String,
        /// Whether it was quoted.
        quoted: bool,
    },
    /// `$NAME`, `${NAME}`, `$?`.
    Variable {
        /// The name; `?` for the last status.
        name: String,
        /// Whether it stands in double quotes.
        quoted: bool,
    },
    /// `~` at the beginning.
    Home,
}

/// Where a stream comes from or goes to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Redirection {
    /// Which stream.
    pub stream: Stream,
    /// To or from where.
    pub to: RedirectTo,
    /// Where it stands in the line, in bytes.
    pub span: Range<usize>,
}

/// A standard stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stream {
    /// 0.
    Input,
    /// 1.
    Output,
    /// 2.
    Errors,
    /// 1 and 2, as `&>` says.
    Both,
}

/// The other end of a redirection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RedirectTo {
    /// `< FILE`.
    Read(Word),
    /// `> FILE`.
    Write(Word),
    /// `>> FILE`.
    Append(Word),
    /// `2>&1`, `>&2`.
    Same(Stream),
}

/// Why a line is not run.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{problem}")]
pub struct LineError {
    /// Where, in bytes.
    pub at: Range<usize>,
    /// What is wrong, and what to write instead; one line.
    pub problem: String,
    /// Whether more text could mend it: an open quote, a `|` at the end.
    pub unfinished: bool,
}

impl LineError {
    pub(crate) fn new(at: Range<usize>, problem: impl Into<String>) -> Self {
        Self { at, problem: problem.into(), unfinished: false }
    }
}
