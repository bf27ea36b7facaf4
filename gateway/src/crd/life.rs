//! Between what is stored and what decisions are made with. A state that does not hold together is an error here,
//! and an error opens nothing.

use std::collections::BTreeSet;

use kube::ResourceExt;
use sallyport_policy::lifecycle::{self, Asked, End, Life, Stage};
use sallyport_policy::{
    NameError, Namespace, Policy, PolicyError, PolicyName, Principal, RequestName, duration,
};

use super::{
    AccessRequest, AccessRequestStatus, Approval, ObservedPolicy, Phase, Requester, Verdict, Window,
};

/// Why a stored request cannot be understood.
#[derive(Debug, thiserror::Error)]
pub enum StateError {
    /// A name in it is none.
    #[error("the request has a bad name in it")]
    Name(#[from] NameError),
    /// Its duration is none.
    #[error("the request's duration cannot be read")]
    Duration(#[from] duration::DurationError),
    /// The copy of the policy is not valid.
    #[error("the policy as it was approved cannot be read")]
    Policy(#[from] PolicyError),
    /// Somebody has changed what was asked. New API servers do not allow that; old ones count it.
    #[error("what the request asks for was changed after it was made")]
    Changed,
    /// Something that its phase needs is not there.
    #[error("the request is {phase} but its status has no `{field}`")]
    Missing {
        /// The phase.
        phase: Phase,
        /// What is missing.
        field: &'static str,
    },
}

impl From<&Requester> for Principal {
    fn from(who: &Requester) -> Self {
        Self { issuer: who.issuer.clone(), subject: who.subject.clone(), username: who.username.clone() }
    }
}

impl Approval {
    fn principal(&self) -> Principal {
        Principal { issuer: self.issuer.clone(), subject: self.subject.clone(), username: self.by.clone() }
    }
}

impl Verdict {
    fn principal(&self) -> Principal {
        Principal { issuer: self.issuer.clone(), subject: self.subject.clone(), username: self.by.clone() }
    }

    fn new(by: Principal, at: jiff::Timestamp, reason: Option<String>) -> Self {
        Self { by: by.username, issuer: by.issuer, subject: by.subject, at, reason }
    }
}

impl From<Window> for sallyport_policy::Window {
    fn from(window: Window) -> Self {
        Self { start: window.start, end: window.end }
    }
}

impl AccessRequest {
    /// Its name, checked.
    ///
    /// # Errors
    /// When somebody made a request whose name cannot be a group's or label's.
    pub fn request_name(&self) -> Result<RequestName, NameError> {
        RequestName::parse(&self.name_any())
    }

    /// The policy as it was approved, parsed.
    ///
    /// # Errors
    /// When the copy is not a valid policy.
    pub fn terms(&self) -> Result<Option<Policy>, PolicyError> {
        let observed = self.status.as_ref().and_then(|status| status.policy.as_ref());
        observed.map(|observed| observed.spec.parse(&self.spec.policy)).transpose()
    }

    /// What is stored, as the state that steps are made from. A request without status is one that was just made.
    ///
    /// # Errors
    /// When what is stored does not hold together.
    pub fn life(&self) -> Result<Life, StateError> {
        self.request_name()?;
        // The server counts changes of the spec, and nobody else can write that count.
        if self.metadata.generation.is_some_and(|generation| generation > 1) {
            return Err(StateError::Changed);
        }
        let namespaces = self
            .spec
            .namespaces
            .iter()
            .map(|text| Namespace::parse(text))
            .collect::<Result<BTreeSet<_>, _>>()?;
        let asked = Asked {
            by: (&self.spec.requester).into(),
            policy: PolicyName::parse(&self.spec.policy)?,
            namespaces,
            duration: duration::parse(&self.spec.duration)?,
            at: self.creation_timestamp().map(|time| time.0).unwrap_or_default(),
        };
        let Some(status) = &self.status else { return Ok(Life::begin(asked)) };
        let approvals = status
            .approvals
            .iter()
            .map(|approval| lifecycle::Approval { by: approval.principal(), at: approval.at })
            .collect();
        let missing = |field| StateError::Missing { phase: status.phase, field };
        let terms = || Ok::<_, StateError>(Box::new(self.terms()?.ok_or_else(|| missing("policy"))?));
        let window = || status.window.map(Into::into).ok_or_else(|| missing("window"));
        let ended = status.ended_at.unwrap_or_default();
        let stage = match status.phase {
            Phase::Pending => Stage::Pending { terms: self.terms()?.map(Box::new) },
            Phase::Approved => Stage::Approved { terms: terms()?, window: window()? },
            Phase::Active => Stage::Active { terms: terms()?, window: window()? },
            Phase::Expired => Stage::Ended(End::Expired { at: ended }),
            Phase::Failed => {
                Stage::Ended(End::Failed { at: ended, why: status.message.clone().unwrap_or_default() })
            }
            Phase::Denied => {
                let verdict = status.denial.as_ref().ok_or_else(|| missing("denial"))?;
                let (by, reason) = (verdict.principal(), verdict.reason.clone());
                Stage::Ended(End::Denied { by, at: verdict.at, reason })
            }
            Phase::Revoked => {
                let verdict = status.revocation.as_ref().ok_or_else(|| missing("revocation"))?;
                let (by, reason) = (verdict.principal(), verdict.reason.clone());
                Stage::Ended(End::Revoked { by, at: verdict.at, reason })
            }
        };
        Ok(Life { asked, approvals, stage })
    }

    /// The status that says what `life` says. `observed` is the copy of the policy to store where the state has
    /// terms; what the state does not know (bindings, conditions) stays as it is.
    #[must_use]
    pub fn status_for(&self, life: &Life, observed: Option<ObservedPolicy>) -> AccessRequestStatus {
        let mut status = self.status.clone().unwrap_or_default();
        status.group = self.request_name().ok().map(|name| name.group());
        status.approvals = life
            .approvals
            .iter()
            .map(|one| Approval {
                by: one.by.username.clone(),
                issuer: one.by.issuer.clone(),
                subject: one.by.subject.clone(),
                at: one.at,
                stage: None,
            })
            .collect();
        if observed.is_some() {
            status.policy = observed;
        }
        let stored = |window: &sallyport_policy::Window| Window { start: window.start, end: window.end };
        match &life.stage {
            Stage::Pending { .. } => status.phase = Phase::Pending,
            Stage::Approved { window, .. } => {
                (status.phase, status.window, status.message) = (Phase::Approved, Some(stored(window)), None);
            }
            Stage::Active { window, .. } => {
                (status.phase, status.window, status.message) = (Phase::Active, Some(stored(window)), None);
            }
            Stage::Ended(end) => {
                let at = match end.clone() {
                    End::Expired { at } => {
                        status.phase = Phase::Expired;
                        at
                    }
                    End::Failed { at, why } => {
                        (status.phase, status.message) = (Phase::Failed, Some(why));
                        at
                    }
                    End::Denied { by, at, reason } => {
                        (status.phase, status.denial) = (Phase::Denied, Some(Verdict::new(by, at, reason)));
                        at
                    }
                    End::Revoked { by, at, reason } => {
                        (status.phase, status.revocation) =
                            (Phase::Revoked, Some(Verdict::new(by, at, reason)));
                        at
                    }
                };
                status.ended_at = Some(at);
            }
        }
        status
    }
}
