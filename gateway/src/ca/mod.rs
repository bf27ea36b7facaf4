//! The certificate authority: signs short-lived OpenSSH user certificates for verified identities and a
//! certificate for the gateway's own host key, and checks what comes back.
//!
//! An SSH library proves that whoever connects holds the key in a certificate, and that the certificate
//! carries a good signature by the key *named in it*. Everything else that makes a certificate worth
//! anything is checked in [`Authority::verify`]: whose key signed it, for what, for whom, until when, under
//! which conditions, and whether it was taken back. Format: OpenSSH's `PROTOCOL.certkeys`.
//!
//! The keys lie in a directory, unencrypted, readable by the gateway's user alone. Who can read them can be
//! anybody; a hardware module is not supported yet.

mod files;
mod host;
mod issue;
mod options;
mod revoked;
mod verify;

#[cfg(test)]
mod tests;

use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use aws_lc_rs::hmac;
use russh::keys::ssh_key::{self, HashAlg};
use russh::keys::{Algorithm, PrivateKey, PublicKey};

use crate::identity::IdentityProblem;

pub use host::HostCredentials;
pub use issue::Issued;
pub use verify::{CertificateRefusal, VerifiedCertificate};

/// The private extension that holds the identity, as JSON.
pub const IDENTITY_EXTENSION: &str = "identity@sallyport.dev";

/// The longest life of a user certificate.
pub const MAX_USER_VALIDITY: Duration = Duration::from_secs(24 * 3600);

/// The longest life of a host certificate.
pub const MAX_HOST_VALIDITY: Duration = Duration::from_secs(366 * 24 * 3600);

/// A certificate is good from this long before it was signed, so that replicas need not agree to the second.
pub const BACKDATE: Duration = Duration::from_secs(60);

