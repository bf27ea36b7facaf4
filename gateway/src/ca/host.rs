//! The certificate that the SSH server shows for itself.

use std::net::IpAddr;
use std::time::Duration;

use jiff::Timestamp;
use rand::RngExt;
use russh::keys::ssh_key::certificate::CertType;
use russh::keys::{Certificate, PrivateKey};

use super::issue::{builder, moment, window};
use super::{Authority, CaError, MAX_HOST_VALIDITY};

/// The host key and the certificate that says whose it is.
#[derive(Debug, Clone)]
pub struct HostCredentials {
    /// The server's key.
    pub key: PrivateKey,
    /// Signed by the host CA, for the names asked for.
    pub certificate: Certificate,
    /// The first second in which the certificate is no longer valid; ask again in good time.
    pub until: Timestamp,
}

impl Authority {
    /// The host key with a fresh certificate for `names`: host names (a leading `*.` is not a wildcard to
    /// OpenSSH, so none is taken) or addresses, without ports.
    ///
    /// # Errors
    /// When there is no name, one is malformed, or `validity` is out of bounds.
    pub fn host(
        &self,
        names: &[String],
        validity: Duration,
        now: Timestamp,
    ) -> Result<HostCredentials, CaError> {
        if names.is_empty() {
            // Without principals it would speak for every host there is.
            return Err(CaError::HostName(String::new()));
        }
        if let Some(name) = names.iter().find(|name| !is_host(name)) {
            return Err(CaError::HostName(name.clone()));
        }
        let (after, before) = window(now, validity, MAX_HOST_VALIDITY)?;
        let build = || {
            let mut builder = builder(self.host_key.public_key(), after, before)?;
            builder
                .cert_type(CertType::Host)?
                .serial(rand::rng().random_range(1..=u64::MAX))?
                .key_id("sallyport gateway")?;
            for name in names {
                builder.valid_principal(name.as_str())?;
            }
            builder.sign(&self.host_ca)
        };
        let certificate = build().map_err(CaError::Sign)?;
        Ok(HostCredentials { key: self.host_key.clone(), certificate, until: moment(before) })
    }
}

/// A DNS name (RFC 1123, underscores forgiven) or an address.
fn is_host(name: &str) -> bool {
    let label = |label: &str| {
        !label.is_empty()
            && label.len() <= 63
            && !label.starts_with('-')
            && !label.ends_with('-')
            && label.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
    };
    name.parse::<IpAddr>().is_ok() || (name.len() <= 253 && name.split('.').all(label))
}
