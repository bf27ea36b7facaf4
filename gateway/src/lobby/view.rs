//! Who the answer is for, and what their screen can do.

use jiff::Timestamp;
use serde::Serialize;
use unicode_width::UnicodeWidthChar;

use crate::identity::Identity;

/// The person at the other end.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Who {
    /// As the cluster sees them.
    pub username: String,
    /// The groups in their certificate.
    pub groups: Vec<String>,
    /// The provider that vouches for them.
    pub issuer: String,
    /// Its own name for them.
    pub subject: String,
    /// When the certificate ends.
    pub until: Timestamp,
}

impl Who {
    /// The owner of a certificate that is good until `until`.
    #[must_use]
    pub fn new(identity: &Identity, until: Timestamp) -> Self {
        Self {
            username: identity.username().to_owned(),
            groups: identity.groups().iter().cloned().collect(),
            issuer: identity.issuer().to_owned(),
            subject: identity.subject().to_owned(),
            until,
        }
    }
}

/// What the answer is printed on.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Paper {
    /// Columns of the terminal; `None` where there is none, and nothing is cut.
    pub width: Option<u16>,
    /// Whether the terminal shows colours and the person wants them.
    pub colour: bool,
}

impl Paper {
    pub(super) fn bold(self, text: &str) -> String {
        self.paint("1", text)
    }

    /// For what needs attention soon.
    pub(super) fn warn(self, text: &str) -> String {
        self.paint("33", text)
    }

    fn paint(self, code: &str, text: &str) -> String {
        if self.colour { format!("\x1b[{code}m{text}\x1b[0m") } else { text.to_owned() }
    }

    /// Cuts each line at the terminal's edge, so that a table stays one. Only for text without colours.
    pub(super) fn fit(self, text: &str) -> String {
        let Some(width) = self.width.map(usize::from).filter(|width| *width >= 20) else {
            return text.to_owned();
        };
        text.lines().map(|line| cut(line, width) + "\n").collect()
    }
}

fn cut(line: &str, width: usize) -> String {
    let mut used = 0;
    let mut kept = String::new();
    for char in line.chars() {
        used += char.width().unwrap_or_default();
        if used > width {
            // The last column goes to the sign that something is missing.
            while kept.chars().map(|kept| kept.width().unwrap_or_default()).sum::<usize>() >= width {
                kept.pop();
            }
            kept.push('…');
            return kept;
        }
        kept.push(char);
    }
    kept
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_cut_at_the_edge_of_the_terminal_and_nowhere_else() {
        let paper = |width| Paper { width, colour: false };
        let text = "0123456789012345678\n01234567890123456789\n012345678901234567890\n";
        assert_eq!(paper(None).fit(text), text);
        assert_eq!(
            paper(Some(20)).fit(text),
            "0123456789012345678\n01234567890123456789\n0123456789012345678…\n"
        );
        assert_eq!(paper(Some(3)).fit(text), text);
        assert_eq!(paper(Some(20)).fit("日本日本日本日本日本日本"), "日本日本日本日本日…\n");
    }

    #[test]
    fn colours_come_only_when_they_are_wanted() {
        assert_eq!(Paper::default().bold("x"), "x");
        assert_eq!(Paper { width: None, colour: true }.bold("x"), "\x1b[1mx\x1b[0m");
    }
}
