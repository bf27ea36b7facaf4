//! One word: quotes, `$NAME`, `~`, and everything that other shells would make something else of.

use super::cursor::Cursor;
use super::dollar;
use crate::line::{LineError, Part, Word};

/// Where a word stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    /// Where a command may begin, and `NAME=value`.
    Command,
    /// After a program, or after a redirection's operator.
    Argument,
}

/// A word that is being read.
#[derive(Debug, Default)]
pub(super) struct Reading {
    pub(super) parts: Vec<Part>,
    /// What `NAME=` said, once it was read.
    name: Option<String>,
    /// Whether it looks like `NAME=…` as an argument: some shells put the home directory after its `=` and `:`.
    like_assignment: bool,
    /// For each `{` that is open, whether what follows would be expanded by some shells.
    braces: Vec<bool>,
    /// A `$` that stands for itself, without quotes.
    pub(super) lone_dollar: bool,
}

impl Reading {
    pub(super) fn push(&mut self, character: char, quoted: bool) {
        match self.parts.last_mut() {
            Some(Part::Text { text, quoted: same }) if *same == quoted => text.push(character),
            _ => self.parts.push(Part::Text { text: character.into(), quoted }),
        }
    }

    /// Empty quotes are an empty word, not none.
    fn open_quotes(&mut self) {
        if !matches!(self.parts.last(), Some(Part::Text { quoted: true, .. })) {
            self.parts.push(Part::Text { text: String::new(), quoted: true });
        }
    }

    /// All of it so far, where it is plain.
    fn plain(&self) -> Option<&str> {
        match self.parts.as_slice() {
            [] => Some(""),
            [Part::Text { text, quoted: false }] => Some(text),
            _ => None,
        }
    }

    fn last(&self) -> Option<char> {
        match self.parts.last() {
            Some(Part::Text { text, quoted: false }) => text.chars().next_back(),
            _ => None,
        }
    }
}

/// Whether a name can be a variable's.
pub(in crate::line) fn is_name(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
        && text.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
}

/// Reads a word; with a name where it is an assignment, the word being its value.
pub(super) fn read(
    cursor: &mut Cursor<'_>,
    place: Place,
    last_bracket: Option<usize>,
) -> Result<(Option<String>, Word), LineError> {
    let mut start = cursor.at();
    let mut reading = Reading::default();
    while let Some(next) = cursor.peek() {
        let at = cursor.at();
        match next {
            ' ' | '\t' | '\n' | ';' | '|' | '&' | '<' | '>' | ')' => break,
            '(' => return Err(open_parenthesis(cursor, &reading, start, place)),
            _ => {}
        }
        cursor.next();
        match next {
            '\'' => single(cursor, &mut reading, at)?,
            '"' => double(cursor, &mut reading, at)?,
            '\\' => match cursor.next_raw() {
                None => return Err(cursor.unfinished(at, "the line ends with `\\`: write what follows it")),
                Some(character) => reading.push(character, true),
            },
            '$' => dollar::read(cursor, &mut reading, at, false)?,
            '`' => return Err(dollar::substitution(cursor, at, "`…`")),
            '~' => tilde(cursor, &mut reading, at)?,
            '!' => {
                let bracket = reading.last() == Some('[') && last_bracket.is_some_and(|last| last > at);
                if !bracket {
                    history(cursor, at, false)?;
                }
                reading.push('!', false);
            }
            '^' if place == Place::Command && reading.parts.is_empty() => {
                return Err(cursor.error(at, "`^` at the beginning repeats a changed command in some shells: write the command, or `\\^`"));
            }
            '=' => {
                if equals(cursor, &mut reading, at, place)? {
                    start = cursor.at();
                }
            }
            '[' if place == Place::Command
                && reading.name.is_none()
                && reading.plain().is_some_and(is_name) =>
            {
                return Err(cursor.error(at, "arrays are not in the language: write `NAME=value`, or `\\[`"));
            }
            _ if next.is_whitespace() => {
                let code = u32::from(next);
                return Err(cursor.error(at, format!("a blank that separates nothing (U+{code:04X}) is in the line: type a plain blank, or quote it")));
            }
            _ => plain(cursor, &mut reading, next, at)?,
        }
    }
    // One shell then takes the variable's blanks for the word's own.
    let splits = |part: &Part| matches!(part, Part::Variable { quoted: false, .. });
    if reading.lone_dollar && reading.parts.iter().any(splits) {
        return Err(cursor
            .error(start, "shells read a `$` beside a variable differently: write `\\$` for the character"));
    }
    let span = cursor.since(start);
    Ok((reading.name, Word { parts: reading.parts, span }))
}

