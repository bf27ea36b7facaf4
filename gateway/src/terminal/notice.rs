//! A line of our own on a screen that belongs to a program in a pod.
//!
//! [`Screen`] follows what the person's terminal was sent. When a notice is due it is painted over the top row (the
//! bottom one while somebody types at the top), and later every row that differs from what the program drew is painted
//! back. Both times modes, pen and cursor end where the program left them, so neither a shell nor a full-screen editor
//! notices.
//!
//! On a screen that was never cleared rows cannot be addressed, since the session began somewhere below other things;
//! there a notice is a line of its own.
//!
//! Where it ends: the emulator is not the person's terminal. Combining marks in a restored row, images and exotic
//! character sets are lost until the program draws that row again; in the normal screen a notice that scrolls off
//! stays in the terminal's own scroll-back. Following costs a copy per chunk; the emulator runs over it in batches, and
//! not at all over plain text that has scrolled off.

use std::fmt::Write as _;
use std::time::Duration;

use avt::ScreenKind;
use unicode_width::UnicodeWidthChar;

use super::follow::Follower;
use super::render::{self, Modes};
use super::{Size, clean};

/// How long a notice should stay before [`Screen::restore`].
pub const STAY: Duration = Duration::from_secs(8);

/// With the cursor above this row (from 0) the top row is somebody's line.
const NEAR_TOP: usize = 3;

/// Clears the whole screen (ED 2): what `clear`, `reset` and full-screen programs begin with.
const CLEAR: &[u8] = b"\x1b[2J";

/// Output not yet emulated; more than this is worked off at once.
const BATCH: usize = 64 * 1024;

/// Follows a live screen. Feed it everything that is sent to the person's terminal, in order.
pub struct Screen {
    /// What the program drew.
    drawn: Follower,
    /// What the person sees, while that differs.
    seen: Option<Follower>,
    pending: Vec<u8>,
    /// Whether rows of the normal screen are where the emulator has them: a session begins somewhere on a screen
    /// that has other things on it, and only clearing it makes the two the same.
    placed: bool,
}

impl std::fmt::Debug for Screen {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Screen").field("showing", &self.showing()).finish_non_exhaustive()
    }
}

impl Screen {
    /// An empty screen.
    #[must_use]
    pub fn new(size: Size) -> Self {
        Self { drawn: Follower::new(size), seen: None, pending: Vec::new(), placed: false }
    }

    /// Takes note of output that went to the terminal.
    pub fn output(&mut self, bytes: &[u8]) {
        // A sequence that is split between two chunks is missed, which errs on the side of not painting.
        self.placed = self.placed || bytes.windows(CLEAR.len()).any(|window| window == CLEAR);
        self.pending.extend_from_slice(bytes);
        if self.pending.len() >= BATCH {
            self.settle();
        }
    }

    /// The terminal has a new size.
    pub fn resize(&mut self, size: Size) {
        self.settle();
        self.drawn.resize(size);
        if let Some(seen) = &mut self.seen {
            seen.resize(size);
        }
    }

    /// What to send to the terminal now to show `text`: where rows can be addressed, on its top row, or on its bottom row where the cursor is near the
    /// top; replaces a notice that is still there.
    /// `None` while the program is in the middle of an escape sequence or a character: ask again after more output, or
    /// use [`bell`] if it does not come.
    #[must_use]
    pub fn show(&mut self, text: &str) -> Option<Vec<u8>> {
        self.settle();
        let modes = self.ready()?;
        let terminal = &self.drawn.terminal;
        let mut out = String::new();
        if !self.placed && terminal.active_screen_kind() == ScreenKind::Primary {
            // Rows cannot be addressed: a line of its own, as a job in the background would print it.
            out.push_str("\r\n\x1b[0;7m");
            out.push_str(fitted(text, terminal.size().0).trim_end());
            modes.pen(&mut out);
            out.push_str("\r\n");
            self.drawn.feed(out.as_bytes());
            return Some(out.into_bytes());
        }
        modes.enter(&mut out);
        let (columns, rows) = terminal.size();
        // Not over the line that somebody is typing.
        let row = if terminal.cursor().row < NEAR_TOP { rows } else { 1 };
        let _ = write!(out, "\x1b[{row};1H\x1b[0;7m");
        out.push_str(&fitted(text, columns));
        out.push_str("\x1b[0m");
        modes.leave(terminal, &mut out);
        let mut seen = self.seen.take().unwrap_or_else(|| self.drawn.copy());
        seen.feed(out.as_bytes());
        self.seen = Some(seen);
        Some(out.into_bytes())
    }

    /// Whether the person's screen differs from what the program drew.
    #[must_use]
    pub const fn showing(&self) -> bool {
        self.seen.is_some()
    }

    /// What to send to the terminal now to have the program's own rows back. `None` while that cannot be done (see
    /// [`Screen::show`]); ask again as long as [`Screen::showing`]. A notice left on the normal screen while an editor
    /// has the alternate one is taken off when the editor ends.
    #[must_use]
    pub fn restore(&mut self) -> Option<Vec<u8>> {
        self.settle();
        let modes = self.ready()?;
        let mut seen = self.seen.take()?;
        let terminal = &self.drawn.terminal;
        let mut out = String::new();
        let rows = terminal.screen().visible_lines().zip(seen.terminal.screen().visible_lines());
        for (row, (drawn, _)) in rows.enumerate().filter(|(_, (a, b))| a.cells() != b.cells()) {
            if out.is_empty() {
                modes.enter(&mut out);
            }
            render::line(row, drawn, &mut out);
        }
        if !out.is_empty() {
            modes.leave(terminal, &mut out);
            seen.feed(out.as_bytes());
        }
        if terminal.active_screen_kind() == ScreenKind::Alternate && !self.drawn.primary_equals(&seen) {
            self.seen = Some(seen);
        }
        Some(out.into_bytes())
    }

    /// The modes to come back to, if this is a moment at which something may be painted at all.
    fn ready(&self) -> Option<Modes> {
        if !self.drawn.between_sequences() {
            return None;
        }
        let modes = Modes::of(&self.drawn.terminal);
        modes.reachable(&self.drawn.terminal).then_some(modes)
    }

    fn settle(&mut self) {
        let pending = std::mem::take(&mut self.pending);
        if let Some(seen) = &mut self.seen {
            seen.feed(&pending);
            self.drawn.feed(&pending);
        } else {
            self.drawn.feed_from_what_matters(&pending);
        }
        self.pending = pending;
        self.pending.clear();
    }
}

/// A notice where there is no screen to paint on: the bell, and the text in the window's title.
#[must_use]
pub fn bell(text: &str) -> Vec<u8> {
    format!("\x07\x1b]2;{}\x1b\\", clean(text)).into_bytes()
}

/// `text`, cleaned, cut and filled to exactly `columns` cells.
fn fitted(text: &str, columns: usize) -> String {
    let mut line = String::new();
    let mut used = 0;
    for c in std::iter::once(' ').chain(clean(text).chars()) {
        let width = c.width().unwrap_or(0);
        if used + width > columns {
            break;
        }
        used += width;
        line.push(c);
    }
    line.extend(std::iter::repeat_n(' ', columns - used));
    line
}

#[cfg(test)]
mod tests;
