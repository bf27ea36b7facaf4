//! What we make of a line: written down for the file, and run as the guarded shell would, with programs that only say
//! how they were called.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use sallyport_policy::line::{
    Field, RedirectTo, Simple, Stream, Variables, When, Word, expand, expand_one, expand_target, parse,
};

use crate::corpus::written;

/// What is set, and what was typed.
pub(crate) struct Environment(pub(crate) BTreeMap<String, String>);

impl Variables for Environment {
    fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str)
    }
}

/// What a line means.
#[derive(Debug, Default)]
pub(crate) struct Meaning {
    /// All of it, as the file has it.
    pub(crate) written: String,
    /// How programs are called, where `fails` fails and all others succeed.
    pub(crate) called: Vec<Vec<String>>,
    /// The files that are then written to.
    pub(crate) files: Vec<String>,
}

/// Reads a line in a directory.
pub(crate) fn read(line: &str, mut environment: Environment, directory: &Path) -> Result<Meaning, String> {
    let script = parse(line).map_err(|error| error.problem)?;
    let mut meaning = Meaning::default();
    let mut failed = false;
    for (index, step) in script.steps.iter().enumerate() {
        let runs = match step.when {
            When::Always => true,
            When::Succeeded => !failed,
            When::Failed => failed,
        };
        meaning.written += match (index, step.when) {
            (0, _) => "",
            (_, When::Always) => " ; ",
            (_, When::Succeeded) => " && ",
            (_, When::Failed) => " || ",
        };
        meaning.written += if step.pipeline.negated { "! " } else { "" };
        let mut last = None;
        for (at, simple) in step.pipeline.commands.iter().enumerate() {
            meaning.written += if at > 0 { " | " } else { "" };
            last = command(simple, &mut environment, directory, runs, &mut meaning).map_err(|e| e.problem)?;
        }
        if runs {
            failed = (last.as_deref() == Some("fails")) != step.pipeline.negated;
        }
    }
    Ok(meaning)
}

/// Gives the program.
fn command(
    simple: &Simple,
    environment: &mut Environment,
    directory: &Path,
    runs: bool,
    meaning: &mut Meaning,
) -> Result<Option<String>, sallyport_policy::line::LineError> {
    // Words first, with what was set before: an assignment is for the program alone.
    let fields = expand(&simple.words, environment)?;
    let argv: Vec<String> = fields.iter().flat_map(|field| names(field, directory)).collect();
    let mut pieces = Vec::new();
    for (name, value) in &simple.assignments {
        let value = expand_one(value, environment)?;
        pieces.push(format!("{name}=«{}»", written(&value)));
        if argv.is_empty() {
            environment.0.insert(name.clone(), value);
        }
    }
    if !argv.is_empty() {
        pieces.push(argv.iter().map(|word| format!("«{}»", written(word))).collect());
    }
    for redirection in &simple.redirections {
        let stream = match redirection.stream {
            Stream::Input | Stream::Output => "",
            Stream::Errors => "2",
            Stream::Both => "&",
        };
        let file = |word: &Word| expand_target(word, environment);
        let (operator, target) = match &redirection.to {
            RedirectTo::Read(word) => ("<", format!("«{}»", written(&file(word)?))),
            RedirectTo::Write(word) => (">", format!("«{}»", written(&file(word)?))),
            RedirectTo::Append(word) => (">>", format!("«{}»", written(&file(word)?))),
            RedirectTo::Same(Stream::Errors) => (">&", "2".to_owned()),
            RedirectTo::Same(_) => (">&", "1".to_owned()),
        };
        if let (RedirectTo::Write(word) | RedirectTo::Append(word), true) = (&redirection.to, runs) {
            meaning.files.push(file(word)?);
        }
        pieces.push(format!("{stream}{operator}{target}"));
    }
    meaning.written += &pieces.join(" ");
    let program = argv.first().cloned();
    if runs && !argv.is_empty() {
        meaning.called.push(argv);
    }
    Ok(program)
}

/// What a field is once files are looked at.
fn names(field: &Field, directory: &Path) -> Vec<String> {
    let Some(mut glob) = field.glob() else { return vec![field.text()] };
    while let Some(wanted) = glob.wants() {
        let entries = fs::read_dir(directory.join(wanted)).into_iter().flatten().flatten();
        let names = entries.map(|entry| {
            (
                entry.file_name().to_string_lossy().into_owned(),
                fs::metadata(entry.path()).is_ok_and(|m| m.is_dir()),
            )
        });
        let names: Vec<(String, bool)> = names.collect();
        glob.give(&names);
    }
    let found = glob.found().expect("few files");
    if found.is_empty() { vec![field.text()] } else { found }
}
