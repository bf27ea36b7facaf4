//! `direct-tcpip`: `ssh -L`, `ssh -W` and ProxyJump hosts, through the Kubernetes API into a pod.
//!
//! The channel is accepted only once the pod's port has answered, so a refused connection is refused the way SSH does
//! it. Where the API server cannot pass a half-close, a tunnel whose client has sent its last byte is closed when the
//! pod has been silent for [`AFTER_EOF`]: the pod's program will not learn of it any other way.

use std::sync::Arc;
use std::time::Duration;

use super::channel::TunnelAsk;
use super::connection::Connection;
use super::gateway::Rooms;
use super::inbound::{InboundError, Inflow};
use super::ledger::{Ledger, Purpose};
use super::outflow::Outflow;
use super::pump::{Counts, Hold, Why};
use super::rooms::No;
use crate::bridge::{BridgeError, Tunnel, TunnelInput, TunnelOutput};
use crate::record::{Outcome, SessionId, SessionKind};

const AFTER_EOF: Duration = Duration::from_secs(5);

/// What is open before the client is told.
struct Open {
    admitted: crate::bridge::Admitted,
    tunnel: Tunnel,
    ledger: Ledger,
}

impl Rooms {
    pub(super) async fn forward(&self, ask: TunnelAsk) {
        let TunnelAsk { connection, host, port, reply, mut input, output, overfull } = ask;
        let opened = tokio::select! {
            () = output.gone() => return,
            opened = self.open_tunnel(&connection, &host, port) => opened,
        };
        let open = match opened {
            Ok(open) => open,
            Err((no, true)) => return reply.unreachable(&crate::terminal::clean(&no.text)).await,
            Err((no, false)) => return reply.prohibit(&crate::terminal::clean(&no.text)).await,
        };
        reply.accept().await;
        let counts = Counts::default();
        let hold = self.hold(&open.admitted, &open.ledger);
        let why = pass(&mut input, &output, open.tunnel, hold, &overfull, &counts).await;
        output.close().await;
        let (outcome, said) = match why {
            Why::Cut(end) => (Outcome::Cut, Some(format!("cut: {end}"))),
            Why::Left => (Outcome::Left, None),
            Why::Stopping => (Outcome::Interrupted, Some("the gateway is stopping".to_owned())),
            Why::Record(error) => (Outcome::Failed, Some(error.to_string())),
            Why::Overfull => (Outcome::Failed, Some("the pod does not read what is sent to it".to_owned())),
            Why::Spool(error) => (Outcome::Failed, Some(error)),
            Why::Exit(exit) => (Outcome::Ended, exit.message().map(str::to_owned)),
            Why::Signal(name) => (Outcome::Ended, Some(name)),
        };
        open.ledger.close(outcome, None, &counts, said).await;
    }

    /// The error says whether it was allowed and nobody answered (true), or not allowed (false).
    async fn open_tunnel(
        &self,
        connection: &Arc<Connection>,
        host: &str,
        port: u32,
    ) -> Result<Open, (No, bool)> {
        let allowed = |error: &BridgeError| {
            !matches!(
                error,
                BridgeError::Access(_)
                    | BridgeError::Over(_)
                    | BridgeError::Forbidden { .. }
                    | BridgeError::Impersonation { .. }
            )
        };
        let failed = |error: BridgeError| {
            let allowed = allowed(&error);
            (No::from(error), allowed)
        };
        let certificate = connection.person().map_err(|why| {
            connection.refuse("forward", &format!("not signed in: {why}"));
            let text =
                format!("refused: forward needs a certificate; {why}; type `ssh {} login`", self.name());
            (No { text, status: 77 }, false)
        })?;
        if !certificate.permits_port_forwarding {
            connection.refuse("forward", "the certificate does not permit port forwarding");
            return Err((
                No { text: "the certificate does not permit tunnels".to_owned(), status: 77 },
                false,
            ));
        }
        let id = SessionId::new(self.gateway.clock.now());
        let bridge = &self.gateway.bridge;
        let found =
            bridge.resolve_forward(&self.gateway.access, &certificate.identity, host, port, &id).await;
        let (admitted, pod_port) = found.map_err(failed)?;
        let purpose = Purpose {
            kind: SessionKind::Forward,
            target: crate::terminal::clean(host),
            port: Some(pod_port),
            command: None,
            terminal: None,
        };
        let ledger = self.open(connection, id, &admitted, purpose).await.map_err(|no| (no, false))?;
        match bridge.dial(&admitted, pod_port).await {
            Ok(tunnel) => Ok(Open { admitted, tunnel, ledger }),
            Err(error) => {
                let (no, allowed) = failed(error);
                ledger.close(Outcome::Failed, None, &Counts::default(), Some(no.text.clone())).await;
                Err((no, allowed))
            }
        }
    }
}

