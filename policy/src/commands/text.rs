//! A whole typed line for the container's own shell, judged: the guardrail of open shells.
//!
//! Where its guarantee ends: everywhere. What a shell makes of a line is known only where it is in our own language, and
//! who wants to get around this does.

use super::paths::normal;
use super::{Assurance, Commands, Invocation, Made, Once, Verdict, Way, shown};
use crate::line::{Script, Survey, Variables, survey};

/// What a shell does itself, without any harm.
const BUILTINS: [&str; 24] = [
    "cd", "pushd", "popd", "dirs", "pwd", "echo", "printf", "true", "false", ":", "test", "[", "exit",
    "logout", "return", "jobs", "fg", "bg", "wait", "history", "type", "clear", "times", "umask",
];

impl Commands {
    /// Judges a line that goes to the container's own shell: one verdict for each command in it, in order; one that is not
    /// passed means that the line is not.
    #[must_use]
    pub fn judge_text(&self, text: &str, directory: Option<&str>, lookup: &dyn Variables) -> Vec<Verdict> {
        if let Some(also) = self.also() {
            let verdicts = also.judge_text(text, directory, lookup);
            if verdicts.iter().any(|verdict| verdict.cleared.is_none()) {
                return verdicts;
            }
        }
        match survey(text) {
            Survey::Known(script) => self.known(text, &script, directory, lookup),
            Survey::Guessed { commands, why } => self.guessed(text, &commands, &why, directory),
        }
    }

    fn known(
        &self,
        text: &str,
        script: &Script,
        directory: Option<&str>,
        lookup: &dyn Variables,
    ) -> Vec<Verdict> {
        let mut here = directory.map(str::to_owned);
        let mut verdicts = Vec::new();
        for step in &script.steps {
            let alone = step.pipeline.commands.len() == 1;
            for (at, simple) in step.pipeline.commands.iter().enumerate() {
                let made = Made::of(text, simple, lookup);
                let known = made.unknown.is_none() && !made.patterns;
                let invocation =
                    Invocation { directory: here.clone(), piped: at > 0, terminal: true, ..made.invocation };
                verdicts.push(self.simple(&invocation, known));
                if alone
                    && invocation
                        .argv
                        .first()
                        .is_some_and(|program| matches!(program.as_str(), "cd" | "pushd" | "popd"))
                {
                    here = match invocation.argv.as_slice() {
                        [_, to] if known && to != "-" => normal(to, here.as_deref()),
                        _ => None,
                    };
                }
            }
        }
        verdicts
    }

    fn simple(&self, invocation: &Invocation, known: bool) -> Verdict {
        let program = invocation.argv.first().map(String::as_str).unwrap_or_default();
        let builtin = BUILTINS.contains(&program) && invocation.environment.is_empty();
        if invocation.argv.is_empty() || (builtin && known) || program == "export" {
            if let Some(verdict) = self.assigned(invocation, program == "export") {
                return verdict;
            }
            if invocation.reads.is_empty() && invocation.writes.is_empty() {
                return passed(invocation, "a shell's own");
            }
            // Where its streams go is held against the rules; for what is no program, as if `echo` did it.
            let program = if super::programs::find(program).is_some() && builtin { program } else { "echo" };
            let argv = vec![program.to_owned()];
            let verdict =
                self.judge(&Invocation { argv, environment: Vec::new(), ..invocation.clone() }, Way::Open);
            return Verdict { shown: shown::blotted(&invocation.argv), ..verdict };
        }
        let verdict = self.judge(invocation, Way::Open);
        if known || verdict.cleared.is_none() {
            return verdict;
        }
        let why = "it has a variable, or a pattern of file names, whose value cannot be seen from here";
        self.unread(invocation.argv.clone(), why, verdict)
    }

    /// Variables that a line sets for good.
    fn assigned(&self, invocation: &Invocation, export: bool) -> Option<Verdict> {
        let words = invocation.argv.iter().skip(1).filter(|_| export).filter_map(|word| word.split_once('='));
        let all =
            invocation.environment.iter().map(|(name, value)| (name.as_str(), value.as_str())).chain(words);
        // A prompt that runs nothing is somebody's own taste.
        let plain = |name: &str, value: &str| {
            matches!(name, "PS1" | "PS2") && !value.contains("$(") && !value.contains('`')
        };
        let mut all = all.filter(|(name, value)| !plain(name, value));
        let why = all.find_map(|(name, value)| self.refuses_variable(name, value))?;
        let orders = why.contains("orders");
        (orders || self.lists()).then(|| Verdict {
            cleared: None,
            rule: "environment".to_owned(),
            why,
            once: Some(Once::new(invocation.argv.clone())),
            ..passed(invocation, "")
        })
    }

    fn guessed(
        &self,
        text: &str,
        commands: &[Vec<String>],
        why: &str,
        directory: Option<&str>,
    ) -> Vec<Verdict> {
        let shown = vec![shown::text(text)];
        for argv in commands.iter().filter(|argv| !argv.is_empty()) {
            let invocation = Invocation {
                argv: argv.clone(),
                directory: directory.map(str::to_owned),
                ..Invocation::default()
            };
            let verdict = self.judge(&invocation, Way::Open);
            if verdict.cleared.is_none()
                && (verdict.rule.starts_with("deny") || verdict.rule == "protected paths")
            {
                return vec![Verdict { shown, ..verdict }];
            }
        }
        let nothing = passed(&Invocation::default(), "unread");
        vec![Verdict { shown, ..self.unread(vec![text.to_owned()], why, nothing) }]
    }

    /// What cannot be known: refused where there is a list of what may run, passed where there is none.
    fn unread(&self, words: Vec<String>, why: &str, verdict: Verdict) -> Verdict {
        if self.lists() {
            return Verdict {
                cleared: None,
                rule: "not known".to_owned(),
                why: why.to_owned(),
                instead: Some(
                    "type it out, one command after the other, without variables, functions or substitutions"
                        .to_owned(),
                ),
                once: None,
                shown: shown::blotted(&words),
                ..verdict
            };
        }
        Verdict { rule: "unread".to_owned(), cleared: Some(super::Cleared::new(words)), ..verdict }
    }
}

fn passed(invocation: &Invocation, rule: &str) -> Verdict {
    Verdict {
        cleared: Some(super::Cleared::new(invocation.argv.clone())),
        rule: rule.to_owned(),
        why: String::new(),
        instead: None,
        assurance: Assurance::Guardrail {
            because: "in the container's own shell the typed line is read from the screen".to_owned(),
        },
        shown: shown::blotted(&invocation.argv),
        once: None,
    }
}
