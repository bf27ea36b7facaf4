//! `AccessRequest`.

#![expect(unreachable_pub, reason = "the derive for CEL rules copies the structs it sees")]
#![expect(clippy::duplicated_attributes, reason = "each printer column has its own type")]

use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use kube::{CustomResource, KubeSchema};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::policy::AccessPolicySpec;
use super::schema::{DURATION, LABEL, moment};

/// What one person asks one policy for. Never changes once it is made.
#[derive(CustomResource, KubeSchema, Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[kube(
    group = "sallyport.dev",
    version = "v1alpha1",
    kind = "AccessRequest",
    plural = "accessrequests",
    status = "AccessRequestStatus",
    derive = "PartialEq",
    category = "sallyport",
    doc = "One person asks one policy for access, with a reason and for a time. Approved and inside its window it is a grant. The gateway makes and decides these; deleting one ends it.",
    printcolumn(name = "Requester", type_ = "string", json_path = ".spec.requester.username"),
    printcolumn(name = "Policy", type_ = "string", json_path = ".spec.policy"),
    printcolumn(name = "Namespaces", type_ = "string", json_path = ".spec.namespaces", priority = 1),
    printcolumn(name = "Phase", type_ = "string", json_path = ".status.phase"),
    printcolumn(name = "Ends", type_ = "string", json_path = ".status.window.end"),
    printcolumn(name = "Reason", type_ = "string", json_path = ".spec.reason", priority = 1),
    printcolumn(name = "Message", type_ = "string", json_path = ".status.message", priority = 1),
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp")
)]
#[x_kube(validation = Rule::new("self == oldSelf").message("a request cannot be changed, only made anew"))]
#[serde(rename_all = "camelCase")]
pub struct AccessRequestSpec {
    /// Who asks.
    pub requester: Requester,
    /// The AccessPolicy that is asked.
    #[schemars(length(min = 1, max = 50), regex(pattern = LABEL))]
    pub policy: String,
    /// Where.
    #[schemars(length(min = 1, max = 64), inner(length(max = 63), regex(pattern = LABEL)))]
    pub namespaces: Vec<String>,
    /// For how long, such as `30m` or `1h30m`.
    #[schemars(length(min = 2, max = 24), regex(pattern = DURATION))]
    pub duration: String,
    /// Why.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 1024))]
    pub reason: Option<String>,
}

/// Who asks, as the identity provider vouched for them at that moment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Requester {
    /// The username that the cluster sees.
    #[schemars(length(min = 1, max = 256))]
    pub username: String,
    /// The groups at the time of asking; for the record, nothing is decided by them later.
    #[serde(default)]
    #[schemars(length(max = 512), inner(length(max = 256)))]
    pub groups: Vec<String>,
    /// The OIDC issuer.
    #[schemars(length(min = 1, max = 1024))]
    pub issuer: String,
    /// The issuer's own stable name for the person.
    #[schemars(length(min = 1, max = 256))]
    pub subject: String,
}

/// How far a request has come.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
pub enum Phase {
    /// Waits for approvals.
    #[default]
    Pending,
    /// Approved; what it needs in the cluster is being made.
    Approved,
    /// Open until the end of its window.
    Active,
    /// An approver said no.
    Denied,
    /// Time was up.
    Expired,
    /// Given back by the requester or taken by an approver.
    Revoked,
    /// It could not be opened; the message says why.
    Failed,
}

impl Phase {
    /// Whether nothing can come after it.
    #[must_use]
    pub const fn is_final(self) -> bool {
        matches!(self, Self::Denied | Self::Expired | Self::Revoked | Self::Failed)
    }
}

impl std::fmt::Display for Phase {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(match self {
            Self::Pending => "Pending",
            Self::Approved => "Approved",
            Self::Active => "Active",
            Self::Denied => "Denied",
            Self::Expired => "Expired",
            Self::Revoked => "Revoked",
            Self::Failed => "Failed",
        })
    }
}

/// How far a request has come, and what was made for it. Written by the gateway.
#[derive(KubeSchema, Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[x_kube(validation = Rule::new("!(oldSelf.phase in ['Denied', 'Expired', 'Revoked', 'Failed']) || self.phase == oldSelf.phase").message("an end is final"))]
#[serde(rename_all = "camelCase")]
pub struct AccessRequestStatus {
    /// Pending, Approved, Active, Denied, Expired, Revoked or Failed.
    pub phase: Phase,
    /// Who has approved.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 16))]
    pub approvals: Vec<Approval>,
    /// Who denied it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub denial: Option<Verdict>,
    /// Who ended it early.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub revocation: Option<Verdict>,
    /// When it may be used.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub window: Option<Window>,
    /// When it ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "moment")]
    pub ended_at: Option<Timestamp>,
    /// The group that the grant's RoleBindings name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 128))]
    pub group: Option<String>,
    /// The RoleBindings that exist for it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 64))]
    pub bindings: Vec<Binding>,
    /// The policy as it was approved: what was approved is what runs, whatever becomes of the policy.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub policy: Option<ObservedPolicy>,
    /// Ready: whether what the grant needs exists in the cluster.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 16))]
    pub conditions: Vec<Condition>,
    /// What the requester should know, in words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 2048))]
    pub message: Option<String>,
}

/// One approval.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Approval {
    /// The approver's username.
    #[schemars(length(min = 1, max = 256))]
    pub by: String,
    /// The approver's OIDC issuer.
    #[schemars(length(min = 1, max = 1024))]
    pub issuer: String,
    /// The issuer's own stable name for the approver.
    #[schemars(length(min = 1, max = 256))]
    pub subject: String,
    /// When.
    #[schemars(schema_with = "moment")]
    pub at: Timestamp,
}

/// Who ended a request, and why.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Verdict {
    /// The username.
    #[schemars(length(min = 1, max = 256))]
    pub by: String,
    /// The OIDC issuer.
    #[schemars(length(min = 1, max = 1024))]
    pub issuer: String,
    /// The issuer's own stable name for the person.
    #[schemars(length(min = 1, max = 256))]
    pub subject: String,
    /// When.
    #[schemars(schema_with = "moment")]
    pub at: Timestamp,
    /// Why.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 1024))]
    pub reason: Option<String>,
}

/// When a grant may be used: from start on, until just before end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Window {
    /// The first moment inside.
    #[schemars(schema_with = "moment")]
    pub start: Timestamp,
    /// The first moment outside again.
    #[schemars(schema_with = "moment")]
    pub end: Timestamp,
}

/// A RoleBinding made for a grant.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
pub struct Binding {
    /// Where.
    #[schemars(length(max = 63))]
    pub namespace: String,
    /// What it is called.
    #[schemars(length(max = 253))]
    pub name: String,
}

/// A policy at a moment.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ObservedPolicy {
    /// The AccessPolicy's uid.
    #[schemars(length(max = 64))]
    pub uid: String,
    /// The AccessPolicy's generation.
    pub generation: i64,
    /// What it said.
    pub spec: AccessPolicySpec,
}
