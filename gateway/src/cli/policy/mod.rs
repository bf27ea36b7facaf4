//! `sallyport policy`: policies as code, without a cluster. `check` reads them as the gateway would, `test` runs the
//! cases that stand beside them, `explain` says rule by rule what would become of a request, `try` what of a
//! command line, `diff` says who gains and who loses what. What they say holds for the files; what else the cluster has in force, they do not know.

mod attempt;
mod cases;
mod check;
mod diff;
mod explain;
mod files;
mod given;
mod outcome;
mod replay;
mod trial;

use std::io::{self, IsTerminal, Write};
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Subcommand, ValueEnum};

/// What can be done with policies in files.
#[derive(Debug, Subcommand)]
pub(crate) enum Policy {
    /// Read the policies in files or directories as the gateway would, and say what is wrong with them
    Check {
        /// Files, or directories with YAML and JSON files
        #[arg(required = true, value_name = "PATH")]
        paths: Vec<PathBuf>,
        /// List the command rules, and whether each is a boundary or a guardrail
        #[arg(short, long)]
        verbose: bool,
        #[arg(short, long, value_enum, default_value_t)]
        output: Output,
    },
    /// Run the cases that stand beside the policies, and say which rules no case reaches
    Test {
        /// Files, or directories with YAML and JSON files
        #[arg(required = true, value_name = "PATH")]
        paths: Vec<PathBuf>,
        /// Fail when fewer rules than this are reached, in percent
        #[arg(long, value_name = "PERCENT", value_parser = clap::value_parser!(u8).range(0..=100))]
        min_coverage: Option<u8>,
        /// Show every case, not only those that fail
        #[arg(short, long)]
        verbose: bool,
        #[arg(short, long, value_enum, default_value_t)]
        output: Output,
    },
    /// Say rule by rule whether a request would be allowed, denied or wait
    Explain(Box<explain::Explain>),
    /// Compare two sets of policies: who gains and who loses what
    Diff {
        /// Files or a directory: as it is
        old: PathBuf,
        /// Files or a directory: as it shall be
        new: PathBuf,
        #[arg(short, long, value_enum, default_value_t)]
        output: Output,
    },
    Try(Box<attempt::Try>),
    Replay(Box<replay::Replay>),
    /// Print the JSON Schema of policies, of CommandSets, or of policies' cases, for editors
    Schema {
        /// Of what
        #[arg(value_enum, default_value_t)]
        of: SchemaOf,
    },
}

/// How an answer is written.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum Output {
    /// For people
    #[default]
    Text,
    /// For programs
    Json,
}

/// What a schema describes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum SchemaOf {
    /// AccessPolicy
    #[default]
    Policy,
    /// CommandSet
    Set,
    /// AccessPolicyTest
    Test,
}

impl Policy {
    /// 0: all is well; 1: something is wrong with the policies; 64: with the command line.
    pub(crate) fn run(self) -> ExitCode {
        match self {
            Self::Check { paths, verbose, output } => check::run(&paths, verbose, output),
            Self::Test { paths, min_coverage, verbose, output } => {
                trial::run(&paths, min_coverage, verbose, output)
            }
            Self::Explain(explain) => explain.run(),
            Self::Diff { old, new, output } => diff::run(&old, &new, output),
            Self::Try(line) => line.run(),
            Self::Replay(replay) => replay.run(),
            Self::Schema { of } => {
                let schema = match of {
                    SchemaOf::Policy => crate::crd::files::schema(),
                    SchemaOf::Set => crate::crd::files::set_schema(),
                    SchemaOf::Test => cases::schema(),
                };
                json(&schema);
                ExitCode::SUCCESS
            }
        }
    }
}

/// One value as JSON on standard output; a reader who went away is no error worth a message.
fn json(value: &impl serde::Serialize) {
    if let Ok(text) = serde_json::to_string_pretty(value) {
        say(&text);
    }
}

fn say(line: &str) {
    let _ = writeln!(io::stdout().lock(), "{line}");
}

fn complain(line: &str) {
    let _ = writeln!(io::stderr().lock(), "{line}");
}

/// A word in a colour, on terminals only and never where `NO_COLOR` is set.
fn coloured(code: &str, word: &str) -> String {
    let colours = io::stdout().is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|set| set.is_empty());
    if colours { format!("\x1b[{code}m{word}\x1b[0m") } else { word.to_owned() }
}

#[cfg(test)]
mod tests;
