//! `sallyport policy try`: what command rules would say of a line, and by which rule.
//!
//! Where its guarantee ends: there is no container. Nothing is set before the line, no pattern of file names is resolved, and no
//! link is followed, which in a session may turn a yes into a no.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;
use sallyport_policy::Policy;
use sallyport_policy::commands::{Assurance, Commands, Invocation, ShellKind, Verdict, Way};
use sallyport_policy::line::Unset;
use serde::Serialize;

use super::{Output, coloured, complain, files, json, say};
use crate::commands::guarded::Past;

/// Say whether a line would run, by which rule, and what to type instead
#[derive(Debug, Args)]
pub(crate) struct Try {
    /// Files, or directories with YAML and JSON files
    #[arg(required = true, value_name = "PATH")]
    paths: Vec<PathBuf>,
    /// Only this policy
    #[arg(short, long)]
    policy: Option<String>,
    /// Where it is typed: the working directory in the container
    #[arg(short, long, value_name = "DIR", default_value = "/")]
    directory: String,
    /// As the one command of an `exec` instead of a line in a shell
    #[arg(long)]
    exec: bool,
    #[arg(short, long, value_enum, default_value_t)]
    output: Output,
    /// The line; quoted, or its `|`, `>` and `*` are your own shell's
    #[arg(required = true, last = true, value_name = "LINE")]
    line: Vec<String>,
}

/// What one policy says.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Said {
    policy: String,
    /// `exec`, `guarded` or `open`.
    way: &'static str,
    runs: bool,
    /// Why the line is none.
    #[serde(skip_serializing_if = "Option::is_none")]
    why: Option<String>,
    commands: Vec<One>,
}

/// What it says of one command.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct One {
    command: String,
    runs: bool,
    rule: String,
    /// `boundary`, or `guardrail` and why.
    assurance: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    why: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    instead: Option<String>,
}

impl Try {
    /// 0: it would run; 1: it would not, or files cannot be read.
    pub(super) fn run(self) -> ExitCode {
        let read = files::read(&self.paths);
        for problem in &read.problems {
            complain(&problem.to_string());
        }
        let named =
            |policy: &&Policy| self.policy.as_deref().is_none_or(|name| name == policy.name().as_str());
        let all: Vec<Said> = read.policies.iter().filter(named).map(|policy| self.said(policy)).collect();
        if all.is_empty() {
            complain("no such policy in these files");
            return ExitCode::FAILURE;
        }
        match self.output {
            Output::Json => json(&all),
            Output::Text => all.iter().for_each(Said::show),
        }
        let good = read.problems.is_empty() && all.iter().all(|said| said.runs);
        if good { ExitCode::SUCCESS } else { ExitCode::FAILURE }
    }

    fn said(&self, policy: &Policy) -> Said {
        let name = policy.name().to_string();
        let Some(commands) = policy.commands() else {
            let way = if self.exec { "exec" } else { "open" };
            let why = Some("it has no command rules: any command runs".to_owned());
            return Said { policy: name, way, runs: true, why, commands: Vec::new() };
        };
        let (way, verdicts) = match (self.exec, commands.shell()) {
            (true, _) => ("exec", self.words().map(|argv| vec![self.exec(commands, argv)])),
            (false, ShellKind::Guarded) => {
                let verdicts = Past::new(Some(&self.directory)).line(&self.line.join(" "), commands);
                ("guarded", verdicts.map_err(|error| error.to_string()))
            }
            (false, ShellKind::Open) => {
                let text = self.line.join(" ");
                ("open", Ok(commands.judge_text(&text, Some(&self.directory), &Unset)))
            }
        };
        match verdicts {
            Ok(verdicts) => Said {
                policy: name,
                way,
                runs: verdicts.iter().all(|verdict| verdict.cleared.is_some()),
                why: None,
                commands: verdicts.into_iter().map(One::of).collect(),
            },
            Err(why) => Said { policy: name, way, runs: false, why: Some(why), commands: Vec::new() },
        }
    }

    /// As the gateway gets them through `ssh`: one text, parted like a shell would.
    fn words(&self) -> Result<Vec<String>, String> {
        match self.line.as_slice() {
            [line] => shell_words::split(line).map_err(|_| "a quote in it has no end".to_owned()),
            words => Ok(words.to_vec()),
        }
    }

