//! From words to fields: `$NAME`, `~`, field splitting and quote removal (POSIX 2.6), without globs.
//!
//! Fields are split at blanks, tabs and newlines, whatever `IFS` says: nobody changes here what a line means.

use super::glob::check;
use super::{Glob, LineError, MOST_WORDS, Part, Word};

/// The most text that words may become, in bytes.
const LARGEST: usize = 1024 * 1024;

/// What `$NAME` stands for.
pub trait Variables {
    /// Its value; `None` where it is not set, which is refused rather than empty.
    fn get(&self, name: &str) -> Option<&str>;
}

/// A shell in which nothing is set.
#[derive(Debug, Clone, Copy)]
pub struct Unset;

impl Variables for Unset {
    fn get(&self, _name: &str) -> Option<&str> {
        None
    }
}

/// One argument, or the pattern of several.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Field {
    /// Each character, and whether it was quoted.
    pub(crate) characters: Vec<(char, bool)>,
}

impl Field {
    /// Its text without quotes, as it stands where no file matches.
    #[must_use]
    pub fn text(&self) -> String {
        self.characters.iter().map(|(character, _)| character).collect()
    }

    /// The pattern, where it is one.
    #[must_use]
    pub fn glob(&self) -> Option<Glob> {
        Glob::of(&self.characters)
    }
}

/// Expands the words of a command, with field splitting.
///
/// # Errors
/// For a variable that is not set, for a pattern that shells read differently, and where the result would be too large.
pub fn expand(words: &[Word], variables: &dyn Variables) -> Result<Vec<Field>, LineError> {
    let mut fields = Vec::new();
    let mut size = 0;
    for word in words {
        let mut current: Option<Vec<(char, bool)>> = None;
        for part in &word.parts {
            let (text, quoted, splits) = value(part, word, variables)?;
            size += text.len();
            if size > LARGEST {
                return Err(too_large(word));
            }
            if quoted {
                current.get_or_insert_default();
            }
            for character in text.chars() {
                if splits && matches!(character, ' ' | '\t' | '\n') {
                    finish(current.take(), &mut fields, word)?;
                } else {
                    current.get_or_insert_default().push((character, quoted));
                }
            }
        }
        finish(current, &mut fields, word)?;
    }
    Ok(fields)
}

/// Expands the value of an assignment: without field splitting, and `*` is only a star.
///
/// # Errors
/// For a variable that is not set, and where the result would be too large.
pub fn expand_one(word: &Word, variables: &dyn Variables) -> Result<String, LineError> {
    let mut result = String::new();
    for part in &word.parts {
        let (text, _, _) = value(part, word, variables)?;
        result.push_str(text);
        if result.len() > LARGEST {
            return Err(too_large(word));
        }
    }
    Ok(result)
}

/// Expands the file of a redirection, which must be one, known without looking at files.
///
/// # Errors
/// As [`expand`], and where the result would be none, several, or a pattern.
pub fn expand_target(word: &Word, variables: &dyn Variables) -> Result<String, LineError> {
    let fields = expand(std::slice::from_ref(word), variables)?;
    let refused = |problem: &str| Err(LineError::new(word.span.clone(), problem));
    match fields.as_slice() {
        [field] if field.glob().is_some() => {
            refused("a redirection takes one file, not a pattern: write its name, or quote it")
        }
        [field] if field.characters.is_empty() => refused("the redirection's file has no name: write one"),
        // Blanks around the value are another name to some shells.
        [field] => match expand_one(word, variables)? {
            text if text == field.text() => Ok(text),
            _ => refused("a redirection takes one file, without blanks around it: quote the variable"),
        },
        _ => refused("a redirection takes one file: quote the variable"),
    }
}

/// A part's text, whether it is quoted, and whether it is split.
fn value<'a>(
    part: &'a Part,
    word: &Word,
    variables: &'a dyn Variables,
) -> Result<(&'a str, bool, bool), LineError> {
    let (name, quoted, splits) = match part {
        Part::Text { text, quoted } => return Ok((text, *quoted, false)),
        Part::Variable { name, quoted } => (name.as_str(), *quoted, !quoted),
        Part::Home => ("HOME", true, false),
    };
    let Some(value) = variables.get(name) else {
        let problem = match part {
            Part::Home => "`~` stands for `HOME`, which is not set: write the path".to_owned(),
            _ => format!("`{name}` is not set: set it with `{name}=value`, or write `\\$` for the character"),
        };
        return Err(LineError::new(word.span.clone(), problem));
    };
    if value.contains('\0') {
        let problem = format!("`{name}` has a NUL character, which cannot be part of a command");
        return Err(LineError::new(word.span.clone(), problem));
    }
    Ok((value, quoted, splits))
}

fn finish(
    characters: Option<Vec<(char, bool)>>,
    fields: &mut Vec<Field>,
    word: &Word,
) -> Result<(), LineError> {
    let Some(characters) = characters else { return Ok(()) };
    check(&characters).map_err(|problem| LineError::new(word.span.clone(), problem))?;
    fields.push(Field { characters });
    if fields.len() > MOST_WORDS {
        let problem = format!("this would become more than {MOST_WORDS} words: quote the variable");
        return Err(LineError::new(word.span.clone(), problem));
    }
    Ok(())
}

