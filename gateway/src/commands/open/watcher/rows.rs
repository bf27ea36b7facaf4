//! Rows that the cursor left, and the line ends that they answer.

use std::collections::VecDeque;
use std::time::Duration;

use sallyport_policy::line::LONGEST_LINE;
use secrecy::zeroize::Zeroizing;

use super::super::picture::{Row, View};
use super::super::prompts::{CONTINUED, Prompts};
use super::super::reader::search_line;
use super::super::typed::{Typed, squashed};
use super::compound::unfinished;

/// Line ends that wait for their rows, and what was typed before them, in bytes.
const MOST_ENDS: usize = 512;
const MOST_TYPED: usize = 256 * 1024;
/// How many of them a row may answer; what was not echoed stands between.
const REACH: usize = 16;
/// Rows that are looked at for one line end, and for what may still be shown again.
const MOST_ROWS: usize = 4096;
/// Lines into programs that the shell may still take.
const MOST_SHOWN: usize = 16;
/// Lines that are read as one command: all of it is read anew with each.
pub(super) const MOST_JOINED: usize = 256;
/// What was seen and waits for being put on record. A person's line makes one or two; more come only while nobody asks.
const MOST_FOUND: usize = 512;

/// Why a line is not sure.
pub(super) const HASTY: &str = "keys came faster than the screen showed what they did";

/// What was seen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in super::super) enum Seen {
    /// A line that the shell took, with the lines before it that it continues.
    Line(String),
    /// One that was typed before there was a prompt: the shell took it, or the program that ran.
    Ahead(String),
    /// A line into a program.
    Program(String),
    /// It is not known what was typed; this much was shown.
    Lost {
        /// Why.
        why: &'static str,
        /// What the screen showed.
        shown: String,
    },
}

/// The row that a line was begun on.
#[derive(Debug)]
pub(super) enum Place {
    /// A shell's.
    Shell {
        /// What stands before the input.
        prompt: String,
        /// It continues a command.
        continued: bool,
    },
    /// A program's.
    Program {
        /// What stands before the input.
        prompt: String,
    },
    /// A command had only begun, or other lines had not been echoed yet.
    Unsettled,
}

/// A line's end that has passed and whose row has not been left yet.
pub(super) struct End {
    pub(super) typed: Typed,
    /// The same as a screen can show it.
    pub(super) squashed: Zeroizing<String>,
    /// Whether the shell's editor can hold line ends.
    pub(super) bracketed: bool,
    pub(super) place: Place,
    /// It ended before the screen could show what its last keys did: what the row said then.
    pub(super) hasty: Option<String>,
    pub(super) at: Duration,
    /// Rows that were left since and are something else.
    pub(super) rows: usize,
    /// What stood behind the prompt on one of those.
    pub(super) almost: Option<String>,
}

/// What a row is to a line's end.
enum Answer {
    /// The shell's line.
    Line { text: String, continued: bool },
    /// What was typed, without a prompt of the shell's.
    Echo(String),
    /// It stood here, and was not shown, or was empty.
    Hidden,
}

/// See the module.
#[derive(Default)]
pub(super) struct Rows {
    pub(super) prompts: Prompts,
    ends: VecDeque<End>,
    /// Lines that were seen going to a program.
    shown: VecDeque<String>,
    /// The shell's last line.
    pub(super) last: Option<String>,
    /// The lines before this one that it may continue, and whether it surely does.
    before: String,
    unfinished: bool,
    /// Rows looked at since the last line began.
    looked: usize,
    /// More waits than is followed.
    overflows: bool,
    pub(super) found: VecDeque<Seen>,
}

impl Rows {
    /// Whether rows matter now.
    pub(super) fn wants(&self) -> bool {
        !self.ends.is_empty() || !self.shown.is_empty() && self.looked < MOST_ROWS
    }

    /// Whether lines wait for their rows.
    pub(super) fn waits(&self) -> bool {
        !self.ends.is_empty()
    }

    /// When the oldest line ended of those that wait for their rows and whose keys are known.
    pub(super) fn oldest_known(&self) -> Option<Duration> {
        self.ends.iter().find(|end| end.typed.known()).map(|end| end.at)
    }

