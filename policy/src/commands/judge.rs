//! The decision.

use super::{Assurance, CommandsInput, Invocation, OnDenied, OnLostTrack, ShellKind, Verdict, Way};

/// Valid rules. Cheap to clone behind an `Arc`; deciding allocates little.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Commands {
    shell: ShellKind,
    on_denied: OnDenied,
    on_lost_track: OnLostTrack,
}

/// A rule, for people.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RuleSummary {
    /// `allow[0]`, `observe: cat`, `deny[1]`.
    pub name: String,
    /// What it says, in a line.
    pub text: String,
    /// What it is worth in this way in.
    pub assurance: Assurance,
}

impl Commands {
    /// Checks rules.
    ///
    /// # Errors
    /// The field, as its YAML names it, and what is wrong there.
    pub fn parse(input: &CommandsInput) -> Result<Self, (String, String)> {
        Ok(Self { shell: input.shell, on_denied: input.on_denied, on_lost_track: input.on_lost_track })
    }

    /// Which shell `shell` opens.
    #[must_use]
    pub const fn shell(&self) -> ShellKind {
        self.shell
    }

    /// What a denied command brings.
    #[must_use]
    pub const fn on_denied(&self) -> OnDenied {
        self.on_denied
    }

    /// What an open shell does when it can no longer tell what is typed.
    #[must_use]
    pub const fn on_lost_track(&self) -> OnLostTrack {
        self.on_lost_track
    }

    /// Whether a command may run.
    #[must_use]
    pub fn judge(&self, invocation: &Invocation, way: Way) -> Verdict {
        let _ = way;
        Verdict {
            cleared: None,
            rule: "no rule".to_owned(),
            why: "no rule allows it".to_owned(),
            instead: None,
            assurance: Assurance::Boundary,
            shown: invocation.argv.clone(),
            can_be_asked: true,
        }
    }

    /// Programs that some rule allows, for completion and help.
    #[must_use]
    pub fn programs(&self) -> Vec<&str> {
        Vec::new()
    }

    /// The flags of a program that could be typed, long ones first.
    #[must_use]
    pub fn flags(&self, program: &str) -> Vec<String> {
        let _ = program;
        Vec::new()
    }

    /// All rules, in the order in which they are asked, and what each is worth in this way in.
    #[must_use]
    pub fn rules(&self, way: Way) -> Vec<RuleSummary> {
        let _ = way;
        Vec::new()
    }
}
