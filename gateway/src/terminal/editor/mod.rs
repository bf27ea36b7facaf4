//! A line editor for a terminal at the other end of a connection: bytes in, events and bytes for the terminal out. It
//! does no I/O and knows nothing about what lines mean.
//!
//! It answers the keys that people's fingers know from `bash` (Emacs style), edits lines that are wider than the screen
//! and longer than one line, keeps a history and searches it. A paste (bracketed) never acts: line ends in it are text
//! until somebody presses Enter. Typing at the end costs the bytes of what was typed, not a redrawn line.
//!
//! Where it ends: it believes that the terminal draws characters as wide as `unicode-width` says, and that it wraps text
//! anew when its size changes; one that does not shows a line askew until Ctrl-L.

mod complete;
mod draw;
mod history;
mod keys;
mod paint;
mod text;

pub use complete::{Candidate, Offer};

use super::Size;
use draw::{Canvas, Damage};
use history::History;
use keys::{Key, Keys};
use text::{Cut, Text};

/// Switches bracketed paste on, and off.
const PASTES: (&[u8], &[u8]) = (b"\x1b[?2004h", b"\x1b[?2004l");

/// What the person did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// Entered a line, or several at once.
    Line(String),
    /// Ctrl-C: the line is given up.
    Interrupt,
    /// Ctrl-D on an empty line.
    EndOfInput,
    /// Tab: what could stand at the cursor? [`Editor::offer`] takes the answer.
    Complete {
        /// The whole text.
        text: String,
        /// Where the cursor is, in bytes.
        cursor: usize,
    },
}

