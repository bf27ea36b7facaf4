//! A guarded shell without a container: what rules would say of a line there, given what was typed before it. Policies are
//! tried with it, and past sessions replayed.
//!
//! Where its guarantee ends: nothing runs, so that what could fail counts as done; no file is looked at, so that a pattern
//! stands as it is written and no link is followed. What cannot be told of a variable or the directory is forgotten, and a
//! line that needs it is then one that cannot be known.

use sallyport_policy::commands::{Commands, Invocation, Made, Verdict, Way};
use sallyport_policy::line::{self, LineError, When};

use super::builtins::{NOT_THERE, OWN, instead, presumed};
use super::plan::{NO_FILE_ALONE, no_command, stands_alone, wrong};
use super::state::State;

/// Shells: without a file or a command, what follows is typed into them.
const SHELLS: [&str; 8] = ["sh", "bash", "dash", "ash", "zsh", "ksh", "fish", "busybox"];
/// What brings people somewhere else, or to be somebody else.
const ELSEWHERE: [&str; 9] =
    ["su", "sudo", "ssh", "chroot", "nsenter", "unshare", "tmux", "screen", "script"];
/// What sets variables that it names, in shells that have it.
const SETTING: [&str; 4] = ["printf", "mapfile", "readarray", "getopts"];
/// Words by which a line that cannot be read changes anything there is.
const ANYTHING: [&str; 5] = ["eval", "source", "exec", "exit", "logout"];

/// What lines so far have left behind.
#[derive(Debug, Clone)]
pub struct Past {
    state: State,
}

impl Past {
    /// A shell in which nothing is set.
    #[must_use]
    pub fn new(directory: Option<&str>) -> Self {
        Self { state: State::new(directory.map(str::to_owned)) }
    }

    /// What would be said of a line: each command's verdict, but for what the shell does itself, which is done.
    ///
    /// # Errors
    /// Why it is none that can be known.
    pub fn line(&mut self, text: &str, commands: &Commands) -> Result<Vec<Verdict>, LineError> {
        let mut after = self.state.clone();
        match judged(&mut after, text, commands) {
            Ok(verdicts) => {
                self.state = after;
                Ok(verdicts)
            }
            Err(error) => {
                self.doubt(text);
                Err(error)
            }
        }
    }

    /// A line of which nobody knows what it did: forgets what it could have changed.
    pub fn doubt(&mut self, text: &str) {
        for word in text.split(|c: char| !c.is_ascii_alphanumeric() && c != '_') {
            match word {
                "cd" | "pushd" | "popd" => self.state.lose_directory(),
                word if [&ANYTHING[..], &SHELLS, &ELSEWHERE].iter().any(|all| all.contains(&word)) => {
                    self.state = State::new(None);
                }
                name => self.state.lose(name),
            }
        }
        if text.split_whitespace().any(|word| word == ".") {
            self.state = State::new(None);
        }
    }

    /// Something that a guarded shell did itself, as it stands on record: `cd DIR`, `export NAME=value`, `NAME=value`.
    pub fn did(&mut self, words: &[String]) {
        match words.first() {
            Some(program) if OWN.contains(&program.as_str()) => presumed(&mut self.state, words),
            _ => words.iter().filter_map(|word| word.split_once('=')).for_each(|(name, value)| {
                // What a shell refuses to set is not set.
                let _ = self.state.set(name, value.to_owned(), false);
            }),
        }
    }

    /// What programs are given.
    #[must_use]
    pub fn exported(&self) -> Vec<(String, String)> {
        self.state.exported()
    }
}

