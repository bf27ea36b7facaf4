//! The desk of one session's commands: puts them on record and, where rules decide about them, asks approvers and raises
//! alerts.

use std::sync::{Arc, Weak};

use sallyport_policy::RequestName;
use sallyport_policy::commands::{Assurance, Verdict, Way};

use super::connection::Connection;
use super::ledger::Ledger;
use crate::access::{Access, AccessError, Permit};
use crate::audit::{Audit, Event, Kind, Outcome};
use crate::clock::SharedClock;
use crate::commands::{Answer, Desk, Note, Unrecorded};
use crate::crd::Phase;
use crate::record::{CommandLine, CommandOutcome, Recording};

/// What a shell has of the gateway.
pub(super) struct Counter {
    connection: Arc<Connection>,
    audit: Audit,
    clock: SharedClock,
    access: Access,
    permit: Permit,
    /// What all events of the session say.
    event: Event,
    /// Gone once the session is closed; nothing is on record then.
    recording: Weak<Recording>,
    /// What people call the place: `payments/api-0 (app)`.
    place: String,
    /// No rule decides: commands are only put on record.
    observes: bool,
}

impl std::fmt::Debug for Counter {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Counter").field("place", &self.place).finish_non_exhaustive()
    }
}

impl Counter {
    pub(super) fn new(gateway: &super::Gateway, ledger: &Ledger, permit: &Permit, place: String) -> Self {
        Self {
            connection: ledger.connection(),
            audit: gateway.audit.clone(),
            clock: Arc::clone(&gateway.clock),
            access: gateway.access.clone(),
            permit: permit.clone(),
            event: ledger.event().clone(),
            recording: Arc::downgrade(&ledger.recording()),
            place,
            observes: false,
        }
    }

    /// For a session without rules: nothing is promised about what is put on record.
    pub(super) fn observing(self) -> Self {
        Self { observes: true, ..self }
    }

    /// Whether commands are put on record without rules.
    pub(super) const fn observes(&self) -> bool {
        self.observes
    }

    /// What people call the place.
    pub(super) fn place(&self) -> &str {
        &self.place
    }

    fn event(&self, kind: Kind, outcome: Outcome) -> Event {
        let now = self.connection.event(kind, outcome);
        Event {
            time: now.time,
            event: kind,
            outcome,
            command: None,
            reason: None,
            until: None,
            ..self.event.clone()
        }
    }

    /// On record or not at all.
    fn said(&self, event: Event) -> Result<(), Unrecorded> {
        self.connection.record(event);
        if self.audit.healthy() { Ok(()) } else { Err(Unrecorded) }
    }

    fn session(&self) -> &str {
        self.event.session.as_deref().unwrap_or_default()
    }

    async fn put(&self, line: &str, tell: &(dyn Fn(String) + Send + Sync)) -> Result<Answer, AccessError> {
        let who = self.permit.person();
        let asked = self.access.ask_once(&self.permit, self.session(), &self.place, line).await?;
        let Ok(name) = RequestName::parse(&asked.name) else { return Ok(Answer::Denied(String::new())) };
        // Whatever becomes of the person who waits, nobody is asked for nothing.
        let mut open =
            Open { access: self.access.clone(), permit: self.permit.clone(), name: Some(name.clone()) };
        let groups = asked.approver_groups.join(", ");
        tell(format!("asked {groups} to let it pass once: `approve {name}`; Ctrl-C gives up"));
        let settled = self.access.settled(who, &name).await?;
        if settled.phase != Phase::Active {
            open.name = None;
            let why = match (&settled.denial, &settled.message) {
                (Some(denial), _) => match &denial.reason {
                    Some(reason) => format!("denied by {}: {reason}", denial.by),
                    None => format!("denied by {}", denial.by),
                },
                (None, Some(message)) => message.clone(),
                (None, None) => "nobody answered in time".to_owned(),
            };
            return Ok(Answer::Denied(why));
        }
        let by = self.access.approved_once(who, &name, self.session(), line).await?;
        open.name = None;
        self.access.end_once(who, &name, "it has run").await;
        Ok(match by {
            Some(by) => Answer::Approved { by },
            None => Answer::Denied("the approval is for something else, or over".to_owned()),
        })
    }
}

