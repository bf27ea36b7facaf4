//! After `$`: a variable, a plain `$`, or something that would have to run to be known.

use super::cursor::Cursor;
use super::word::{Reading, is_name};
use crate::line::{LineError, Part};

/// Reads on after a `$` that stood at `at`.
pub(super) fn read(
    cursor: &mut Cursor<'_>,
    reading: &mut Reading,
    at: usize,
    quoted: bool,
) -> Result<(), LineError> {
    let Some(next) = cursor.peek() else {
        reading.lone_dollar |= !quoted;
        reading.push('$', quoted);
        return Ok(());
    };
    let name = match next {
        '{' => {
            cursor.next();
            braced(cursor, at)?
        }
        '?' => {
            cursor.next();
            "?".to_owned()
        }
        _ if next.is_ascii_alphabetic() || next == '_' => {
            let mut name = String::new();
            while let Some(character) = cursor.peek().filter(|c| c.is_ascii_alphanumeric() || *c == '_') {
                cursor.next();
                name.push(character);
            }
            name
        }
        '(' => {
            cursor.next();
            return Err(if cursor.take('(') {
                arithmetic(cursor, at)
            } else {
                substitution(cursor, at, "`$(…)`")
            });
        }
        '[' => return Err(arithmetic(cursor, at)),
        '0'..='9' | '@' | '*' | '#' | '$' | '!' | '-' => {
            cursor.next();
            let problem =
                format!("`${next}` has no value here: write the value itself, or `\\$` for the character");
            return Err(cursor.error(at, problem));
        }
        '\'' if !quoted => {
            cursor.next();
            return Err(cursor.error(
                at,
                "`$'…'` is not in the language: write the characters themselves in `'…'`, or use `printf`",
            ));
        }
        '"' if !quoted => {
            cursor.next();
            return Err(cursor.error(at, "`$\"…\"` is not in the language: write `\"…\"`"));
        }
        _ => {
            reading.lone_dollar |= !quoted;
            reading.push('$', quoted);
            return Ok(());
        }
    };
    reading.parts.push(Part::Variable { name, quoted });
    Ok(())
}

/// After `${`.
fn braced(cursor: &mut Cursor<'_>, at: usize) -> Result<String, LineError> {
    let mut name = String::new();
    loop {
        match cursor.next() {
            None => return Err(cursor.unfinished(at, "`${` is not closed: write `}` behind the name")),
            Some('}') if is_name(&name) || name == "?" => return Ok(name),
            Some(character @ ('a'..='z' | 'A'..='Z' | '0'..='9' | '_' | '?')) => name.push(character),
            Some(_) => {
                return Err(cursor.error(
                    at,
                    "`${…}` takes a name and nothing else: write `${NAME}`, or the value itself",
                ));
            }
        }
    }
}

pub(super) fn substitution(cursor: &Cursor<'_>, at: usize, what: &str) -> LineError {
    // Backticks cannot stand in backticks.
    let what = what.trim_matches('`');
    let what = if what == "…" { "a command in backticks".to_owned() } else { format!("`{what}`") };
    cursor.error(
        at,
        format!("{what} would have to run before the line can be judged: run it by itself, then write its output here"),
    )
}

fn arithmetic(cursor: &Cursor<'_>, at: usize) -> LineError {
    cursor.error(at, "arithmetic is not in the language: write the result")
}
