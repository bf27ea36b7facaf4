//! A line of `<session>.commands`: what was typed, and what was decided about it. Secrets are blotted out before it gets
//! here, as far as they can be told.

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The longest marker that a command leaves in a recording, in characters.
const LONGEST_LABEL: usize = 200;

/// One command, with its verdict.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(title = "A command of a Sallyport session")]
pub struct CommandLine {
    /// When it was decided, RFC 3339, UTC.
    #[schemars(with = "String", extend("format" = "date-time"))]
    pub at: Timestamp,
    /// By which way in: exec, guarded or open.
    pub way: String,
    /// The line as it was typed, as far as it is known; several lines where they are one command.
    pub line: String,
    /// The command of the line that was decided about, word by word, everything expanded.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub argv: Vec<String>,
    /// The working directory, where it is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub directory: Option<String>,
    /// What was decided.
    pub outcome: CommandOutcome,
    /// By which rule; `no rules`, `typed ahead`, `input to a program` or `without a terminal` where none decided.
    pub rule: String,
    /// What that is worth: boundary or guardrail; none where the policy has no rules.
    pub assurance: String,
    /// Why not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub why: Option<String>,
    /// Who let it pass once although a rule said no.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub approved_by: Option<String>,
}

/// What was decided.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum CommandOutcome {
    /// It was let run.
    Allowed,
    /// It was not.
    Refused,
    /// An approver let it run, once.
    Approved,
    /// The guarded shell did it itself: nothing was started, no rule was asked.
    Own,
}

impl CommandLine {
    /// What a player shows for it.
    pub(super) fn label(&self) -> String {
        let sign = match self.outcome {
            CommandOutcome::Allowed | CommandOutcome::Own => "$",
            CommandOutcome::Refused => "refused:",
            CommandOutcome::Approved => "approved:",
        };
        let line: String = self.line.chars().take(LONGEST_LABEL).collect();
        format!("{sign} {line}")
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    #[test]
    fn the_published_schema_is_what_is_written() {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/schemas/command.schema.json");
        crate::config::published(&path, &schemars::schema_for!(CommandLine).to_value());
    }

    #[test]
    fn a_label_says_what_was_decided_and_is_short() {
        let line = CommandLine {
            at: Timestamp::UNIX_EPOCH,
            way: "guarded".to_owned(),
            line: "x".repeat(10_000),
            argv: Vec::new(),
            directory: None,
            outcome: CommandOutcome::Refused,
            rule: "no rule".to_owned(),
            assurance: "boundary".to_owned(),
            why: None,
            approved_by: None,
        };
        assert!(line.label().starts_with("refused: xxx"));
        assert!(line.label().len() < 220);
    }
}
