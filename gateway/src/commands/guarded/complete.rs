//! What Tab offers: programs that some rule allows and the shell's own words, flags of a program, paths in the container.

use std::time::Duration;

use sallyport_policy::commands::Commands;
use sallyport_policy::line::Variables as _;
use tokio::time::Instant;

use super::builtins;
use super::container::Container;
use super::names::list;
use super::state::State;
use crate::terminal::editor::{Candidate, Offer};

/// How long a listing may take, and how long it is good for.
const PATIENCE: Duration = Duration::from_secs(2);
const FRESH: Duration = Duration::from_secs(3);

/// The listing of one directory, kept for the next key.
#[derive(Debug, Default)]
pub(super) struct Completer {
    listed: Option<Listed>,
}

/// A directory's names, and when they were looked up.
#[derive(Debug)]
struct Listed {
    path: String,
    at: Instant,
    names: Vec<(String, bool)>,
}

/// The word at the cursor.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Word {
    /// Where it begins, in bytes.
    from: usize,
    /// Without quotes.
    text: String,
    /// The program that it is an argument of; `None` where it is the program.
    program: Option<String>,
    /// The quote that is open at the cursor.
    quote: Option<char>,
}

impl Completer {
    /// What the word at the cursor could become.
    pub(super) async fn offers<C: Container>(
        &mut self,
        container: &C,
        commands: &Commands,
        state: &State,
        text: &str,
        cursor: usize,
    ) -> Option<Offer> {
        let word = word(text.get(..cursor)?)?;
        let whole = |text: String| Candidate { shown: text.clone(), text, complete: true };
        let candidates = match &word.program {
            None if !word.text.contains('/') => {
                let own = builtins::OWN.iter().copied();
                let all = commands.programs().into_iter().chain(own.filter(|name| *name != ":"));
                let mut names: Vec<&str> = all.filter(|name| name.starts_with(&word.text)).collect();
                names.sort_unstable();
                names.dedup();
                names.into_iter().map(|name| whole(name.to_owned())).collect()
            }
            Some(program) if word.text.starts_with('-') => {
                let flags = commands.flags(program).into_iter().filter(|flag| flag.starts_with(&word.text));
                flags.map(|flag| Candidate { complete: !flag.ends_with('='), ..whole(flag) }).collect()
            }
            _ => self.paths(container, state, &word).await?,
        };
        Some(Offer { asked: text.to_owned(), from: word.from, to: cursor, candidates })
    }

    async fn paths<C: Container>(
        &mut self,
        container: &C,
        state: &State,
        word: &Word,
    ) -> Option<Vec<Candidate>> {
        let (directory, begin) = match word.text.rsplit_once('/') {
            Some((directory, begin)) => (format!("{directory}/"), begin),
            None => (String::new(), word.text.as_str()),
        };
        let home = match (word.quote, directory.strip_prefix("~/")) {
            (None, Some(rest)) => Some(format!("{}/{rest}", state.get("HOME")?)),
            _ => None,
        };
        let place = state.absolute(home.as_deref().unwrap_or(&directory));
        let fresh = |listed: &Listed| listed.path == place && listed.at.elapsed() < FRESH;
        if !self.listed.as_ref().is_some_and(fresh) {
            let names = tokio::time::timeout(PATIENCE, list(container, &place)).await.ok()?.ok()?;
            self.listed = Some(Listed { path: place, at: Instant::now(), names });
        }
        let names = &self.listed.as_ref()?.names;
        let only_directories = word.program.as_deref() == Some("cd");
        let fits = |(name, directory): &&(String, bool)| {
            name.starts_with(begin)
                && (!name.starts_with('.') || begin.starts_with('.'))
                && (*directory || !only_directories)
                // What cannot be typed as it is seen.
                && crate::terminal::clean(name) == *name
                && !name.contains(char::REPLACEMENT_CHARACTER)
        };
        let mut candidates: Vec<Candidate> = names
            .iter()
            .filter(fits)
            .map(|(name, is_directory)| {
                let end = if *is_directory { "/" } else { "" };
                let text = quoted(&format!("{directory}{name}{end}"), word.quote, !is_directory);
                Candidate { text, shown: format!("{name}{end}"), complete: !is_directory }
            })
            .collect();
        candidates.sort_by(|a, b| a.shown.cmp(&b.shown));
        Some(candidates)
    }
}