fn too_large(word: &Word) -> LineError {
    LineError::new(word.span.clone(), "the variables make this more than 1 MiB: use fewer of them")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::line::parse;

    struct Set;

    impl Variables for Set {
        fn get(&self, name: &str) -> Option<&str> {
            match name {
                "HOME" => Some("/home/a b"),
                "LIST" => Some(" one\ttwo\n"),
                "EMPTY" => Some(""),
                "TRAIL" => Some("one "),
                "STAR" => Some("*.log"),
                "SLASHED" => Some("\\*"),
                "NUL" => Some("a\0b"),
                "?" => Some("7"),
                _ => None,
            }
        }
    }

    fn words(line: &str) -> Vec<Word> {
        parse(line).expect("a line").steps.remove(0).pipeline.commands.remove(0).words
    }

    fn fields(line: &str) -> Result<Vec<String>, String> {
        let fields = expand(&words(line), &Set).map_err(|error| error.problem)?;
        Ok(fields.iter().map(Field::text).collect())
    }

    #[test]
    fn an_unquoted_variable_is_split_and_a_quoted_one_is_not() {
        assert_eq!(fields("a x$LIST\"y\"").unwrap(), ["a", "x", "one", "two", "y"]);
        assert_eq!(fields("a \"$LIST\"").unwrap(), ["a", " one\ttwo\n"]);
        assert_eq!(fields("a $EMPTY \"$EMPTY\" ''").unwrap(), ["a", "", ""]);
        assert_eq!(fields("a ~ ~/x $?").unwrap(), ["a", "/home/a b", "/home/a b/x", "7"]);
    }

    #[test]
    fn a_variable_that_is_not_set_is_refused_with_its_name() {
        assert!(fields("a $MISSING").unwrap_err().contains("`MISSING` is not set"));
        assert!(fields("a \"${MISSING}\"").unwrap_err().contains("`MISSING` is not set"));
    }

    #[test]
    fn a_value_may_be_a_pattern_and_a_quoted_one_is_not() {
        assert!(expand(&words("$STAR"), &Set).unwrap().first().unwrap().glob().is_some());
        assert!(expand(&words("\"$STAR\""), &Set).unwrap().first().unwrap().glob().is_none());
        assert!(expand(&words("~/'*'"), &Set).unwrap().first().unwrap().glob().is_none());
    }

    #[test]
    fn patterns_that_shells_read_differently_are_refused() {
        assert!(fields("ls $SLASHED").unwrap_err().contains("backslash"));
        assert!(fields("ls [^a]").unwrap_err().contains("[!"));
        assert!(fields("ls [z-a]").unwrap_err().contains("backwards"));
        assert!(fields("ls [[:letter:]]").unwrap_err().contains("class"));
        assert!(fields("ls [[.a.]]").unwrap_err().contains("`[.`"));
    }

    #[test]
    fn a_value_with_nul_is_refused() {
        assert!(fields("a \"$NUL\"").unwrap_err().contains("NUL"));
    }

    #[test]
    fn what_words_become_is_bounded() {
        struct Large(String);
        impl Variables for Large {
            fn get(&self, _: &str) -> Option<&str> {
                Some(&self.0)
            }
        }
        let many = Large("x ".repeat(MOST_WORDS + 1));
        assert!(expand(&words("a $V"), &many).unwrap_err().problem.contains("words"));
        let large = Large("x".repeat(LARGEST / 2));
        assert!(expand(&words("a \"$V\""), &large).is_ok());
        assert!(expand(&words("a \"$V$V\""), &large).unwrap_err().problem.contains("1 MiB"));
        assert!(expand_one(words("\"$V$V$V\"").first().unwrap(), &large).is_err());
    }

    #[test]
    fn a_value_is_not_split_and_its_stars_are_stars() {
        let script = parse("A=$LIST B=* C= D=~:~/x:y~").unwrap();
        let values = &script.steps[0].pipeline.commands[0].assignments;
        let values: Vec<_> = values.iter().map(|(_, word)| expand_one(word, &Set).unwrap()).collect();
        assert_eq!(values, [" one\ttwo\n", "*", "", "/home/a b:/home/a b/x:y~"]);
    }

    #[test]
    fn a_redirection_takes_one_file_whose_name_is_known() {
        let target = |word: &str| expand_target(words(word).first().unwrap(), &Set).map_err(|e| e.problem);
        assert_eq!(target("~/out").unwrap(), "/home/a b/out");
        assert_eq!(target("'*'").unwrap(), "*");
        assert!(target("*.log").unwrap_err().contains("pattern"));
        assert!(target("$STAR").unwrap_err().contains("pattern"));
        assert!(target("$LIST").unwrap_err().contains("one file"));
        assert!(target("$TRAIL").unwrap_err().contains("blanks"));
        assert_eq!(target("\"$TRAIL\"").unwrap(), "one ");
        assert!(target("$EMPTY").unwrap_err().contains("one file"));
        assert!(target("\"$EMPTY\"").unwrap_err().contains("no name"));
    }
}
