//! `AccessPolicy`.

#![expect(unreachable_pub, reason = "the derive for CEL rules copies the structs it sees")]
#![expect(clippy::duplicated_attributes, reason = "each printer column has its own type")]

use k8s_openapi::apimachinery::pkg::apis::meta::v1::LabelSelector;
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;
use kube::{CustomResource, KubeSchema, ResourceExt};
use sallyport_policy::{AllowInput, Policy, PolicyError, PolicyInput, RequirementInput, SelectorInput};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

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
    /// Whether shells and commands are recorded, and do not run where they cannot be. Defaults to true.
    #[serde(default = "yes")]
    pub record: bool,
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
pub struct Approvals {
    /// How many different people must approve. Nobody's own approval counts; 0 lets in at once.
    #[schemars(range(min = 0, max = 10))]
    pub required: u32,
    /// Groups whose members may approve, deny and revoke.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 64), inner(length(min = 1, max = 256)))]
    pub groups: Vec<String>,
}

const fn yes() -> bool {
    true
}

impl AccessPolicySpec {
    /// Parses into what decisions are made with.
    ///
    /// # Errors
    /// At the first field that is out of bounds or cannot be evaluated.
    pub fn parse(&self, name: &str) -> Result<Policy, PolicyError> {
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
            },
        )
    }
}

impl AccessPolicy {
    /// Parses into what decisions are made with.
    ///
    /// # Errors
    /// At the first field that is out of bounds or cannot be evaluated.
    pub fn parse(&self) -> Result<Policy, PolicyError> {
        self.spec.parse(&self.name_any())
    }
}
