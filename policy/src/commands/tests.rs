//! What is refused and what passes, command by command.

use super::*;

mod forbids;
mod language;
mod named;
mod normal;
mod passes;
mod people;
mod placed;
mod prompt;
mod refusals;
mod typed;

/// Rules of these sets and nothing else.
pub(super) fn sets(names: &[&str]) -> Commands {
    let input = CommandsInput {
        sets: names.iter().map(|name| (*name).to_owned()).collect(),
        ..CommandsInput::default()
    };
    Commands::parse(&input).unwrap()
}

pub(super) fn rule(programs: &[&str]) -> RuleInput {
    RuleInput { programs: programs.iter().map(|name| (*name).to_owned()).collect(), ..RuleInput::default() }
}

pub(super) fn texts(texts: &[&str]) -> Option<Vec<String>> {
    Some(texts.iter().map(|text| (*text).to_owned()).collect())
}

pub(super) fn allowing(allow: Vec<RuleInput>) -> Commands {
    Commands::parse(&CommandsInput { allow, ..CommandsInput::default() }).unwrap()
}

/// Words by blanks; `_` is a blank within a word.
pub(super) fn words(line: &str) -> Vec<String> {
    line.split(' ').map(|word| word.replace('_', " ")).collect()
}

pub(super) fn at(directory: &str, line: &str) -> Invocation {
    Invocation { argv: words(line), directory: Some(directory.to_owned()), ..Invocation::default() }
}

pub(super) fn judged(commands: &Commands, line: &str) -> Verdict {
    commands.judge(&at("/app", line), Way::Exec)
}

/// What would run, or why it does not.
pub(super) fn cleared(commands: &Commands, line: &str) -> Result<String, String> {
    let verdict = judged(commands, line);
    match verdict.cleared {
        Some(cleared) => Ok(cleared.argv().join(" ")),
        None => Err(format!("{}: {}", verdict.rule, verdict.why)),
    }
}
