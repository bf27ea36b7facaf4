//! From text to words and operators. Operators that would take a line out of the language are refused here.

use std::ops::Range;

use super::cursor::Cursor;
use super::word::{self, Place};
use crate::line::{LineError, Part, Stream, Word};

#[derive(Debug)]
pub(super) struct Token {
    pub(super) kind: Kind,
    pub(super) span: Range<usize>,
}

#[derive(Debug)]
pub(super) enum Kind {
    Word(Word),
    /// `NAME=value` where a command may begin.
    Assignment(String, Word),
    /// `>` and its relatives; the target is the next token.
    Redirect(Stream, How),
    And,
    Or,
    Pipe,
    /// `;`
    Semicolon,
    Newline,
    End,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum How {
    Read,
    Write,
    Append,
    /// `>&`: the next token is the number.
    Same,
}

#[derive(Debug)]
pub(super) struct Lexer<'a> {
    cursor: Cursor<'a>,
    /// Where the last `]` is: `[!` is no history before it.
    last_bracket: Option<usize>,
}

impl<'a> Lexer<'a> {
    pub(super) fn new(text: &'a str) -> Self {
        Self { cursor: Cursor::new(text), last_bracket: text.rfind(']') }
    }

    pub(super) fn next(&mut self, place: Place) -> Result<Token, LineError> {
        self.blanks();
        let start = self.cursor.at();
        let kind = match self.cursor.peek() {
            None if self.cursor.continued => {
                return Err(self.cursor.unfinished(start, "the line ends with `\\`: write what follows it"));
            }
            None => Kind::End,
            Some('\n') => {
                self.cursor.next();
                Kind::Newline
            }
            Some(first @ (';' | '|' | '&' | '<' | '>' | '(' | ')')) => {
                self.cursor.next();
                self.operator(first, start, place)?
            }
            Some(_) => self.word(start, place)?,
        };
        Ok(Token { kind, span: self.cursor.since(start) })
    }

    fn blanks(&mut self) {
        while let Some(next) = self.cursor.peek() {
            match next {
                ' ' | '\t' => {
                    self.cursor.next();
                }
                // A comment: up to the line's end, backslashes and all.
                '#' => {
                    while self.cursor.peek_raw().is_some_and(|c| c != '\n') {
                        self.cursor.next_raw();
                    }
                }
                _ => break,
            }
        }
    }

    fn word(&mut self, start: usize, place: Place) -> Result<Kind, LineError> {
        let (name, word) = word::read(&mut self.cursor, place, self.last_bracket)?;
        if let Some(name) = name {
            return Ok(Kind::Assignment(name, word));
        }
        let Some(next @ ('<' | '>')) = self.cursor.peek() else { return Ok(Kind::Word(word)) };
        let [Part::Text { text, quoted: false }] = word.parts.as_slice() else {
            return Ok(Kind::Word(word));
        };
        // Straight before `<` or `>`, a number says which stream, and `{name}` is another language's.
        if text.starts_with('{') && text.ends_with('}') {
            return Err(self.cursor.error(
                start,
                format!("`{text}{next}` is not in the language: put a blank before `{next}`"),
            ));
        }
        if !text.bytes().all(|byte| byte.is_ascii_digit()) {
            return Ok(Kind::Word(word));
        }
        let stream = match text.as_str() {
            "0" => Stream::Input,
            "1" => Stream::Output,
            "2" => Stream::Errors,
            _ => {
                return Err(self.cursor.error(
                    start,
                    format!("`{text}{next}`: there are only 0, 1 and 2; write the number as an argument with a blank behind it"),
                ));
            }
        };
        self.cursor.next();
        self.redirection(next, Some(stream), start)
    }

    fn operator(&mut self, first: char, start: usize, place: Place) -> Result<Kind, LineError> {
        let cursor = &mut self.cursor;
        let refused = |cursor: &Cursor<'_>, problem: &str| Err(cursor.error(start, problem));
        match first {
            ';' if cursor.take(';') => {
                refused(cursor, "`;;` belongs to `case`, which is not in the language: write one `;`")
            }
            ';' if cursor.peek() == Some('&') => {
                refused(cursor, "`;&` belongs to `case`, which is not in the language: write one `;`")
            }
            ';' => Ok(Kind::Semicolon),
            '|' if cursor.take('|') => Ok(Kind::Or),
            '|' if cursor.take('&') => refused(cursor, "`|&` is not in the language: write `2>&1 |`"),
            '|' => Ok(Kind::Pipe),
            '&' if cursor.take('&') => Ok(Kind::And),
            '&' if cursor.take('>') => {
                let how = if cursor.take('>') { How::Append } else { How::Write };
                Ok(Kind::Redirect(Stream::Both, how))
            }
            '&' => refused(
                cursor,
                "`&` would leave it running in the background: leave it out, or write `\\&` for the character",
            ),
            '(' if place == Place::Argument => refused(
                cursor,
                "`(` is not in the language here, and there are no functions: write `\\(` for the character",
            ),
            '(' => refused(cursor, "`( )` would start another shell: write the commands one after the other"),
            ')' => refused(cursor, "`)` closes nothing: write `\\)` for the character"),
            first => self.redirection(first, None, start),
        }
    }

    /// After `<` or `>`.
    fn redirection(&mut self, first: char, stream: Option<Stream>, start: usize) -> Result<Kind, LineError> {
        let cursor = &mut self.cursor;
        let refused = |cursor: &Cursor<'_>, problem: &str| Err(cursor.error(start, problem));
        if first == '<' {
            if stream.is_some_and(|stream| stream != Stream::Input) {
                return refused(cursor, "only input (0) is read from a file: write `<` or `0<`");
            }
            return match cursor.peek() {
                Some('<') => {
                    cursor.next();
                    if cursor.take('<') {
                        refused(
                            cursor,
                            "`<<<` is not in the language: write `printf '%s\\n' 'text' | program`",
                        )
                    } else {
                        refused(
                            cursor,
                            "here-documents are not in the language: write `printf '%s\\n' 'line' … | program`",
                        )
                    }
                }
                Some('(') => refused(
                    cursor,
                    "`<( )` would start a command unseen: write its output to a file first, or use `|`",
                ),
                Some('&') => refused(cursor, "`<&` is not in the language: input comes from `|` or `< file`"),
                Some('>') => refused(cursor, "`<>` is not in the language: write `<` or `>`"),
                _ => Ok(Kind::Redirect(Stream::Input, How::Read)),
            };
        }
        if stream == Some(Stream::Input) {
            return refused(cursor, "input (0) cannot be written to: write `>`, `1>` or `2>`");
        }
        let stream = stream.unwrap_or(Stream::Output);
        match cursor.peek() {
            Some('(') => refused(cursor, "`>( )` would start a command unseen: use `|`"),
            Some('>') => {
                cursor.next();
                Ok(Kind::Redirect(stream, How::Append))
            }
            Some('|') => {
                cursor.next();
                Ok(Kind::Redirect(stream, How::Write))
            }
            Some('&') => {
                cursor.next();
                Ok(Kind::Redirect(stream, How::Same))
            }
            _ => Ok(Kind::Redirect(stream, How::Write)),
        }
    }
}
