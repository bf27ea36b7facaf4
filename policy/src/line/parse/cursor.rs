//! A place in the text. Backslash and newline together are nothing, outside single quotes (POSIX 2.2.1).

use std::ops::Range;

use crate::line::LineError;

#[derive(Debug, Clone)]
pub(super) struct Cursor<'a> {
    text: &'a str,
    at: usize,
    /// Whether the text ended with a continuation: there should have been more.
    pub(super) continued: bool,
}

impl<'a> Cursor<'a> {
    pub(super) const fn new(text: &'a str) -> Self {
        Self { text, at: 0, continued: false }
    }

    pub(super) const fn at(&self) -> usize {
        self.at
    }

    /// What comes next as it stands, continuations and all.
    pub(super) fn rest(&self) -> &'a str {
        self.text.get(self.at..).unwrap_or_default()
    }

    /// The next character as it stands: within single quotes and comments.
    pub(super) fn peek_raw(&self) -> Option<char> {
        self.rest().chars().next()
    }

    pub(super) fn next_raw(&mut self) -> Option<char> {
        let next = self.peek_raw();
        self.at += next.map_or(0, char::len_utf8);
        next
    }

    /// The next character, continuations left out. Passes over them, so that none is looked at twice.
    pub(super) fn peek(&mut self) -> Option<char> {
        while self.rest().starts_with("\\\n") {
            self.at += 2;
            self.continued = self.rest().is_empty();
        }
        self.peek_raw()
    }

    pub(super) fn next(&mut self) -> Option<char> {
        self.peek();
        self.next_raw()
    }

    /// Takes this character if it is the next one.
    pub(super) fn take(&mut self, wanted: char) -> bool {
        let is = self.peek() == Some(wanted);
        if is {
            self.next_raw();
        }
        is
    }

    pub(super) fn since(&self, start: usize) -> Range<usize> {
        start..self.at
    }

    pub(super) fn error(&self, start: usize, problem: impl Into<String>) -> LineError {
        LineError::new(self.since(start), problem)
    }

    /// An error that more text could mend.
    pub(super) fn unfinished(&self, start: usize, problem: impl Into<String>) -> LineError {
        LineError { unfinished: true, ..self.error(start, problem) }
    }
}
