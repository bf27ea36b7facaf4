//! What rules say of a typed line where there is no container to ask.
//!
//! Where its guarantee ends: nothing is set, no pattern of file names is resolved and no link followed.

use sallyport_policy::commands::{Commands, Invocation, Made, Verdict, Way};
use sallyport_policy::line::{self, LineError, Variables};

use crate::commands::guarded::{NOT_THERE, OWN};

/// A shell in which nothing is set.
pub(super) struct Unset;

impl Variables for Unset {
    fn get(&self, _name: &str) -> Option<&str> {
        None
    }
}

/// What the guarded shell would say of a line: each command's verdict, or why it is none that can be known.
pub(super) fn guarded(
    text: &str,
    directory: Option<&str>,
    commands: &Commands,
) -> Result<Vec<Verdict>, LineError> {
    let mut verdicts = Vec::new();
    for step in line::parse(text)?.steps {
        let alone = step.pipeline.commands.len() == 1;
        let mut piped = false;
        for one in step.pipeline.commands {
            let made = Made::of(text, &one, &Unset).known()?;
            let directory = directory.map(str::to_owned);
            let invocation = Invocation { directory, piped, ..made };
            piped = true;
            let program = invocation.argv.first().map(String::as_str).unwrap_or_default();
            if NOT_THERE.contains(&program) {
                let problem = format!("`{program}` is not in the guarded shell");
                return Err(LineError { at: one.span, problem, unfinished: false });
            }
            if alone && OWN.contains(&program) && one.redirections.is_empty() && one.assignments.is_empty() {
                continue;
            }
            verdicts.push(commands.judge(&invocation, Way::Guarded));
        }
    }
    Ok(verdicts)
}

#[cfg(test)]
mod tests {
    use sallyport_policy::commands::{CommandsInput, RuleInput};

    use super::*;

    #[test]
    fn what_the_guarded_shell_does_itself_is_no_command_and_what_it_does_not_do_is_refused() {
        let deny = vec![RuleInput { programs: vec!["rm".to_owned()], ..RuleInput::default() }];
        let rules = Commands::parse(&CommandsInput { deny, ..CommandsInput::default() }).expect("rules");
        assert_eq!(guarded("cd /srv && pwd", None, &rules).expect("read").len(), 0);
        let verdicts = guarded("cd /srv; rm x", None, &rules).expect("read");
        assert_eq!(verdicts.iter().map(|one| one.rule.as_str()).collect::<Vec<_>>(), ["deny[0]"]);
        for text in ["eval rm x", ". ./x", "for f in a; do ls; done", "x=$(rm y)"] {
            assert!(guarded(text, None, &rules).is_err(), "{text}");
        }
    }
}
