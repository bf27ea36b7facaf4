//! The list of what was taken back before its time: the file `revoked` beside the keys, one entry a line,
//! `serial:N` or the `SHA256:…` fingerprint of a person's key; `#` starts a comment.
//!
//! The file is looked at whenever a certificate is, and read again when it changed. From start to stop the
//! list never fails open: while a line means nothing, the list only grows; a file that cannot be read, or is
//! gone, leaves the last list in force. To take a revocation back, write the file without it.

use std::collections::HashSet;
use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use russh::keys::ssh_key::public::KeyData;
use russh::keys::ssh_key::{Fingerprint, HashAlg};

use super::{CaError, files};

/// The longest list, about 20,000 entries.
const MAX_BYTES: u64 = 1024 * 1024;

#[derive(Debug)]
pub(super) struct Revoked {
    path: PathBuf,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    list: List,
    /// The file as it was when it was last read, also when reading it failed.
    seen: Option<Stamp>,
}

#[derive(Debug, Default)]
struct List {
    serials: HashSet<u64>,
    keys: HashSet<Fingerprint>,
}

/// What changes when a file is written or replaced.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Stamp {
    modified: (i64, i64),
    changed: (i64, i64),
    inode: u64,
    length: u64,
}

impl Revoked {
    /// Reads the list; no file is an empty list. At start, nothing in it is overlooked.
    pub(super) fn load(path: PathBuf) -> Result<Self, CaError> {
        let failed = |source| CaError::File { doing: "read", path: path.clone(), source };
        let Some(stamp) = stamp(&path).map_err(failed)? else {
            return Ok(Self { path, state: Mutex::default() });
        };
        let text = files::read_text(&path, MAX_BYTES).map_err(failed)?;
        let (list, bad) = parse(&text);
        if let Some(line) = bad.first() {
            return Err(CaError::RevocationLine { path, line: *line });
        }
        Ok(Self { path, state: Mutex::new(State { list, seen: Some(stamp) }) })
    }

    pub(super) fn has_serial(&self, serial: u64) -> bool {
        self.with_current(|list| list.serials.contains(&serial))
    }

    pub(super) fn has_key(&self, key: &KeyData) -> bool {
        self.with_current(|list| list.keys.contains(&key.fingerprint(HashAlg::Sha256)))
    }

    /// One `stat` a question; a read only after a change. Both are short enough not to be moved elsewhere.
    fn with_current<T>(&self, ask: impl FnOnce(&List) -> T) -> T {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.refresh(&self.path);
        ask(&state.list)
    }
}

impl State {
    fn refresh(&mut self, path: &Path) {
        let now = match stamp(path) {
            Ok(now) => now,
            Err(error) => {
                tracing::error!(path = %path.display(), %error, "the revocation list cannot be looked at; the last one stays in force");
                return;
            }
        };
        if now == self.seen {
            return;
        }
        self.seen = now;
        if now.is_none() {
            tracing::error!(path = %path.display(), "the revocation list is gone; the last one stays in force");
            return;
        }
        match files::read_text(path, MAX_BYTES) {
            Ok(text) => {
                let (mut list, bad) = parse(&text);
                if !bad.is_empty() {
                    // What was meant is unknown, so nothing is given back either.
                    tracing::error!(path = %path.display(), lines = ?bad, "lines of the revocation list mean nothing; nothing is taken off it until they are put right");
                    list.serials.extend(self.list.serials.drain());
                    list.keys.extend(self.list.keys.drain());
                }
                let (serials, keys) = (list.serials.len(), list.keys.len());
                tracing::info!(serials, keys, "the revocation list was read again");
                self.list = list;
            }
            Err(error) => {
                tracing::error!(path = %path.display(), %error, "the revocation list cannot be read; the last one stays in force");
            }
        }
    }
}

fn stamp(path: &Path) -> io::Result<Option<Stamp>> {
    match fs::metadata(path) {
        Ok(data) => Ok(Some(Stamp {
            modified: (data.mtime(), data.mtime_nsec()),
            changed: (data.ctime(), data.ctime_nsec()),
            inode: data.ino(),
            length: data.len(),
        })),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

/// The list, and the numbers of the lines that mean nothing.
fn parse(text: &str) -> (List, Vec<usize>) {
    let mut list = List::default();
    let mut bad = Vec::new();
    for (index, line) in text.lines().enumerate() {
        let line = line.split('#').next().unwrap_or_default().trim();
        if line.is_empty() {
            continue;
        }
        if let Some(serial) = line.strip_prefix("serial:").and_then(|n| n.trim().parse().ok()) {
            list.serials.insert(serial);
        } else if let Ok(key @ Fingerprint::Sha256(_)) = line.parse() {
            list.keys.insert(key);
        } else {
            bad.push(index + 1);
        }
    }
    (list, bad)
}
