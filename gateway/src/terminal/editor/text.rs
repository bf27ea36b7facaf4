//! The line that is edited: characters, a cursor between them, and what was cut last.
//!
//! Characters that take no room belong to the one before them: the cursor never stands between the two. Characters that
//! act instead of showing become `�` when they come in, so that what is on the screen is what will run.

use unicode_width::UnicodeWidthChar;

use crate::terminal::clean;

/// Columns that a character takes. Tabs and line ends are shown otherwise.
pub(super) fn width(character: char) -> usize {
    match character {
        '\t' | '\n' => 1,
        character => character.width().unwrap_or(0),
    }
}

/// Text under the hands.
#[derive(Debug)]
pub(super) struct Text {
    characters: Vec<char>,
    cursor: usize,
    bytes: usize,
    longest: usize,
    cut: Vec<char>,
    /// Whether the last thing that happened was a cut: the next one adds to it.
    cutting: bool,
}

impl Text {
    /// At most `longest` bytes.
    pub(super) const fn new(longest: usize) -> Self {
        Self { characters: Vec::new(), cursor: 0, bytes: 0, longest, cut: Vec::new(), cutting: false }
    }

    pub(super) fn characters(&self) -> &[char] {
        &self.characters
    }

    pub(super) const fn cursor(&self) -> usize {
        self.cursor
    }

    pub(super) fn len(&self) -> usize {
        self.characters.len()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.characters.is_empty()
    }

    pub(super) fn string(&self) -> String {
        self.characters.iter().collect()
    }

    /// What stands before the cursor.
    pub(super) fn before(&self) -> String {
        self.characters.iter().take(self.cursor).collect()
    }

    /// Whatever comes next is not part of the cut before it.
    pub(super) const fn acted(&mut self) {
        self.cutting = false;
    }

    /// Puts a character in; false where there is no room.
    pub(super) fn insert(&mut self, character: char) -> bool {
        let character = match character {
            '\n' | '\t' => character,
            other => clean(other.encode_utf8(&mut [0; 4])).chars().next().unwrap_or(other),
        };
        if self.bytes + character.len_utf8() > self.longest {
            return false;
        }
        // Nothing to belong to.
        if width(character) == 0
            && self.cursor.checked_sub(1).and_then(|i| self.at(i)).is_none_or(|c| c == '\n')
        {
            return true;
        }
        self.characters.insert(self.cursor.min(self.characters.len()), character);
        self.bytes += character.len_utf8();
        self.cursor += 1;
        true
    }

    /// Puts text in, as far as there is room.
    pub(super) fn insert_all(&mut self, text: impl IntoIterator<Item = char>) -> bool {
        text.into_iter().all(|character| self.insert(character))
    }

    /// Makes it something else, with the cursor at the end.
    pub(super) fn set(&mut self, text: &str) {
        self.characters.clear();
        (self.bytes, self.cursor) = (0, 0);
        self.insert_all(text.chars());
    }

    pub(super) fn place(&mut self, cursor: usize) {
        self.cursor = cursor.min(self.characters.len());
        while self.cursor < self.characters.len() && self.at(self.cursor).is_some_and(|c| width(c) == 0) {
            self.cursor += 1;
        }
    }

    fn at(&self, index: usize) -> Option<char> {
        self.characters.get(index).copied()
    }

    /// The place before the character before `index`.
    fn back(&self, index: usize) -> usize {
        let mut index = index.saturating_sub(1);
        while index > 0 && self.at(index).is_some_and(|c| width(c) == 0) {
            index -= 1;
        }
        index
    }

    /// The place after the character at `index`.
    fn on(&self, index: usize) -> usize {
        let mut index = (index + 1).min(self.characters.len());
        while self.at(index).is_some_and(|c| width(c) == 0) {
            index += 1;
        }
        index
    }

    fn word_back(&self) -> usize {
        self.run_back(|c| c.is_alphanumeric() || c == '_')
    }

