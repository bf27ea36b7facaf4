//! What a guarded shell remembers between lines: variables, the working directory, the last status, its history.

use std::collections::{BTreeMap, VecDeque};

use sallyport_policy::commands::Carrier;
use sallyport_policy::line::Variables;

/// How many lines are remembered.
const HISTORY: usize = 500;
/// How many variables there may be, and how long a value.
const VARIABLES: usize = 256;
const LONGEST_VALUE: usize = 16 * 1024;

/// The state; a copy shows what a line would do.
#[derive(Debug, Clone)]
pub(super) struct State {
    variables: BTreeMap<String, (String, bool)>,
    /// Absolute and without `..`; `None` while it could not be told.
    pub(super) directory: Option<String>,
    /// Whether programs have to be put there: it is not the container's own any more.
    pub(super) moved: bool,
    pub(super) previous: Option<String>,
    pub(super) status: u8,
    status_text: String,
    pub(super) history: VecDeque<String>,
    /// How programs get directory and environment, once somebody has tried.
    pub(super) carrier: Option<Option<Carrier>>,
    /// Whether the container can say where a link leads; unknown at first.
    pub(super) resolves: Option<bool>,
}

impl State {
    pub(super) fn new(directory: Option<String>) -> Self {
        let mut state = Self {
            variables: BTreeMap::new(),
            directory: None,
            moved: false,
            previous: None,
            status: 0,
            status_text: "0".to_owned(),
            history: VecDeque::new(),
            carrier: None,
            resolves: None,
        };
        // Where it cannot be told, relative paths are not known either, and the rules refuse them.
        if let Some(directory) = directory {
            state.go(directory, false);
        }
        state
    }

    /// It is not known any more where one is.
    pub(super) fn forget_directory(&mut self) {
        self.directory = None;
    }

    /// A path as programs find it; a relative one stays so where it is not known where one is.
    pub(super) fn absolute(&self, path: &str) -> String {
        match &self.directory {
            _ if path.starts_with('/') => path.to_owned(),
            Some(directory) if path.is_empty() => directory.clone(),
            Some(directory) => format!("{}/{path}", directory.trim_end_matches('/')),
            None if path.is_empty() => ".".to_owned(),
            None => path.to_owned(),
        }
    }

    /// Changes the working directory.
    pub(super) fn go(&mut self, directory: String, moved: bool) {
        if let Some(before) = self.directory.take() {
            self.variables.insert("OLDPWD".to_owned(), (before.clone(), false));
            self.previous = Some(before);
        }
        self.variables.insert("PWD".to_owned(), (directory.clone(), false));
        self.directory = Some(directory);
        self.moved |= moved;
    }

    pub(super) fn end(&mut self, status: u8) {
        self.status = status;
        self.status_text = status.to_string();
    }

    /// Sets a variable; an exported one stays exported.
    pub(super) fn set(&mut self, name: &str, value: String, export: bool) -> Result<(), String> {
        if matches!(name, "PWD" | "OLDPWD") {
            return Err(format!("`{name}` is set by `cd`"));
        }
        if matches!(name, "IFS" | "PATH") {
            return Err(format!("`{name}` cannot be set here: write programs and words out"));
        }
        if value.len() > LONGEST_VALUE {
            return Err(format!("a value has at most {LONGEST_VALUE} bytes"));
        }
        if self.variables.len() >= VARIABLES && !self.variables.contains_key(name) {
            return Err(format!("there are {VARIABLES} variables already; `unset` some"));
        }
        let exported = export || self.variables.get(name).is_some_and(|(_, exported)| *exported);
        self.variables.insert(name.to_owned(), (value, exported));
        Ok(())
    }

    pub(super) fn export(&mut self, name: &str) -> bool {
        self.variables.get_mut(name).is_some_and(|(_, exported)| {
            *exported = true;
            true
        })
    }

