//! Between what is stored and what decisions are made with. A state that does not hold together is an error here,
//! and an error opens nothing. What can be read may still say more than was ever decided: whoever opens
//! something asks [`Life::stands`] first.

use std::collections::BTreeSet;

use kube::ResourceExt;
use sallyport_policy::lifecycle::{self, Asked, CheckAnswer, End, Life, ReviewClosed, Stage};
use sallyport_policy::{
    ContainerName, NameError, Namespace, PodName, Policy, PolicyError, PolicyName, Principal, RequestName,
    Scope, Workload, WorkloadError, duration,
};

use super::{
    AccessRequest, AccessRequestSpec, AccessRequestStatus, Approval, Cause, Phase, Requester, Review,
    ReviewVerdict, Verdict,
};

mod copies;
mod write;

/// Why a stored request cannot be understood.
#[derive(Debug, thiserror::Error)]
pub enum StateError {
    /// A name in it is none.
    #[error("the request has a bad name in it")]
    Name(#[from] NameError),
    /// One of its workloads is none.
    #[error("the request names a workload that is none")]
    Workload(#[from] WorkloadError),
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

impl Verdict {
    fn principal(&self) -> Principal {
        Principal { issuer: self.issuer.clone(), subject: self.subject.clone(), username: self.by.clone() }
    }
}

impl From<&Approval> for lifecycle::Approval {
    fn from(one: &Approval) -> Self {
        let by =
            Principal { issuer: one.issuer.clone(), subject: one.subject.clone(), username: one.by.clone() };
        Self { by, at: one.at, stage: one.stage.clone().unwrap_or_default() }
    }
}

impl From<super::Window> for sallyport_policy::Window {
    fn from(window: super::Window) -> Self {
        Self { start: window.start, end: window.end }
    }
}

impl From<Cause> for lifecycle::Cause {
    fn from(cause: Cause) -> Self {
        match cause {
            Cause::Policy => Self::Policy,
            Cause::Groups => Self::Groups,
            Cause::Lock => Self::Lock,
            Cause::Idle => Self::Idle,
            Cause::Hook => Self::Hook,
        }
    }
}

impl From<ReviewVerdict> for lifecycle::ReviewVerdict {
    fn from(verdict: ReviewVerdict) -> Self {
        match verdict {
            ReviewVerdict::Justified => Self::Justified,
            ReviewVerdict::Unjustified => Self::Unjustified,
        }
    }
}

impl AccessRequestSpec {
    /// What it is narrowed to.
    ///
    /// # Errors
    /// When something in it is no name.
    pub fn scope(&self) -> Result<Scope, StateError> {
        Ok(Scope {
            namespaces: all(&self.namespaces, Namespace::parse)?,
            workloads: all(&self.workloads, Workload::parse)?,
            pods: all(&self.pods, PodName::parse)?,
            containers: all(&self.containers, ContainerName::parse)?,
            ports: self.ports.iter().copied().collect(),
        })
    }
}

fn all<T: Ord, E>(texts: &[String], parse: impl Fn(&str) -> Result<T, E>) -> Result<BTreeSet<T>, E> {
    texts.iter().map(|text| parse(text)).collect()
}

impl AccessRequest {
    /// Its name, checked.
    ///
    /// # Errors
    /// When somebody made a request whose name cannot be a group's or label's.
    pub fn request_name(&self) -> Result<RequestName, NameError> {
        RequestName::parse(&self.name_any())
    }

    /// Whether it is for one command of a session: nothing else is opened by it.
    #[must_use]
    pub const fn is_for_one_command(&self) -> bool {
        self.spec.command.is_some()
    }

    /// The policy as it was approved, or as its approvals so far were given for it.
    ///
    /// # Errors
    /// When the copy is not a valid policy.
    pub fn terms(&self) -> Result<Option<Policy>, PolicyError> {
        let observed = self.status.as_ref().and_then(|status| status.policy.as_ref());
        observed.map(|observed| copies::parse(&self.spec.policy, observed)).transpose()
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
        let asked = Asked {
            by: (&self.spec.requester).into(),
            policy: PolicyName::parse(&self.spec.policy)?,
            scope: self.spec.scope()?,
            duration: duration::parse(&self.spec.duration)?,
            at: self.creation_timestamp().map(|time| time.0).unwrap_or_default(),
            ticket: self.spec.ticket.clone(),
            start_at: self.spec.start_at,
            extends: self.spec.extends.as_deref().map(RequestName::parse).transpose()?,
        };
        let review = self.review_of(&asked.by);
        let Some(status) = &self.status else { return Ok(Life::begin(asked)) };
        Ok(Life {
            asked,
            approvals: status.approvals.iter().map(Into::into).collect(),
            checks: status
                .hooks
                .iter()
                .map(|answer| CheckAnswer {
                    name: answer.name.clone(),
                    allow: answer.allow,
                    reasons: answer.reasons.clone(),
                    at: answer.at,
                })
                .collect(),
            by_rule: status.approved_by_rule.clone(),
            extensions: status
                .extensions
                .iter()
                .map(|one| lifecycle::Extension { by: one.by.clone(), at: one.at, until: one.until })
                .collect(),
            review,
            stage: self.stage(status)?,
        })
    }

    fn stage(&self, status: &AccessRequestStatus) -> Result<Stage, StateError> {
        let missing = |field| StateError::Missing { phase: status.phase, field };
        let terms = || Ok::<_, StateError>(Box::new(self.terms()?.ok_or_else(|| missing("policy"))?));
        let window = || status.window.map(Into::into).ok_or_else(|| missing("window"));
        let at = status.ended_at.unwrap_or_default();
        let why = || status.message.clone().unwrap_or_default();
        Ok(match status.phase {
            Phase::Pending => Stage::Pending { terms: self.terms()?.map(Box::new) },
            Phase::Approved => Stage::Approved { terms: terms()?, window: window()? },
            Phase::Active => Stage::Active { terms: terms()?, window: window()? },
            Phase::Expired => Stage::Ended(End::Expired { at }),
            Phase::Failed => Stage::Ended(End::Failed { at, why: why() }),
            // A person's no is on record; what has none was a check's.
            Phase::Denied => Stage::Ended(match (&status.denial, status.cause) {
                (Some(verdict), _) => {
                    let (by, reason) = (verdict.principal(), verdict.reason.clone());
                    End::Denied { by, at: verdict.at, reason }
                }
                (None, Some(Cause::Hook)) => End::Refused { at, why: why() },
                (None, _) => return Err(missing("denial")),
            }),
            Phase::Revoked => Stage::Ended(match (&status.revocation, status.cause) {
                (Some(verdict), _) => {
                    let (by, reason) = (verdict.principal(), verdict.reason.clone());
                    End::Revoked { by, at: verdict.at, reason }
                }
                (None, Some(cause)) => End::Lapsed { at, cause: cause.into(), why: why() },
                (None, None) => return Err(missing("revocation")),
            }),
        })
    }

    /// The review. Break-glass that was approved has one, whatever became of its place in the status, and one that
    /// its own user closed, or that lacks its verdict, is open.
    fn review_of(&self, user: &Principal) -> Option<lifecycle::Review> {
        let status = self.status.as_ref()?;
        let glass = status.policy.as_ref().is_some_and(|observed| observed.spec.break_glass.is_some());
        let stored = status.review.as_ref();
        if stored.is_none() && !(glass && status.window.is_some()) {
            return None;
        }
        let closed = stored.and_then(|review| {
            let (verdict, closed) = (review.verdict?, review.closed.as_ref()?);
            let by = closed.principal();
            let counts = status.phase.is_final() && !user.may_be(&by);
            counts.then(|| ReviewClosed {
                by,
                at: closed.at,
                verdict: verdict.into(),
                comment: closed.reason.clone(),
            })
        });
        Some(lifecycle::Review { closed })
    }
}

impl From<&lifecycle::Review> for Review {
    fn from(review: &lifecycle::Review) -> Self {
        let Some(closed) = &review.closed else { return Self::default() };
        Self {
            verdict: Some(match closed.verdict {
                lifecycle::ReviewVerdict::Justified => ReviewVerdict::Justified,
                lifecycle::ReviewVerdict::Unjustified => ReviewVerdict::Unjustified,
            }),
            closed: Some(Verdict::new(closed.by.clone(), closed.at, closed.comment.clone())),
        }
    }
}

#[cfg(test)]
mod tests;
