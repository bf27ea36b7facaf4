//! The two halves of an open shell without rules, for the two directions of a session.
//!
//! Keys pass first and are looked at afterwards, by the output half: nothing that reading or recording takes can delay them.
//! What was seen is on record before the output that showed it is passed on; where that fails the session ends.
//!
//! Where its guarantee ends: see [`super::watcher`].

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use futures::future::BoxFuture;
use sallyport_policy::commands::Way;
use secrecy::zeroize::Zeroizing;
use tokio::sync::Notify;
use tokio::time::Instant;

use super::blot::blotted;
use super::judged::unruled;
use super::watcher::{Seen, Watcher};
use super::{AHEAD, Closed, Input, NO_RULES, Source, TO_PROGRAM};
use crate::bridge::{Exit, Output};
use crate::commands::{Desk, Note, Unrecorded};
use crate::terminal::Size;

/// Keys that passed and wait for being looked at, in bytes: more come only while the person reads no output.
const MOST_KEYS: usize = 256 * 1024;
/// The pod's side has this long to be hung up.
const HANG_UP: Duration = Duration::from_millis(300);
/// It cannot be recorded.
const UNRECORDED: u8 = 79;
const LAST_WORDS: &str = "\r\nsallyport: this session ends: what is typed cannot be put on record\r\n";

/// Puts on record what is typed at a shell. Nothing is held, changed or said.
pub fn observe<I: Input, O: Source, D: Desk>(
    input: I,
    output: O,
    size: Size,
    desk: Arc<D>,
) -> (ObservedInput<I, D>, ObservedOutput<I, O, D>) {
    let both = Arc::new(Both {
        input,
        desk,
        began: Instant::now(),
        passed: Mutex::default(),
        watcher: Mutex::new(Watcher::new(size)),
        typed: Notify::new(),
        over: AtomicBool::new(false),
    });
    let output =
        ObservedOutput { both: Arc::clone(&both), output, ready: VecDeque::new(), doing: None, done: false };
    (ObservedInput { both }, output)
}

struct Both<I, D> {
    input: I,
    desk: Arc<D>,
    began: Instant,
    /// Locked for a moment only: nobody emulates a terminal or writes to a disk meanwhile.
    passed: Mutex<Passed>,
    watcher: Mutex<Watcher>,
    /// Keys have passed.
    typed: Notify,
    /// It cannot be recorded.
    over: AtomicBool,
}

/// Keys that passed and were not looked at yet.
#[derive(Default)]
struct Passed {
    keys: VecDeque<(Duration, Zeroizing<Vec<u8>>)>,
    bytes: usize,
    overrun: bool,
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl<I: Input, D: Desk> Both<I, D> {
    fn now(&self) -> Duration {
        self.began.elapsed()
    }

    /// Until a moment comes; for ever where there is none.
    async fn until(&self, moment: Option<Duration>) {
        match moment {
            Some(moment) => tokio::time::sleep_until(self.began + moment).await,
            None => std::future::pending().await,
        }
    }

    /// Looks at the keys that have passed; `then` comes after them.
    fn look<T>(&self, then: impl FnOnce(&mut Watcher) -> T) -> T {
        let mut watcher = locked(&self.watcher);
        let Passed { keys, overrun, .. } = std::mem::take(&mut *locked(&self.passed));
        for (at, keys) in keys {
            watcher.input(&keys, at);
        }
        if overrun {
            watcher.overrun();
        }
        then(&mut watcher)
    }

    /// Puts on record what was seen. Whether that worked; where not, the shell is hung up.
    async fn record(&self) -> bool {
        loop {
            let seen = locked(&self.watcher).seen().cloned();
            let Some(seen) = seen else { return true };
            if self.note(seen).await.is_err() {
                self.over.store(true, Ordering::Relaxed);
                let _ = tokio::time::timeout(HANG_UP, self.input.hang_up()).await;
                return false;
            }
            locked(&self.watcher).noted();
        }
    }

    async fn note(&self, seen: Seen) -> Result<(), Unrecorded> {
        let (text, rule) = match seen {
            Seen::Line(text) => (text, NO_RULES),
            Seen::Ahead(text) => (text, AHEAD),
            Seen::Program(text) => (text, TO_PROGRAM),
            Seen::Lost { why, shown } => {
                let shown = blotted(&shown);
                let text = if shown.is_empty() { why.to_owned() } else { format!("{why}: {shown}") };
                return self.desk.remark(&format!("lost track: {text}")).await;
            }
        };
        if text.trim().is_empty() {
            return Ok(());
        }
        let (line, verdict) = unruled(&text, rule);
        self.desk
            .note(Note { way: Way::Open, line, directory: None, verdict, approved_by: None, own: false })
            .await
    }
}

/// Towards the shell.
pub struct ObservedInput<I, D> {
    both: Arc<Both<I, D>>,
}

impl<I, D> std::fmt::Debug for ObservedInput<I, D> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ObservedInput").finish_non_exhaustive()
    }
}

