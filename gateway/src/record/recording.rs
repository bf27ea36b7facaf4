//! One session's recording: a handle for the session, and the task that writes.

use std::fs::File;
use std::io::{self, Write};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use jiff::Timestamp;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc, oneshot, watch};
use tokio::task::JoinHandle;

use super::cast::{Events, Source};
use super::command::CommandLine;
use super::held::Held;
use super::recorder::{Begun, Paths, Sync, create};
use super::session::{End, Outcome, Session};
use super::{RecordError, SessionId, blocking, replace};
use crate::clock::SharedClock;
use crate::terminal::Size;

/// Events that wait for the disk, per session.
const QUEUE: usize = 256;
/// Bytes that wait for the disk, per session.
const BUDGET: usize = 512 * 1024;

/// How a session ended.
#[derive(Debug, Clone)]
pub struct SessionEnd {
    /// How.
    pub outcome: Outcome,
    /// The exit status the person's `ssh` got.
    pub exit: Option<u8>,
    /// Bytes from the person to the target.
    pub bytes_in: u64,
    /// Bytes from the target to the person.
    pub bytes_out: u64,
    /// Why, in words.
    pub why: Option<String>,
}

/// A recording that is being written. Dropping it without [`Recording::finish`] closes it as interrupted.
///
/// Every method takes `&self`: the tasks of one session share it.
#[derive(Debug)]
pub struct Recording {
    id: SessionId,
    clock: SharedClock,
    started: Timestamp,
    records: bool,
    /// What is held back, where nothing is shown before it is on disk.
    strict: Option<Mutex<Held>>,
    events: mpsc::Sender<Event>,
    budget: Arc<Semaphore>,
    failure: watch::Receiver<Option<RecordError>>,
    end: oneshot::Sender<SessionEnd>,
    writer: JoinHandle<Result<(), RecordError>>,
}

#[derive(Debug)]
struct Event {
    at: Duration,
    what: What,
    /// Told when it is safely on disk; asked for by strict recordings only.
    durable: Option<oneshot::Sender<()>>,
    /// Given back when it is on disk.
    _room: Option<OwnedSemaphorePermit>,
}

#[derive(Debug)]
enum What {
    Shown(Source, Bytes),
    /// Nothing more comes that could complete a character.
    Over,
    Resized(Size),
    Marker(String),
    Command(Box<CommandLine>),
}

impl Recording {
    pub(super) fn start(id: SessionId, begun: Begun, clock: SharedClock, sync: Sync) -> Self {
        let (events, queue) = mpsc::channel(QUEUE);
        let (end, ended) = oneshot::channel();
        let (failed, failure) = watch::channel(None);
        let (started, records) = (begun.session.started, begun.cast.is_some());
        let Begun { session, paths, lock, cast } = begun;
        let strict = session.strict.then(Mutex::default);
        let writer = Writer { session, paths, clock: Arc::clone(&clock), failed, sync };
        let writer = tokio::spawn(async move {
            let done = writer.run(cast, queue, ended).await;
            // Held until the end is written down: a sweep must not get there first.
            drop(lock);
            done
        });
        let budget = Arc::new(Semaphore::new(BUDGET));
        Self { id, clock, started, records, strict, events, budget, failure, end, writer }
    }

    /// The session's id.
    #[must_use]
    pub const fn id(&self) -> &SessionId {
        &self.id
    }

    /// Whether what is shown is written down; otherwise there is only the metadata file.
    #[must_use]
    pub const fn records(&self) -> bool {
        self.records
    }

    /// The person is going to be shown this (standard output, or a PTY's output). Waits while the disk is behind, and
    /// in a strict recording until it is safely there. Gives back what may be shown now: all of it, or in a strict
    /// recording up to the last whole character.
    ///
    /// # Errors
    /// Once the writer has failed. The session must end then.
    pub async fn output(&self, bytes: Bytes) -> Result<Bytes, RecordError> {
        self.shown(Source::Output, bytes).await
    }

    /// The same, on standard error.
    ///
    /// # Errors
    /// As [`Recording::output`].
    pub async fn error_output(&self, bytes: Bytes) -> Result<Bytes, RecordError> {
        self.shown(Source::Errors, bytes).await
    }

