//! What a command prints, and the status it exits with.

use std::borrow::Cow;
use std::fmt::Display;

use serde::Serialize;

use super::usage::UsageError;
use crate::access::AccessError;
use crate::bridge::BridgeError;

/// An answer. Lines end with `\n`; the SSH side makes `\r\n` of them where there is a terminal.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Reply {
    /// What was asked for.
    pub stdout: String,
    /// What is said beside it: why not, what to type next.
    pub stderr: String,
    /// The status that `ssh` exits with.
    pub exit: u8,
}

impl Reply {
    pub(super) fn said(stdout: impl Into<String>) -> Self {
        Self { stdout: stdout.into(), ..Self::default() }
    }

    pub(super) fn beside(mut self, line: impl Display) -> Self {
        self.stderr = format!("{}{line}\n", self.stderr);
        self
    }

    /// JSON on stdout. Characters that a terminal acts on are escaped, which JSON allows and does not demand.
    #[must_use]
    pub fn json(value: &impl Serialize) -> Self {
        let Ok(text) = serde_json::to_string_pretty(value) else {
            let text = "the answer cannot be written as JSON; the gateway's log may say why".to_owned();
            return Self::from(Failure { text, exit: 70 });
        };
        let mut stdout = String::with_capacity(text.len() + 1);
        for char in text.chars() {
            match char {
                '\u{7f}'..='\u{9f}'
                | '\u{200b}'..='\u{200f}'
                | '\u{2028}'..='\u{202e}'
                | '\u{2060}'..='\u{206f}' => {
                    stdout.push_str(&format!("\\u{:04x}", u32::from(char)));
                }
                char => stdout.push(char),
            }
        }
        stdout.push('\n');
        Self { stdout, ..Self::default() }
    }
}

/// Something that was not done: the line for the person, and the status.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// One line.
    pub text: String,
    /// 77 refused, 69 out of reach, 64 not understood, 70 trouble in the cluster.
    pub exit: u8,
}

impl From<AccessError> for Failure {
    fn from(error: AccessError) -> Self {
        Self { text: error.to_string(), exit: error.exit_status() }
    }
}

impl From<BridgeError> for Failure {
    fn from(error: BridgeError) -> Self {
        Self { text: error.to_string(), exit: error.exit_status() }
    }
}

impl From<UsageError> for Failure {
    fn from(error: UsageError) -> Self {
        Self { text: error.to_string(), exit: UsageError::EXIT }
    }
}

impl From<Failure> for Reply {
    fn from(failure: Failure) -> Self {
        let line: Cow<'_, str> = super::show::line(&failure.text).into();
        Self { stdout: String::new(), stderr: format!("{line}\n"), exit: failure.exit }
    }
}

impl From<UsageError> for Reply {
    fn from(error: UsageError) -> Self {
        Failure::from(error).into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_cannot_drive_a_terminal_and_says_the_same() {
        let text = "a\u{1b}[2J\u{9b}2J\u{202e}b\u{7f}ä";
        let reply = Reply::json(&text);
        assert_eq!(reply.stdout, "\"a\\u001b[2J\\u009b2J\\u202eb\\u007fä\"\n");
        assert_eq!(serde_json::from_str::<String>(&reply.stdout).unwrap(), text);
    }

    #[test]
    fn a_mistake_in_the_line_exits_with_64_and_says_so_on_stderr() {
        let reply = Reply::from(UsageError::Nul);
        assert_eq!((reply.stdout.as_str(), reply.exit), ("", 64));
        assert_eq!(reply.stderr, "the command line holds a NUL character\n");
    }
}
