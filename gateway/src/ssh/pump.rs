//! One session between a client and a pod, from its first byte to its last: output on record before it is shown,
//! input to its end, sizes and signals, warnings, and the moment at which it is cut.
//!
//! The recorder comes first: what it did not take is not shown, and when it fails the session ends. The pod's side is
//! hung up before the client is told why, so nothing passes after a cut. What this cannot do: end a command that runs
//! without a terminal in the pod; Kubernetes only closes its streams.

mod client;
mod pod;
mod screen;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use bytes::Bytes;
use futures::future::BoxFuture;
use jiff::Timestamp;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use super::channel::Control;
use super::inbound::{InboundError, Inflow};
use super::outflow::Outflow;
use crate::access::GrantEnd;
use crate::bridge::{Exit, Output};
use crate::clock::SharedClock;
use crate::record::{RecordError, Recording};
use crate::terminal::Size;

pub(super) use client::with_returns;
#[cfg(test)]
pub(super) use pod::Closed;
pub(super) use pod::{PodInput, PodOutput, Quiet, Stream};
use screen::Screen;

/// A command that has not ended this long after its input did, on a server that cannot be told of that.
const NO_EOF: Duration = Duration::from_secs(2);

/// The pod's side has this long to be hung up before the client is told.
const HANG_UP: Duration = Duration::from_millis(300);

/// When people are told that the end is near, in seconds before it.
const WARNINGS: [i64; 2] = [300, 60];

/// How often a session that has had its warnings looks whether its end was moved.
const AGAIN: Duration = Duration::from_secs(5);

/// What holds a session up, and how long.
pub(super) struct Hold {
    pub(super) clock: SharedClock,
    /// The grant's end, as it is known at the moment of asking: it may be moved.
    pub(super) ends: Box<dyn Fn() -> Timestamp + Send + Sync>,
    /// Resolves when the grant opens nothing any more.
    pub(super) ended: BoxFuture<'static, GrantEnd>,
    /// The gateway is stopping.
    pub(super) draining: CancellationToken,
    pub(super) recording: Arc<Recording>,
}

/// The client's side.
pub(super) struct Client {
    pub(super) input: Inflow,
    pub(super) control: Control,
    pub(super) output: Arc<Outflow>,
    /// The terminal's size; without one, output is passed as it is and warnings go to standard error.
    pub(super) terminal: Option<Size>,
}

/// Why a session is over.
#[derive(Debug)]
pub(super) enum Why {
    /// The command ended, or how it ended will not be known.
    Exit(Exit),
    /// The client hung up with a signal on its terminal.
    Signal(String),
    /// Ctrl-C where there is no program that it could go to.
    Interrupt,
    /// The grant opens nothing any more.
    Cut(GrantEnd),
    /// The client is gone.
    Left,
    /// The gateway is stopping.
    Stopping,
    /// It cannot be recorded.
    Record(RecordError),
    /// The client sent more than the gateway keeps for a pod that does not read.
    Overfull,
    /// The client's input could not be kept.
    Spool(String),
}

/// What was passed.
#[derive(Debug, Default)]
pub(super) struct Counts {
    bytes_in: AtomicU64,
    bytes_out: AtomicU64,
}

impl Counts {
    pub(super) fn add_in(&self, bytes: usize) {
        self.bytes_in.fetch_add(bytes as u64, Ordering::Relaxed);
    }

    pub(super) fn add_out(&self, bytes: usize) {
        self.bytes_out.fetch_add(bytes as u64, Ordering::Relaxed);
    }

    pub(super) fn bytes_in(&self) -> u64 {
        self.bytes_in.load(Ordering::Relaxed)
    }

    pub(super) fn bytes_out(&self) -> u64 {
        self.bytes_out.load(Ordering::Relaxed)
    }
}

/// Runs until one side ends. The client has been told nothing yet when this returns, except by the pod.
pub(super) async fn run<I: PodInput, O: PodOutput>(
    client: &mut Client,
    input: &I,
    output: &mut O,
    hold: Hold,
    counts: &Counts,
) -> Why {
    let Hold { clock, ends, mut ended, draining, recording } = hold;
    let (say, heard) = mpsc::channel(4);
    let out = Arc::clone(&client.output);
    let Client { input: inflow, control, terminal, .. } = client;
    let overfull = control.overfull.clone();
    let failed = recording.failed();
    let screen = terminal.map(Screen::new);
    let up = to_pod(inflow, input, terminal.is_some(), &say, counts);
    let beside = client::control(control, input, &recording, terminal.is_some(), &say);
    let down = from_pod(output, &out, &recording, screen, heard, counts);
    let warn = warnings(&clock, &*ends, &say);
    let over = tokio::select! {
        biased;
        end = &mut ended => Why::Cut(end),
        () = out.gone() => Why::Left,
        error = failed => Why::Record(error),
        () = overfull.cancelled() => Why::Overfull,
        () = draining.cancelled() => Why::Stopping,
        why = down => why,
        why = up => why,
        why = beside => why,
        () = warn => Why::Left,
    };
    if !matches!(over, Why::Exit(_)) {
        let _ = tokio::time::timeout(HANG_UP, input.hang_up()).await;
    }
    over
}

