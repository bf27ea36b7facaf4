//! `sallyport ca`: the keys of the certificate authority.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Subcommand;

use crate::ca::Authority;

/// What can be done with the authority's keys.
#[derive(Debug, Subcommand)]
pub(crate) enum Ca {
    /// Make the keys; an existing authority is left alone
    Init {
        /// Where they are kept, readable by the gateway only
        #[arg(value_name = "DIR")]
        dir: PathBuf,
    },
    /// Print the public keys, ready for `known_hosts` and for `TrustedUserCAKeys`
    Show {
        /// Where they are kept
        #[arg(value_name = "DIR")]
        dir: PathBuf,
    },
}

impl Ca {
    pub(super) fn run(self) -> ExitCode {
        let authority = match &self {
            Self::Init { dir } => Authority::init(dir),
            Self::Show { dir } => Authority::load(dir),
        };
        let authority = match authority {
            Ok(authority) => authority,
            Err(error) => return super::fail(&error),
        };
        let lines = || {
            let host = authority.host_ca_public().to_openssh()?;
            let user = authority.user_ca_public().to_openssh()?;
            Ok::<_, russh::keys::ssh_key::Error>(format!(
                "# for people's known_hosts, so that their ssh knows the gateway:\n@cert-authority * {host}\n\
                 # signs people's certificates:\n{user}\n"
            ))
        };
        match lines() {
            Ok(text) => super::print(&text),
            Err(error) => super::fail(&error),
        }
    }
}
