//! What the two halves of a filter and the driver between them share.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use tokio::sync::Notify;
use tokio::time::Instant;

use super::reader::{Next, Reader};
use super::{Closed, Input};
use crate::terminal::clean;

/// The gateway's own words that wait for being shown; more are dropped.
const MOST_WORDS: usize = 64;
/// The pod's side has this long to be hung up.
const HANG_UP: Duration = Duration::from_millis(300);

pub(super) struct Shared<I> {
    pub(super) input: I,
    began: Instant,
    state: Mutex<State>,
    /// There is something for the driver.
    pub(super) work: Notify,
    /// There is something for the output half.
    pub(super) spoken: Notify,
    /// Something was passed on, or it is over.
    pub(super) drained: Notify,
    /// Ctrl-C while a line is judged.
    pub(super) gave_up: Notify,
}

pub(super) struct State {
    pub(super) reader: Reader,
    words: VecDeque<Bytes>,
    /// The session must end, with this status.
    pub(super) over: Option<u8>,
    /// The pod takes nothing any more.
    pub(super) closed: bool,
    /// Somebody writes to the pod.
    pub(super) busy: bool,
    /// What the reader said to somebody who could not act on it.
    pub(super) handed: Option<Next>,
}

impl<I: Input> Shared<I> {
    pub(super) fn new(input: I, reader: Reader) -> Self {
        let state =
            State { reader, words: VecDeque::new(), over: None, closed: false, busy: false, handed: None };
        Self {
            input,
            began: Instant::now(),
            state: Mutex::new(state),
            work: Notify::new(),
            spoken: Notify::new(),
            drained: Notify::new(),
            gave_up: Notify::new(),
        }
    }

    pub(super) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The reader's time.
    pub(super) fn now(&self) -> Duration {
        self.began.elapsed()
    }

    /// When a reader's time is.
    pub(super) fn at(&self, time: Duration) -> Instant {
        self.began + time
    }

    /// Shows a line of our own.
    pub(super) fn say(&self, text: &str) {
        {
            let mut state = self.state();
            let text = clean(text);
            // A full-screen program draws its screen; a line in between would shift it.
            let bytes = if state.reader.alternate() {
                Bytes::from(format!("\x1b7\x1b[1;1H\x1b[0;7m sallyport: {text} \x1b[0m\x1b[K\x1b8\x07"))
            } else {
                let before = if state.reader.at_margin() { "" } else { "\r\n" };
                let bytes = Bytes::from(format!("{before}sallyport: {text}\r\n"));
                state.reader.said(&bytes);
                bytes
            };
            if state.words.len() < MOST_WORDS {
                state.words.push_back(bytes);
            }
        }
        self.spoken.notify_one();
    }

    /// The next line of our own.
    pub(super) fn word(&self) -> Option<Bytes> {
        self.state().words.pop_front()
    }

    /// Ends the session, with a word about why.
    pub(super) async fn end(&self, text: &str, status: u8) {
        self.say(text);
        self.state().over.get_or_insert(status);
        self.spoken.notify_one();
        self.work.notify_one();
        self.drained.notify_waiters();
        let _ = tokio::time::timeout(HANG_UP, self.input.hang_up()).await;
    }

    /// Until this is dropped somebody writes; [`State::busy`] must be set already.
    pub(super) const fn writing(&self) -> Writing<'_, I> {
        Writing(self)
    }

    /// Sends to the pod what the reader let through.
    pub(super) async fn send(&self, bytes: Vec<u8>) -> Result<(), Closed> {
        self.state().busy = true;
        let writing = self.writing();
        let sent = self.input.write(bytes.into()).await;
        drop(writing);
        sent
    }
}

/// While it lives somebody writes to the pod; also one that is given up leaves the way free.
pub(super) struct Writing<'a, I: Input>(&'a Shared<I>);

impl<I: Input> Drop for Writing<'_, I> {
    fn drop(&mut self) {
        let waits = {
            let mut state = self.0.state();
            state.busy = false;
            !state.reader.idle() || state.handed.is_some()
        };
        if waits {
            self.0.work.notify_one();
        }
        self.0.drained.notify_waiters();
    }
}