/// Passes input on. Ends only when that is a reason to end the session.
async fn to_pod<I: PodInput>(
    inflow: &mut Inflow,
    input: &I,
    terminal: bool,
    say: &mpsc::Sender<screen::Say>,
    counts: &Counts,
) -> Why {
    loop {
        match inflow.next().await {
            Ok(Some(bytes)) => {
                // Ctrl-C or Ctrl-D where no program reads it.
                if terminal && input.ends_by_interrupt() && bytes.iter().any(|byte| matches!(byte, 3 | 4)) {
                    return Why::Interrupt;
                }
                let len = bytes.len();
                if input.write(bytes).await.is_err() {
                    break;
                }
                counts.add_in(len);
            }
            Ok(None) => {
                let _ = input.eof().await;
                if !input.half_close() {
                    tokio::time::sleep(NO_EOF).await;
                    let text = "this cluster's API server (before 1.30) cannot tell a command that its input has \
                                ended; if it waits for that, it will not end by itself";
                    let _ = say.send(screen::Say::aside(text)).await;
                }
                break;
            }
            Err(InboundError::Gone) => return Why::Left,
            Err(InboundError::Spool(error)) => return Why::Spool(error),
        }
    }
    // The pod reads no more; how it ends comes from the other direction.
    std::future::pending().await
}

/// Passes output on: first to the recorder, then to the client.
async fn from_pod<O: PodOutput>(
    output: &mut O,
    out: &Outflow,
    recording: &Recording,
    mut screen: Option<Screen>,
    mut heard: mpsc::Receiver<screen::Say>,
    counts: &Counts,
) -> Why {
    loop {
        let due = screen.as_ref().and_then(Screen::due);
        let next = tokio::select! {
            biased;
            Some(said) = heard.recv() => {
                if said.mark
                    && let Err(error) = recording.marker(&said.text).await
                {
                    return Why::Record(error);
                }
                match &mut screen {
                    Some(screen) => screen.say(said, out).await,
                    None => out.say(&said.text).await,
                }
                continue;
            }
            () = until(due) => {
                if let Some(screen) = &mut screen {
                    screen.tick(out).await;
                }
                continue;
            }
            next = output.next() => next,
        };
        let done = match next {
            Some(Output::Stdout(bytes)) => {
                shown(recording.output(bytes).await, |bytes| out.stdout(bytes), counts).await
            }
            Some(Output::Stderr(bytes)) => {
                shown(recording.error_output(bytes).await, |bytes| out.stderr(bytes), counts).await
            }
            Some(Output::Exit(exit)) => Err(last(out, recording, counts, exit).await),
            None => {
                let exit = Exit::Unknown { why: "the pod's side ended without a word".to_owned() };
                Err(last(out, recording, counts, exit).await)
            }
        };
        match done {
            Ok(bytes) => {
                if let Some(screen) = &mut screen {
                    screen.output(&bytes);
                }
            }
            Err(why) => return why,
        }
    }
}

async fn shown<F: Future<Output = Result<(), super::outflow::Gone>>>(
    recorded: Result<Bytes, RecordError>,
    send: impl FnOnce(Bytes) -> F,
    counts: &Counts,
) -> Result<Bytes, Why> {
    let bytes = recorded.map_err(Why::Record)?;
    if !bytes.is_empty() {
        send(bytes.clone()).await.map_err(|_| Why::Left)?;
        counts.add_out(bytes.len());
    }
    Ok(bytes)
}

/// The pod's side is over: what the recorder held back is shown, and then the exit.
async fn last(out: &Outflow, recording: &Recording, counts: &Counts, exit: Exit) -> Why {
    let (output, errors) = match recording.rest().await {
        Ok(rest) => rest,
        Err(error) => return Why::Record(error),
    };
    let done = async {
        shown(Ok(output), |bytes| out.stdout(bytes), counts).await?;
        shown(Ok(errors), |bytes| out.stderr(bytes), counts).await
    };
    match done.await {
        Ok(_) => Why::Exit(exit),
        Err(why) => why,
    }
}

async fn until(moment: Option<tokio::time::Instant>) {
    match moment {
        Some(moment) => tokio::time::sleep_until(moment).await,
        None => std::future::pending().await,
    }
}

/// Says that the end is near, and says so again when the end was moved meanwhile. Never resolves: the end itself
/// comes from the grant.
async fn warnings(
    clock: &SharedClock,
    ends: &(dyn Fn() -> Timestamp + Send + Sync),
    say: &mpsc::Sender<screen::Say>,
) {
    // What was said last: of which end, and how long before it.
    let mut said: Option<(Timestamp, i64)> = None;
    loop {
        let (end, now) = (ends(), clock.now());
        // A session that begins later than a warning is not told what its person has just been shown.
        let next = WARNINGS.into_iter().find_map(|before| {
            let moment = end.checked_sub(Duration::from_secs(before.unsigned_abs())).ok()?;
            (moment > now).then_some((moment, before))
        });
        let Some((moment, before)) = next else {
            // Nothing more to say of this end; it may still be moved.
            clock.sleep_until(now.checked_add(AGAIN).unwrap_or(now)).await;
            continue;
        };
        clock.sleep_until(moment).await;
        if ends() != end || said == Some((end, before)) {
            continue;
        }
        said = Some((end, before));
        let left = crate::terminal::span(Duration::from_secs(before.unsigned_abs()));
        let text =
            format!("this session ends in {left}, with its grant, at {} UTC", end.strftime("%H:%M:%S"));
        let _ = say.send(screen::Say::warning(&text)).await;
    }
}
