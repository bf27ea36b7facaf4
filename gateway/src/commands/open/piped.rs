//! An open shell without a terminal and without rules: what is sent to it is known by the byte, and each line is put on
//! record before it is passed on. Nothing is changed or said.
//!
//! Where its guarantee ends: whether the shell takes a line or a program that it runs, nobody can see. A line without an
//! end is on record when input is over, and only the beginning of one that is longer than any line may be.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use futures::future::BoxFuture;
use sallyport_policy::commands::Way;
use sallyport_policy::line::LONGEST_LINE;
use secrecy::zeroize::{Zeroize as _, Zeroizing};
use tokio::sync::Notify;

use super::judged::unruled;
use super::{Closed, Input, PIPED, Source};
use crate::bridge::{Exit, Output};
use crate::commands::{Desk, Note, Unrecorded};
use crate::terminal::Size;

/// The pod's side has this long to be hung up.
const HANG_UP: Duration = Duration::from_millis(300);
/// It cannot be recorded.
const UNRECORDED: u8 = 79;
const LAST_WORDS: &str = "sallyport: this session ends: what is sent cannot be put on record\n";
const TOO_LONG: &str = "a line was longer than is put on record, and only its beginning is";

/// Puts on record what is sent to a shell that has no terminal.
pub fn observe_piped<I: Input, O: Source, D: Desk>(
    input: I,
    output: O,
    desk: Arc<D>,
) -> (PipedInput<I, D>, PipedOutput<I, O, D>) {
    let both = Arc::new(Both {
        input,
        desk,
        lines: Mutex::default(),
        over: AtomicBool::new(false),
        ended: Notify::new(),
    });
    let output =
        PipedOutput { both: Arc::clone(&both), output, ready: VecDeque::new(), doing: None, done: false };
    (PipedInput { both }, output)
}

/// A line as it was sent.
struct Sent {
    text: Zeroizing<String>,
    /// It goes on, unread.
    cut: bool,
}

/// Finds lines in what comes in pieces.
struct Lines {
    part: Zeroizing<Vec<u8>>,
    /// The line is on record as far as it will be.
    skips: bool,
}

impl Default for Lines {
    fn default() -> Self {
        // Room from the beginning: growing leaves copies behind.
        Self { part: Zeroizing::new(Vec::with_capacity(LONGEST_LINE)), skips: false }
    }
}

impl Lines {
    /// The next line of what came, and what comes behind it; `None` when all of it has been looked at.
    fn next(&mut self, rest: &mut &[u8]) -> Option<Sent> {
        while !rest.is_empty() {
            let end = rest.iter().position(|byte| *byte == b'\n');
            let room = LONGEST_LINE - self.part.len();
            let most = end.unwrap_or(rest.len());
            let taken = if self.skips { most } else { most.min(room) };
            let (now, behind) = rest.split_at_checked(taken)?;
            if !self.skips {
                self.part.extend_from_slice(now);
            }
            *rest = behind;
            if end == Some(taken) {
                *rest = behind.get(1..).unwrap_or_default();
                if std::mem::take(&mut self.skips) {
                    continue;
                }
                return Some(self.line(false));
            }
            if !self.skips && !rest.is_empty() {
                self.skips = true;
                return Some(self.line(true));
            }
        }
        None
    }

    /// What has no end, when input is over.
    fn rest(&mut self) -> Option<Sent> {
        let some = !self.part.is_empty();
        some.then(|| self.line(false))
    }

    fn line(&mut self, cut: bool) -> Sent {
        let text = Zeroizing::new(String::from_utf8_lossy(&self.part).into_owned());
        self.part.zeroize();
        Sent { text, cut }
    }
}

struct Both<I, D> {
    input: I,
    desk: Arc<D>,
    /// Locked for a moment only: nobody writes to a disk meanwhile.
    lines: Mutex<Lines>,
    /// It cannot be recorded.
    over: AtomicBool,
    ended: Notify,
}

impl<I: Input, D: Desk> Both<I, D> {
    fn lines(&self) -> MutexGuard<'_, Lines> {
        self.lines.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn note(&self, sent: Sent) -> Result<(), Unrecorded> {
        if !sent.text.trim().is_empty() {
            let (line, verdict) = unruled(sent.text.trim_end(), PIPED);
            self.desk
                .note(Note { way: Way::Open, line, directory: None, verdict, approved_by: None, own: false })
                .await?;
        }
        if sent.cut { self.desk.remark(&format!("lost track: {TOO_LONG}")).await } else { Ok(()) }
    }

