//! What the screen shows, as far as the reader of lines needs it: the row that is typed on, whether a full-screen program
//! has the screen, and what a row said when the cursor left it.
//!
//! Output is kept until somebody asks, so that a flood costs a copy and not an emulation per chunk. Where it ends: see
//! [`Follower`]; a program can draw anything, so what is read here is what the screen says and not what is true.

use avt::parser::{Function, Osc, ShellIntegration};
use avt::{Line, ScreenKind, Terminal};

use unicode_width::UnicodeWidthStr as _;

use crate::terminal::{Follower, Size};

/// Output not yet emulated; more than this is worked off at once.
const BATCH: usize = 64 * 1024;
/// Rows above the screen that are kept, for a line longer than the screen.
const KEPT: usize = 16;
/// The most rows that one line may cover.
const MOST_ROWS: usize = 256;
/// The most rows kept of those that the cursor left.
const MOST_LEFT: usize = 64;
/// Longer beginnings of private modes than this are not looked for across chunks.
const LONGEST_MODE: usize = 16;

/// A logical row: what wraps is joined.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Row {
    /// Without the blanks behind it, but not shorter than to the cursor.
    pub(super) text: String,
    /// Where the cursor stands in it, in bytes; its length where the cursor is elsewhere.
    pub(super) cursor: usize,
    /// Its first and its last row, counted from the oldest one that is kept.
    first: usize,
    last: usize,
}

impl Row {
    /// What stands left of the cursor.
    pub(super) fn left(&self) -> &str {
        self.text.split_at_checked(self.cursor).map_or(self.text.as_str(), |(left, _)| left)
    }
}

/// Which rows to keep when the cursor leaves them by a line's end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Watch {
    /// None.
    Off,
    /// The next one.
    Next,
    /// All, up to a bound.
    All,
}

/// The screen at one moment.
pub(super) struct View<'t>(&'t Terminal);

impl View<'_> {
    /// The row with the cursor.
    pub(super) fn row(&self) -> Row {
        at_cursor(self.0)
    }

    /// The rows above one, nearest first.
    pub(super) fn above(&self, row: &Row) -> Vec<Row> {
        let lines: Vec<&Line> = self.0.screen().all_lines().collect();
        let mut found = Vec::new();
        let mut at = row.first;
        while let Some(next) = at.checked_sub(1)
            && found.len() < MOST_LEFT
        {
            let row = joined(&lines, next, None);
            at = row.first;
            found.push(row);
        }
        found
    }

    /// The rows below one, up to the first empty one.
    pub(super) fn below(&self, row: &Row) -> Vec<Row> {
        let lines: Vec<&Line> = self.0.screen().all_lines().collect();
        let mut found: Vec<Row> = Vec::new();
        let mut at = row.last + 1;
        while at < lines.len() && found.len() < MOST_LEFT {
            let row = joined(&lines, at, None);
            if row.text.is_empty() {
                break;
            }
            at = row.last + 1;
            found.push(row);
        }
        found
    }

    /// Rows of input as one text, the first of them behind `prompt`. An editor that asks for pastes in brackets can hold line
    /// ends, and wraps as terminals do; others hold none, and some end each row themselves.
    pub(super) fn as_text(&self, rows: &[String], prompt: &str, bracketed: bool) -> String {
        if bracketed {
            return rows.join("\n");
        }
        let last = rows.len().saturating_sub(1);
        let row = |(n, row): (usize, &String)| {
            let before = if n == 0 { prompt } else { "" };
            let filled = self.filled(&format!("{before}{row}"));
            if n == last { row.clone() } else { filled.get(before.len()..).unwrap_or(row).to_owned() }
        };
        rows.iter().enumerate().map(row).collect()
    }

    /// A row as one that goes on in the next one without a line's end between them.
    fn filled(&self, text: &str) -> String {
        let columns = self.0.size().0;
        let over = text.width() % columns;
        let missing = if over == 0 { 0 } else { columns - over };
        format!("{text}{}", " ".repeat(missing))
    }
}

/// Follows the pod's output.
pub(super) struct Picture {
    follower: Follower,
    pending: Vec<u8>,
    modes: Modes,
    watch: Watch,
    left: Vec<Row>,
    /// Line ends since [`Picture::count_from_here`].
    ends: usize,
    /// What stood before the cursor where a shell said that its input begins there (OSC 133).
    marked: Option<String>,
}

