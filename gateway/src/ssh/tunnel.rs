//! `direct-tcpip`: `ssh -L`, `ssh -W` and ProxyJump hosts, through the Kubernetes API into a pod.
//!
//! The channel is accepted only once the pod's port has answered, so a refused connection is refused the way SSH does
//! it. How bytes pass is `tunnel::pass`.

pub(super) mod pass;

use std::sync::Arc;

use super::channel::TunnelAsk;
use super::connection::Connection;
use super::gateway::Rooms;
use super::inuse;
use super::ledger::{Ledger, Purpose};
use super::pump::{Counts, Why};
use super::rooms::No;
use crate::bridge::{BridgeError, Tunnel};
use crate::record::{Outcome, SessionId, SessionKind};

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
        let half_close = open.tunnel.half_close_supported();
        let (up, mut down) = open.tunnel.split();
        let work =
            Box::pin(pass::run(&mut input, &output, (&up, &mut down, half_close), hold, &overfull, &counts));
        let why = inuse::while_used(&self.gateway.access, open.admitted.permit(), &counts, work).await;
        output.close().await;
        let (outcome, said) = match why {
            Why::Cut(end) => (Outcome::Cut, Some(format!("cut: {end}"))),
            Why::Left => (Outcome::Left, None),
            Why::Stopping => (Outcome::Interrupted, Some("the gateway is stopping".to_owned())),
            Why::Record(error) => (Outcome::Failed, Some(error.to_string())),
            Why::Overfull => (Outcome::Failed, Some("the pod does not read what is sent to it".to_owned())),
            Why::Spool(error) => (Outcome::Failed, Some(error)),
            Why::Exit(exit) => (Outcome::Ended, exit.message().map(str::to_owned)),
            Why::Signal(_) | Why::Interrupt => (Outcome::Ended, None),
        };
        // A tunnel has no status that could tell; the event and the log do.
        let _ = open.ledger.close(outcome, None, &counts, said).await;
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
        let certificate = self.as_known(certificate);
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
                let _ = ledger.close(Outcome::Failed, None, &Counts::default(), Some(no.text.clone())).await;
                Err((no, allowed))
            }
        }
    }
}
