//! From a parsed step to what would run: words expanded, globs matched against the container, every command judged. Nothing
//! has been run for the person when this is done but what lists directories and follows links.

use std::ops::Range;

use futures::future::join_all;
use sallyport_policy::commands::{Cleared, Commands, Invocation, Own, Verdict, Way};
use sallyport_policy::line::{
    self, Field, LineError, MOST_WORDS, RedirectTo, Redirection, Simple, Step, Stream, Word,
};

use super::container::{Container, ask};
use super::pipeline::{Sink, Source};
use super::state::State;

/// How many paths of a line are followed through links.
const MOST_PATHS: usize = 16;

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
    pub(super) files: Vec<(String, bool)>,
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
    super::builtins::NAMES.contains(&program)
}

fn wrong(at: &Range<usize>, problem: impl Into<String>) -> LineError {
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
                return Err(wrong(&simple.span, "there is no command here").into());
            }
            all.push(planned);
            continue;
        };
        if is_builtin(program) {
            let redirected = !simple.redirections.is_empty() || !planned.assignments.is_empty();
            if count > 1 || redirected {
                let text = format!("`{program}` is done by this shell itself: it stands alone");
                return Err(wrong(&simple.span, text).into());
            }
            all.push(planned);
            continue;
        }
        let verdict = judge(container, commands, state, &planned.invocation).await;
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

/// What the rules say, about the words and about where their paths lead.
async fn judge<C: Container>(
    container: &C,
    commands: &Commands,
    state: &mut State,
    invocation: &Invocation,
) -> Verdict {
    let verdict = commands.judge(invocation, Way::Guarded);
    if verdict.cleared.is_none() {
        return verdict;
    }
    // What would run may be written otherwise than what was typed: with `..` resolved, for one.
    let runs = verdict.cleared.as_ref().map(|cleared| cleared.argv()).unwrap_or_default();
    let program = invocation.argv.first();
    let start = runs.iter().position(|word| Some(word) == program).unwrap_or(0);
    let argv = runs.get(start..).map(<[String]>::to_vec).unwrap_or_default();
    let invocation = &Invocation { argv, ..invocation.clone() };
    match led(container, state, invocation).await {
        Some(resolved) => {
            let behind = commands.judge(&resolved, Way::Guarded);
            if behind.cleared.is_some() { verdict } else { behind }
        }
        None => verdict,
    }
}

/// The same command with its paths as the container's links lead; `None` where nothing differs or nothing can be told.
async fn led<C: Container>(container: &C, state: &mut State, invocation: &Invocation) -> Option<Invocation> {
    if state.resolves == Some(false) {
        return None;
    }
    let directory = state.directory.clone().unwrap_or_else(|| "/".to_owned());
    let absolute = |word: &str| match word.starts_with('/') {
        true => word.to_owned(),
        false => format!("{}/{word}", directory.trim_end_matches('/')),
    };
    // Whatever may be a path: a word, or what stands behind `=` in one.
    let value = |word: &str| {
        let (_, value) = word.split_once('=').filter(|_| word.starts_with('-')).unwrap_or(("", word));
        (!value.starts_with('-') && !value.is_empty()).then(|| value.to_owned())
    };
    let mut paths: Vec<String> = Vec::new();
    let words = invocation.argv.iter().skip(1).filter_map(|word| value(word));
    let files = invocation.reads.iter().chain(&invocation.writes).cloned();
    for path in words.chain(files) {
        if path.len() <= 4096 && !paths.contains(&path) && paths.len() < MOST_PATHS {
            paths.push(path);
        }
    }
    if paths.is_empty() {
        return None;
    }
    let asked = paths.iter().map(|path| ask(container, Cleared::own(Own::Resolve(absolute(path)))));
    let said = join_all(asked).await;
    let mut leads = Vec::new();
    for (path, said) in paths.iter().zip(said) {
        let Ok(said) = said else { continue };
        if said.is_missing() {
            state.resolves = Some(false);
            return None;
        }
        state.resolves = Some(true);
        // A path that leads nowhere is none, or does not exist yet.
        let Some(text) = said.worked().then(|| String::from_utf8(said.out).ok()).flatten() else { continue };
        let lead = text.strip_suffix('\n').unwrap_or(&text).to_owned();
        if lead.starts_with('/') && lead != absolute(path) {
            leads.push((path.clone(), lead));
        }
    }
    if leads.is_empty() {
        return None;
    }
    let swap = |word: &String| {
        let bare = value(word);
        let lead = leads.iter().find(|(path, _)| Some(path) == bare.as_ref());
        match lead {
            Some((path, lead)) => format!("{}{lead}", word.strip_suffix(path.as_str()).unwrap_or_default()),
            None => word.clone(),
        }
    };
    let program = invocation.argv.iter().take(1).cloned();
    Some(Invocation {
        argv: program.chain(invocation.argv.iter().skip(1).map(swap)).collect(),
        reads: invocation.reads.iter().map(swap).collect(),
        writes: invocation.writes.iter().map(swap).collect(),
        ..invocation.clone()
    })
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
    let mut environment = state.exported();
    for (name, value) in &planned.assignments {
        environment.retain(|(there, _)| there != name);
        environment.push((name.clone(), value.clone()));
    }
    planned.invocation = Invocation {
        argv: planned.argv.clone(),
        environment,
        directory: state.directory.clone(),
        reads: match &planned.input {
            Source::File(path) => vec![path.clone()],
            Source::Nothing | Source::Previous => Vec::new(),
        },
        writes: planned.files.iter().map(|(path, _)| path.clone()).collect(),
        piped,
        terminal: false,
    };
    Ok(planned)
}