    /// Keeps only of these lines that they ended, not what was typed.
    pub(super) fn forget(&mut self, ended: impl Fn(Duration) -> bool) {
        for end in self.ends.iter_mut().filter(|end| ended(end.at)) {
            end.typed.forget();
            end.squashed = Zeroizing::default();
        }
    }

    /// What is kept of keys that no row has shown.
    #[cfg(test)]
    pub(super) fn known(&self) -> Vec<String> {
        let both = self.ends.iter().flat_map(|end| [end.typed.text(), end.squashed.as_str()]);
        let mut all: Vec<String> = both.filter(|text| !text.is_empty()).map(str::to_owned).collect();
        all.dedup();
        all
    }

    pub(super) const fn looked_again(&mut self) {
        self.looked = 0;
    }

    /// Whether the next line may continue one.
    pub(super) const fn continues(&self) -> bool {
        !self.before.is_empty()
    }

    /// Whether what continues it is input of a program.
    pub(super) fn text_follows(&self) -> bool {
        self.before.contains("<<")
    }

    /// A line that does not continue the last one begins: an unfinished one was finished after all.
    pub(super) fn command_over(&mut self) {
        let before = std::mem::take(&mut self.before);
        if std::mem::take(&mut self.unfinished) {
            self.see(Seen::Line(before.trim_end().to_owned()));
        }
    }

    /// Ctrl-C: what was not finished does not run.
    pub(super) fn given_up(&mut self) {
        self.before.clear();
        self.unfinished = false;
    }

    /// The shell reads again.
    pub(super) fn shell_again(&mut self) {
        self.shown.clear();
    }

    /// A line ended.
    pub(super) fn entered(&mut self, end: End) {
        let typed: usize = self.ends.iter().map(|end| end.squashed.len()).sum();
        if self.ends.len() >= MOST_ENDS || typed + end.squashed.len() > MOST_TYPED {
            // Once for all of a flood.
            if !std::mem::replace(&mut self.overflows, true) {
                self.lost("more was typed ahead than is followed", "");
            }
            return;
        }
        self.overflows &= !self.ends.is_empty();
        self.ends.push_back(end);
    }

    /// These of the oldest line ends wait for nothing any more.
    pub(super) fn over(&mut self, is_over: impl Fn(&End) -> bool) {
        while self.ends.front().is_some_and(&is_over)
            && let Some(end) = self.ends.pop_front()
        {
            self.missed(end);
        }
    }

    /// The cursor is about to leave a row.
    pub(super) fn left(&mut self, view: &View<'_>) {
        if !self.wants() {
            return;
        }
        self.looked += 1;
        let row = view.row();
        if self.answered(&row, view) {
            return;
        }
        for end in self.ends.iter_mut().take(REACH) {
            end.rows += 1;
        }
        if self.ends.front().is_some_and(|end| end.rows > MOST_ROWS)
            && let Some(end) = self.ends.pop_front()
        {
            self.missed(end);
        }
        if let Some(prompt) = self.prompts.begins(&row.text).filter(|length| *length > 0) {
            let text = squashed(row.text.get(prompt..).unwrap_or_default());
            if let Some(at) = self.shown.iter().position(|shown| *shown == text) {
                // What a program did not read the shell has read now.
                self.shown.remove(at);
                self.line(&text, false);
            }
        }
    }

