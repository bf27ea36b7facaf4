//! What of the line is on the screen, and the least that brings it up to date.

use super::paint::{Pen, Place, go};
use super::text::Text;
use super::{Prompt, Size};

/// What has to be painted anew.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Damage {
    None,
    /// The cursor is elsewhere.
    Cursor,
    /// The text from here on.
    From(usize),
    /// Everything.
    All,
    /// Everything, on a fresh line.
    Fresh,
}

/// The rows that a line takes on the terminal.
#[derive(Debug)]
pub(super) struct Canvas {
    size: Size,
    damage: Damage,
    /// Where the terminal's cursor is.
    at: Place,
    /// In characters; [`None`] where it stands in no place of the text.
    index: Option<usize>,
    /// How many characters are painted.
    painted: usize,
    /// The first row that is on the screen, where not all fit.
    top: usize,
    resized: bool,
}

impl Canvas {
    pub(super) const fn new(size: Size) -> Self {
        Self {
            size,
            damage: Damage::None,
            at: Place { row: 0, column: 0 },
            index: None,
            painted: 0,
            top: 0,
            resized: false,
        }
    }

    pub(super) fn columns(&self) -> usize {
        usize::from(self.size.columns)
    }

    fn height(&self) -> usize {
        usize::from(self.size.rows.max(1))
    }

    pub(super) const fn at(&self) -> Place {
        self.at
    }

    pub(super) fn damage(&mut self, damage: Damage) {
        self.damage = match (self.damage, damage) {
            (Damage::From(one), Damage::From(other)) => Damage::From(one.min(other)),
            (one, other) => one.max(other),
        };
    }

    pub(super) fn resize(&mut self, size: Size) {
        if size != self.size {
            self.size = size;
            self.resized = true;
            self.damage(Damage::All);
        }
    }

    /// Brings the screen up to date.
    pub(super) fn show(&mut self, prompt: &Prompt, text: &Text, out: &mut Vec<u8>) {
        let damage = std::mem::replace(&mut self.damage, Damage::None);
        match damage {
            Damage::None => {}
            Damage::From(from) if self.appends(from, text) => self.append(from, text, out),
            damage => self.repaint(damage, prompt, text, out),
        }
    }

    /// Whether all that happened is that something was typed at the end.
    fn appends(&self, from: usize, text: &Text) -> bool {
        let end = text.len();
        let first = text.characters().get(from);
        from == self.painted
            && self.index == Some(from)
            && text.cursor() == end
            && first.is_some_and(|&c| super::text::width(c) > 0)
    }

    fn append(&mut self, from: usize, text: &Text, out: &mut Vec<u8>) {
        let window = (self.top, usize::MAX);
        let mut pen = Pen::paint(out, self.columns(), window, self.at);
        for &character in text.characters().iter().skip(from) {
            pen.character(character);
        }
        self.at = pen.place();
        pen.finish(false);
        self.index = Some(text.len());
        self.painted = text.len();
        // What did not fit has scrolled away above.
        self.top = self.top.max((self.at.row + 1).saturating_sub(self.height()));
    }

    fn repaint(&mut self, damage: Damage, prompt: &Prompt, text: &Text, out: &mut Vec<u8>) {
        let columns = self.columns();
        let from = match damage {
            Damage::Cursor => text.len(),
            Damage::From(from) => base(from.min(text.len()), text),
            _ => 0,
        };
        // Where things are.
        let mut pen = Pen::measure(columns, Place::default());
        for (piece, style) in prompt {
            pen.prompt(piece, style);
        }
        let (mut start, mut cursor) = (pen.place(), pen.place());
        for (index, &character) in text.characters().iter().enumerate() {
            pen.character(character);
            if index + 1 == from {
                start = pen.place();
            }
            if index + 1 == text.cursor() {
                cursor = pen.place();
            }
        }
        let rows = pen.place().row + 1;
        let old_top = self.top;
        let fresh = damage == Damage::Fresh;
        if fresh {
            (self.top, self.at) = (0, Place::default());
        }
        let up = if std::mem::take(&mut self.resized) {
            // The terminal has wrapped the text anew, as we do, and the cursor went with it.
            (self.top, self.at) = (0, cursor);
            cursor.row.min(self.height() - 1)
        } else {
            self.at.row.saturating_sub(self.top)
        };
        let height = self.height();
        self.top = self.top.clamp((cursor.row + 1).saturating_sub(height), cursor.row);
        self.top = self.top.min(rows.saturating_sub(height));
        let window = (self.top, self.top + height);
        let scrolled = self.top != old_top;
        let row = match damage {
            Damage::Cursor if !scrolled => self.at.row,
            Damage::From(_) if !scrolled && (window.0..window.1).contains(&start.row) => {
                go(out, self.at.row, start);
                let mut pen = Pen::paint(out, columns, window, start);
                for &character in text.characters().iter().skip(from) {
                    pen.character(character);
                }
                pen.finish(true)
            }
            _ => {
                if !fresh {
                    go(out, up, Place::default());
                    out.extend_from_slice(b"\x1b[J");
                }
                let mut pen = Pen::paint(out, columns, window, Place::default());
                for (piece, style) in prompt {
                    pen.prompt(piece, style);
                }
                for &character in text.characters() {
                    pen.character(character);
                }
                pen.finish(true)
            }
        };
        go(out, row, cursor);
        self.at = cursor;
        self.index = Some(text.cursor());
        self.painted = text.len();
    }
}

/// The letter that a mark at `index` belongs to.
fn base(index: usize, text: &Text) -> usize {
    let mut index = index;
    while index > 0 && text.characters().get(index).is_some_and(|&c| super::text::width(c) == 0) {
        index -= 1;
    }
    index
}
