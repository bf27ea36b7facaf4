//! The demo's directory: who holds it, and what must stay the same from one start to the next.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::net::SocketAddr;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use rustix::fs::{FlockOperation, flock};

/// Why the directory cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum DirError {
    /// Neither given nor derivable.
    #[error("no state directory: set HOME or say `--dir DIR`")]
    NoHome,
    /// It cannot be made, or a file in it cannot be written.
    #[error("cannot write `{path}`")]
    Write {
        /// Which.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// Another demo runs on it.
    #[error("another demo runs on `{path}`: stop it, or say `--dir` with another directory")]
    Busy {
        /// Which.
        path: PathBuf,
    },
}

/// A demo's directory, held until dropped.
#[derive(Debug)]
pub(super) struct Dir {
    path: PathBuf,
    // Held for its lock.
    _lock: File,
}

impl Dir {
    /// Takes the directory, made (mode 0700) if it is not there.
    pub(super) fn open(path: Option<PathBuf>) -> Result<Self, DirError> {
        let path = match path {
            Some(path) => std::path::absolute(&path).map_err(|source| DirError::Write { path, source })?,
            None => default()?,
        };
        fs::DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(&path)
            .map_err(|source| DirError::Write { path: path.clone(), source })?;
        let lock = path.join("lock");
        let file = OpenOptions::new()
            .create(true)
            .truncate(false)
            .write(true)
            .mode(0o600)
            .open(&lock)
            .map_err(|source| DirError::Write { path: lock, source })?;
        flock(&file, FlockOperation::NonBlockingLockExclusive)
            .map_err(|_| DirError::Busy { path: path.clone() })?;
        Ok(Self { path, _lock: file })
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    pub(super) fn join(&self, name: impl AsRef<Path>) -> PathBuf {
        self.path.join(name)
    }

    /// Makes a directory below.
    pub(super) fn folder(&self, name: &str) -> Result<PathBuf, DirError> {
        let path = self.join(name);
        fs::DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(&path)
            .map_err(|source| DirError::Write { path: path.clone(), source })?;
        Ok(path)
    }

    /// Writes a file below, all or nothing, readable by its owner only.
    pub(super) fn write(&self, name: impl AsRef<Path>, text: &str) -> Result<PathBuf, DirError> {
        let path = self.join(name);
        let failed = |source| DirError::Write { path: path.clone(), source };
        let parent = path.parent().unwrap_or(&self.path);
        let mut file = tempfile::NamedTempFile::new_in(parent).map_err(failed)?;
        io::Write::write_all(&mut file, text.as_bytes()).map_err(failed)?;
        file.persist(&path).map_err(|error| failed(error.error))?;
        Ok(path)
    }

    /// The loopback port that `name` had last time, or 0 for any: an issuer's address is part of who people are.
    pub(super) fn port(&self, name: &str) -> SocketAddr {
        let port = fs::read_to_string(self.join(format!("{name}.port")))
            .ok()
            .and_then(|text| text.trim().parse().ok())
            .unwrap_or(0);
        SocketAddr::from(([127, 0, 0, 1], port))
    }

    /// Keeps the port that `name` got.
    pub(super) fn keep_port(&self, name: &str, port: u16) -> Result<(), DirError> {
        self.write(format!("{name}.port"), &format!("{port}\n")).map(drop)
    }
}

/// `$XDG_STATE_HOME/sallyport/demo`, by the XDG base directory specification.
fn default() -> Result<PathBuf, DirError> {
    let absolute = |name| std::env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
    absolute("XDG_STATE_HOME")
        .or_else(|| absolute("HOME").map(|home| home.join(".local/state")))
        .map(|state| state.join("sallyport/demo"))
        .ok_or(DirError::NoHome)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_directory_is_held_by_one_demo_at_a_time() {
        let place = tempfile::tempdir().unwrap();
        let path = place.path().join("demo");
        let first = Dir::open(Some(path.clone())).unwrap();
        assert!(matches!(Dir::open(Some(path.clone())), Err(DirError::Busy { .. })));
        drop(first);
        assert!(Dir::open(Some(path)).is_ok());
    }

    #[test]
    fn a_port_is_kept_from_one_start_to_the_next() {
        let place = tempfile::tempdir().unwrap();
        let dir = Dir::open(Some(place.path().to_owned())).unwrap();
        assert_eq!(dir.port("idp").port(), 0);
        dir.keep_port("idp", 4711).unwrap();
        assert_eq!(dir.port("idp").port(), 4711);
    }
}
