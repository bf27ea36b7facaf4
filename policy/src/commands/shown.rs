//! Words for events and people: with their secrets blotted out.
//!
//! Where its guarantee ends: a secret that nothing marks as one is shown.

use super::programs::{Kind, find};

const BLOT: &str = "****";
const NAMES: [&str; 11] = [
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
/// Flags whose value is a secret whatever the program; short ones only by the tables.
const FLAGS: [&str; 8] = [
    "--password",
    "--pass",
    "--token",
    "--secret",
    "--api-key",
    "--oauth2-bearer",
    "--passphrase",
    "--auth-token",
];

fn telling(name: &str) -> bool {
    let lower = name.to_ascii_lowercase();
    NAMES.iter().any(|one| lower.contains(one))
        || lower.ends_with("_key")
        || lower.ends_with("pwd")
        || lower == "pass"
        || lower == "auth"
        || lower == "pw"
        || lower.ends_with("_pass")
}

/// All words, as they may be shown.
pub fn blotted(argv: &[String]) -> Vec<String> {
    let mut known = argv.first().map(|program| super::paths::last(program)).and_then(find);
    let mut next_is_secret = false;
    argv.iter()
        .map(|word| {
            if std::mem::take(&mut next_is_secret) {
                return BLOT.to_owned();
            }
            // Behind `env` and its likes another program begins.
            if !word.starts_with('-') {
                known = find(super::paths::last(word)).or(known);
            }
            if let Some((name, value)) = word.split_once('=') {
                let flag = known
                    .and_then(|known| known.flag(name))
                    .is_some_and(|flag| flag.value == Some(Kind::Secret));
                if flag || FLAGS.contains(&name) || (telling(name) && !name.contains(['/', ' ', '?'])) {
                    return if value.is_empty() { word.clone() } else { format!("{name}={BLOT}") };
                }
            }
            if word.len() > 1 && word.starts_with('-') {
                let abbreviated =
                    known.filter(|_| word.starts_with("--")).and_then(|known| known.abbreviated(word));
                let flag =
                    abbreviated.map(|(flag, _)| flag).or_else(|| known.and_then(|known| known.flag(word)));
                if FLAGS.contains(&word.as_str())
                    || flag.is_some_and(|flag| flag.value == Some(Kind::Secret) && !flag.optional)
                {
                    next_is_secret = true;
                    return word.clone();
                }
                let short = word.char_indices().nth(2).and_then(|(at, _)| word.split_at_checked(at));
                let secret = |(name, _): &(&str, &str)| {
                    let flag = known.and_then(|known| known.flag(name));
                    !word.starts_with("--") && flag.is_some_and(|flag| flag.value == Some(Kind::Secret))
                };
                if let Some((name, _)) = short.filter(secret) {
                    return format!("{name}{BLOT}");
                }
            }
            text(word)
        })
        .collect()
}

/// One text: user and password in addresses, headers that carry secrets, `PASSWORD=…` within.
pub(crate) fn text(word: &str) -> String {
    let mut out = String::with_capacity(word.len());
    let mut rest = word;
    while let Some((before, behind)) = rest.split_once("://") {
        out.push_str(before);
        out.push_str("://");
        let host = behind.split(['/', ' ', '?', '#', '\'', '"']).next().unwrap_or_default();
        rest = behind;
        if let Some((user, _)) = host.rsplit_once('@') {
            let name = user.split(':').next().unwrap_or_default();
            if user.contains(':') {
                out.push_str(name);
                out.push(':');
                out.push_str(BLOT);
                rest = behind.get(user.len()..).unwrap_or_default();
            }
        }
    }
    out.push_str(rest);
    let mut done = String::with_capacity(out.len());
    let mut rest = out.as_str();
    // Each turn is a secret further on.
    while let Some((head, tail, parameter)) = secret_ahead(rest) {
        done.push_str(head);
        if !tail.is_empty() {
            done.push_str(BLOT);
        }
        // A parameter ends where the next one begins; a header goes to its end.
        let after = if parameter {
            tail.find(['&', ' ', '\'', '"', ';']).and_then(|at| tail.get(at..))
        } else {
            None
        };
        rest = after.unwrap_or_default();
    }
    done.push_str(rest);
    done
}

/// The longest sentence, in characters: words in it may be anything that was typed.
const LONGEST: usize = 600;

/// One line for people: secrets blotted out, nothing that moves a cursor, of an end.
pub(crate) fn sentence(words: &str) -> String {
    let mut line: String = text(words)
        .chars()
        .take(LONGEST)
        .map(|c| {
            if c.is_control()
                || matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{2069}')
            {
                '\u{fffd}'
            } else {
                c
            }
        })
        .collect();
    if words.chars().nth(LONGEST).is_some() {
        line.push('…');
    }
    line
}

/// What announces a secret; those ending in `=` are parameters among others.
const AHEAD: [&str; 13] = [
    "authorization:",
    "cookie:",
    "x-api-key:",
    "x-auth-token:",
    "bearer ",
    "password=",
    "token=",
    "secret=",
    "passwd=",
    "api_key=",
    "apikey=",
    "identified by ",
    "access_key=",
];

/// The text up to a secret, the secret and what follows, and whether it is a parameter.
fn secret_ahead(text: &str) -> Option<(&str, &str, bool)> {
    let lower = text.to_ascii_lowercase();
    let (end, name) =
        AHEAD.iter().filter_map(|name| lower.find(name).map(|at| (at + name.len(), *name))).min()?;
    let (head, tail) = text.split_at_checked(end)?;
    Some((head, tail, name.ends_with('=')))
}

#[cfg(test)]
mod tests {
    use super::blotted;

    fn shown(line: &str) -> String {
        let argv: Vec<String> = line.split(' ').map(|word| word.replace('_', " ")).collect();
        blotted(&argv).join(" ")
    }

    #[test]
    fn secrets_are_blotted_out_wherever_they_are_known_to_stand() {
        for line in [
            "mysql -phunter2 -u root",
            "mysql --password=hunter2",
            "curl -u bob:hunter2 http://x",
            "curl -ubob:hunter2 http://x",
            "curl --user bob:hunter2 http://x",
            "curl -H Authorization:_Bearer_hunter2 http://x",
            "curl http://bob:hunter2@host/",
            "env DB-PASSWORD=hunter2 app",
            "API-TOKEN=hunter2",
            "redis-cli -a hunter2 get k",
            "tool --token hunter2",
            "tool --api-key=hunter2",
            "wget --http-password=hunter2 http://x",
            "psql postgres://app:hunter2@db/orders",
            "curl http://x/?token=hunter2&a=b",
            "curl --pass hunter2 x",
            "env A=b mysql -phunter2",
            "curl --oauth2-bear hunter2 x",
            "mysql -e x_IDENTIFIED_BY_'hunter2'",
        ] {
            let shown = shown(line);
            assert!(!shown.contains("hunter2") && shown.contains("****"), "{line}: {shown}");
        }
    }

    #[test]
    fn everything_else_stays_as_it_is() {
        for line in [
            "ls -la /var/log",
            "grep -p token-bucket /var/log/x",
            "curl http://localhost:8080/a?b=c",
            "mysql -u root -e select",
            "psql -p 5432",
        ] {
            assert_eq!(shown(line), line);
        }
    }
}
