//! What goes wrong when people ask, decide and use, in one line each.

use std::collections::BTreeSet;
use std::fmt;

use crate::crd::{Health, STALE_AFTER};

/// A no, by a rule. [`fmt::Display`] is the one line that people see.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Refusal {
    /// What was refused, and why: `shell in payments: no grant of yours covers it`.
    pub what: String,
    /// The policy, and what in it decided; empty where no policy did.
    pub rule: String,
    /// What to type or whom to ask; empty where nothing helps.
    pub hint: String,
    /// The rule itself, where one of a policy decided.
    pub decided: Option<sallyport_policy::Rule>,
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "refused: {}", self.what)?;
        if !self.rule.is_empty() {
            write!(f, " ({})", self.rule)?;
        }
        if !self.hint.is_empty() {
            write!(f, "; {}", self.hint)?;
        }
        Ok(())
    }
}

impl std::error::Error for Refusal {}

/// Why asking, deciding or using did not work. Displays as one line for people; the cause is for the log.
#[derive(Debug, thiserror::Error)]
pub enum AccessError {
    /// A rule said no.
    #[error("{0}")]
    Refused(Refusal),
    /// The API server does not answer, or our copy of what it holds is too old to decide by.
    #[error("the Kubernetes API is out of reach; try again in a moment")]
    Unreachable {
        /// The cause, where a call failed just now.
        source: Option<Box<kube::Error>>,
    },
    /// The API server answered with an error. It is the operator's to repair.
    #[error("the Kubernetes API refused to {doing}; the gateway's log has the details")]
    Cluster {
        /// What was tried, as an infinitive.
        doing: &'static str,
        /// The cause.
        source: Box<kube::Error>,
    },
    /// Something in the question is not possible.
    #[error("{0}")]
    Invalid(String),
    /// There is no such thing, or none that this person may see.
    #[error("there is no {kind} `{name}` that you can see{near}; `{list}` lists them")]
    NotFound {
        /// `request`, `policy`.
        kind: &'static str,
        /// What was asked for.
        name: String,
        /// What may have been meant of what they may see, as `did_you_mean` puts it. Requests and locks have names by
        /// chance: to offer another one would only bring people to decide about the wrong thing.
        near: String,
        /// The command that lists what there is.
        list: &'static str,
    },
    /// The gateway cannot begin: this cluster knows no such resources.
    #[error(
        "this cluster has no {missing}: apply the custom resources (`deploy/crds`) of this gateway's version, then start it again"
    )]
    NotInstalled {
        /// Their plural names and group, in backticks.
        missing: String,
    },
    /// The gateway cannot begin: there are no copies to decide by.
    #[error(
        "no policies, sets, requests and locks to begin with within {} s: {trouble}; start it again once that is mended",
        super::FIRST_LISTS.as_secs()
    )]
    NotBegun {
        /// What was wrong with each list that did not come.
        trouble: String,
    },
    /// Others kept changing the same request; nothing was done.
    #[error("request `{name}` is being changed by others at the moment; nothing was done, try again")]
    Busy {
        /// The request.
        name: String,
    },
}

impl AccessError {
    /// The exit status that the person's `ssh` gets: 77 refused, 69 the API is out of reach, 64 a bad question,
    /// 70 trouble in the cluster.
    #[must_use]
    pub const fn exit_status(&self) -> u8 {
        match self {
            Self::Refused(_) => 77,
            Self::Unreachable { .. } | Self::NotBegun { .. } => 69,
            Self::Cluster { .. } | Self::NotInstalled { .. } | Self::Busy { .. } => 70,
            Self::Invalid(_) | Self::NotFound { .. } => 64,
        }
    }

    /// Why the copies of all lists were not there in time.
    pub(super) fn not_begun(lists: &[Health]) -> Self {
        let missing: Vec<_> =
            lists.iter().filter_map(|list| list.missing.as_ref()).map(|name| format!("`{name}`")).collect();
        if !missing.is_empty() {
            return Self::NotInstalled { missing: missing.join(", ") };
        }
        let late = lists.iter().filter(|list| list.heard.is_none());
        let silent = "the Kubernetes API does not answer";
        let trouble: BTreeSet<_> = late.map(|list| list.trouble.as_deref().unwrap_or(silent)).collect();
        Self::NotBegun { trouble: trouble.into_iter().collect::<Vec<_>>().join("; ") }
    }

    /// Our copy is older than [`STALE_AFTER`].
    pub(super) const fn stale() -> Self {
        Self::Unreachable { source: None }
    }

    /// A call that failed: out of reach where there was no answer worth the name, else the cluster's own error.
    pub(super) fn call(doing: &'static str, source: kube::Error) -> Self {
        let source = Box::new(source);
        match &*source {
            kube::Error::Api(status) if !matches!(status.code, 429 | 500..=599) => {
                Self::Cluster { doing, source }
            }
            _ => Self::Unreachable { source: Some(source) },
        }
    }
}

impl From<Refusal> for AccessError {
    fn from(refusal: Refusal) -> Self {
        Self::Refused(refusal)
    }
}

/// How long a copy may be without news before nothing is decided by it any more, for texts.
pub(super) fn stale_seconds() -> u64 {
    STALE_AFTER.as_secs()
}
