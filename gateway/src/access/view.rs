//! What people are shown of policies and requests. The JSON (`-o json`) is stable: fields are added, not changed.

use jiff::Timestamp;
use sallyport_policy::{Namespace, PodName};
use serde::Serialize;

use crate::crd::{Cause, Phase, ReviewVerdict};

/// A policy, as somebody who may ask for it sees it.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct PolicyView {
    /// Its name.
    pub name: String,
    /// The namespaces that may be asked for.
    pub namespaces: Vec<String>,
    /// What a grant may be used for: `shell`, `exec`, `logs`, `forward`.
    pub allow: Vec<&'static str>,
    /// Where tunnels may lead: `5432, 8000-8999`; empty where they are not allowed.
    pub ports: String,
    /// The ClusterRole that a grant binds.
    pub cluster_role: String,
    /// Whether only some of the pods are covered.
    pub some_pods_only: bool,
    /// The longest time, such as `2h`.
    pub max_duration: String,
    /// How many approvals it takes.
    pub approvals_required: u32,
    /// Whose.
    pub approver_groups: Vec<String>,
    /// Whether one must say why.
    pub reason_required: bool,
    /// Whether shells and commands are recorded.
    pub record: bool,
    /// Whether it opens at once, tells everyone, and is reviewed afterwards.
    pub break_glass: bool,
    /// Which commands may run; absent where any may.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub commands: Option<CommandsView>,
}

/// Which commands may run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct CommandsView {
    /// Which shell `shell` opens: `guarded` or `open`.
    pub shell: &'static str,
    /// In the order in which they are asked.
    pub rules: Vec<RuleView>,
}

/// A rule over commands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct RuleView {
    /// Its name, as refusals and events have it.
    pub rule: String,
    /// What it says.
    pub says: String,
    /// `boundary`, or `guardrail: ` and why.
    pub assurance: String,
}

/// People that a request still waits for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct StageView {
    /// What the policy calls this round of approvals; absent where there is one only.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Whose approvals.
    pub groups: Vec<String>,
    /// How many more.
    pub needed: u32,
}

/// What an external check last said.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct CheckView {
    /// Its name.
    pub name: String,
    /// Whether it agrees; absent while it could not be asked.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub allow: Option<bool>,
    /// Why, in its words.
    pub reasons: Vec<String>,
}

/// The review that break-glass demands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ReviewView {
    /// What was found; absent while it is open.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub verdict: Option<ReviewVerdict>,
    /// Who closed it, when, and what they said.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub closed: Option<VerdictView>,
}

/// An approval, as it is shown.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ApprovalView {
    /// Whose.
    pub by: String,
    /// When.
    pub at: Timestamp,
}

/// A denial or revocation, as it is shown.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct VerdictView {
    /// Whose.
    pub by: String,
    /// When.
    pub at: Timestamp,
    /// Why.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

/// A request, as its requester or somebody who may approve it sees it.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct RequestView {
    /// Its name; also the grant's.
    pub name: String,
    /// Pending, Approved, Active, Denied, Expired, Revoked or Failed.
    pub phase: Phase,
    /// The requester's username.
    pub requester: String,
    /// The policy.
    pub policy: String,
    /// Where.
    pub namespaces: Vec<String>,
    /// For how long, such as `1h30m`.
    pub duration: String,
    /// Why.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// When it was made.
    pub created: Timestamp,
    /// Who has approved.
    pub approvals: Vec<ApprovalView>,
    /// How many more approvals it takes.
    pub approvals_missing: u32,
    /// Who may approve, deny and revoke.
    pub approver_groups: Vec<String>,
    /// What it may be used for: `shell`, `exec`, `logs`, `forward`.
    pub allow: Vec<&'static str>,
    /// When the window begins, or is to begin at the earliest.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub starts: Option<Timestamp>,
    /// When the window is over.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ends: Option<Timestamp>,
    /// Seconds until then, while it is active.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub seconds_left: Option<u64>,
    /// Who denied it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub denial: Option<VerdictView>,
    /// Who ended it early.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub revocation: Option<VerdictView>,
    /// What there is to know, in words.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
    /// Whether it is the viewer's own.
    pub mine: bool,
    /// Whether the viewer could approve it now.
    pub may_approve: bool,
    /// The ticket that it is for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ticket: Option<String>,
    /// Only the pods of these workloads, `deployment/api`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub workloads: Vec<String>,
    /// Only these pods.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub pods: Vec<String>,
    /// Only these containers.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub containers: Vec<String>,
    /// Tunnels only to these ports.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub ports: Vec<u16>,
    /// The grant that this one goes on from.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub extends: Option<String>,
    /// The one command that it would let pass, once; such a request is no grant.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub command: Option<String>,
    /// Whom it still waits for, in order.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub stages: Vec<StageView>,
    /// What the external checks last said.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub checks: Vec<CheckView>,
    /// What ended it early, where no person did.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cause: Option<Cause>,
    /// When it was first used.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub first_used: Option<Timestamp>,
    /// When it was over.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ended: Option<Timestamp>,
    /// Set where a rule of the policy approved it: no person had to.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub approved_by_rule: Option<String>,
    /// Whether it opened at once and is reviewed afterwards.
    pub break_glass: bool,
    /// The review, of a break-glass.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub review: Option<ReviewView>,
    /// Whether the viewer could close its review now.
    pub may_review: bool,
}

/// Whom or what a lock shuts out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LockSubject {
    /// Somebody, by their username.
    Person(String),
    /// A place.
    Target {
        /// The namespace.
        namespace: Namespace,
        /// One pod of it; `None`: all of it.
        pod: Option<PodName>,
    },
    /// Everybody, everywhere.
    Everything,
}

/// A lock that somebody wants.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LockAsk {
    /// Whom or what.
    pub subject: LockSubject,
    /// Why.
    pub reason: Option<String>,
    /// When it ends by itself.
    pub until: Option<Timestamp>,
}

/// A lock, as it is shown.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct LockView {
    /// Its name.
    pub name: String,
    /// Who is shut out.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub person: Option<String>,
    /// The namespace that nobody gets into.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub namespace: Option<String>,
    /// Only this pod of it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pod: Option<String>,
    /// Whether it shuts everybody out everywhere.
    pub everything: bool,
    /// Why.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// Who locked.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub by: Option<String>,
    /// When it was made.
    pub created: Timestamp,
    /// When it ends by itself.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub until: Option<Timestamp>,
    /// Whether it shuts the viewer out, or a place that a grant of theirs covers.
    pub hits_me: bool,
}

/// What would become of a request, rule by rule.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct WhyView {
    /// The policy.
    pub policy: String,
    /// `allowed`, `waits` or `denied`.
    pub outcome: &'static str,
    /// In the order in which they are looked at.
    pub steps: Vec<WhyStep>,
}

/// One rule.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct WhyStep {
    /// The field of the policy, or the principle where no field can change it.
    pub rule: String,
    /// Whether it speaks for the request; absent where that cannot be told yet.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub holds: Option<bool>,
    /// In words.
    pub why: String,
}
