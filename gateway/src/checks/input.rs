//! What a check is told: `docs/schemas/check.schema.json` is generated from these types and held equal by a test.
//! Fields may be added; none changes its meaning. The requester's words (`reason`, `ticket`) are as they were given.

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::crd::AccessRequest;

/// A question about one request. Sent as `{"input": …}`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(title = "Sallyport check input")]
pub struct CheckInput {
    /// Whether somebody asks, or a grant is open and looked at again.
    pub phase: CheckPhase,
    /// The AccessRequest's name.
    pub request: String,
    /// The AccessPolicy that is asked.
    pub policy: String,
    /// Who asks.
    pub requester: Requester,
    /// Where.
    pub scope: CheckScope,
    /// For how long, such as `1h30m`.
    pub duration: String,
    /// Why.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// The ticket that it is for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ticket: Option<String>,
    /// When the window begins, or began; absent: as soon as it is approved.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>", extend("format" = "date-time"))]
    pub start: Option<Timestamp>,
    /// When the window ends; absent until it is approved.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>", extend("format" = "date-time"))]
    pub end: Option<Timestamp>,
}

/// Why the check is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum CheckPhase {
    /// Before anybody can approve.
    Asking,
    /// The grant is open; a no ends it.
    Recheck,
}

/// Who asks.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Requester {
    /// The username that the cluster sees.
    pub username: String,
    /// The groups at the time of asking.
    pub groups: Vec<String>,
}

/// Where access is asked for; an empty list: all that the policy covers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct CheckScope {
    /// Namespaces.
    pub namespaces: Vec<String>,
    /// Workloads, such as `deployment/api`.
    pub workloads: Vec<String>,
    /// Pods.
    pub pods: Vec<String>,
    /// Containers.
    pub containers: Vec<String>,
    /// Ports of tunnels.
    pub ports: Vec<u16>,
}

impl CheckInput {
    /// The question about a request.
    #[must_use]
    pub fn of(request: &AccessRequest, phase: CheckPhase) -> Self {
        let spec = &request.spec;
        let window = request.status.as_ref().and_then(|status| status.window);
        Self {
            phase,
            request: request.metadata.name.clone().unwrap_or_default(),
            policy: spec.policy.clone(),
            requester: Requester {
                username: spec.requester.username.clone(),
                groups: spec.requester.groups.clone(),
            },
            scope: CheckScope {
                namespaces: spec.namespaces.clone(),
                workloads: spec.workloads.clone(),
                pods: spec.pods.clone(),
                containers: spec.containers.clone(),
                ports: spec.ports.clone(),
            },
            duration: spec.duration.clone(),
            reason: spec.reason.clone(),
            ticket: spec.ticket.clone(),
            start: window.map(|window| window.start).or(spec.start_at),
            end: window.map(|window| window.end),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    #[test]
    fn the_published_schema_is_what_is_sent() {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/schemas/check.schema.json");
        crate::config::published(&path, &schemars::schema_for!(CheckInput).to_value());
    }
}
