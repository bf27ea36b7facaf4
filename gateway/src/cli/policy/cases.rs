//! `AccessPolicyTest`: what is given, what is expected. It stands beside the policy, in a file of its own
//! (`NAME.test.yaml`) or as a further document of the policy's.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Cases of one policy.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(title = "AccessPolicyTest (sallyport.dev)")]
pub(crate) struct AccessPolicyTest {
    /// sallyport.dev/v1alpha1
    pub(crate) api_version: String,
    /// AccessPolicyTest
    pub(crate) kind: String,
    /// The policy that is asked.
    pub(crate) policy: String,
    /// What is given in every case, unless the case says otherwise.
    #[serde(default)]
    pub(crate) given: Given,
    /// The cases.
    pub(crate) cases: Vec<Case>,
}

/// One case. Without `use`: a request, and what becomes of it. With `use`: the request is approved and its window open,
/// and the grant is used.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct Case {
    /// What it shows.
    pub(crate) name: String,
    /// What is given here, in the place of what is given above.
    #[serde(default)]
    pub(crate) given: Given,
    /// Who approves, in this order. What is refused (their own request, the wrong group) does not count.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) approvals: Vec<Someone>,
    /// What the grant is used for.
    #[serde(default, rename = "use", skip_serializing_if = "Option::is_none")]
    pub(crate) used: Option<Used>,
    /// What comes of it.
    pub(crate) expect: Expect,
    /// The rule that decides, as messages name it: `maxDuration`, `when`, `deny[0]`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) rule: Option<String>,
}

/// What comes of a case.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Expect {
    /// The request is not taken.
    Denied,
    /// The request waits for somebody's approval.
    Waits,
    /// The request is approved.
    Approved,
    /// The use is allowed.
    Permitted,
    /// The use is refused.
    Refused,
}

impl std::fmt::Display for Expect {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(match self {
            Self::Denied => "denied",
            Self::Waits => "waits",
            Self::Approved => "approved",
            Self::Permitted => "permitted",
            Self::Refused => "refused",
        })
    }
}

/// A person.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Someone {
    /// The username.
    pub(crate) username: String,
    /// The groups.
    #[serde(default)]
    pub(crate) groups: Vec<String>,
}

/// What is asked, by whom and when. What is left out is left out of the request; namespaces then are the policy's, if it
/// has one, the duration is an hour or the policy's longest time, and now is a Wednesday at noon, UTC.
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub(crate) struct Given {
    /// Who asks.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) person: Option<Someone>,
    /// Where.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) namespaces: Option<Vec<String>>,
    /// Only these workloads: `deployment/api`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) workloads: Option<Vec<String>>,
    /// Only these pods.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) pods: Option<Vec<String>>,
    /// Only these containers.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) containers: Option<Vec<String>>,
    /// Tunnels only to these ports.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) ports: Option<Vec<u16>>,
    /// For how long: `1h30m`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) duration: Option<String>,
    /// Why.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) reason: Option<String>,
    /// The ticket.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) ticket: Option<String>,
    /// When the window shall begin, RFC 3339.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) start: Option<String>,
    /// The time, RFC 3339.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) now: Option<String>,
    /// What the person asked for before.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) history: Option<Past>,
}

/// What a person asked for before, under the same policy.
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub(crate) struct Past {
    /// Requests and grants that are open.
    pub(crate) open_now: u32,
    /// Requests in the last 60 minutes.
    pub(crate) asked_last_hour: u32,
    /// Requests in the last 24 hours.
    pub(crate) asked_last_day: u32,
    /// Denied in the last 24 hours.
    pub(crate) denied_last_day: u32,
    /// Granted in the last 24 hours.
    pub(crate) granted_last_day: u32,
}

/// What a grant is used for.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct Used {
    /// What.
    pub(crate) action: UsedFor,
    /// The port of a tunnel.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) port: Option<u16>,
    /// Where; the request's namespace if it has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) namespace: Option<String>,
    /// In which pod.
    pub(crate) pod: String,
    /// In which container.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) container: Option<String>,
    /// A line that is typed there; `exec` takes one command. `rule` then names the command rule that refuses it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) command: Option<String>,
    /// The working directory it is typed in; `/` where none is given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) directory: Option<String>,
    /// The pod's labels.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub(crate) labels: BTreeMap<String, String>,
    /// The workload that the pod belongs to: `deployment/api`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) workload: Option<String>,
}

/// Ways to use a grant.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum UsedFor {
    /// An interactive shell.
    Shell,
    /// One command.
    Exec,
    /// A container's log.
    Logs,
    /// A tunnel.
    Forward,
}

impl Given {
    /// What is given here, and from `base` what is not.
    pub(crate) fn over(&self, base: &Self) -> Self {
        macro_rules! either {
            ($($field:ident),*) => { Self { $($field: self.$field.clone().or_else(|| base.$field.clone())),* } };
        }
        either!(
            person, namespaces, workloads, pods, containers, ports, duration, reason, ticket, start, now,
            history
        )
    }
}

/// The JSON Schema, for editors and for reading.
pub(crate) fn schema() -> serde_json::Value {
    let mut schema = schemars::schema_for!(AccessPolicyTest).to_value();
    for (field, word) in [("apiVersion", crate::crd::files::VERSION), ("kind", "AccessPolicyTest")] {
        if let Some(property) = schema.pointer_mut(&format!("/properties/{field}")) {
            *property = serde_json::json!({ "type": "string", "const": word });
        }
    }
    schema
}
