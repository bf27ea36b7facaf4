//! `sallyport policy replay`: runs the command rules of proposed policies over what past sessions ran, and shows what
//! would have been refused, or let pass, that was not then.
//!
//! What is judged is what is on record: the commands of exec and of guarded shells word by word, everything expanded, with
//! what the shell had exported; those of open shells as they were read from the screen. Lines that no rules decided about
//! then are judged whole, by what the proposed policy's shell would say of them: a guarded one follows what the session's
//! own lines set and where they went, as one would that was used instead; an open one knows of no variables, and says so.
//! Redirections (of the others), `NAME=value` before a command and what was blotted out as a secret are not on record; what
//! the guarded shell did itself (`cd`, `export`) no rule judges, then or now; shells without a list are counted and not
//! judged, and neither is what was typed into programs.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Args;
use jiff::Timestamp;
use sallyport_policy::commands::{Commands, Invocation, ShellKind, Verdict, Way};
use sallyport_policy::{Policy, did_you_mean};
use serde::Serialize;

use super::{Output, coloured, complain, files, json, say};
use crate::commands::THE_SHELL;
use crate::commands::guarded::Past;
use crate::commands::open::{self, AHEAD, NO_RULES, PIPED, TO_PROGRAM};
use crate::record::{CommandLine, CommandOutcome, Session, SessionKind};

mod piped;

/// The longest file that is read.
const LONGEST_FILE: u64 = 64 * 1024 * 1024;
/// How deep directories are walked: recordings lie in one per day.
const DEEPEST: usize = 4;

/// Run proposed command rules over past sessions, and show what would have come out otherwise
#[derive(Debug, Args)]
pub(crate) struct Replay {
    /// The directory with recordings
    #[arg(long, value_name = "DIR")]
    recordings: PathBuf,
    /// Files, or directories with YAML and JSON files: the proposed policies
    #[arg(required = true, value_name = "PATH")]
    paths: Vec<PathBuf>,
    /// Judge all sessions by this policy, instead of each by the one of the name that it ran under
    #[arg(long, value_name = "NAME")]
    policy: Option<String>,
    /// Only sessions from this moment on, such as 2026-11-01T00:00:00Z
    #[arg(long, value_name = "TIME")]
    since: Option<Timestamp>,
    /// Fail when something that ran would be refused
    #[arg(long)]
    fail: bool,
    #[arg(short, long, value_enum, default_value_t)]
    output: Output,
}

#[derive(Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
struct Report {
    /// Sessions that were looked at.
    sessions: usize,
    /// Commands that were judged.
    commands: usize,
    /// Shells that have no list of commands.
    unlisted: usize,
    /// Sessions whose policy is not among those given, or has no command rules.
    without_rules: usize,
    /// What cannot be read.
    problems: Vec<String>,
    /// What ran and would be refused.
    refused: Vec<Change>,
    /// What was refused and would run.
    allowed: Vec<Change>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Change {
    at: Timestamp,
    person: String,
    session: String,
    policy: String,
    place: String,
    way: String,
    command: String,
    rule: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    why: String,
}

impl Replay {
    /// 0: looked through; 1: policies or recordings cannot be read, or `--fail` and something would be refused.
    pub(super) fn run(self) -> ExitCode {
        let read = files::read(&self.paths);
        for problem in &read.problems {
            complain(&problem.to_string());
        }
        if !read.problems.is_empty() || read.policies.is_empty() {
            complain("no replay: the policies cannot be used as they are");
            return ExitCode::FAILURE;
        }
        let policies: BTreeMap<String, Policy> =
            read.policies.into_iter().map(|one| (one.name().to_string(), one)).collect();
        if let Some(name) = self.policy.as_ref().filter(|name| !policies.contains_key(*name)) {
            let names: Vec<_> = policies.keys().map(String::as_str).collect();
            let near = did_you_mean(name, names.iter().copied());
            complain(&format!("no policy `{name}` there{near}; there are {}", names.join(", ")));
            return ExitCode::FAILURE;
        }
        let mut sessions = Vec::new();
        if let Err(error) = find(&self.recordings, 0, &mut sessions) {
            complain(&format!("{}: {error}", self.recordings.display()));
            return ExitCode::FAILURE;
        }
        sessions.sort();
        let mut report = Report::default();
        for path in sessions {
            if let Err(problem) = self.session(&path, &policies, &mut report) {
                report.problems.push(format!("{}: {problem}", path.display()));
            }
        }
        let fails = !report.problems.is_empty() || (self.fail && !report.refused.is_empty());
        match self.output {
            Output::Json => json(&report),
            Output::Text => show(&report),
        }
        if fails { ExitCode::FAILURE } else { ExitCode::SUCCESS }
    }

