//! Reading the line at its end.

use std::time::Duration;

use super::super::picture::Row;
use super::super::typed::{masks, shown_within, squashed};
use super::{
    Line, MOST_WAIT, Next, QUIET, Reader, SILENCE, SILENCE_BEFORE_PROMPT, SILENCE_IN_ECHO, Whose, search_line,
};

/// What stands on the screen behind the prompt.
struct Region {
    text: String,
    /// The part left of the cursor.
    left: String,
    /// The pattern, where it is what a search through the history shows.
    pattern: Option<String>,
}

impl Reader {
    /// The held line, once it can be read.
    pub(super) fn read_held(&mut self, since: Duration, now: Duration) -> Next {
        self.picture.settle();
        self.look_back();
        if self.held.as_ref().is_some_and(|held| held.perhaps)
            && let Some(next) = self.read_perhaps(since, now)
        {
            return next;
        }
        let region = self.region();
        let typed = squashed(self.typed.text());
        let answered = self.last_output >= self.last_key && self.last_output > Duration::ZERO;
        let quiet_at = self.last_output + self.lag.patience(QUIET);
        let agree = region.as_ref().is_some_and(|region| match &region.pattern {
            Some(pattern) => answered && squashed(pattern).ends_with(&typed) && now >= quiet_at,
            None if self.typed.whole() => squashed(&region.text) == typed,
            None if typed.is_empty() => answered && now >= quiet_at,
            None => answered && squashed(&region.left).ends_with(&typed),
        });
        let coming = self.typed.whole()
            && !self.mute
            && region.as_ref().is_some_and(|region| typed.starts_with(&*squashed(&region.text)));
        let silence = if coming { SILENCE_IN_ECHO } else { self.lag.patience(SILENCE) };
        let end = (self.last_output.max(since) + silence).min(since + MOST_WAIT);
        self.mute = !agree && (self.mute || coming && now >= end);
        if !agree && now < end {
            let soon = answered && typed.is_empty() && quiet_at > now;
            return Next::Wait(if soon { quiet_at.min(end) } else { end });
        }
        let region = region.or_else(|| self.over_rows(&self.picture.row()));
        let line = self.line(region, agree, &typed);
        if line.lost.is_none() && line.text.trim().is_empty() {
            // An empty line does nothing.
            let bytes = self.pass(now);
            return Next::Pass(bytes);
        }
        if let Some(held) = &mut self.held {
            held.judged = Some(line.clone());
        }
        Next::Line(line)
    }

    /// What becomes of a line that seems to be a program's; `None` once it is the shell's.
    fn read_perhaps(&mut self, since: Duration, now: Duration) -> Option<Next> {
        if self.shell_reads() {
            self.shells_after_all();
            self.held.as_mut()?.perhaps = false;
            return None;
        }
        let row = self.picture.row();
        let echo = row.text.strip_prefix(self.place.prompt.trim_end()).unwrap_or_default();
        let shown = if self.typed.whole() {
            squashed(echo).ends_with(&squashed(self.typed.text()))
        } else {
            !echo.trim().is_empty()
        };
        let silence =
            if self.place.prompt.is_empty() { SILENCE_BEFORE_PROMPT } else { self.lag.patience(SILENCE) };
        let end = (self.last_output.max(since) + silence).min(since + MOST_WAIT);
        if !shown && now < end {
            return Some(Next::Wait(end));
        }
        let byte = self.held.take()?.byte;
        self.programs_line();
        Some(Next::Pass(vec![byte]))
    }

