//! The pod's side of a session as the pump sees it: a running command, or a log that only speaks.

use bytes::Bytes;
use futures::StreamExt as _;

use crate::bridge::{BridgeError, Exit, Output};
use crate::commands::guarded::{ShellInput, ShellOutput};
use crate::commands::open;
use crate::terminal::Size;

/// The pod reads no more.
#[derive(Debug, Clone, Copy)]
pub(in crate::ssh) struct Closed;

/// Towards the pod. All by reference: several parts of a session use it at a time.
pub(in crate::ssh) trait PodInput: Send + Sync {
    fn write(&self, bytes: Bytes) -> impl Future<Output = Result<(), Closed>> + Send;
    fn eof(&self) -> impl Future<Output = Result<(), Closed>> + Send;
    /// Whether [`PodInput::eof`] reaches the command.
    fn half_close(&self) -> bool;
    fn resize(&self, size: Size) -> impl Future<Output = Result<(), Closed>> + Send;
    fn hang_up(&self) -> impl Future<Output = ()> + Send;
    /// Whether Ctrl-C on the client's terminal ends it here, since no program reads it.
    fn ends_by_interrupt(&self) -> bool {
        false
    }
}

/// From the pod. `next` can be dropped and called again without loss.
pub(in crate::ssh) trait PodOutput: Send {
    fn next(&mut self) -> impl Future<Output = Option<Output>> + Send;
}

/// A process on a terminal or off it, and whatever reads along with one.
impl<T: open::Input> PodInput for T {
    async fn write(&self, bytes: Bytes) -> Result<(), Closed> {
        open::Input::write(self, bytes).await.map_err(|_| Closed)
    }

    async fn eof(&self) -> Result<(), Closed> {
        open::Input::eof(self).await.map_err(|_| Closed)
    }

    fn half_close(&self) -> bool {
        open::Input::half_close(self)
    }

    async fn resize(&self, size: Size) -> Result<(), Closed> {
        open::Input::resize(self, size).await.map_err(|_| Closed)
    }

    async fn hang_up(&self) {
        open::Input::hang_up(self).await;
    }
}

impl<T: open::Source> PodOutput for T {
    async fn next(&mut self) -> Option<Output> {
        open::Source::next(self).await
    }
}

impl PodInput for ShellInput {
    async fn write(&self, bytes: Bytes) -> Result<(), Closed> {
        if Self::write(self, bytes).await { Ok(()) } else { Err(Closed) }
    }

    async fn eof(&self) -> Result<(), Closed> {
        if Self::eof(self).await { Ok(()) } else { Err(Closed) }
    }

    fn half_close(&self) -> bool {
        true
    }

    async fn resize(&self, size: Size) -> Result<(), Closed> {
        Self::resize(self, size);
        Ok(())
    }

    async fn hang_up(&self) {
        Self::hang_up(self);
    }
}

impl PodOutput for ShellOutput {
    async fn next(&mut self) -> Option<Output> {
        Self::next(self).await
    }
}

/// Takes input and does nothing with it.
#[derive(Debug, Clone, Copy)]
pub(in crate::ssh) struct Quiet;

impl PodInput for Quiet {
    async fn write(&self, _bytes: Bytes) -> Result<(), Closed> {
        Ok(())
    }

    async fn eof(&self) -> Result<(), Closed> {
        Ok(())
    }

    fn half_close(&self) -> bool {
        true
    }

    async fn resize(&self, _size: Size) -> Result<(), Closed> {
        Ok(())
    }

    async fn hang_up(&self) {}

    fn ends_by_interrupt(&self) -> bool {
        true
    }
}

/// A log as output. `lines` says that it goes to a terminal, which needs a carriage return in each line.
pub(in crate::ssh) struct Stream<S> {
    pub(in crate::ssh) stream: S,
    pub(in crate::ssh) terminal: bool,
}

impl<S: futures::Stream<Item = Result<Bytes, BridgeError>> + Send + Unpin> PodOutput for Stream<S> {
    async fn next(&mut self) -> Option<Output> {
        Some(match self.stream.next().await {
            Some(Ok(bytes)) if self.terminal => Output::Stdout(super::client::with_returns(&bytes)),
            Some(Ok(bytes)) => Output::Stdout(bytes),
            Some(Err(error)) => {
                tracing::warn!(?error, "a log broke off");
                Output::Exit(Exit::Unknown { why: error.to_string() })
            }
            None => Output::Exit(Exit::Code(0)),
        })
    }
}
