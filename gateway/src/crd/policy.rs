//! `AccessPolicy`.

#![expect(unreachable_pub, reason = "the derive for CEL rules copies the structs it sees")]
#![expect(clippy::duplicated_attributes, reason = "each printer column has its own type")]

use k8s_openapi::api::networking::v1::NetworkPolicyPeer;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::LabelSelector;
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;
use kube::{CustomResource, KubeSchema, ResourceExt};
use sallyport_policy::commands::NamedSet;
use sallyport_policy::{
    AllowInput, HookInput, Policy, PolicyError, PolicyInput, RequirementInput, SelectorInput, StageInput,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::commands::Commands;
use super::schema::{DURATION, LABEL, ports};

/// Who may ask for access to which pods, for how long, with whose approval, and what is then allowed.
#[derive(CustomResource, KubeSchema, Debug, Clone, PartialEq, Serialize, Deserialize)]
#[kube(
    group = "sallyport.dev",
    version = "v1alpha1",
    kind = "AccessPolicy",
    plural = "accesspolicies",
    derive = "PartialEq",
    category = "sallyport",
    doc = "Who may ask for access to which pods, for how long, with whose approval, and what is then allowed.",
    printcolumn(name = "Namespaces", type_ = "string", json_path = ".spec.namespaces"),
    printcolumn(name = "Role", type_ = "string", json_path = ".spec.clusterRole"),
    printcolumn(name = "Longest", type_ = "string", json_path = ".spec.maxDuration"),
    printcolumn(name = "Approvals", type_ = "integer", json_path = ".spec.approval.required"),
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp")
)]
#[serde(rename_all = "camelCase")]
pub struct AccessPolicySpec {
    /// Who may ask.
    pub subjects: Subjects,
    /// The namespaces that may be asked for. Each is named; there is no wildcard.
    #[schemars(length(min = 1, max = 64), inner(length(max = 63), regex(pattern = LABEL)))]
    pub namespaces: Vec<String>,
    /// The pods, by their labels. Absent or empty: every pod in the namespaces.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pod_selector: Option<LabelSelector>,
    /// What a grant may be used for.
    pub allow: Allow,
    /// The ClusterRole that a grant binds, in each of its namespaces, for the time of its window.
    #[schemars(length(min = 1, max = 253))]
    pub cluster_role: String,
    /// The longest time that may be asked for, such as `30m` or `1h30m`; at most a week.
    #[schemars(length(min = 2, max = 24), regex(pattern = DURATION))]
    pub max_duration: String,
    /// Whose approval it takes.
    pub approval: Approvals,
    /// Whether one must say why. Defaults to true.
    #[serde(default = "yes")]
    pub reason_required: bool,
    /// What a reason must look like: a regular expression that must match all of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 512))]
    pub reason_pattern: Option<String>,
    /// What ticket a request names. Absent: it may name any or none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ticket: Option<Ticket>,
    /// A CEL expression that must be true for somebody to ask, beside being in one of the groups. What speaks of the
    /// `target` is decided when the grant is used.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 4096))]
    pub when: Option<String>,
    /// A CEL expression; where it is true, no person has to approve.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 4096))]
    pub auto_approve: Option<String>,
    /// What always wins: where one of these holds or cannot be evaluated, nothing is asked, approved or used.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 32))]
    pub deny: Vec<Deny>,
    /// How much one person may ask for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limits: Option<Limits>,
    /// How long a grant may go unused before it ends by itself, such as `15m`. Absent: until its window ends.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 2, max = 24), regex(pattern = DURATION))]
    pub idle_timeout: Option<String>,
    /// Whether the ClusterRole is bound to the person's own cluster identity too, so that their own kubectl works
    /// inside the window. What they do that way is in the API server's audit log and not recorded here.
    #[serde(default)]
    pub own_identity: bool,
    /// Network paths that are open for the window.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub network: Option<Network>,
    /// Makes this a break-glass policy: no approval, always recorded, told to everyone, reviewed afterwards.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub break_glass: Option<BreakGlass>,
    /// Whether shells and commands are recorded, and do not run where they cannot be. Defaults to true.
    #[serde(default = "yes")]
    pub record: bool,
    /// Which commands may be run, and by which shell. Absent: any, in the container's own shell.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub commands: Option<Commands>,
}

