//! What goes wrong on the way into a pod: one line for people each; the cause is in `source()`, for the log.

use std::error::Error as StdError;

use crate::access::{AccessError, Refusal};

type Cause = Box<dyn StdError + Send + Sync>;

/// Why something in the cluster did not work.
#[derive(Debug, thiserror::Error)]
pub enum BridgeError {
    /// No grant covers it, or that could not be told.
    #[error(transparent)]
    Access(#[from] AccessError),
    /// The grant that covered it has ended.
    #[error(transparent)]
    Over(#[from] Refusal),
    /// A username or group that may never be impersonated, or that does not fit into a header.
    #[error("refused: `{name}` cannot be used towards the cluster ({why})")]
    Impersonation {
        /// The name, cleaned.
        name: String,
        /// What is wrong with it.
        why: &'static str,
    },
    /// No connection, or it broke before there was an answer.
    #[error("the Kubernetes API is out of reach; try again in a moment ({doing})")]
    Unreachable {
        /// What was tried: `reading pod`, `starting a command`.
        doing: &'static str,
        /// Why.
        source: Cause,
    },
    /// No answer in time.
    #[error("the Kubernetes API did not answer within {seconds} s; try again in a moment ({doing})")]
    Slow {
        /// What was tried.
        doing: &'static str,
        /// How long was waited.
        seconds: u64,
    },
    /// The API server is there and cannot: 429, 5xx.
    #[error("the Kubernetes API cannot do this now; try again in a moment ({doing}: {status}{message})")]
    Unavailable {
        /// What was tried.
        doing: &'static str,
        /// The HTTP status.
        status: u16,
        /// What the API server said, cleaned, with `, ` before it; may be empty.
        message: String,
    },
    /// 401: the gateway itself is not known there.
    #[error(
        "the Kubernetes API does not accept the gateway's credentials; whoever runs it must look ({doing})"
    )]
    Credentials {
        /// What was tried.
        doing: &'static str,
    },
    /// 403 for the gateway itself: it may not act for people.
    #[error("the gateway lacks a right that it needs; whoever runs it must look ({message})")]
    GatewayRights {
        /// What the API server said, cleaned.
        message: String,
    },
    /// 403: RBAC does not allow it, though the policy does.
    #[error("refused by the cluster: {message}; the policy's ClusterRole does not allow it")]
    Forbidden {
        /// What the API server said, cleaned.
        message: String,
    },
    /// There is no such thing.
    #[error("there is no {what} in namespace `{namespace}`{hint}")]
    NotFound {
        /// What: ``pod `api-0` ``.
        what: String,
        /// Where.
        namespace: String,
        /// What helps, with `; ` before it; may be empty.
        hint: &'static str,
    },
    /// The API server does not take the question: 400, 409, 422 and the like.
    #[error("the Kubernetes API refused ({doing}): {message}")]
    Rejected {
        /// What was tried.
        doing: &'static str,
        /// What the API server said, cleaned.
        message: String,
    },
    /// The target is there and cannot be used as it is, or was not said well.
    #[error("{0}")]
    Target(String),
    /// Neither `bash` nor `sh` in the container.
    #[error(
        "container `{container}` has no shell (neither `bash` nor `sh`); `exec TARGET -- PROGRAM` runs a program without one"
    )]
    NoShell {
        /// Which.
        container: String,
    },
    /// Nobody listens there.
    #[error("nothing listens on port {port} of pod `{pod}` (connection refused)")]
    ConnectionRefused {
        /// Which pod.
        pod: String,
        /// Which port.
        port: u16,
    },
    /// The kubelet could not connect for another reason.
    #[error("port {port} of pod `{pod}` cannot be reached: {message}")]
    ConnectionFailed {
        /// Which pod.
        pod: String,
        /// Which port.
        port: u16,
        /// What the kubelet said, cleaned.
        message: String,
    },
    /// An open connection broke.
    #[error("the connection to the cluster broke ({doing})")]
    Lost {
        /// What was being done.
        doing: &'static str,
        /// Why.
        source: Cause,
    },
    /// The API server answered with something that is not in its protocol.
    #[error("the Kubernetes API's answer cannot be understood ({doing})")]
    Protocol {
        /// What was being done.
        doing: &'static str,
        /// What was wrong.
        source: Cause,
    },
}

impl BridgeError {
    /// The exit status that the person's `ssh` gets: 77 refused, 69 the API is out of reach or in trouble, 64 a bad
    /// target, 127 no shell.
    #[must_use]
    pub const fn exit_status(&self) -> u8 {
        match self {
            Self::Access(error) => error.exit_status(),
            Self::Over(_) | Self::Impersonation { .. } | Self::Forbidden { .. } => 77,
            Self::NotFound { .. } | Self::Rejected { .. } | Self::Target(_) => 64,
            Self::NoShell { .. } => 127,
            Self::Unreachable { .. }
            | Self::Slow { .. }
            | Self::Unavailable { .. }
            | Self::Credentials { .. }
            | Self::GatewayRights { .. }
            | Self::ConnectionRefused { .. }
            | Self::ConnectionFailed { .. }
            | Self::Lost { .. }
            | Self::Protocol { .. } => 69,
        }
    }
}