fn redirect(state: &State, redirection: &Redirection, planned: &mut Planned) -> Result<(), LineError> {
    let absolute = |word: &Word| -> Result<String, LineError> {
        let path = line::expand_target(word, state)?;
        let directory = state.directory.as_deref().unwrap_or("/").trim_end_matches('/');
        match path.as_str() {
            "" => Err(wrong(&word.span, "the file of this redirection has no name")),
            path if path.starts_with('/') => Ok(path.to_owned()),
            path => Ok(format!("{directory}/{path}")),
        }
    };
    let sink = match &redirection.to {
        RedirectTo::Read(word) => {
            let path = absolute(word)?;
            planned.input = if path == "/dev/null" { Source::Nothing } else { Source::File(path) };
            return Ok(());
        }
        RedirectTo::Write(word) | RedirectTo::Append(word) => {
            let (path, append) = (absolute(word)?, matches!(redirection.to, RedirectTo::Append(_)));
            if path == "/dev/null" {
                Sink::Nowhere
            } else {
                planned.files.push((path, append));
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
    let directory = state.directory.as_deref().unwrap_or("/").trim_end_matches('/').to_owned();
    while let Some(wanted) = glob.wants().map(str::to_owned) {
        let path = match wanted.as_str() {
            "" => format!("{directory}/."),
            path if path.starts_with('/') => format!("{}/.", path.trim_end_matches('/')),
            path => format!("{directory}/{}/.", path.trim_end_matches('/')),
        };
        let listed = list(container, &path).await.map_err(|why| wrong(at, why))?;
        let names: Vec<_> = listed.into_iter().map(|name| (name, true)).collect();
        glob.give(&names);
    }
    let found = glob.found().map_err(|error| wrong(at, error.to_string()))?;
    Ok(if found.is_empty() { vec![field.text()] } else { found })
}

/// The names in a directory; none where it cannot be read.
///
/// # Errors
/// In words, where the container has no way to say.
pub(super) async fn list<C: Container>(container: &C, directory: &str) -> Result<Vec<String>, String> {
    let said = ask(container, Cleared::own(Own::List(directory.to_owned()))).await;
    let said = said.map_err(|error| format!("the names in `{directory}` cannot be listed: {error}"))?;
    if said.is_missing() {
        return Err(
            "this container has no `find`, so patterns and completion do not work in it: write names out"
                .to_owned(),
        );
    }
    let names = said.out.split(|byte| *byte == 0).filter_map(|path| {
        let path = std::str::from_utf8(path).ok()?;
        Some(path.rsplit_once('/').map_or(path, |(_, name)| name).to_owned())
    });
    Ok(names.filter(|name| !name.is_empty()).take(10_000).collect())
}
