//! Lines for events and people, with what is marked as a secret blotted out.
//!
//! Where its guarantee ends: a secret that nothing marks as one stays. The rules' own words know more about programs and
//! come first where a line could be read; this is for the rest.

use std::ops::Range;

use crate::terminal::clean;

const BLOT: &str = "****";
const MARKS: [&str; 11] = [
    "password",
    "passwd",
    "passphrase",
    "token",
    "secret",
    "apikey",
    "api_key",
    "api-key",
    "credential",
    "private_key",
    "access_key",
];
/// The longest line that is kept.
const LONGEST: usize = 2048;

/// A line that could not be read word by word.
pub(super) fn blotted(text: &str) -> String {
    let mut out = String::new();
    let mut next = false;
    for word in text.split_inclusive(char::is_whitespace) {
        let (bare, blank) = word
            .trim_end()
            .len()
            .checked_sub(0)
            .and_then(|end| word.split_at_checked(end))
            .unwrap_or((word, ""));
        if bare.is_empty() {
            out.push_str(blank);
            continue;
        }
        if std::mem::take(&mut next) && !matches!(bare, "=" | ":" | "by" | "BY" | "is") {
            out.push_str(&blot(bare));
        } else {
            let lower = bare.to_ascii_lowercase();
            let marked = MARKS.iter().any(|mark| lower.contains(mark))
                || lower.ends_with("pwd")
                || lower == "identified";
            let at = bare.find(['=', ':']).filter(|_| marked);
            match at.and_then(|at| bare.split_at_checked(at + 1)) {
                Some((name, value)) if !value.is_empty() && !value.starts_with("//") => {
                    out.push_str(name);
                    out.push_str(&blot(value));
                }
                _ => {
                    out.push_str(&address(bare));
                    next = marked
                        || matches!(bare, "=" | ":" | "by" | "BY" | "is")
                            && out.ends_with(bare)
                            && was_marked(&out);
                }
            }
        }
        out.push_str(blank);
    }
    bounded(&out)
}

/// A blot that leaves a quotation mark which stands for others outside of the word, so that the line can still be read.
fn blot(word: &str) -> String {
    let open = ['\'', '"'].into_iter().find(|mark| word.matches(*mark).count() % 2 == 1);
    match open {
        Some(mark) if word.starts_with(mark) && word.len() > 1 => format!("{mark}{BLOT}"),
        Some(mark) => format!("{BLOT}{mark}"),
        None => BLOT.to_owned(),
    }
}

/// Whether the word before the last one marks a secret.
fn was_marked(out: &str) -> bool {
    let before = out.split_whitespace().rev().nth(1).unwrap_or_default().to_ascii_lowercase();
    MARKS.iter().any(|mark| before.contains(mark)) || before == "identified"
}

/// `scheme://user:password@host` without the password.
fn address(word: &str) -> String {
    let parts = word.split_once("://").and_then(|(scheme, rest)| {
        let (who, host) = rest.split_once('@')?;
        let (user, _) = who.split_once(':')?;
        Some(format!("{scheme}://{user}:{BLOT}@{host}"))
    });
    parts.unwrap_or_else(|| word.to_owned())
}

/// A line that could be read: these parts of it are shown as they are here.
pub(super) fn told(text: &str, instead: Vec<(Range<usize>, String)>) -> String {
    blotted(&replaced(text, instead))
}

/// The same, as the lines that it has: they are needed to judge it again.
pub(super) fn told_by_line(text: &str, instead: Vec<(Range<usize>, String)>) -> String {
    let mut out = String::new();
    for line in replaced(text, instead).lines() {
        if !out.is_empty() {
            out.push('\n');
        }
        out.push_str(&blotted(line));
        if let Some((at, _)) = out.char_indices().nth(LONGEST) {
            out.truncate(at);
            out.push('…');
            break;
        }
    }
    out
}

fn replaced(text: &str, mut instead: Vec<(Range<usize>, String)>) -> String {
    instead.sort_by_key(|(span, _)| span.start);
    let (mut out, mut at) = (String::new(), 0);
    for (span, shown) in instead {
        if span.start < at {
            continue;
        }
        out.push_str(text.get(at..span.start).unwrap_or_default());
        out.push_str(&shown);
        at = span.end;
    }
    out.push_str(text.get(at..).unwrap_or_default());
    out
}

fn bounded(text: &str) -> String {
    let text = clean(text.trim());
    match text.char_indices().nth(LONGEST) {
        Some((at, _)) => format!("{}…", text.get(..at).unwrap_or_default()),
        None => text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_marked_as_a_secret_is_not_shown() {
        for (text, shown) in [
            ("export TOKEN=abc x", "export TOKEN=**** x"),
            ("alter user a password 'x'", "alter user a password ****"),
            ("ALTER USER a IDENTIFIED BY 'x';", "ALTER USER a IDENTIFIED BY ****"),
            ("curl https://bob:pw@host/x", "curl https://bob:****@host/x"),
            ("password = \"x\"", "password = ****"),
            ("read -sp 'Password: ' p", "read -sp 'Password: ****' p"),
            ("ls -l  /tmp", "ls -l  /tmp"),
            ("a\nb\x1b[2J", "a b\u{fffd}[2J"),
        ] {
            assert_eq!(blotted(text), shown);
        }
        assert_eq!(told("mysql -psecret; ls", vec![(6..14, "-p****".to_owned())]), "mysql -p****; ls");
        assert!(blotted(&"x".repeat(9000)).chars().count() <= LONGEST + 1);
        assert_eq!(
            told_by_line("for f in a\ndo x -psecret\tpassword=y\ndone", vec![(16..24, "-p****".to_owned())]),
            "for f in a\ndo x -p**** password=****\ndone"
        );
        assert!(told_by_line(&"x\n".repeat(9000), Vec::new()).chars().count() <= LONGEST + 1);
    }
}
