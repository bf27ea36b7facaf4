//! A terminal emulator's state as escape sequences: a row, a pen, and the way back to a cursor.
//!
//! Only what every terminal of the last thirty years knows is emitted: CUP, SGR, DECOM, DECAWM, IRM, character sets.
//! DECSC is never used: its one slot belongs to the program that runs in the pod.

use std::fmt::Write;

use avt::parser::{AnsiMode, DecMode, Function, Parser, SgrOp};
use avt::{Cell, Charset, Color, Line, Pen, Terminal};

/// What stands between a plain `CUP, print` and a program that had other plans.
#[derive(Debug, Clone, Default)]
pub(super) struct Modes {
    origin: bool,
    insert: bool,
    no_wrap: bool,
    drawing: [bool; 2],
    shifted: bool,
    top: u16,
    bottom: u16,
    /// The pen's SGR parameters.
    pen: Vec<SgrOp>,
}

impl Modes {
    /// Reads them out of the emulator's own account of itself.
    pub(super) fn of(terminal: &Terminal) -> Self {
        let mut parser = Parser::new();
        let mut modes = Self { bottom: u16::MAX, ..Self::default() };
        for function in terminal.dump().chars().filter_map(|c| parser.feed(c)) {
            modes.apply(&function);
        }
        modes
    }

    fn apply(&mut self, function: &Function) {
        match function {
            Function::Decset(set) => self.dec(set.as_slice(), true),
            Function::Decrst(set) => self.dec(set.as_slice(), false),
            Function::Sm(set) if set.as_slice().contains(&AnsiMode::Insert) => self.insert = true,
            Function::Rm(set) if set.as_slice().contains(&AnsiMode::Insert) => self.insert = false,
            Function::Gzd4(set) => self.drawing[0] = *set == Charset::Drawing,
            Function::G1d4(set) => self.drawing[1] = *set == Charset::Drawing,
            Function::So => self.shifted = true,
            Function::Si => self.shifted = false,
            Function::Decstbm(top, bottom) => (self.top, self.bottom) = (top.saturating_sub(1), *bottom),
            Function::Sgr(ops) => self.pen = ops.as_slice().to_vec(),
            _ => {}
        }
    }

    fn dec(&mut self, modes: &[DecMode], on: bool) {
        for mode in modes {
            match mode {
                DecMode::Origin => self.origin = on,
                DecMode::AutoWrap => self.no_wrap = !on,
                _ => {}
            }
        }
    }

    /// Whether [`Modes::leave`] can lead back to where the cursor is: in origin mode, a cursor outside the margins
    /// cannot be addressed.
    pub(super) fn reachable(&self, terminal: &Terminal) -> bool {
        let row = terminal.cursor().row;
        !self.origin || (usize::from(self.top) <= row && row < usize::from(self.bottom))
    }

    /// Makes absolute addressing and plain printing mean what they say.
    pub(super) fn enter(&self, out: &mut String) {
        out.push_str("\x1b[?6l\x1b[4l\x1b[?7l\x0f\x1b(B");
    }

    /// Puts the pen back.
    pub(super) fn pen(&self, out: &mut String) {
        out.push_str("\x1b[0");
        for op in &self.pen {
            sgr(op, out);
        }
        out.push('m');
    }

    /// Puts modes, cursor and pen back to what `terminal` has.
    pub(super) fn leave(&self, terminal: &Terminal, out: &mut String) {
        let (columns, _) = terminal.size();
        let cursor = terminal.cursor();
        let mut row = cursor.row;
        out.push_str("\x1b[?7h");
        if self.origin {
            out.push_str("\x1b[?6h");
            row = row.saturating_sub(usize::from(self.top));
        }
        let _ = write!(out, "\x1b[{};{}H", row + 1, cursor.col.min(columns.saturating_sub(1)) + 1);
        if cursor.col >= columns {
            // The cursor waits at the right edge: only printing that cell again brings this about.
            let cells = terminal.screen().line(cursor.row).map(Line::cells).unwrap_or_default();
            match cells {
                [.., wide, tail] if tail.width() == 0 => {
                    out.push('\x08');
                    cell(wide, out);
                }
                [.., last] => cell(last, out),
                [] => {}
            }
        }
        self.pen(out);
        if self.no_wrap {
            out.push_str("\x1b[?7l");
        }
        if self.insert {
            out.push_str("\x1b[4h");
        }
        if self.drawing[0] {
            out.push_str("\x1b(0");
        }
        if self.shifted {
            out.push('\x0e');
        }
    }
}

/// One row, every cell of it, at `row` (from 0).
pub(super) fn line(row: usize, line: &Line, out: &mut String) {
    let _ = write!(out, "\x1b[{};1H", row + 1);
    let mut pen: Option<&Pen> = None;
    for cell in line.cells().iter().filter(|cell| cell.width() > 0) {
        if pen != Some(cell.pen()) {
            select(cell.pen(), out);
            pen = Some(cell.pen());
        }
        out.push(cell.char());
    }
    out.push_str("\x1b[0m");
}

fn cell(cell: &Cell, out: &mut String) {
    select(cell.pen(), out);
    out.push(cell.char());
}

fn select(pen: &Pen, out: &mut String) {
    out.push_str("\x1b[0");
    for (on, code) in [
        (pen.is_bold(), ";1"),
        (pen.is_faint(), ";2"),
        (pen.is_italic(), ";3"),
        (pen.is_underline(), ";4"),
        (pen.is_blink(), ";5"),
        (pen.is_inverse(), ";7"),
        (pen.is_strikethrough(), ";9"),
    ] {
        if on {
            out.push_str(code);
        }
    }
    if let Some(colour) = pen.foreground() {
        paint(colour, 30, out);
    }
    if let Some(colour) = pen.background() {
        paint(colour, 40, out);
    }
    out.push('m');
}

fn sgr(op: &SgrOp, out: &mut String) {
    let plain = match op {
        SgrOp::SetBoldIntensity => ";1",
        SgrOp::SetFaintIntensity => ";2",
        SgrOp::SetItalic => ";3",
        SgrOp::SetUnderline => ";4",
        SgrOp::SetBlink => ";5",
        SgrOp::SetInverse => ";7",
        SgrOp::SetStrikethrough => ";9",
        SgrOp::SetForegroundColor(colour) => return paint(*colour, 30, out),
        SgrOp::SetBackgroundColor(colour) => return paint(*colour, 40, out),
        _ => return,
    };
    out.push_str(plain);
}

fn paint(colour: Color, base: u16, out: &mut String) {
    let _ = match colour {
        Color::Indexed(index @ 0..8) => write!(out, ";{}", base + u16::from(index)),
        Color::Indexed(index @ 8..16) => write!(out, ";{}", base + 52 + u16::from(index)),
        Color::Indexed(index) => write!(out, ";{};5;{index}", base + 8),
        Color::RGB(rgb) => write!(out, ";{};2;{};{};{}", base + 8, rgb.r, rgb.g, rgb.b),
    };
}
