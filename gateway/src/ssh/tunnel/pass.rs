//! The two directions of a tunnel, each to its own end: a side that has sent its last byte may still listen.
//!
//! Where the API server cannot pass that on to the pod, a tunnel whose client has sent its last byte is closed when the
//! pod has been silent for [`SILENCE`]: the pod's program will not learn of it any other way.

use std::future::pending;
use std::time::Duration;

use bytes::Bytes;
use tokio_util::sync::CancellationToken;

use crate::bridge::{BridgeError, Exit, TunnelInput, TunnelOutput};
use crate::ssh::inbound::{InboundError, Inflow};
use crate::ssh::outflow::Outflow;
use crate::ssh::pump::{Counts, Hold, Why};

const SILENCE: Duration = Duration::from_secs(5);

/// A pod has this long to take what a client sent before it left.
const LAST_BYTES: Duration = Duration::from_secs(10);

/// The pod's side has this long to be closed before the client's is.
const CLOSE: Duration = Duration::from_millis(300);

/// Towards the pod.
pub(in crate::ssh) trait Sink: Sync {
    fn write(&self, bytes: Bytes) -> impl Future<Output = Result<(), BridgeError>> + Send;
    fn eof(&self) -> impl Future<Output = Result<(), BridgeError>> + Send;
    fn close(&self) -> impl Future<Output = ()> + Send;
}

/// From the pod. Can be dropped and called again without loss.
pub(in crate::ssh) trait Source: Send {
    fn next(&mut self) -> impl Future<Output = Option<Result<Bytes, BridgeError>>> + Send;
}

impl Sink for TunnelInput {
    async fn write(&self, bytes: Bytes) -> Result<(), BridgeError> {
        Self::write(self, bytes).await
    }

    async fn eof(&self) -> Result<(), BridgeError> {
        Self::eof(self).await
    }

    async fn close(&self) {
        Self::close(self).await;
    }
}

impl Source for TunnelOutput {
    async fn next(&mut self) -> Option<Result<Bytes, BridgeError>> {
        Self::next(self).await
    }
}

/// Runs until both directions have ended, or the tunnel has to. The pod's side is closed when this returns.
pub(in crate::ssh) async fn run<I: Sink, O: Source>(
    inflow: &mut Inflow,
    out: &Outflow,
    (input, output, half_close): (&I, &mut O, bool),
    hold: Hold,
    overfull: &CancellationToken,
    counts: &Counts,
) -> Why {
    let Hold { mut ended, draining, recording, .. } = hold;
    let said_all = CancellationToken::new();
    let both = async {
        let up = async {
            let up = up(inflow, input, counts).await;
            said_all.cancel();
            up
        };
        let down = down(output, out, (!half_close).then_some(&said_all), counts);
        tokio::pin!(up, down);
        let (mut said, mut heard) = (false, false);
        loop {
            tokio::select! {
                result = &mut up, if !said => match result {
                    Ok(()) => said = true,
                    Err(why) => return why,
                },
                result = &mut down, if !heard => match result {
                    Ok(()) => heard = true,
                    Err(why) => return why,
                },
                // What the client sent before it left still goes to the pod; nothing else is waited for.
                () = out.gone(), if said => return Why::Left,
            }
            // Without half-close the pod has closed both of its directions at once.
            if heard && (said || !half_close) {
                return Why::Exit(Exit::Code(0));
            }
        }
    };
    let failed = recording.failed();
    let why = tokio::select! {
        biased;
        end = &mut ended => Why::Cut(end),
        () = left(out) => Why::Left,
        () = overfull.cancelled() => Why::Overfull,
        () = draining.cancelled() => Why::Stopping,
        error = failed => Why::Record(error),
        why = both => why,
    };
    let _ = tokio::time::timeout(CLOSE, input.close()).await;
    why
}

/// The client is gone, and has been long enough for the pod to take its last bytes.
async fn left(out: &Outflow) {
    out.gone().await;
    tokio::time::sleep(LAST_BYTES).await;
}

/// To the client's last byte.
async fn up<I: Sink>(inflow: &mut Inflow, input: &I, counts: &Counts) -> Result<(), Why> {
    loop {
        match inflow.next().await {
            Ok(Some(bytes)) => {
                let len = bytes.len();
                if input.write(bytes).await.is_err() {
                    // The pod takes no more; what it still says comes from the other direction.
                    return Ok(());
                }
                counts.add_in(len);
            }
            Ok(None) => {
                let _ = input.eof().await;
                return Ok(());
            }
            Err(InboundError::Gone) => return Err(Why::Left),
            Err(InboundError::Spool(error)) => return Err(Why::Spool(error)),
        }
    }
}

/// To the pod's last byte.
async fn down<O: Source>(
    output: &mut O,
    out: &Outflow,
    said_all: Option<&CancellationToken>,
    counts: &Counts,
) -> Result<(), Why> {
    loop {
        let next = tokio::select! {
            biased;
            next = output.next() => next,
            () = silence(said_all) => return Err(Why::Exit(Exit::Code(0))),
        };
        match next {
            Some(Ok(bytes)) => {
                let len = bytes.len();
                out.stdout(bytes).await.map_err(|_| Why::Left)?;
                counts.add_out(len);
            }
            Some(Err(error)) => return Err(Why::Exit(Exit::Unknown { why: error.to_string() })),
            None => {
                out.eof().await;
                return Ok(());
            }
        }
    }
}

/// Resolves after [`SILENCE`] once the client has said all, on servers that cannot pass that on.
async fn silence(said_all: Option<&CancellationToken>) {
    match said_all {
        Some(said_all) => {
            said_all.cancelled().await;
            tokio::time::sleep(SILENCE).await;
        }
        None => pending().await,
    }
}
