//! Looking at a certificate that somebody shows.

use std::net::IpAddr;

use jiff::Timestamp;
use russh::keys::ssh_key::HashAlg;
use russh::keys::ssh_key::certificate::CertType;
use russh::keys::ssh_key::encoding::Encode;
use russh::keys::{Certificate, PublicKey};

use super::issue::moment;
use super::{Authority, BACKDATE, IDENTITY_EXTENSION, MAX_USER_VALIDITY, fingerprint, is_accepted, options};
use crate::identity::{Identity, IdentityProblem, MAX_CERTIFIED_BYTES};

/// The longest certificate that is looked at, in bytes on the wire.
const MAX_CERTIFICATE_BYTES: usize = MAX_CERTIFIED_BYTES + 8 * 1024;

/// The most principals. Ours have one; some more are forgiven to whoever signs by hand.
const MAX_PRINCIPALS: usize = 16;

/// A certificate of ours, good at the moment it was looked at.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct VerifiedCertificate {
    /// Whom it names.
    pub identity: Identity,
    /// When it was issued.
    pub since: Timestamp,
    /// The first second in which it is no longer valid.
    pub until: Timestamp,
    /// Its number.
    pub serial: u64,
    /// The SHA-256 fingerprint of the key it was signed for, as `ssh-keygen -l` shows it.
    pub fingerprint: String,
    /// The key it was signed for.
    pub key: PublicKey,
    /// Whether it allows a PTY (`permit-pty`).
    pub permits_pty: bool,
    /// Whether it allows tunnels (`permit-port-forwarding`).
    pub permits_port_forwarding: bool,
}

/// Why a certificate is not accepted: one line, for the log and the event. What the person sees is the SSH
/// client's own refusal.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CertificateRefusal {
    /// Longer than any certificate of ours.
    #[error("the certificate is longer than {MAX_CERTIFICATE_BYTES} bytes")]
    TooLong,
    /// Signed by another CA.
    #[error("the certificate was signed by another authority (`{0}`)")]
    Authority(String),
    /// The signature does not fit.
    #[error("the certificate's signature is wrong")]
    Signature,
    /// A host certificate.
    #[error("the certificate is for a host, not for a user")]
    Host,
    /// The certified key is of a kind that is not accepted.
    #[error("the certificate is for a key of kind `{0}`, which is not accepted")]
    KeyKind(String),
    /// Its serial number or its key was revoked.
    #[error("the certificate was revoked (`{0}`)")]
    Revoked(String),
    /// Its time has not come.
    #[error("the certificate is valid from {0} on")]
    NotYet(Timestamp),
    /// Its time is over.
    #[error("the certificate expired at {0}; get a new one with `login`")]
    Expired(Timestamp),
    /// Valid for longer than the authority ever signs.
    #[error("the certificate is valid for longer than {} hours", MAX_USER_VALIDITY.as_secs() / 3600)]
    TooLongLived,
    /// It names nobody, which to OpenSSH would mean everybody.
    #[error("the certificate names no principal")]
    NoPrincipal,
    /// It names others than the identity in it, or far too many.
    #[error("the certificate's principals do not name the identity in it")]
    Principals,
    /// A command is forced, which makes no sense here.
    #[error("the certificate carries `force-command`, which this gateway does not serve")]
    ForceCommand,
    /// A condition that is not understood.
    #[error("the certificate carries the unknown critical option `{0}`")]
    UnknownOption(String),
    /// The list of addresses is malformed.
    #[error("the certificate's `source-address` is malformed")]
    SourceAddressForm,
    /// Used from elsewhere than it may be.
    #[error("the certificate may not be used from `{0}`")]
    SourceAddress(IpAddr),
    /// It carries no identity.
    #[error("the certificate carries no identity (`{IDENTITY_EXTENSION}`)")]
    NoIdentity,
    /// What it carries as identity cannot be used.
    #[error("the identity in the certificate cannot be used: {0}")]
    Identity(IdentityProblem),
    /// Key id and identity are two different people.
    #[error("the certificate's key id is not the identity in it")]
    KeyId,
}

