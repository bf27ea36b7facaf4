//! The permit: what authorisation returns and every call on a person's behalf demands. Only this module's parent
//! can make one, so whoever holds one has been authorised; how long that lasts, [`Permit::check`] says.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use sallyport_policy::{
    Action, ContainerName, Denied, History, Namespace, PodName, Policy, PolicyName, Question, RequestName,
    Scope, TargetFacts, Use, Window, Workload, permits,
};

use sallyport_policy::commands::Commands;
use sallyport_policy::lifecycle::Cause;

use super::Refusal;
use crate::identity::Identity;

/// One person may do one thing in one namespace until a moment. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Permit {
    pub(super) inner: Arc<Inner>,
}

#[derive(Debug, Clone)]
pub(super) struct Inner {
    pub(super) request: RequestName,
    /// The request object's uid: another request of the same name is another grant.
    pub(super) uid: String,
    pub(super) person: Identity,
    pub(super) action: Action,
    pub(super) namespace: Namespace,
    pub(super) granted: Scope,
    pub(super) duration: Duration,
    pub(super) ticket: Option<String>,
    pub(super) window: Window,
    pub(super) reason: Option<String>,
    pub(super) terms: Policy,
    /// The pod that it was given for, once that is known.
    pub(super) pod: Option<PodFacts>,
}

impl Permit {
    /// The request, and so the grant.
    #[must_use]
    pub fn request(&self) -> &RequestName {
        &self.inner.request
    }

    /// The group to impersonate: `sallyport:grant:<request>`.
    #[must_use]
    pub fn group(&self) -> String {
        self.inner.request.group()
    }

    /// Whose it is.
    #[must_use]
    pub fn person(&self) -> &Identity {
        &self.inner.person
    }

    /// What for.
    #[must_use]
    pub fn action(&self) -> &Action {
        &self.inner.action
    }

    /// Where.
    #[must_use]
    pub fn namespace(&self) -> &Namespace {
        &self.inner.namespace
    }

    /// The first moment at which it opened something.
    #[must_use]
    pub fn starts_at(&self) -> Timestamp {
        self.inner.window.start
    }

    /// The first moment at which it opens nothing any more.
    #[must_use]
    pub fn ends_at(&self) -> Timestamp {
        self.inner.window.end
    }

    /// The reason that the person gave.
    #[must_use]
    pub fn reason(&self) -> Option<&str> {
        self.inner.reason.as_deref()
    }

    /// The policy that was asked.
    #[must_use]
    pub fn policy(&self) -> &PolicyName {
        self.inner.terms.name()
    }

    /// Whether it was given by breaking the glass.
    #[must_use]
    pub fn is_break_glass(&self) -> bool {
        self.inner.terms.is_break_glass()
    }

    /// How long its grant may go unused.
    #[must_use]
    pub fn idle_timeout(&self) -> Option<Duration> {
        self.inner.terms.idle_timeout()
    }

    /// Whether shells and commands must be on record.
    #[must_use]
    pub fn must_record(&self) -> bool {
        self.inner.terms.must_record()
    }

    /// Which commands it lets run; `None` where any may.
    #[must_use]
    pub fn commands(&self) -> Option<&Arc<Commands>> {
        self.inner.terms.commands()
    }

    /// Whether it still opens the gate. Time only: a revocation is what [`super::Access::ended`] tells.
    ///
    /// # Errors
    /// When the window is over, or has not begun.
    pub fn check(&self, now: Timestamp) -> Result<(), Refusal> {
        self.decide(None, now)
    }

    /// A permit that nobody gave, for tests of what demands one.
    #[cfg(test)]
    pub(crate) fn for_tests(
        person: Identity,
        request: &RequestName,
        action: Action,
        namespace: &Namespace,
        window: Window,
    ) -> Self {
        use sallyport_policy::{AllowInput, PolicyInput, SelectorInput};

        let ports = Some(vec!["1-65535".to_owned()]);
        let terms = Policy::parse(
            "for-tests",
            &PolicyInput {
                subject_groups: vec!["oncall".to_owned()],
                namespaces: vec![namespace.to_string()],
                pod_selector: SelectorInput::default(),
                allow: AllowInput { shell: true, exec: true, logs: true, forward: ports },
                cluster_role: "view".to_owned(),
                max_duration: "1h".to_owned(),
                approvals: 0,
                approver_groups: Vec::new(),
                reason_required: false,
                record: true,
                ..PolicyInput::default()
            },
        );
        let inner = Inner {
            request: request.clone(),
            uid: String::new(),
            person,
            action,
            namespace: namespace.clone(),
            granted: Scope::of([namespace.clone()]),
            duration: Duration::from_secs(3600),
            ticket: None,
            window,
            reason: None,
            terms: terms.expect("these terms are valid"),
            pod: None,
        };
        Self { inner: Arc::new(inner) }
    }

    /// The same for one pod, which is then known to whoever asks when it has to be let go.
    pub(super) fn for_pod(self, pod: &PodFacts) -> Self {
        let inner = Inner { pod: Some(pod.clone()), ..(*self.inner).clone() };
        Self { inner: Arc::new(inner) }
    }

