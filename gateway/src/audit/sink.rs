//! Where events go.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use super::Event;

/// Why there is nowhere to write events to.
#[derive(Debug, thiserror::Error)]
#[error("cannot open the event file `{path}`")]
pub struct AuditError {
    path: PathBuf,
    source: io::Error,
}

/// Writes events; cheap to clone.
#[derive(Debug, Clone)]
pub struct Audit {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    sink: Mutex<Sink>,
    healthy: AtomicBool,
}

#[derive(Debug)]
enum Sink {
    File(File),
    Stdout,
    Memory(Vec<Event>),
}

impl Audit {
    /// Appends to `path`, which is made if it is not there (mode 0600).
    ///
    /// # Errors
    /// When the file cannot be opened for appending.
    pub fn to_file(path: &Path) -> Result<Self, AuditError> {
        let mut options = OpenOptions::new();
        options.create(true).append(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let file = options.open(path).map_err(|source| AuditError { path: path.to_owned(), source })?;
        Ok(Self::new(Sink::File(file)))
    }

    /// Writes to standard output, for a cluster's log collector.
    #[must_use]
    pub fn to_stdout() -> Self {
        Self::new(Sink::Stdout)
    }

    /// Keeps events in memory, for tests.
    #[must_use]
    pub fn in_memory() -> Self {
        Self::new(Sink::Memory(Vec::new()))
    }

    fn new(sink: Sink) -> Self {
        Self { inner: Arc::new(Inner { sink: Mutex::new(sink), healthy: AtomicBool::new(true) }) }
    }

    /// Writes one event. A failure is logged, and [`Audit::healthy`] says so from then on until a write
    /// works again; whoever opens sessions asks that first.
    pub fn record(&self, event: Event) {
        let line = match serde_json::to_string(&event) {
            Ok(line) => line + "\n",
            Err(error) => {
                tracing::error!(%error, "an event could not be put into words");
                self.inner.healthy.store(false, Ordering::Relaxed);
                return;
            }
        };
        let mut sink = self.inner.sink.lock().unwrap_or_else(PoisonError::into_inner);
        let written = match &mut *sink {
            Sink::File(file) => file.write_all(line.as_bytes()),
            Sink::Stdout => io::stdout().lock().write_all(line.as_bytes()),
            Sink::Memory(events) => {
                events.push(event);
                Ok(())
            }
        };
        if let Err(error) = &written {
            tracing::error!(%error, "an event could not be written");
        }
        self.inner.healthy.store(written.is_ok(), Ordering::Relaxed);
    }

    /// Whether the last event was written.
    #[must_use]
    pub fn healthy(&self) -> bool {
        self.inner.healthy.load(Ordering::Relaxed)
    }

    /// What [`Audit::in_memory`] has kept so far; empty for the other kinds.
    #[must_use]
    pub fn kept(&self) -> Vec<Event> {
        match &*self.inner.sink.lock().unwrap_or_else(PoisonError::into_inner) {
            Sink::Memory(events) => events.clone(),
            Sink::File(_) | Sink::Stdout => Vec::new(),
        }
    }
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use super::*;
    use crate::audit::{Kind, Outcome};

    #[test]
    fn an_event_is_one_line_of_json_without_absent_fields() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("events.jsonl");
        let audit = Audit::to_file(&path).unwrap();
        let reason = Some("two\nlines".to_owned());
        audit
            .record(Event { reason, ..Event::new(Timestamp::UNIX_EPOCH, Kind::RequestCreated, Outcome::Ok) });
        assert_eq!(
            std::fs::read_to_string(&path).unwrap(),
            "{\"time\":\"1970-01-01T00:00:00Z\",\"event\":\"request.created\",\"outcome\":\"ok\",\"reason\":\"two\\nlines\"}\n"
        );
        assert!(audit.healthy());
    }

    #[test]
    fn a_sink_that_fails_is_not_healthy() {
        let full = Path::new("/dev/full");
        if !full.exists() {
            return;
        }
        let audit = Audit::to_file(full).unwrap();
        audit.record(Event::new(Timestamp::UNIX_EPOCH, Kind::GatewayStarted, Outcome::Ok));
        assert!(!audit.healthy());
    }
}
