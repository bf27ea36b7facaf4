//! What is done on a session channel: the command line is parsed by `lobby`, answered there if it only asks, and
//! otherwise opened here: authorise, find the pod, begin the recording, start, pump.

use std::borrow::Cow;
use std::sync::Arc;

use super::channel::{Ask, Session};
use super::connection::{Connection, NotSignedIn};
use super::counter::Counter;
use super::gateway::Rooms;
use super::ledger::{Ledger, Purpose};
use super::outflow::{Ending, Outflow};
use super::pump::{self, Client, Counts, Hold, PodInput, PodOutput, Quiet, Stream};
use super::{ending, inuse, ruled, sealed, signin};
use crate::access::AccessError;
use crate::audit::{Kind, Outcome};
use crate::bridge::{Admitted, BridgeError, Exec, LogOptions, Target};
use crate::ca::VerifiedCertificate;
use crate::commands::{guarded, open};
use crate::lobby::{self, Command, Paper, Reply, Who};
use crate::record::{self, RecordError, SessionId, SessionKind};
use sallyport_policy::Action;
use sallyport_policy::commands::{Cleared, Own, ShellKind};

/// Why a session does not begin: the line for the person, and the status.
pub(super) struct No {
    pub(super) text: String,
    pub(super) status: u8,
}

impl From<BridgeError> for No {
    fn from(error: BridgeError) -> Self {
        if !matches!(error, BridgeError::Access(_)) {
            tracing::info!(error = ?error, "a session could not begin");
        }
        Self { text: error.to_string(), status: error.exit_status() }
    }
}

impl From<AccessError> for No {
    fn from(error: AccessError) -> Self {
        Self { text: error.to_string(), status: error.exit_status() }
    }
}

impl From<RecordError> for No {
    fn from(error: RecordError) -> Self {
        tracing::error!(error = ?error, "a session cannot be recorded");
        Self { text: error.to_string(), status: error.exit_status() }
    }
}

impl From<lobby::UsageError> for No {
    fn from(error: lobby::UsageError) -> Self {
        Self { text: error.to_string(), status: lobby::UsageError::EXIT }
    }
}

impl Rooms {
    /// Runs one session channel to its end.
    pub(super) async fn command(&self, session: Session) {
        let connection = Arc::clone(&session.connection);
        let output = Arc::clone(&session.output);
        let line = match &session.ask {
            Ask::Shell => "",
            Ask::Command(line) => line.as_str(),
            Ask::Subsystem(name) => {
                let text = format!(
                    "the subsystem `{name}` is not served here; `scp -O` and `exec` work where the pod has the programs"
                );
                connection.refuse("subsystem", &text);
                return refuse(&output, &No { text, status: 64 }).await;
            }
        };
        let user = match connection.person() {
            Ok(certificate) => lobby::not_own_name(connection.user(), certificate.identity.username()),
            Err(_) => "",
        };
        let command = match lobby::parse(line, user) {
            Ok(command) => command,
            Err(error) => return reply(&output, Reply::from(error)).await,
        };
        match (command, connection.person()) {
            (Command::Login, _) => signin::run(self, &session).await,
            (Command::BreakGlass, _) => sealed::run(&self.desk(), session).await,
            (command, Err(why)) => self.stranger(&connection, &output, &command, why).await,
            (command, Ok(certificate)) if command.answers() => {
                let certificate = self.as_known(certificate);
                let answer = self.answer(&session, &certificate, command);
                tokio::select! {
                    () = output.gone() => {}
                    answer = answer => reply(&output, answer).await,
                }
            }
            (Command::Request(request), Ok(certificate)) => {
                Box::pin(self.wait(session, &self.as_known(certificate), request)).await;
            }
            (command, Ok(certificate)) => {
                Box::pin(self.work(session, &self.as_known(certificate), command)).await;
            }
        }
    }

