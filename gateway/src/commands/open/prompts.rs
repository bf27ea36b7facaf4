//! Which rows are a shell's prompt, learned from what the screen showed.
//!
//! Where it ends: a program can show anything, also a shell's prompt; then what is typed there is judged as commands. A
//! shell whose prompt cannot be told from a program's is taken for a program (`docs/guardrail-gaps.md`).

use std::collections::VecDeque;

use super::picture::Row;

/// Prompts kept; the ones not used for longest go.
const MOST: usize = 16;
/// A longer text is not a prompt.
const LONGEST: usize = 512;
/// What a second line of a command is asked for with, where nobody changed it.
pub(super) const CONTINUED: &str = "> ";

/// Whose input it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Whose {
    /// The shell's; the prompt is this long, in bytes of the row.
    Shell(usize),
    /// A program's.
    Program,
}

/// What is known of prompts.
#[derive(Debug, Default)]
pub(super) struct Prompts {
    known: VecDeque<String>,
    /// By OSC 133. A program can say so too, which only makes us stricter.
    marked: Option<String>,
}

impl Prompts {
    pub(super) fn mark(&mut self, left: &str) {
        if !left.is_empty() && left.len() <= LONGEST {
            self.marked = Some(left.to_owned());
        }
    }

    fn all(&self) -> impl Iterator<Item = &str> {
        self.known.iter().chain(&self.marked).map(String::as_str)
    }

    /// How long the prompt is that a row begins with.
    pub(super) fn begins(&self, row: &str) -> Option<usize> {
        self.all().filter(|known| row.starts_with(known)).map(str::len).max()
    }

    /// Where the text begins behind a known prompt that stands somewhere in a row, behind other things.
    pub(super) fn within(&self, row: &str) -> Option<usize> {
        // Short prompts are found everywhere.
        self.all().filter_map(|known| row.find(known).map(|at| at + known.len())).min()
    }

    /// Where the input begins and ends in a row of a full-screen program such as tmux: behind a known prompt, between the
    /// borders of its pane.
    pub(super) fn in_pane(&self, row: &Row) -> Option<(usize, usize)> {
        const BORDERS: [char; 4] = ['│', '|', '┃', '║'];
        let (left, right) = row.text.split_at_checked(row.cursor)?;
        let end = row.cursor + right.find(['│', '┃', '║']).unwrap_or(right.len());
        let starts =
            std::iter::once(0).chain(left.match_indices(BORDERS).map(|(at, border)| at + border.len()));
        starts.into_iter().find_map(|start| {
            let segment = row.text.get(start..end)?;
            let prompt = self.begins(segment)?;
            (!segment.is_empty() && prompt > 0).then_some((start + prompt, end))
        })
    }

    /// Whether no prompt has been seen.
    pub(super) fn knows_none(&self) -> bool {
        self.all().next().is_none()
    }

    /// Takes what stands before a typed line for a prompt, if it looks like a shell's or ends as a known one.
    pub(super) fn behind(&mut self, prompt: &str) -> bool {
        if prompt.is_empty() || prompt.len() > LONGEST {
            return false;
        }
        if self.ends(prompt) {
            return true;
        }
        let ours = shell_like(prompt);
        if ours {
            self.touch(prompt.to_owned());
        }
        ours
    }

    /// Whether what stands left of the cursor is a known prompt, or ends with one after unended output.
    pub(super) fn ends(&self, left: &str) -> bool {
        self.all().any(|known| left == known || !known.is_empty() && left.ends_with(known))
    }

    /// Whether this is a prompt at which a shell reads, or will be taken for one.
    pub(super) fn recognises(&self, left: &str, last: Option<&str>) -> bool {
        self.ends(left) || !left.is_empty() && (names_prompt(last) || self.looks_like_ours(left, last))
    }

    /// Whose prompt this is that somebody begins to type behind, after the shell ran `last`.
    pub(super) fn learn(&mut self, left: &str, last: Option<&str>) -> Whose {
        if let Some(prompt) = self.begins(left) {
            // The rest, if there is one, is a line that was left standing.
            self.touch(left.get(..prompt).unwrap_or(left).to_owned());
            return Whose::Shell(prompt);
        }
        if self.ends(left) {
            return Whose::Shell(left.len());
        }
        if left.len() > LONGEST {
            return Whose::Program;
        }
        if names_prompt(last)
            || !left.is_empty() && (self.known.is_empty() || self.looks_like_ours(left, last))
        {
            self.touch(left.to_owned());
            return Whose::Shell(left.len());
        }
        // Before any prompt was seen the shell is all there is.
        if self.known.is_empty() { Whose::Shell(left.len()) } else { Whose::Program }
    }

    fn looks_like_ours(&self, left: &str, last: Option<&str>) -> bool {
        if shell_like(left) {
            return true;
        }
        let reads_prompts = last.is_some_and(changes_prompts);
        let promptlike = left.trim_end().ends_with(['$', '#', '%', '>', '❯', '➜', 'λ', '»']);
        reads_prompts && promptlike || self.known.iter().any(|known| similar(known, left))
    }

    fn touch(&mut self, prompt: String) {
        self.known.retain(|known| *known != prompt);
        self.known.push_back(prompt);
        if self.known.len() > MOST {
            self.known.pop_front();
        }
    }
}

/// Whether a text ends as shells' prompts do and databases' do not.
fn shell_like(left: &str) -> bool {
    if left.ends_with("$ ") || left.ends_with("% ") {
        return true;
    }
    // `db=# `, `db-# `, `db(# ` are psql's.
    left.strip_suffix("# ")
        .is_some_and(|rest| !rest.ends_with(['=', '-', '(', '\'', '"', '*', '!', '^', ';']))
}

/// Whether a command sets the prompt: whatever comes then is one.
fn names_prompt(last: Option<&str>) -> bool {
    last.is_some_and(|last| last.contains("PS1"))
}

/// Whether a command may have set another prompt or started another shell.
fn changes_prompts(last: &str) -> bool {
    const PROGRAMS: [&str; 14] = [
        "sh", "bash", "dash", "ash", "zsh", "ksh", "su", "exec", "source", ".", "eval", "cd", "pushd", "popd",
    ];
    last.contains("PROMPT")
        || last.split(|c: char| c.is_whitespace() || matches!(c, ';' | '&' | '|')).any(|word| {
            let name = word.rsplit('/').next().unwrap_or(word);
            PROGRAMS.contains(&name) || PROGRAMS.contains(&word)
        })
}

/// Whether two prompts are the same one at another place.
fn similar(known: &str, other: &str) -> bool {
    let tail = |text: &str| text.chars().rev().take(2).collect::<String>();
    let common = known.chars().zip(other.chars()).take_while(|(a, b)| a == b).count();
    let both_short = known.chars().count() <= 3 && other.chars().count() <= 3;
    tail(known) == tail(other)
        && known.trim_end() != ""
        && (common >= 3 || both_short && known.trim_end() == other.trim_end())
}
