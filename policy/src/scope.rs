//! What a request is narrowed to: namespaces, and in them workloads, pods, containers and ports. An empty set is
//! everything that the policy covers; `workloads` and `pods` together are the pods of both.

use std::collections::BTreeSet;
use std::fmt;

use crate::names::{ContainerName, NameError, Namespace, PodName};

/// What was asked for, or granted.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Scope {
    /// Where. Never empty in what was asked: namespaces are named.
    pub namespaces: BTreeSet<Namespace>,
    /// Only pods of these; with `pods` beside it, these and those.
    pub workloads: BTreeSet<Workload>,
    /// Only these pods.
    pub pods: BTreeSet<PodName>,
    /// Only these containers.
    pub containers: BTreeSet<ContainerName>,
    /// Tunnels only to these ports.
    pub ports: BTreeSet<u16>,
}

impl Scope {
    /// All that a policy covers in these namespaces.
    #[must_use]
    pub fn of(namespaces: impl IntoIterator<Item = Namespace>) -> Self {
        Self { namespaces: namespaces.into_iter().collect(), ..Self::default() }
    }

    /// Whether every pod of the namespaces is covered, as far as names go.
    #[must_use]
    pub fn is_any_pod(&self) -> bool {
        self.workloads.is_empty() && self.pods.is_empty()
    }
}

/// What makes pods, and makes them anew when they are gone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum WorkloadKind {
    /// A Deployment; its pods belong to a ReplicaSet of it.
    Deployment,
    /// A StatefulSet.
    StatefulSet,
    /// A DaemonSet.
    DaemonSet,
    /// A Job.
    Job,
}

impl WorkloadKind {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Deployment, Self::StatefulSet, Self::DaemonSet, Self::Job];

    /// As it is written before the slash: `deployment`.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Deployment => "deployment",
            Self::StatefulSet => "statefulset",
            Self::DaemonSet => "daemonset",
            Self::Job => "job",
        }
    }

    /// As the Kubernetes API has it: `Deployment`.
    #[must_use]
    pub const fn kind(self) -> &'static str {
        match self {
            Self::Deployment => "Deployment",
            Self::StatefulSet => "StatefulSet",
            Self::DaemonSet => "DaemonSet",
            Self::Job => "Job",
        }
    }

    /// Reads kubectl's words: singular, plural and short.
    fn read(word: &str) -> Option<Self> {
        match word.to_ascii_lowercase().as_str() {
            "deployment" | "deployments" | "deploy" => Some(Self::Deployment),
            "statefulset" | "statefulsets" | "sts" => Some(Self::StatefulSet),
            "daemonset" | "daemonsets" | "ds" => Some(Self::DaemonSet),
            "job" | "jobs" => Some(Self::Job),
            _ => None,
        }
    }
}

/// One workload. [`fmt::Display`] is the long form, `deployment/api`, which [`Workload::parse`] reads back.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Workload {
    /// Its kind.
    pub kind: WorkloadKind,
    /// Its name.
    pub name: PodName,
}

/// Why a text is not a workload.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum WorkloadError {
    /// There is no such kind, or no kind at all.
    #[error(
        "`{shown}` is not a workload; write it like `deployment/api`, `statefulset/db`, `daemonset/agent` or `job/migrate`"
    )]
    Kind {
        /// What was given, cut to 64 characters, with everything unprintable replaced.
        shown: String,
    },
    /// What follows the slash is no name.
    #[error(transparent)]
    Name(#[from] NameError),
}

impl Workload {
    /// Reads `deployment/api`, with the short and plural words that kubectl knows.
    ///
    /// # Errors
    /// When the kind is unknown or the name is none.
    pub fn parse(text: &str) -> Result<Self, WorkloadError> {
        let unknown = || WorkloadError::Kind {
            shown: text.chars().take(64).map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect(),
        };
        let (kind, name) = text.split_once('/').ok_or_else(unknown)?;
        let kind = WorkloadKind::read(kind).ok_or_else(unknown)?;
        Ok(Self { kind, name: PodName::parse(name)? })
    }
}

impl fmt::Display for Workload {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.kind.word(), self.name)
    }
}

impl std::str::FromStr for Workload {
    type Err = WorkloadError;

    fn from_str(text: &str) -> Result<Self, WorkloadError> {
        Self::parse(text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_word_that_kubectl_knows_is_read_and_shown_in_its_long_form() {
        for (text, shown) in [
            ("deployment/api", "deployment/api"),
            ("deploy/api", "deployment/api"),
            ("Deployments/api", "deployment/api"),
            ("sts/db", "statefulset/db"),
            ("statefulset/db", "statefulset/db"),
            ("ds/agent", "daemonset/agent"),
            ("daemonsets/agent", "daemonset/agent"),
            ("job/migrate.v2", "job/migrate.v2"),
        ] {
            let workload = Workload::parse(text).unwrap();
            assert_eq!(workload.to_string(), shown);
            assert_eq!(Workload::parse(shown), Ok(workload));
        }
    }

    #[test]
    fn anything_else_is_refused() {
        for text in ["api", "pod/api", "rs/api", "cronjob/x", "/api", "deploy/", "deploy/a/b", "deploy/A", ""]
        {
            assert!(Workload::parse(text).is_err(), "{text:?}");
        }
        let shown = Workload::parse("a\u{1b}[2J").unwrap_err().to_string();
        assert!(!shown.contains('\u{1b}'), "{shown:?}");
    }
}
