//! Lines that were typed before in this session.

use std::collections::VecDeque;

/// Keeps lines; the newest is last.
#[derive(Debug)]
pub(super) struct History {
    lines: VecDeque<String>,
    most: usize,
    /// Which of them is looked at, and what was under way before.
    at: Option<(usize, String)>,
}

impl History {
    pub(super) const fn new(most: usize) -> Self {
        Self { lines: VecDeque::new(), most, at: None }
    }

    /// Keeps a line. One that begins with a blank, or repeats the last, is not kept.
    pub(super) fn keep(&mut self, line: &str) {
        self.at = None;
        let blank = line.starts_with([' ', '\t']) || line.trim().is_empty();
        if blank || self.lines.back().is_some_and(|last| last == line) {
            return;
        }
        if self.lines.len() >= self.most {
            self.lines.pop_front();
        }
        self.lines.push_back(line.to_owned());
    }

    /// The line before; `now` is what is under way.
    pub(super) fn older(&mut self, now: &str) -> Option<&str> {
        let index = match &self.at {
            Some((index, _)) => index.checked_sub(1)?,
            None => self.lines.len().checked_sub(1)?,
        };
        let draft = self.at.take().map_or_else(|| now.to_owned(), |(_, draft)| draft);
        self.at = Some((index, draft));
        self.lines.get(index).map(String::as_str)
    }

    /// The line after, or what was under way.
    pub(super) fn newer(&mut self) -> Option<String> {
        let (index, draft) = self.at.take()?;
        match self.lines.get(index + 1) {
            Some(line) => {
                let line = line.clone();
                self.at = Some((index + 1, draft));
                Some(line)
            }
            None => Some(draft),
        }
    }

    /// The newest line with `query` in it, before `before`, and where in it, in characters.
    pub(super) fn find(&self, query: &str, before: Option<usize>) -> Option<(usize, &str, usize)> {
        let newest = before.unwrap_or(self.lines.len());
        self.lines.iter().enumerate().take(newest).rev().find_map(|(index, line)| {
            let (start, _) = line.split_once(query)?;
            Some((index, line.as_str(), start.chars().count()))
        })
    }

    /// The last word of the line so many before the newest.
    pub(super) fn last_word(&self, before: usize) -> Option<&str> {
        self.lines().rev().nth(before).map(last_word)
    }

    pub(super) fn forget_place(&mut self) {
        self.at = None;
    }

    pub(super) fn lines(&self) -> impl DoubleEndedIterator<Item = &str> {
        self.lines.iter().map(String::as_str)
    }
}

/// What stands behind the last blank that is in no quotes.
fn last_word(line: &str) -> &str {
    let (mut start, mut quote, mut escaped, mut blank) = (0, None, false, true);
    for (at, character) in line.char_indices() {
        if std::mem::take(&mut escaped) {
            continue;
        }
        match (quote, character) {
            (None, ' ' | '\t' | '\n') => {
                blank = true;
                continue;
            }
            (Some(open), character) if open == character => quote = None,
            (None, '\'' | '"') => quote = Some(character),
            (None | Some('"'), '\\') => escaped = true,
            _ => {}
        }
        if std::mem::take(&mut blank) {
            start = at;
        }
    }
    line.get(start..).unwrap_or_default().trim_end()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_word_of_a_line_is_taken_with_its_quotes() {
        for (line, word) in [
            ("cat /var/log/a", "/var/log/a"),
            ("cat 'a b'  ", "'a b'"),
            ("cat \"it's a\"", "\"it's a\""),
            ("cat a\\ b", "a\\ b"),
            ("one", "one"),
            ("open 'quote a", "'quote a"),
            ("", ""),
        ] {
            assert_eq!(last_word(line), word, "{line}");
        }
        let mut history = History::new(10);
        history.keep("ls a");
        history.keep("cat b c");
        assert_eq!([0, 1, 2].map(|before| history.last_word(before)), [Some("c"), Some("a"), None]);
    }

    #[test]
    fn going_back_and_forth_ends_where_it_began() {
        let mut history = History::new(2);
        for line in ["gone", "one", "one", " secret", "two"] {
            history.keep(line);
        }
        assert_eq!(history.lines().collect::<Vec<_>>(), ["one", "two"]);
        assert_eq!(history.older("draft"), Some("two"));
        assert_eq!(history.older("two, changed"), Some("one"));
        assert_eq!(history.older(""), None);
        assert_eq!(history.newer().as_deref(), Some("two"));
        assert_eq!(history.newer().as_deref(), Some("draft"));
        assert_eq!(history.newer(), None);
    }

    #[test]
    fn the_newest_match_is_found_first() {
        let mut history = History::new(10);
        for line in ["cat a", "ls é b", "cat c"] {
            history.keep(line);
        }
        assert_eq!(history.find("cat", None), Some((2, "cat c", 0)));
        assert_eq!(history.find("cat", Some(2)), Some((0, "cat a", 0)));
        assert_eq!(history.find("b", None), Some((1, "ls é b", 5)));
        assert_eq!(history.find("dog", None), None);
    }
}