    /// Over what does not fit, and then over what does.
    fn run_back(&self, fits: impl Fn(char) -> bool) -> usize {
        let mut index = self.cursor;
        for wanted in [false, true] {
            while index > 0 && self.at(self.back(index)).is_some_and(|c| fits(c) == wanted) {
                index = self.back(index);
            }
        }
        index
    }

    fn word_on(&self) -> usize {
        let mut index = self.cursor;
        for wanted in [false, true] {
            while self.at(index).is_some_and(|c| (c.is_alphanumeric() || c == '_') == wanted) {
                index = self.on(index);
            }
        }
        index
    }

    /// Where the line that the cursor is in begins.
    fn line_start(&self) -> usize {
        let mut before = self.characters.iter().take(self.cursor);
        before.rposition(|&c| c == '\n').map_or(0, |index| index + 1)
    }

    /// Where it ends.
    fn line_end(&self) -> usize {
        let after = self.characters.iter().skip(self.cursor).position(|&c| c == '\n');
        after.map_or(self.characters.len(), |count| self.cursor + count)
    }

    pub(super) fn left(&mut self) {
        self.cursor = self.back(self.cursor);
    }

    pub(super) fn right(&mut self) {
        self.cursor = self.on(self.cursor);
    }

    pub(super) fn word_left(&mut self) {
        self.cursor = self.word_back();
    }

    pub(super) fn word_right(&mut self) {
        self.cursor = self.word_on();
    }

    pub(super) fn home(&mut self) {
        self.cursor = self.line_start();
    }

    pub(super) fn end(&mut self) {
        self.cursor = self.line_end();
    }

    /// To the line above, as far along; false where there is none.
    pub(super) fn up(&mut self) -> bool {
        let start = self.line_start();
        let Some(end) = start.checked_sub(1) else { return false };
        let along = self.cursor - start;
        self.cursor = end;
        let above = self.line_start();
        self.place((above + along).min(end));
        true
    }

    /// To the line below, as far along; false where there is none.
    pub(super) fn down(&mut self) -> bool {
        let (start, end) = (self.line_start(), self.line_end());
        if end == self.characters.len() {
            return false;
        }
        let along = self.cursor - start;
        self.cursor = end + 1;
        let last = self.line_end();
        self.place((end + 1 + along).min(last));
        true
    }

    /// Takes a stretch out, and says where it began; the cursor stands there. `None` where there was nothing.
    fn take(&mut self, from: usize, to: usize) -> Option<Vec<char>> {
        let to = to.min(self.characters.len());
        if from >= to {
            return None;
        }
        let taken: Vec<char> = self.characters.drain(from..to).collect();
        self.bytes -= taken.iter().map(|c| c.len_utf8()).sum::<usize>();
        self.cursor = from;
        Some(taken)
    }

    pub(super) fn backspace(&mut self) -> bool {
        self.take(self.back(self.cursor), self.cursor).is_some()
    }

    pub(super) fn delete(&mut self) -> bool {
        self.take(self.cursor, self.on(self.cursor)).is_some()
    }

    /// Replaces what stands between two places by text; the cursor stands behind it.
    pub(super) fn replace(&mut self, from: usize, to: usize, text: &str) -> bool {
        self.cursor = to.min(self.characters.len());
        let _ = self.take(from, to);
        self.insert_all(text.chars())
    }

    pub(super) fn cut(&mut self, what: Cut) -> bool {
        let (from, to, behind) = match what {
            Cut::ToEnd => {
                let end = self.line_end();
                // At the end of a line, its end.
                (self.cursor, if end == self.cursor { end + 1 } else { end }, true)
            }
            Cut::ToStart => (self.line_start(), self.cursor, false),
            Cut::BlankWord => (self.run_back(|c| !c.is_whitespace()), self.cursor, false),
            Cut::WordBack => (self.word_back(), self.cursor, false),
            Cut::WordOn => (self.cursor, self.word_on(), true),
        };
        let Some(taken) = self.take(from, to) else { return false };
        self.cut = match (self.cutting, behind) {
            (false, _) => taken,
            (true, true) => self.cut.iter().copied().chain(taken).collect(),
            (true, false) => taken.into_iter().chain(self.cut.iter().copied()).collect(),
        };
        // What was cut can never be put in again and again beyond this.
        self.cut.truncate(self.longest);
        self.cutting = true;
        true
    }

