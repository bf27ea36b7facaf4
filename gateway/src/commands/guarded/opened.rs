//! Redirections, opened from left to right before their command starts; where one cannot be, it does not start.
//!
//! A file to be read is open when `cat` has begun to say what is in it. A file to be written is made or emptied by a `tee`
//! of its own, which costs one exec more; what the command says is then added to it. Where it ends: whoever reads a named
//! pipe that is written to sees that first `tee` come and go.

use sallyport_policy::commands::{Cleared, Own};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use super::container::{Container, Input, Running, ask};
use super::pipeline::{INTERRUPTED, Shown};
use crate::bridge::{Exit, Output};

/// What a shell says of a command whose redirection failed.
const FAILED: u8 = 1;
/// As much is read of why it did.
const MOST: usize = 4 * 1024;

/// A file that a redirection opens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum File {
    Read(String),
    Write { path: String, append: bool },
}

impl File {
    pub(super) fn path(&self) -> &str {
        match self {
            Self::Read(path) | Self::Write { path, .. } => path,
        }
    }
}

/// A file that is being read.
pub(super) struct Reading<C: Container> {
    pub(super) input: C::Input,
    pub(super) output: C::Output,
    /// What came first: it is open.
    pub(super) first: Output,
}

/// Opens all of them; the one at `wanted` is read on.
///
/// # Errors
/// The command's status, when the person has been told why.
pub(super) async fn open<C: Container>(
    container: &C,
    files: &[File],
    wanted: Option<usize>,
    shown: &mpsc::Sender<Shown>,
    interrupt: &CancellationToken,
) -> Result<Option<Reading<C>>, u8> {
    let mut reading: Option<Reading<C>> = None;
    for (index, file) in files.iter().enumerate() {
        let opened = tokio::select! {
            opened = one(container, file) => opened,
            () = interrupt.cancelled() => Err(None),
        };
        match opened {
            Ok(Some(read)) if wanted == Some(index) => reading = Some(read),
            // A later one takes its place.
            Ok(Some(read)) => read.input.hang_up().await,
            Ok(None) => {}
            Err(why) => {
                if let Some(reading) = reading {
                    reading.input.hang_up().await;
                }
                let Some(why) = why else { return Err(INTERRUPTED) };
                let _ = shown.send(Shown::Word(why)).await;
                return Err(FAILED);
            }
        }
    }
    Ok(reading)
}

async fn one<C: Container>(container: &C, file: &File) -> Result<Option<Reading<C>>, Option<String>> {
    match file {
        File::Read(path) => read(container, path).await.map(Some).map_err(Some),
        File::Write { path, append } => write(container, path, *append).await.map(|()| None).map_err(Some),
    }
}

async fn write<C: Container>(container: &C, path: &str, append: bool) -> Result<(), String> {
    let own = Own::Write { path: path.to_owned(), append };
    let said = ask(container, Cleared::own(own)).await.map_err(|error| format!("{path}: {error}"))?;
    if said.worked() { Ok(()) } else { Err(why(path, "tee", &said.exit, &said.errors)) }
}

async fn read<C: Container>(container: &C, path: &str) -> Result<Reading<C>, String> {
    let own = Cleared::own(Own::Read(path.to_owned()));
    let (input, mut output) =
        container.start(own, None, false).await.map_err(|error| format!("{path}: {error}"))?;
    let mut errors = Vec::new();
    let exit = loop {
        match output.next().await {
            Some(Output::Stderr(bytes)) => {
                errors.extend(bytes.iter().take(MOST.saturating_sub(errors.len())));
            }
            // Frames without anything in them are the protocol's affair.
            Some(Output::Stdout(bytes)) if bytes.is_empty() => {}
            Some(first @ (Output::Stdout(_) | Output::Exit(Exit::Code(0)))) => {
                return Ok(Reading { input, output, first });
            }
            Some(Output::Exit(exit)) => break exit,
            None => break Exit::Code(FAILED),
        }
    };
    input.hang_up().await;
    Err(why(path, "cat", &exit, &errors))
}

/// Why a file cannot be opened, in the words of who tried.
fn why(path: &str, program: &str, exit: &Exit, errors: &[u8]) -> String {
    if matches!(exit, Exit::NotStarted { .. } | Exit::Code(126 | 127)) {
        return format!("{path}: this container has no `{program}`, which redirections need");
    }
    let said = String::from_utf8_lossy(errors);
    let first = said.lines().next().unwrap_or_default().trim();
    let first = first.split_once(": ").filter(|(who, _)| *who == program).map_or(first, |(_, what)| what);
    match (first, exit.message()) {
        ("", Some(message)) => format!("{path}: {message}"),
        ("", None) => format!("{path}: it cannot be opened"),
        (first, _) => first.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_reason_is_told_without_who_found_it() {
        let told = |said: &str| why("/x", "cat", &Exit::Code(1), said.as_bytes());
        assert_eq!(told("cat: /x: No such file or directory\n"), "/x: No such file or directory");
        assert_eq!(
            told("cat: can't open '/x': Permission denied\nmore"),
            "can't open '/x': Permission denied"
        );
        assert_eq!(told("odd: thing"), "odd: thing");
        assert_eq!(told(""), "/x: it cannot be opened");
        let unknown = Exit::Unknown { why: "the connection broke".to_owned() };
        assert_eq!(why("/x", "tee", &unknown, b""), "/x: the connection broke");
        assert!(why("/x", "tee", &Exit::Code(127), b"").contains("no `tee`"));
    }
}
