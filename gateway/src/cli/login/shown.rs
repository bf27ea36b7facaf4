//! A certificate as a person got it: read, not verified. For showing and filing it, never for letting anybody in.

use jiff::Timestamp;
use russh::keys::{Certificate, PublicKey};

/// A user certificate in OpenSSH's form.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Shown {
    /// The one line that belongs into `KEY-cert.pub`.
    pub(super) line: String,
    /// The first second in which it is no longer valid.
    pub(super) until: Timestamp,
    key: PublicKey,
}

impl Shown {
    /// Reads the only line of `text`.
    pub(super) fn read(text: &str) -> Option<Self> {
        let line = text.trim();
        if line.contains(['\n', '\r']) {
            return None;
        }
        let certificate = Certificate::from_openssh(line).ok()?;
        let until = i64::try_from(certificate.valid_before()).ok()?;
        let key = PublicKey::new(certificate.public_key().clone(), "");
        Some(Self { line: line.to_owned(), until: Timestamp::from_second(until).ok()?, key })
    }

    /// Whether it is for the key in `public`, the content of a `.pub` file.
    pub(super) fn is_for(&self, public: &str) -> bool {
        PublicKey::from_openssh(public.trim()).is_ok_and(|key| key.key_data() == self.key.key_data())
    }
}
