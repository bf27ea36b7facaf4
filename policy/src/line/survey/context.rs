//! The command that is being read, and what stands around it.

use super::nested::is_shell;
use crate::line::parse::is_name;

/// A word, and whether it says what the shell would make of it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Piece {
    pub(super) text: String,
    pub(super) known: bool,
    /// Whether any of it was quoted: then it is no keyword, and braces in it are braces.
    pub(super) quoted: bool,
}

#[derive(Debug, PartialEq, Eq)]
pub(super) enum Found {
    Command(Vec<Piece>),
    /// What a command reads as its input, where a shell does.
    Text(String),
}

/// What a context ends with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Until {
    End,
    /// `(…)`: a new command follows it.
    Parenthesis,
    /// `$(…)`, `<(…)`: the word goes on.
    Substitution,
    Backtick,
    /// `${…}`: its own words are no command.
    Brace,
}

#[derive(Debug)]
pub(super) struct Context {
    pub(super) until: Until,
    pub(super) words: Vec<Piece>,
    pub(super) word: Option<Piece>,
    /// Within double quotes.
    pub(super) double: bool,
    /// The next word is where a stream goes; with `<<<`, what comes in.
    pub(super) target: Option<Target>,
    /// The words are a loop's or a pattern's, not a command's.
    pub(super) dropped: bool,
    /// Within `[[ … ]]`.
    pub(super) test: bool,
    /// How many `case` are open: their `)` close no context.
    pub(super) cases: usize,
    /// Where a `case` has its subject and its patterns.
    pub(super) pattern: bool,
    pub(super) fed: Vec<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Target {
    File,
    Text,
    /// `<<`: the word that ends it.
    Here,
}

impl Context {
    pub(super) const fn new(until: Until) -> Self {
        Self {
            until,
            words: Vec::new(),
            word: None,
            double: false,
            target: None,
            dropped: false,
            test: false,
            cases: 0,
            pattern: false,
            fed: Vec::new(),
        }
    }

    pub(super) fn push(&mut self, character: char, quoted: bool) {
        let word = self.word.get_or_insert(Piece { known: true, ..Piece::default() });
        word.text.push(character);
        word.quoted |= quoted;
    }

    /// Something whose value nobody knows, as it is written.
    pub(super) fn unknown(&mut self, text: &str) {
        let word = self.word.get_or_insert_default();
        word.text.push_str(text);
        word.known = false;
    }

    /// The word is over; gives what ends a here-document.
    pub(super) fn end_word(&mut self) -> Option<String> {
        let word = self.word.take()?;
        match self.target.take() {
            Some(Target::File) => return None,
            Some(Target::Text) => {
                self.fed.push(word.text);
                return None;
            }
            Some(Target::Here) => return Some(word.text),
            None => {}
        }
        if self.test {
            self.test = word.text != "]]";
            return None;
        }
        if self.pattern {
            if word.text == "esac" {
                self.pattern = false;
                self.cases = self.cases.saturating_sub(1);
            }
            return None;
        }
        if self.words.is_empty() && !word.quoted && self.keyword(&word.text) {
            return None;
        }
        // `for NAME in …`, `function NAME`: nothing of it runs, up to where the body begins.
        if self.dropped {
            self.dropped = word.text != "{";
            return None;
        }
        let assignment =
            word.text.split_once('=').is_some_and(|(name, _)| is_name(name.trim_end_matches('+')));
        if self.words.is_empty() && assignment {
            return None;
        }
        self.words.extend(braces(word));
        None
    }

    /// What is passed over at a command's beginning.
    fn keyword(&mut self, word: &str) -> bool {
        match word {
            "if" | "then" | "else" | "elif" | "fi" | "while" | "until" | "do" | "done" | "!" | "time"
            | "{" | "}" | "coproc" => self.dropped = false,
            "for" | "select" | "function" => self.dropped = true,
            "case" => {
                self.cases += 1;
                self.pattern = true;
            }
            "esac" => self.cases = self.cases.saturating_sub(1),
            "[[" => self.test = true,
            _ => return false,
        }
        true
    }

    pub(super) fn end_command(&mut self, found: &mut Vec<Found>) {
        let words = std::mem::take(&mut self.words);
        let fed = std::mem::take(&mut self.fed);
        self.dropped = false;
        self.test = false;
        self.target = None;
        let Some(first) = words.first() else { return };
        if is_shell(&first.text) {
            found.extend(fed.into_iter().map(Found::Text));
        }
        if self.until != Until::Brace {
            found.push(Found::Command(words));
        }
    }
}

/// Words that `a{b,c}` becomes, where that is plain to see.
fn braces(word: Piece) -> Vec<Piece> {
    let parts = word.text.split_once('{').and_then(|(before, rest)| Some((before, rest.rsplit_once('}')?)));
    match parts {
        Some((before, (within, after))) if !word.quoted && within.contains(',') => within
            .split(',')
            .map(|choice| Piece { text: format!("{before}{choice}{after}"), ..word.clone() })
            .collect(),
        _ => vec![word],
    }
}
