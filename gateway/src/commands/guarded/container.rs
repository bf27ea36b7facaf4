//! The container as the guarded shell sees it: a place where cleared commands are started, and nothing else.

use std::sync::Arc;

use bytes::Bytes;
use sallyport_policy::commands::Cleared;

use crate::bridge::{Admitted, Bridge, BridgeError, Exec, Exit, Output, ProcessInput, ProcessOutput};
use crate::terminal::Size;

/// Where commands run.
pub trait Container: Send + Sync + 'static {
    /// Towards a command.
    type Input: Input;
    /// From a command.
    type Output: Running;

    /// Starts a command.
    fn start(
        &self,
        command: Cleared,
        tty: Option<Size>,
        stdin: bool,
    ) -> impl Future<Output = Result<(Self::Input, Self::Output), BridgeError>> + Send;
}

/// A running command's standard input and PTY. Errors mean that it reads no more.
pub trait Input: Send + Sync + 'static {
    /// Waits while the command does not read. `false`: it reads no more.
    fn write(&self, bytes: Bytes) -> impl Future<Output = bool> + Send;
    /// Its input is over.
    fn eof(&self) -> impl Future<Output = ()> + Send;
    /// Whether [`Input::eof`] reaches it.
    fn half_close(&self) -> bool;
    /// Its PTY's new size.
    fn resize(&self, size: Size) -> impl Future<Output = ()> + Send;
    /// Ends the connection to it.
    fn hang_up(&self) -> impl Future<Output = ()> + Send;
}

/// What a running command says. Can be dropped and called again without loss.
pub trait Running: Send + 'static {
    /// What comes next; `None` after its exit.
    fn next(&mut self) -> impl Future<Output = Option<Output>> + Send;
}

/// A container of a pod.
#[derive(Clone)]
pub struct InPod {
    bridge: Bridge,
    place: Arc<Admitted>,
}

impl std::fmt::Debug for InPod {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("InPod").finish_non_exhaustive()
    }
}

impl InPod {
    /// The container that a session was admitted to.
    #[must_use]
    pub const fn new(bridge: Bridge, place: Arc<Admitted>) -> Self {
        Self { bridge, place }
    }
}

impl Container for InPod {
    type Input = ProcessInput;
    type Output = ProcessOutput;

    async fn start(
        &self,
        command: Cleared,
        tty: Option<Size>,
        stdin: bool,
    ) -> Result<(ProcessInput, ProcessOutput), BridgeError> {
        Ok(self.bridge.exec(&self.place, Exec { command, tty, stdin }).await?.split())
    }
}

impl Input for ProcessInput {
    async fn write(&self, bytes: Bytes) -> bool {
        Self::write(self, bytes).await.is_ok()
    }

    async fn eof(&self) {
        let _ = Self::eof(self).await;
    }

    fn half_close(&self) -> bool {
        self.half_close_supported()
    }

    async fn resize(&self, size: Size) {
        let _ = Self::resize(self, size).await;
    }

    async fn hang_up(&self) {
        Self::hang_up(self).await;
    }
}

impl Running for ProcessOutput {
    async fn next(&mut self) -> Option<Output> {
        Self::next(self).await
    }
}

/// What a short command of the gateway's own said.
#[derive(Debug)]
pub(super) struct Said {
    pub(super) exit: Exit,
    pub(super) out: Vec<u8>,
    /// The beginning of its errors.
    pub(super) errors: Vec<u8>,
    /// There was more than is read.
    pub(super) cut: bool,
}

impl Said {
    pub(super) const fn worked(&self) -> bool {
        matches!(self.exit, Exit::Code(0))
    }

    /// Whether the container lacks the program.
    pub(super) const fn is_missing(&self) -> bool {
        matches!(self.exit, Exit::NotStarted { .. } | Exit::Code(126 | 127))
    }
}

/// The most that is read of such a command.
const MOST: usize = 1024 * 1024;
const MOST_ERRORS: usize = 4 * 1024;
/// How long it may take.
const PATIENCE: std::time::Duration = std::time::Duration::from_secs(10);

/// Runs a short command of the gateway's own and takes what it says. What is too long or too slow counts as not having
/// worked.
pub(super) async fn ask<C: Container>(container: &C, command: Cleared) -> Result<Said, BridgeError> {
    let (input, mut output) = container.start(command, None, false).await?;
    let (mut out, mut errors, mut cut) = (Vec::new(), Vec::new(), false);
    let read = async {
        while let Some(next) = output.next().await {
            match next {
                Output::Stdout(bytes) if out.len() + bytes.len() > MOST => {
                    cut = true;
                    return None;
                }
                Output::Stdout(bytes) => out.extend_from_slice(&bytes),
                Output::Stderr(bytes) => {
                    errors.extend(bytes.iter().take(MOST_ERRORS.saturating_sub(errors.len())));
                }
                Output::Exit(exit) => return Some(exit),
            }
        }
        None
    };
    let exit = tokio::time::timeout(PATIENCE, read).await.ok().flatten();
    if exit.is_none() {
        input.hang_up().await;
    }
    let slow = || Exit::Unknown { why: "it took too long, or said too much".to_owned() };
    Ok(Said { exit: exit.unwrap_or_else(slow), out, errors, cut })
}