/// Who may ask.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Subjects {
    /// Groups, as the OIDC provider names them (with the prefix that the gateway is configured to put before
    /// them). Being in one is enough.
    #[schemars(length(min = 1, max = 64), inner(length(min = 1, max = 256)))]
    pub groups: Vec<String>,
}

/// What a grant may be used for. What is not named is not allowed.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Allow {
    /// Interactive shells.
    #[serde(default)]
    pub shell: bool,
    /// Single commands.
    #[serde(default)]
    pub exec: bool,
    /// Containers' logs.
    #[serde(default)]
    pub logs: bool,
    /// Tunnels. Absent: none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub forward: Option<Forward>,
}

/// Where tunnels may lead.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Forward {
    /// Ports of the pods, single (5432) or as ranges ("8000-8999").
    #[schemars(schema_with = "ports")]
    pub ports: Vec<IntOrString>,
}

/// Whose approval it takes.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Approvals {
    /// How many different people must approve. Nobody's own approval counts; 0 lets in at once.
    #[schemars(range(min = 0, max = 10))]
    pub required: u32,
    /// Groups whose members may approve, deny and revoke.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 64), inner(length(min = 1, max = 256)))]
    pub groups: Vec<String>,
    /// Several rounds, one after the other, instead of `required` and `groups`. One person counts in one of them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 5))]
    pub stages: Vec<ApprovalStage>,
    /// How long a request waits for an answer, such as `4h`. Absent: 24 hours.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 2, max = 24), regex(pattern = DURATION))]
    pub expires_after: Option<String>,
    /// External checks that must agree before anybody can approve; the gateway's configuration says where they are.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 8))]
    pub hooks: Vec<Hook>,
}

/// One round of approvals.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ApprovalStage {
    /// What people call it.
    #[schemars(length(min = 1, max = 63), regex(pattern = LABEL))]
    pub name: String,
    /// How many different people must approve in this round.
    #[schemars(range(min = 1, max = 10))]
    pub required: u32,
    /// Groups whose members may approve in this round; being in one is enough.
    #[schemars(length(min = 1, max = 64), inner(length(min = 1, max = 256)))]
    pub groups: Vec<String>,
}

/// An external check.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Hook {
    /// Its name in the gateway's configuration.
    #[schemars(length(min = 1, max = 63), regex(pattern = LABEL))]
    pub name: String,
    /// What happens while it cannot be asked: Deny the request, or Wait until it answers.
    #[serde(default)]
    pub unreachable: Unreachable,
    /// How often it is asked again while the grant lasts, such as `5m`; a no ends the grant. Absent: never.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 2, max = 24), regex(pattern = DURATION))]
    pub recheck: Option<String>,
}

/// What happens while a check cannot be asked.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum Unreachable {
    /// The request is denied.
    #[default]
    Deny,
    /// The request waits, as long as requests wait.
    Wait,
}

/// What ticket a request names.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Ticket {
    /// Whether it must name one. Defaults to true.
    #[serde(default = "yes")]
    pub required: bool,
    /// What it must look like: a regular expression that must match all of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 512))]
    pub pattern: Option<String>,
}

/// What always wins.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Deny {
    /// A CEL expression.
    #[serde(rename = "if")]
    #[schemars(length(min = 1, max = 4096))]
    pub condition: String,
    /// What the person is told.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 512))]
    pub message: Option<String>,
}

/// How much one person may ask for under this policy.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Limits {
    /// Requests and grants that are open at once.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 100))]
    pub open: Option<u32>,
    /// Requests in any 60 minutes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 1000))]
    pub per_hour: Option<u32>,
}

/// Network paths that are open for the window, as NetworkPolicies in the granted namespaces. They only add: where no
/// other NetworkPolicy selects a pod, it is open anyway.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Network {
    /// The pods that may be reached; empty: those that the policy selects.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pod_selector: Option<LabelSelector>,
    /// The ports, single (5432) or as ranges ("8000-8999").
    #[schemars(schema_with = "ports")]
    pub ports: Vec<IntOrString>,
    /// From where, beside the gateway's own pods.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 16))]
    pub from: Vec<NetworkPolicyPeer>,
    /// Whether the gateway's own pods may come in, and are let out to there. Defaults to true.
    #[serde(default = "yes")]
    pub from_gateway: bool,
}