/// What stands before the line: pieces, each with the sequence that sets its colours (or nothing).
pub type Prompt = Vec<(String, &'static str)>;

/// How an editor behaves.
#[derive(Debug, Clone, Copy)]
pub struct Options {
    /// The longest text, in bytes.
    pub longest: usize,
    /// How many lines the history keeps.
    pub history: usize,
    /// Whether text is unfinished, so that Enter adds a line to it.
    pub unfinished: fn(&str) -> bool,
    /// Whether the terminal can do more than move its cursor.
    pub capable: bool,
}

/// A search under way.
#[derive(Debug)]
struct Search {
    query: String,
    found: Option<usize>,
    failed: bool,
    before: (String, usize),
}

/// Edits one line after the other.
#[derive(Debug)]
pub struct Editor {
    keys: Keys,
    text: Text,
    history: History,
    search: Option<Search>,
    canvas: Canvas,
    prompt: Prompt,
    options: Options,
    active: bool,
    /// Tabs in a row.
    tabs: usize,
    /// Words of earlier lines that were fetched in a row, and how long the last of them is.
    fetched: Option<(usize, usize)>,
    out: Vec<u8>,
}

impl Editor {
    /// An editor that waits for [`Editor::begin`].
    #[must_use]
    pub const fn new(size: Size, options: Options) -> Self {
        Self {
            keys: Keys::new(),
            text: Text::new(options.longest),
            history: History::new(options.history),
            search: None,
            canvas: Canvas::new(size),
            prompt: Vec::new(),
            options,
            active: false,
            tabs: 0,
            fetched: None,
            out: Vec::new(),
        }
    }

    /// Shows a prompt with an empty line. The cursor must be in the first column.
    pub fn begin(&mut self, prompt: Prompt) {
        self.prompt = prompt.into_iter().map(|(text, style)| (super::clean(&text), style)).collect();
        self.text.set("");
        self.search = None;
        self.active = true;
        self.tabs = 0;
        self.fetched = None;
        if self.options.capable {
            self.out.extend_from_slice(PASTES.0);
        }
        self.canvas.damage(Damage::Fresh);
        self.flush();
    }

    /// Takes bytes, up to the first event: says how many it took. What is left belongs to whoever reads next. Takes
    /// nothing while no line is under way.
    pub fn feed(&mut self, bytes: &[u8]) -> (usize, Option<Event>) {
        for (index, &byte) in bytes.iter().enumerate() {
            if !self.active {
                return (index, None);
            }
            if let Some(event) = self.keys.take(byte).and_then(|key| self.key(key)) {
                return (index + 1, Some(event));
            }
        }
        self.flush();
        (bytes.len(), None)
    }

    /// What is to be sent to the terminal.
    #[must_use]
    pub fn take_output(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.out)
    }

    /// The terminal has a new size.
    pub fn resize(&mut self, size: Size) {
        self.canvas.resize(size);
        self.flush();
    }

    /// Gives the line up without a word, for something more important. The cursor is then in the first column.
    pub fn give_up(&mut self) {
        if self.active {
            self.leave("");
        }
    }

    /// The lines of the history, oldest first.
    pub fn history(&self) -> impl Iterator<Item = &str> {
        self.history.lines()
    }

    /// Keeps a line that came from elsewhere.
    pub fn remember(&mut self, line: &str) {
        self.history.keep(line);
    }

    /// Answers [`Event::Complete`].
    pub fn offer(&mut self, offer: &Offer) {
        if !self.active {
            return;
        }
        match complete::advance(offer) {
            Some(text) => {
                let (from, to) = (offer.characters_at(offer.from), offer.characters_at(offer.to));
                self.canvas.damage(Damage::From(from));
                if !self.text.replace(from, to, &text) {
                    self.bell();
                }
                self.tabs = 0;
            }
            None if offer.candidates.len() > 1 && self.tabs > 1 => {
                let cursor = self.text.cursor();
                self.show_whole();
                let columns = self.canvas.columns();
                self.out.extend_from_slice(&complete::list(&offer.candidates, columns));
                self.text.place(cursor);
                self.canvas.damage(Damage::Fresh);
            }
            None => self.bell(),
        }
        self.flush();
    }

    fn bell(&mut self) {
        self.out.push(7);
    }

    fn flush(&mut self) {
        if !self.active {
            return;
        }
        let searching;
        let prompt = match &self.search {
            None => &self.prompt,
            Some(search) => {
                let failed = if search.failed { "failed " } else { "" };
                searching =
                    vec![(format!("({failed}history search) `{}`: ", super::clean(&search.query)), "")];
                &searching
            }
        };
        self.canvas.show(prompt, &self.text, &mut self.out);
    }

    /// Shows everything, with the cursor at the end and then on a fresh line.
    fn show_whole(&mut self) {
        self.text.place(self.text.len());
        self.canvas.damage(Damage::Cursor);
        self.flush();
        if self.canvas.at().column > 0 {
            self.out.extend_from_slice(b"\r\n");
        }
    }

    /// The line is over, with a last word behind it.
    fn leave(&mut self, word: &str) {
        if self.search.take().is_some() {
            self.canvas.damage(Damage::All);
        }
        self.text.place(self.text.len());
        self.canvas.damage(Damage::Cursor);
        self.flush();
        self.out.extend_from_slice(word.as_bytes());
        if !word.is_empty() || self.canvas.at().column > 0 {
            self.out.extend_from_slice(b"\r\n");
        }
        if self.options.capable {
            self.out.extend_from_slice(PASTES.1);
        }
        self.active = false;
        self.history.forget_place();
    }

    fn key(&mut self, key: Key) -> Option<Event> {
        if key != Key::Tab {
            self.tabs = 0;
        }
        if key != Key::Alt('.') {
            self.fetched = None;
        }
        let key = if self.search.is_some() { self.searching(key)? } else { key };
        let cutting = matches!(key, Key::Control('k' | 'u' | 'w') | Key::Alt('d') | Key::WordBack);
        if !cutting {
            self.text.acted();
        }
        match key {
            Key::Enter if (self.options.unfinished)(&self.text.string()) => {
                self.text.place(self.text.len());
                self.insert('\n');
            }
            Key::Enter => {
                let line = self.text.string();
                self.leave("");
                self.history.keep(&line);
                return Some(Event::Line(line));
            }
            Key::Control('c') => {
                self.leave("^C");
                return Some(Event::Interrupt);
            }
            Key::Control('d') if self.text.is_empty() => {
                self.leave("");
                return Some(Event::EndOfInput);
            }
            Key::Tab => {
                self.tabs += 1;
                self.flush();
                return Some(Event::Complete { text: self.text.string(), cursor: self.text.before().len() });
            }
            Key::Character(character) | Key::Pasted(character) => self.insert(character),
            Key::Control('r') => {
                let before = (self.text.string(), self.text.cursor());
                self.search = Some(Search { query: String::new(), found: None, failed: false, before });
                self.canvas.damage(Damage::All);
            }
            Key::Control('l') => {
                self.out.extend_from_slice(b"\x1b[H\x1b[2J");
                self.canvas.damage(Damage::Fresh);
            }
            Key::Up => {
                if !self.text.up() {
                    self.older();
                }
                self.canvas.damage(Damage::Cursor);
            }
            Key::Down => {
                if !self.text.down() {
                    self.newer();
                }
                self.canvas.damage(Damage::Cursor);
            }
            Key::Alt('.') => self.fetch(),
            Key::Control('p') => self.older(),
            Key::Control('n') => self.newer(),
            key => self.edit(key),
        }
        None
    }

    fn insert(&mut self, character: char) {
        let from = self.text.cursor();
        if self.text.insert(character) {
            self.canvas.damage(Damage::From(from));
        } else if self.out.last() != Some(&7) {
            self.bell();
        }
    }

    /// Moves and changes within the text.
    fn edit(&mut self, key: Key) {
        let text = &mut self.text;
        let before = text.cursor();
        let changed = match key {
            Key::Backspace => text.backspace(),
            Key::Delete | Key::Control('d') => text.delete(),
            Key::Control('k') => text.cut(Cut::ToEnd),
            Key::Control('u') => text.cut(Cut::ToStart),
            Key::Control('w') => text.cut(Cut::BlankWord),
            Key::WordBack => text.cut(Cut::WordBack),
            Key::Alt('d') => text.cut(Cut::WordOn),
            Key::Control('t') => text.transpose(),
            Key::Control('y') => {
                let room = text.paste_cut();
                if !room {
                    self.out.push(7);
                }
                true
            }
            _ => {
                match key {
                    Key::Left | Key::Control('b') => text.left(),
                    Key::Right | Key::Control('f') => text.right(),
                    Key::Home | Key::Control('a') => text.home(),
                    Key::End | Key::Control('e') => text.end(),
                    Key::WordLeft | Key::Alt('b') => text.word_left(),
                    Key::WordRight | Key::Alt('f') => text.word_right(),
                    _ => {}
                }
                if text.cursor() != before {
                    self.canvas.damage(Damage::Cursor);
                }
                false
            }
        };
        if changed {
            let from = self.text.cursor().min(before);
            self.canvas.damage(if key == Key::Control('t') { Damage::All } else { Damage::From(from) });
        }
    }

    /// The last word of the line before; once more: of the one before that, in its place.
    fn fetch(&mut self) {
        let (before, long) = self.fetched.unwrap_or_default();
        let Some(word) = self.history.last_word(before) else { return self.bell() };
        let to = self.text.cursor();
        let from = to.saturating_sub(long);
        self.canvas.damage(Damage::From(from));
        if !self.text.replace(from, to, word) {
            self.bell();
        }
        self.fetched = Some((before + 1, self.text.cursor().saturating_sub(from)));
    }

    fn older(&mut self) {
        let now = self.text.string();
        match self.history.older(&now) {
            Some(line) => {
                self.text.set(line);
                self.canvas.damage(Damage::From(0));
            }
            None => self.bell(),
        }
    }

    fn newer(&mut self) {
        match self.history.newer() {
            Some(line) => {
                self.text.set(&line);
                self.canvas.damage(Damage::From(0));
            }
            None => self.bell(),
        }
    }

    /// A key while the history is searched; what ends the search is given back to be done.
    fn searching(&mut self, key: Key) -> Option<Key> {
        let search = self.search.as_mut()?;
        self.canvas.damage(Damage::All);
        let from = match key {
            Key::Character(character) | Key::Pasted(character) if character != '\n' => {
                if search.query.len() < 256 {
                    search.query.push(character);
                }
                // The line that is shown may still be it.
                search.found.map(|index| index + 1)
            }
            Key::Backspace => {
                search.query.pop();
                None
            }
            Key::Control('r') => search.found,
            Key::Control('g') => {
                let (text, cursor) = std::mem::take(&mut search.before);
                self.search = None;
                self.text.set(&text);
                self.text.place(cursor);
                return None;
            }
            Key::Escape | Key::Tab | Key::Pasted(_) => {
                self.search = None;
                return None;
            }
            key => {
                self.search = None;
                return Some(key);
            }
        };
        if search.query.is_empty() {
            (search.found, search.failed) = (None, false);
            return None;
        }
        match self.history.find(&search.query, from) {
            Some((index, line, place)) => {
                (search.found, search.failed) = (Some(index), false);
                self.text.set(line);
                self.text.place(place);
            }
            None => {
                search.failed = true;
                self.bell();
            }
        }
        None
    }
}

#[cfg(test)]
mod tests;