fn judged(state: &mut State, text: &str, commands: &Commands) -> Result<Vec<Verdict>, LineError> {
    let mut verdicts = Vec::new();
    // As it was before what runs only where something fails.
    let mut sure = None;
    for step in line::parse(text)?.steps {
        if step.when == When::Failed {
            sure.get_or_insert_with(|| state.clone());
        }
        let count = step.pipeline.commands.len();
        for (at, simple) in step.pipeline.commands.iter().enumerate() {
            let made = Made::of(text, simple, state).known()?;
            let Some(program) = made.argv.first().map(String::as_str) else {
                if count > 1 {
                    return Err(no_command(simple));
                }
                if !simple.redirections.is_empty() {
                    return Err(wrong(&simple.span, NO_FILE_ALONE));
                }
                for (name, value) in made.environment {
                    let _ = state.set(&name, value, false);
                }
                continue;
            };
            if NOT_THERE.contains(&program) {
                return Err(wrong(&simple.span, format!("`{program}`: {}", instead(program))));
            }
            if OWN.contains(&program) {
                stands_alone(program, simple, count)?;
                presumed(state, &made.argv);
                if matches!(program, "exit" | "logout") {
                    *state = State::new(None);
                }
                continue;
            }
            let invocation = Invocation {
                environment: state.exported_with(&made.environment),
                directory: state.directory.clone(),
                piped: at > 0,
                ..made
            };
            verdicts.push(commands.judge(&invocation, Way::Guarded));
            ran(state, &invocation.argv);
        }
    }
    if let Some(before) = sure {
        state.doubt(&before);
    }
    Ok(verdicts)
}

/// What a program would do to a shell that is not ours: to that in which the line was typed.
fn ran(state: &mut State, argv: &[String]) {
    let Some((program, rest)) = argv.split_first() else { return };
    let name = program.rsplit('/').next().unwrap_or_default();
    let waits = SHELLS.contains(&name) && rest.iter().all(|word| word.starts_with('-') && word != "-c");
    if waits || ELSEWHERE.contains(&name) {
        *state = State::new(None);
    } else if matches!(name, "pushd" | "popd") {
        state.lose_directory();
    } else if SETTING.contains(&name) {
        rest.iter().for_each(|word| state.lose(word));
    }
}

#[cfg(test)]
mod tests {
    use sallyport_policy::commands::{CommandsInput, RuleInput};

    use super::*;

    fn rules(input: CommandsInput) -> Commands {
        Commands::parse(&input).expect("rules")
    }

    fn words(words: &[&str]) -> Vec<String> {
        words.iter().map(|&word| word.to_owned()).collect()
    }

    /// `rm` below `/srv` and `ls` anywhere.
    fn below_srv() -> Commands {
        let rule = |programs: &[&str], paths: &[&str]| RuleInput {
            programs: words(programs),
            writes: Some(words(paths)),
            ..RuleInput::default()
        };
        rules(CommandsInput {
            allow: vec![rule(&["rm"], &["/srv/**"]), rule(&["ls", "printf"], &[])],
            ..CommandsInput::default()
        })
    }

