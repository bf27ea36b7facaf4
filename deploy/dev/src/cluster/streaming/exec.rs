//! `pods/exec`: a process beside the container's first one, its streams on channels of a WebSocket.
//!
//! When the client goes away, the process is treated as containerd treats it: its standard input ends, unless
//! it has a terminal; it is neither killed nor hung up on, nobody reads what it writes, and it ends at the
//! latest with its container. Only so many may go on like this at one time; one more is killed.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::Request;
use axum::response::Response;
use bytes::{Bytes, BytesMut};
use futures::StreamExt;
use futures::stream::SplitStream;
use serde::Deserialize;
use serde_json::Value;
use tokio::io::AsyncWriteExt;
use tokio::process::Child;
use tokio::sync::{OwnedSemaphorePermit, mpsc, watch};
use tokio_util::sync::CancellationToken;

use super::params::Params;
use super::websocket::{self, Handshake, QUEUE, Socket, V4, V5, block, text};
use crate::cluster::kubelet::{
    ContainerError, ExecOptions, Exit, Input, Kubelet, Mark, Node, Output, Process, kill_all, resize,
    start_process,
};
use crate::cluster::status::Status;
use crate::cluster::store::object;

pub(super) const STDIN: u8 = 0;
pub(super) const STDOUT: u8 = 1;
pub(super) const STDERR: u8 = 2;
pub(super) const ERROR: u8 = 3;
const RESIZE: u8 = 4;
const CLOSE: u8 = 255;
/// How long the streams of a process that has ended may be silent before what still holds them is not waited for.
const QUIET: Duration = Duration::from_secs(2);
/// Input of a client that a slow process has not taken yet, in messages.
const INPUT: usize = 4;

/// Answers the request.
pub(super) fn serve(
    request: Request,
    params: &Params,
    pod: &Value,
    kubelet: &Kubelet,
) -> Result<Response, Status> {
    let container = super::container(pod, params)?;
    let tty = params.is("tty");
    let options = ExecOptions {
        argv: params.all("command").map(str::to_owned).collect(),
        tty,
        stdin: params.is("stdin"),
        stdout: params.is("stdout"),
        stderr: params.is("stderr") && !tty,
    };
    if options.argv.is_empty() {
        return Err(Status::bad_request("you must specify at least 1 command"));
    }
    if !(options.stdin || options.stdout || options.stderr) {
        return Err(Status::bad_request("you must specify at least 1 of stdin, stdout, stderr"));
    }
    let handshake = Handshake::read(request, &[V5, V4])?;
    let node = kubelet.node().clone();
    let Ok(place) = node.execs.clone().try_acquire_owned() else {
        return Err(Status::internal("too many processes were started by exec: wait for some to end"));
    };
    let found = kubelet.pod(object::namespace(pod), object::name(pod), object::uid(pod));
    let launch = match found {
        Some(found) => found.beside(&container, &options.argv),
        None => Err(ContainerError::NotRunning(container)),
    };
    // An older server lets the node answer this; a newer one has accepted the stream by then.
    if let (V4, Err(error @ ContainerError::NotRunning(_))) = (handshake.protocol, &launch) {
        return Err(Status::internal(format!("unable to upgrade connection: {error}")));
    }
    Ok(handshake.accept(move |socket| async move {
        let started = launch.and_then(|launch| {
            let process = start_process(&launch, &options)?;
            Ok((process, launch.mark))
        });
        match started {
            Ok((process, mark)) => stream(socket, process, options, &node, mark, place).await,
            Err(error) => refuse(socket, &error).await,
        }
    }))
}

async fn refuse(socket: Socket, error: &ContainerError) {
    let why = match error {
        ContainerError::Start(error) => format!(
            "error executing command in container: failed to exec in container: failed to start exec: OCI runtime \
             exec failed: exec failed: unable to start container process: {error}"
        ),
        error => format!("unable to upgrade connection: {error}"),
    };
    let (sink, _) = socket.split();
    let (queue, messages) = mpsc::channel(1);
    // There is room for one.
    let _ = queue.try_send(text(ERROR, &websocket::failure(&why).to_string()));
    drop(queue);
    websocket::write(sink, messages).await;
}

