//! The file behind the store: one JSON line per change, rewritten from time to time without what is gone.
//!
//! A line that the process was killed in the middle of is the last one and is dropped when the file is read;
//! the caller never saw that change succeed. A rewrite goes to a second file, reaches the disk, and takes the
//! first one's name in one step.

use std::collections::HashMap;
use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{Key, ResourceId, StoreError};

/// Changes beyond the number of live objects that are tolerated before a rewrite.
const SLACK: usize = 8_192;

#[derive(Serialize, Deserialize)]
struct Line<V> {
    /// Version of the change.
    v: u64,
    /// Group and plural; absent in a line that only carries the version.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    of: Option<(String, String)>,
    #[serde(default)]
    ns: String,
    #[serde(default)]
    name: String,
    /// The object; absent for a deletion.
    #[serde(default = "none", skip_serializing_if = "Option::is_none")]
    put: Option<V>,
}

fn none<V>() -> Option<V> {
    None
}

#[derive(Debug)]
pub(super) struct Log {
    path: PathBuf,
    file: File,
    lines: usize,
    /// Held for as long as the store lives, so that two processes never write one log.
    _lock: File,
}

pub(super) struct State {
    pub(super) version: u64,
    pub(super) objects: Vec<(ResourceId, Key, Value)>,
}

impl Log {
    pub(super) fn open(dir: &Path) -> Result<(Log, State), StoreError> {
        fs::create_dir_all(dir).map_err(failed("make", dir))?;
        let lock_path = dir.join("lock");
        let lock = options().open(&lock_path).map_err(failed("open", &lock_path))?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(StoreError::Locked { dir: dir.to_owned() }),
            Err(TryLockError::Error(source)) => return Err(failed("lock", &lock_path)(source)),
        }
        let path = dir.join("objects.jsonl");
        let text = match fs::read(&path) {
            Ok(text) => text,
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => Vec::new(),
            Err(source) => return Err(failed("read", &path)(source)),
        };
        let (state, lines, whole) = replay(&path, &text)?;
        let file = options().open(&path).map_err(failed("open", &path))?;
        if whole < text.len() {
            tracing::warn!(
                dropped = text.len() - whole,
                "the last change before the stop was not whole; dropped"
            );
            file.set_len(whole as u64).map_err(failed("shorten", &path))?;
        }
        Ok((Log { path, file, lines, _lock: lock }, state))
    }

    pub(super) fn put(
        &mut self,
        v: u64,
        id: &ResourceId,
        key: &Key,
        object: &Value,
    ) -> Result<(), StoreError> {
        self.append(&line(v, id, key, Some(object)))
    }

    pub(super) fn delete(&mut self, v: u64, id: &ResourceId, key: &Key) -> Result<(), StoreError> {
        self.append(&line(v, id, key, None))
    }

    fn append(&mut self, line: &Line<&Value>) -> Result<(), StoreError> {
        let text = encode(line, &self.path)?;
        self.file.write_all(&text).map_err(failed("write", &self.path))?;
        self.lines = self.lines.saturating_add(1);
        Ok(())
    }

    pub(super) fn is_due(&self, live: usize) -> bool {
        self.lines > live.saturating_mul(2).saturating_add(SLACK)
    }

    pub(super) fn compact<'a>(
        &mut self,
        version: u64,
        objects: impl Iterator<Item = (&'a ResourceId, &'a Key, &'a Value)>,
    ) -> Result<(), StoreError> {
        let next = self.path.with_extension("next");
        let _ = fs::remove_file(&next);
        let file = options().open(&next).map_err(failed("create", &next))?;
        let mut out = BufWriter::new(file);
        let mut lines = 1;
        let head = Line::<&Value> { v: version, of: None, ns: String::new(), name: String::new(), put: None };
        out.write_all(&encode(&head, &next)?).map_err(failed("write", &next))?;
        for (id, key, object) in objects {
            out.write_all(&encode(&line(version, id, key, Some(object)), &next)?)
                .map_err(failed("write", &next))?;
            lines += 1;
        }
        let file = out.into_inner().map_err(|e| failed("write", &next)(e.into_error()))?;
        file.sync_all().map_err(failed("write", &next))?;
        fs::rename(&next, &self.path).map_err(failed("replace", &self.path))?;
        self.file = options().open(&self.path).map_err(failed("open", &self.path))?;
        self.lines = lines;
        Ok(())
    }
}

/// Objects by key, the number of lines, and how many bytes of the text are whole lines.
fn replay(path: &Path, text: &[u8]) -> Result<(State, usize, usize), StoreError> {
    let whole = text.iter().rposition(|b| *b == b'\n').map_or(0, |at| at + 1);
    let mut version = 0;
    let mut lines = 0;
    let mut live: HashMap<(ResourceId, Key), Value> = HashMap::new();
    for raw in text.get(..whole).unwrap_or_default().split(|b| *b == b'\n').filter(|l| !l.is_empty()) {
        let line: Line<Value> =
            serde_json::from_slice(raw).map_err(|e| failed("understand", path)(std::io::Error::other(e)))?;
        lines += 1;
        version = version.max(line.v);
        let Some((group, resource)) = line.of else { continue };
        let key = (ResourceId::named(group, resource), (line.ns, line.name));
        match line.put {
            Some(object) => live.insert(key, object),
            None => live.remove(&key),
        };
    }
    let objects = live.into_iter().map(|((id, key), object)| (id, key, object)).collect();
    Ok((State { version, objects }, lines, whole))
}

fn line<'a>(v: u64, id: &ResourceId, key: &Key, put: Option<&'a Value>) -> Line<&'a Value> {
    let of = Some((id.group().to_owned(), id.resource().to_owned()));
    Line { v, of, ns: key.0.clone(), name: key.1.clone(), put }
}

fn encode(line: &Line<&Value>, path: &Path) -> Result<Vec<u8>, StoreError> {
    let mut text = serde_json::to_vec(line).map_err(|e| failed("write", path)(std::io::Error::other(e)))?;
    text.push(b'\n');
    Ok(text)
}

/// Secrets are among the objects: only the owner reads the file.
fn options() -> OpenOptions {
    use std::os::unix::fs::OpenOptionsExt;
    let mut options = OpenOptions::new();
    options.create(true).read(true).append(true).mode(0o600);
    options
}

fn failed(doing: &'static str, path: &Path) -> impl FnOnce(std::io::Error) -> StoreError + use<> {
    let path = path.to_owned();
    move |source| StoreError::Io { doing, path, source }
}
