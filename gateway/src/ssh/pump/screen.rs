//! The gateway's own words on a live session's screen, by way of `terminal`.

use std::time::Duration;

use bytes::Bytes;
use tokio::time::Instant;

use crate::ssh::outflow::Outflow;
use crate::terminal::{self, Size};

/// A program that never finishes its escape sequence does not keep a warning back for longer.
const MID_SEQUENCE: Duration = Duration::from_secs(2);

/// How often something that could not be painted is tried again.
const AGAIN: Duration = Duration::from_millis(100);

/// Something for the person.
#[derive(Debug)]
pub(super) struct Say {
    pub(super) text: String,
    /// Worth finding in the recording.
    pub(super) mark: bool,
    resized: Option<Size>,
}

impl Say {
    pub(super) fn warning(text: &str) -> Self {
        Self { text: text.to_owned(), mark: true, resized: None }
    }

    pub(super) fn aside(text: &str) -> Self {
        Self { text: text.to_owned(), mark: false, resized: None }
    }

    /// Not said, only taken note of.
    pub(super) const fn resized(size: Size) -> Self {
        Self { text: String::new(), mark: false, resized: Some(size) }
    }
}

/// Follows what the client's terminal shows.
#[derive(Debug)]
pub(super) struct Screen {
    screen: terminal::Screen,
    /// What could not be painted yet, and since when.
    waiting: Option<(String, Instant)>,
    /// When to paint the program's own rows back.
    restore: Option<Instant>,
    again: Option<Instant>,
}

impl Screen {
    pub(super) fn new(size: Size) -> Self {
        Self { screen: terminal::Screen::new(size), waiting: None, restore: None, again: None }
    }

    pub(super) fn output(&mut self, bytes: &Bytes) {
        self.screen.output(bytes);
    }

    /// When [`Screen::tick`] has something to do.
    pub(super) fn due(&self) -> Option<Instant> {
        [self.again, self.restore].into_iter().flatten().min()
    }

    pub(super) async fn say(&mut self, said: Say, out: &Outflow) {
        if let Some(size) = said.resized {
            self.screen.resize(size);
            return;
        }
        self.waiting = Some((format!("sallyport: {}", said.text), Instant::now()));
        self.tick(out).await;
    }

    pub(super) async fn tick(&mut self, out: &Outflow) {
        let now = Instant::now();
        self.again = None;
        if let Some((text, since)) = self.waiting.take() {
            let painted = self.screen.show(&text);
            let stubborn = painted.is_none() && now.duration_since(since) >= MID_SEQUENCE;
            match painted {
                Some(bytes) => {
                    let _ = out.stdout(bytes.into()).await;
                    self.restore = Some(now + terminal::STAY);
                }
                None if stubborn => {
                    let _ = out.stdout(terminal::bell(&text).into()).await;
                }
                None => {
                    self.waiting = Some((text, since));
                    self.again = Some(now + AGAIN);
                }
            }
        }
        if self.restore.is_some_and(|at| at <= now) {
            self.restore = None;
            if let Some(bytes) = self.screen.restore() {
                let _ = out.stdout(bytes.into()).await;
            }
            if self.screen.showing() {
                self.restore = Some(now + Duration::from_secs(1));
            }
        }
    }
}
