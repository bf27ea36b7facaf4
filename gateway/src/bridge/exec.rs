//! Commands in a container, over the channel protocol of the API server.
//!
//! `v5.channel.k8s.io` (from 1.30) can say that standard input is over; `v4.channel.k8s.io` cannot, and a remote `cat`
//! would never end. So older servers get SPDY where a command has standard input and no PTY. Where a proxy does not let
//! that pass, `v4` is left, and [`ProcessInput::half_close_supported`] says so. Kubernetes has no way to send a signal:
//! on a PTY signals are characters, elsewhere going away is all there is.

use bytes::Bytes;
use sallyport_policy::commands::Cleared;
use url::form_urlencoded::Serializer;

use super::call::Caller;
use super::wire::{self, Reader, Writer};
use super::{Admitted, BridgeError, Exit, upgrade};
use crate::terminal::Size;

const V5: &str = "v5.channel.k8s.io";
const V4: &str = "v4.channel.k8s.io";

const STDIN: u8 = 0;
const STDOUT: u8 = 1;
const STDERR: u8 = 2;
const STATUS: u8 = 3;
const RESIZE: u8 = 4;

const DOING: &str = "starting a command";

/// SPDY streams in the order of the channels' numbers.
const STREAMS: [wire::StreamOf<'static>; 4] = [
    (&[("streamtype", "stdin")], false),
    (&[("streamtype", "stdout")], false),
    (&[("streamtype", "stderr")], false),
    (&[("streamtype", "error")], false),
];

/// Longest command line, in bytes as it stands in the URL; servers and proxies have limits of their own.
const MAX_QUERY: usize = 256 * 1024;
/// After the exit status, how long the server may take to close.
const FAREWELL: std::time::Duration = std::time::Duration::from_secs(2);

/// A command to run, without a shell in between.
#[derive(Debug, Clone)]
pub struct Exec {
    /// What the rules let run: the program and its arguments.
    pub command: Cleared,
    /// A PTY of this size, or none.
    pub tty: Option<Size>,
    /// Whether there is standard input.
    pub stdin: bool,
}

/// What a running command says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Output {
    /// On standard output, or on its PTY.
    Stdout(Bytes),
    /// On standard error; never with a PTY.
    Stderr(Bytes),
    /// It is over. Nothing comes after this.
    Exit(Exit),
}

/// A command that runs in a container. Dropping both halves ends the connection; the kubelet then hangs up the PTY.
#[derive(Debug)]
pub struct Process {
    input: ProcessInput,
    output: ProcessOutput,
}

impl Process {
    /// The two directions, for two tasks: neither holds up the other.
    #[must_use]
    pub fn split(self) -> (ProcessInput, ProcessOutput) {
        (self.input, self.output)
    }

    /// The output half, while they are together.
    pub(super) const fn output(&mut self) -> &mut ProcessOutput {
        &mut self.output
    }
}

/// The way to the command.
pub struct ProcessInput {
    writer: Writer,
    tty: bool,
}

impl std::fmt::Debug for ProcessInput {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ProcessInput")
            .field("half_close", &self.half_close_supported())
            .finish_non_exhaustive()
    }
}

impl ProcessInput {
    /// Sends to standard input. Waits while the command does not read.
    ///
    /// # Errors
    /// When the connection is closed: broken, or the command has ended. Which of the two, [`ProcessOutput::next`] says;
    /// go on reading it.
    pub async fn write(&self, bytes: Bytes) -> Result<(), BridgeError> {
        self.writer.send(STDIN, bytes).await
    }

    /// Says that standard input is over. Without [`ProcessInput::half_close_supported`] this does nothing.
    ///
    /// # Errors
    /// When the connection broke.
    pub async fn eof(&self) -> Result<(), BridgeError> {
        self.writer.end(STDIN).await
    }

    /// Whether the server can be told that standard input is over.
    #[must_use]
    pub const fn half_close_supported(&self) -> bool {
        self.writer.can_end()
    }

    /// Tells the PTY its new size; does nothing without one.
    ///
    /// # Errors
    /// When the connection broke.
    pub async fn resize(&self, size: Size) -> Result<(), BridgeError> {
        if !self.tty {
            return Ok(());
        }
        let json = format!("{{\"Width\":{},\"Height\":{}}}", size.columns, size.rows);
        self.writer.send(RESIZE, json.into()).await
    }

    /// Ends the connection now.
    pub async fn hang_up(&self) {
        self.writer.close().await;
    }
}

/// The way from the command.
pub struct ProcessOutput {
    reader: Reader,
    program: String,
    /// Put back by whoever looked at the first output.
    returned: Option<Bytes>,
    exit: Option<Exit>,
    over: bool,
}

