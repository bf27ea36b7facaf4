//! What Tab offers: programs that some rule allows and the shell's own words, flags of a program, names in the container.

use std::time::Duration;

use sallyport_policy::commands::Commands;
use tokio::time::Instant;

use super::container::Container;
use super::state::State;
use super::{builtins, plan};

/// How many are offered.
const MOST: usize = 200;
/// How long a listing may take, and how long it is good for.
const PATIENCE: Duration = Duration::from_secs(2);
const FRESH: Duration = Duration::from_secs(3);

/// The listing of one directory, kept for the next key.
#[derive(Debug, Default)]
pub(super) struct Completer {
    listed: Option<(String, Instant, Vec<String>)>,
}

/// What is to be completed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Part<'a> {
    /// The word up to the cursor.
    pub(super) word: &'a str,
    /// The program that it is an argument of; `None` where it is the program.
    pub(super) program: Option<&'a str>,
}

/// Finds the word before the cursor, by blanks and the signs that begin another command; quotes are not looked into.
pub(super) fn part(before: &str) -> Part<'_> {
    let command = before.rsplit(['|', ';', '&']).next().unwrap_or_default();
    let word = command.rsplit([' ', '\t', '<', '>']).next().unwrap_or_default();
    let rest = command.strip_suffix(word).unwrap_or_default();
    let mut words = rest.split_whitespace().filter(|word| !word.contains('=') && *word != "!");
    Part { word, program: words.next() }
}

impl Completer {
    /// Whole words that the part could become, sorted.
    pub(super) async fn offers<C: Container>(
        &mut self,
        container: &C,
        commands: &Commands,
        state: &State,
        part: Part<'_>,
    ) -> Vec<String> {
        let Part { word, program } = part;
        let mut found: Vec<String> = match program {
            None if !word.contains('/') => {
                let own = builtins::NAMES.iter().copied().take_while(|name| *name != ".");
                let all = commands.programs().into_iter().chain(own);
                all.filter(|name| name.starts_with(word) && *name != "*").map(str::to_owned).collect()
            }
            Some(program) if word.starts_with('-') => {
                let flags = commands.flags(program).into_iter();
                flags.filter(|flag| flag.starts_with(word)).collect()
            }
            _ => self.paths(container, state, word).await,
        };
        found.sort();
        found.dedup();
        found.truncate(MOST);
        found
    }

    async fn paths<C: Container>(&mut self, container: &C, state: &State, word: &str) -> Vec<String> {
        let (directory, name) = match word.rsplit_once('/') {
            Some((directory, name)) => (format!("{directory}/"), name),
            None => (String::new(), word),
        };
        let here = state.directory.as_deref().unwrap_or("/").trim_end_matches('/');
        let place = match directory.as_str() {
            path if path.starts_with('/') => format!("{path}."),
            path => format!("{here}/{path}."),
        };
        let fresh = |(path, at, _): &(String, Instant, Vec<String>)| *path == place && at.elapsed() < FRESH;
        if !self.listed.as_ref().is_some_and(fresh) {
            let listed = tokio::time::timeout(PATIENCE, plan::list(container, &place)).await;
            let Ok(Ok(names)) = listed else { return Vec::new() };
            self.listed = Some((place, Instant::now(), names));
        }
        let Some((_, _, names)) = &self.listed else { return Vec::new() };
        let shown = |found: &&String| {
            found.starts_with(name) && (name.starts_with('.') || !found.starts_with('.')) && is_plain(found)
        };
        names.iter().filter(shown).map(|found| format!("{directory}{found}")).collect()
    }
}

/// Whether a name can stand on a line as it is.
fn is_plain(name: &str) -> bool {
    name.chars().all(|c| c.is_alphanumeric() || "-_.+,:@%/".contains(c))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_word_before_the_cursor_knows_its_program() {
        for (before, word, program) in [
            ("", "", None),
            ("ca", "ca", None),
            ("cat ", "", Some("cat")),
            ("cat /va", "/va", Some("cat")),
            ("ls | gr", "gr", None),
            ("ls; cat -", "-", Some("cat")),
            ("true && LANG=C ls --a", "--a", Some("ls")),
            ("echo x >/tm", "/tm", Some("echo")),
        ] {
            assert_eq!(part(before), Part { word, program }, "{before}");
        }
    }
}