#[cfg(test)]
impl<I, D> ObservedInput<I, D> {
    /// Keys that wait for being looked at.
    pub(super) fn waiting(&self) -> Vec<Zeroizing<Vec<u8>>> {
        locked(&self.both.passed).keys.iter().map(|(_, keys)| keys.clone()).collect()
    }

    /// Forgets sooner what is not shown.
    pub(super) fn keep(&self, time: Duration) {
        locked(&self.both.watcher).keep(time);
    }

    /// Keys of lines that have ended and were not shown.
    pub(super) fn known(&self) -> Vec<String> {
        locked(&self.both.watcher).known()
    }
}

impl<I: Input, D: Desk> Input for ObservedInput<I, D> {
    /// Passes on what the person typed.
    async fn write(&self, bytes: Bytes) -> Result<(), Closed> {
        if self.both.over.load(Ordering::Relaxed) {
            return Err(Closed);
        }
        // Before they pass: their echo must not be looked at first.
        {
            let at = self.both.now();
            let mut passed = locked(&self.both.passed);
            if passed.bytes + bytes.len() <= MOST_KEYS {
                passed.bytes += bytes.len();
                // A copy of our own, since it may be a password: what passes is not ours to wipe.
                passed.keys.push_back((at, Zeroizing::new(bytes.to_vec())));
            } else {
                passed.overrun = true;
            }
        }
        let written = self.both.input.write(bytes).await;
        self.both.typed.notify_one();
        written
    }

    /// Says that input is over.
    async fn eof(&self) -> Result<(), Closed> {
        self.both.input.eof().await
    }

    /// Whether [`ObservedInput::eof`] reaches the shell.
    fn half_close(&self) -> bool {
        self.both.input.half_close()
    }

    /// Tells the shell its terminal's new size.
    async fn resize(&self, size: Size) -> Result<(), Closed> {
        self.both.look(|watcher| watcher.resize(size));
        self.both.input.resize(size).await
    }

    /// Ends the shell's connection now, and then puts on record what can still be read.
    async fn hang_up(&self) {
        self.both.input.hang_up().await;
        self.both.look(Watcher::finish);
        self.both.record().await;
    }
}

/// From the shell.
pub struct ObservedOutput<I, O, D> {
    both: Arc<Both<I, D>>,
    output: O,
    /// What may be passed on once everything seen is on record.
    ready: VecDeque<Output>,
    /// Something that is being put on record; kept, so that `next` can be dropped at any time.
    doing: Option<BoxFuture<'static, bool>>,
    done: bool,
}

impl<I, O, D> std::fmt::Debug for ObservedOutput<I, O, D> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ObservedOutput").finish_non_exhaustive()
    }
}

impl<I: Input, O: Source, D: Desk> Source for ObservedOutput<I, O, D> {
    /// What comes next. `None` after [`Output::Exit`]. Can be dropped and called again without loss.
    async fn next(&mut self) -> Option<Output> {
        loop {
            if let Some(doing) = &mut self.doing {
                let recorded = doing.await;
                self.doing = None;
                if !recorded {
                    // What was not recorded is not shown.
                    self.ready.clear();
                    self.ready.push_back(Output::Stdout(Bytes::from_static(LAST_WORDS.as_bytes())));
                    self.ready.push_back(Output::Exit(Exit::Code(UNRECORDED)));
                    self.done = true;
                }
            }
            if let Some(ready) = self.ready.pop_front() {
                return Some(ready);
            }
            if self.done {
                return None;
            }
            let forgets = locked(&self.both.watcher).forgets();
            let both = &self.both;
            tokio::select! {
                biased;
                () = both.typed.notified() => both.look(|_| ()),
                () = both.until(forgets) => both.look(|watcher| watcher.forget(both.now())),
                next = self.output.next() => self.came(next),
            }
            let seen = locked(&self.both.watcher).seen().is_some();
            if seen {
                let both = Arc::clone(&self.both);
                self.doing = Some(Box::pin(async move { both.record().await }));
            }
        }
    }
}

impl<I: Input, O: Source, D: Desk> ObservedOutput<I, O, D> {
    fn came(&mut self, next: Option<Output>) {
        match &next {
            Some(Output::Stdout(bytes)) => {
                let now = self.both.now();
                self.both.look(|watcher| watcher.output(bytes, now));
            }
            Some(Output::Exit(_)) | None => {
                self.both.look(Watcher::finish);
                self.done = true;
            }
            Some(Output::Stderr(_)) => {}
        }
        self.ready.extend(next);
    }
}
