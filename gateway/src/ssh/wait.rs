//! `request --wait`: the lobby asks and waits, progress goes to standard error, and once it is open the session that
//! was asked for goes on in the same channel. Ctrl-C ends the waiting, not the request.

use std::sync::Arc;

use super::channel::Session;
use super::gateway::Rooms;
use super::inbound::Inflow;
use super::outflow::{Ending, Outflow};
use super::rooms::reply;
use crate::ca::VerifiedCertificate;
use crate::lobby::{self, Command, Request, TargetArg, Voice, Waited};
use crate::record::SessionId;
use sallyport_policy::Namespace;

/// What a shell says of a command that Ctrl-C ended.
const INTERRUPTED: u32 = 130;

struct Lines<'a>(&'a Outflow);

impl Voice for Lines<'_> {
    async fn say(&self, line: &str) {
        self.0.say(&crate::terminal::clean(line)).await;
    }
}

impl Rooms {
    pub(super) async fn wait(
        &self,
        mut session: Session,
        certificate: &VerifiedCertificate,
        request: Request,
    ) {
        let output = Arc::clone(&session.output);
        let context = self.context(&session, certificate);
        let then = request.wait.clone().and_then(|wait| wait.then);
        let id = SessionId::new(context.now);
        let desk = lobby::Live {
            access: &self.gateway.access,
            bridge: &self.gateway.bridge,
            clock: &self.gateway.clock,
            who: &certificate.identity,
            session: &id,
        };
        let voice = Lines(&output);
        let terminal = session.terminal.is_some();
        let waited = tokio::select! {
            () = output.gone() => return,
            () = self.draining.cancelled() => {
                output.say("the gateway is stopping; the request stays as it is: connect again in a moment").await;
                return output.end(Ending::Status(69)).await;
            }
            () = interrupt(&mut session.input, terminal) => {
                output.say("not waiting any more; the request stays as it is").await;
                return output.end(Ending::Status(INTERRUPTED)).await;
            }
            waited = lobby::wait(&desk, &context, request, &voice) => waited,
        };
        let view = match waited {
            Waited::Not(answer) => return reply(&output, answer).await,
            Waited::Open(view) => view,
        };
        match then {
            None => {
                let opened = lobby::opened(&self.context(&session, certificate), &view, false);
                reply(&output, opened).await;
            }
            Some(then) => {
                use lobby::Voice as _;
                voice.say(&lobby::opened(&self.context(&session, certificate), &view, true).stdout).await;
                let command = within(*then, &view.namespaces);
                Box::pin(self.work(session, certificate, command)).await;
            }
        }
    }
}

/// Resolves at Ctrl-C or Ctrl-D on a terminal. Without one, what is sent belongs to the command that follows, and stays
/// where it is; there Ctrl-C ends the client itself.
async fn interrupt(input: &mut Inflow, terminal: bool) {
    if terminal {
        while let Ok(Some(bytes)) = input.next().await {
            if bytes.iter().any(|byte| matches!(byte, 3 | 4)) {
                return;
            }
        }
    }
    std::future::pending().await
}

/// The command that follows goes to the namespace that was asked for, where it names none and there is only one.
fn within(mut command: Command, namespaces: &[String]) -> Command {
    let only = match namespaces {
        [only] => Namespace::parse(only).ok(),
        _ => None,
    };
    let target: Option<&mut TargetArg> = match &mut command {
        Command::Shell(shell) => Some(&mut shell.target),
        Command::Exec(exec) => Some(&mut exec.target),
        Command::Logs(logs) => Some(&mut logs.target),
        _ => None,
    };
    if let Some(target) = target {
        target.namespace = target.namespace.take().or(only);
    }
    command
}
