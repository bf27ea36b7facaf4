//! The line after `ssh prod-gw`, split into words by POSIX quoting rules (XCU 2.2). Nothing is expanded:
//! no variables, no patterns, no comments, no operators; what looks like one stays a character of its word.
//! The crate `shell-words` would drop everything from a ` #` on, and with it half of `--reason fix #4711`;
//! it is the oracle of the tests here instead.

use super::usage::UsageError;

/// The longest line, in bytes. OpenSSH itself sends more; nobody types it.
pub(super) const MAX_LINE: usize = 64 * 1024;
/// The most words in a line.
pub(super) const MAX_WORDS: usize = 4096;

/// What a shell would have acted on, had there been one.
const OPERATORS: &[char] = &['|', '&', ';', '<', '>', '(', ')', '$', '`'];

/// A split line.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Words {
    /// The words, quotes removed.
    pub(super) words: Vec<String>,
    /// The first operator of a shell that stood outside quotes.
    pub(super) operator: Option<char>,
}

/// How `'` between two letters is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Apostrophe {
    /// As a quote, as POSIX has it.
    Quotes,
    /// As itself. `ssh` takes the quotes off `--reason "they can't pay"`, so in a command with free text the
    /// rule of POSIX would leave an open quote, or glue half the line together when there are two.
    Literal,
}

/// Splits `line`.
pub(super) fn split(line: &str, apostrophe: Apostrophe) -> Result<Words, UsageError> {
    if line.len() > MAX_LINE {
        return Err(UsageError::LineTooLong);
    }
    if line.contains('\0') {
        return Err(UsageError::Nul);
    }
    let mut split = Words::default();
    let mut word: Option<String> = None;
    let mut chars = line.chars();
    let mut before = ' ';
    while let Some(char) = chars.next() {
        let after_letter = std::mem::replace(&mut before, char).is_alphanumeric();
        match char {
            ' ' | '\t' | '\n' => {
                if let Some(done) = word.take() {
                    push(&mut split.words, done)?;
                }
            }
            '\'' if apostrophe == Apostrophe::Literal && after_letter && letter_next(&chars) => {
                word.get_or_insert_default().push(char);
            }
            '\'' => single_quoted(&mut chars, word.get_or_insert_default())?,
            '"' => double_quoted(&mut chars, word.get_or_insert_default())?,
            '\\' => match chars.next() {
                Some('\n') => {}
                Some(escaped) => word.get_or_insert_default().push(escaped),
                None => word.get_or_insert_default().push('\\'),
            },
            char => {
                if split.operator.is_none() && OPERATORS.contains(&char) {
                    split.operator = Some(char);
                }
                word.get_or_insert_default().push(char);
            }
        }
    }
    if let Some(done) = word {
        push(&mut split.words, done)?;
    }
    Ok(split)
}

fn letter_next(chars: &std::str::Chars<'_>) -> bool {
    chars.clone().next().is_some_and(char::is_alphanumeric)
}

fn push(words: &mut Vec<String>, word: String) -> Result<(), UsageError> {
    if words.len() == MAX_WORDS {
        return Err(UsageError::TooManyWords);
    }
    words.push(word);
    Ok(())
}

fn single_quoted(chars: &mut std::str::Chars<'_>, word: &mut String) -> Result<(), UsageError> {
    for char in chars {
        if char == '\'' {
            return Ok(());
        }
        word.push(char);
    }
    Err(UsageError::OpenQuote('\''))
}

fn double_quoted(chars: &mut std::str::Chars<'_>, word: &mut String) -> Result<(), UsageError> {
    while let Some(char) = chars.next() {
        match char {
            '"' => return Ok(()),
            '\\' => match chars.next() {
                Some('\n') => {}
                Some(escaped @ ('$' | '`' | '"' | '\\')) => word.push(escaped),
                Some(other) => word.extend(['\\', other]),
                None => break,
            },
            char => word.push(char),
        }
    }
    Err(UsageError::OpenQuote('"'))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn posix(line: &str) -> Result<Words, UsageError> {
        split(line, Apostrophe::Quotes)
    }

    fn words(line: &str) -> Vec<String> {
        posix(line).unwrap().words
    }

    fn text(line: &str) -> Vec<String> {
        split(line, Apostrophe::Literal).unwrap().words
    }

    #[test]
    fn quotes_group_and_disappear() {
        assert_eq!(words(r#"exec "a b" 'c  d' e\ f"#), ["exec", "a b", "c  d", "e f"]);
        assert_eq!(words(r#"a"b"'c' '' """#), ["abc", "", ""]);
        assert_eq!(words(r#""a\"b\\c\d\$e""#), [r#"a"b\c\d$e"#]);
        assert_eq!(words("'a\\b'"), ["a\\b"]);
        assert_eq!(words(" \t a \n b "), ["a", "b"]);
        assert!(words("  ").is_empty());
    }

    #[test]
    fn nothing_is_expanded_and_nothing_is_a_comment() {
        assert_eq!(
            words("echo $HOME `id` * ~ #4711 {a,b}"),
            ["echo", "$HOME", "`id`", "*", "~", "#4711", "{a,b}"]
        );
    }

    #[test]
    fn an_operator_outside_quotes_is_noticed() {
        assert_eq!(posix("ls | wc").unwrap().operator, Some('|'));
        assert_eq!(posix("ls '|' \"a;b\" \\>").unwrap().operator, None);
    }

    #[test]
    fn what_is_left_open_is_refused() {
        for line in ["a 'b", "a \"b", "\"a\\"] {
            assert!(matches!(posix(line), Err(UsageError::OpenQuote(_))), "{line}");
        }
    }

    #[test]
    fn an_apostrophe_in_free_text_is_not_a_quote() {
        assert_eq!(
            text("--reason they can't pay, we won't wait"),
            ["--reason", "they", "can't", "pay,", "we", "won't", "wait"]
        );
        assert_eq!(text("--reason 'they can'\\''t pay'"), ["--reason", "they can't pay"]);
        assert_eq!(text("--reason \"they can't\" 'a b'"), ["--reason", "they can't", "a b"]);
    }

    #[test]
    fn too_much_is_refused() {
        assert_eq!(posix(&"a".repeat(MAX_LINE + 1)), Err(UsageError::LineTooLong));
        assert_eq!(posix(&"a ".repeat(MAX_WORDS + 1)), Err(UsageError::TooManyWords));
        assert!(posix(&"a ".repeat(MAX_WORDS)).is_ok());
        assert_eq!(posix("a\0b"), Err(UsageError::Nul));
    }

    proptest! {
        #[test]
        fn it_splits_as_the_shell_words_crate_does(line in "[ a-c'\"\\\\$\n\t|;-]{0,24}") {
            prop_assert_eq!(posix(&line).ok().map(|split| split.words), shell_words::split(&line).ok());
        }

        #[test]
        fn quoted_words_come_back_as_they_were(list in prop::collection::vec("[^\0]{0,12}", 0..8)) {
            prop_assert_eq!(posix(&shell_words::join(&list)).unwrap().words, list);
        }

        #[test]
        fn it_never_panics(line in any::<String>()) {
            let _ = posix(&line);
            let _ = split(&line, Apostrophe::Literal);
        }
    }
}