impl Authority {
    /// Decides whether `certificate`, shown from `peer` at `now`, is one of ours and good. That the peer holds
    /// the certified key is for the SSH library to prove.
    ///
    /// # Errors
    /// With the first thing that is wrong. Nothing that the certificate says is looked at before its signature.
    pub fn verify(
        &self,
        certificate: &Certificate,
        peer: IpAddr,
        now: Timestamp,
    ) -> Result<VerifiedCertificate, CertificateRefusal> {
        self.check_signature(certificate)?;
        if certificate.cert_type() != CertType::User {
            return Err(CertificateRefusal::Host);
        }
        if !is_accepted(&certificate.algorithm()) {
            return Err(CertificateRefusal::KeyKind(printable(certificate.algorithm().as_str())));
        }
        let fingerprint = fingerprint(certificate.public_key());
        if self.revoked.has_serial(certificate.serial()) {
            return Err(CertificateRefusal::Revoked(format!("serial:{}", certificate.serial())));
        }
        if self.revoked.has_key(certificate.public_key()) {
            return Err(CertificateRefusal::Revoked(fingerprint));
        }
        check_times(certificate, now)?;
        options::check(certificate.critical_options(), peer)?;

        let extensions = certificate.extensions();
        let Some(certified) = extensions.get(IDENTITY_EXTENSION) else {
            return Err(CertificateRefusal::NoIdentity);
        };
        let identity = Identity::from_certified(certified).map_err(CertificateRefusal::Identity)?;
        check_principals(certificate, &identity)?;
        Ok(VerifiedCertificate {
            identity,
            since: moment(certificate.valid_after().saturating_add(BACKDATE.as_secs())),
            until: moment(certificate.valid_before()),
            serial: certificate.serial(),
            fingerprint,
            key: PublicKey::new(certificate.public_key().clone(), ""),
            permits_pty: extensions.contains_key("permit-pty"),
            permits_port_forwarding: extensions.contains_key("permit-port-forwarding"),
        })
    }

    /// Our user CA's own key, and its signature over all of it.
    fn check_signature(&self, certificate: &Certificate) -> Result<(), CertificateRefusal> {
        if certificate.encoded_len().unwrap_or(usize::MAX) > MAX_CERTIFICATE_BYTES {
            return Err(CertificateRefusal::TooLong);
        }
        let ours = self.user_ca_public().key_data();
        if certificate.signature_key() != ours {
            return Err(CertificateRefusal::Authority(fingerprint(certificate.signature_key())));
        }
        // The library's check wants a moment; times are held against the injected clock below.
        certificate
            .validate_at(certificate.valid_after(), [&ours.fingerprint(HashAlg::Sha256)])
            .map_err(|_| CertificateRefusal::Signature)
    }
}

/// `valid after <= now < valid before`, and never for longer than the authority signs.
fn check_times(certificate: &Certificate, now: Timestamp) -> Result<(), CertificateRefusal> {
    let (after, before) = (certificate.valid_after(), certificate.valid_before());
    let now = u64::try_from(now.as_second()).unwrap_or(0);
    if now < after {
        return Err(CertificateRefusal::NotYet(moment(after)));
    }
    if now >= before {
        return Err(CertificateRefusal::Expired(moment(before)));
    }
    if before.saturating_sub(after) > (MAX_USER_VALIDITY + BACKDATE).as_secs() {
        return Err(CertificateRefusal::TooLongLived);
    }
    Ok(())
}

/// Principals, key id and identity all mean the same person.
fn check_principals(certificate: &Certificate, identity: &Identity) -> Result<(), CertificateRefusal> {
    let principals = certificate.valid_principals();
    if principals.is_empty() {
        return Err(CertificateRefusal::NoPrincipal);
    }
    if principals.len() > MAX_PRINCIPALS || !principals.iter().any(|name| name == identity.username()) {
        return Err(CertificateRefusal::Principals);
    }
    if certificate.key_id() != identity.username() {
        return Err(CertificateRefusal::KeyId);
    }
    Ok(())
}

/// Hostile text cut down to what a log line can bear.
pub(super) fn printable(text: &str) -> String {
    text.chars().take(64).map(|c| if c.is_ascii_graphic() { c } else { '?' }).collect()
}
