//! What can go wrong while finding out who somebody is.

use std::path::PathBuf;

use super::IdentityProblem;

/// Why there is no identity. The text is for the person who signs in; the cause behind it, for the log, is
/// the error's source.
#[derive(Debug, thiserror::Error)]
pub enum IdentityError {
    /// The settings cannot work.
    #[error("{0}")]
    Settings(String),
    /// A file that the settings name cannot be used.
    #[error("cannot use `{}`, which the sign-in settings name", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// Why.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// The provider does not answer.
    #[error("the sign-in provider `{issuer}` is out of reach; try again in a moment")]
    Unreachable {
        /// The provider.
        issuer: String,
        /// What was asked of it, and what came of it.
        source: FetchError,
    },
    /// The provider answers something that cannot be used.
    #[error("the sign-in provider `{issuer}` answered in a way that cannot be used: {what}")]
    Provider {
        /// The provider.
        issuer: String,
        /// What is wrong with the answer.
        what: String,
    },
    /// The provider does not know our client, its secret or what it asks for.
    #[error(
        "the sign-in provider `{issuer}` refuses this gateway (`{code}`); its operator must look at the client `{client}`"
    )]
    Client {
        /// The provider.
        issuer: String,
        /// The OAuth error code.
        code: String,
        /// The client id.
        client: String,
    },
    /// The ID token is not accepted.
    #[error("the ID token is not accepted: {0}")]
    Token(#[from] TokenRefusal),
    /// The person, or the provider, said no.
    #[error("the sign-in was refused at the provider; begin again with `login`")]
    Denied,
    /// What a browser brought back is not the answer to what was asked.
    #[error("the provider's answer cannot be used: {0}; begin again")]
    Stray(&'static str),
    /// Nobody confirmed the code in time.
    #[error("the sign-in was not confirmed in time; begin again with `login`")]
    TimedOut,
    /// Too many people are signing in.
    #[error("too many sign-ins are under way; try again in a moment")]
    Busy,
}

impl IdentityError {
    /// The exit status that goes with it: 77 for a refusal, 69 for a provider that cannot be asked.
    #[must_use]
    pub const fn exit_status(&self) -> u8 {
        match self {
            Self::Token(_) | Self::Denied | Self::Stray(_) | Self::TimedOut => 77,
            Self::Settings(_)
            | Self::File { .. }
            | Self::Unreachable { .. }
            | Self::Provider { .. }
            | Self::Client { .. }
            | Self::Busy => 69,
        }
    }
}

/// Why an exchange with the provider came to nothing.
#[derive(Debug, Clone, thiserror::Error)]
pub enum FetchError {
    /// No connection, no answer in time, or a broken one.
    #[error("asking for the {what} at `{url}` failed: {why}")]
    Failed {
        /// What was asked for.
        what: &'static str,
        /// Where.
        url: String,
        /// The chain of causes.
        why: String,
        /// Whether the question may have arrived all the same.
        arrived: bool,
    },
    /// An answer, but of the wrong status.
    #[error("asking for the {what} at `{url}` was answered with status {status}")]
    Status {
        /// What was asked for.
        what: &'static str,
        /// Where.
        url: String,
        /// The HTTP status.
        status: u16,
    },
    /// More than anybody needs.
    #[error("the {what} at `{url}` is longer than {max} bytes")]
    TooLong {
        /// What was asked for.
        what: &'static str,
        /// Where.
        url: String,
        /// The limit, in bytes.
        max: usize,
    },
}

/// Why an ID token is not accepted. Nothing of the token itself is repeated beyond what its header and its
/// issuer, audience and times say.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TokenRefusal {
    /// Longer than any sensible token.
    #[error("it is longer than {0} bytes")]
    TooLong(usize),
    /// Not a signed JWT in compact form.
    #[error("it is not a signed JSON web token")]
    Malformed,
    /// Signed in a way that is not on the list, like `none` or with a shared secret.
    #[error("it is signed with `{0}`, which is not accepted")]
    Algorithm(String),
    /// The header demands an extension that is not understood (RFC 7515, 4.1.11).
    #[error("its header demands extensions that are not understood")]
    Critical,
    /// No key of the provider's fits.
    #[error("the provider has no key for it")]
    UnknownKey,
    /// The signature does not fit.
    #[error("its signature is wrong")]
    Signature,
    /// Of another issuer.
    #[error("it was issued by `{0}`, not by the configured provider")]
    Issuer(String),
    /// For somebody else.
    #[error("it is meant for another audience than `{0}`")]
    Audience(String),
    /// Issued to another client (`azp`).
    #[error("it was issued to another client than `{0}`")]
    AuthorizedParty(String),
    /// Its time is over.
    #[error("it expired at {0}")]
    Expired(jiff::Timestamp),
    /// Its time has not come.
    #[error("it is valid from {0} on; is a clock wrong?")]
    NotYet(jiff::Timestamp),
    /// Not the answer to what was asked.
    #[error("it belongs to another sign-in (`nonce`)")]
    Nonce,
    /// A claim is missing or of the wrong type.
    #[error("its claim `{0}` is missing or not of the right type")]
    Claim(String),
    /// The provider has not checked the e-mail address that would be the username.
    #[error("its e-mail address is not verified")]
    EmailNotVerified,
    /// The groups are elsewhere (`_claim_names`).
    #[error(
        "its groups are not in it but behind a link, because there are too many; have the provider send fewer"
    )]
    GroupsElsewhere,
    /// The person it speaks of cannot be let in.
    #[error("{0}")]
    Identity(#[from] IdentityProblem),
}