/// A question that is still open; dropped, it is taken back.
struct Open {
    access: Access,
    permit: Permit,
    name: Option<RequestName>,
}

impl Drop for Open {
    fn drop(&mut self) {
        let Some(name) = self.name.take() else { return };
        let (access, permit) = (self.access.clone(), self.permit.clone());
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            runtime.spawn(async move {
                access.end_once(permit.person(), &name, "nobody waits for it any more").await;
            });
        }
    }
}

impl Desk for Counter {
    async fn note(&self, note: Note) -> Result<(), Unrecorded> {
        let Note { way, line, directory, verdict, approved_by, own } = note;
        let outcome = match (&verdict.cleared, &approved_by) {
            _ if own => CommandOutcome::Own,
            (_, Some(_)) => CommandOutcome::Approved,
            (Some(_), None) => CommandOutcome::Allowed,
            (None, None) => CommandOutcome::Refused,
        };
        let assurance = match verdict.assurance {
            _ if self.observes => "none",
            Assurance::Boundary => "boundary",
            Assurance::Guardrail { .. } => "guardrail",
        };
        let why = Some(verdict.why.clone()).filter(|why| !why.is_empty());
        let said = CommandLine {
            at: self.clock.now(),
            way: way_name(way).to_owned(),
            line: line.clone(),
            argv: verdict.shown.clone(),
            directory,
            outcome,
            rule: verdict.rule.clone(),
            assurance: assurance.to_owned(),
            why: why.clone(),
            approved_by: approved_by.clone(),
        };
        let recording = self.recording.upgrade().ok_or(Unrecorded)?;
        let recorded = recording.command(said).await;
        drop(recording);
        recorded.map_err(|_| Unrecorded)?;
        let outcome = if outcome == CommandOutcome::Refused { Outcome::Refused } else { Outcome::Ok };
        let mut event = self.event(Kind::SessionCommand, outcome);
        event.action = Some(way_name(way).to_owned());
        event.command = Some(verdict.shown).filter(|words| !words.is_empty());
        event.line = Some(line);
        event.rule = Some(verdict.rule);
        event.assurance = Some(assurance.to_owned());
        event.approved_by = approved_by;
        event.why = why;
        self.said(event)
    }

    async fn ask(&self, line: &str, _verdict: &Verdict, tell: &(dyn Fn(String) + Send + Sync)) -> Answer {
        match Box::pin(self.put(line, tell)).await {
            Ok(answer) => answer,
            Err(error) => {
                tracing::warn!(error = %crate::crd::causes(&error), "a command could not be put to anybody");
                Answer::Denied(error.to_string())
            }
        }
    }

    async fn remark(&self, text: &str) -> Result<(), Unrecorded> {
        let mut event = self.event(Kind::SessionRemark, Outcome::Ok);
        event.why = Some(text.to_owned());
        self.said(event)
    }

    async fn alert(&self, line: &str, verdict: &Verdict) -> Result<(), Unrecorded> {
        let mut event = self.event(Kind::SessionRemark, Outcome::Refused);
        event.line = Some(line.to_owned());
        event.rule = Some(verdict.rule.clone());
        event.why = Some(format!("alert: {}", verdict.why));
        self.said(event)?;
        let why = format!("{} ({})", verdict.why, verdict.rule);
        self.access.alert(&self.permit, self.session(), line, &why).await;
        Ok(())
    }
}

/// As events and recordings name it.
pub(super) const fn way_name(way: Way) -> &'static str {
    match way {
        Way::Exec => "exec",
        Way::Guarded => "guarded",
        Way::Open => "open",
    }
}
