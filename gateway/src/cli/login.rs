//! Comes with the SSH server.
use std::process::ExitCode;
#[derive(Debug, clap::Args)]
pub(crate) struct Login {}
impl Login {
    pub(super) fn run(self) -> ExitCode {
        ExitCode::FAILURE
    }
}
