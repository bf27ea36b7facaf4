//! Flags out of words, the way kubectl's people type them: `-n payments`, `-npayments`, `-n=payments`,
//! `--namespace payments`, `--namespace=payments`, `-it`; flags and arguments in any order; `--` ends the flags.

use super::near;
use super::usage::UsageError;
use super::verb::{Flag, Takes, Verb};

/// What the words after the command came to.
#[derive(Debug, Default)]
pub(super) struct Parsed {
    values: Vec<(&'static str, String)>,
    /// What is no flag, in order.
    pub(super) arguments: Vec<String>,
    /// What stands after `--`; `None` where there is no `--`.
    pub(super) after_dashes: Option<Vec<String>>,
    /// Where in the words the arguments stand.
    pub(super) positions: Vec<usize>,
}

impl Parsed {
    /// Whether the flag is there.
    pub(super) fn has(&self, long: &str) -> bool {
        self.values.iter().any(|(name, _)| *name == long)
    }

    /// The flag's value.
    pub(super) fn value(&self, long: &str) -> Option<&str> {
        self.values.iter().find(|(name, _)| *name == long).map(|(_, value)| value.as_str())
    }

    /// All values of a flag that may be repeated.
    pub(super) fn values<'a>(&'a self, long: &'a str) -> impl Iterator<Item = &'a str> {
        self.values.iter().filter(move |(name, _)| *name == long).map(|(_, value)| value.as_str())
    }
}

/// Reads `words`, which follow the command. With `stop_at` = n it stops before argument n (from 0) unless `--`
/// comes first, so that the flags of a command in the pod are not taken for ours.
pub(super) fn read(verb: Verb, words: &[String], stop_at: Option<usize>) -> Result<Parsed, UsageError> {
    Reader { verb, words, next: 0, parsed: Parsed::default() }.run(stop_at)
}

struct Reader<'a> {
    verb: Verb,
    words: &'a [String],
    next: usize,
    parsed: Parsed,
}

impl Reader<'_> {
    fn run(mut self, stop_at: Option<usize>) -> Result<Parsed, UsageError> {
        while let Some(word) = self.take() {
            if word == "--" {
                let rest = std::iter::from_fn(|| self.take()).collect();
                self.parsed.after_dashes = Some(rest);
            } else if let Some(long) = word.strip_prefix("--") {
                self.long(long)?;
            } else if word.len() > 1 && word.starts_with('-') {
                self.cluster(&word)?;
            } else {
                self.parsed.positions.push(self.next - 1);
                self.parsed.arguments.push(word);
                if stop_at.is_some_and(|limit| self.parsed.arguments.len() > limit) {
                    break;
                }
            }
        }
        Ok(self.parsed)
    }

    fn take(&mut self) -> Option<String> {
        let word = self.words.get(self.next)?.clone();
        self.next += 1;
        Some(word)
    }

    fn long(&mut self, typed: &str) -> Result<(), UsageError> {
        let (name, value) = match typed.split_once('=') {
            Some((name, value)) => (name, Some(value)),
            None => (typed, None),
        };
        let flag = self.verb.flags().iter().find(|flag| flag.long == name);
        let Some(flag) = flag else { return Err(self.unknown(format!("--{name}"))) };
        let typed = format!("--{name}");
        match (flag.takes, value) {
            (Takes::Nothing, None | Some("true")) => self.set(flag, String::new()),
            (Takes::Nothing, Some("false")) => Ok(()),
            (Takes::Nothing, Some(_)) => {
                Err(UsageError::TakesNoValue { command: self.verb.name(), flag: typed })
            }
            (_, value) => self.valued(flag, &typed, value),
        }
    }

    /// `-it`, `-npayments`, `-n`: letters of flags without a value, then at most one with its value.
    fn cluster(&mut self, typed: &str) -> Result<(), UsageError> {
        let mut letters = typed.chars();
        letters.next();
        while let Some(letter) = letters.next() {
            let flag = self.verb.flags().iter().find(|flag| flag.short == Some(letter));
            let Some(flag) = flag else { return Err(self.unknown(typed.to_owned())) };
            if flag.takes == Takes::Nothing {
                self.set(flag, String::new())?;
                continue;
            }
            let rest = letters.as_str();
            let value = (!rest.is_empty()).then(|| rest.strip_prefix('=').unwrap_or(rest));
            return self.valued(flag, &format!("-{letter}"), value);
        }
        Ok(())
    }

    fn valued(&mut self, flag: &'static Flag, typed: &str, joined: Option<&str>) -> Result<(), UsageError> {
        let (Takes::Value(shown) | Takes::Values(shown) | Takes::Words(shown)) = flag.takes else {
            return Ok(());
        };
        let mut value = joined.map(str::to_owned);
        if matches!(flag.takes, Takes::Words(_)) {
            let more = self.words_up_to_the_next_flag();
            value = match (value, more.is_empty()) {
                (Some(first), false) => Some(format!("{first} {more}")),
                (Some(first), true) => Some(first),
                (None, false) => Some(more),
                (None, true) => None,
            };
        } else if value.is_none() && !self.at_a_flag() {
            value = self.take();
        }
        match value.filter(|value| !value.is_empty()) {
            Some(value) => self.set(flag, value),
            None => {
                let flag = typed.to_owned();
                Err(UsageError::NeedsValue { command: self.verb.name(), flag, value: shown })
            }
        }
    }

    /// Free text: `ssh` took its quotes away. After `--` no word is a flag any more, so it takes them all; but not
    /// where `--wait` came before, since then a command stands there.
    fn words_up_to_the_next_flag(&mut self) -> String {
        let mut text: Vec<String> = Vec::new();
        while !self.at_a_flag() {
            let Some(word) = self.take() else { break };
            text.push(word);
        }
        if !self.parsed.has("wait") && self.words.get(self.next).is_some_and(|word| word == "--") {
            self.next += 1;
            text.extend(std::iter::from_fn(|| self.take()));
        }
        text.join(" ").trim().to_owned()
    }

    /// Whether the next word is `--` or one of this command's flags. Other words that begin with `-` are text.
    fn at_a_flag(&self) -> bool {
        let Some(word) = self.words.get(self.next) else { return false };
        if word == "--" {
            return true;
        }
        if let Some(long) = word.strip_prefix("--") {
            let name = long.split_once('=').map_or(long, |(name, _)| name);
            return self.verb.flags().iter().any(|flag| flag.long == name);
        }
        let mut letters = word.chars();
        let Some(('-', letter)) = letters.next().zip(letters.next()) else { return false };
        let alone = letters.as_str().is_empty();
        // `-host` is text where `-h` is a flag that takes nothing.
        self.verb
            .flags()
            .iter()
            .any(|flag| flag.short == Some(letter) && (alone || flag.takes != Takes::Nothing))
    }

    fn set(&mut self, flag: &'static Flag, value: String) -> Result<(), UsageError> {
        let once = matches!(flag.takes, Takes::Value(_) | Takes::Words(_));
        if once && self.parsed.has(flag.long) {
            return Err(UsageError::Twice { command: self.verb.name(), flag: flag.long });
        }
        self.parsed.values.push((flag.long, value));
        Ok(())
    }

    fn unknown(&self, typed: String) -> UsageError {
        let longs = || self.verb.flags().iter().map(|flag| flag.long);
        let word = typed.trim_start_matches('-');
        let instead = near::flag_synonym(word, longs()).or_else(|| near::nearest(word, longs()));
        let instead = instead.map(|long| format!("--{long}"));
        UsageError::UnknownFlag { command: self.verb.name(), flag: typed, instead }
    }
}

#[cfg(test)]
mod tests;