    pub(super) fn paste_cut(&mut self) -> bool {
        let cut = std::mem::take(&mut self.cut);
        let room = self.insert_all(cut.iter().copied());
        self.cut = cut;
        room
    }

    /// Exchanges the characters around the cursor, or the last two at the end.
    pub(super) fn transpose(&mut self) -> bool {
        let middle = if self.cursor == self.characters.len() { self.back(self.cursor) } else { self.cursor };
        let (from, to) = (self.back(middle), self.on(middle));
        let newline = |index| self.at(index) == Some('\n');
        if from == middle || middle == to || newline(from) || newline(middle) {
            return false;
        }
        if let Some(stretch) = self.characters.get_mut(from..to) {
            stretch.rotate_left(middle - from);
        }
        self.cursor = to;
        true
    }
}

/// What to cut.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Cut {
    ToEnd,
    ToStart,
    /// Back to a blank.
    BlankWord,
    WordBack,
    WordOn,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(content: &str) -> Text {
        let mut text = Text::new(100);
        text.set(content);
        text
    }

    #[test]
    fn a_mark_is_never_parted_from_its_letter() {
        let mut text = text("ae\u{301}o");
        text.left();
        text.left();
        assert_eq!(text.before(), "a");
        assert!(text.delete());
        assert_eq!(text.string(), "ao");
        text.home();
        assert!(text.insert('\u{301}'));
        assert_eq!(text.string(), "ao", "a mark without a letter is dropped");
    }

    #[test]
    fn what_acts_on_a_terminal_becomes_visible() {
        let mut text = Text::new(100);
        text.insert_all("a\u{202e}b\u{9b}c\u{200b}".chars());
        assert_eq!(text.string(), "a�b�c�");
    }

    #[test]
    fn there_is_room_for_so_much() {
        let mut text = Text::new(5);
        assert!(text.insert_all("abé".chars()));
        assert!(!text.insert('漢') && text.insert('x') && !text.insert('y'));
        assert!(text.backspace() && text.insert('z'));
        assert_eq!(text.string(), "abéz");
    }

    #[test]
    fn cuts_in_a_row_are_put_back_together() {
        let mut text = text("one two/three four");
        assert!(text.cut(Cut::BlankWord) && text.cut(Cut::WordBack));
        assert_eq!(text.string(), "one two/");
        text.home();
        text.acted();
        assert!(text.paste_cut());
        assert_eq!(text.string(), "three fourone two/");
        text.word_right();
        assert!(text.cut(Cut::ToEnd));
        assert!(text.cut(Cut::ToStart));
        assert!(text.paste_cut());
        assert_eq!(text.string(), "three fourone two/");
    }

    #[test]
    fn the_cursor_goes_up_and_down_between_lines() {
        let mut text = text("abc\nd\nefgh");
        assert!(text.up());
        assert_eq!(text.before(), "abc\nd");
        assert!(text.up());
        assert_eq!(text.before(), "a");
        assert!(!text.up());
        text.end();
        assert!(text.down() && text.down() && !text.down());
        assert_eq!(text.before(), "abc\nd\ne");
    }

    #[test]
    fn characters_change_places() {
        let mut text = text("abc");
        assert!(text.transpose());
        assert_eq!(text.string(), "acb");
        text.home();
        assert!(!text.transpose());
        text.right();
        assert!(text.transpose());
        assert_eq!((text.string().as_str(), text.cursor()), ("cab", 2));
    }
}