    fn session(
        &self,
        path: &Path,
        policies: &BTreeMap<String, Policy>,
        report: &mut Report,
    ) -> Result<(), String> {
        let session: Session = serde_json::from_slice(&bounded(path)?).map_err(|error| error.to_string())?;
        if !matches!(session.kind, SessionKind::Shell | SessionKind::Exec)
            || self.since.is_some_and(|since| session.started < since)
        {
            return Ok(());
        }
        report.sessions += 1;
        let name = self.policy.as_ref().unwrap_or(&session.policy);
        let Some(commands) = policies.get(name).and_then(Policy::commands) else {
            report.without_rules += 1;
            return Ok(());
        };
        let listed = path.with_extension("commands");
        let lines = match listed.exists() {
            true => listed_in(&listed)?,
            // An exec without rules has its command in its metadata.
            false => match &session.command {
                Some(argv) => vec![unlisted(&session, argv)],
                None => {
                    report.unlisted += 1;
                    return Ok(());
                }
            },
        };
        let mut past = Past::new(None);
        for line in piped::whole(lines) {
            let ran = line.outcome != CommandOutcome::Refused;
            for verdict in judged(commands, &session, &line, &mut past) {
                report.commands += 1;
                let list = match (ran, verdict.refused) {
                    (true, true) => &mut report.refused,
                    (false, false) => &mut report.allowed,
                    _ => continue,
                };
                list.push(Change {
                    at: line.at,
                    person: session.person.username.clone(),
                    session: session.id.clone(),
                    policy: name.clone(),
                    place: format!("{}/{}", session.namespace, session.pod.as_deref().unwrap_or("-")),
                    way: line.way.clone(),
                    command: crate::terminal::clean(&verdict.command),
                    rule: verdict.rule,
                    why: verdict.why,
                });
            }
        }
        Ok(())
    }
}

/// What the proposed rules say of a command.
struct Judged {
    refused: bool,
    command: String,
    rule: String,
    why: String,
}

impl Judged {
    fn new(verdict: Verdict, command: String) -> Self {
        Self { refused: verdict.cleared.is_none(), command, rule: verdict.rule, why: verdict.why }
    }
}

fn judged(commands: &Commands, session: &Session, line: &CommandLine, past: &mut Past) -> Vec<Judged> {
    let way = match line.way.as_str() {
        "guarded" => Way::Guarded,
        "open" => Way::Open,
        _ => Way::Exec,
    };
    if way == Way::Open && matches!(line.rule.as_str(), NO_RULES | AHEAD | PIPED) {
        let verdicts = match commands.shell() {
            ShellKind::Open => open::replayed(commands, &line.line),
            ShellKind::Guarded => {
                let judged = past.line(&line.line, commands);
                if line.rule == AHEAD {
                    // A program may have taken it.
                    past.doubt(&line.line);
                }
                match judged {
                    Ok(verdicts) => verdicts,
                    Err(error) => {
                        let (command, why) = (line.line.clone(), error.to_string());
                        return vec![Judged { refused: true, command, rule: "grammar".to_owned(), why }];
                    }
                }
            }
        };
        // One text that stands for itself could not be read word by word.
        let command = |verdict: &Verdict| match verdict.shown.as_slice() {
            [] => line.line.clone(),
            [text] => text.clone(),
            words => shell_words::join(words),
        };
        return verdicts
            .into_iter()
            .map(|one| {
                let command = command(&one);
                Judged::new(one, command)
            })
            .collect();
    }
    // What the guarded shell does itself is no rule's affair, before or after. What its variables stood for is in the words
    // of each later command, and where it ran beside them; what it exported is followed.
    if line.outcome == CommandOutcome::Own {
        past.did(&line.argv);
    }
    if line.argv.is_empty() || matches!(line.rule.as_str(), TO_PROGRAM | THE_SHELL) {
        return Vec::new();
    }
    let invocation = Invocation {
        argv: line.argv.clone(),
        directory: line.directory.clone(),
        environment: if way == Way::Guarded { past.exported() } else { Vec::new() },
        terminal: session.terminal.is_some(),
        ..Invocation::default()
    };
    let verdict = commands.judge(&invocation, way);
    let command = shell_words::join(&verdict.shown);
    vec![Judged::new(verdict, command)]
}

fn unlisted(session: &Session, argv: &[String]) -> CommandLine {
    CommandLine {
        at: session.started,
        way: "exec".to_owned(),
        line: String::new(),
        argv: argv.to_vec(),
        directory: None,
        outcome: CommandOutcome::Allowed,
        rule: String::new(),
        assurance: String::new(),
        why: None,
        approved_by: None,
    }
}

fn listed_in(path: &Path) -> Result<Vec<CommandLine>, String> {
    let text = bounded(path)?;
    let lines = text.split(|byte| *byte == b'\n').filter(|line| !line.is_empty());
    lines
        .map(serde_json::from_slice)
        .collect::<Result<Vec<CommandLine>, _>>()
        .map_err(|error| format!("{}: {error}", path.display()))
}

fn bounded(path: &Path) -> Result<Vec<u8>, String> {
    let length = std::fs::metadata(path).map_err(|error| error.to_string())?.len();
    if length > LONGEST_FILE {
        return Err("the file is too long".to_owned());
    }
    std::fs::read(path).map_err(|error| error.to_string())
}

/// The metadata files below a directory.
fn find(path: &Path, depth: usize, found: &mut Vec<PathBuf>) -> Result<(), String> {
    for entry in std::fs::read_dir(path).map_err(|error| error.to_string())? {
        let entry = entry.map_err(|error| error.to_string())?.path();
        if entry.is_dir() {
            // What is in `open` is being recorded now.
            if depth < DEEPEST && entry.file_name().is_none_or(|name| name != "open") {
                find(&entry, depth + 1, found)?;
            }
        } else if entry.extension().is_some_and(|end| end == "json") {
            found.push(entry);
        }
    }
    Ok(())
}

fn show(report: &Report) {
    for problem in &report.problems {
        complain(problem);
    }
    let lists = [("refused", "31", &report.refused), ("allowed", "32", &report.allowed)];
    for (word, colour, list) in lists {
        for change in list {
            let why = Some(change.why.as_str()).filter(|why| !why.is_empty());
            say(&format!(
                "{} {} {} in {} ({}, `{}`): {} — {}{}",
                coloured(colour, word),
                change.at.strftime("%Y-%m-%d %H:%M:%SZ"),
                change.person,
                change.place,
                change.way,
                change.policy,
                change.command,
                change.rule,
                why.map(|why| format!(": {why}")).unwrap_or_default(),
            ));
        }
    }
    say(&format!(
        "{} sessions, {} commands: {} that ran would be refused, {} that were refused would run",
        report.sessions,
        report.commands,
        report.refused.len(),
        report.allowed.len()
    ));
    if report.unlisted > 0 {
        let why = "nothing was typed there, or they had no terminal, were not recorded or are older than such lists";
        say(&format!("{} shells have no list of commands and were not judged: {why}", report.unlisted));
    }
    if report.without_rules > 0 {
        say(&format!(
            "{} sessions ran under policies that have no command rules here (`--policy NAME` judges all by one)",
            report.without_rules
        ));
    }
}

#[cfg(test)]
mod tests;