async fn stream(
    socket: Socket,
    process: Process,
    options: ExecOptions,
    node: &Arc<Node>,
    mark: Mark,
    place: OwnedSemaphorePermit,
) {
    let Process { input, stdout, stderr, mut child } = process;
    let (sink, source) = socket.split();
    let (queue, messages) = mpsc::channel(QUEUE);
    let gone = CancellationToken::new();
    let (ended, has_ended) = watch::channel(false);

    let writing = tokio::spawn({
        let gone = gone.clone();
        async move {
            if !websocket::write(sink, messages).await {
                gone.cancel();
            }
        }
    });
    let reading = tokio::spawn(take_input(source, input, gone.clone()));
    let pump = |from: Option<Output>, channel| {
        tokio::spawn(give_output(from, channel, queue.clone(), has_ended.clone(), gone.clone()))
    };
    let (out, err) = (pump(stdout, STDOUT), pump(stderr, STDERR));

    let status = tokio::select! {
        status = child.wait() => status,
        () = gone.cancelled() => {
            let held = (reading.await, out.await, err.await);
            abandon(child, node, &mark, place).await;
            drop(held);
            return;
        }
    };
    ended.send_replace(true);
    // They end with the streams, with silence or with the client.
    let _ = (out.await, err.await);
    let exit = status.map(Exit::from).map_or(255, |exit| exit.code);
    let status = if exit == 0 { websocket::success() } else { websocket::exit_code(&options.argv, exit) };
    // It fails when the client is gone, and then nobody asks.
    let _ = queue.send(text(ERROR, &status.to_string())).await;
    drop(queue);
    let _ = writing.await;
    websocket::part(reading).await;
}

/// Reads from the client until it is gone. Returns what keeps a terminal open.
async fn take_input(mut source: SplitStream<Socket>, input: Input, gone: CancellationToken) -> Option<Input> {
    let (mut feed, mut food) = (None, None);
    let mut tty = None;
    match input {
        Input::None => {}
        Input::Pipe(mut pipe) => {
            let (sender, mut receiver) = mpsc::channel::<Bytes>(INPUT);
            feed = Some(sender);
            food = Some(tokio::spawn(async move {
                while let Some(bytes) = receiver.recv().await {
                    // The process does not want it; the rest is read and dropped.
                    if pipe.write_all(&bytes).await.is_err() {
                        receiver.close();
                    }
                }
            }));
        }
        Input::Tty(terminal) => tty = Some(terminal),
    }
    loop {
        let next = tokio::select! {
            next = websocket::read(&mut source) => next,
            () = gone.cancelled() => None,
        };
        let Some((channel, payload)) = next else { break };
        match (channel, &mut tty) {
            (STDIN, Some(tty)) => {
                // While the terminal takes no more, the client waits, but not beyond its own end.
                tokio::select! {
                    _ = tty.write_all(&payload) => {}
                    () = gone.cancelled() => break,
                }
            }
            (STDIN, None) => {
                if let Some(feed) = &feed {
                    let _ = feed.send(payload).await;
                }
            }
            (RESIZE, Some(tty)) => {
                if let Ok(size) = serde_json::from_slice::<Size>(&payload) {
                    resize(tty, size.height, size.width);
                }
            }
            // A terminal has no end of input but the one that is typed.
            (CLOSE, None) if payload.as_ref() == [STDIN] => feed = None,
            _ => {}
        }
    }
    gone.cancel();
    drop((feed, food));
    tty.map(Input::Tty)
}

/// `TerminalSize`.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Size {
    width: u16,
    height: u16,
}

/// Sends a stream of the process on until it ends. Returns it when the client went first.
async fn give_output(
    from: Option<Output>,
    channel: u8,
    queue: mpsc::Sender<Bytes>,
    ended: watch::Receiver<bool>,
    gone: CancellationToken,
) -> Option<Output> {
    let mut from = from?;
    let mut buffer = BytesMut::new();
    loop {
        let mut ended = ended.clone();
        let quiet = async {
            // An error means that the stream is over for other reasons.
            let _ = ended.wait_for(|ended| *ended).await;
            tokio::time::sleep(QUIET).await;
        };
        let message = tokio::select! {
            message = block(&mut from, channel, &mut buffer) => message?,
            () = quiet => return None,
            () = gone.cancelled() => return Some(from),
        };
        if queue.send(message).await.is_err() {
            return Some(from);
        }
    }
}

async fn abandon(mut child: Child, node: &Node, mark: &Mark, place: OwnedSemaphorePermit) {
    let left = node.abandoned.clone().try_acquire_owned();
    if left.is_err() {
        let mark = mark.clone();
        let _ = tokio::task::spawn_blocking(move || kill_all(&mark)).await;
    } else {
        drop(place);
    }
    let _ = child.wait().await;
    drop(left);
}
