//! The reading end: pulled by whoever sends it on, so a slow reader holds nothing but its own place.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::path::Path;

use bytes::{Buf, Bytes, BytesMut};

use super::{Log, LogOptions, LogSource, Progress, rotated, stamp};

/// Read at once.
const BLOCK: usize = 64 << 10;

/// Reads a log as `GET …/log` gives it out.
#[derive(Debug)]
pub(crate) struct LogReader {
    log: Log,
    generation: u64,
    file: Option<File>,
    /// Read and not yet given out: the start of a line.
    rest: BytesMut,
    since: Option<String>,
    left: u64,
    options: LogOptions,
    at_line_start: bool,
}

impl LogReader {
    /// Opens a log. A log whose files are gone reads as empty.
    pub(crate) async fn open(log: Log, options: LogOptions) -> io::Result<LogReader> {
        let mut reader = LogReader {
            generation: 0,
            file: None,
            rest: BytesMut::new(),
            since: options.since.map(stamp),
            left: options.limit_bytes.unwrap_or(u64::MAX),
            at_line_start: true,
            options,
            log,
        };
        tokio::task::spawn_blocking(move || reader.find_start().map(|()| reader))
            .await
            .map_err(io::Error::other)?
    }

    /// The next piece; `None` at the end, which with `follow` is the end of the container.
    pub(crate) async fn next(&mut self) -> io::Result<Option<Bytes>> {
        loop {
            if self.left == 0 {
                return Ok(None);
            }
            // Taken before reading: what is written after this wakes us below.
            let seen = *self.log.progress.borrow_and_update();
            let read = self.read_block().await?;
            if read == 0 && !self.next_file(seen)? {
                if !self.options.follow || seen.closed {
                    return Ok(None);
                }
                if self.log.progress.changed().await.is_err() {
                    // The writer is gone; once more for what it wrote last.
                    self.options.follow = false;
                }
                continue;
            }
            let out = self.take_lines();
            if !out.is_empty() {
                return Ok(Some(out));
            }
        }
    }

    fn find_start(&mut self) -> io::Result<()> {
        // Held while opening: files are renamed only by those who change it.
        let progress = self.log.progress.borrow();
        let current = progress.generation;
        let old = open(&rotated(&self.log.path))?;
        let new = open(&self.log.path)?;
        let Some(tail) = self.options.tail else {
            self.generation = if old.is_some() { current.saturating_sub(1) } else { current };
            self.file = old.or(new);
            return Ok(());
        };
        self.generation = current;
        let Some(mut new) = new else { return Ok(()) };
        let missing = seek_back(&mut new, tail)?;
        self.file = Some(new);
        if let (true, Some(mut old)) = (missing > 0, old) {
            seek_back(&mut old, missing)?;
            self.generation = current.saturating_sub(1);
            self.file = Some(old);
        }
        Ok(())
    }

    async fn read_block(&mut self) -> io::Result<usize> {
        let Some(mut file) = self.file.take() else { return Ok(0) };
        let (file, block) = tokio::task::spawn_blocking(move || {
            let mut block = vec![0; BLOCK];
            let read = file.read(&mut block);
            read.map(|read| {
                block.truncate(read);
                (file, block)
            })
        })
        .await
        .map_err(io::Error::other)??;
        self.file = Some(file);
        self.rest.extend_from_slice(&block);
        Ok(block.len())
    }

    /// At the end of a file: goes on to the one after it, if there is one.
    fn next_file(&mut self, seen: Progress) -> io::Result<bool> {
        if self.generation >= seen.generation {
            return Ok(false);
        }
        let now = self.log.progress.borrow();
        // Files between were rotated away while we were slow: go on with the oldest that is left.
        self.generation = (self.generation + 1).max(now.generation.saturating_sub(1));
        self.file = match self.generation == now.generation {
            true => open(&self.log.path)?,
            false => open(&rotated(&self.log.path))?,
        };
        Ok(true)
    }

    fn take_lines(&mut self) -> Bytes {
        let mut out = BytesMut::with_capacity(self.rest.len());
        while let Some(end) = self.rest.iter().position(|byte| *byte == b'\n') {
            let line = self.rest.split_to(end);
            self.rest.advance(1);
            self.give(&line, &mut out);
        }
        let limit = usize::try_from(self.left).unwrap_or(usize::MAX);
        out.truncate(limit);
        self.left -= out.len() as u64;
        out.freeze()
    }

    fn give(&mut self, entry: &[u8], out: &mut BytesMut) {
        // A line we did not write (a torn end of a log after a power cut) is left out.
        let Some((at, source, whole, text)) = split(entry) else { return };
        if self.since.as_ref().is_some_and(|since| at < since.as_bytes()) {
            return;
        }
        if self.options.only.is_some_and(|only| only != source) {
            return;
        }
        if self.options.timestamps && self.at_line_start {
            out.extend_from_slice(at);
            out.extend_from_slice(b" ");
        }
        out.extend_from_slice(text);
        if whole {
            out.extend_from_slice(b"\n");
        }
        self.at_line_start = whole;
    }
}

fn split(entry: &[u8]) -> Option<(&[u8], LogSource, bool, &[u8])> {
    let mut parts = entry.splitn(4, |byte| *byte == b' ');
    let at = parts.next()?;
    let source = match parts.next()? {
        b"stdout" => LogSource::Stdout,
        b"stderr" => LogSource::Stderr,
        _ => return None,
    };
    let whole = parts.next()? == b"F";
    Some((at, source, whole, parts.next()?))
}

fn open(path: &Path) -> io::Result<Option<File>> {
    match File::open(path) {
        Ok(file) => Ok(Some(file)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

/// Places the file at the start of its last `lines` lines; returns how many it is short of.
fn seek_back(file: &mut File, lines: u64) -> io::Result<u64> {
    let mut at = file.seek(SeekFrom::End(0))?;
    if lines == 0 {
        return Ok(0);
    }
    // The newline that ends the last line does not begin another.
    let mut newlines = 0;
    let mut block = vec![0; BLOCK];
    while at > 0 {
        let length = at.min(BLOCK as u64);
        at -= length;
        file.seek(SeekFrom::Start(at))?;
        let block = block.get_mut(..usize::try_from(length).unwrap_or(BLOCK)).unwrap_or_default();
        file.read_exact(block)?;
        for (offset, _) in block.iter().enumerate().rev().filter(|(_, byte)| **byte == b'\n') {
            newlines += 1;
            if newlines > lines {
                file.seek(SeekFrom::Start(at + offset as u64 + 1))?;
                return Ok(0);
            }
        }
    }
    file.seek(SeekFrom::Start(0))?;
    Ok(lines - newlines.min(lines))
}