impl Picture {
    pub(super) fn new(size: Size) -> Self {
        Self {
            follower: Follower::with_scrollback(size, KEPT),
            pending: Vec::new(),
            modes: Modes::default(),
            watch: Watch::Off,
            left: Vec::new(),
            ends: 0,
            marked: None,
        }
    }

    /// Takes output, in order.
    pub(super) fn output(&mut self, bytes: &[u8]) {
        self.modes.see(bytes);
        for part in bytes.chunks(BATCH) {
            self.pending.extend_from_slice(part);
            if self.pending.len() >= BATCH || self.watch != Watch::Off {
                self.settle();
            }
        }
    }

    /// Works off what came; to be called before anything is asked.
    pub(super) fn settle(&mut self) {
        if self.pending.is_empty() {
            return;
        }
        let pending = std::mem::take(&mut self.pending);
        let bytes = if self.watch == Watch::Off && pending.len() >= BATCH / 2 {
            // Plain text that has scrolled off while nothing waits for a row costs nothing.
            self.follower.feed_from_what_matters(&pending);
            self.ends = self.ends.saturating_add(1);
            &[][..]
        } else {
            pending.as_slice()
        };
        let Self { follower, watch, left, ends, marked, .. } = self;
        follower.feed_watched(bytes, &mut |terminal, function| match function {
            Function::Lf | Function::Nel => {
                *ends = ends.saturating_add(1);
                if *watch != Watch::Off && left.len() < MOST_LEFT {
                    left.push(at_cursor(terminal));
                    if *watch == Watch::Next {
                        *watch = Watch::Off;
                    }
                }
            }
            Function::Osc(Osc::ShellIntegration(ShellIntegration::CommandStart)) => {
                *marked = Some(at_cursor(terminal).left().to_owned());
            }
            _ => {}
        });
        self.pending = pending;
        self.pending.clear();
        self.pending.shrink_to(BATCH);
    }

