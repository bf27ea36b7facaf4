//! Lines that were typed into programs: noted where their echo showed them, never where it did not.
//!
//! A line that was typed while a program ran may be read by the shell afterwards. Where the shell shows it again behind
//! its prompt this is noticed; a shell that does not (dash) takes it unseen.

use std::collections::VecDeque;

use secrecy::zeroize::Zeroizing;

use super::picture::Row;
use super::reader::Noticed;
use super::typed::{Typed, squashed};

/// The most lines that wait for their echo, and the most that are remembered after it.
const MOST: usize = 16;

/// A line whose echo has not come.
struct Waiting {
    /// What stands before it.
    prompt: String,
    /// As it can be shown; `None` where a key edited it.
    typed: Option<Zeroizing<String>>,
}

/// See the module.
#[derive(Default)]
pub(super) struct Programs {
    waiting: VecDeque<Waiting>,
    /// Lines that were shown, since the shell's last prompt.
    shown: VecDeque<String>,
}

impl Programs {
    /// A line went to a program.
    pub(super) fn entered(&mut self, typed: &Typed, prompt: &str, alternate: bool) {
        if alternate || !typed.any() {
            return;
        }
        if self.waiting.len() == MOST {
            self.waiting.pop_front();
        }
        let text = typed.whole().then(|| Zeroizing::new(squashed(typed.text())));
        self.waiting.push_back(Waiting { prompt: prompt.to_owned(), typed: text });
    }

    /// Whether rows matter that the cursor leaves.
    pub(super) fn waits(&self) -> bool {
        !self.waiting.is_empty() || !self.shown.is_empty()
    }

    /// The person types at a shell's prompt again.
    pub(super) fn shell_again(&mut self) {
        self.waiting.clear();
        self.shown.clear();
    }

    /// The cursor left a row; `prompt` is how long the shell's prompt in it is.
    pub(super) fn left(&mut self, row: &Row, prompt: Option<usize>) -> Option<Noticed> {
        if let Some(prompt) = prompt.filter(|length| *length > 0) {
            let text = squashed(row.text.get(prompt..)?);
            if text.is_empty() {
                return None;
            }
            let waits = |waiting: &Waiting| waiting.typed.as_ref().is_some_and(|typed| **typed == text);
            if let Some(at) = self.shown.iter().position(|shown| *shown == text) {
                self.shown.remove(at);
            } else {
                self.waiting.remove(self.waiting.iter().position(waits)?);
            }
            return Some(Noticed::Ahead(text));
        }
        let waiting = self.waiting.front()?;
        let text = row.text.strip_prefix(waiting.prompt.trim_end())?;
        let text = squashed(text).trim_start().to_owned();
        let waiting = self.waiting.pop_front()?;
        let shown = !text.is_empty() && waiting.typed.is_none_or(|typed| typed.trim_start() == text);
        if !shown {
            return None;
        }
        if self.shown.len() == MOST {
            self.shown.pop_front();
        }
        self.shown.push_back(text.clone());
        Some(Noticed::Program(text))
    }
}