    /// The certificate without the groups that the provider has denied its person since it was issued.
    pub(super) fn as_known<'c>(&self, certificate: &'c VerifiedCertificate) -> Cow<'c, VerifiedCertificate> {
        match self.gateway.oidc.rechecks().narrowed(&certificate.identity, certificate.since) {
            Some(identity) => Cow::Owned(VerifiedCertificate { identity, ..certificate.clone() }),
            None => Cow::Borrowed(certificate),
        }
    }

    /// For those who are not signed in, or not any more.
    async fn stranger(&self, connection: &Connection, output: &Outflow, command: &Command, why: NotSignedIn) {
        let key = connection.key().as_ref().map_or_else(|| "(none)".to_owned(), super::auth::fingerprint);
        let mut answer = lobby::answer_key(self.name(), &key, command);
        if why.is_telling() {
            answer.stderr = format!("{why}\n{}", answer.stderr);
        }
        if !command.before_sign_in() {
            connection.refuse(command.name(), &format!("not signed in: {why}"));
        }
        reply(output, answer).await;
    }

    fn desk(&self) -> sealed::Desk {
        let gateway = &self.gateway;
        sealed::Desk {
            book: gateway.codes.clone(),
            access: gateway.access.clone(),
            authority: Arc::clone(&gateway.authority),
            audit: gateway.audit.clone(),
            clock: Arc::clone(&gateway.clock),
            tries: self.code_tries.clone(),
            draining: self.draining.clone(),
        }
    }

    /// What people type after `ssh` to get here.
    pub(super) fn name(&self) -> &str {
        self.gateway.config.ssh.host_names.first().map_or("gateway", String::as_str)
    }

    pub(super) fn context(&self, session: &Session, certificate: &VerifiedCertificate) -> lobby::Context {
        let colour = session.terminal.is_some() && !session.env.contains_key("NO_COLOR");
        lobby::Context {
            gateway: self.name().to_owned(),
            now: self.gateway.clock.now(),
            who: Who::new(&certificate.identity, certificate.until),
            paper: Paper { width: session.terminal.as_ref().map(|terminal| terminal.size.columns), colour },
        }
    }

    async fn answer(&self, session: &Session, certificate: &VerifiedCertificate, command: Command) -> Reply {
        let context = self.context(session, certificate);
        let id = SessionId::new(context.now);
        let desk = lobby::Live {
            access: &self.gateway.access,
            bridge: &self.gateway.bridge,
            clock: &self.gateway.clock,
            who: &certificate.identity,
            session: &id,
        };
        lobby::run(&desk, &context, command).await
    }

    /// `shell`, `exec` and `logs`.
    pub(super) async fn work(&self, session: Session, certificate: &VerifiedCertificate, command: Command) {
        let output = Arc::clone(&session.output);
        let begun = tokio::select! {
            () = output.gone() => return,
            begun = self.begin(&session, certificate, &command) => begun,
        };
        let (admitted, ledger) = match begun {
            Ok((admitted, ledger)) => (Arc::new(admitted), ledger),
            Err(no) => return refuse(&output, &no).await,
        };
        match command {
            Command::Logs(logs) => {
                let options = LogOptions {
                    follow: logs.follow,
                    tail: logs.tail,
                    since: logs.since,
                    timestamps: logs.timestamps,
                    previous: logs.previous,
                };
                let terminal = session.terminal.is_some();
                let stream = self.gateway.bridge.logs(&admitted, options).await;
                let stream = stream.map(|stream| (Quiet, Stream { stream, terminal }));
                self.pump(session, &admitted, ledger, stream).await;
            }
            command => {
                if matches!(&command, Command::Exec(exec) if exec.tty) && session.terminal.is_none() {
                    output.say("for a terminal, type `ssh -t`").await;
                }
                let started = match self.clear(&session, &admitted, &ledger, command).await {
                    Ok(Ready::Exec(cleared)) => {
                        let tty = session.terminal.as_ref().map(|terminal| terminal.size);
                        self.gateway.bridge.exec(&admitted, Exec { command: cleared, tty, stdin: true }).await
                    }
                    Ok(Ready::Shell) => return self.some_shell(session, admitted, ledger).await,
                    Err(no) => return turned_away(&output, ledger, no).await,
                };
                self.pump(session, &admitted, ledger, started.map(crate::bridge::Process::split)).await;
            }
        }
    }

    async fn begin(
        &self,
        session: &Session,
        certificate: &VerifiedCertificate,
        command: &Command,
    ) -> Result<(Admitted, Ledger), No> {
        let gateway = &self.gateway;
        let (kind, action, target, argv) = match command {
            Command::Shell(shell) => (SessionKind::Shell, Action::Shell, &shell.target, None),
            Command::Exec(exec) => (SessionKind::Exec, Action::Exec, &exec.target, Some(exec.argv.clone())),
            Command::Logs(logs) => (SessionKind::Logs, Action::Logs, &logs.target, None),
            other => return Err(No { text: format!("`{}` is no session", other.name()), status: 64 }),
        };
        let target = lobby::place(target, &gateway.access.grants(&certificate.identity))?;
        let id = SessionId::new(gateway.clock.now());
        let candidates = gateway.access.authorize(&certificate.identity, action, &target.namespace).await?;
        let admitted = gateway.bridge.resolve(&gateway.access, candidates, &target, &id).await?;
        let purpose = Purpose {
            kind,
            target: named(&target),
            port: None,
            // What is on record has no secrets, as far as they can be told.
            command: argv.as_deref().map(sallyport_policy::commands::blotted),
            terminal: session.terminal.clone(),
        };
        let ledger = self.open(&session.connection, id, &admitted, purpose).await?;
        Ok((admitted, ledger))
    }

    /// No recorder, no session; no event log, no session.
    pub(super) async fn open(
        &self,
        connection: &Arc<Connection>,
        id: SessionId,
        admitted: &Admitted,
        purpose: Purpose,
    ) -> Result<Ledger, No> {
        if !self.gateway.audit.healthy() {
            // Tried once more, so that a repaired disk is noticed.
            let mut event = connection.event(Kind::AccessRefused, Outcome::Failed);
            event.why = Some("events could not be written".to_owned());
            connection.record(event);
        }
        if !self.gateway.audit.healthy() {
            return Err(No { text: "cannot record: events cannot be written".to_owned(), status: 79 });
        }
        Ok(Ledger::open(&self.gateway.recorder, connection, id, admitted, purpose).await?)
    }

    /// What may run: the argv that the rules let pass, or a shell.
    async fn clear(
        &self,
        session: &Session,
        admitted: &Admitted,
        ledger: &Ledger,
        command: Command,
    ) -> Result<Ready, No> {
        let Command::Exec(exec) = command else { return Ok(Ready::Shell) };
        let commands = self.gateway.access.commands_of(admitted.permit());
        let desk = self.counter(admitted, ledger);
        let observed = commands.is_none() && admitted.permit().must_record();
        let desk = if observed { desk.observing() } else { desk };
        let terminal = session.terminal.is_some();
        ruled::clear(commands.as_ref(), &desk, &session.output, exec.argv, terminal).await.map(Ready::Exec)
    }

    /// The shell that the policy has: the container's, or the gateway's own.
    async fn some_shell(&self, session: Session, admitted: Arc<Admitted>, ledger: Ledger) {
        let Some(commands) = self.gateway.access.commands_of(admitted.permit()) else {
            let started = self.shell(&session, &admitted).await.map(crate::bridge::Process::split);
            // What a policy does not want on record is not listed either.
            if !admitted.permit().must_record() {
                return self.pump(session, &admitted, ledger, started).await;
            }
            let desk = Arc::new(self.counter(&admitted, &ledger).observing());
            let Some(size) = session.terminal.as_ref().map(|terminal| terminal.size) else {
                let observed = started.map(|(input, output)| open::observe_piped(input, output, desk));
                return self.pump(session, &admitted, ledger, observed).await;
            };
            let observed = started.map(|(input, output)| open::observe(input, output, size, desk));
            return self.pump(session, &admitted, ledger, observed).await;
        };
        let desk = self.counter(&admitted, &ledger);
        match commands.shell() {
            ShellKind::Guarded => {
                let place = desk.place().to_owned();
                let shell = guarded::start(guarded::Setup {
                    container: guarded::InPod::new(self.gateway.bridge.clone(), Arc::clone(&admitted)),
                    desk,
                    commands,
                    size: session.terminal.as_ref().map(|terminal| terminal.size),
                    term: session.terminal.as_ref().map_or_else(String::new, |one| one.name.clone()),
                    name: admitted.pod().to_string(),
                    place,
                    colour: !session.env.contains_key("NO_COLOR"),
                });
                self.pump(session, &admitted, ledger, Ok(shell)).await;
            }
            ShellKind::Open => {
                // What is on no screen cannot be read from one.
                let Some(size) = session.terminal.as_ref().map(|terminal| terminal.size) else {
                    let text =
                        "refused: this policy reads an open shell's commands from its screen; type `ssh -t`";
                    let no = No { text: text.to_owned(), status: ruled::DENIED };
                    return turned_away(&Arc::clone(&session.output), ledger, no).await;
                };
                let rules = format!("ssh {} rules {}", self.name(), admitted.permit().policy());
                let started = self.shell(&session, &admitted).await;
                let guarded = started.map(|process| {
                    let (input, output) = process.split();
                    open::guard(input, output, size, commands, &rules, Arc::new(desk))
                });
                self.pump(session, &admitted, ledger, guarded).await;
            }
        }
    }

    fn counter(&self, admitted: &Admitted, ledger: &Ledger) -> Counter {
        let place = format!("{}/{} ({})", admitted.namespace(), admitted.pod(), admitted.container());
        Counter::new(&self.gateway, ledger, admitted.permit(), place)
    }

    async fn shell(
        &self,
        session: &Session,
        admitted: &Admitted,
    ) -> Result<crate::bridge::Process, BridgeError> {
        let bridge = &self.gateway.bridge;
        match &session.terminal {
            Some(terminal) => bridge.shell(admitted, terminal.size, &terminal.name).await,
            // A script on standard input, as `ssh -T host < script` has it.
            None => {
                let script = "command -v bash >/dev/null 2>&1 && exec bash; exec sh";
                let argv = ["sh", "-c", script].map(str::to_owned).to_vec();
                let command = Cleared::own(Own::Shell(argv));
                bridge.exec(admitted, Exec { command, tty: None, stdin: true }).await
            }
        }
    }

    /// Runs what was started, tells the client how it ended, and closes the books.
    async fn pump<I: PodInput, O: PodOutput>(
        &self,
        session: Session,
        admitted: &Admitted,
        ledger: Ledger,
        started: Result<(I, O), BridgeError>,
    ) {
        let counts = Counts::default();
        let Session { input, control, output, terminal, .. } = session;
        let (input_half, mut output_half) = match started {
            Ok(started) => started,
            Err(error) => {
                let no = No::from(error);
                let said = Some(no.text.clone());
                // A recording that cannot be finished either is in the log; what failed first is what is told.
                let _ = ledger.close(record::Outcome::Failed, Some(no.status), &counts, said).await;
                return refuse(&output, &no).await;
            }
        };
        let size = terminal.map(|terminal| terminal.size);
        let mut client = Client { input, control, output: Arc::clone(&output), terminal: size };
        let hold = self.hold(admitted, &ledger);
        let work = Box::pin(pump::run(&mut client, &input_half, &mut output_half, hold, &counts));
        let why = inuse::while_used(&self.gateway.access, admitted.permit(), &counts, work).await;
        drop((client, input_half, output_half));
        let parting = ending::tell(&output, &why).await;
        let recorded = ledger.close(parting.outcome, parting.exit, &counts, parting.said.clone()).await;
        parting.end(&output, recorded).await;
    }

    pub(super) fn hold(&self, admitted: &Admitted, ledger: &Ledger) -> Hold {
        let permit = admitted.permit();
        Hold {
            clock: Arc::clone(&self.gateway.clock),
            ends: {
                let (access, permit) = (self.gateway.access.clone(), permit.clone());
                Box::new(move || access.end_of(&permit))
            },
            ended: Box::pin(self.gateway.access.ended(permit)),
            draining: self.draining.clone(),
            recording: ledger.recording(),
        }
    }
}

