//! A pipeline, run: each command an exec of its own, with the streams between them made here. Frames are passed as they
//! come, through bounded queues; a command whose reader is gone is hung up, as SIGPIPE would.

use std::time::Duration;

use bytes::Bytes;
use futures::future::join_all;
use sallyport_policy::commands::{Cleared, Own};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use super::container::{Container, Input, Running};
use super::opened::{self, File, Reading};
use crate::bridge::{Exit, Output};

/// Frames between two commands.
const QUEUE: usize = 16;
/// What a shell says of a command that Ctrl-C ended, and of one whose reader was gone.
pub(super) const INTERRUPTED: u8 = 130;
const BROKEN: u8 = 141;
/// A command that has not ended this long after its input did, on a server that cannot be told of that.
const NO_EOF: Duration = Duration::from_secs(2);

/// Where a command's input comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Source {
    /// The person's terminal, where it has all of it; otherwise nothing.
    Nothing,
    /// Nothing, as it was asked for.
    Empty,
    /// The command before it.
    Previous,
    /// A file, by its place in [`Stage::files`].
    File(usize),
}

/// Where a stream goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Sink {
    /// What the person sees.
    Screen,
    /// The same, as errors where there is no terminal.
    Errors,
    /// The command after it.
    Next,
    Nowhere,
    /// A file, by its place in [`Stage::files`].
    File(usize),
}

/// A command with its streams.
#[derive(Debug, Clone)]
pub(super) struct Stage {
    pub(super) command: Cleared,
    pub(super) input: Source,
    pub(super) output: Sink,
    pub(super) errors: Sink,
    /// What its redirections open, from left to right.
    pub(super) files: Vec<File>,
}

/// What is shown while it runs.
#[derive(Debug)]
pub(super) enum Shown {
    Out(Bytes),
    Err(Bytes),
    /// A word of the gateway's own.
    Word(String),
}

/// A frame's way: the screen, a queue, or nowhere.
#[derive(Clone)]
enum Way {
    Screen(mpsc::Sender<Shown>),
    Errors(mpsc::Sender<Shown>),
    Queue(mpsc::Sender<Bytes>),
    Nowhere,
}

impl Way {
    /// `false`: nobody reads there any more.
    async fn send(&self, bytes: Bytes) -> bool {
        match self {
            Self::Screen(shown) => shown.send(Shown::Out(bytes)).await.is_ok(),
            Self::Errors(shown) => shown.send(Shown::Err(bytes)).await.is_ok(),
            Self::Queue(queue) => queue.send(bytes).await.is_ok(),
            Self::Nowhere => true,
        }
    }
}

/// Runs all stages at once; the last one's status.
pub(super) async fn run<C: Container>(
    container: &C,
    stages: Vec<Stage>,
    shown: &mpsc::Sender<Shown>,
    interrupt: &CancellationToken,
) -> u8 {
    let mut all = Vec::new();
    // From the last to the first: each knows the queue of the one after it.
    let mut next: Option<mpsc::Sender<Bytes>> = None;
    for stage in stages.into_iter().rev() {
        let (queue, input) = match &stage.input {
            Source::Previous => {
                let (queue, input) = mpsc::channel(QUEUE);
                (Some(queue), Some(input))
            }
            Source::Nothing | Source::Empty | Source::File(_) => (None, None),
        };
        let after = next.take();
        next = queue;
        all.push(Box::pin(one(container, stage, input, after, shown, interrupt)));
    }
    let statuses = join_all(all).await;
    if interrupt.is_cancelled() {
        return INTERRUPTED;
    }
    // The last command came first.
    statuses.first().copied().unwrap_or_default()
}

