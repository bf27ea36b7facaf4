//! `sallyport codes`: make sealed one-time codes, and look at a file of them. Both work offline.

use std::fs::{DirBuilder, OpenOptions};
use std::io::Write;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Subcommand;
use sallyport_policy::Namespace;
use secrecy::ExposeSecret;

use super::policy::Output;
use crate::codes::{Book, CodesError, Plan, make};
use crate::lobby::Reply;

/// What can be done with codes.
#[derive(Debug, Subcommand)]
pub(crate) enum Codes {
    /// Make codes: a sheet to print for each person, the file for the gateway, and a manifest for the cluster
    Make {
        /// Who: a YAML file with `people`, each with issuer, subject, username and groups
        #[arg(long, value_name = "FILE")]
        people: PathBuf,
        /// The codes of how many people it takes
        #[arg(long, value_name = "K")]
        need: usize,
        /// How many codes each person gets
        #[arg(long, value_name = "N")]
        count: usize,
        /// A new directory for the sheets and for codes.yaml
        #[arg(long, value_name = "DIR")]
        out: PathBuf,
        /// The namespace that the gateway runs in
        #[arg(long, default_value = "sallyport", value_parser = Namespace::parse)]
        namespace: Namespace,
    },
    /// Check a codes.yaml, and say what it holds; which codes are used is noted in the cluster
    Check {
        /// The file
        #[arg(value_name = "FILE")]
        file: PathBuf,
        #[arg(short, long, value_enum, default_value_t)]
        output: Output,
    },
}

#[derive(Debug, thiserror::Error)]
enum Failed {
    #[error(transparent)]
    Codes(#[from] CodesError),
    #[error("cannot write `{}`", .0.display())]
    Write(PathBuf, #[source] std::io::Error),
}

impl Codes {
    pub(super) fn run(self) -> ExitCode {
        let done = match self {
            Self::Make { people, need, count, out, namespace } => {
                write_all(&people, need, count, &out, namespace.as_str())
            }
            Self::Check { file, output } => check(&file, output),
        };
        match done {
            Ok(text) => super::print(&text),
            Err(error) => super::fail(&error),
        }
    }
}

fn write_all(
    people: &Path,
    need: usize,
    count: usize,
    out: &Path,
    namespace: &str,
) -> Result<String, Failed> {
    let made = make(Plan::load(people, need, count)?, namespace)?;
    // A new directory: nothing that was printed before is mixed with it.
    let wrong = |source| Failed::Write(out.to_owned(), source);
    DirBuilder::new().mode(0o700).create(out).map_err(wrong)?;
    for (number, sheet) in (1..).zip(&made.sheets) {
        // The number tells apart whose names differ only in what a file's name cannot say.
        let plain = |c: char| if c.is_ascii_alphanumeric() { c } else { '-' };
        let name: String = sheet.username.chars().take(64).map(plain).collect();
        write(&out.join(format!("sheet-{number:02}-{name}.txt")), sheet.text.expose_secret())?;
    }
    write(&out.join("codes.yaml"), &made.file)?;
    Ok(made.manifest)
}

fn write(path: &Path, text: &str) -> Result<(), Failed> {
    let wrong = |source| Failed::Write(path.to_owned(), source);
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path).map_err(wrong)?;
    file.write_all(text.as_bytes()).and_then(|()| file.sync_all()).map_err(wrong)
}

fn check(file: &Path, output: Output) -> Result<String, Failed> {
    let summary = Book::read(file)?.summary();
    Ok(match output {
        Output::Json => Reply::json(&summary).stdout,
        Output::Text => {
            let mut text = format!(
                "file {}, {} codes needed at once; used ones are noted in the ConfigMap `{}`\n",
                summary.id, summary.need, summary.object
            );
            for (username, codes) in &summary.people {
                text += &format!("{codes:>4} codes of {}\n", crate::terminal::clean(username));
            }
            text
        }
    })
}
