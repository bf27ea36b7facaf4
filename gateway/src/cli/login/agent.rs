//! The person's agent: it gets the new certificate, and gives up the old one, which it would offer for ever.

use std::path::Path;
use std::process::{Command, Stdio};

use super::say;

/// An agent that answers.
#[derive(Debug)]
pub(super) struct Agent;

impl Agent {
    pub(super) fn find() -> Option<Self> {
        std::env::var_os("SSH_AUTH_SOCK").filter(|socket| !socket.is_empty())?;
        // 0: it has keys; 1: it has none; 2: there is no agent.
        let status = quiet(Command::new("ssh-add").arg("-l")).status().ok()?;
        matches!(status.code(), Some(0 | 1)).then_some(Self)
    }

    /// Takes a certificate out, if the agent has it; the key stays.
    #[expect(clippy::unused_self, reason = "only an agent that answers is asked")]
    pub(super) fn forget(&self, certificate: &Path) {
        if certificate.exists() {
            let _ = quiet(Command::new("ssh-add").arg("-d").arg(certificate)).status();
        }
    }

    /// Adds the key with the certificate beside it; a passphrase is asked for on the terminal.
    #[expect(clippy::unused_self, reason = "only an agent that answers is asked")]
    pub(super) fn add(&self, key: &Path) {
        let added = Command::new("ssh-add").arg("-q").arg(key).status();
        if !added.is_ok_and(|status| status.success()) {
            say("the agent did not take it; ssh finds it beside the key all the same");
        }
    }
}

fn quiet(command: &mut Command) -> &mut Command {
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null())
}
