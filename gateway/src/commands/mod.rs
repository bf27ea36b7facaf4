//! Commands in a container under rules: what the ways in have in common. The guarded shell (the gateway is the shell)
//! is a boundary; the reader of open shells is a guardrail.

pub mod guarded;
pub mod open;

use std::future::Future;

use sallyport_policy::commands::{Verdict, Way};

/// A command that was typed, with what was decided about it.
#[derive(Debug, Clone)]
pub struct Note {
    /// How it came.
    pub way: Way,
    /// The line as it was typed, as far as it is known, secrets blotted out.
    pub line: String,
    /// The working directory, where it is known.
    pub directory: Option<String>,
    /// What was decided.
    pub verdict: Verdict,
    /// Who let it pass although a rule said no.
    pub approved_by: Option<String>,
    /// The guarded shell does it itself, so that nothing is started and no rule is asked: `cd`, `export`.
    pub own: bool,
}

/// What stands for a rule where the guarded shell itself does something, or refuses what other shells would do.
pub const THE_SHELL: &str = "the shell itself";

/// What came of asking an approver.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// Once, by this person.
    Approved {
        /// Who.
        by: String,
    },
    /// No: the sentence for the person.
    Denied(String),
}

/// Commands cannot be put on record; the session must end.
#[derive(Debug, Clone, Copy, thiserror::Error)]
#[error("cannot record: events cannot be written")]
pub struct Unrecorded;

/// What a shell needs of the gateway beside its container.
pub trait Desk: Send + Sync + 'static {
    /// Puts a command on record, before it runs.
    fn note(&self, note: Note) -> impl Future<Output = Result<(), Unrecorded>> + Send;

    /// Asks an approver to let this command pass once. `tell` is called with one line for the waiting person (whom it was
    /// put to, how to approve). Dropping the future takes the question back.
    fn ask(
        &self,
        line: &str,
        verdict: &Verdict,
        tell: &(dyn Fn(String) + Send + Sync),
    ) -> impl Future<Output = Answer> + Send;

    /// Tells those who watch that a command was denied: the webhooks, beside an event. The command's own note is separate.
    fn alert(&self, line: &str, verdict: &Verdict) -> impl Future<Output = Result<(), Unrecorded>> + Send;

    /// Something that belongs on record without being a command: a lost track, an end by policy.
    fn remark(&self, text: &str) -> impl Future<Output = Result<(), Unrecorded>> + Send;
}
