//! What is typed at an open shell without rules, from the screen: a state machine without I/O or a clock.
//!
//! Nothing waits for it: keys and output are told to it as they pass. Keys say when a line begins and ends; the line itself
//! is what stands on the row when the cursor leaves it by the echo of Enter. What no row shows is never given away.
//!
//! Where its guarantee ends: it reads what the screen says, as the guardrail does, and later than that. Who wants to run
//! something unseen can; `docs/guardrail-gaps.md` names how.

use std::time::Duration;

use secrecy::zeroize::Zeroizing;

use super::keys::{Key, Keys};
use super::picture::Picture;
use super::prompts::{CONTINUED, Whose};
use super::typed::{Typed, squashed};
use crate::terminal::Size;

mod compound;
mod rows;

pub use compound::unfinished;
#[cfg(test)]
use rows::MOST_JOINED;
pub(super) use rows::Seen;
use rows::{End, HASTY, Place, Rows};

/// How long after a line's end no prompt means that a command has only begun.
const START: Duration = Duration::from_millis(500);
/// The same, for the shell itself to start.
const STARTUP: Duration = Duration::from_secs(3);
/// Silence behind some text after a command began: a program asks for something.
const ASKING: Duration = Duration::from_millis(60);
/// A line whose echo has not come by then, with a prompt shown, was not echoed.
const ECHO: Duration = Duration::from_secs(1);

/// What was typed and shown by no row is kept this long after its line's end: it may be a password.
const KEPT: Duration = Duration::from_secs(10);

/// See the module.
pub(super) struct Watcher {
    picture: Picture,
    keys: Keys,
    rows: Rows,
    typed: Typed,
    /// Whose input it is; `None` before the first key.
    place: Option<Place>,
    /// The first key went to a full-screen program.
    full: bool,
    in_paste: bool,
    last_output: Duration,
    /// The last key of the line.
    last_key: Duration,
    /// When a command may have begun.
    began: Duration,
    /// How long what no row shows is kept.
    keeps: Duration,
}

impl Watcher {
    pub(super) fn new(size: Size) -> Self {
        Self {
            picture: Picture::new(size),
            keys: Keys::new(),
            rows: Rows::default(),
            typed: Typed::new(),
            place: None,
            full: false,
            in_paste: false,
            last_output: Duration::ZERO,
            last_key: Duration::ZERO,
            began: Duration::ZERO,
            keeps: KEPT,
        }
    }

    /// Output of the pod, before it is shown.
    pub(super) fn output(&mut self, bytes: &[u8], now: Duration) {
        self.last_output = now;
        let Self { picture, rows, .. } = self;
        if rows.wants() {
            picture.observe(bytes, &mut |view| rows.left(view));
        } else {
            picture.output(bytes);
        }
    }

    pub(super) fn resize(&mut self, size: Size) {
        self.picture.resize(size);
    }

    /// What the person typed; it has passed, or passes at the same time.
    pub(super) fn input(&mut self, bytes: &[u8], now: Duration) {
        for byte in bytes {
            if let Some(key) = self.keys.feed(*byte) {
                self.key(key, *byte, now);
            }
        }
    }

    /// More was typed than could be followed.
    pub(super) fn overrun(&mut self) {
        self.keys = Keys::new();
        self.in_paste = false;
        self.typed.edited();
        self.rows.lost("more was typed at once than is followed", "");
    }

    /// When something is to be forgotten, if nothing shows it until then.
    pub(super) fn forgets(&self) -> Option<Duration> {
        self.rows.oldest_known().map(|at| at + self.keeps)
    }

    /// Forgets what was typed and no row has shown for so long: if one still comes, it is read as it stands.
    pub(super) fn forget(&mut self, now: Duration) {
        let keeps = self.keeps;
        self.rows.forget(|at| now >= at + keeps);
    }

    /// What is on no row yet is read as it stands; nothing comes after this.
    pub(super) fn finish(&mut self) {
        self.picture.catch_up();
        self.rows.finish(&self.picture.view());
    }

    /// The oldest of what was seen; it stays until [`Watcher::noted`].
    pub(super) fn seen(&self) -> Option<&Seen> {
        self.rows.found.front()
    }

    pub(super) fn noted(&mut self) {
        self.rows.found.pop_front();
    }

    fn key(&mut self, key: Key, byte: u8, now: Duration) {
        if self.full {
            self.picture.catch_up();
            if !self.picture.alternate() {
                self.new_line();
            }
        }
        if self.place.is_none() {
            self.begin(now);
        }
        if key != Key::Enter {
            self.last_key = now;
        }
        match key {
            Key::Enter if self.in_paste && byte != 0x0f => self.typed.push('\n'),
            Key::Enter => self.entered(now),
            Key::End if self.typed.any() => self.typed.edited(),
            Key::End => self.new_line(),
            Key::Interrupt => {
                self.rows.given_up();
                self.began = now;
                self.in_paste = false;
                self.new_line();
            }
            // Nobody asked for brackets: whoever reads takes them for keys.
            Key::PasteBegins | Key::PasteEnds if !self.picture.bracketed() => self.typed.edited(),
            Key::PasteBegins | Key::PasteEnds => self.in_paste = key == Key::PasteBegins,
            Key::Editor => {
                if matches!(self.place, Some(Place::Shell { .. })) {
                    self.rows.lost("the line went to an editor, and what comes back runs unread", "");
                }
                self.typed.edited();
            }
            Key::Text(c) => self.typed.push(c),
            Key::Erase => self.typed.erase(),
            Key::Kill => self.typed.kill(),
            Key::Nothing => {}
            Key::Other if self.in_paste && byte == b'\t' => self.typed.push(' '),
            Key::Other => self.typed.edited(),
        }
    }

