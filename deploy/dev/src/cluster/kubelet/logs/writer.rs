//! The writing end: bytes of two streams in, whole lines out, in the order in which they came.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::path::PathBuf;

use bytes::{Buf, BytesMut};
use tokio::sync::watch;

use super::{FILE_LIMIT, LINE_LIMIT, Log, LogSource, Progress, rotated, stamp};
use crate::cluster::time;

/// Writes one container instance's log. Dropping it ends the log for those who follow.
#[derive(Debug)]
pub(crate) struct LogWriter {
    path: PathBuf,
    file: File,
    length: u64,
    limit: u64,
    partial: [BytesMut; 2],
    out: Vec<u8>,
    progress: watch::Sender<Progress>,
}

impl LogWriter {
    /// Starts an empty log; its directory is made when missing.
    pub(crate) fn create(path: PathBuf) -> io::Result<(LogWriter, Log)> {
        Self::with_limit(path, FILE_LIMIT)
    }

    pub(super) fn with_limit(path: PathBuf, limit: u64) -> io::Result<(LogWriter, Log)> {
        if let Some(dir) = path.parent() {
            fs::create_dir_all(dir)?;
        }
        let file = OpenOptions::new().create(true).write(true).truncate(true).open(&path)?;
        let (progress, watching) = watch::channel(Progress::default());
        let log = Log { path: path.clone(), progress: watching };
        let partial = [BytesMut::new(), BytesMut::new()];
        Ok((LogWriter { path, file, length: 0, limit, partial, out: Vec::new(), progress }, log))
    }

    /// Takes what the container wrote. A line without its end waits for it, up to [`LINE_LIMIT`].
    /// Writes to the page cache in the caller's task: local files, a few kilobytes at a time.
    pub(crate) fn write(&mut self, source: LogSource, chunk: &[u8]) -> io::Result<()> {
        let now = stamp(time::now());
        let partial = match source {
            LogSource::Stdout => &mut self.partial[0],
            LogSource::Stderr => &mut self.partial[1],
        };
        partial.extend_from_slice(chunk);
        loop {
            let end = partial.iter().take(LINE_LIMIT).position(|byte| *byte == b'\n');
            let (length, tag) = match end {
                Some(at) => (at, 'F'),
                None if partial.len() >= LINE_LIMIT => (LINE_LIMIT, 'P'),
                None => break,
            };
            entry(&mut self.out, &now, source, tag, partial.get(..length).unwrap_or_default());
            partial.advance(length + usize::from(tag == 'F'));
        }
        self.flush()
    }

    /// The container's streams have ended: a last line without its end counts as one.
    pub(crate) fn finish(mut self) -> io::Result<()> {
        let now = stamp(time::now());
        for (partial, source) in self.partial.iter().zip([LogSource::Stdout, LogSource::Stderr]) {
            if !partial.is_empty() {
                entry(&mut self.out, &now, source, 'F', partial);
            }
        }
        self.flush()
    }

    fn flush(&mut self) -> io::Result<()> {
        if self.out.is_empty() {
            return Ok(());
        }
        let fits = self.length == 0 || self.length + self.out.len() as u64 <= self.limit;
        if !fits {
            self.rotate()?;
        }
        let written = self.file.write_all(&self.out);
        let added = self.out.len() as u64;
        self.out.clear();
        self.length += added;
        self.progress.send_modify(|progress| progress.written += added);
        written
    }

    fn rotate(&mut self) -> io::Result<()> {
        let mut done = Ok(());
        // Renamed under the lock of the progress, so that a reader never mistakes one file for the other.
        self.progress.send_modify(|progress| {
            let fresh = fs::rename(&self.path, rotated(&self.path)).and_then(|()| File::create(&self.path));
            done = fresh.map(|file| {
                self.file = file;
                self.length = 0;
                progress.generation += 1;
            });
        });
        done
    }
}

impl Drop for LogWriter {
    fn drop(&mut self) {
        self.progress.send_modify(|progress| progress.closed = true);
    }
}

fn entry(out: &mut Vec<u8>, now: &str, source: LogSource, tag: char, line: &[u8]) {
    out.extend_from_slice(now.as_bytes());
    out.extend_from_slice(match source {
        LogSource::Stdout => b" stdout ",
        LogSource::Stderr => b" stderr ",
    });
    out.push(tag as u8);
    out.push(b' ');
    out.extend_from_slice(line);
    out.push(b'\n');
}
