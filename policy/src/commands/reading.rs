//! All commands that a command is: those within wrappers, those that find starts for what it finds, and, for forbids only,
//! those that can be made out within what is refused anyway.

use super::facts::{Facts, Stop};
use super::programs::{Operands, Starts};
use crate::line::{Part, Survey, survey};

/// What a command within a command has to pass.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Role {
    /// A wrapper that only changes how what it wraps runs: forbids.
    Free,
    /// Everything.
    Judged,
    /// Forbids: it can be made out, and whether it runs is not known.
    Glimpsed,
}

/// One of them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Layer {
    pub(crate) facts: Facts,
    pub(crate) role: Role,
}

/// A command, read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Reading {
    /// From the outside in; the last of the first chain is what redirections go with.
    pub(crate) layers: Vec<Layer>,
    /// Which of them runs with the redirections.
    pub(crate) main: usize,
    /// What wrappers set.
    pub(crate) sets: Vec<(String, String)>,
    /// In normal form.
    pub(crate) argv: Vec<String>,
    /// The same, closed.
    pub(crate) closed: Vec<String>,
    /// It cannot be known.
    pub(crate) unknowable: Option<Stop>,
}

/// Wrappers that need no rule of their own.
const FREE: [&str; 8] = ["env", "nice", "ionice", "timeout", "stdbuf", "time", "chrt", "taskset"];
/// Commands within commands, at most.
const MOST: usize = 32;

struct Todo {
    argv: Vec<String>,
    directory: Option<String>,
    role: Role,
    deep: bool,
}

/// Reads a command, with everything that is in it.
pub(crate) fn read(argv: &[String], directory: Option<&str>) -> Reading {
    let mut reading = Reading {
        layers: Vec::new(),
        main: 0,
        sets: Vec::new(),
        argv: Vec::new(),
        closed: Vec::new(),
        unknowable: None,
    };
    let mut todo: Vec<Todo> = Vec::new();
    let first = Todo {
        argv: argv.to_vec(),
        directory: directory.map(str::to_owned),
        role: Role::Judged,
        deep: false,
    };
    let (argv, closed) = reading.chain(first, &mut todo);
    reading.main = reading.layers.len().saturating_sub(1);
    (reading.argv, reading.closed) = (argv, closed);
    while let Some(next) = todo.pop() {
        if reading.layers.len() >= MOST {
            reading.stop("too many commands within each other", "type them one by one");
            break;
        }
        let (role, given) = (next.role, next.argv.clone());
        let (argv, closed) = reading.chain(next, &mut todo);
        // What is within another command's words stays as it was typed.
        if role == Role::Judged && (argv != given || closed != given) {
            reading.stop(
                "the command that find starts would have to be written differently",
                "write whole paths and flags, or `cat` instead of `less`",
            );
        }
    }
    reading
}

impl Reading {
    fn stop(&mut self, why: &str, instead: &str) {
        if self.unknowable.is_none() {
            self.unknowable = Some(Stop::new(why, instead));
        }
    }

    /// A command and what it wraps; its words in normal form, and closed.
    fn chain(&mut self, first: Todo, todo: &mut Vec<Todo>) -> (Vec<String>, Vec<String>) {
        let Todo { mut argv, mut directory, role, deep } = first;
        let (mut normal, mut closed) = (Vec::new(), Vec::new());
        loop {
            let mut facts = Facts::read(&argv, directory.as_deref(), deep);
            let wraps = facts.known.is_some_and(|known| known.program.starts == Starts::Operands);
            let inner = facts.inner.and_then(|at| facts.argv.split_at_checked(at));
            if role != Role::Glimpsed && self.unknowable.is_none() {
                self.unknowable.clone_from(&facts.unknowable);
            }
            for nested in std::mem::take(&mut facts.nested) {
                todo.push(Todo { argv: nested, directory: facts.directory.clone(), role, deep: true });
            }
            glimpse(&facts, todo);
            if let (true, Some((before, behind))) = (wraps && self.layers.len() < MOST, inner) {
                let (before, behind) = (before.to_vec(), behind.to_vec());
                normal.extend_from_slice(&before);
                closed.extend_from_slice(&before);
                self.sets.append(&mut facts.sets.clone());
                directory.clone_from(&facts.directory);
                let role = if role == Role::Judged && free(&facts) { Role::Free } else { role };
                self.layers.push(Layer { facts, role });
                argv = behind;
                continue;
            }
            normal.extend_from_slice(&facts.argv);
            let (before, behind) = facts.closed.unwrap_or((&[], &[]));
            closed.extend(before.iter().map(|word| (*word).to_owned()));
            closed.extend(facts.argv.first().cloned());
            closed.extend(behind.iter().map(|word| (*word).to_owned()));
            closed.extend(facts.argv.iter().skip(1).cloned());
            self.layers.push(Layer { facts, role });
            return (normal, closed);
        }
    }
}

/// Whether a wrapper needs no rule: nothing but how its command runs.
fn free(facts: &Facts) -> bool {
    let quiet = facts
        .seen
        .iter()
        .all(|seen| seen.flag.is_some_and(|flag| !flag.change && !flag.starts && !flag.writes));
    let reads = facts.touched.iter().all(|touched| touched.access == super::facts::Access::Read);
    // What an older timeout takes for the program is never one.
    let duration = facts.name != "timeout"
        || facts.operands.first().is_some_and(|time| {
            let number = time.trim_end_matches(['s', 'm', 'h', 'd']);
            time.len() - number.len() < 2
                && !number.is_empty()
                && number.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.')
        });
    FREE.contains(&facts.name.as_str()) && quiet && reads && duration
}

/// What can be made out within a program that starts others: `sudo COMMAND`, `sh -c TEXT`.
fn glimpse(facts: &Facts, todo: &mut Vec<Todo>) {
    if !facts.known.is_some_and(|known| matches!(known.program.starts, Starts::Always(_))) {
        return;
    }
    let mut push = |argv: Vec<String>| {
        if !argv.is_empty() && todo.len() < MOST {
            todo.push(Todo { argv, directory: facts.directory.clone(), role: Role::Glimpsed, deep: false });
        }
    };
    if let Some((_, inner)) = facts.inner.and_then(|at| facts.argv.split_at_checked(at)) {
        push(inner.to_vec());
        // `xargs COMMAND`, `watch COMMAND`: the same, as one text.
        if facts.known.is_some_and(|known| known.program.operands == Operands::Command) {
            within(&inner.join(" ")).into_iter().for_each(&mut push);
        }
    }
    for seen in facts.seen.iter().filter(|seen| seen.is("-c") || seen.is("--command")) {
        within(seen.value.as_deref().unwrap_or_default()).into_iter().for_each(&mut push);
    }
    if facts.name == "eval" || facts.name == "exec" || facts.name == "command" || facts.name == "builtin" {
        within(&facts.operands.join(" ")).into_iter().for_each(&mut push);
    }
}

/// Commands in a text for a shell.
fn within(text: &str) -> Vec<Vec<String>> {
    match survey(text) {
        Survey::Guessed { commands, .. } => commands,
        Survey::Known(script) => script
            .steps
            .iter()
            .flat_map(|step| &step.pipeline.commands)
            .map(|simple| {
                let literal = |part: &Part| match part {
                    Part::Text { text, .. } => text.clone(),
                    Part::Variable { name, .. } => format!("${name}"),
                    Part::Home => "~".to_owned(),
                };
                simple.words.iter().map(|word| word.parts.iter().map(literal).collect()).collect()
            })
            .collect(),
    }
}
