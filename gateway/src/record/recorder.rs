//! The directory of recordings, and how one is begun.

use std::fmt;
use std::fs::{DirBuilder, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::audit::Person;
use crate::clock::SharedClock;
use crate::terminal::Size;

use super::recording::Recording;
use super::session::{Session, SessionKind, TerminalInfo};
use super::{RecordError, SessionId, blocking, cast, replace};

/// What is known of a session at its beginning.
#[derive(Debug, Clone)]
pub struct SessionStart {
    /// Its id.
    pub id: SessionId,
    /// Whose it is.
    pub person: Person,
    /// The request's name.
    pub request: String,
    /// The policy's name.
    pub policy: String,
    /// The reason given for the request.
    pub reason: Option<String>,
    /// What kind.
    pub kind: SessionKind,
    /// The namespace.
    pub namespace: String,
    /// What the person named.
    pub target: Option<String>,
    /// The pod that it came to.
    pub pod: Option<String>,
    /// The container in it.
    pub container: Option<String>,
    /// The TCP port of a tunnel.
    pub port: Option<u16>,
    /// The command, word by word.
    pub command: Option<Vec<String>>,
    /// The terminal; `None` means that there is no PTY.
    pub terminal: Option<TerminalInfo>,
    /// The other end of the SSH connection, `address:port`.
    pub peer: Option<String>,
    /// Whether policy wants what is shown on record (shell and exec only).
    pub record: bool,
    /// Whether nothing may be shown before it is safely on disk. Counts where something is recorded.
    pub strict: bool,
}

/// Makes what was written to a file safe from a power cut.
pub(super) type Sync = Arc<dyn Fn(&File) -> io::Result<()> + Send + std::marker::Sync>;

/// Begins recordings; cheap to clone.
#[derive(Clone)]
pub struct Recorder {
    pub(super) dir: Arc<Path>,
    pub(super) clock: SharedClock,
    pub(super) sync: Sync,
}

impl fmt::Debug for Recorder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Recorder").field("dir", &self.dir).finish_non_exhaustive()
    }
}

/// Where one session's files are.
#[derive(Debug, Clone)]
pub(super) struct Paths {
    pub(super) metadata: PathBuf,
    pub(super) cast: PathBuf,
    pub(super) commands: PathBuf,
    pub(super) open: PathBuf,
}

/// A session whose files are there and whose writer has not started.
#[derive(Debug)]
pub(super) struct Begun {
    pub(super) session: Session,
    pub(super) paths: Paths,
    /// Locked as long as this process records the session.
    pub(super) lock: File,
    pub(super) cast: Option<File>,
}

impl Recorder {
    /// Records into `dir`, which is made if it is not there.
    ///
    /// # Errors
    /// When the directory cannot be made or written; better now than at the first session.
    pub fn new(dir: PathBuf, clock: SharedClock) -> Result<Self, RecordError> {
        let made = make_dir(&dir.join("open")).and_then(|()| {
            let probe = dir.join("open").join(format!(".probe-{}", std::process::id()));
            create(&probe)
                .and_then(|mut file| file.write_all(b"?"))
                .and_then(|()| std::fs::remove_file(&probe))
        });
        made.map_err(|source| RecordError::Directory { path: dir.clone(), source: Arc::new(source) })?;
        Ok(Self { dir: dir.into(), clock, sync: Arc::new(File::sync_data) })
    }

    /// Begins to record a session: its metadata are on disk, and for a shell or a command the recording's header,
    /// when this returns.
    ///
    /// # Errors
    /// When any of that cannot be written. There must be no session then.
    pub async fn begin(&self, start: SessionStart) -> Result<Recording, RecordError> {
        let started = self.clock.now();
        let shows = matches!(start.kind, SessionKind::Shell | SessionKind::Exec);
        let paths = self.paths(&start.id, &started.strftime("%Y-%m-%d").to_string());
        let size = start
            .terminal
            .as_ref()
            .map_or(Size { columns: 80, rows: 24 }, |t| Size { columns: t.columns, rows: t.rows });
        let session = Session {
            id: start.id.to_string(),
            person: start.person,
            request: start.request,
            policy: start.policy,
            reason: start.reason,
            kind: start.kind,
            namespace: start.namespace,
            target: start.target,
            pod: start.pod,
            container: start.container,
            port: start.port,
            command: start.command,
            terminal: start.terminal,
            peer: start.peer,
            started,
            recording: (shows && start.record).then(|| format!("{}.cast", start.id)),
            strict: shows && start.record && start.strict,
            end: None,
        };
        let sync = Arc::clone(&self.sync);
        let begun = blocking(move || open(session, paths, size, &sync))
            .await
            .map_err(|source| RecordError::Begin { source: Arc::new(source) })?;
        Ok(Recording::start(start.id, begun, Arc::clone(&self.clock), Arc::clone(&self.sync)))
    }

    pub(super) fn paths(&self, id: &SessionId, day: &str) -> Paths {
        let day = self.dir.join(day);
        Paths {
            metadata: day.join(format!("{id}.json")),
            cast: day.join(format!("{id}.cast")),
            commands: day.join(format!("{id}.commands")),
            open: self.dir.join("open").join(id.as_str()),
        }
    }
}

fn open(session: Session, paths: Paths, size: Size, sync: &Sync) -> io::Result<Begun> {
    if let Some(day) = paths.metadata.parent() {
        make_dir(day)?;
    }
    // Locked before it says anything, so that a sweep never takes it for somebody's remains.
    let mut lock = create(&paths.open)?;
    lock.try_lock().map_err(io::Error::from)?;
    lock.write_all(paths.metadata.as_os_str().as_encoded_bytes())?;
    let cast = match &session.recording {
        Some(_) => {
            let mut file = create(&paths.cast)?;
            file.write_all(&cast::header(&session, size)?)?;
            if session.strict {
                sync(&file)?;
            }
            Some(file)
        }
        None => None,
    };
    replace(&paths.metadata, &session.to_json()?)?;
    if session.strict {
        // The files' names too: a file that no directory knows is lost.
        let day = paths.metadata.parent();
        for dir in [day, day.and_then(Path::parent), paths.open.parent()].into_iter().flatten() {
            sync(&File::open(dir)?)?;
        }
    }
    Ok(Begun { session, paths, lock, cast })
}

pub(super) fn create(path: &Path) -> io::Result<File> {
    OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)
}

fn make_dir(path: &Path) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(0o700).create(path)
}