    /// The streams are over: what was held back of standard output and of standard error, to be shown now. It is on
    /// record as far as half a character can be.
    ///
    /// # Errors
    /// As [`Recording::output`].
    pub async fn rest(&self) -> Result<(Bytes, Bytes), RecordError> {
        let Some(held) = &self.strict else { return Ok(Default::default()) };
        let (output, errors) = {
            let mut held = held.lock().unwrap_or_else(PoisonError::into_inner);
            (held.rest(Source::Output), held.rest(Source::Errors))
        };
        if !(output.is_empty() && errors.is_empty()) {
            for (source, bytes) in [(Source::Output, &output), (Source::Errors, &errors)] {
                self.send(What::Shown(source, bytes.clone()), None, false).await?;
            }
            self.send(What::Over, None, true).await?;
        }
        Ok((output, errors))
    }

    /// The terminal has a new size.
    ///
    /// # Errors
    /// As [`Recording::output`].
    pub async fn resize(&self, size: Size) -> Result<(), RecordError> {
        self.send(What::Resized(size), None, false).await
    }

    /// Something worth finding again, one line.
    ///
    /// # Errors
    /// As [`Recording::output`].
    pub async fn marker(&self, label: &str) -> Result<(), RecordError> {
        self.send(What::Marker(label.to_owned()), None, false).await
    }

    /// A command was typed and decided about. In a strict recording it is safely on disk when this returns. Players find it
    /// as a marker.
    ///
    /// # Errors
    /// As [`Recording::output`].
    pub async fn command(&self, line: CommandLine) -> Result<(), RecordError> {
        self.marker(&line.label()).await?;
        self.send(What::Command(Box::new(line)), None, self.strict.is_some()).await
    }

    /// Resolves when the writer has failed, so that an idle session ends too; otherwise never.
    pub fn failed(&self) -> impl Future<Output = RecordError> + Send + 'static {
        let mut failure = self.failure.clone();
        async move {
            if let Ok(Some(error)) = failure.wait_for(Option::is_some).await.as_deref().cloned() {
                return error;
            }
            std::future::pending().await
        }
    }

    /// Writes what is left and the session's end; on disk when this returns.
    ///
    /// # Errors
    /// When the recording is not whole, or its end is not written down. The end is written even if the recording
    /// failed before.
    pub async fn finish(self, end: SessionEnd) -> Result<(), RecordError> {
        let Self { events, end: last_word, writer, .. } = self;
        drop(events);
        let _ = last_word.send(end);
        writer.await.unwrap_or_else(|stopped| {
            Err(RecordError::Finish { source: Arc::new(io::Error::other(stopped)) })
        })
    }

    async fn shown(&self, source: Source, bytes: Bytes) -> Result<Bytes, RecordError> {
        if !self.records || bytes.is_empty() {
            return Ok(bytes);
        }
        let bytes = match &self.strict {
            Some(held) => held.lock().unwrap_or_else(PoisonError::into_inner).pass(source, &bytes),
            None => bytes,
        };
        if bytes.is_empty() {
            return Ok(bytes);
        }
        let room = u32::try_from(bytes.len().min(BUDGET)).unwrap_or(u32::MAX);
        let room = Arc::clone(&self.budget).acquire_many_owned(room).await.ok();
        self.send(What::Shown(source, bytes.clone()), room, self.strict.is_some()).await?;
        Ok(bytes)
    }

    async fn send(
        &self,
        what: What,
        room: Option<OwnedSemaphorePermit>,
        durably: bool,
    ) -> Result<(), RecordError> {
        if !self.records {
            return Ok(());
        }
        let (durable, written) = match durably.then(oneshot::channel) {
            Some((durable, written)) => (Some(durable), Some(written)),
            None => (None, None),
        };
        let at = Duration::try_from(self.clock.now().duration_since(self.started)).unwrap_or_default();
        let failed = || {
            self.failure.borrow().clone().unwrap_or_else(|| RecordError::Write {
                source: Arc::new(io::Error::other("the writer stopped")),
            })
        };
        self.events.send(Event { at, what, durable, _room: room }).await.map_err(|_| failed())?;
        match written {
            Some(written) => written.await.map_err(|_| failed()),
            None => Ok(()),
        }
    }
}

