//! Keys, certificates and the `ssh_config` of the demo's people. A certificate comes the way everybody's does: the
//! device grant at the provider, the verified token, the authority.

use std::fs;
use std::net::SocketAddr;

use russh::keys::ssh_key::{Algorithm, LineEnding, PrivateKey, PublicKey};

use super::dir::{Dir, DirError};
use crate::ca::{Authority, CaError};
use crate::clock::Clock;
use crate::config::Span;
use crate::identity::{IdentityError, Oidc};

/// Host in `ssh_config`, and who signs in there; a host without a person has a key and no certificate.
const HOSTS: [(&str, Option<&str>); 4] = [
    ("prod-gw", Some("alice")),
    ("prod-gw-bob", Some("bob")),
    ("prod-gw-sam", Some("sam")),
    ("prod-gw-new", None),
];

/// The name in the host certificate, whatever address the demo listens on.
pub(super) const HOST_NAME: &str = "prod-gw";

/// Why somebody has no certificate.
#[derive(Debug, thiserror::Error)]
pub enum PeopleError {
    /// A file could not be written.
    #[error(transparent)]
    Dir(#[from] DirError),
    /// A key could not be made or read.
    #[error("cannot make or read the key of `{person}`")]
    Key {
        /// Whose.
        person: &'static str,
        /// Why.
        source: russh::keys::ssh_key::Error,
    },
    /// The provider did not say who it is.
    #[error("`{person}` could not sign in")]
    SignIn {
        /// Who.
        person: &'static str,
        /// Why.
        source: IdentityError,
    },
    /// The embedded provider did not know the code it had just given.
    #[error("the embedded provider refused the sign-in of `{person}`")]
    Provider {
        /// Who.
        person: &'static str,
        /// Why.
        source: sallyport_dev::idp::IdpError,
    },
    /// The certificate could not be signed.
    #[error("no certificate for `{person}`")]
    Certificate {
        /// For whom.
        person: &'static str,
        /// Why.
        source: CaError,
    },
}

/// What signing people in needs.
pub(super) struct Office<'a> {
    pub(super) dir: &'a Dir,
    pub(super) idp: &'a sallyport_dev::idp::Idp,
    pub(super) oidc: &'a Oidc,
    pub(super) authority: &'a Authority,
    pub(super) clock: &'a dyn Clock,
    pub(super) validity: Span,
}

impl Office<'_> {
    /// A key for everyone, and a fresh certificate for those who are people of the provider.
    pub(super) async fn everyone(&self) -> Result<(), PeopleError> {
        for (_, person) in HOSTS {
            let name = person.unwrap_or("new");
            self.dir.folder(&format!("people/{name}"))?;
            let key = self.key(name)?;
            if let Some(person) = person {
                self.certificate(person, &key).await?;
            }
        }
        Ok(())
    }

    fn key(&self, person: &'static str) -> Result<PublicKey, PeopleError> {
        let failed = |source| PeopleError::Key { person, source };
        let path = format!("people/{person}/id_ed25519");
        if let Ok(text) = fs::read_to_string(self.dir.join(&path)) {
            return Ok(PrivateKey::from_openssh(text).map_err(failed)?.public_key().clone());
        }
        let mut key = PrivateKey::random(&mut rand::rng(), Algorithm::Ed25519).map_err(failed)?;
        key.set_comment(format!("{person}@demo"));
        let public = key.public_key();
        self.dir.write(format!("{path}.pub"), &(public.to_openssh().map_err(failed)? + "\n"))?;
        self.dir.write(&path, &key.to_openssh(LineEnding::LF).map_err(failed)?)?;
        Ok(public.clone())
    }

    async fn certificate(&self, person: &'static str, key: &PublicKey) -> Result<(), PeopleError> {
        let failed = |source| PeopleError::SignIn { person, source };
        let device = self.oidc.begin_device().await.map_err(failed)?;
        self.idp
            .sign_in(&device.user_code, person)
            .map_err(|source| PeopleError::Provider { person, source })?;
        let identity = device.finish().await.map_err(failed)?;
        let issued = self
            .authority
            .issue(&identity, key, self.validity.0, self.clock.now())
            .map_err(|source| PeopleError::Certificate { person, source })?;
        let text = issued.certificate.to_openssh().map_err(|source| PeopleError::Key { person, source })?;
        self.dir.write(format!("people/{person}/id_ed25519-cert.pub"), &(text + "\n"))?;
        Ok(())
    }

    /// `known_hosts` by host CA, and `ssh_config` with a host for each person.
    pub(super) fn client_files(&self, ssh: SocketAddr) -> Result<(), PeopleError> {
        let host_ca = self
            .authority
            .host_ca_public()
            .to_openssh()
            .map_err(|source| PeopleError::Key { person: "the gateway", source })?;
        self.dir.write("known_hosts", &format!("@cert-authority {HOST_NAME} {host_ca}\n"))?;
        self.dir.write("ssh_config", &config(&self.dir.path().display().to_string(), ssh))?;
        Ok(())
    }
}

fn config(dir: &str, ssh: SocketAddr) -> String {
    use std::fmt::Write;

    let mut text = "# Written by `sallyport demo` at each start.\n".to_owned();
    for (host, person) in HOSTS {
        let name = person.unwrap_or("new");
        // Writing to a string does not fail.
        let _ =
            write!(text, "\nHost {host}\n  User {name}\n  IdentityFile \"{dir}/people/{name}/id_ed25519\"\n");
    }
    let _ = write!(
        text,
        "\nHost prod-gw prod-gw-*\n  HostName {}\n  Port {}\n  HostKeyAlias {HOST_NAME}\n  \
         UserKnownHostsFile \"{dir}/known_hosts\"\n  StrictHostKeyChecking yes\n  IdentitiesOnly yes\n  \
         IdentityAgent none\n  ForwardAgent no\n",
        ssh.ip(),
        ssh.port(),
    );
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_host_goes_to_the_gateway_with_its_own_key() {
        let text = config("/state", SocketAddr::from(([127, 0, 0, 1], 2222)));
        for (host, name) in
            [("prod-gw", "alice"), ("prod-gw-bob", "bob"), ("prod-gw-sam", "sam"), ("prod-gw-new", "new")]
        {
            let block =
                format!("Host {host}\n  User {name}\n  IdentityFile \"/state/people/{name}/id_ed25519\"\n");
            assert!(text.contains(&block), "{text}");
        }
        assert!(text.contains("  HostName 127.0.0.1\n  Port 2222\n"), "{text}");
    }
}
