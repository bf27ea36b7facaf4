//! What a grant can be used for.

use std::fmt;

/// One use of a grant.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Action {
    /// An interactive shell.
    Shell,
    /// One command.
    Exec,
    /// A container's log.
    Logs,
    /// A TCP connection to this port: of the pod, or of the Service that was named.
    Forward {
        /// The port in the pod.
        port: u16,
    },
    /// Seeing which pods there are. Any grant in the namespace allows it, for the pods it covers.
    Look,
}

impl fmt::Display for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Shell => "shell",
            Self::Exec => "exec",
            Self::Logs => "logs",
            Self::Forward { .. } => "forward",
            Self::Look => "pods",
        })
    }
}