    fn line(&self, region: Option<Region>, agree: bool, typed: &str) -> Line {
        let whole = |text: String| format!("{}{}", self.before, text);
        let Some(region) = region else {
            return Line { text: String::new(), or: None, lost: Some("the typed line is not on the screen") };
        };
        if agree {
            // What was typed says more than the screen can: characters without width, blanks.
            let exact = self.typed.whole() && region.pattern.is_none();
            let text = if exact {
                self.typed.text().trim_end().to_owned()
            } else {
                region.text.trim_end().to_owned()
            };
            return Line { text: whole(text), or: None, lost: None };
        }
        let shown = region.text.trim_end().to_owned();
        if !typed.is_empty() && masks(&shown, typed) {
            return Line {
                text: String::new(),
                or: None,
                lost: Some("what was typed at the shell's prompt was not shown"),
            };
        }
        if self.typed.whole() {
            // Only what was shown may be told to anybody.
            let visible = shown_within(typed, &shown);
            let or = visible.then(|| whole(self.typed.text().to_owned()));
            return Line { text: whole(shown), or, lost: Some("the screen does not show what was typed") };
        }
        let lost = (!typed.is_empty() && !squashed(&shown).contains(typed) && region.pattern.is_none())
            .then_some("the screen does not show what was typed");
        Line { text: whole(shown), or: None, lost }
    }

    fn region(&self) -> Option<Region> {
        let row = self.picture.row();
        if self.picture.alternate() {
            let (at, end) = self.in_alternate(&row)?;
            let text = row.text.get(at..end)?.trim_end().to_owned();
            let left = row.left().get(at..).unwrap_or_default().to_owned();
            return Some(Region { text, left, pattern: None });
        }
        if let Some(at) = self.input_of(&row.text) {
            let mut text = row.text.get(at..).unwrap_or_default().to_owned();
            if self.typed.text().contains('\n') {
                for below in self.picture.below(&row) {
                    text.push('\n');
                    text.push_str(&below.text);
                }
            }
            let left = row.left().get(at..).unwrap_or_default().to_owned();
            return Some(Region { text, left, pattern: None });
        }
        if let Some((pattern, found)) = search_line(&row.text) {
            return Some(Region {
                text: found.to_owned(),
                left: String::new(),
                pattern: Some(pattern.to_owned()),
            });
        }
        if let Some(at) = self.ran_into(&row) {
            let text = row.text.get(at..).unwrap_or_default().to_owned();
            return Some(Region { left: text.clone(), text, pattern: None });
        }
        let ours = matches!(self.place.whose, Some(Whose::Shell(_)));
        (ours || self.typed.rows()).then(|| self.over_rows(&row)).flatten()
    }

    /// Input over several rows with line ends between them.
    fn over_rows(&self, row: &Row) -> Option<Region> {
        let mut rows = vec![(row.text.clone(), row.left().to_owned())];
        let mut found = false;
        for above in self.picture.above(row) {
            if let Some(at) = self.input_of(&above.text) {
                let text = above.text.get(at..).unwrap_or_default().to_owned();
                rows.push((text.clone(), text));
                found = true;
                break;
            }
            rows.push((above.text.clone(), above.text));
        }
        if !found {
            return None;
        }
        rows.reverse();
        let lefts: Vec<String> = rows.iter().map(|(_, left)| left.clone()).collect();
        let mut texts: Vec<String> = rows.into_iter().map(|(text, _)| text).collect();
        texts.extend(self.picture.below(row).into_iter().map(|row| row.text));
        let joined =
            |rows: &[String]| self.picture.view().as_text(rows, &self.place.prompt, self.picture.bracketed());
        Some(Region { text: joined(&texts), left: joined(&lefts), pattern: None })
    }

    /// Where the input begins in a row, behind its prompt.
    fn input_of(&self, row: &str) -> Option<usize> {
        let ours = matches!(self.place.whose, Some(Whose::Shell(_))) && row.starts_with(&self.place.prompt);
        let here = ours.then_some(self.place.prompt.len());
        if self.place.continued { here } else { here.max(self.prompts.begins(row)) }
    }

    /// Where the input begins, if the prompt came in behind something that was typed ahead.
    pub(super) fn ran_into(&self, row: &Row) -> Option<usize> {
        if !self.typed.whole() || self.typed.text().is_empty() {
            return None;
        }
        let at = self.prompts.within(&row.text)?;
        let rest = row.text.get(at..)?;
        (squashed(rest) == squashed(self.typed.text())).then_some(at)
    }

    /// In a full-screen program such as tmux: where the input of a shell begins and ends in the row.
    pub(super) fn in_alternate(&self, row: &Row) -> Option<(usize, usize)> {
        self.prompts.in_pane(row)
    }
}