    /// Takes output of which rows matter: `left` sees the screen before each line's end.
    pub(super) fn observe(&mut self, bytes: &[u8], left: &mut impl FnMut(&View<'_>)) {
        self.catch_up();
        self.modes.see(bytes);
        self.feed(bytes, left);
    }

    /// Works off what came for somebody who watches no rows: plain text that has scrolled off is left out.
    pub(super) fn catch_up(&mut self) {
        if self.pending.is_empty() {
            return;
        }
        let pending = std::mem::take(&mut self.pending);
        let bytes = self.follower.what_matters(&pending);
        self.feed(bytes, &mut |_| {});
        self.pending = pending;
        self.pending.clear();
        self.pending.shrink_to(BATCH);
    }

    fn feed(&mut self, bytes: &[u8], left: &mut impl FnMut(&View<'_>)) {
        let Self { follower, marked, .. } = self;
        follower.feed_watched(bytes, &mut |terminal, function| match function {
            Function::Lf | Function::Nel => left(&View(terminal)),
            Function::Osc(Osc::ShellIntegration(ShellIntegration::CommandStart)) => {
                *marked = Some(at_cursor(terminal).left().to_owned());
            }
            _ => {}
        });
    }

    pub(super) fn resize(&mut self, size: Size) {
        self.settle();
        self.follower.resize(size);
    }

    /// Whether a full-screen program has the screen.
    pub(super) fn alternate(&self) -> bool {
        self.follower.terminal.active_screen_kind() == ScreenKind::Alternate
    }

    /// Whether the application asked for brackets around what is pasted.
    pub(super) const fn bracketed(&self) -> bool {
        self.modes.bracketed
    }

    /// Whether output stopped at the end of something, not in the middle of a sequence or a character.
    pub(super) fn between_sequences(&self) -> bool {
        self.follower.between_sequences()
    }

    /// What it shows; [`Picture::settle`] or [`Picture::catch_up`] comes before.
    pub(super) const fn view(&self) -> View<'_> {
        View(&self.follower.terminal)
    }

    /// The row with the cursor.
    pub(super) fn row(&self) -> Row {
        self.view().row()
    }

    /// The rows above one, nearest first.
    pub(super) fn above(&self, row: &Row) -> Vec<Row> {
        self.view().above(row)
    }

    /// The rows below one, up to the first empty one.
    pub(super) fn below(&self, row: &Row) -> Vec<Row> {
        self.view().below(row)
    }

    pub(super) fn watch(&mut self, watch: Watch) {
        self.settle();
        self.watch = watch;
        self.left.clear();
    }

    pub(super) const fn watched(&self) -> Watch {
        self.watch
    }

    /// Rows that the cursor left, oldest first.
    pub(super) fn take_left(&mut self) -> Vec<Row> {
        std::mem::take(&mut self.left)
    }

    pub(super) fn count_from_here(&mut self) {
        self.settle();
        self.ends = 0;
    }

    /// Line ends since then.
    pub(super) const fn ends(&self) -> usize {
        self.ends
    }

    pub(super) fn take_mark(&mut self) -> Option<String> {
        self.marked.take()
    }

    /// What is kept, in bytes, beside the emulator's own rows.
    pub(super) fn kept(&self) -> usize {
        self.pending.capacity() + self.left.iter().map(|row| row.text.len()).sum::<usize>()
    }
}

fn at_cursor(terminal: &Terminal) -> Row {
    let screen = terminal.screen();
    let lines: Vec<&Line> = screen.all_lines().collect();
    let cursor = terminal.cursor();
    let at = (lines.len() + cursor.row).saturating_sub(terminal.size().1);
    joined(&lines, at, Some(cursor.col))
}

/// The row of which line `at` is a part; `column` is the cursor's, in that line.
fn joined(lines: &[&Line], at: usize, column: Option<usize>) -> Row {
    let wraps = |n: usize| lines.get(n).is_some_and(|line| line.is_wrapped());
    let mut first = at;
    while at - first < MOST_ROWS
        && let Some(before) = first.checked_sub(1)
        && wraps(before)
    {
        first = before;
    }
    let (mut text, mut cursor, mut last) = (String::new(), None, first);
    for (n, line) in lines.iter().enumerate().skip(first).take(MOST_ROWS * 2) {
        last = n;
        let ours = column.filter(|_| n == at);
        for (index, cell) in line.cells().iter().enumerate() {
            if cursor.is_none() && ours.is_some_and(|column| index >= column) {
                cursor = Some(text.len());
            }
            if cell.width() > 0 {
                text.push(cell.char());
            }
        }
        if ours.is_some() && cursor.is_none() {
            cursor = Some(text.len());
        }
        if !line.is_wrapped() {
            break;
        }
        // A wide character that did not fit left a blank behind.
        let wide =
            lines.get(n + 1).and_then(|next| next.cells().first()).is_some_and(|cell| cell.width() == 2);
        let fits = cursor.is_none_or(|cursor| cursor < text.len());
        if wide && fits && text.ends_with(' ') {
            text.pop();
        }
    }
    let end = text.trim_end_matches(' ').len().max(cursor.unwrap_or(0));
    text.truncate(end);
    Row { cursor: cursor.unwrap_or(text.len()), text, first, last }
}

/// Bracketed paste (`DECSET 2004`), found in the bytes: the emulator does not keep it.
#[derive(Debug, Default)]
struct Modes {
    bracketed: bool,
    /// The beginning of a sequence whose end has not come.
    begun: Vec<u8>,
}

impl Modes {
    fn see(&mut self, bytes: &[u8]) {
        let joined;
        let mut bytes = bytes;
        if !self.begun.is_empty() {
            let mut all = std::mem::take(&mut self.begun);
            all.extend_from_slice(bytes);
            joined = all;
            bytes = joined.as_slice();
        }
        while let Some(at) = bytes.iter().position(|byte| *byte == 0x1b) {
            let from = bytes.get(at..).unwrap_or_default();
            let head = from.get(..LONGEST_MODE).unwrap_or(from);
            let Some(parameters) = head.strip_prefix(b"\x1b[?") else {
                if b"\x1b[?".starts_with(head) {
                    self.begun = head.to_vec();
                    return;
                }
                bytes = from.get(1..).unwrap_or_default();
                continue;
            };
            match parameters.iter().position(|byte| !matches!(byte, b'0'..=b'9' | b';')) {
                Some(end) => {
                    let (modes, set) = (parameters.get(..end), parameters.get(end));
                    let named =
                        modes.unwrap_or_default().split(|byte| *byte == b';').any(|mode| mode == b"2004");
                    match set {
                        Some(b'h') if named => self.bracketed = true,
                        Some(b'l') if named => self.bracketed = false,
                        _ => {}
                    }
                }
                None if from.len() < LONGEST_MODE => {
                    self.begun = from.to_vec();
                    return;
                }
                None => {}
            }
            bytes = from.get(1..).unwrap_or_default();
        }
        // ESC c resets everything; it is rare enough to be missed.
    }
}