/// Why the authority could not be set up, or did not sign.
#[derive(Debug, thiserror::Error)]
pub enum CaError {
    /// A file or directory could not be made, read or written.
    #[error("cannot {doing} `{}`", path.display())]
    File {
        /// What was tried: `read`, `write`, …
        doing: &'static str,
        /// Where.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// There is something already where a new authority was to be made.
    #[error("`{}` exists already; to begin anew, move the directory away first", .0.display())]
    Exists(PathBuf),
    /// A key file is not there.
    #[error("`{}` is missing; make a new authority with `sallyport ca init`, or bring the file back", .0.display())]
    Missing(PathBuf),
    /// Others may read the key, or change it.
    #[error("`{}` is open to others (mode {mode:04o}); make it 0600", path.display())]
    Open {
        /// The file.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// A file is not an OpenSSH private key of the kind used here.
    #[error("`{}` is not an unencrypted ed25519 key in OpenSSH format", .0.display())]
    NotAKey(PathBuf),
    /// A line in the revocation list means nothing.
    #[error("line {line} of `{}` is neither `serial:N` nor a `SHA256:…` fingerprint", path.display())]
    RevocationLine {
        /// The list.
        path: PathBuf,
        /// Counted from 1.
        line: usize,
    },
    /// The key is of a kind that is not signed.
    #[error("`{0}` keys are not accepted here; make one with `ssh-keygen -t ed25519`")]
    KeyKind(String),
    /// The key was revoked.
    #[error("the key `{0}` was revoked; make a new one with `ssh-keygen -t ed25519`")]
    KeyRevoked(String),
    /// The identity does not fit a certificate.
    #[error("the identity does not fit a certificate: {0}")]
    Identity(IdentityProblem),
    /// A host name cannot stand in a host certificate, or there is none.
    #[error("`{0}` is not a host name or an address")]
    HostName(String),
    /// The life asked for is not possible.
    #[error("a certificate is valid for 1 second to {} hours; `{}` seconds were asked for", max.as_secs() / 3600, asked.as_secs())]
    Validity {
        /// What was asked.
        asked: Duration,
        /// The longest there is.
        max: Duration,
    },
    /// The certificate could not be put together.
    #[error("cannot sign the certificate")]
    Sign(#[source] ssh_key::Error),
}

/// The keys of one gateway installation. Replicas share the directory.
#[derive(Debug)]
pub struct Authority {
    user_ca: PrivateKey,
    host_ca: PrivateKey,
    host_key: PrivateKey,
    revoked: revoked::Revoked,
}

impl Authority {
    /// Makes new keys in `dir`, which is made too if need be (0700). Existing keys are never replaced.
    ///
    /// # Errors
    /// When there is a key already, or a file cannot be written.
    pub fn init(dir: &Path) -> Result<Self, CaError> {
        files::make_dir(dir)?;
        if let Some(path) = files::KEYS.map(|name| dir.join(name)).into_iter().find(|path| path.exists()) {
            return Err(CaError::Exists(path));
        }
        files::fill(dir)?;
        Self::load(dir)
    }

    /// Reads the keys of an existing authority.
    ///
    /// # Errors
    /// When a key is missing, unreadable, open to others or of another kind, or the revocation list does
    /// not parse.
    pub fn load(dir: &Path) -> Result<Self, CaError> {
        let [host_key, host_ca, user_ca] = files::KEYS.map(|name| files::read_key(&dir.join(name)));
        Ok(Self {
            host_key: host_key?,
            host_ca: host_ca?,
            user_ca: user_ca?,
            revoked: revoked::Revoked::load(dir.join("revoked"))?,
        })
    }

    /// Reads the authority in `dir`, or makes one. A creation that was interrupted is completed; an
    /// authority that has lost one of its files is not touched.
    ///
    /// # Errors
    /// As for [`Authority::init`] and [`Authority::load`].
    pub fn load_or_init(dir: &Path) -> Result<Self, CaError> {
        files::make_dir(dir)?;
        // The user CA is made last: without it nobody has ever been given a certificate.
        if !dir.join(files::USER_CA).exists() {
            files::fill(dir)?;
        }
        Self::load(dir)
    }

    /// The key that signs user certificates, for `TrustedUserCAKeys` and for showing.
    #[must_use]
    pub fn user_ca_public(&self) -> &PublicKey {
        self.user_ca.public_key()
    }

    /// A secret for one purpose that every gateway of this installation has, and nobody else: derived from the key that
    /// signs people's certificates, so that whoever knows it could be anybody anyway.
    #[must_use]
    pub fn secret(&self, purpose: &str) -> [u8; 32] {
        let seed = match self.user_ca.key_data() {
            ssh_key::private::KeypairData::Ed25519(pair) => pair.private.to_bytes(),
            // `files::read_key` takes no other kind.
            _ => return [0; 32],
        };
        let key = hmac::Key::new(hmac::HMAC_SHA256, &seed);
        let mut secret = [0; 32];
        let tag = hmac::sign(&key, format!("sallyport {purpose}").as_bytes());
        secret.iter_mut().zip(tag.as_ref()).for_each(|(to, from)| *to = *from);
        secret
    }

    /// The key that signs the host certificate, for `@cert-authority` lines in `known_hosts`.
    #[must_use]
    pub fn host_ca_public(&self) -> &PublicKey {
        self.host_ca.public_key()
    }
}

/// Whether certificates are signed for, and accepted from, this kind of key. RSA is left out: SHA-1 lurks in
/// its history, and the SSH library is built without it.
fn is_accepted(algorithm: &Algorithm) -> bool {
    matches!(
        algorithm,
        Algorithm::Ed25519 | Algorithm::Ecdsa { .. } | Algorithm::SkEd25519 | Algorithm::SkEcdsaSha2NistP256
    )
}

/// A key's name in events, in the revocation list, and in `ssh-keygen -l`.
fn fingerprint(key: &ssh_key::public::KeyData) -> String {
    key.fingerprint(HashAlg::Sha256).to_string()
}