/// Break-glass.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct BreakGlass {
    /// Groups whose members close the review with a verdict; never the person who used it.
    #[schemars(length(min = 1, max = 64), inner(length(min = 1, max = 256)))]
    pub reviewers: Vec<String>,
}

const fn yes() -> bool {
    true
}

impl AccessPolicySpec {
    /// Parses into what decisions are made with. `sets` are the CommandSets that it may name.
    ///
    /// # Errors
    /// At the first field that is out of bounds, cannot be evaluated, or names a set that is not there.
    pub fn parse(&self, name: &str, sets: &[NamedSet]) -> Result<Policy, PolicyError> {
        let selector = self.pod_selector.clone().unwrap_or_default();
        let requirement =
            |given: k8s_openapi::apimachinery::pkg::apis::meta::v1::LabelSelectorRequirement| {
                RequirementInput {
                    key: given.key,
                    operator: given.operator,
                    values: given.values.unwrap_or_default(),
                }
            };
        let port = |port: &IntOrString| match port {
            IntOrString::Int(number) => number.to_string(),
            IntOrString::String(text) => text.clone(),
        };
        Policy::parse(
            name,
            &PolicyInput {
                subject_groups: self.subjects.groups.clone(),
                namespaces: self.namespaces.clone(),
                pod_selector: SelectorInput {
                    match_labels: selector.match_labels.unwrap_or_default(),
                    match_expressions: selector
                        .match_expressions
                        .unwrap_or_default()
                        .into_iter()
                        .map(requirement)
                        .collect(),
                },
                allow: AllowInput {
                    shell: self.allow.shell,
                    exec: self.allow.exec,
                    logs: self.allow.logs,
                    forward: self
                        .allow
                        .forward
                        .as_ref()
                        .map(|forward| forward.ports.iter().map(port).collect()),
                },
                cluster_role: self.cluster_role.clone(),
                max_duration: self.max_duration.clone(),
                approvals: self.approval.required,
                approver_groups: self.approval.groups.clone(),
                reason_required: self.reason_required,
                record: self.record,
                stages: self
                    .approval
                    .stages
                    .iter()
                    .map(|stage| StageInput {
                        name: stage.name.clone(),
                        required: stage.required,
                        groups: stage.groups.clone(),
                    })
                    .collect(),
                expires_after: self.approval.expires_after.clone(),
                hooks: self
                    .approval
                    .hooks
                    .iter()
                    .map(|hook| HookInput {
                        name: hook.name.clone(),
                        waits: hook.unreachable == Unreachable::Wait,
                        recheck: hook.recheck.clone(),
                    })
                    .collect(),
                reason_pattern: self.reason_pattern.clone(),
                ticket: self.ticket.as_ref().map(|ticket| (ticket.required, ticket.pattern.clone())),
                when: self.when.clone(),
                auto_approve: self.auto_approve.clone(),
                deny: self.deny.iter().map(|deny| (deny.condition.clone(), deny.message.clone())).collect(),
                open_limit: self.limits.as_ref().and_then(|limits| limits.open),
                hourly_limit: self.limits.as_ref().and_then(|limits| limits.per_hour),
                idle_timeout: self.idle_timeout.clone(),
                own_identity: self.own_identity,
                break_glass: self.break_glass.as_ref().map(|glass| glass.reviewers.clone()),
                commands: self.commands.as_ref().map(|commands| commands.input(sets)),
            },
        )
    }
}

impl AccessPolicy {
    /// Parses into what decisions are made with. `sets` are the CommandSets that it may name.
    ///
    /// # Errors
    /// At the first field that is out of bounds, cannot be evaluated, or names a set that is not there.
    pub fn parse(&self, sets: &[NamedSet]) -> Result<Policy, PolicyError> {
        self.spec.parse(&self.name_any(), sets)
    }
}
