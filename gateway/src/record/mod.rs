//! Recordings: what a session showed, and a file that says whose it was.
//!
//! ```text
//! DIR/                        mode 0700
//!   2026-11-21/               the day the session began, UTC
//!     <session>.json          metadata (docs/schemas/session.schema.json), replaced at the end
//!     <session>.cast          asciicast v2, for shell and exec
//!     <session>.commands      what was typed and decided, one JSON line each (docs/schemas/command.schema.json)
//!   open/<session>            there while the session lasts, locked by the gateway that records it
//! ```
//!
//! A recording is written as things happen, in one `write` per batch, so what is in the file when the gateway is
//! killed plays up to that moment; [`Recorder::sweep`] says of such sessions that they were interrupted. What a person
//! types is not recorded, only what they were shown. The files are not yet sealed: whoever can write the directory can
//! change them. They are synced to disk at a session's end; a power cut before may take the last seconds with it.
//! A strict recording is synced before anything of it is shown, and neither a power cut nor a full disk takes from it
//! what a person has seen.
//!
//! A writer that fails ends the session: [`Recording::output`] returns the error from then on, and
//! [`Recording::failed`] resolves.

mod cast;
mod command;
mod held;
mod id;
mod recorder;
mod recording;
mod session;
mod sweep;
mod text;

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

pub use command::{CommandLine, CommandOutcome};
pub use id::{SessionId, SessionIdError};
pub use recorder::{Recorder, SessionStart};
pub use recording::{Recording, SessionEnd};
pub use session::{End, Outcome, Session, SessionKind, TerminalInfo};

/// Why there is no recording. The text is for people; the cause is in `source()`.
#[derive(Debug, Clone, thiserror::Error)]
pub enum RecordError {
    /// The directory cannot be made or is not writable.
    #[error("cannot record: the recordings' directory `{path}` cannot be written")]
    Directory {
        /// Which.
        path: PathBuf,
        /// Why.
        source: Arc<io::Error>,
    },
    /// A recording or its metadata could not be begun.
    #[error("cannot record: a new recording cannot be begun")]
    Begin {
        /// Why.
        source: Arc<io::Error>,
    },
    /// Writing stopped working while the session ran.
    #[error("cannot record: writing the recording failed")]
    Write {
        /// Why.
        source: Arc<io::Error>,
    },
    /// The last words about a session could not be written.
    #[error("cannot record: the session's end could not be written down")]
    Finish {
        /// Why.
        source: Arc<io::Error>,
    },
    /// Old sessions could not be looked through.
    #[error("cannot look through the recordings in `{path}`")]
    Sweep {
        /// Which directory.
        path: PathBuf,
        /// Why.
        source: Arc<io::Error>,
    },
}

impl RecordError {
    /// The exit status of a session that cannot be recorded.
    #[must_use]
    pub const fn exit_status(&self) -> u8 {
        79
    }
}

/// Writes a file whole or not at all: beside it, synced, then renamed. Mode 0600.
fn replace(path: &Path, content: &[u8]) -> io::Result<()> {
    use std::io::Write;
    use std::os::unix::fs::OpenOptionsExt;

    let beside = path.with_extension("json.new");
    let mut file =
        std::fs::OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&beside)?;
    let written = file.write_all(content).and_then(|()| file.sync_data());
    drop(file);
    let done = written.and_then(|()| std::fs::rename(&beside, path));
    if done.is_err() {
        let _ = std::fs::remove_file(&beside);
    }
    done
}

/// Runs disk work off the async threads.
async fn blocking<T: Send + 'static>(work: impl FnOnce() -> io::Result<T> + Send + 'static) -> io::Result<T> {
    tokio::task::spawn_blocking(work).await.unwrap_or_else(|stopped| Err(io::Error::other(stopped)))
}

#[cfg(test)]
mod tests;
