//! A process started beside a container's first one: the kubelet's half of `kubectl exec`.

use std::io;
use std::process::Stdio;

use pty_process::{OwnedReadPty, OwnedWritePty, Size};
use tokio::io::AsyncRead;
use tokio::process::{Child, ChildStdin};

use super::image::StartError;
use super::process::Launch;

/// What to start and how; `PodExecOptions` of the Kubernetes API.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct ExecOptions {
    /// Program and arguments; no shell in between.
    pub(crate) argv: Vec<String>,
    /// A terminal for all three streams; stderr is then part of stdout.
    pub(crate) tty: bool,
    pub(crate) stdin: bool,
    pub(crate) stdout: bool,
    pub(crate) stderr: bool,
}

/// A stream of bytes out of a process.
pub(crate) type Output = Box<dyn AsyncRead + Send + Unpin>;

/// What goes into a process.
#[derive(Debug)]
pub(crate) enum Input {
    None,
    Pipe(ChildStdin),
    Tty(OwnedWritePty),
}

/// A process that was started. Dropping it closes its pipes or hangs up its terminal, and leaves it running.
pub(crate) struct Process {
    pub(crate) input: Input,
    pub(crate) stdout: Option<Output>,
    pub(crate) stderr: Option<Output>,
    pub(crate) child: Child,
}

/// A new terminal is of no size until the client says which, as on a real node.
pub(crate) fn resize(tty: &OwnedWritePty, rows: u16, columns: u16) {
    // It fails only when the terminal is gone, which its reader notices.
    let _ = tty.resize(Size::new(rows, columns));
}

/// Starts it.
pub(crate) fn start(launch: &Launch, options: &ExecOptions) -> Result<Process, StartError> {
    let failed = |error: io::Error| {
        StartError::Spawn(options.argv.first().cloned().unwrap_or_default(), error.to_string())
    };
    if options.tty {
        return start_tty(launch).map_err(|error| failed(io::Error::other(error)));
    }
    let piped = |wanted| if wanted { Stdio::piped() } else { Stdio::null() };
    let mut child = launch
        .detached()
        .stdin(piped(options.stdin))
        .stdout(piped(options.stdout))
        .stderr(piped(options.stderr))
        .spawn()
        .map_err(failed)?;
    Ok(Process {
        input: child.stdin.take().map_or(Input::None, Input::Pipe),
        stdout: child.stdout.take().map(|stream| Box::new(stream) as Output),
        stderr: child.stderr.take().map(|stream| Box::new(stream) as Output),
        child,
    })
}

fn start_tty(launch: &Launch) -> Result<Process, pty_process::Error> {
    let (pty, pts) = pty_process::open()?;
    let child = launch.for_tty().spawn(pts)?;
    let (output, input): (OwnedReadPty, OwnedWritePty) = pty.into_split();
    Ok(Process { input: Input::Tty(input), stdout: Some(Box::new(output)), stderr: None, child })
}
