//! An emulator fed with bytes: what a terminal shows after a program's output.
//!
//! Where it ends: it is not the person's terminal. What `avt` does not know (images, exotic character sets, combining
//! marks) is not in its rows.

use avt::Terminal;
use avt::parser::{Function, Parser, State};

use super::Size;

/// An emulator fed with bytes.
pub(crate) struct Follower {
    pub(crate) terminal: Terminal,
    parser: Parser,
    /// The beginning of a character whose end has not come.
    partial: Vec<u8>,
    /// Whether a program has ever set margins; text may then stand still while other text scrolls.
    margins: bool,
}

impl Follower {
    pub(crate) fn new(size: Size) -> Self {
        Self::with_scrollback(size, 0)
    }

    /// One that keeps some rows that have scrolled off.
    pub(crate) fn with_scrollback(size: Size, rows_kept: usize) -> Self {
        let columns = usize::from(size.columns.max(1));
        let rows = usize::from(size.rows.max(1));
        let terminal = Terminal::with_scrollback(columns, rows, Some(rows_kept))
            .unwrap_or_else(|_| unreachable!("both are at least one"));
        Self { terminal, parser: Parser::new(), partial: Vec::new(), margins: false }
    }

    /// The same screen again. Only between sequences.
    pub(super) fn copy(&self) -> Self {
        let (columns, rows) = self.terminal.size();
        let fit = |n: usize| u16::try_from(n).unwrap_or(u16::MAX);
        let mut copy = Self::new(Size { columns: fit(columns), rows: fit(rows) });
        copy.terminal.feed(self.terminal.dump());
        copy
    }

    pub(crate) fn resize(&mut self, size: Size) {
        self.terminal.resize(usize::from(size.columns), usize::from(size.rows));
    }

    pub(crate) fn between_sequences(&self) -> bool {
        self.parser.state == State::Ground && self.partial.is_empty()
    }

    pub(crate) fn feed(&mut self, bytes: &[u8]) {
        self.feed_watched(bytes, &mut |_, _| {});
    }

    /// Feeds, and shows each step before it is taken.
    pub(crate) fn feed_watched(&mut self, bytes: &[u8], before: &mut impl FnMut(&Terminal, &Function)) {
        let mut partial = std::mem::take(&mut self.partial);
        let joined;
        let bytes = if partial.is_empty() {
            bytes
        } else {
            partial.extend_from_slice(bytes);
            joined = partial;
            joined.as_slice()
        };
        let mut chunks = bytes.utf8_chunks().peekable();
        while let Some(chunk) = chunks.next() {
            for c in chunk.valid().chars() {
                self.step(c, before);
            }
            if chunk.invalid().is_empty() {
                continue;
            }
            if chunks.peek().is_none() && unfinished(chunk.invalid()) {
                self.partial = chunk.invalid().to_vec();
            } else {
                self.step(char::REPLACEMENT_CHARACTER, before);
            }
        }
    }

    fn step(&mut self, c: char, before: &mut impl FnMut(&Terminal, &Function)) {
        if let Some(function) = self.parser.feed(c) {
            // A program cannot change the size of the person's window; the session tells us when it changes.
            if matches!(function, Function::Xtwinops(_)) {
                return;
            }
            self.margins |= matches!(function, Function::Decstbm(..));
            before(&self.terminal, &function);
            self.terminal.execute(function);
        }
    }

    /// Feeds a batch, leaving out plain lines that the lines after them push off the screen.
    pub(crate) fn feed_from_what_matters(&mut self, bytes: &[u8]) {
        let matters = self.what_matters(bytes);
        self.feed(matters);
    }

    /// The end of a batch that is not plain lines which the lines after them push off the screen.
    pub(crate) fn what_matters<'b>(&self, bytes: &'b [u8]) -> &'b [u8] {
        let rows = self.terminal.size().1;
        let start = if self.margins || !self.between_sequences() { 0 } else { scrolled_off(bytes, rows) };
        bytes.get(start..).unwrap_or(bytes)
    }

    pub(super) fn primary_equals(&self, other: &Self) -> bool {
        let lines = |f: &Self| -> Vec<Vec<avt::Cell>> {
            f.terminal.primary_screen().visible_lines().map(|line| line.cells().to_vec()).collect()
        };
        lines(self) == lines(other)
    }
}

/// How much of the beginning of `bytes` no longer matters, if it is lines of plain text all through: what comes before
/// the last `rows + 1` line ends has left the screen.
pub(super) fn scrolled_off(bytes: &[u8], rows: usize) -> usize {
    let plain = |b: &u8| *b >= 0x20 && *b != 0x7f || matches!(b, b'\r' | b'\n' | b'\t');
    let tail_starts_plain = bytes.iter().rposition(|b| !plain(b)).map_or(0, |at| at + 1);
    if tail_starts_plain > 0 {
        // Only all of a batch is left out or none: escape sequences in its beginning change modes.
        return 0;
    }
    bytes
        .windows(2)
        .enumerate()
        .rev()
        .filter(|(_, pair)| pair == b"\r\n")
        .nth(rows + 1)
        .map_or(0, |(at, _)| at + 2)
}

/// Whether these bytes, not UTF-8 as they stand, could become so with more.
fn unfinished(bytes: &[u8]) -> bool {
    std::str::from_utf8(bytes).is_err_and(|error| error.error_len().is_none())
}
