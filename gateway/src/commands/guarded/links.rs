//! Where a command's paths lead: links are followed in the container before the rules have the last word.
//!
//! Where it ends: a container without `readlink` cannot say, and then only the words are judged. A link may change between
//! this and the program.

use futures::future::join_all;
use sallyport_policy::commands::{Cleared, Commands, Invocation, Own, Verdict, Way};

use super::container::{Container, ask};
use super::state::State;
use crate::bridge::Exit;

/// How many paths of a command are followed, and how many at a time.
const MOST_PATHS: usize = 128;
const AT_A_TIME: usize = 16;
/// The longest path there is.
const LONGEST: usize = 4096;
/// Programs whose words are text and open nothing.
const SPEAK: [&str; 6] = ["echo", "printf", "sleep", "seq", "true", "false"];

/// What the rules say, about the words and about where their paths lead.
///
/// # Errors
/// In words, where it cannot be told where they lead.
pub(super) async fn judge<C: Container>(
    container: &C,
    commands: &Commands,
    state: &mut State,
    invocation: &Invocation,
) -> Result<Verdict, String> {
    let verdict = commands.judge(invocation, Way::Guarded);
    let Some(cleared) = &verdict.cleared else { return Ok(verdict) };
    // What would run may be written otherwise than what was typed: with `..` resolved, for one.
    let program = invocation.argv.first();
    let start = cleared.argv().iter().position(|word| Some(word) == program).unwrap_or(0);
    let argv = cleared.argv().get(start..).map(<[String]>::to_vec).unwrap_or_default();
    let runs = Invocation { argv, ..invocation.clone() };
    let Some((led, from, to)) = led(container, state, &runs).await? else { return Ok(verdict) };
    let mut behind = commands.judge(&led, Way::Guarded);
    if behind.cleared.is_some() {
        return Ok(verdict);
    }
    behind.why = format!("`{from}` leads to `{to}`: {}", behind.why);
    behind.shown = verdict.shown;
    // Where a path leads later is nothing that anybody could approve now.
    behind.once = None;
    Ok(behind)
}

/// The same command with its paths as the container's links lead, and the first that leads elsewhere; `None` where none
/// does.
async fn led<C: Container>(
    container: &C,
    state: &mut State,
    invocation: &Invocation,
) -> Result<Option<(Invocation, String, String)>, String> {
    if state.resolves == Some(false) {
        return Ok(None);
    }
    let mut paths: Vec<String> = Vec::new();
    for path in candidates(invocation).map(|path| state.absolute(path)) {
        if !paths.contains(&path) {
            paths.push(path);
        }
    }
    if paths.len() > MOST_PATHS {
        return Err(format!("links are followed in at most {MOST_PATHS} paths of a command: name fewer"));
    }
    let mut leads: Vec<(&str, String)> = Vec::new();
    for some in paths.chunks(AT_A_TIME) {
        let asked = some.iter().map(|path| ask(container, Cleared::own(Own::Resolve(path.clone()))));
        for (path, said) in some.iter().zip(join_all(asked).await) {
            let said = said.map_err(|error| format!("where `{path}` leads cannot be told: {error}"))?;
            if said.is_missing() {
                state.resolves = Some(false);
                return Ok(None);
            }
            if let Exit::Unknown { why } = &said.exit {
                return Err(format!("where `{path}` leads cannot be told: {why}"));
            }
            state.resolves = Some(true);
            if !said.worked() {
                // It leads nowhere: it is no path, or is not there yet.
                continue;
            }
            let text = String::from_utf8(said.out);
            let text = text.map_err(|_| format!("where `{path}` leads is not UTF-8 text"))?;
            let lead = text.strip_suffix('\n').unwrap_or(&text);
            if lead.starts_with('/') && lead != path {
                leads.push((path, lead.to_owned()));
            }
        }
    }
    Ok(swapped(invocation, state, &leads))
}

/// The command with its paths exchanged for where they lead.
fn swapped(
    invocation: &Invocation,
    state: &State,
    leads: &[(&str, String)],
) -> Option<(Invocation, String, String)> {
    let mut first = None;
    let mut lead = |path: &str| {
        let absolute = state.absolute(path);
        let (_, to) = leads.iter().find(|(from, _)| *from == absolute)?;
        first.get_or_insert_with(|| (path.to_owned(), to.clone()));
        Some(to.clone())
    };
    let mut led = invocation.clone();
    for word in led.argv.iter_mut().skip(1) {
        if let Some((flag, path)) = candidate(word)
            && let Some(to) = lead(path)
        {
            *word = format!("{flag}{to}");
        }
    }
    for path in led.reads.iter_mut().chain(&mut led.writes) {
        if let Some(to) = lead(path) {
            *path = to;
        }
    }
    let (from, to) = first?;
    Some((led, from, to))
}

/// The parts of a command that may be paths.
fn candidates(invocation: &Invocation) -> impl Iterator<Item = &str> {
    let name = invocation.argv.first().map(|name| name.rsplit('/').next().unwrap_or(name));
    let speaks = name.is_some_and(|name| SPEAK.contains(&name));
    let words = invocation.argv.iter().skip(1).filter(move |_| !speaks);
    let words = words.filter_map(|word| candidate(word).map(|(_, path)| path));
    words.chain(invocation.reads.iter().chain(&invocation.writes).map(String::as_str))
}

/// A flag's beginning, and what may be a path behind it.
fn candidate(word: &str) -> Option<(&str, &str)> {
    if word.is_empty() || word.len() > LONGEST {
        return None;
    }
    if !word.starts_with('-') {
        return Some(("", word));
    }
    let at = match (word.find('='), word.find('/')) {
        (Some(equals), _) => equals + 1,
        (None, Some(slash)) => slash,
        (None, None) => return None,
    };
    word.split_at_checked(at).filter(|(_, path)| !path.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_may_be_a_path_is_found_in_flags_as_well() {
        for (word, expected) in [
            ("/etc/x", Some(("", "/etc/x"))),
            ("x", Some(("", "x"))),
            ("--file=/etc/x", Some(("--file=", "/etc/x"))),
            ("--file=x", Some(("--file=", "x"))),
            ("-f/etc/x", Some(("-f", "/etc/x"))),
            ("-l", None),
            ("", None),
        ] {
            assert_eq!(candidate(word), expected, "{word}");
        }
    }
}