    /// Puts on record the lines of what came. Whether that worked; where not, the shell is hung up.
    async fn record(&self, bytes: &[u8]) -> Result<(), Closed> {
        let mut rest = bytes;
        loop {
            let Some(sent) = self.lines().next(&mut rest) else { return Ok(()) };
            if self.note(sent).await.is_err() {
                return self.end().await;
            }
        }
    }

    /// The same of a line without an end.
    async fn finish(&self) -> Result<(), Closed> {
        let Some(sent) = self.lines().rest() else { return Ok(()) };
        if self.note(sent).await.is_err() { self.end().await } else { Ok(()) }
    }

    async fn end(&self) -> Result<(), Closed> {
        self.over.store(true, Ordering::Relaxed);
        self.ended.notify_one();
        let _ = tokio::time::timeout(HANG_UP, self.input.hang_up()).await;
        Err(Closed)
    }
}

/// Towards the shell.
pub struct PipedInput<I, D> {
    both: Arc<Both<I, D>>,
}

impl<I, D> std::fmt::Debug for PipedInput<I, D> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("PipedInput").finish_non_exhaustive()
    }
}

impl<I: Input, D: Desk> Input for PipedInput<I, D> {
    /// Passes on what was sent, once its lines are on record.
    async fn write(&self, bytes: Bytes) -> Result<(), Closed> {
        if self.both.over.load(Ordering::Relaxed) {
            return Err(Closed);
        }
        self.both.record(&bytes).await?;
        self.both.input.write(bytes).await
    }

    /// Says that input is over; a line without an end is one to the shell, too.
    async fn eof(&self) -> Result<(), Closed> {
        self.both.finish().await?;
        self.both.input.eof().await
    }

    /// Whether [`PipedInput::eof`] reaches the shell.
    fn half_close(&self) -> bool {
        self.both.input.half_close()
    }

    /// There is no terminal.
    async fn resize(&self, size: Size) -> Result<(), Closed> {
        self.both.input.resize(size).await
    }

    /// Ends the shell's connection now, and then puts on record what it takes for a line.
    async fn hang_up(&self) {
        self.both.input.hang_up().await;
        let _ = self.both.finish().await;
    }
}

/// From the shell.
pub struct PipedOutput<I, O, D> {
    both: Arc<Both<I, D>>,
    output: O,
    /// The end, which is told once all is on record.
    ready: VecDeque<Output>,
    /// Something that is being put on record; kept, so that `next` can be dropped at any time.
    doing: Option<BoxFuture<'static, ()>>,
    done: bool,
}

impl<I, O, D> std::fmt::Debug for PipedOutput<I, O, D> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("PipedOutput").finish_non_exhaustive()
    }
}

impl<I: Input, O: Source, D: Desk> Source for PipedOutput<I, O, D> {
    /// What comes next. `None` after [`Output::Exit`]. Can be dropped and called again without loss.
    async fn next(&mut self) -> Option<Output> {
        loop {
            if let Some(doing) = &mut self.doing {
                doing.await;
                self.doing = None;
                if self.both.over.load(Ordering::Relaxed) {
                    self.unrecorded();
                }
            }
            if let Some(ready) = self.ready.pop_front() {
                return Some(ready);
            }
            if self.done {
                return None;
            }
            tokio::select! {
                biased;
                () = self.both.ended.notified() => self.unrecorded(),
                next = self.output.next() => match next {
                    Some(Output::Exit(_)) | None => {
                        self.done = true;
                        self.ready.extend(next);
                        let both = Arc::clone(&self.both);
                        self.doing = Some(Box::pin(async move {
                            // Where it fails, it is over, and that is asked then.
                            let _ = both.finish().await;
                        }));
                    }
                    shown => return shown,
                },
            }
        }
    }
}

impl<I, O, D> PipedOutput<I, O, D> {
    fn unrecorded(&mut self) {
        self.ready.clear();
        self.ready.push_back(Output::Stderr(Bytes::from_static(LAST_WORDS.as_bytes())));
        self.ready.push_back(Output::Exit(Exit::Code(UNRECORDED)));
        self.done = true;
    }
}

#[cfg(test)]
mod tests;
