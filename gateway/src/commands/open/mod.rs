//! The guardrail of an open shell: the container's own shell on a PTY, the typed line read from the screen at Enter,
//! before Enter is passed on.
//!
//! [`guard`] puts it between a session and its process. A denied line is wiped and explained; what cannot be followed any
//! more is tolerated, flagged or fatal, as the policy says. What is typed without echo is never kept.
//!
//! Where no rules filter commands [`observe`] stands there: it holds nothing, says nothing, and puts on record what was typed;
//! and [`observe_piped`] where there is no terminal.
//!
//! Where its guarantee ends: it is no boundary. What a screen says is up to the container, and what a shell makes of a
//! line up to the shell. `docs/guardrail-gaps.md` lists what it misses.

mod blot;
mod driver;
mod filter;
mod judged;
mod keys;
mod observer;
mod picture;
mod piped;
mod programs;
mod prompts;
mod reader;
mod shared;
mod typed;
mod watcher;

#[cfg(test)]
mod tests;

use std::future::Future;

use bytes::Bytes;

use crate::bridge::{Output, ProcessInput, ProcessOutput};
use crate::terminal::Size;

pub use filter::{FilterInput, FilterOutput, guard};
pub use judged::replayed;
pub use observer::{ObservedInput, ObservedOutput, observe};
pub use piped::{PipedInput, PipedOutput, observe_piped};
pub use watcher::unfinished;

/// The rule's name where no rules filter what was typed.
pub const NO_RULES: &str = "no rules";
/// The same, where it was typed before there was a prompt: a shell took it, or the program that ran.
pub const AHEAD: &str = "typed ahead";
/// The rule's name of what is no command.
pub const TO_PROGRAM: &str = "input to a program";
/// The same, where it was sent to a shell without a terminal: the shell took it, or a program that it ran.
pub const PIPED: &str = "without a terminal";

/// The shell takes nothing any more, or the session is over: how, the output says.
#[derive(Debug, Clone, Copy, thiserror::Error)]
#[error("the shell reads no more")]
pub struct Closed;

/// Towards a process on a PTY.
pub trait Input: Send + Sync + 'static {
    /// Sends to it; waits while it does not read.
    fn write(&self, bytes: Bytes) -> impl Future<Output = Result<(), Closed>> + Send;
    /// Says that input is over.
    fn eof(&self) -> impl Future<Output = Result<(), Closed>> + Send;
    /// Whether that reaches it.
    fn half_close(&self) -> bool;
    /// Tells it its terminal's new size.
    fn resize(&self, size: Size) -> impl Future<Output = Result<(), Closed>> + Send;
    /// Ends the connection.
    fn hang_up(&self) -> impl Future<Output = ()> + Send;
}

/// From a process. `next` can be dropped and called again without loss.
pub trait Source: Send {
    /// What comes next; `None` after [`Output::Exit`].
    fn next(&mut self) -> impl Future<Output = Option<Output>> + Send;
}

impl Input for ProcessInput {
    async fn write(&self, bytes: Bytes) -> Result<(), Closed> {
        Self::write(self, bytes).await.map_err(|_| Closed)
    }

    async fn eof(&self) -> Result<(), Closed> {
        Self::eof(self).await.map_err(|_| Closed)
    }

    fn half_close(&self) -> bool {
        self.half_close_supported()
    }

    async fn resize(&self, size: Size) -> Result<(), Closed> {
        Self::resize(self, size).await.map_err(|_| Closed)
    }

    async fn hang_up(&self) {
        Self::hang_up(self).await;
    }
}

impl Source for ProcessOutput {
    async fn next(&mut self) -> Option<Output> {
        Self::next(self).await
    }
}

/// Runs a reader over arbitrary bytes, for a fuzzer: it must not panic, and must not keep more than its bounds.
#[doc(hidden)]
pub fn fuzz_reader(data: &[u8]) {
    reader::fuzz(data);
    watcher::fuzz(data);
}
