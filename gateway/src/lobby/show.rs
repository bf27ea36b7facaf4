//! Hostile text made fit for one line of a screen.

/// The most characters of a word that a message repeats.
const LONGEST: usize = 64;

/// A word as typed, shortened, on one line and without control characters.
pub(super) fn word(text: &str) -> String {
    let mut shown: String = line(text).chars().take(LONGEST + 1).collect();
    if shown.chars().count() > LONGEST {
        shown.pop();
        shown.push('…');
    }
    shown
}

/// A text on one line, with what would act on a terminal replaced.
pub(super) fn line(text: &str) -> String {
    crate::terminal::clean(text)
}

/// Words as a line to type after `ssh prod-gw`. The local shell reads it, and then the gateway, so that where a
/// word needs quotes, all of the line gets another pair around it.
pub(super) fn after_ssh(words: &[String]) -> String {
    let joined = shell_words::join(words);
    if words.iter().all(|word| shell_words::quote(word) == word.as_str()) {
        return joined;
    }
    if joined.contains(['"', '$', '`', '\\', '!']) {
        shell_words::quote(&joined).into_owned()
    } else {
        format!("\"{joined}\"")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn typed(words: &[&str]) -> String {
        after_ssh(&words.iter().map(|&word| word.to_owned()).collect::<Vec<_>>())
    }

    #[test]
    fn a_line_to_type_survives_the_local_shell_and_the_gateway() {
        assert_eq!(typed(&["exec", "api-0", "--", "ls", "-l"]), "exec api-0 -- ls -l");
        assert_eq!(typed(&["exec", "--", "sh", "-c", "ls | wc"]), "\"exec -- sh -c 'ls | wc'\"");
        for words in [&["a b", "$HOME"][..], &["it's", "\"x\""], &["\\", "!"], &["", "#"]] {
            let once = shell_words::split(&typed(words)).unwrap();
            assert_eq!(shell_words::split(&once.join(" ")).unwrap(), words);
        }
    }

    #[test]
    fn long_and_hostile_words_are_shown_short_and_harmless() {
        assert_eq!(word("a\u{1b}[2J\nb"), "a\u{fffd}[2J b");
        assert_eq!(word(&"x".repeat(70)), format!("{}…", "x".repeat(64)));
        assert_eq!(word(&"x".repeat(64)), "x".repeat(64));
    }
}
