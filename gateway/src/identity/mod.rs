//! Who somebody is: [`Identity`], and the OpenID Connect provider that vouches for it.
//!
//! An [`Identity`] exists only where a token or a certificate was verified. [`Oidc`] builds it from an ID
//! token (signature, issuer, audience, times, claims) and `ca` from a certificate of our own CA. What the
//! provider says about a person is believed; whether they may do anything is not decided here.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

mod claims;
mod code;
mod device;
mod error;
mod http;
mod jwks;
mod names;
mod oidc;
mod provider;
mod recheck;
mod settings;
mod token;
mod tokens;

#[cfg(test)]
mod tests;

pub use code::{CodeAnswer, CodeSignIn};
pub use device::DeviceSignIn;
pub use error::{FetchError, IdentityError, TokenRefusal};
pub use names::{MAX_GROUPS, MAX_NAME_BYTES, NameProblem, RESERVED_PREFIXES};
pub use oidc::Oidc;
pub use recheck::{People, Rechecks, Watch};
pub use settings::OidcSettings;
pub use tokens::Tokens;

use crate::audit;

/// The longest identity that fits a certificate, in bytes of JSON.
pub const MAX_CERTIFIED_BYTES: usize = 24 * 1024;

/// The longest issuer, in bytes.
const MAX_ISSUER_BYTES: usize = 1024;

/// A person whom an OpenID Connect provider vouches for.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Identity {
    issuer: String,
    subject: String,
    username: String,
    groups: BTreeSet<String>,
    by_codes: bool,
}

/// Why a verified token or certificate still does not make an identity.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum IdentityProblem {
    /// The issuer is missing, too long, or not plain text.
    #[error("its issuer is empty, longer than {MAX_ISSUER_BYTES} bytes, or not plain text")]
    Issuer,
    /// The subject cannot be used.
    #[error("its subject {0}")]
    Subject(NameProblem),
    /// The username cannot be used.
    #[error("its username {0}")]
    Username(NameProblem),
    /// A group cannot be used. The name is not repeated when it cannot be shown.
    #[error("one of its groups {0}")]
    Group(NameProblem),
    /// More groups than [`MAX_GROUPS`].
    #[error("it carries more than {MAX_GROUPS} groups; have the provider send only those that matter here")]
    TooManyGroups,
    /// Longer than [`MAX_CERTIFIED_BYTES`] as JSON.
    #[error(
        "it is longer than {MAX_CERTIFIED_BYTES} bytes; have the provider send only the groups that matter here"
    )]
    TooLong,
    /// Not the JSON that a certificate of ours carries.
    #[error("it is not written the way this gateway writes it: {0}")]
    Form(String),
}

/// An identity as certificates carry it.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Certified {
    /// The form's version.
    v: u32,
    iss: String,
    sub: String,
    username: String,
    groups: BTreeSet<String>,
    /// Set where sealed codes vouch instead of the provider. A gateway that does not know this field refuses the
    /// certificate, since the form allows none that are unknown.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    codes: bool,
}

impl Identity {
    /// The one way in: every rule of `names` holds for what comes out.
    fn new(
        issuer: String,
        subject: String,
        username: String,
        groups: BTreeSet<String>,
    ) -> Result<Self, IdentityProblem> {
        let plain = |c: char| c.is_ascii_graphic();
        if issuer.is_empty() || issuer.len() > MAX_ISSUER_BYTES || !issuer.chars().all(plain) {
            return Err(IdentityProblem::Issuer);
        }
        names::check_text(&subject).map_err(IdentityProblem::Subject)?;
        names::check(&username).map_err(IdentityProblem::Username)?;
        if groups.len() > MAX_GROUPS {
            return Err(IdentityProblem::TooManyGroups);
        }
        groups.iter().try_for_each(|group| names::check(group)).map_err(IdentityProblem::Group)?;
        Ok(Self { issuer, subject, username, groups, by_codes: false })
    }