    /// Finds the line end that a row answers.
    fn answered(&mut self, row: &Row, view: &View<'_>) -> bool {
        let mut hidden = false;
        let mut found = None;
        for at in 0..self.ends.len().min(REACH) {
            match self.answer(at, row, view) {
                Some(Answer::Hidden) => hidden |= at == 0,
                Some(answer) => {
                    found = Some((at, answer));
                    break;
                }
                None => {}
            }
        }
        let Some((at, answer)) = found else {
            if hidden {
                self.ends.pop_front();
            }
            return hidden;
        };
        for _ in 0..at {
            if let Some(end) = self.ends.pop_front() {
                self.missed(end);
            }
        }
        let Some(end) = self.ends.pop_front() else { return false };
        match (answer, end.place) {
            (Answer::Line { text, continued }, place) => {
                self.line(&text, continued);
                // Shells draw what they were told before they leave the row; one that drew nothing may have held back more.
                let drawn = |before: &String| matches!(place, Place::Shell { .. }) && *before != row.text;
                if end.hasty.is_some_and(|before| !drawn(&before)) {
                    self.lost(HASTY, &text);
                }
            }
            (Answer::Echo(text), Place::Program { .. }) => {
                if self.shown.len() == MOST_SHOWN {
                    self.shown.pop_front();
                }
                self.shown.push_back(text.clone());
                self.see(Seen::Program(text));
            }
            // A shell without a line editor that needs more to a command.
            (Answer::Echo(text), _) if self.unfinished => self.line(&text, true),
            (Answer::Echo(text), _) if self.text_follows() => self.see(Seen::Program(text)),
            (Answer::Echo(text), _) => {
                self.last = Some(text.clone());
                self.see(Seen::Ahead(text));
            }
            (Answer::Hidden, _) => {}
        }
        true
    }

    fn answer(&mut self, at: usize, row: &Row, view: &View<'_>) -> Option<Answer> {
        let end = self.ends.get(at)?;
        let whole = end.typed.whole();
        if let Some((text, continued)) = self.of_shell(end, row, view) {
            let typed = end.typed.text().trim_end();
            // Some shells show something at the right of the row.
            let beside = |rest: &str| !typed.is_empty() && rest.starts_with("  ");
            let agrees =
                !whole || squashed(&text) == *end.squashed || text.strip_prefix(typed).is_some_and(beside);
            if agrees && text.trim().is_empty() {
                return Some(Answer::Hidden);
            }
            if agrees {
                // What was typed says more than the screen can: characters without width, blanks.
                let exact = end.typed.text().trim_end();
                let text = if whole { exact.to_owned() } else { text.trim_end().to_owned() };
                return Some(Answer::Line { text, continued });
            }
            if !matches!(end.place, Place::Program { .. })
                && let Some(end) = self.ends.get_mut(at)
            {
                end.almost.get_or_insert_with(|| text.trim_end().to_owned());
                return None;
            }
        }
        let end = self.ends.get(at)?;
        if whole && !end.squashed.is_empty() && self.behind(at, row) {
            let exact = self.ends.get(at)?.typed.text().trim_end().to_owned();
            return Some(Answer::Line { text: exact, continued: false });
        }
        let end = self.ends.get(at)?;
        let prompt = match &end.place {
            Place::Program { prompt } => prompt.trim_end(),
            _ if self.text_follows() => CONTINUED.trim_end(),
            _ => "",
        };
        let behind = row.text.strip_prefix(prompt).filter(|_| !prompt.is_empty());
        let text = squashed(behind.unwrap_or(&row.text)).trim_start().to_owned();
        let typed = end.squashed.trim_start();
        match behind {
            _ if whole && !typed.is_empty() && text == typed => Some(Answer::Echo(text)),
            Some(_) if !whole && !text.is_empty() => Some(Answer::Echo(text)),
            Some(_) => Some(Answer::Hidden),
            None => None,
        }
    }

    /// What stands on a row as a shell's line, and whether it continues one.
    fn of_shell(&self, end: &End, row: &Row, view: &View<'_>) -> Option<(String, bool)> {
        let text = row.text.as_str();
        let behind = |at: usize| text.get(at..).unwrap_or_default().to_owned();
        let known = self.prompts.begins(text).filter(|length| *length > 0);
        if let Place::Shell { prompt, continued } = &end.place
            && text.starts_with(prompt)
            && (!prompt.is_empty() || end.rows == 0)
        {
            let here = prompt.len();
            let at = if *continued { here } else { here.max(known.unwrap_or(0)) };
            return Some((behind(at), *continued));
        }
        if let Some(at) = known {
            return Some((behind(at), false));
        }
        if self.unfinished && text.starts_with(CONTINUED) {
            return Some((behind(CONTINUED.len()), true));
        }
        if let Some((_, found)) = search_line(text) {
            return Some((found.to_owned(), false));
        }
        let shells = !matches!(end.place, Place::Program { .. });
        if shells && end.typed.rows() { self.over_rows(end, row, view) } else { None }
    }

