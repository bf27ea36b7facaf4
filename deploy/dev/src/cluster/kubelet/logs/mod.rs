//! Container logs: files in the format of the Container Runtime Interface
//! (`2026-01-02T03:04:05.000000006Z stdout F line`), bounded by rotation, and read as the kubelet reads them.
//!
//! A log is at most two files of [`FILE_LIMIT`]: the current one and, beside it, the one before (`.1`). What was
//! rotated out of both is gone, also for a reader that follows too slowly.

mod reader;
mod writer;

use std::path::{Path, PathBuf};

use jiff::Timestamp;
use tokio::sync::watch;

pub(crate) use reader::LogReader;
pub(crate) use writer::LogWriter;

/// A file is rotated once it is this long, in bytes.
const FILE_LIMIT: u64 = 8 << 20;
/// A line longer than this is cut into parts tagged `P`, as containerd does.
const LINE_LIMIT: usize = 16 << 10;

/// Which of a container's two streams.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum LogSource {
    Stdout,
    Stderr,
}

/// What of a log is asked for; `PodLogOptions` of the Kubernetes API, already parsed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct LogOptions {
    /// Go on as lines are written, until the container ends.
    pub(crate) follow: bool,
    /// Only so many lines before the end.
    pub(crate) tail: Option<u64>,
    /// Only what was written at or after this moment.
    pub(crate) since: Option<Timestamp>,
    /// Put the time of writing before each line.
    pub(crate) timestamps: bool,
    /// The instance of the container before this one.
    pub(crate) previous: bool,
    /// Stop after so many bytes.
    pub(crate) limit_bytes: Option<u64>,
    /// Only one of the streams.
    pub(crate) only: Option<LogSource>,
}

/// How far a log has got; readers wait for it to change.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Progress {
    /// Files started so far, less one.
    generation: u64,
    /// Bytes in all of them.
    written: u64,
    /// Nothing more will come.
    closed: bool,
}

/// A log that can be read: where it is and, while it is being written, how far it has got.
#[derive(Debug, Clone)]
pub(crate) struct Log {
    path: PathBuf,
    progress: watch::Receiver<Progress>,
}

impl Log {
    /// A log that nobody writes any more, from this run or an earlier one.
    pub(crate) fn ended(path: PathBuf) -> Log {
        let generation = u64::from(rotated(&path).exists());
        // The sender is dropped here: readers take that for the end.
        Log { path, progress: watch::channel(Progress { generation, written: 0, closed: true }).1 }
    }

    /// Removes the files.
    pub(crate) fn remove(path: &Path) {
        for path in [path.to_owned(), rotated(path)] {
            // Absent is what is wanted.
            let _ = std::fs::remove_file(path);
        }
    }
}

fn rotated(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".1");
    PathBuf::from(name)
}

/// RFC 3339 with nine digits: fixed width, so that moments compare as text.
fn stamp(at: Timestamp) -> String {
    at.strftime("%Y-%m-%dT%H:%M:%S.%9fZ").to_string()
}

#[cfg(test)]
mod tests;
