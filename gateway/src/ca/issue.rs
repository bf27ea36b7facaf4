//! Signing a person's key.

use std::time::Duration;

use jiff::Timestamp;
use rand::RngExt;
use russh::keys::ssh_key::certificate::{Builder, CertType};
use russh::keys::{Certificate, PublicKey};

use super::{Authority, BACKDATE, CaError, IDENTITY_EXTENSION, MAX_USER_VALIDITY, fingerprint, is_accepted};
use crate::identity::Identity;

/// A user certificate, fresh from the press.
#[derive(Debug, Clone)]
pub struct Issued {
    /// What the person's `ssh` shows from now on.
    pub certificate: Certificate,
    /// Its number, random, for events and for revocation.
    pub serial: u64,
    /// The first second in which it is no longer valid.
    pub until: Timestamp,
}

impl Authority {
    /// Signs `key` for `identity`, from now on for `validity` (whole seconds).
    ///
    /// # Errors
    /// When the key is of a kind that is not accepted or was revoked, `validity` is out of bounds, or the
    /// identity is too long to be carried.
    pub fn issue(
        &self,
        identity: &Identity,
        key: &PublicKey,
        validity: Duration,
        now: Timestamp,
    ) -> Result<Issued, CaError> {
        if !is_accepted(&key.algorithm()) {
            return Err(CaError::KeyKind(key.algorithm().to_string()));
        }
        if self.revoked.has_key(key.key_data()) {
            return Err(CaError::KeyRevoked(fingerprint(key.key_data())));
        }
        let (after, before) = window(now, validity, MAX_USER_VALIDITY)?;
        let serial = rand::rng().random_range(1..=u64::MAX);
        let certified = identity.to_certified().map_err(CaError::Identity)?;
        let build = || {
            let mut builder = builder(key, after, before)?;
            builder
                .cert_type(CertType::User)?
                .serial(serial)?
                .key_id(identity.username())?
                .valid_principal(identity.username())?
                .extension("permit-pty", "")?
                .extension("permit-port-forwarding", "")?
                .extension(IDENTITY_EXTENSION, certified)?
                .comment(format!("{} until {}", identity.username(), moment(before)))?;
            builder.sign(&self.user_ca)
        };
        let certificate = build().map_err(CaError::Sign)?;
        Ok(Issued { certificate, serial, until: moment(before) })
    }
}

/// From a little before `now` to `validity` after it, in Unix seconds.
pub(super) fn window(now: Timestamp, validity: Duration, max: Duration) -> Result<(u64, u64), CaError> {
    let refused = CaError::Validity { asked: validity, max };
    if validity.as_secs() == 0 || validity > max {
        return Err(refused);
    }
    let Ok(now) = u64::try_from(now.as_second()) else { return Err(refused) };
    Ok((now.saturating_sub(BACKDATE.as_secs()), now.saturating_add(validity.as_secs())))
}

/// A builder with a fresh nonce.
pub(super) fn builder(
    key: &PublicKey,
    after: u64,
    before: u64,
) -> Result<Builder, russh::keys::ssh_key::Error> {
    Builder::new_with_random_nonce(&mut rand::rng(), key, after, before)
}

/// Unix seconds as a moment; times beyond what the clock can say become its end.
pub(super) fn moment(seconds: u64) -> Timestamp {
    i64::try_from(seconds).ok().and_then(|s| Timestamp::from_second(s).ok()).unwrap_or(Timestamp::MAX)
}