    /// What becomes of the last of several lines: `yes`, `no`, or that it cannot be known.
    fn last(lines: &[&str]) -> &'static str {
        let (rules, mut past) = (below_srv(), Past::new(None));
        let mut came = "";
        for line in lines {
            came = match past.line(line, &rules) {
                Err(_) => "unknown",
                Ok(verdicts) if verdicts.iter().all(|one| one.cleared.is_some()) => "yes",
                Ok(_) => "no",
            };
        }
        came
    }

    #[test]
    fn what_the_guarded_shell_does_itself_is_no_command_and_what_it_does_not_do_is_refused() {
        let deny = vec![RuleInput { programs: words(&["rm"]), ..RuleInput::default() }];
        let rules = rules(CommandsInput { deny, ..CommandsInput::default() });
        let say = |text| Past::new(None).line(text, &rules);
        assert_eq!(say("cd /srv && pwd; A=b; export C=d; unset A").expect("read").len(), 0);
        let verdicts = say("cd /srv; rm x").expect("read");
        assert_eq!(verdicts.iter().map(|one| one.rule.as_str()).collect::<Vec<_>>(), ["deny[0]"]);
        for text in [
            "eval rm x",
            ". ./x",
            "for f in a; do ls; done",
            "x=$(rm y)",
            "ls | cd x",
            "A=b cd x",
            "> x",
            "A=b | ls",
        ] {
            assert!(say(text).is_err(), "{text}");
        }
    }

    #[test]
    fn variables_and_directories_of_earlier_lines_and_of_the_same_are_followed() {
        for lines in [
            &["X=/srv", "rm $X/y"][..],
            &["export LANG=a", "rm /srv/\"$LANG\""],
            &["X=/srv; rm $X/y"],
            &["X=/srv", "Y=$X/z", "rm $Y"],
            &["cd /srv", "rm y"],
            &["cd /etc", "cd ../srv/a", "rm y"],
            &["cd /srv && rm y"],
            &["cd /srv", "cd /etc", "cd -", "rm y"],
        ] {
            assert_eq!(last(lines), "yes", "{lines:?}");
        }
        for lines in [
            &["X=/etc", "rm $X/y"][..],
            &["X=/srv", "X=/etc", "rm $X/y"],
            // Programs would be given it, and no rule lets them.
            &["export X=/srv", "rm $X/y"],
            &["X=/srv", "cd /etc", "rm y"],
            &["cd /srv", "rm /etc/y"],
        ] {
            assert_eq!(last(lines), "no", "{lines:?}");
        }
    }

    #[test]
    fn what_is_not_set_or_may_have_changed_is_not_known() {
        for lines in [
            &["rm $X/y"][..],
            &["X=/srv", "unset X", "rm $X/y"],
            &["X=/srv", "X=$(pwd)", "rm $X/y"],
            &["X=/srv", "read X", "rm $X/y"],
            &["X=/srv", "for X in a b; do ls; done", "rm $X/y"],
            &["X=/srv", "eval $(cat f)", "rm $X/y"],
            &["X=/srv", ". ./f", "rm $X/y"],
            &["X=/srv", "printf -v X /etc", "rm $X/y"],
            &["ls || X=/srv", "rm $X/y"],
            &["X=/srv", "ls || X=/etc", "rm $X/y"],
            // Typed into another shell, which has not been told.
            &["X=/srv", "bash", "rm $X/y"],
            &["X=/srv", "/bin/bash -l", "rm $X/y"],
            &["bash", "X=/srv", "exit", "rm $X/y"],
            &["X=/srv", "su - postgres", "rm $X/y"],
        ] {
            assert_eq!(last(lines), "unknown", "{lines:?}");
        }
        assert_eq!(last(&["X=/srv", "bash -c ls", "rm $X/y"]), "yes", "that one is over");
        assert_eq!(last(&["X=/srv", "ls || true", "rm $X/y"]), "yes");
        // Where one is.
        for lines in [
            &["cd /srv", "cd $(pwd)", "rm y"][..],
            &["cd /srv", "ls || cd /etc", "rm y"],
            &["cd /srv", "cd -", "rm y"],
        ] {
            assert_eq!(last(lines), "no", "a relative path is below nothing: {lines:?}");
        }
    }

    #[test]
    fn what_is_exported_is_judged_with_each_later_command() {
        let rules = below_srv();
        let refused = |lines: &[&str]| {
            let mut past = Past::new(None);
            let mut came = Vec::new();
            for line in lines {
                came = past.line(line, &rules).expect("read");
            }
            came.into_iter().find(|one| one.cleared.is_none()).map(|one| one.rule)
        };
        assert_eq!(refused(&["export LD_PRELOAD=/tmp/x", "ls"]).as_deref(), Some("environment"));
        assert_eq!(refused(&["LD_PRELOAD=/tmp/x", "ls"]), None, "which programs are not given");
        assert_eq!(refused(&["export LD_PRELOAD=/tmp/x", "unset LD_PRELOAD", "ls"]), None);
    }

    #[test]
    fn what_stands_on_record_of_a_guarded_shell_is_followed_by_its_words() {
        let mut past = Past::new(None);
        for own in [
            &["A=1", "B=x y"][..],
            &["export", "A", "C=3"],
            &["export", "NONE"],
            &["PATH=/x"],
            &["unset", "C"],
        ] {
            past.did(&words(own));
        }
        assert_eq!(past.exported(), [("A".to_owned(), "1".to_owned())]);
    }
}