    /// Everything that can be decided about this permit, with the pod where it is known.
    pub(super) fn decide(&self, pod: Option<&PodFacts>, now: Timestamp) -> Result<(), Refusal> {
        self.decide_by(&self.inner.terms, pod, now)
    }

    /// The same by another policy of the name: the one that is in force now.
    pub(super) fn decide_by(
        &self,
        policy: &Policy,
        pod: Option<&PodFacts>,
        now: Timestamp,
    ) -> Result<(), Refusal> {
        let Inner { action, namespace, request, .. } = &*self.inner;
        self.judge(policy, pod, now).map_err(|denied| Refusal {
            what: format!("{action} in `{namespace}` with grant `{request}`: {}", denied.why),
            rule: format!("policy `{}`: {}", denied.policy, denied.rule),
            hint: String::new(),
            decided: Some(denied.rule),
        })
    }

    /// What a policy says about it, and why not.
    fn judge(&self, policy: &Policy, pod: Option<&PodFacts>, now: Timestamp) -> Result<(), Denied> {
        let Inner { granted, window, action, namespace, .. } = &*self.inner;
        let person = self.inner.person.person();
        let question = Question {
            who: &person,
            scope: granted,
            duration: self.inner.duration,
            reason: self.inner.reason.as_deref(),
            ticket: self.inner.ticket.as_deref(),
            start: window.start,
            history: &History::default(),
            now,
        };
        let target = pod.map(|pod| TargetFacts {
            pod: &pod.name,
            container: pod.container.as_ref(),
            labels: &pod.labels,
            owner: pod.owner.as_ref(),
        });
        let used = Use { action, namespace, target };
        permits(policy, granted, window, &question, &used, now)
    }

    /// Why it does not cover a pod: by the policy as it was approved, or by the one in force.
    pub(super) fn why_not(
        &self,
        in_force: Option<&Policy>,
        pod: &PodFacts,
        now: Timestamp,
    ) -> Option<Denied> {
        let policies = [Some(&self.inner.terms), in_force];
        policies.into_iter().flatten().find_map(|policy| self.judge(policy, Some(pod), now).err())
    }
}

/// Permits that may fit, best first; which one does can depend on the pod. Never empty.
#[derive(Debug, Clone)]
pub struct Candidates {
    pub(super) permits: Vec<Permit>,
    pub(super) best: Permit,
}

impl Candidates {
    /// `None` where there is none.
    pub(super) fn new(permits: Vec<Permit>) -> Option<Self> {
        let best = permits.first()?.clone();
        Some(Self { permits, best })
    }

    /// The one that lasts longest.
    #[must_use]
    pub const fn best(&self) -> &Permit {
        &self.best
    }

    /// All of them, best first.
    #[must_use]
    pub fn permits(&self) -> &[Permit] {
        &self.permits
    }
}

/// What has to be known of a pod to decide about it.
#[derive(Debug, Clone)]
pub struct PodFacts {
    /// Its name.
    pub name: PodName,
    /// Its labels, as the API server has them now.
    pub labels: BTreeMap<String, String>,
    /// The workload that made it.
    pub owner: Option<Workload>,
    /// The container that is meant, where one is.
    pub container: Option<ContainerName>,
}

/// Why a grant opens nothing any more. [`fmt::Display`] says it to the person whose session is cut.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum GrantEnd {
    /// The window is over.
    Expired,
    /// The requester gave it back, or an approver took it.
    Revoked {
        /// Who.
        by: String,
        /// Why.
        reason: Option<String>,
    },
    /// It is not allowed any more, by no single person's decision.
    Lapsed {
        /// Because of what.
        cause: Cause,
        /// In words.
        why: String,
    },
    /// The request was deleted or cannot be read any more.
    Gone,
    /// Whether it still holds cannot be told: the API server has been out of reach for too long.
    OutOfReach,
}

impl fmt::Display for GrantEnd {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Expired => f.write_str("the grant has ended"),
            Self::Revoked { by, reason: None } => write!(f, "the grant was revoked by {by}"),
            Self::Revoked { by, reason: Some(reason) } => {
                write!(f, "the grant was revoked by {by}: {reason}")
            }
            Self::Lapsed { cause, why } => {
                f.write_str(match cause {
                    Cause::Policy => "the policy does not allow it any more",
                    Cause::Groups => "you are not in the policy's groups any more",
                    Cause::Lock => "locked",
                    Cause::Idle => "the grant was not used for the policy's idle time",
                    Cause::Hook => "an external check ended the grant",
                })?;
                if why.is_empty() { Ok(()) } else { write!(f, ": {why}") }
            }
            Self::Gone => f.write_str("the grant is gone"),
            Self::OutOfReach => write!(
                f,
                "the Kubernetes API has been out of reach for {} s, so the grant cannot be checked",
                super::error::stale_seconds()
            ),
        }
    }
}
