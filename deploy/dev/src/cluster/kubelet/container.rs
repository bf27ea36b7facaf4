//! One run of one container: its first process, its log, its end.
//!
//! As in a PID namespace, whatever the first process started, and whatever was started beside it by exec, ends
//! with it.

use std::io;
use std::path::PathBuf;
use std::process::Stdio;
use std::time::Duration;

use bytes::BytesMut;
use jiff::Timestamp;
use rustix::process::{Pid, Signal, kill_process};
use tokio::io::{AsyncRead, AsyncReadExt};
use tokio::process::Child;
use tokio::sync::{mpsc, watch};

use super::image::StartError;
use super::logs::{Log, LogSource, LogWriter};
use super::mark;
use super::process::{Exit, Launch};
use crate::cluster::time;

/// Read from a container's streams at once.
const BLOCK: usize = 32 << 10;
/// How long the streams of a container whose processes are gone may stay open.
const DRAIN: Duration = Duration::from_secs(2);

/// The end of a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Ended {
    pub(crate) exit: Exit,
    pub(crate) at: Timestamp,
}

/// A container that was started. It goes on when this is dropped.
#[derive(Debug, Clone)]
pub(crate) struct Running {
    pub(crate) started: Timestamp,
    pub(crate) log: Log,
    signals: mpsc::Sender<Signal>,
    ended: watch::Receiver<Option<Ended>>,
}

impl Running {
    /// Starts the container's first process, logging to `log`.
    pub(crate) fn start(launch: Launch, log: PathBuf) -> Result<Running, StartError> {
        let spawn = |error: io::Error| {
            let program = launch.argv.first().map(|word| word.to_string_lossy().into_owned());
            StartError::Spawn(program.unwrap_or_default(), error.to_string())
        };
        std::fs::create_dir_all(&launch.dir).map_err(spawn)?;
        let (writer, log) = LogWriter::create(log).map_err(spawn)?;
        let mut command = launch.detached();
        let child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().map_err(spawn)?;
        let started = time::now();
        let (signals, received) = mpsc::channel(4);
        let (end, ended) = watch::channel(None);
        tokio::spawn(async move {
            let exit = attend(child, writer, received, &launch).await;
            end.send_replace(Some(Ended { exit, at: time::now() }));
        });
        Ok(Running { started, log, signals, ended })
    }

    /// Waits for the end.
    pub(crate) async fn ended(&self) -> Ended {
        let mut ended = self.ended.clone();
        let ended = ended.wait_for(Option::is_some).await.ok().and_then(|ended| *ended);
        // The task that attends it ends only by telling how, or with the whole runtime.
        ended.unwrap_or_else(|| Ended { exit: Exit { code: 255, signal: None }, at: time::now() })
    }

    /// SIGTERM, then SIGKILL once `grace` is over; returns when it has ended.
    pub(crate) async fn stop(&self, grace: Duration) -> Ended {
        // A full queue holds signals that will do as well.
        let _ = self.signals.try_send(Signal::TERM);
        if let Ok(ended) = tokio::time::timeout(grace, self.ended()).await {
            return ended;
        }
        let _ = self.signals.try_send(Signal::KILL);
        self.ended().await
    }
}

async fn attend(
    mut child: Child,
    writer: LogWriter,
    mut signals: mpsc::Receiver<Signal>,
    launch: &Launch,
) -> Exit {
    let streams = (child.stdout.take(), child.stderr.take());
    let mut pump = std::pin::pin!(pump(streams.0, streams.1, writer));
    let mut pumped = false;
    let status = loop {
        tokio::select! {
            status = child.wait() => break status,
            () = &mut pump, if !pumped => pumped = true,
            Some(signal) = signals.recv() => {
                // It has not been waited for, so the number is still its own.
                if let Some(pid) = child.id().and_then(|pid| i32::try_from(pid).ok()).and_then(Pid::from_raw) {
                    let _ = kill_process(pid, signal);
                }
            }
        }
    };
    let mark = launch.mark.clone();
    // An error means that the runtime is being shut down.
    let _ = tokio::task::spawn_blocking(move || mark::kill_all(&mark)).await;
    if !pumped {
        let _ = tokio::time::timeout(DRAIN, pump).await;
    }
    status.map_or(Exit { code: 255, signal: None }, Exit::from)
}

async fn pump(
    mut stdout: Option<impl AsyncRead + Unpin>,
    mut stderr: Option<impl AsyncRead + Unpin>,
    mut writer: LogWriter,
) {
    let (mut out, mut err) = (BytesMut::with_capacity(BLOCK), BytesMut::with_capacity(BLOCK));
    let mut failed = false;
    while stdout.is_some() || stderr.is_some() {
        let (source, more) = tokio::select! {
            more = read(&mut stdout, &mut out), if stdout.is_some() => (LogSource::Stdout, more),
            more = read(&mut stderr, &mut err), if stderr.is_some() => (LogSource::Stderr, more),
        };
        let buffer = if source == LogSource::Stdout { &mut out } else { &mut err };
        // A log that cannot be written must not stop the container: it is drained all the same.
        if let Err(error) = writer.write(source, buffer)
            && !std::mem::replace(&mut failed, true)
        {
            tracing::warn!(%error, "a container's log cannot be written");
        }
        buffer.clear();
        match source {
            _ if more => {}
            LogSource::Stdout => stdout = None,
            LogSource::Stderr => stderr = None,
        }
    }
    if let Err(error) = writer.finish() {
        tracing::warn!(%error, "the end of a container's log is lost");
    }
}

async fn read(stream: &mut Option<impl AsyncRead + Unpin>, into: &mut BytesMut) -> bool {
    let Some(stream) = stream else { return false };
    into.reserve(BLOCK);
    stream.read_buf(into).await.is_ok_and(|read| read > 0)
}
