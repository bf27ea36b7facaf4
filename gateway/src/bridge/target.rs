//! What people name: a pod, or something that has pods behind it.

use std::fmt;

use sallyport_policy::{ContainerName, Namespace, PodName};

use super::BridgeError;

/// What kind of thing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TargetKind {
    /// The pod itself.
    Pod,
    /// One of a Deployment's pods.
    Deployment,
    /// One of a StatefulSet's pods.
    StatefulSet,
    /// One of a Job's pods.
    Job,
    /// One of the pods behind a Service.
    Service,
}

impl TargetKind {
    /// Reads a resource type as kubectl does: short, singular, plural, with its API group.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        Some(match text {
            "po" | "pod" | "pods" => Self::Pod,
            "deploy" | "deployment" | "deployments" | "deployment.apps" | "deployments.apps" => {
                Self::Deployment
            }
            "sts" | "statefulset" | "statefulsets" | "statefulset.apps" | "statefulsets.apps" => {
                Self::StatefulSet
            }
            "job" | "jobs" | "job.batch" | "jobs.batch" => Self::Job,
            "svc" | "service" | "services" => Self::Service,
            _ => return None,
        })
    }

    /// As people write it.
    #[must_use]
    pub const fn short(self) -> &'static str {
        match self {
            Self::Pod => "pod",
            Self::Deployment => "deploy",
            Self::StatefulSet => "sts",
            Self::Job => "job",
            Self::Service => "svc",
        }
    }

    /// In a sentence.
    pub(super) const fn word(self) -> &'static str {
        match self {
            Self::Pod => "pod",
            Self::Deployment => "deployment",
            Self::StatefulSet => "statefulset",
            Self::Job => "job",
            Self::Service => "service",
        }
    }

    /// Where the API server has them: `/apis/apps/v1` and `deployments`.
    pub(super) const fn path(self) -> (&'static str, &'static str) {
        match self {
            Self::Pod => ("/api/v1", "pods"),
            Self::Deployment => ("/apis/apps/v1", "deployments"),
            Self::StatefulSet => ("/apis/apps/v1", "statefulsets"),
            Self::Job => ("/apis/batch/v1", "jobs"),
            Self::Service => ("/api/v1", "services"),
        }
    }
}

/// What a session is for. Displays as people write it: `api-0`, `deploy/api`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    /// Where.
    pub namespace: Namespace,
    /// What kind of thing `name` is.
    pub kind: TargetKind,
    /// Its name.
    pub name: String,
    /// The container; the pod's default one if it is not said.
    pub container: Option<ContainerName>,
}

impl Target {
    /// The name, fit for a URL: all these kinds are named by the rules for pods, or stricter ones.
    pub(super) fn checked_name(&self) -> Result<PodName, BridgeError> {
        PodName::parse(&self.name).map_err(|error| BridgeError::Target(error.to_string()))
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.kind {
            TargetKind::Pod => f.write_str(&self.name),
            kind => write!(f, "{}/{}", kind.short(), self.name),
        }
    }
}
