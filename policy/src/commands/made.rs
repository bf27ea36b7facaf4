//! A command as it is written, made into what would run: words, assignments and redirections, without a container.
//!
//! Where its guarantee ends: a pattern of file names stands as it is written, and [`Made::patterns`] says so; what cannot
//! be expanded stands as it is written, and [`Made::unknown`] says why. Who needs to know what runs takes [`Made::known`].

use super::Invocation;
use crate::line::{Field, LineError, RedirectTo, Simple, Variables, Word, expand, expand_one, expand_target};

/// The most text that words of which some cannot be known become, in bytes; the rest stands as it is written.
const LARGEST: usize = 1024 * 1024;

/// What a command would be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Made {
    /// The command, without a directory, a pipe or a terminal: those are not in its words.
    pub invocation: Invocation,
    /// The first thing that cannot be known, such as a variable that is not set.
    pub unknown: Option<LineError>,
    /// Whether a word is a pattern, so that what would run depends on which files there are.
    pub patterns: bool,
}

impl Made {
    /// Reads a command of `text` with these variables.
    #[must_use]
    pub fn of(text: &str, simple: &Simple, variables: &dyn Variables) -> Self {
        let mut reader = Reader { text, variables, unknown: None, patterns: false };
        let mut invocation = Invocation { argv: reader.words(&simple.words), ..Invocation::default() };
        for (name, word) in &simple.assignments {
            let value = expand_one(word, variables).unwrap_or_else(|error| reader.as_written(word, error));
            invocation.environment.push((name.clone(), value));
        }
        for redirection in &simple.redirections {
            match &redirection.to {
                RedirectTo::Read(word) => invocation.reads.extend(reader.files(word)),
                RedirectTo::Write(word) | RedirectTo::Append(word) => {
                    invocation.writes.extend(reader.files(word));
                }
                RedirectTo::Same(_) => {}
            }
        }
        Self { invocation, unknown: reader.unknown, patterns: reader.patterns }
    }

    /// The command where everything in it can be known but which files fit its patterns.
    ///
    /// # Errors
    /// [`Made::unknown`].
    pub fn known(self) -> Result<Invocation, LineError> {
        match self.unknown {
            Some(error) => Err(error),
            None => Ok(self.invocation),
        }
    }
}

struct Reader<'a> {
    text: &'a str,
    variables: &'a dyn Variables,
    unknown: Option<LineError>,
    patterns: bool,
}

impl Reader<'_> {
    fn words(&mut self, words: &[Word]) -> Vec<String> {
        let error = match expand(words, self.variables) {
            Ok(fields) => return self.texts(&fields),
            Err(error) => error,
        };
        // One by one, so that those beside it are seen.
        let (mut result, mut size) = (Vec::new(), 0);
        for word in words {
            let fields = (size < LARGEST).then(|| expand(std::slice::from_ref(word), self.variables));
            let texts = match fields {
                Some(Ok(fields)) => self.texts(&fields),
                Some(Err(_)) | None => vec![self.as_written(word, error.clone())],
            };
            size += texts.iter().map(String::len).sum::<usize>();
            result.extend(texts);
        }
        self.unknown.get_or_insert(error);
        result
    }

    /// The file of a redirection; as many as its words would be where it is none.
    fn files(&mut self, word: &Word) -> Vec<String> {
        let error = match expand_target(word, self.variables) {
            Ok(file) => return vec![file],
            Err(error) => error,
        };
        match expand(std::slice::from_ref(word), self.variables) {
            Ok(fields) => {
                self.unknown.get_or_insert(error);
                self.texts(&fields)
            }
            Err(_) => vec![self.as_written(word, error)],
        }
    }

    fn texts(&mut self, fields: &[Field]) -> Vec<String> {
        self.patterns |= fields.iter().any(|field| field.glob().is_some());
        fields.iter().map(Field::text).collect()
    }

    fn as_written(&mut self, word: &Word, error: LineError) -> String {
        self.unknown.get_or_insert(error);
        self.text.get(word.span.clone()).unwrap_or_default().to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::line::parse;

    struct Set;

    impl Variables for Set {
        fn get(&self, name: &str) -> Option<&str> {
            match name {
                "DIR" => Some("/srv"),
                "TWO" => Some("/a /b"),
                "LONG" => Some(LONG.as_str()),
                _ => None,
            }
        }
    }

    static LONG: std::sync::LazyLock<String> = std::sync::LazyLock::new(|| "x".repeat(LARGEST / 2));

    fn made(line: &str) -> Made {
        let script = parse(line).expect("a line");
        Made::of(line, &script.steps[0].pipeline.commands[0], &Set)
    }

    fn words(words: &[&str]) -> Vec<String> {
        words.iter().map(|&word| word.to_owned()).collect()
    }

    #[test]
    fn words_assignments_and_redirections_are_what_the_guarded_shell_makes_of_them() {
        let made = made("A=$TWO B=* rm \"$DIR\"/y $TWO < $DIR/in > /tmp/out 2>> '*' 2>&1");
        let invocation = made.known().expect("known");
        assert_eq!(invocation.argv, words(&["rm", "/srv/y", "/a", "/b"]));
        let environment: Vec<_> = invocation.environment.iter().map(|(a, b)| (&**a, &**b)).collect();
        assert_eq!(environment, [("A", "/a /b"), ("B", "*")], "values are not split, and a star is a star");
        assert_eq!(invocation.reads, words(&["/srv/in"]));
        assert_eq!(invocation.writes, words(&["/tmp/out", "*"]));
    }

    #[test]
    fn what_is_not_set_stands_as_it_is_written_and_who_has_to_know_is_told_its_name() {
        for (line, argv) in [
            ("rm $NONE/y $DIR/z", vec!["rm", "$NONE/y", "/srv/z"]),
            ("A=$NONE rm", vec!["rm"]),
            ("rm < \"$NONE\"", vec!["rm"]),
        ] {
            let made = made(line);
            assert_eq!(made.invocation.argv, words(&argv), "{line}");
            let problem = made.known().expect_err(line).problem;
            assert!(problem.contains("`NONE` is not set"), "{line}: {problem}");
        }
        assert_eq!(made("A=$NONE rm").invocation.environment, [("A".to_owned(), "$NONE".to_owned())]);
        assert_eq!(made("rm < \"$NONE\"").invocation.reads, words(&["\"$NONE\""]));
        let first = made("a $FIRST > $SECOND").known().expect_err("two");
        assert!(first.problem.contains("FIRST"), "{first}");
    }

    #[test]
    fn a_pattern_is_known_to_be_one_and_no_file_of_a_redirection() {
        let made_of_pattern = made("rm *.log");
        assert!(made_of_pattern.patterns && made_of_pattern.unknown.is_none());
        assert!(!made("rm '*.log'").patterns);
        for (line, writes) in [("ls > *.log", words(&["*.log"])), ("ls > $TWO", words(&["/a", "/b"]))] {
            let made = made(line);
            assert_eq!(made.invocation.writes, writes, "all that it could be is there to be judged");
            assert!(made.known().is_err(), "{line}");
        }
    }

    #[test]
    fn what_words_become_is_bounded_also_where_one_of_them_is_not_known() {
        let line = format!("a $NONE{}", " \"$LONG\"".repeat(100));
        let made = made(&line);
        let size: usize = made.invocation.argv.iter().map(String::len).sum();
        assert!(size < 2 * LARGEST, "{size}");
        assert_eq!(made.invocation.argv.len(), 102);
        assert_eq!(made.invocation.argv.last().map(String::as_str), Some("\"$LONG\""));
    }
}
