//! Text laid out on rows and painted, row by row, below where it began.
//!
//! One machine measures and paints, so the two cannot disagree. A row that is full is followed by the next one at once:
//! the place behind its last character is the first column below, also on terminals that would rather wait.

use std::io::Write as _;

use super::text::width;

/// A place, counted from where the prompt begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Place {
    pub(super) row: usize,
    pub(super) column: usize,
}

/// Before every line but the first.
const CONTINUED: &str = "> ";

/// Lays text out, and paints what lies in a window of rows.
pub(super) struct Pen<'a> {
    out: Option<&'a mut Vec<u8>>,
    columns: usize,
    /// The rows that are painted: from here, and before there.
    window: (usize, usize),
    at: Place,
    /// The row is full and the cursor waits at its end.
    waiting: bool,
    /// The row that the terminal's cursor is in.
    row: usize,
    /// What follows lies below the window.
    over: bool,
}

impl<'a> Pen<'a> {
    pub(super) fn measure(columns: usize, at: Place) -> Self {
        let window = (0, usize::MAX);
        Self { out: None, columns: columns.max(1), window, at, waiting: false, row: at.row, over: false }
    }

    /// The terminal's cursor is at `at`, or in the window's first row where that is above it.
    pub(super) fn paint(out: &'a mut Vec<u8>, columns: usize, window: (usize, usize), at: Place) -> Self {
        let row = at.row.max(window.0);
        Self { out: Some(out), columns: columns.max(1), window, at, waiting: false, row, over: false }
    }

    fn put(&mut self, bytes: &[u8]) {
        if self.at.row >= self.window.0
            && let Some(out) = &mut self.out
        {
            out.extend_from_slice(bytes);
        }
    }

    fn next_row(&mut self) {
        self.at = Place { row: self.at.row + 1, column: 0 };
        self.waiting = false;
        if self.at.row >= self.window.1 {
            self.over = true;
        } else {
            self.row = self.row.max(self.at.row);
        }
    }

    fn glyph(&mut self, character: char) {
        let columns = width(character);
        let mut utf8 = [0; 4];
        let bytes = character.encode_utf8(&mut utf8).as_bytes();
        if self.over {
            return;
        }
        if columns == 0 {
            return self.put(bytes);
        }
        if self.waiting {
            self.next_row();
        } else if self.at.column + columns > self.columns && self.at.column > 0 {
            // A wide character that does not fit leaves a hole.
            self.put(b"\x1b[K");
            self.next_row();
        }
        if self.over {
            return;
        }
        self.put(bytes);
        self.at.column += columns;
        self.waiting = self.at.column >= self.columns;
    }

    /// No longer waits at the end of a full row.
    fn settle(&mut self) {
        if self.waiting && !self.over {
            if self.at.row + 1 < self.window.1 {
                self.put(b" \r");
            }
            self.next_row();
        }
    }

    /// Paints text in a style.
    pub(super) fn prompt(&mut self, text: &str, style: &str) {
        self.put(style.as_bytes());
        for character in text.chars() {
            self.glyph(character);
        }
        if !style.is_empty() {
            self.put(b"\x1b[0m");
        }
    }

    pub(super) fn character(&mut self, character: char) {
        match character {
            '\t' => self.glyph('␉'),
            '\n' => {
                self.settle();
                if self.over {
                    return;
                }
                self.put(if self.at.row + 1 < self.window.1 { b"\x1b[K\r\n" } else { b"\x1b[K" });
                self.next_row();
                for character in CONTINUED.chars() {
                    self.glyph(character);
                }
            }
            character => self.glyph(character),
        }
    }

    /// Where the next character goes.
    pub(super) const fn place(&self) -> Place {
        if self.waiting { Place { row: self.at.row + 1, column: 0 } } else { self.at }
    }

    /// Ends the text, clears what was below (unless nothing can be), and says in which row the terminal's cursor is.
    pub(super) fn finish(mut self, clear: bool) -> usize {
        self.settle();
        if clear && !self.over {
            self.put(b"\x1b[J");
        }
        self.row
    }
}

/// Moves the terminal's cursor from a row to a place.
pub(super) fn go(out: &mut Vec<u8>, from: usize, to: Place) {
    // Writing to a vector does not fail.
    let _ = match (from.checked_sub(to.row), to.row.checked_sub(from)) {
        (Some(up @ 1..), _) => write!(out, "\x1b[{up}A"),
        (_, Some(down @ 1..)) => write!(out, "\x1b[{down}B"),
        _ => Ok(()),
    };
    out.push(b'\r');
    if to.column > 0 {
        let _ = write!(out, "\x1b[{}C", to.column);
    }
}
