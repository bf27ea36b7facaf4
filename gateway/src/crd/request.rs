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
use super::set::ObservedSet;

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
    printcolumn(name = "Namespaces", type_ = "string", json_path = ".spec.namespaces"),
    printcolumn(name = "Phase", type_ = "string", json_path = ".status.phase"),
    printcolumn(name = "For", type_ = "string", json_path = ".spec.duration"),
    printcolumn(name = "Ends", type_ = "string", json_path = ".status.window.end"),
    printcolumn(name = "Starts", type_ = "string", json_path = ".status.window.start", priority = 1),
    printcolumn(name = "Ticket", type_ = "string", json_path = ".spec.ticket", priority = 1),
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
    /// The ticket that it is for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 256))]
    pub ticket: Option<String>,
    /// When it begins; absent: as soon as it is approved.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "moment")]
    pub start_at: Option<Timestamp>,
    /// Only the pods of these workloads, wherever they are scheduled: `deployment/api`, `statefulset/db`,
    /// `daemonset/agent`, `job/migrate`. With `pods` beside it: these and those. Empty: all that the policy covers.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 32), inner(length(min = 1, max = 270)))]
    pub workloads: Vec<String>,
    /// Only these pods.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 32), inner(length(min = 1, max = 253)))]
    pub pods: Vec<String>,
    /// Only these containers.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 32), inner(length(max = 63), regex(pattern = LABEL)))]
    pub containers: Vec<String>,
    /// Tunnels only to these ports.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 32), inner(range(min = 1, max = 65535)))]
    pub ports: Vec<u16>,
    /// The grant that this one goes on from: its live sessions move over when that one's window ends.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 57), regex(pattern = LABEL))]
    pub extends: Option<String>,
    /// One command of a session that a rule denied, to be let pass once. Such a request opens nothing else.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub command: Option<OneCommand>,
}

/// One command that waits to be let pass.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct OneCommand {
    /// The grant that the session uses.
    #[schemars(length(min = 1, max = 57), regex(pattern = LABEL))]
    pub grant: String,
    /// The session that waits.
    #[schemars(length(min = 1, max = 64))]
    pub session: String,
    /// The line, as it would run.
    #[schemars(length(min = 1, max = 2048))]
    pub line: String,
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
    /// What exists in the cluster for it: the register of live temporary access.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 256))]
    pub opened: Vec<Opened>,
    /// Set where a rule of the policy approved it: no person had to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 64))]
    pub approved_by_rule: Option<String>,
    /// How its window was made longer.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 64))]
    pub extensions: Vec<Extension>,
    /// What the external checks last said.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 8))]
    pub hooks: Vec<HookAnswer>,
    /// When it was first used.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "moment")]
    pub first_used: Option<Timestamp>,
    /// When it was last known to be in use; only kept where the policy has an idle time, and to a part of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "moment")]
    pub last_used: Option<Timestamp>,
    /// What ended it early, where no person did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cause: Option<Cause>,
    /// Which notifications were delivered, `event@hook`: the outbox is what is due and not here.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 128), inner(length(max = 128)))]
    pub notified: Vec<String>,
    /// Denied commands that webhooks are told of.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 16))]
    pub alerts: Vec<CommandAlert>,
    /// The review that break-glass demands; open until it has a verdict.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub review: Option<Review>,
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

/// A denied command that webhooks are told of.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct CommandAlert {
    /// When.
    #[schemars(schema_with = "moment")]
    pub at: Timestamp,
    /// The session.
    #[schemars(length(max = 64))]
    pub session: String,
    /// What was typed, as far as it is known.
    #[schemars(length(max = 2048))]
    pub line: String,
    /// Why it was denied.
    #[schemars(length(max = 2048))]
    pub why: String,
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
    /// The round that it counts in, where the policy has several.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 63))]
    pub stage: Option<String>,
}

/// A window made longer, inside what the policy allows without asking again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Extension {
    /// Who did: the username.
    #[schemars(length(min = 1, max = 256))]
    pub by: String,
    /// When.
    #[schemars(schema_with = "moment")]
    pub at: Timestamp,
    /// The new end.
    #[schemars(schema_with = "moment")]
    pub until: Timestamp,
}

/// What an external check said.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct HookAnswer {
    /// Its name.
    #[schemars(length(max = 63))]
    pub name: String,
    /// Whether it agrees; absent while it could not be asked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub allow: Option<bool>,
    /// Why, in its words.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 16), inner(length(max = 512)))]
    pub reasons: Vec<String>,
    /// When it was asked.
    #[schemars(schema_with = "moment")]
    pub at: Timestamp,
}

/// What ended a grant early, where no person did.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
pub enum Cause {
    /// The policy does not allow it any more.
    Policy,
    /// The person is not in the policy's groups any more.
    Groups,
    /// A lock.
    Lock,
    /// It was not used for the policy's idle time.
    Idle,
    /// An external check said no.
    Hook,
}

/// The review of a break-glass.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Review {
    /// What the reviewer found: absent while it is open.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub verdict: Option<ReviewVerdict>,
    /// Who closed it, when, and what they said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub closed: Option<Verdict>,
}

/// What a reviewer found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
pub enum ReviewVerdict {
    /// It was needed, and used for what it was needed for.
    Justified,
    /// It was not.
    Unjustified,
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

/// An object made for a grant.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
pub struct Opened {
    /// RoleBinding or NetworkPolicy.
    #[schemars(length(max = 63))]
    pub kind: String,
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
    /// What the CommandSets that it names said.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 8))]
    pub sets: Vec<ObservedSet>,
}
