//! From a parsed step to what would run: words expanded, globs matched against the container, every command judged. Nothing
//! has been run for the person when this is done but what lists directories and follows links.

use std::ops::Range;

use sallyport_policy::commands::{Cleared, Commands, Invocation, Verdict};
use sallyport_policy::line::{
    self, Field, LineError, MOST_WORDS, RedirectTo, Redirection, Simple, Step, Stream, Word,
};

use super::builtins::{NOT_THERE, OWN};
use super::container::Container;
use super::opened::File;
use super::pipeline::{Sink, Source};
use super::state::State;
use super::{links, names};

/// One command, ready.
#[derive(Debug, Clone)]
pub(super) struct Planned {
    /// Empty where there are only assignments.
    pub(super) argv: Vec<String>,
    /// `NAME=value` before it.
    pub(super) assignments: Vec<(String, String)>,
    /// What the rules let run; `None` for what the shell does itself.
    pub(super) cleared: Option<Cleared>,
    pub(super) verdict: Option<Verdict>,
    pub(super) invocation: Invocation,
    pub(super) input: Source,
    pub(super) output: Sink,
    pub(super) errors: Sink,
    /// What its redirections open, from left to right.
    pub(super) files: Vec<File>,
}

/// Why a step does not run.
#[derive(Debug)]
pub(super) enum Refused {
    /// It cannot be known what it would do.
    Line(LineError),
    /// The rules say no to this command of it.
    Rule { at: Range<usize>, planned: Box<Planned>, verdict: Box<Verdict> },
}

impl From<LineError> for Refused {
    fn from(error: LineError) -> Self {
        Self::Line(error)
    }
}

/// What the shell itself does, and refuses.
pub(super) fn is_builtin(program: &str) -> bool {
    OWN.contains(&program) || NOT_THERE.contains(&program)
}

/// What is said to `> file` alone.
pub(super) const NO_FILE_ALONE: &str = "a redirection needs a command: write `printf '' > FILE`";

/// A command of a pipeline that is none.
pub(super) fn no_command(simple: &Simple) -> LineError {
    wrong(&simple.span, "there is no command here")
}

/// What the shell does itself is no part of a pipeline of `count`, is given no variables, and its output goes nowhere else.
pub(super) fn stands_alone(program: &str, simple: &Simple, count: usize) -> Result<(), LineError> {
    if count == 1 && simple.redirections.is_empty() && simple.assignments.is_empty() {
        return Ok(());
    }
    Err(wrong(&simple.span, format!("`{program}` is done by this shell itself: it stands alone")))
}

pub(super) fn wrong(at: &Range<usize>, problem: impl Into<String>) -> LineError {
    LineError { at: at.clone(), problem: problem.into(), unfinished: false }
}

/// Plans one step.
pub(super) async fn plan<C: Container>(
    container: &C,
    commands: &Commands,
    state: &mut State,
    step: &Step,
) -> Result<Vec<Planned>, Refused> {
    let count = step.pipeline.commands.len();
    let mut all = Vec::with_capacity(count);
    for (index, simple) in step.pipeline.commands.iter().enumerate() {
        let last = index + 1 == count;
        let mut planned = expand(container, state, simple, index > 0, last).await?;
        let Some(program) = planned.argv.first() else {
            if count > 1 {
                return Err(no_command(simple).into());
            }
            all.push(planned);
            continue;
        };
        if is_builtin(program) {
            stands_alone(program, simple, count)?;
            all.push(planned);
            continue;
        }
        let verdict = match links::judge(container, commands, state, &planned.invocation).await {
            Ok(verdict) => verdict,
            Err(why) => return Err(wrong(&simple.span, why).into()),
        };
        match verdict.cleared.clone() {
            Some(cleared) => {
                planned.cleared = Some(cleared);
                planned.verdict = Some(verdict);
                all.push(planned);
            }
            None => {
                return Err(Refused::Rule {
                    at: simple.span.clone(),
                    planned: Box::new(planned),
                    verdict: Box::new(verdict),
                });
            }
        }
    }
    Ok(all)
}

