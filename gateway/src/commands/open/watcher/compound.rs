//! Whether a shell surely wants more of a line: `for f in *`, `{`, `(`.
//!
//! Where its guarantee ends: it counts words where commands stand. A line that is taken for a beginning is told of when its
//! end has come, or when the shell shows an ordinary prompt again.

use sallyport_policy::line;

const BEGINS: [&str; 7] = ["for", "while", "until", "select", "if", "case", "{"];
const ENDS: [&str; 4] = ["done", "fi", "esac", "}"];
/// Behind these a command begins.
const BEFORE: [&str; 9] = ["do", "then", "else", "elif", "if", "while", "until", "!", "time"];

/// Whether a shell wants more of a text before it runs it.
#[must_use]
pub fn unfinished(text: &str) -> bool {
    line::parse(text).is_err_and(|error| error.unfinished) || begun(text)
}

/// Whether something is begun in it and not ended.
fn begun(text: &str) -> bool {
    let (mut depth, mut brackets) = (0_usize, 0_usize);
    let mut command = true;
    let mut word = String::new();
    let (mut quote, mut escaped) = (None, false);
    let mut comment = false;
    for c in text.chars().chain(['\n']) {
        comment = c != '\n' && (comment || c == '#' && word.is_empty() && quote.is_none() && !escaped);
        if comment {
            continue;
        }
        if std::mem::take(&mut escaped) {
            word.push('x');
            continue;
        }
        match (quote, c) {
            (Some(open), c) if c == open => quote = None,
            (Some(_), _) => word.push('x'),
            (None, '\\') => escaped = true,
            (None, '\'' | '"') => {
                quote = Some(c);
                word.push('x');
            }
            (None, c) if c.is_whitespace() || matches!(c, ';' | '&' | '|' | '(' | ')') => {
                let named = command || word == "{" || word == "}";
                if named && BEGINS.contains(&word.as_str()) {
                    depth += 1;
                } else if named && ENDS.contains(&word.as_str()) {
                    depth = depth.saturating_sub(1);
                }
                let blank = matches!(c, ' ' | '\t');
                if !word.is_empty() {
                    command = command && (BEFORE.contains(&word.as_str()) || word == "{");
                }
                command |= !blank;
                word.clear();
                match c {
                    '(' => brackets += 1,
                    ')' => brackets = brackets.saturating_sub(1),
                    _ => {}
                }
            }
            (None, c) => word.push(c),
        }
    }
    depth > 0 || brackets > 0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_shell_wants_more_of_is_begun_and_what_it_runs_is_not() {
        for text in [
            "for f in a b",
            "for f in a b; do",
            "for f in a b\ndo ls $f",
            "while true; do if true; then ls; fi",
            "if true",
            "if true; then ls",
            "case $x in",
            "f() {",
            "function f {",
            "{ ls",
            "(cd /tmp",
            "ls; while read x",
            "x=$(ls",
            "(ls # )",
            "x=a#b; (ls",
        ] {
            assert!(begun(text), "{text}");
        }
        for text in [
            "for f in a b; do ls; done",
            "for f in a b\ndo ls $f\ndone",
            "if true; then ls; else id; fi",
            "case $x in a) ls;; esac",
            "f() { ls; }",
            "(cd /tmp; ls)",
            "echo for if case",
            "ls 'for (' \"{\"",
            "echo \\( \\{",
            "time ls",
            "find . -name for",
            "ls # and (what is more",
            "# if (",
            "",
        ] {
            assert!(!begun(text), "{text}");
        }
    }
}
