//! What was typed, as far as it is known without looking at the screen.
//!
//! Only characters at a line's end are known; a key that edits makes everything before it unknown, and the screen has the
//! word. What is typed at a prompt without echo is here only until the line's end, is never given away, and is
//! overwritten.

use secrecy::zeroize::Zeroizing;
use unicode_width::UnicodeWidthChar as _;

use sallyport_policy::line::LONGEST_LINE;

/// What was typed since the line began.
pub(super) struct Typed {
    /// All of it, or what came after the last key that edits.
    text: Zeroizing<String>,
    /// Whether it is all.
    whole: bool,
    /// Whether anything was typed at all.
    any: bool,
    /// Line breaks were pasted, or a key was used that may bring some.
    rows: bool,
}

impl Typed {
    pub(super) fn new() -> Self {
        // Room from the beginning: growing leaves copies behind.
        Self { text: Zeroizing::new(String::with_capacity(256)), whole: true, any: false, rows: false }
    }

    pub(super) fn push(&mut self, c: char) {
        self.any = true;
        self.rows |= c == '\n';
        if self.text.len() + c.len_utf8() > LONGEST_LINE {
            self.edited();
        }
        if self.text.len() + c.len_utf8() > self.text.capacity() {
            let mut larger = Zeroizing::new(String::with_capacity(self.text.capacity() * 2 + 8));
            larger.push_str(&self.text);
            self.text = larger;
        }
        self.text.push(c);
    }

    /// One character less, or nothing known any more.
    pub(super) fn erase(&mut self) {
        if self.text.pop().is_none() && !self.whole {
            self.edited();
        }
    }

    /// The line up to the cursor is gone.
    pub(super) fn kill(&mut self) {
        if self.whole {
            self.text = Zeroizing::new(String::with_capacity(256));
        } else {
            self.edited();
        }
    }

    /// A key whose effect is not known.
    pub(super) fn edited(&mut self) {
        self.any = true;
        self.whole = false;
        self.rows = true;
        self.text = Zeroizing::new(String::with_capacity(256));
    }

    /// The text is not kept any longer.
    pub(super) fn forget(&mut self) {
        self.whole = false;
        self.text = Zeroizing::default();
    }

    /// Whether something of the text is kept.
    pub(super) fn known(&self) -> bool {
        self.whole || !self.text.is_empty()
    }

    pub(super) fn text(&self) -> &str {
        &self.text
    }

    pub(super) const fn whole(&self) -> bool {
        self.whole
    }

    /// Whether any key was typed.
    pub(super) const fn any(&self) -> bool {
        self.any
    }

    /// Whether the line may cover several rows.
    pub(super) const fn rows(&self) -> bool {
        self.rows
    }
}

/// A text as a screen can show it: what has no width is left out, blanks and line ends are one blank.
pub(super) fn squashed(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        if c.is_whitespace() {
            if !out.ends_with(' ') {
                out.push(' ');
            }
        } else if c.width().is_some_and(|width| width > 0) {
            out.push(c);
        }
    }
    out.truncate(out.trim_end_matches(' ').len());
    out
}

/// Whether every typed character is shown, in its order, with other things between them at most.
pub(super) fn shown_within(typed: &str, shown: &str) -> bool {
    let mut shown = shown.chars();
    typed.chars().filter(|c| !c.is_whitespace()).all(|c| shown.any(|other| other == c))
}

/// Whether a text hides what was typed: nothing, or one character again and again.
pub(super) fn masks(shown: &str, typed: &str) -> bool {
    let shown = shown.trim();
    let mut characters = shown.chars();
    let Some(first) = characters.next() else { return true };
    !first.is_alphanumeric() && characters.all(|c| c == first) && shown != typed.trim()
}
