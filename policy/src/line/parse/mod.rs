//! From text to [`Script`]: the grammar. One pass, no recursion; the language has no nesting, so none is needed.

mod characters;
mod cursor;
mod dollar;
mod lexer;
#[cfg(test)]
mod tests;
mod word;

use lexer::{How, Kind, Lexer, Token};
use word::Place;
pub(super) use word::is_name;

use super::{
    LONGEST_LINE, LineError, MOST_COMMANDS, MOST_WORDS, Part, Pipeline, RedirectTo, Redirection, Script,
    Simple, Step, Stream, When, Word,
};

/// Words that begin something else than a command, where a command may begin.
const KEYWORDS: [&str; 21] = [
    "if", "then", "else", "elif", "fi", "for", "while", "until", "do", "done", "case", "esac", "in",
    "select", "function", "coproc", "time", "{", "}", "[[", "]]",
];

/// Parses a line, or several.
///
/// # Errors
/// At the first thing that is not in the language, with what to write instead.
pub fn parse(text: &str) -> Result<Script, LineError> {
    if text.len() > LONGEST_LINE {
        let problem = format!("the line has more than {LONGEST_LINE} bytes: write a shorter one");
        return Err(LineError::new(LONGEST_LINE..text.len(), problem));
    }
    characters::check(text)?;
    Parser { lexer: Lexer::new(text), commands: 0, words: 0 }.script()
}

struct Parser<'a> {
    lexer: Lexer<'a>,
    commands: usize,
    words: usize,
}

/// A command, and what ended it.
struct Ended {
    simple: Simple,
    by: Token,
}