async fn pass(
    inflow: &mut Inflow,
    out: &Arc<Outflow>,
    tunnel: Tunnel,
    hold: Hold,
    overfull: &tokio_util::sync::CancellationToken,
    counts: &Counts,
) -> Why {
    let half_close = tunnel.half_close_supported();
    let Hold { mut ended, draining, recording, .. } = hold;
    let (input, mut output) = tunnel.split();
    let no_more = tokio::sync::Notify::new();
    let up = up(inflow, &input, &no_more, counts);
    let down = down(&mut output, out, (!half_close).then_some(&no_more), counts);
    let failed = recording.failed();
    let why = tokio::select! {
        biased;
        end = &mut ended => Why::Cut(end),
        () = out.gone() => Why::Left,
        () = overfull.cancelled() => Why::Overfull,
        () = draining.cancelled() => Why::Stopping,
        error = failed => Why::Record(error),
        why = down => why,
        why = up => why,
    };
    let _ = tokio::time::timeout(Duration::from_millis(300), input.close()).await;
    why
}

/// Ends only when that is a reason to end the tunnel.
async fn up(inflow: &mut Inflow, input: &TunnelInput, no_more: &tokio::sync::Notify, counts: &Counts) -> Why {
    loop {
        match inflow.next().await {
            Ok(Some(bytes)) => {
                let len = bytes.len();
                if input.write(bytes).await.is_err() {
                    break;
                }
                counts.add_in(len);
            }
            Ok(None) => {
                let _ = input.eof().await;
                no_more.notify_one();
                break;
            }
            Err(InboundError::Gone) => return Why::Left,
            Err(InboundError::Spool(error)) => return Why::Spool(error),
        }
    }
    std::future::pending().await
}

async fn down(
    output: &mut TunnelOutput,
    out: &Outflow,
    no_more: Option<&tokio::sync::Notify>,
    counts: &Counts,
) -> Why {
    let mut silence = None;
    loop {
        let next = tokio::select! {
            next = output.next() => next,
            () = heard(no_more), if silence.is_none() => {
                silence = Some(AFTER_EOF);
                continue;
            }
            () = wait(silence) => return over(None),
        };
        match next {
            Some(Ok(bytes)) => {
                let len = bytes.len();
                if out.stdout(bytes).await.is_err() {
                    return Why::Left;
                }
                counts.add_out(len);
            }
            Some(Err(error)) => return over(Some(error.to_string())),
            None => {
                out.eof().await;
                return over(None);
            }
        }
    }
}

async fn heard(no_more: Option<&tokio::sync::Notify>) {
    match no_more {
        Some(no_more) => no_more.notified().await,
        None => std::future::pending().await,
    }
}

async fn wait(silence: Option<Duration>) {
    match silence {
        Some(silence) => tokio::time::sleep(silence).await,
        None => std::future::pending().await,
    }
}

fn over(why: Option<String>) -> Why {
    Why::Exit(match why {
        Some(why) => crate::bridge::Exit::Unknown { why },
        None => crate::bridge::Exit::Code(0),
    })
}
