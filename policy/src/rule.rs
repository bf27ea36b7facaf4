//! What decided, and a no that names it.

use std::fmt;

use crate::names::PolicyName;
use crate::policy::Policy;

/// What decided. [`fmt::Display`] shows the field of the policy, or the principle where no field can change it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Rule {
    /// `subjects.groups`.
    Subjects,
    /// `namespaces`: of the policy, or of what was asked for.
    Namespaces,
    /// `podSelector`.
    PodSelector,
    /// `allow`.
    Allow,
    /// `allow.forward.ports`.
    Ports,
    /// `maxDuration`.
    MaxDuration,
    /// `reasonRequired`.
    ReasonRequired,
    /// `reasonPattern`.
    ReasonPattern,
    /// `ticket.required`.
    TicketRequired,
    /// `ticket.pattern`.
    TicketPattern,
    /// `when`.
    When,
    /// `deny`: this one of them, counted from 0.
    Deny(usize),
    /// `autoApprove`.
    AutoApprove,
    /// What the request was narrowed to: workloads and pods.
    ScopePods,
    /// What the request was narrowed to: containers.
    ScopeContainers,
    /// What the request was narrowed to: ports.
    ScopePorts,
    /// `approval.groups`.
    ApproverGroups,
    /// `approval.required`.
    Approvals,
    /// `approval.stages`.
    Stages,
    /// `approval.hooks`.
    Hooks,
    /// `limits.open`.
    OpenLimit,
    /// `limits.perHour`.
    HourlyLimit,
    /// `idleTimeout`.
    IdleTimeout,
    /// `breakGlass`.
    BreakGlass,
    /// `breakGlass.reviewers`.
    Reviewers,
    /// A lock on a person, a target or everything.
    Lock,
    /// Nobody approves their own request.
    NotOneself,
    /// Nobody closes the review of their own break-glass.
    NotOnesOwnReview,
    /// A grant opens nothing outside its window.
    Window,
    /// When a request may begin.
    Start,
    /// A request goes through its phases in one direction, and its end is final.
    Phase,
}

impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Subjects => "subjects.groups",
            Self::Namespaces => "namespaces",
            Self::PodSelector => "podSelector",
            Self::Allow => "allow",
            Self::Ports => "allow.forward.ports",
            Self::MaxDuration => "maxDuration",
            Self::ReasonRequired => "reasonRequired",
            Self::ReasonPattern => "reasonPattern",
            Self::TicketRequired => "ticket.required",
            Self::TicketPattern => "ticket.pattern",
            Self::When => "when",
            Self::Deny(index) => return f.pad(&format!("deny[{index}]")),
            Self::AutoApprove => "autoApprove",
            Self::ScopePods => "what the request was narrowed to: pods",
            Self::ScopeContainers => "what the request was narrowed to: containers",
            Self::ScopePorts => "what the request was narrowed to: ports",
            Self::ApproverGroups => "approval.groups",
            Self::Approvals => "approval.required",
            Self::Stages => "approval.stages",
            Self::Hooks => "approval.hooks",
            Self::OpenLimit => "limits.open",
            Self::HourlyLimit => "limits.perHour",
            Self::IdleTimeout => "idleTimeout",
            Self::BreakGlass => "breakGlass",
            Self::Reviewers => "breakGlass.reviewers",
            Self::Lock => "lock",
            Self::NotOneself => "nobody approves their own request",
            Self::NotOnesOwnReview => "nobody reviews their own break-glass",
            Self::Window => "nothing outside the window",
            Self::Start => "startAt",
            Self::Phase => "a request's end is final",
        })
    }
}

/// A no.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{why} (policy `{policy}`: {rule})")]
pub struct Denied {
    /// The policy that was asked.
    pub policy: PolicyName,
    /// What in it decided.
    pub rule: Rule,
    /// In words.
    pub why: String,
}

impl Denied {
    pub(crate) fn new(policy: &Policy, rule: Rule, why: impl Into<String>) -> Self {
        Self { policy: policy.name().clone(), rule, why: why.into() }
    }
}