/// One stage with the files that it reads and writes.
async fn one<C: Container>(
    container: &C,
    stage: Stage,
    input: Option<mpsc::Receiver<Bytes>>,
    next: Option<mpsc::Sender<Bytes>>,
    shown: &mpsc::Sender<Shown>,
    interrupt: &CancellationToken,
) -> u8 {
    let Stage { command, input: source, output, errors, files } = stage;
    let wanted = match source {
        Source::File(index) => Some(index),
        Source::Nothing | Source::Empty | Source::Previous => None,
    };
    // All of them, before it starts. Where one cannot be opened, its neighbours find nobody at their ends.
    let reading = match opened::open(container, &files, wanted, shown, interrupt).await {
        Ok(reading) => reading,
        Err(status) => return status,
    };
    let (mut queues, mut writers) = (Vec::new(), Vec::new());
    for (index, file) in files.into_iter().enumerate() {
        let used = [&output, &errors].into_iter().any(|sink| *sink == Sink::File(index));
        let (File::Write { path, .. }, true) = (file, used) else {
            queues.push(None);
            continue;
        };
        let (queue, frames) = mpsc::channel(QUEUE);
        // It is there, and empty if it was to be.
        let own = Cleared::own(Own::Write { path, append: true });
        queues.push(Some(queue));
        writers.push(Box::pin(process(
            container,
            own,
            Some(frames),
            Way::Nowhere,
            errors_of(shown),
            interrupt,
        )));
    }
    let way = |sink: &Sink| match sink {
        Sink::Screen => Way::Screen(shown.clone()),
        Sink::Errors => Way::Errors(shown.clone()),
        Sink::Next => next.clone().map_or(Way::Nowhere, Way::Queue),
        Sink::Nowhere => Way::Nowhere,
        Sink::File(index) => queues.get(*index).cloned().flatten().map_or(Way::Nowhere, Way::Queue),
    };
    let (out, err) = (way(&output), way(&errors));
    drop((queues, next));
    let read = async {
        let Some(Reading { input: stdin, output, first }) = reading else {
            return (process(container, command, input, out, err, interrupt).await, 0);
        };
        let (queue, frames) = mpsc::channel(QUEUE);
        tokio::join!(
            process(container, command, Some(frames), out, err, interrupt),
            run_on::<C>(
                "cat",
                (stdin, output),
                Some(first),
                None,
                (Way::Queue(queue), errors_of(shown)),
                interrupt
            ),
        )
    };
    let ((status, reader), written) = tokio::join!(read, join_all(writers));
    // A file that could not be read or written is what went wrong, whatever the command thinks. One that the command
    // did not read to its end is no fault.
    let file = written.into_iter().chain([reader]).find(|status| !matches!(status, 0 | &BROKEN));
    file.unwrap_or(status)
}

fn errors_of(shown: &mpsc::Sender<Shown>) -> Way {
    Way::Errors(shown.clone())
}

/// One process: fed from a queue, its streams sent on their ways.
async fn process<C: Container>(
    container: &C,
    command: Cleared,
    input: Option<mpsc::Receiver<Bytes>>,
    out: Way,
    err: Way,
    interrupt: &CancellationToken,
) -> u8 {
    let program = command.argv().first().cloned().unwrap_or_default();
    let started = tokio::select! {
        started = container.start(command, None, input.is_some()) => started,
        () = interrupt.cancelled() => return INTERRUPTED,
    };
    let (stdin, output) = match started {
        Ok(started) => started,
        Err(error) => {
            tracing::info!(?error, "a command could not be started");
            err.send(format!("sallyport: {program}: {error}\n").into()).await;
            return 126;
        }
    };
    run_on::<C>(&program, (stdin, output), None, input, (out, err), interrupt).await
}

/// One that has been started. `first`: what it has said already.
async fn run_on<C: Container>(
    program: &str,
    (stdin, mut output): (C::Input, C::Output),
    mut first: Option<Output>,
    input: Option<mpsc::Receiver<Bytes>>,
    (out, err): (Way, Way),
    interrupt: &CancellationToken,
) -> u8 {
    let feed = async {
        if let Some(mut frames) = input {
            while let Some(bytes) = frames.recv().await {
                if !stdin.write(bytes).await {
                    break;
                }
            }
            // What still comes has no reader.
            drop(frames);
            stdin.eof().await;
            if !stdin.half_close() {
                tokio::time::sleep(NO_EOF).await;
                let text = "this cluster cannot say that input is over; hung up\n";
                err.send(format!("sallyport: {program}: {text}").into()).await;
                stdin.hang_up().await;
            }
        }
        std::future::pending::<()>().await;
    };
    let pass = async {
        loop {
            let next = match first.take() {
                Some(first) => first,
                None => match output.next().await {
                    Some(next) => next,
                    None => return 1,
                },
            };
            let read = match next {
                Output::Stdout(bytes) => out.send(bytes).await,
                Output::Stderr(bytes) => err.send(bytes).await,
                Output::Exit(exit) => return ended(program, &exit, &err).await,
            };
            if !read {
                return BROKEN;
            }
        }
    };
    let status = tokio::select! {
        status = pass => status,
        () = feed => 1,
        () = interrupt.cancelled() => INTERRUPTED,
    };
    stdin.hang_up().await;
    status
}

/// The status of a command that has ended; what could not even be started is said.
async fn ended(program: &str, exit: &Exit, err: &Way) -> u8 {
    if let Some(message) = exit.message() {
        err.send(format!("sallyport: {program}: {message}\n").into()).await;
    }
    exit.status()
}