impl std::fmt::Debug for ProcessOutput {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ProcessOutput").field("over", &self.over).finish_non_exhaustive()
    }
}

impl ProcessOutput {
    /// What comes next; `None` after [`Output::Exit`]. Can be dropped and called again without loss, as in `select!`.
    /// Not calling it for a while is backpressure: the command waits.
    pub async fn next(&mut self) -> Option<Output> {
        if let Some(bytes) = self.returned.take() {
            return Some(Output::Stdout(bytes));
        }
        if self.over {
            return None;
        }
        loop {
            let message = match &self.exit {
                // What the command still wrote is on its way before the server closes.
                Some(_) => tokio::time::timeout(FAREWELL, self.reader.next()).await.unwrap_or(None),
                None => self.reader.next().await,
            };
            match message {
                Some(Ok((STDOUT, bytes))) if !bytes.is_empty() => return Some(Output::Stdout(bytes)),
                Some(Ok((STDERR, bytes))) if !bytes.is_empty() => return Some(Output::Stderr(bytes)),
                Some(Ok((STATUS, status))) if !status.is_empty() => {
                    self.exit.get_or_insert(Exit::read(&status, &self.program));
                }
                // Empty first messages of every channel, and v5's word that one of them is over.
                Some(Ok(_)) => {}
                Some(Err(error)) => return Some(self.end(Some(&error))),
                None => return Some(self.end(None)),
            }
        }
    }

    pub(super) fn put_back(&mut self, bytes: Bytes) {
        if !bytes.is_empty() {
            self.returned = Some(bytes);
        }
    }

    fn end(&mut self, error: Option<&BridgeError>) -> Output {
        self.over = true;
        Output::Exit(self.exit.take().unwrap_or_else(|| {
            if let Some(error) = error {
                tracing::warn!(error = ?error, "a session's connection broke");
            }
            Exit::Unknown {
                why: "the connection to the pod broke; the command may still be running".to_owned(),
            }
        }))
    }
}

/// Starts `exec` in the container that `place` names.
pub(super) async fn start(caller: &Caller, place: &Admitted, exec: &Exec) -> Result<Process, BridgeError> {
    let Some(program) = exec.command.argv().first() else {
        return Err(BridgeError::Target("no command was given".to_owned()));
    };
    let path =
        format!("/api/v1/namespaces/{}/pods/{}/exec?{}", place.namespace(), place.pod(), query(place, exec)?);
    let (writer, reader) = connect(caller, exec, &path).await.map_err(|error| place.name(error))?;
    let process = Process {
        input: ProcessInput { writer, tty: exec.tty.is_some() },
        output: ProcessOutput { reader, program: program.clone(), returned: None, exit: None, over: false },
    };
    if let Some(size) = exec.tty {
        // A command that ended at once has closed the connection; its output says how.
        let _ = process.input.resize(size).await;
    }
    Ok(process)
}

async fn connect(caller: &Caller, exec: &Exec, path: &str) -> Result<(Writer, Reader), BridgeError> {
    if exec.stdin && exec.tty.is_none() && !caller.server().await.ends_channels {
        match upgrade::spdy(caller, DOING, path, V4).await {
            Ok(raw) => return wire::streams(raw, &STREAMS, DOING).await,
            // No upgrade, so nothing runs yet: a proxy that does not know SPDY.
            Err(BridgeError::Protocol { source, .. }) => {
                tracing::debug!(%source, "no SPDY to this cluster; standard input will have no end");
            }
            Err(error) => return Err(error),
        }
    }
    let (socket, protocol) = upgrade::websocket(caller, DOING, path, &[V5, V4]).await?;
    Ok(wire::channels(socket, protocol == V5, DOING))
}

fn query(place: &Admitted, exec: &Exec) -> Result<String, BridgeError> {
    let mut query = Serializer::new(String::new());
    query.append_pair("container", place.container().as_str());
    query.append_pair("stdin", if exec.stdin { "true" } else { "false" });
    query.append_pair("stdout", "true");
    // A PTY has one output; asking for standard error too is an error.
    query.append_pair("stderr", if exec.tty.is_some() { "false" } else { "true" });
    query.append_pair("tty", if exec.tty.is_some() { "true" } else { "false" });
    for word in exec.command.argv() {
        query.append_pair("command", word);
    }
    let query = query.finish();
    if query.len() > MAX_QUERY {
        let limit = MAX_QUERY / 1024;
        return Err(BridgeError::Target(format!("the command line is too long (at most {limit} KiB)")));
    }
    Ok(query)
}