    /// Input over several rows with line ends between them.
    fn over_rows(&self, end: &End, row: &Row, view: &View<'_>) -> Option<(String, bool)> {
        let mut rows = vec![row.text.clone()];
        for above in view.above(row) {
            let ours = match &end.place {
                Place::Shell { prompt, .. } if !prompt.is_empty() && above.text.starts_with(prompt) => {
                    Some(prompt.len())
                }
                _ => self.prompts.begins(&above.text).filter(|length| *length > 0),
            };
            let Some(at) = ours else {
                rows.push(above.text);
                continue;
            };
            let (prompt, first) = above.text.split_at_checked(at)?;
            rows.push(first.to_owned());
            rows.reverse();
            let continued = matches!(end.place, Place::Shell { continued: true, .. });
            return Some((view.as_text(&rows, prompt, end.bracketed), continued));
        }
        None
    }

    /// Whether the row ends with what was typed, behind what is a shell's prompt.
    fn behind(&mut self, at: usize, row: &Row) -> bool {
        let Some(end) = self.ends.get(at) else { return false };
        if matches!(end.place, Place::Program { .. }) {
            return false;
        }
        let Some(prompt) = row.text.trim_end().strip_suffix(end.typed.text().trim_end()) else {
            return false;
        };
        self.prompts.behind(prompt)
    }

    /// The shell took a line.
    pub(super) fn line(&mut self, text: &str, continued: bool) {
        if !continued {
            self.command_over();
        }
        let whole = format!("{}{text}", self.before);
        self.last = Some(text.to_owned());
        let short = whole.len() < LONGEST_LINE && whole.matches('\n').count() < MOST_JOINED;
        self.unfinished = short && unfinished(&whole);
        if !self.unfinished {
            self.see(Seen::Line(whole.clone()));
        }
        self.before = if short { format!("{whole}\n") } else { String::new() };
    }

    pub(super) fn lost(&mut self, why: &'static str, shown: &str) {
        self.see(Seen::Lost { why, shown: shown.to_owned() });
    }

    fn see(&mut self, seen: Seen) {
        if self.found.len() < MOST_FOUND {
            self.found.push_back(seen);
        } else if let Some(last) = self.found.back_mut() {
            *last = Seen::Lost { why: "more was typed at once than is followed", shown: String::new() };
        }
    }

    /// A line's end that no row answers.
    fn missed(&mut self, end: End) {
        let shown = end.almost.filter(|text| !text.is_empty());
        match (end.place, shown) {
            (Place::Program { .. }, _) => {}
            (_, Some(shown)) => {
                self.line(&shown, false);
                self.lost("the screen does not show what was typed", &shown);
            }
            (Place::Shell { .. }, None) => {
                self.lost("what was typed at the shell's prompt was not shown", "");
            }
            (Place::Unsettled, None) => self.lost("what was typed ahead of a prompt was not shown", ""),
        }
    }

    /// Nothing comes any more: what can be read is.
    pub(super) fn finish(&mut self, view: &View<'_>) {
        if !self.ends.is_empty() {
            self.answered(&view.row(), view);
        }
        while let Some(end) = self.ends.pop_front() {
            self.missed(end);
        }
        self.command_over();
    }

    /// What is kept, in bytes.
    pub(super) fn kept(&self) -> usize {
        let ends: usize = self.ends.iter().map(|end| end.squashed.len() * 2 + 256).sum();
        let seen = |seen: &Seen| match seen {
            Seen::Line(text) | Seen::Ahead(text) | Seen::Program(text) => text.len(),
            Seen::Lost { shown, .. } => shown.len(),
        };
        ends + self.found.iter().map(seen).sum::<usize>()
            + self.shown.iter().map(String::len).sum::<usize>()
            + self.before.len()
    }
}