impl Parser<'_> {
    fn script(mut self) -> Result<Script, LineError> {
        let mut script = Script::default();
        let mut when = When::Always;
        // What must be followed by a command, as it was written.
        let mut owed: Option<&'static str> = None;
        loop {
            let first = self.lexer.next(Place::Command)?;
            match first.kind {
                Kind::Newline => continue,
                Kind::End => match owed {
                    None => return Ok(script),
                    Some(operator) => {
                        let problem = format!(
                            "a command is missing after `{operator}`: write it, or leave `{operator}` out"
                        );
                        return Err(LineError { unfinished: true, ..LineError::new(first.span, problem) });
                    }
                },
                _ => {}
            }
            let (pipeline, by) = self.pipeline(first)?;
            script.steps.push(Step { when, pipeline });
            (when, owed) = match by.kind {
                Kind::And => (When::Succeeded, Some("&&")),
                Kind::Or => (When::Failed, Some("||")),
                Kind::End => return Ok(script),
                _ => (When::Always, None),
            };
        }
    }

    fn pipeline(&mut self, mut first: Token) -> Result<(Pipeline, Token), LineError> {
        let mut pipeline = Pipeline { negated: false, commands: Vec::new() };
        if is_plain(&first, "!") {
            pipeline.negated = true;
            first = self.lexer.next(Place::Command)?;
        }
        loop {
            let Ended { simple, by } = self.command(first)?;
            pipeline.commands.push(simple);
            if !matches!(by.kind, Kind::Pipe) {
                return Ok((pipeline, by));
            }
            first = self.after_pipe()?;
        }
    }

    /// A `|` may be followed by new lines.
    fn after_pipe(&mut self) -> Result<Token, LineError> {
        loop {
            let next = self.lexer.next(Place::Command)?;
            match next.kind {
                Kind::Newline => {}
                Kind::End => {
                    let problem = "a command is missing after `|`: write it, or leave `|` out";
                    return Err(LineError { unfinished: true, ..LineError::new(next.span, problem) });
                }
                _ => return Ok(next),
            }
        }
    }

    fn command(&mut self, first: Token) -> Result<Ended, LineError> {
        self.commands += 1;
        if self.commands > MOST_COMMANDS {
            let problem = format!("the line has more than {MOST_COMMANDS} commands: write several lines");
            return Err(LineError::new(first.span, problem));
        }
        reserved(&first)?;
        let mut simple = Simple {
            assignments: Vec::new(),
            words: Vec::new(),
            redirections: Vec::new(),
            span: first.span.clone(),
        };
        let mut token = first;
        let by = loop {
            let end = token.span.end;
            match token.kind {
                Kind::Word(word) => {
                    self.count(&word)?;
                    simple.words.push(word);
                }
                Kind::Assignment(name, value) => {
                    self.count(&value)?;
                    simple.assignments.push((name, value));
                }
                Kind::Redirect(stream, how) => {
                    let redirection = self.redirection(stream, how, &token.span)?;
                    simple.span.end = redirection.span.end;
                    simple.redirections.push(redirection);
                }
                _ => break token,
            }
            simple.span.end = simple.span.end.max(end);
            let place = if simple.words.is_empty() { Place::Command } else { Place::Argument };
            token = self.lexer.next(place)?;
        };
        if simple.words.is_empty() && simple.assignments.is_empty() && simple.redirections.is_empty() {
            let found = match by.kind {
                Kind::And => "`&&`",
                Kind::Or => "`||`",
                Kind::Pipe => "`|`",
                Kind::Semicolon => "`;`",
                _ => "the end",
            };
            let problem = format!("a command is missing before {found}: write one");
            return Err(LineError::new(by.span, problem));
        }
        Ok(Ended { simple, by })
    }

    fn redirection(
        &mut self,
        stream: Stream,
        how: How,
        operator: &std::ops::Range<usize>,
    ) -> Result<Redirection, LineError> {
        let target = self.lexer.next(Place::Argument)?;
        let span = operator.start..target.span.end;
        let Kind::Word(word) = target.kind else {
            let problem =
                "a file is missing in the redirection: write its name behind it, or quote `<` and `>`";
            return Err(LineError::new(operator.clone(), problem));
        };
        self.count(&word)?;
        let to = match how {
            How::Read => RedirectTo::Read(word),
            How::Write => RedirectTo::Write(word),
            How::Append => RedirectTo::Append(word),
            How::Same => match word.parts.as_slice() {
                [Part::Text { text, quoted: false }] if text == "1" => RedirectTo::Same(Stream::Output),
                [Part::Text { text, quoted: false }] if text == "2" => RedirectTo::Same(Stream::Errors),
                _ => {
                    let problem =
                        "after `>&` only 1 or 2 can stand: write `2>&1`, or `&> file` for both streams";
                    return Err(LineError::new(span, problem));
                }
            },
        };
        Ok(Redirection { stream, to, span })
    }

    fn count(&mut self, word: &Word) -> Result<(), LineError> {
        self.words += 1;
        if self.words > MOST_WORDS {
            let problem = format!("the line has more than {MOST_WORDS} words: write several lines");
            return Err(LineError::new(word.span.clone(), problem));
        }
        Ok(())
    }
}

fn is_plain(token: &Token, wanted: &str) -> bool {
    matches!(&token.kind, Kind::Word(word)
        if matches!(word.parts.as_slice(), [Part::Text { text, quoted: false }] if text == wanted))
}

/// Refuses what begins something else than a command.
fn reserved(first: &Token) -> Result<(), LineError> {
    if is_plain(first, "!") {
        let problem = "`!` stands once, at the beginning of a pipeline: leave this one out";
        return Err(LineError::new(first.span.clone(), problem));
    }
    let Some(keyword) = KEYWORDS.into_iter().find(|keyword| is_plain(first, keyword)) else { return Ok(()) };
    let problem = match keyword {
        "{" | "}" => {
            "`{ }` groups are not in the language: write the commands one after the other".to_owned()
        }
        "[[" | "]]" => "`[[ ]]` is not in the language: write `test …`".to_owned(),
        "function" => "functions are not in the language: write the commands themselves".to_owned(),
        "time" => "`time` is not in the language: leave it out".to_owned(),
        "if" | "then" | "else" | "elif" | "fi" => {
            format!("`{keyword}` is not in the language: use `&&` and `||`, or quote it as a program's name")
        }
        _ => format!(
            "`{keyword}` is not in the language: write the commands one after the other, or quote it as a program's name"
        ),
    };
    Err(LineError::new(first.span.clone(), problem))
}