/// The word that ends at the cursor.
fn word(before: &str) -> Option<Word> {
    let mut word = Word { from: 0, text: String::new(), program: None, quote: None };
    let mut started = false;
    // After `>` comes a file, whatever the word before.
    let mut redirected = false;
    let mut characters = before.char_indices().peekable();
    while let Some((index, character)) = characters.next() {
        let after = index + character.len_utf8();
        match (word.quote, character) {
            (Some(quote), character) if character == quote => word.quote = None,
            (Some('\''), character) => word.text.push(character),
            (_, '\\') => word.text.push(characters.next()?.1),
            (Some(_), character) => word.text.push(character),
            (None, '\'' | '"') => word.quote = Some(character),
            (None, ' ' | '\t' | '\n' | ';' | '|' | '&' | '<' | '>' | '!') if character != '!' || !started => {
                let done = std::mem::take(&mut word.text);
                let assignment =
                    done.split_once('=').is_some_and(|(name, _)| !name.is_empty() && !name.contains('/'));
                if started && word.program.is_none() && !redirected && !assignment {
                    word.program = Some(done);
                }
                if started {
                    redirected = false;
                }
                match character {
                    '\n' | ';' | '|' | '&' | '!' => word.program = None,
                    '<' | '>' => redirected = true,
                    _ => {}
                }
                (started, word.from) = (false, after);
                continue;
            }
            (None, character) => word.text.push(character),
        }
        started = true;
    }
    if redirected && word.program.is_none() {
        word.program = Some(String::new());
    }
    Some(word)
}

/// A path as it has to be typed. `whole` closes an open quote.
fn quoted(path: &str, quote: Option<char>, whole: bool) -> String {
    let mut out = String::new();
    out.extend(quote);
    for (index, character) in path.chars().enumerate() {
        let escape = match quote {
            None => {
                let plain = character.is_alphanumeric() || "/_.,+-:@%=".contains(character);
                let home = index == 0 && path.starts_with("~/");
                !plain && !home
            }
            Some('"') => matches!(character, '"' | '$' | '`' | '\\'),
            Some(_) => false,
        };
        match (quote, character) {
            (Some('\''), '\'') => out.push_str("'\\''"),
            (_, character) => {
                if escape {
                    out.push('\\');
                }
                out.push(character);
            }
        }
    }
    if whole {
        out.extend(quote);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(before: &str) -> (usize, String, Option<String>) {
        let word = word(before).unwrap();
        (word.from, word.text, word.program)
    }

    #[test]
    fn the_word_at_the_cursor_is_a_program_or_an_argument() {
        let some = |text: &str| Some(text.to_owned());
        assert_eq!(at("ca"), (0, "ca".into(), None));
        assert_eq!(at("cat /e"), (4, "/e".into(), some("cat")));
        assert_eq!(at("X=1 ca"), (4, "ca".into(), None));
        assert_eq!(at("cat x | gr"), (8, "gr".into(), None));
        assert_eq!(at("cat x && ! gr"), (11, "gr".into(), None));
        assert_eq!(at("cat 'a b"), (4, "a b".into(), some("cat")));
        assert_eq!(at("cat a\\ b"), (4, "a b".into(), some("cat")));
        assert_eq!(at("cat x > /t"), (8, "/t".into(), some("cat")));
        assert_eq!(at("cat "), (4, String::new(), some("cat")));
    }

    #[test]
    fn what_is_filled_in_means_that_name() {
        assert_eq!(quoted("/a b$c", None, true), "/a\\ b\\$c");
        assert_eq!(quoted("/a b$c", Some('"'), true), "\"/a b\\$c\"");
        assert_eq!(quoted("it's", Some('\''), true), "'it'\\''s'");
        assert_eq!(quoted("sub/", Some('\''), false), "'sub/");
    }
}
