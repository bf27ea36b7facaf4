//! How a remote command ended, out of the `Status` that comes last on channel 3.
//!
//! The kubelet tells an exit status as a cause with reason `ExitCode`
//! (`k8s.io/apimachinery/pkg/util/remotecommand`). A command killed by a signal has status 128 + signal there, like in
//! a shell: Kubernetes does not tell the two apart. A command that could not be started at all is an `InternalError`
//! whose text comes from the container runtime.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Status;

use crate::terminal::clean;

/// How a remote command ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Exit {
    /// With this exit status; 128 + N after signal N.
    Code(u8),
    /// It never ran.
    NotStarted {
        /// 127 not found, 126 not executable.
        status: u8,
        /// One line for people.
        why: String,
    },
    /// How it ended is not known: the connection broke, or the node is in trouble. It may still be running.
    Unknown {
        /// One line for people.
        why: String,
    },
}

impl Exit {
    /// What the person's `ssh` should exit with.
    #[must_use]
    pub const fn status(&self) -> u8 {
        match self {
            Self::Code(code) => *code,
            Self::NotStarted { status, .. } => *status,
            Self::Unknown { .. } => 69,
        }
    }

    /// What there is to say on standard error; nothing where the command ended by itself.
    #[must_use]
    pub fn message(&self) -> Option<&str> {
        match self {
            Self::Code(_) => None,
            Self::NotStarted { why, .. } | Self::Unknown { why } => Some(why),
        }
    }

    /// Reads the last message of channel 3.
    pub(super) fn read(status: &[u8], program: &str) -> Self {
        let Ok(status) = serde_json::from_slice::<Status>(status) else {
            return Self::Unknown { why: "the cluster did not say how the command ended".to_owned() };
        };
        if status.status.as_deref() == Some("Success") {
            return Self::Code(0);
        }
        let causes = status.details.and_then(|details| details.causes).unwrap_or_default();
        let code = causes.iter().find(|cause| cause.reason.as_deref() == Some("ExitCode"));
        if let Some(code) = code.and_then(|cause| cause.message.as_deref()?.parse::<i64>().ok()) {
            // Windows nodes have wider ones; SSH clients show eight bits.
            return Self::Code(u8::try_from(code & 0xff).unwrap_or(255).max(u8::from(code != 0)));
        }
        Self::not_started(&status.message.unwrap_or_default(), program)
    }

    fn not_started(message: &str, program: &str) -> Self {
        let program = clean(program);
        let says = |texts: &[&str]| texts.iter().any(|text| message.contains(text));
        if says(&["executable file not found", "no such file or directory"]) {
            Self::NotStarted { status: 127, why: format!("`{program}` is not in the container") }
        } else if says(&["permission denied", "is a directory", "exec format error"]) {
            let why = format!("`{program}` in the container cannot be run: {}", last_words(message));
            Self::NotStarted { status: 126, why }
        } else {
            Self::Unknown { why: format!("the cluster could not run the command: {}", last_words(message)) }
        }
    }
}

/// Runtimes wrap errors in errors; the end says what happened. One line, bounded.
fn last_words(message: &str) -> String {
    let message = clean(message.trim().trim_end_matches(": unknown"));
    let parts: Vec<&str> = message.split(": ").collect();
    let start = parts.len().saturating_sub(2);
    let tail = parts.get(start..).unwrap_or_default().join(": ");
    tail.chars().take(300).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(json: &str) -> Exit {
        Exit::read(json.as_bytes(), "foo")
    }

    #[test]
    fn exit_statuses_are_exact() {
        assert_eq!(read(r#"{"metadata":{},"status":"Success"}"#), Exit::Code(0));
        for (said, code) in [("1", 1), ("3", 3), ("137", 137), ("255", 255), ("256", 1)] {
            let json = format!(
                r#"{{"metadata":{{}},"status":"Failure","message":"command terminated with non-zero exit code","reason":"NonZeroExitCode","details":{{"causes":[{{"reason":"ExitCode","message":"{said}"}}]}}}}"#
            );
            assert_eq!(read(&json), Exit::Code(code));
        }
    }

    #[test]
    fn a_program_that_is_not_there_is_127_and_one_that_cannot_run_is_126() {
        let failed = |message: &str| {
            read(
                &serde_json::json!({"status": "Failure", "reason": "InternalError", "message": message})
                    .to_string(),
            )
        };
        let missing = failed(
            r#"Internal error occurred: error executing command in container: failed to exec in container: failed to start exec "x": OCI runtime exec failed: exec failed: container_linux.go:370: starting container process caused: exec: "foo": executable file not found in $PATH: unknown"#,
        );
        assert_eq!((missing.status(), missing.message()), (127, Some("`foo` is not in the container")));
        let denied = failed(
            r#"OCI runtime exec failed: exec failed: unable to start container process: exec: "/etc/passwd": permission denied: unknown"#,
        );
        assert_eq!(denied.status(), 126);
        assert_eq!(
            denied.message(),
            Some("`foo` in the container cannot be run: \"/etc/passwd\": permission denied")
        );
        let other = failed("error dialing backend: dial tcp 10.0.0.7:10250: connect: connection refused");
        assert_eq!(other.status(), 69);
    }

    #[test]
    fn nonsense_is_an_unknown_end() {
        assert_eq!(read("{").status(), 69);
        assert!(matches!(read(r#"{"status":"Failure"}"#), Exit::Unknown { .. }));
    }
}
