//! What people are shown of policies and requests. The JSON (`-o json`) is stable: fields are added, not changed.

use jiff::Timestamp;
use serde::Serialize;

use crate::crd::Phase;

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
    /// When the window begins.
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
}
