//! A session's place in the books: its recording and its two events. It is opened before anything happens in the pod
//! and closed once, with how it ended.

use std::sync::Arc;
use std::time::Duration;

use super::channel::Terminal;
use super::connection::Connection;
use super::pump::Counts;
use crate::access::Permit;
use crate::audit::{Event, Kind, Outcome, Place};
use crate::bridge::Admitted;
use crate::record::{
    self, RecordError, Recorder, Recording, SessionEnd, SessionId, SessionKind, SessionStart, TerminalInfo,
};

/// How long a recording may take to be finished; a disk that hangs must not keep the person waiting for good.
const FINISH: Duration = Duration::from_secs(10);

/// What a session is, beside who and where.
#[derive(Debug, Clone)]
pub(super) struct Purpose {
    pub(super) kind: SessionKind,
    /// What the person named: `deploy/api`, `postgres.payments.svc`.
    pub(super) target: String,
    pub(super) port: Option<u16>,
    pub(super) command: Option<Vec<String>>,
    pub(super) terminal: Option<Terminal>,
}

/// An open session.
pub(super) struct Ledger {
    connection: Arc<Connection>,
    /// What both of its events say.
    event: Event,
    recording: Arc<Recording>,
}

impl Ledger {
    /// Begins the recording, then says that the session has started.
    pub(super) async fn open(
        recorder: &Recorder,
        connection: &Arc<Connection>,
        id: SessionId,
        admitted: &Admitted,
        purpose: Purpose,
    ) -> Result<Self, RecordError> {
        let permit = admitted.permit();
        let event = event(connection, &id, admitted, permit, &purpose);
        let terminal = purpose.terminal.map(|terminal| TerminalInfo {
            columns: terminal.size.columns,
            rows: terminal.size.rows,
            term: Some(terminal.name),
        });
        let start = SessionStart {
            id,
            person: permit.person().audit_person(),
            request: permit.request().to_string(),
            policy: permit.policy().to_string(),
            reason: permit.reason().map(str::to_owned),
            kind: purpose.kind,
            namespace: admitted.namespace().to_string(),
            target: Some(purpose.target),
            pod: Some(admitted.pod().to_string()),
            container: Some(admitted.container().to_string()),
            port: purpose.port,
            command: purpose.command,
            terminal,
            peer: Some(connection.peer.to_string()),
            record: permit.must_record(),
            strict: permit.is_break_glass(),
        };
        let recording = Arc::new(recorder.begin(start).await?);
        connection.record(event.clone());
        Ok(Self { connection: Arc::clone(connection), event, recording })
    }

    pub(super) fn connection(&self) -> Arc<Connection> {
        Arc::clone(&self.connection)
    }

    /// What both of its events say.
    pub(super) const fn event(&self) -> &Event {
        &self.event
    }

    pub(super) fn recording(&self) -> Arc<Recording> {
        Arc::clone(&self.recording)
    }

    /// Closes it. `exit` is what the person's `ssh` gets, `None` when it gets nothing.
    ///
    /// # Errors
    /// When the recording is not whole, or its end is not written down; the event says so too.
    pub(super) async fn close(
        self,
        outcome: record::Outcome,
        exit: Option<u8>,
        counts: &Counts,
        why: Option<String>,
    ) -> Result<(), RecordError> {
        let Self { connection, event, recording } = self;
        let mut ended = connection.event(Kind::SessionEnded, said(outcome));
        same(&mut ended, &event);
        ended.exit = exit.map(u32::from);
        ended.bytes_in = Some(counts.bytes_in());
        ended.bytes_out = Some(counts.bytes_out());
        ended.why.clone_from(&why);
        let end =
            SessionEnd { outcome, exit, bytes_in: counts.bytes_in(), bytes_out: counts.bytes_out(), why };
        let recorded = match Arc::into_inner(recording) {
            Some(recording) => {
                let late = |_| {
                    let source = std::io::Error::from(std::io::ErrorKind::TimedOut);
                    Err(RecordError::Finish { source: Arc::new(source) })
                };
                tokio::time::timeout(FINISH, recording.finish(end)).await.unwrap_or_else(late)
            }
            None => {
                tracing::error!(session = event.session, "a recording is still in use");
                Ok(())
            }
        };
        if let Err(error) = &recorded {
            tracing::error!(%error, session = event.session, "a recording was not finished");
            ended.outcome = Outcome::Failed;
            ended.exit = exit.map(|_| error.exit_status().into());
            ended.why = Some(error.to_string());
        }
        connection.record(ended);
        recorded
    }
}

const fn said(outcome: record::Outcome) -> Outcome {
    match outcome {
        record::Outcome::Ended | record::Outcome::Left => Outcome::Ok,
        record::Outcome::Cut => Outcome::Refused,
        record::Outcome::Failed | record::Outcome::Interrupted => Outcome::Failed,
    }
}

fn event(
    connection: &Connection,
    id: &SessionId,
    admitted: &Admitted,
    permit: &Permit,
    purpose: &Purpose,
) -> Event {
    let mut event = connection.event(Kind::SessionStarted, Outcome::Ok);
    event.session = Some(id.to_string());
    event.request = Some(permit.request().to_string());
    event.policy = Some(permit.policy().to_string());
    event.reason = permit.reason().map(str::to_owned);
    event.action = Some(permit.action().to_string());
    event.command.clone_from(&purpose.command);
    event.until = Some(permit.ends_at());
    event.place = Some(Place {
        namespace: Some(admitted.namespace().to_string()),
        target: Some(purpose.target.clone()),
        pod: Some(admitted.pod().to_string()),
        container: Some(admitted.container().to_string()),
        port: purpose.port,
    });
    event
}

/// Copies what a session's events have in common.
fn same(to: &mut Event, from: &Event) {
    to.session.clone_from(&from.session);
    to.request.clone_from(&from.request);
    to.policy.clone_from(&from.policy);
    to.action.clone_from(&from.action);
    to.command.clone_from(&from.command);
    to.place.clone_from(&from.place);
}
