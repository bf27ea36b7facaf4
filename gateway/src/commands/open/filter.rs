//! The two halves of a guarded open shell, for the two directions of a session.
//!
//! The halves never wait for each other: input at a line's end is held by a task of its own, so resizing, hanging up and
//! output go on meanwhile.

use std::sync::Arc;

use bytes::Bytes;
use futures::future::BoxFuture;
use sallyport_policy::commands::Commands;
use tokio::task::AbortHandle;

use super::driver::Driver;
use super::judged::Judge;
use super::reader::{Next, Reader};
use super::shared::Shared;
use super::{Closed, Input, Source};
use crate::bridge::{Exit, Output};
use crate::commands::Desk;
use crate::terminal::Size;

/// Puts the guardrail between a session and the shell in its container. `rules` is what to type to see the rules. Must be
/// called within a runtime.
pub fn guard<I: Input, O: Source, D: Desk>(
    input: I,
    output: O,
    size: Size,
    commands: Arc<Commands>,
    rules: &str,
    desk: Arc<D>,
) -> (FilterInput<I>, FilterOutput<I, O, D>) {
    guard_with(input, output, size, commands, rules, desk)
}

/// The same, whoever judges.
pub(super) fn guard_with<I: Input, O: Source, D: Desk>(
    input: I,
    output: O,
    size: Size,
    commands: Arc<dyn Judge>,
    rules: &str,
    desk: Arc<D>,
) -> (FilterInput<I>, FilterOutput<I, O, D>) {
    let shared = Arc::new(Shared::new(input, Reader::new(size)));
    shared.say(&format!(
        "what you type here is read from the screen and checked when you press Enter: a guardrail against mistakes, \
         not a boundary; commands are on record; `{rules}` shows the rules"
    ));
    let driver =
        || Driver { shared: Arc::clone(&shared), desk: Arc::clone(&desk), commands: Arc::clone(&commands) };
    let task = tokio::spawn(driver().run()).abort_handle();
    let input = FilterInput { shared: Arc::clone(&shared), task };
    let output =
        FilterOutput { shared: Arc::clone(&shared), output, desk, commands, doing: None, done: false };
    (input, output)
}

/// Towards the shell.
pub struct FilterInput<I: Input> {
    shared: Arc<Shared<I>>,
    task: AbortHandle,
}

impl<I: Input> std::fmt::Debug for FilterInput<I> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("FilterInput").finish_non_exhaustive()
    }
}

impl<I: Input> Drop for FilterInput<I> {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl<I: Input> Input for FilterInput<I> {
    /// Takes what the person typed. Returns at once, except while the shell does not read or very much is pasted.
    async fn write(&self, mut bytes: Bytes) -> Result<(), Closed> {
        while !bytes.is_empty() {
            let drained = self.shared.drained.notified();
            tokio::pin!(drained);
            drained.as_mut().enable();
            let direct = {
                let mut state = self.shared.state();
                if state.over.is_some() || state.closed {
                    return Err(Closed);
                }
                let room = state.reader.room().min(bytes.len());
                let free = !state.busy && state.handed.is_none() && state.reader.idle();
                state.reader.input(&bytes.split_to(room));
                if state.reader.gave_up() {
                    self.shared.gave_up.notify_one();
                }
                if free {
                    match state.reader.poll(self.shared.now()) {
                        Next::Pass(out) => {
                            state.busy = true;
                            Some(out)
                        }
                        other => {
                            state.handed = Some(other).filter(|next| matches!(next, Next::Line(_)));
                            None
                        }
                    }
                } else {
                    None
                }
            };
            match direct {
                Some(out) => self.shared.send(out).await?,
                None => self.shared.work.notify_one(),
            }
            if !bytes.is_empty() {
                drained.await;
            }
        }
        Ok(())
    }

    /// Says that input is over, once all of it has been passed on.
    async fn eof(&self) -> Result<(), Closed> {
        loop {
            let drained = self.shared.drained.notified();
            tokio::pin!(drained);
            drained.as_mut().enable();
            {
                let state = self.shared.state();
                if state.over.is_some() || state.closed {
                    return Err(Closed);
                }
                if state.reader.idle() && !state.busy {
                    break;
                }
            }
            drained.await;
        }
        self.shared.input.eof().await
    }

    /// Whether [`FilterInput::eof`] reaches the shell.
    fn half_close(&self) -> bool {
        self.shared.input.half_close()
    }

    /// Tells the shell its terminal's new size. Never waits for a line.
    async fn resize(&self, size: Size) -> Result<(), Closed> {
        self.shared.state().reader.resize(size);
        self.shared.input.resize(size).await
    }

    /// Ends the shell's connection now. Never waits for a line.
    async fn hang_up(&self) {
        self.shared.input.hang_up().await;
    }
}

/// From the shell.
pub struct FilterOutput<I: Input, O, D> {
    shared: Arc<Shared<I>>,
    output: O,
    desk: Arc<D>,
    commands: Arc<dyn Judge>,
    /// Something that is being put on record; kept, so that `next` can be dropped at any time.
    doing: Option<BoxFuture<'static, ()>>,
    done: bool,
}

impl<I: Input, O, D> std::fmt::Debug for FilterOutput<I, O, D> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("FilterOutput").finish_non_exhaustive()
    }
}

impl<I: Input, O: Source, D: Desk> Source for FilterOutput<I, O, D> {
    /// What comes next: the shell's output and the gateway's own words, in order. `None` after [`Output::Exit`]. Can be
    /// dropped and called again without loss.
    async fn next(&mut self) -> Option<Output> {
        loop {
            if let Some(words) = self.shared.word() {
                return Some(Output::Stdout(words));
            }
            if self.done {
                return None;
            }
            if let Some(doing) = &mut self.doing {
                doing.await;
                self.doing = None;
                continue;
            }
            let (over, notice) = {
                let mut state = self.shared.state();
                (state.over, state.reader.next_notice())
            };
            if let Some(notice) = notice {
                self.doing = Some(Box::pin(self.driver().noticed(notice)));
                continue;
            }
            if let Some(status) = over {
                self.done = true;
                return Some(Output::Exit(Exit::Code(status)));
            }
            let next = tokio::select! {
                biased;
                () = self.shared.spoken.notified() => continue,
                next = self.output.next() => next,
            };
            match next {
                Some(Output::Stdout(bytes)) => {
                    let waits = {
                        let mut state = self.shared.state();
                        state.reader.output(&bytes, self.shared.now());
                        !state.reader.idle()
                    };
                    if waits {
                        self.shared.work.notify_one();
                    }
                    return Some(Output::Stdout(bytes));
                }
                Some(Output::Exit(exit)) => {
                    self.done = true;
                    return Some(Output::Exit(exit));
                }
                other => return other,
            }
        }
    }
}

impl<I: Input, O: Source, D: Desk> FilterOutput<I, O, D> {
    fn driver(&self) -> Driver<I, D> {
        Driver {
            shared: Arc::clone(&self.shared),
            desk: Arc::clone(&self.desk),
            commands: Arc::clone(&self.commands),
        }
    }
}