/// Words to arguments, redirections to streams.
async fn expand<C: Container>(
    container: &C,
    state: &State,
    simple: &Simple,
    piped: bool,
    last: bool,
) -> Result<Planned, LineError> {
    let mut argv = Vec::new();
    for field in line::expand(&simple.words, state)? {
        match field.glob() {
            None => argv.push(field.text()),
            Some(_) => argv.extend(matches(container, state, &field, &simple.span).await?),
        }
        if argv.len() > MOST_WORDS {
            return Err(wrong(&simple.span, format!("the line becomes more than {MOST_WORDS} words")));
        }
    }
    let mut assignments = Vec::new();
    for (name, word) in &simple.assignments {
        assignments.push((name.clone(), line::expand_one(word, state)?));
    }
    let mut planned = Planned {
        argv,
        assignments,
        cleared: None,
        verdict: None,
        invocation: Invocation::default(),
        input: if piped { Source::Previous } else { Source::Nothing },
        output: if last { Sink::Screen } else { Sink::Next },
        errors: Sink::Errors,
        files: Vec::new(),
    };
    for redirection in &simple.redirections {
        redirect(state, redirection, &mut planned)?;
    }
    planned.invocation = Invocation {
        argv: planned.argv.clone(),
        environment: state.exported_with(&planned.assignments),
        directory: state.directory.clone(),
        reads: paths(&planned.files, |file| matches!(file, File::Read(_))),
        writes: paths(&planned.files, |file| matches!(file, File::Write { .. })),
        piped,
        terminal: false,
    };
    Ok(planned)
}

fn paths(files: &[File], which: fn(&File) -> bool) -> Vec<String> {
    files.iter().filter(|file| which(file)).map(|file| file.path().to_owned()).collect()
}

fn redirect(state: &State, redirection: &Redirection, planned: &mut Planned) -> Result<(), LineError> {
    let absolute = |word: &Word| -> Result<String, LineError> {
        let path = line::expand_target(word, state)?;
        match path.as_str() {
            "" => Err(wrong(&word.span, "the file of this redirection has no name")),
            path => Ok(state.absolute(path)),
        }
    };
    let sink = match &redirection.to {
        RedirectTo::Read(word) => {
            let path = absolute(word)?;
            planned.input = if path == "/dev/null" {
                Source::Empty
            } else {
                planned.files.push(File::Read(path));
                Source::File(planned.files.len() - 1)
            };
            return Ok(());
        }
        RedirectTo::Write(word) | RedirectTo::Append(word) => {
            let (path, append) = (absolute(word)?, matches!(redirection.to, RedirectTo::Append(_)));
            if path == "/dev/null" {
                Sink::Nowhere
            } else {
                planned.files.push(File::Write { path, append });
                Sink::File(planned.files.len() - 1)
            }
        }
        RedirectTo::Same(Stream::Output) => planned.output.clone(),
        RedirectTo::Same(Stream::Errors) => planned.errors.clone(),
        RedirectTo::Same(Stream::Input | Stream::Both) => {
            return Err(wrong(&redirection.span, "output cannot go there: write `2>&1` or `>&2`"));
        }
    };
    match redirection.stream {
        Stream::Output => planned.output = sink,
        Stream::Errors => planned.errors = sink,
        Stream::Both => (planned.output, planned.errors) = (sink.clone(), sink),
        Stream::Input => return Err(wrong(&redirection.span, "input cannot be written to")),
    }
    Ok(())
}

/// The names that a pattern matches; the pattern itself where none does.
async fn matches<C: Container>(
    container: &C,
    state: &State,
    field: &Field,
    at: &Range<usize>,
) -> Result<Vec<String>, LineError> {
    let Some(mut glob) = field.glob() else { return Ok(vec![field.text()]) };
    while let Some(wanted) = glob.wants().map(str::to_owned) {
        let names = names::list(container, &state.absolute(&wanted)).await.map_err(|why| wrong(at, why))?;
        glob.give(&names);
    }
    let found = glob.found().map_err(|error| wrong(at, error.to_string()))?;
    if found.iter().any(|name| name.contains(char::REPLACEMENT_CHARACTER)) {
        return Err(wrong(
            at,
            "a name that fits the pattern is not UTF-8 text: write out those that you mean",
        ));
    }
    Ok(if found.is_empty() { vec![field.text()] } else { found })
}