struct Writer {
    session: Session,
    paths: Paths,
    clock: SharedClock,
    failed: watch::Sender<Option<RecordError>>,
    sync: Sync,
}

impl Writer {
    async fn run(
        mut self,
        cast: Option<File>,
        mut queue: mpsc::Receiver<Event>,
        ended: oneshot::Receiver<SessionEnd>,
    ) -> Result<(), RecordError> {
        let recorded = match cast {
            Some(cast) => self.record(cast, &mut queue).await,
            None => Ok(()),
        };
        let recorded = recorded.map_err(|source| RecordError::Write { source: Arc::new(source) });
        if let Err(error) = &recorded {
            tracing::error!(session = self.session.id, error = ?error, "a recording cannot be written");
            self.failed.send_replace(Some(error.clone()));
        }
        // Senders that wait now get the error.
        queue.close();
        while queue.recv().await.is_some() {}
        let end = ended.await.unwrap_or_else(|_| SessionEnd {
            outcome: Outcome::Interrupted,
            exit: None,
            bytes_in: 0,
            bytes_out: 0,
            why: Some("the session stopped without saying how it ended".to_owned()),
        });
        self.session.end = Some(End {
            at: self.clock.now(),
            outcome: end.outcome,
            exit: end.exit,
            bytes_in: Some(end.bytes_in),
            bytes_out: Some(end.bytes_out),
            why: end.why,
        });
        let Self { session, paths, .. } = self;
        let finished = blocking(move || {
            replace(&paths.metadata, &session.to_json()?)?;
            std::fs::remove_file(&paths.open)
        });
        let finished = finished.await.map_err(|source| RecordError::Finish { source: Arc::new(source) });
        recorded.and(finished)
    }

    /// Writes events until there are no more, one `write` per batch, and one sync where somebody waits for it.
    async fn record(&self, mut cast: File, queue: &mut mpsc::Receiver<Event>) -> io::Result<()> {
        let mut events = Events::new(self.session.terminal.is_some());
        let mut batch = Vec::new();
        let mut commands = Commands { path: self.paths.commands.clone(), file: None, lines: Vec::new() };
        loop {
            let over = queue.recv_many(&mut batch, QUEUE).await == 0;
            for event in &batch {
                match &event.what {
                    What::Shown(source, bytes) => events.shown(event.at, *source, bytes),
                    What::Over => events.finish(event.at),
                    What::Resized(size) => events.resized(event.at, *size),
                    What::Marker(label) => events.marker(event.at, label),
                    What::Command(line) => commands.add(line)?,
                }
            }
            if over {
                events.finish(Duration::ZERO);
            }
            let lines = std::mem::take(&mut events.lines);
            let (sync, awaited) = (Arc::clone(&self.sync), batch.iter().any(|event| event.durable.is_some()));
            let (file, mut lines, listed) = blocking(move || {
                cast.write_all(&lines)?;
                commands.write()?;
                if over || awaited {
                    sync(&cast)?;
                    commands.file.as_ref().map_or(Ok(()), |file| sync(file))?;
                }
                Ok((cast, lines, commands))
            })
            .await?;
            lines.clear();
            (cast, events.lines, commands) = (file, lines, listed);
            for event in batch.drain(..) {
                if let Some(durable) = event.durable {
                    let _ = durable.send(());
                }
            }
            if over {
                return Ok(());
            }
        }
    }
}

/// The list of commands; its file is made with the first one.
struct Commands {
    path: PathBuf,
    file: Option<File>,
    lines: Vec<u8>,
}

impl Commands {
    fn add(&mut self, line: &CommandLine) -> io::Result<()> {
        serde_json::to_writer(&mut self.lines, line)?;
        self.lines.push(b'\n');
        Ok(())
    }

    fn write(&mut self) -> io::Result<()> {
        if self.lines.is_empty() {
            return Ok(());
        }
        let file = match &mut self.file {
            Some(file) => file,
            none => none.insert(create(&self.path)?),
        };
        file.write_all(&self.lines)?;
        self.lines.clear();
        Ok(())
    }
}