    fn exec(&self, commands: &Commands, argv: Vec<String>) -> Verdict {
        // An `exec` begins where its container does, which is not known before.
        commands.judge(&Invocation { argv, ..Invocation::default() }, Way::Exec)
    }
}

impl One {
    fn of(verdict: Verdict) -> Self {
        Self {
            command: shell_words::join(&verdict.shown),
            runs: verdict.cleared.is_some(),
            rule: verdict.rule,
            assurance: match verdict.assurance {
                Assurance::Boundary => "boundary".to_owned(),
                Assurance::Guardrail { because } => format!("guardrail: {because}"),
            },
            why: Some(verdict.why).filter(|why| !why.is_empty()),
            instead: verdict.instead,
        }
    }
}

impl Said {
    fn show(&self) {
        let outcome = if self.runs { coloured("32", "would run") } else { coloured("31", "refused") };
        let why = self.why.as_ref().map(|why| format!(": {why}")).unwrap_or_default();
        say(&format!("{} ({}): {outcome}{why}", self.policy, self.way));
        for one in &self.commands {
            let mark = if one.runs { coloured("32", "yes") } else { coloured("31", "no ") };
            let why = one.why.as_ref().map(|why| format!(": {why}")).unwrap_or_default();
            let instead = one.instead.as_ref().map(|text| format!("; {text}")).unwrap_or_default();
            say(&format!("  {mark}  {}  by {}{why}{instead} ({})", one.command, one.rule, one.assurance));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn policy(commands: &str) -> Policy {
        let text = format!(
            "apiVersion: sallyport.dev/v1alpha1\nkind: AccessPolicy\nmetadata: {{name: looks}}\nspec:\n  subjects: \
             {{groups: [oncall]}}\n  namespaces: [payments]\n  allow: {{shell: true, exec: true}}\n  clusterRole: view\n  \
             maxDuration: 1h\n  approval: {{required: 0}}\n{commands}"
        );
        let directory = tempfile::tempdir().unwrap();
        std::fs::write(directory.path().join("looks.yaml"), text).unwrap();
        let read = files::read(&[directory.path().to_owned()]);
        assert!(read.problems.is_empty(), "{:?}", read.problems);
        read.policies.first().cloned().unwrap()
    }

    fn said(commands: &str, exec: bool, line: &[&str]) -> Said {
        let line = line.iter().map(|&word| word.to_owned()).collect();
        let asked = Try {
            paths: Vec::new(),
            policy: None,
            directory: "/var/log".to_owned(),
            exec,
            output: Output::Text,
            line,
        };
        asked.said(&policy(commands))
    }

    const GUARDED: &str = "  commands: {sets: [observe]}\n";
    const OPEN: &str = "  commands: {shell: Open, sets: [observe]}\n";

    #[test]
    fn each_command_of_a_line_is_told_with_its_rule() {
        let said = said(GUARDED, false, &["cat app.log | rm x"]);
        assert_eq!((said.way, said.runs), ("guarded", false));
        let told: Vec<_> = said.commands.iter().map(|one| (one.rule.as_str(), one.runs)).collect();
        assert_eq!(told, [("observe: cat", true), ("no rule", false)]);
        assert!(said.commands[1].instead.is_some(), "{said:?}");
    }

    #[test]
    fn a_line_is_tried_in_the_shell_that_the_policy_opens() {
        let loops = ["for i in a; do ls; done"];
        let guarded = said(GUARDED, false, &loops);
        assert!(!guarded.runs && guarded.why.is_some_and(|why| why.contains("`for`")));
        let open = said(OPEN, false, &["ls"]);
        assert_eq!((open.way, open.runs), ("open", true));
        assert!(open.commands[0].assurance.starts_with("guardrail: "));
        let free = said("", false, &loops);
        assert!(free.runs && free.why.is_some());
    }

    #[test]
    fn words_that_are_not_quoted_are_one_line() {
        assert!(said(GUARDED, false, &["ls", "-la", "/var/log"]).runs);
        assert!(!said(GUARDED, false, &["rm", "-rf", "/tmp/x"]).runs);
    }

    #[test]
    fn the_command_of_an_exec_starts_where_nobody_knows() {
        assert!(said(GUARDED, true, &["cat /var/log/app.log"]).runs);
        assert!(said(GUARDED, true, &["cat", "/var/log/app.log"]).runs);
        assert!(!said(GUARDED, true, &["cat app.log"]).runs);
        assert!(!said(GUARDED, true, &["cat 'app.log"]).runs);
    }
}
