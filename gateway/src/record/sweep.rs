//! Sessions that a killed gateway left open.

use std::fs::{File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom};
use std::path::Path;
use std::sync::Arc;

use jiff::Timestamp;

use super::session::{End, Outcome, Session};
use super::{RecordError, Recorder, SessionId, blocking, replace};

/// A metadata file larger than this is not ours.
const MAX_METADATA: u64 = 1024 * 1024;
/// How far back from a recording's end its last line end is looked for.
const TAIL: u64 = 256 * 1024;

impl Recorder {
    /// Closes sessions without an end as interrupted, and returns them. Sessions that this or another living gateway
    /// on the same file system records are left alone. A line torn off at a recording's end is removed, so that it
    /// plays.
    ///
    /// # Errors
    /// When the directory cannot be read. A single session that cannot be closed is logged and tried again next time.
    pub async fn sweep(&self) -> Result<Vec<Session>, RecordError> {
        let recorder = self.clone();
        let path = self.dir.to_path_buf();
        blocking(move || recorder.sweep_now())
            .await
            .map_err(|source| RecordError::Sweep { path, source: Arc::new(source) })
    }

    fn sweep_now(&self) -> io::Result<Vec<Session>> {
        let mut closed = Vec::new();
        for entry in std::fs::read_dir(self.dir.join("open"))? {
            let path = entry?.path();
            let Some(id) = path.file_name().and_then(|name| SessionId::parse(name.to_str()?).ok()) else {
                continue;
            };
            match self.close(&id, &path) {
                Ok(session) => closed.extend(session),
                Err(error) => tracing::error!(session = %id, %error, "an old session could not be closed"),
            }
        }
        Ok(closed)
    }

    fn close(&self, id: &SessionId, open: &Path) -> io::Result<Option<Session>> {
        let mut lock = OpenOptions::new().read(true).write(true).open(open)?;
        if lock.try_lock().is_err() {
            return Ok(None);
        }
        let mut place = String::new();
        Read::by_ref(&mut lock).take(4_096).read_to_string(&mut place)?;
        let day = Path::new(&place).parent().and_then(Path::file_name).and_then(|day| day.to_str());
        let session = match day {
            Some(day) => self.interrupted(id, day)?,
            // Killed before anything but this file was there.
            None => None,
        };
        std::fs::remove_file(open)?;
        Ok(session)
    }

    fn interrupted(&self, id: &SessionId, day: &str) -> io::Result<Option<Session>> {
        let paths = self.paths(id, day);
        let mut json = Vec::new();
        match File::open(&paths.metadata) {
            Ok(file) => file.take(MAX_METADATA).read_to_end(&mut json)?,
            Err(missing) if missing.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(other) => return Err(other),
        };
        let mut session: Session = serde_json::from_slice(&json)?;
        if session.end.is_some() {
            return Ok(None);
        }
        let mut last_sign = std::fs::metadata(&paths.metadata)?.modified()?;
        if session.recording.is_some() {
            last_sign = std::fs::metadata(&paths.cast)?.modified()?;
            drop_torn_line(&paths.cast)?;
        }
        session.end = Some(End {
            at: Timestamp::try_from(last_sign).unwrap_or(session.started),
            outcome: Outcome::Interrupted,
            exit: None,
            bytes_in: None,
            bytes_out: None,
            why: Some("the gateway stopped while the session was open".to_owned()),
        });
        replace(&paths.metadata, &session.to_json()?)?;
        Ok(Some(session))
    }
}

fn drop_torn_line(path: &Path) -> io::Result<()> {
    let mut file = OpenOptions::new().read(true).write(true).open(path)?;
    let length = file.metadata()?.len();
    let from = length.saturating_sub(TAIL);
    file.seek(SeekFrom::Start(from))?;
    let mut tail = Vec::new();
    Read::by_ref(&mut file).take(TAIL).read_to_end(&mut tail)?;
    let whole = tail.iter().rposition(|&b| b == b'\n').map_or(0, |at| at + 1);
    if whole > 0 && whole < tail.len() {
        file.set_len(from + u64::try_from(whole).unwrap_or(0))?;
    }
    Ok(())
}