/// A character that means something only to brace expansion, or nothing at all.
fn plain(cursor: &Cursor<'_>, reading: &mut Reading, next: char, at: usize) -> Result<(), LineError> {
    match next {
        '{' => reading.braces.push(false),
        ',' => reading.braces.last_mut().into_iter().for_each(|ambiguous| *ambiguous = true),
        '.' if reading.last() == Some('.') => {
            reading.braces.last_mut().into_iter().for_each(|ambiguous| *ambiguous = true);
        }
        '}' if reading.braces.pop() == Some(true) => {
            return Err(cursor.error(
                at,
                "some shells would make several words of `{…}`: write them out, or quote the braces",
            ));
        }
        _ => {}
    }
    reading.push(next, false);
    Ok(())
}

fn single(cursor: &mut Cursor<'_>, reading: &mut Reading, at: usize) -> Result<(), LineError> {
    reading.open_quotes();
    loop {
        match cursor.next_raw() {
            None => {
                return Err(
                    cursor.unfinished(at, "a `'` is not closed: write another one where the text ends")
                );
            }
            Some('\'') => return Ok(()),
            Some(character) => reading.push(character, true),
        }
    }
}

fn double(cursor: &mut Cursor<'_>, reading: &mut Reading, at: usize) -> Result<(), LineError> {
    reading.open_quotes();
    loop {
        let here = {
            cursor.peek();
            cursor.at()
        };
        match cursor.next_raw() {
            None => {
                return Err(
                    cursor.unfinished(at, "a `\"` is not closed: write another one where the text ends")
                );
            }
            Some('"') => return Ok(()),
            Some('\\') => match cursor.peek_raw() {
                Some(escaped @ ('$' | '`' | '"' | '\\')) => {
                    cursor.next_raw();
                    reading.push(escaped, true);
                }
                _ => reading.push('\\', true),
            },
            Some('$') => dollar::read(cursor, reading, here, true)?,
            Some('`') => return Err(dollar::substitution(cursor, here, "`…`")),
            Some('!') => {
                history(cursor, here, true)?;
                reading.push('!', true);
            }
            Some(character) => reading.push(character, true),
        }
    }
}

/// `~` alone, or before `/`; at the beginning of a word or of an assignment's value, and after its `:`.
fn tilde(cursor: &mut Cursor<'_>, reading: &mut Reading, at: usize) -> Result<(), LineError> {
    let first = match reading.last() {
        None => reading.parts.is_empty(),
        Some(':' | '=') if reading.like_assignment => {
            return Err(cursor
                .error(at, "some shells put the home directory here: write `\"$HOME\"`, or quote the `~`"));
        }
        Some(':') => reading.name.is_some(),
        Some(_) => false,
    };
    if !first {
        reading.push('~', false);
        return Ok(());
    }
    match cursor.peek() {
        None | Some('/' | ' ' | '\t' | '\n' | ';' | '|' | '&' | '<' | '>') => {}
        Some(':') if reading.name.is_some() => {}
        Some(_) => {
            return Err(cursor.error(
                at,
                "`~` stands for the home directory only alone or before `/`: write the path, or `\\~`",
            ));
        }
    }
    reading.parts.push(Part::Home);
    Ok(())
}

/// What interactive shells would take from their history.
fn history(cursor: &mut Cursor<'_>, at: usize, quoted: bool) -> Result<(), LineError> {
    match cursor.peek() {
        None | Some(' ' | '\t' | '\n' | '=') => Ok(()),
        Some('"') if quoted => Ok(()),
        // What it then is says itself.
        Some('(') if !quoted => Ok(()),
        Some(next) => {
            let problem = format!(
                "`!{next}` repeats an earlier command in some shells: write the command, or `'!'` for the character"
            );
            Err(cursor.error(at, problem))
        }
    }
}

/// Whether a value begins here.
fn equals(cursor: &Cursor<'_>, reading: &mut Reading, at: usize, place: Place) -> Result<bool, LineError> {
    let before = reading.plain().filter(|_| reading.name.is_none());
    if before.is_some_and(is_name) {
        if place == Place::Command {
            reading.name = before.map(str::to_owned);
            reading.parts.clear();
            reading.braces.clear();
            return Ok(true);
        }
        reading.like_assignment = true;
    } else if place == Place::Command && before.and_then(|text| text.strip_suffix('+')).is_some_and(is_name) {
        return Err(cursor.error(at, "`+=` is not in the language: write `NAME=\"$NAME…\"`"));
    }
    reading.push('=', false);
    Ok(false)
}

fn open_parenthesis(cursor: &mut Cursor<'_>, reading: &Reading, start: usize, place: Place) -> LineError {
    let last = reading.last();
    cursor.next();
    if reading.name.is_some() && reading.parts.is_empty() {
        return cursor.error(start, "arrays are not in the language: write `NAME=value`");
    }
    if matches!(last, Some('?' | '*' | '+' | '@' | '!')) {
        return cursor
            .error(start, "patterns like `@(…)` are not in the language: write the names, or quote them");
    }
    if place == Place::Command && !reading.parts.is_empty() {
        return cursor.error(start, "functions are not in the language: write the commands themselves");
    }
    cursor.error(start, "`(` is not in the language here: write `\\(` for the character")
}