    /// Somebody whom the file of sealed codes names. Only `codes` calls this; who has shown no codes gets nothing from it.
    ///
    /// # Errors
    /// When a rule that holds for every identity is broken.
    pub(crate) fn from_codes(
        issuer: String,
        subject: String,
        username: String,
        groups: BTreeSet<String>,
    ) -> Result<Self, IdentityProblem> {
        Ok(Self { by_codes: true, ..Self::new(issuer, subject, username, groups)? })
    }

    /// Whether sealed codes vouch for this person and not the provider. Such an identity is for break-glass only.
    #[must_use]
    pub const fn by_codes(&self) -> bool {
        self.by_codes
    }

    /// The provider that vouches for this person.
    #[must_use]
    pub fn issuer(&self) -> &str {
        &self.issuer
    }

    /// The provider's own, stable name for this person.
    #[must_use]
    pub fn subject(&self) -> &str {
        &self.subject
    }

    /// The name that people and the cluster see, prefix included.
    #[must_use]
    pub fn username(&self) -> &str {
        &self.username
    }

    /// The groups, prefix included.
    #[must_use]
    pub const fn groups(&self) -> &BTreeSet<String> {
        &self.groups
    }

    /// The same person in none but these groups.
    fn within(&self, groups: &BTreeSet<String>) -> Self {
        Self { groups: self.groups.intersection(groups).cloned().collect(), ..self.clone() }
    }

    /// The same person as policies see them.
    #[must_use]
    pub fn person(&self) -> sallyport_policy::Person {
        sallyport_policy::Person { username: self.username.clone(), groups: self.groups.clone() }
    }

    /// The same person as audit events name them.
    #[must_use]
    pub fn audit_person(&self) -> audit::Person {
        audit::Person {
            username: self.username.clone(),
            issuer: Some(self.issuer.clone()),
            subject: Some(self.subject.clone()),
        }
    }

    /// The identity as a certificate carries it.
    ///
    /// # Errors
    /// When that would be longer than [`MAX_CERTIFIED_BYTES`].
    pub(crate) fn to_certified(&self) -> Result<String, IdentityProblem> {
        let form = Certified {
            v: 1,
            iss: self.issuer.clone(),
            sub: self.subject.clone(),
            username: self.username.clone(),
            groups: self.groups.clone(),
            codes: self.by_codes,
        };
        let json = serde_json::to_string(&form).map_err(|error| IdentityProblem::Form(error.to_string()))?;
        if json.len() > MAX_CERTIFIED_BYTES { Err(IdentityProblem::TooLong) } else { Ok(json) }
    }

    /// Reads [`Identity::to_certified`]. Only `ca` calls this, and only with text that its own key has signed;
    /// a test below holds that nobody else does.
    ///
    /// # Errors
    /// When the text is too long, of another form, or breaks a rule that holds for every identity.
    pub(crate) fn from_certified(json: &str) -> Result<Self, IdentityProblem> {
        if json.len() > MAX_CERTIFIED_BYTES {
            return Err(IdentityProblem::TooLong);
        }
        let form: Certified =
            serde_json::from_str(json).map_err(|error| IdentityProblem::Form(error.to_string()))?;
        if form.v != 1 {
            return Err(IdentityProblem::Form(format!("version {} is not known here", form.v)));
        }
        let by_codes = form.codes;
        Ok(Self { by_codes, ..Self::new(form.iss, form.sub, form.username, form.groups)? })
    }

    /// Somebody of a provider's, for the tests of other modules.
    #[cfg(test)]
    pub fn certified_for_tests(json: &str) -> Self {
        Self::from_certified(json).expect("a certified identity")
    }

    /// Somebody, for the tests of other modules.
    #[cfg(test)]
    pub fn for_tests(username: &str, groups: &[&str]) -> Self {
        Self::new(
            "https://issuer.test".to_owned(),
            format!("sub-{username}"),
            username.to_owned(),
            groups.iter().map(|group| (*group).to_owned()).collect(),
        )
        .expect("a valid identity")
    }
}
