//! An interactive shell: `bash` where the container has it, else `sh`.
//!
//! Normally one round trip: `sh` is started and replaces itself by `bash` if there is one. It is not a login shell:
//! `/etc/profile` of common images sets `PATH` anew and so loses what the image's own `PATH` had. A container without
//! `sh` costs a second try, with `bash`.

use bytes::Bytes;
use sallyport_policy::commands::{Cleared, Own};

use super::call::Caller;
use super::exec::{self, Exec, Output, Process};
use super::{Admitted, BridgeError, Exit};
use crate::terminal::Size;

/// The first thing a started shell writes: harmless at the beginning of a line, and it tells that the shell runs.
const STARTED: u8 = b'\r';
/// How long a shell may take to start.
const PATIENCE: std::time::Duration = std::time::Duration::from_secs(30);

/// Starts a shell; returns once it runs.
pub(super) async fn start(
    caller: &Caller,
    place: &Admitted,
    size: Size,
    term: &str,
) -> Result<Process, BridgeError> {
    for program in ["sh", "bash"] {
        let argv = vec![program.to_owned(), "-c".to_owned(), script(program, term)];
        let exec = Exec { command: Cleared::own(Own::Shell(argv)), tty: Some(size), stdin: true };
        let mut process = exec::start(caller, place, &exec).await?;
        let first = tokio::time::timeout(PATIENCE, process.output().next()).await;
        let first = first
            .map_err(|_| BridgeError::Slow { doing: "starting a shell", seconds: PATIENCE.as_secs() })?;
        match first {
            Some(Output::Stdout(bytes)) => {
                // Runtimes that say "not found" on the PTY instead of in the status go on to the next shell as well.
                let Some(rest) = started(&bytes) else {
                    if let Some(process) = said_something_else(process, bytes).await? {
                        return Ok(process);
                    }
                    continue;
                };
                process.output().put_back(rest);
                return Ok(process);
            }
            Some(Output::Exit(Exit::NotStarted { .. } | Exit::Code(126 | 127))) => {}
            Some(Output::Exit(exit)) => {
                let why = exit
                    .message()
                    .map_or_else(|| format!("it ended with status {}", exit.status()), str::to_owned);
                return Err(BridgeError::Target(format!(
                    "the shell in container `{}` did not start: {why}",
                    place.container()
                )));
            }
            Some(Output::Stderr(_)) | None => {
                let source = "output that a PTY does not have".into();
                return Err(BridgeError::Protocol { doing: "starting a shell", source });
            }
        }
    }
    Err(BridgeError::NoShell { container: place.container().to_string() })
}

fn started(bytes: &Bytes) -> Option<Bytes> {
    (bytes.first() == Some(&STARTED)).then(|| bytes.slice(1..))
}

/// Output that does not begin as ours does: either the runtime's complaint, with the end right behind it, or a shell
/// that talks first. `None` for the complaint.
async fn said_something_else(mut process: Process, bytes: Bytes) -> Result<Option<Process>, BridgeError> {
    let complaint =
        [&b"OCI runtime exec failed"[..], b"exec failed"].iter().any(|start| bytes.starts_with(start));
    if complaint {
        while let Some(output) = process.output().next().await {
            if let Output::Exit(Exit::Code(126 | 127) | Exit::NotStarted { .. }) = output {
                return Ok(None);
            }
        }
    }
    process.output().put_back(bytes);
    Ok(Some(process))
}

/// What the first shell does before it becomes the one that the person talks to.
fn script(program: &str, term: &str) -> String {
    let term = if fits(term) { term } else { "xterm" };
    let then = match program {
        "bash" => "exec bash",
        _ => "command -v bash >/dev/null 2>&1 && exec bash; exec sh",
    };
    format!("printf '\\r'; TERM={term}; export TERM; {then}")
}

/// Whether a terminal's name can stand in a script as it is (terminfo names are made of these).
fn fits(term: &str) -> bool {
    (1..=64).contains(&term.len()) && term.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_.+".contains(&b))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_terminal_name_cannot_become_a_command() {
        assert!(script("sh", "xterm-256color").contains("TERM=xterm-256color;"));
        for hostile in ["x;rm -rf /", "$(id)", "", "a b", "x\ny", &"x".repeat(65)] {
            assert!(script("sh", hostile).contains("TERM=xterm;"), "{hostile:?}");
        }
    }
}