    pub(super) fn unset(&mut self, name: &str) {
        if !matches!(name, "PWD" | "OLDPWD") {
            self.variables.remove(name);
        }
    }

    /// What programs are given.
    pub(super) fn exported(&self) -> Vec<(String, String)> {
        let exported = self.variables.iter().filter(|(_, (_, exported))| *exported);
        exported.map(|(name, (value, _))| (name.clone(), value.clone())).collect()
    }

    /// The same, with what is set for one of them alone.
    pub(super) fn exported_with(&self, assignments: &[(String, String)]) -> Vec<(String, String)> {
        let mut all = self.exported();
        for (name, value) in assignments {
            all.retain(|(there, _)| there != name);
            all.push((name.clone(), value.clone()));
        }
        all
    }

    /// Forgets what differs from `before`: it may have come about or not.
    pub(super) fn doubt(&mut self, before: &Self) {
        self.variables.retain(|name, value| before.variables.get(name) == Some(value));
        if self.directory != before.directory {
            self.lose_directory();
        }
    }

    /// It cannot be told any more where one is, or was.
    pub(super) fn lose_directory(&mut self) {
        (self.directory, self.previous) = (None, None);
        self.variables.remove("PWD");
        self.variables.remove("OLDPWD");
    }

    /// Forgets a variable, whichever it is.
    pub(super) fn lose(&mut self, name: &str) {
        self.variables.remove(name);
    }

    /// All variables, with whether programs get them.
    pub(super) fn all(&self) -> impl Iterator<Item = (&str, &str, bool)> {
        self.variables.iter().map(|(name, (value, exported))| (name.as_str(), value.as_str(), *exported))
    }

    /// Remembers a line; those that begin with a blank are not kept, as in other shells.
    pub(super) fn remember(&mut self, line: &str) {
        let line = line.trim_end();
        if line.is_empty() || line.starts_with(' ') || self.history.back().is_some_and(|last| last == line) {
            return;
        }
        if self.history.len() >= HISTORY {
            self.history.pop_front();
        }
        self.history.push_back(line.to_owned());
    }
}

impl Variables for State {
    fn get(&self, name: &str) -> Option<&str> {
        match name {
            "?" => Some(&self.status_text),
            name => self.variables.get(name).map(|(value, _)| value.as_str()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exported_variables_stay_exported_and_others_stay_here() {
        let mut state = State::new(None);
        state.set("A", "1".to_owned(), true).unwrap();
        state.set("B", "2".to_owned(), false).unwrap();
        state.set("A", "3".to_owned(), false).unwrap();
        assert_eq!(state.exported(), [("A".to_owned(), "3".to_owned())]);
        assert_eq!((state.get("B"), state.get("C"), state.get("?")), (Some("2"), None, Some("0")));
        state.unset("A");
        assert!(state.exported().is_empty());
        for name in ["IFS", "PATH", "PWD", "OLDPWD"] {
            state.set(name, "x".to_owned(), true).unwrap_err();
        }
    }

    #[test]
    fn what_is_remembered_is_bounded() {
        let mut state = State::new(None);
        for number in 0..2 * HISTORY {
            state.remember(&number.to_string());
            state.remember(&number.to_string());
        }
        state.remember(" secret");
        assert_eq!((state.history.len(), state.history.back().unwrap().as_str()), (HISTORY, "999"));
        for number in 0..VARIABLES {
            let _ = state.set(&format!("V{number}"), String::new(), false);
        }
        state.set("ONE_MORE", String::new(), false).unwrap_err();
        state.set("V1", "x".repeat(LONGEST_VALUE + 1), false).unwrap_err();
    }

    #[test]
    fn cd_knows_where_it_was() {
        let mut state = State::new(Some("/srv".to_owned()));
        state.go("/tmp".to_owned(), true);
        assert_eq!((state.get("PWD"), state.get("OLDPWD")), (Some("/tmp"), Some("/srv")));
        assert!(state.moved);
    }
}
