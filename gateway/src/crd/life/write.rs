//! From a state to the status that says it.

use sallyport_policy::lifecycle::{self, End, Life, Stage};
use sallyport_policy::{Principal, Window};

use crate::crd::{
    AccessRequest, AccessRequestStatus, Approval, Cause, Extension, HookAnswer, ObservedPolicy, Phase,
    Verdict,
};

impl Verdict {
    pub(super) fn new(by: Principal, at: jiff::Timestamp, reason: Option<String>) -> Self {
        Self { by: by.username, issuer: by.issuer, subject: by.subject, at, reason }
    }
}

impl From<lifecycle::Cause> for Cause {
    fn from(cause: lifecycle::Cause) -> Self {
        match cause {
            lifecycle::Cause::Policy => Self::Policy,
            lifecycle::Cause::Groups => Self::Groups,
            lifecycle::Cause::Lock => Self::Lock,
            lifecycle::Cause::Idle => Self::Idle,
            lifecycle::Cause::Hook => Self::Hook,
        }
    }
}

impl From<&lifecycle::Approval> for Approval {
    fn from(one: &lifecycle::Approval) -> Self {
        Self {
            by: one.by.username.clone(),
            issuer: one.by.issuer.clone(),
            subject: one.by.subject.clone(),
            at: one.at,
            stage: Some(one.stage.clone()).filter(|stage| !stage.is_empty()),
        }
    }
}

impl AccessRequest {
    /// The status that says what `life` says. `observed` is the copy of the policy to store where the step fixed
    /// terms (opening and approving do); what the state does not know (bindings, conditions, notifications) stays as it
    /// is.
    #[must_use]
    pub fn status_for(&self, life: &Life, observed: Option<ObservedPolicy>) -> AccessRequestStatus {
        let mut status = self.status.clone().unwrap_or_default();
        status.group = self.request_name().ok().map(|name| name.group());
        status.approvals = life.approvals.iter().map(Into::into).collect();
        status.hooks = life
            .checks
            .iter()
            .map(|one| HookAnswer {
                name: one.name.clone(),
                allow: one.allow,
                reasons: one.reasons.clone(),
                at: one.at,
            })
            .collect();
        status.approved_by_rule.clone_from(&life.by_rule);
        status.extensions = life
            .extensions
            .iter()
            .map(|one| Extension { by: one.by.clone(), at: one.at, until: one.until })
            .collect();
        status.review = life.review.as_ref().map(Into::into);
        if observed.is_some() {
            status.policy = observed;
        }
        match &life.stage {
            Stage::Pending { .. } => status.phase = Phase::Pending,
            Stage::Approved { window, .. } => open(&mut status, Phase::Approved, *window),
            Stage::Active { window, .. } => open(&mut status, Phase::Active, *window),
            Stage::Ended(end) => over(&mut status, end.clone()),
        }
        status
    }
}

fn open(status: &mut AccessRequestStatus, phase: Phase, window: Window) {
    let window = crate::crd::Window { start: window.start, end: window.end };
    (status.phase, status.window, status.message) = (phase, Some(window), None);
}

fn over(status: &mut AccessRequestStatus, end: End) {
    let at = match end {
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
        End::Refused { at, why } => {
            (status.phase, status.cause, status.message) = (Phase::Denied, Some(Cause::Hook), Some(why));
            at
        }
        End::Revoked { by, at, reason } => {
            (status.phase, status.revocation) = (Phase::Revoked, Some(Verdict::new(by, at, reason)));
            at
        }
        End::Lapsed { at, cause, why } => {
            (status.phase, status.cause, status.message) = (Phase::Revoked, Some(cause.into()), Some(why));
            at
        }
    };
    status.ended_at = Some(at);
}