    fn new_line(&mut self) {
        self.typed = Typed::new();
        self.place = None;
        self.full = false;
    }

    /// The first key of a line: what stands left of the cursor is the prompt, where one has come.
    fn begin(&mut self, now: Duration) {
        self.picture.catch_up();
        self.rows.looked_again();
        if let Some(mark) = self.picture.take_mark() {
            self.rows.prompts.mark(&mark);
        }
        self.full = self.picture.alternate();
        if self.full {
            self.place = Some(Place::Program { prompt: String::new() });
            return;
        }
        let row = self.picture.row();
        let left = row.left().to_owned();
        let continues = self.rows.continues() && left == CONTINUED;
        let rows = &mut self.rows;
        let prompt = continues || rows.prompts.recognises(&left, rows.last.as_deref());
        if prompt && row.cursor == row.text.len() {
            // The shell reads: what was typed before has gone to somebody.
            rows.over(|end| end.rows > 0 || now >= end.at + ECHO);
        }
        let begins = if rows.prompts.knows_none() && rows.last.is_none() { STARTUP } else { START };
        let asking = !left.trim().is_empty() && now >= self.last_output + ASKING;
        if rows.waits() || !prompt && !asking && now < self.began + begins {
            self.place = Some(Place::Unsettled);
            return;
        }
        let place = if continues {
            if rows.text_follows() {
                Place::Program { prompt: left }
            } else {
                Place::Shell { prompt: left, continued: true }
            }
        } else {
            rows.command_over();
            match rows.prompts.learn(&left, rows.last.as_deref()) {
                Whose::Shell(length) => {
                    let prompt = left.get(..length).unwrap_or(&left).to_owned();
                    Place::Shell { prompt, continued: false }
                }
                Whose::Program => Place::Program { prompt: left },
            }
        };
        if let Place::Shell { prompt, .. } = &place {
            rows.shell_again();
            if row.text.len() > prompt.len() {
                // Something stands there already that we did not see typed.
                self.typed.edited();
            }
        }
        self.place = Some(place);
    }

    fn entered(&mut self, now: Duration) {
        let typed = std::mem::replace(&mut self.typed, Typed::new());
        let place = self.place.take().unwrap_or(Place::Unsettled);
        if !matches!(place, Place::Program { .. }) {
            self.began = now;
        }
        self.in_paste = false;
        // What the last keys did is not drawn yet: the row says less than what will run.
        let hasty = !typed.whole() && self.last_output <= self.last_key && now < self.last_key + ASKING;
        if self.full {
            self.full = false;
            self.in_pane(&typed, hasty);
            return;
        }
        if !typed.any() {
            // An empty line does nothing.
            return;
        }
        let hasty = hasty.then(|| {
            self.picture.catch_up();
            self.picture.row().text
        });
        self.rows.entered(End {
            squashed: Zeroizing::new(squashed(typed.text())),
            bracketed: self.picture.bracketed(),
            typed,
            place,
            hasty,
            at: now,
            rows: 0,
            almost: None,
        });
    }

    /// A line ended in a full-screen program. In one such as tmux a shell may read it, and no row is left: it is read as it
    /// stands.
    fn in_pane(&mut self, typed: &Typed, hasty: bool) {
        let row = self.picture.row();
        let Some((at, end)) = self.rows.prompts.in_pane(&row) else { return };
        let shown = row.text.get(at..end).unwrap_or_default().trim_end().to_owned();
        let agrees = !typed.whole() || squashed(&shown) == squashed(typed.text());
        if agrees {
            self.rows.line(&shown, false);
        }
        if hasty {
            self.rows.lost(HASTY, &shown);
        } else if !agrees {
            self.rows.lost("the screen does not show what was typed", &shown);
        }
    }

    /// Forgets sooner.
    #[cfg(test)]
    pub(super) const fn keep(&mut self, time: Duration) {
        self.keeps = time;
    }

    /// Keys of lines that have ended and were not shown.
    #[cfg(test)]
    pub(super) fn known(&self) -> Vec<String> {
        self.rows.known()
    }

    /// What is kept, in bytes, beside the emulator's own rows.
    pub(super) fn kept(&self) -> usize {
        self.picture.kept() + self.rows.kept()
    }
}

mod fuzz;

pub(super) use fuzz::through as fuzz;

#[cfg(test)]
mod tests;
