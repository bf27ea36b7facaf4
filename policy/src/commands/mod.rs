//! Which commands a grant may run: rules over programs, flags, arguments, paths, redirections and environment.
//!
//! A forbid wins; what no rule allows is denied; what cannot be evaluated is denied. The answer to "may this run?" is a
//! [`Cleared`], the only thing that the bridge will execute, and only this crate makes one.
//!
//! Where its guarantee ends: it decides what is *started*. What a started program then does is its own affair, which is
//! why programs that start others are refused, closed by flags, or make a rule a guardrail ([`Assurance`]).

mod check;
mod cleared;
mod environment;
mod facts;
mod flags;
mod input;
mod judge;
mod made;
mod named;
mod paths;
mod programs;
mod protected;
mod reading;
mod rule;
mod sets;
mod shown;
mod text;

#[cfg(test)]
mod tests;

pub use cleared::{Carrier, Cleared, Once, Own};
pub use input::{CommandsInput, RuleInput};
pub use judge::{Commands, RuleSummary, gathered};
pub use made::Made;
pub use named::{BUILT_IN_SETS, NamedSet, SetInput};
pub use shown::blotted;

/// How a container is entered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Way {
    /// One command, without a shell.
    Exec,
    /// The gateway's own shell.
    Guarded,
    /// The container's own shell, read from its screen.
    Open,
}

/// Which shell `shell` opens.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum ShellKind {
    /// The gateway's own.
    #[default]
    Guarded,
    /// The container's.
    Open,
}

/// What a denied command brings.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum OnDenied {
    /// The person is told.
    #[default]
    Tell,
    /// An approver may let it pass once, while the person waits.
    Ask,
    /// The person is told, and webhooks are.
    Alert,
    /// The session ends.
    End,
}

/// What an open shell does when it can no longer tell what is typed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum OnLostTrack {
    /// Goes on.
    Tolerate,
    /// Goes on, with an event.
    #[default]
    Flag,
    /// Ends the session.
    End,
}

/// What a rule is worth where it is used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Assurance {
    /// Nothing else can run.
    Boundary,
    /// It prevents mistakes; a determined person gets around it.
    Guardrail {
        /// How, in words.
        because: String,
    },
}

/// A command that is about to run, everything expanded.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Invocation {
    /// The program and its arguments.
    pub argv: Vec<String>,
    /// What is set for it, beside what the container has.
    pub environment: Vec<(String, String)>,
    /// The working directory, absolute; `None` where it is not known (paths are then compared as they are, and a relative
    /// one fits no pattern).
    pub directory: Option<String>,
    /// Files that its input is redirected from.
    pub reads: Vec<String>,
    /// Files that its output is redirected to.
    pub writes: Vec<String>,
    /// Whether it gets another command's output.
    pub piped: bool,
    /// Whether it gets the person's terminal.
    pub terminal: bool,
}

/// What the rules say about a command.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verdict {
    /// What may run, or `None`.
    pub cleared: Option<Cleared>,
    /// The rule that decided: `allow[2]`, `deny[0]`, `observe: cat`, `allow[0] of java-team`, `protected paths`, `no rule`.
    pub rule: String,
    /// Why not, for the person; empty where it may.
    pub why: String,
    /// What to type instead, where there is something.
    pub instead: Option<String>,
    /// What the verdict is worth.
    pub assurance: Assurance,
    /// The command with its secrets blotted out, for events and people.
    pub shown: Vec<String>,
    /// What an approval could let pass: a rule said no, rather than that it cannot be known what would run.
    pub once: Option<Once>,
}
