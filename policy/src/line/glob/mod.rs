//! Patterns of file names (POSIX 2.13): `*`, `?`, `[…]`. A leading dot is matched only by a dot, `/` by none of them.
//!
//! Where its guarantee ends: names are compared by Unicode characters and ranges by their numbers, whatever the
//! container's locale. What comes between the directory that was listed and the command that uses its names is not seen.

mod matcher;
mod pattern;
#[cfg(test)]
mod tests;

pub use matcher::Matcher;
use pattern::Pattern;

use super::MOST_WORDS;

/// The most directories that a pattern asks for.
const MOST_DIRECTORIES: usize = 64;
/// The most names that it is given.
const MOST_NAMES: usize = 100_000;
/// The most characters that it compares.
const MOST_WORK: u64 = 20_000_000;

/// A path with patterns in it, that asks for the directories it needs, one at a time: whoever has them gives them.
#[derive(Debug, Clone)]
pub struct Glob {
    components: Vec<Component>,
    /// Directories still to be looked into, the next one last.
    open: Vec<Place>,
    found: Vec<String>,
    /// What it may still do.
    directories: usize,
    names: usize,
    work: u64,
    too_large: Option<TooLarge>,
}

/// A pattern that would need too much. Nothing is run then: half of the names would be another command.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum TooLarge {
    /// It looks into too many directories.
    #[error("the pattern looks into more than {MOST_DIRECTORIES} directories: write more of the path")]
    Directories,
    /// There are too many names there.
    #[error("the pattern looks at more than {MOST_NAMES} names: write more of the path")]
    Names,
    /// Too many match.
    #[error("the pattern matches more than {MOST_WORDS} names: write more of the name")]
    Matches,
    /// It has too many stars.
    #[error("the pattern takes too long to compare: use fewer `*`")]
    Work,
}

/// A part of the path, and the slashes behind it.
#[derive(Debug, Clone)]
struct Component {
    pattern: Pattern,
    /// As it stands, where it is no pattern.
    literal: Option<String>,
    slashes: String,
}

/// A directory, as it is written with slashes at its end, and the component that its names must fit.
#[derive(Debug, Clone)]
struct Place {
    prefix: String,
    component: usize,
}

impl Glob {
    /// The pattern in characters, each with whether it is quoted; `None` where it is no pattern.
    pub(crate) fn of(characters: &[(char, bool)]) -> Option<Self> {
        let components = components(characters).ok()?;
        if components.iter().all(|component| component.literal.is_some()) {
            return None;
        }
        let mut glob = Self {
            components,
            open: Vec::new(),
            found: Vec::new(),
            directories: MOST_DIRECTORIES,
            names: MOST_NAMES,
            work: 0,
            too_large: None,
        };
        glob.descend(String::new(), 0);
        Some(glob)
    }

    /// The directory whose names are needed next, as it is written (empty for the working directory); `None` when done.
    #[must_use]
    pub fn wants(&self) -> Option<&str> {
        let prefix = self.open.last()?.prefix.as_str();
        match prefix.trim_end_matches('/') {
            "" if prefix.is_empty() => Some(""),
            "" => Some("/"),
            directory => Some(directory),
        }
    }

    /// The names in that directory, without `.` and `..`; `true` for those that are directories, or lead to one. None at
    /// all where it cannot be read.
    pub fn give(&mut self, names: &[(String, bool)]) {
        let Some(Place { prefix, component }) = self.open.pop() else { return };
        let Some(wanted) = self.components.get(component).cloned() else { return };
        if self.names < names.len() {
            return self.stop(TooLarge::Names);
        }
        self.names -= names.len();
        let mut deeper = Vec::new();
        for (name, directory) in names {
            let must_be_directory = !wanted.slashes.is_empty();
            if (must_be_directory && !directory) || !self.fits(&wanted, name) {
                continue;
            }
            deeper.push(format!("{prefix}{name}{}", wanted.slashes));
            if self.found.len() + deeper.len() > MOST_WORDS {
                return self.stop(TooLarge::Matches);
            }
        }
        if self.work > MOST_WORK {
            return self.stop(TooLarge::Work);
        }
        // From behind, so that the first one is asked for first.
        for path in deeper.into_iter().rev() {
            self.descend(path, component + 1);
        }
    }

    /// What matched, sorted by bytes; empty where nothing did.
    ///
    /// # Errors
    /// Where the pattern needed more than is given to one.
    pub fn found(mut self) -> Result<Vec<String>, TooLarge> {
        if let Some(too_large) = self.too_large {
            return Err(too_large);
        }
        self.found.sort_unstable();
        self.found.dedup();
        Ok(self.found)
    }

    /// Goes through what is written out; then asks for a directory, or has found something.
    fn descend(&mut self, mut prefix: String, mut index: usize) {
        while let Some(component) = self.components.get(index) {
            match &component.literal {
                // Whether it is there shows in its own names, or in those of the directory above.
                Some(text) if index + 1 < self.components.len() || matches!(text.as_str(), "." | "..") => {
                    prefix.push_str(text);
                    prefix.push_str(&component.slashes);
                    index += 1;
                }
                _ => {
                    if self.too_large.is_some() {
                        return;
                    }
                    if self.directories == 0 {
                        return self.stop(TooLarge::Directories);
                    }
                    self.directories -= 1;
                    return self.open.push(Place { prefix, component: index });
                }
            }
        }
        if self.too_large.is_none() {
            self.found.push(prefix);
        }
    }

    fn fits(&mut self, wanted: &Component, name: &str) -> bool {
        // What no directory can hold is somebody's invention.
        if name.is_empty() || name == "." || name == ".." || name.contains(['/', '\0']) {
            return false;
        }
        if let Some(literal) = &wanted.literal {
            return literal == name;
        }
        if self.work > MOST_WORK || (name.starts_with('.') && !wanted.pattern.begins_with_dot()) {
            return false;
        }
        let name: Vec<char> = name.chars().collect();
        wanted.pattern.matches(&name, &mut self.work)
    }

    fn stop(&mut self, why: TooLarge) {
        self.too_large.get_or_insert(why);
        self.open.clear();
        self.found.clear();
    }
}

/// Refuses patterns that shells read differently.
pub(super) fn check(characters: &[(char, bool)]) -> Result<(), String> {
    let components = components(characters)?;
    let pattern = components.iter().any(|component| component.literal.is_none());
    if pattern && characters.contains(&('\\', false)) {
        let problem =
            "a variable has a backslash beside a pattern, which shells read differently: quote the variable";
        return Err(problem.to_owned());
    }
    Ok(())
}

fn components(characters: &[(char, bool)]) -> Result<Vec<Component>, String> {
    let mut components: Vec<Component> = Vec::new();
    for (index, part) in characters.split(|(character, _)| *character == '/').enumerate() {
        if index > 0
            && let Some(last) = components.last_mut()
        {
            last.slashes.push('/');
        }
        // A part between two slashes is nothing; at the beginning it is the root.
        if part.is_empty() && index > 0 {
            continue;
        }
        let pattern = Pattern::compile(part)?;
        let literal = pattern.literal();
        components.push(Component { pattern, literal, slashes: String::new() });
    }
    Ok(components)
}