/// `deploy/api`, `api-0`, as the person may have typed it.
fn named(target: &Target) -> String {
    target.to_string()
}

/// What a session does in the pod.
enum Ready {
    Exec(Cleared),
    Shell,
}

/// A rule said no after the session was on record: it ends before anything ran.
async fn turned_away(output: &Outflow, ledger: Ledger, no: No) {
    let said = Some(no.text.clone());
    let recorded = ledger.close(record::Outcome::Cut, Some(no.status), &Counts::default(), said).await;
    match recorded {
        Ok(()) => refuse(output, &no).await,
        Err(error) => refuse(output, &No::from(error)).await,
    }
}

/// Prints an answer and ends.
pub(super) async fn reply(output: &Outflow, reply: Reply) {
    let sent = async {
        if !reply.stderr.is_empty() {
            // What went wrong is signed, as it is in sessions: there a program's words stand beside ours.
            let by = if reply.exit == 0 { "" } else { "sallyport: " };
            output.stderr(output.lines(format!("{by}{}", reply.stderr))).await?;
        }
        if !reply.stdout.is_empty() {
            output.stdout(output.lines(reply.stdout)).await?;
        }
        Ok::<_, super::outflow::Gone>(())
    };
    if sent.await.is_ok() {
        output.end(Ending::Status(reply.exit.into())).await;
    }
}

/// The one line that says why not.
async fn refuse(output: &Outflow, no: &No) {
    output.say(&crate::terminal::clean(&no.text)).await;
    output.end(Ending::Status(no.status.into())).await;
}
