//! The provider as its discovery document describes it (OpenID Connect Discovery 1.0), and its keys, kept for
//! a while.
//!
//! Nothing is asked before it is needed, and nothing but a good answer is kept: a provider that is down when
//! the gateway starts is asked again with the next sign-in.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use reqwest::Client;
use serde::Deserialize;
use url::Url;

use super::IdentityError;
use super::error::FetchError;
use super::http;
use super::jwks::KeySet;
use super::settings::{OFFLINE, OidcSettings, is_loopback};

/// Good answers are asked for again after this, so that a key that was withdrawn stops counting.
const MAX_AGE: SignedDuration = SignedDuration::from_hours(1);

/// How often keys are fetched at most because a token came with one that is not known.
const MIN_REFETCH: SignedDuration = SignedDuration::from_secs(10);

/// For this long after a failure the same failure is reported without asking again.
const RETRY_AFTER: SignedDuration = SignedDuration::from_secs(2);

/// What the discovery document says, as far as it matters here.
#[derive(Debug, Clone)]
pub(super) struct Provider {
    pub(super) client: Client,
    pub(super) token_endpoint: Url,
    pub(super) device_endpoint: Option<Url>,
    pub(super) userinfo_endpoint: Option<Url>,
    pub(super) introspection_endpoint: Option<Url>,
    /// Whether it says that it knows the scope `offline_access`.
    pub(super) knows_offline: bool,
    /// Where browsers sign in.
    pub(super) authorization_endpoint: Option<Url>,
    /// Whether its answers to browsers say whose they are (RFC 9207).
    pub(super) names_itself: bool,
    /// Whether the client's secret goes into the form because the provider does not take it as HTTP Basic.
    pub(super) secret_in_form: bool,
    jwks_uri: Url,
}

/// A failure that can be told twice.
#[derive(Debug, Clone)]
pub(super) enum Failure {
    /// No usable exchange.
    Fetch(FetchError),
    /// An answer that makes no sense.
    Answer(String),
}

/// What is known about the provider at the moment.
#[derive(Debug, Default)]
pub(super) struct Cache {
    provider: Option<(Provider, Timestamp)>,
    keys: Option<(KeySet, Timestamp)>,
    failed: Option<(Failure, Timestamp)>,
}

#[derive(Deserialize)]
struct Document {
    issuer: String,
    jwks_uri: String,
    token_endpoint: String,
    device_authorization_endpoint: Option<String>,
    userinfo_endpoint: Option<String>,
    introspection_endpoint: Option<String>,
    scopes_supported: Option<Vec<String>>,
    authorization_endpoint: Option<String>,
    #[serde(default)]
    authorization_response_iss_parameter_supported: bool,
    token_endpoint_auth_methods_supported: Option<Vec<String>>,
}

impl Failure {
    pub(super) fn into_error(self, issuer: &str) -> IdentityError {
        let issuer = issuer.to_owned();
        match self {
            Self::Fetch(source) => IdentityError::Unreachable { issuer, source },
            Self::Answer(what) => IdentityError::Provider { issuer, what },
        }
    }
}

impl Cache {
    /// The provider, asked again when what is known is too old.
    pub(super) async fn provider(
        &mut self,
        settings: &OidcSettings,
        issuer: &Url,
        now: Timestamp,
    ) -> Result<Provider, IdentityError> {
        if let Some((provider, at)) = &self.provider
            && is_younger(*at, now, MAX_AGE)
        {
            return Ok(provider.clone());
        }
        self.not_again_so_soon(&settings.issuer, now)?;
        // Built anew each time: the file with the CA's certificates may have changed.
        let client = http::client(settings, issuer)?;
        match discover(settings, issuer, client).await {
            Ok(provider) => {
                self.provider = Some((provider.clone(), now));
                Ok(provider)
            }
            Err(failure) => Err(self.fail(failure, &settings.issuer, now)),
        }
    }

    /// The provider's keys. With `unknown`, they are fetched again unless that has just been done.
    pub(super) async fn keys(
        &mut self,
        settings: &OidcSettings,
        issuer: &Url,
        unknown: bool,
        now: Timestamp,
    ) -> Result<&KeySet, IdentityError> {
        let max_age = if unknown { MIN_REFETCH } else { MAX_AGE };
        let fresh = self.keys.as_ref().is_some_and(|(_, at)| is_younger(*at, now, max_age));
        if !fresh {
            let provider = self.provider(settings, issuer, now).await?;
            self.not_again_so_soon(&settings.issuer, now)?;
            let fetched = match http::get(&provider.client, "key set", &provider.jwks_uri).await {
                Ok(json) => KeySet::parse(&json).map_err(Failure::Answer),
                Err(error) => Err(Failure::Fetch(error)),
            };
            match fetched {
                Ok(keys) => {
                    tracing::info!(issuer = settings.issuer, ids = ?keys.ids(), "the sign-in provider's keys were fetched");
                    self.keys = Some((keys, now));
                }
                Err(failure) => return Err(self.fail(failure, &settings.issuer, now)),
            }
        }
        match &self.keys {
            Some((keys, _)) => Ok(keys),
            None => Err(Failure::Answer("it has no keys".to_owned()).into_error(&settings.issuer)),
        }
    }

    fn fail(&mut self, failure: Failure, issuer: &str, now: Timestamp) -> IdentityError {
        self.failed = Some((failure.clone(), now));
        failure.into_error(issuer)
    }

    /// Many people who sign in while the provider is down do not each wait for it in turn.
    fn not_again_so_soon(&self, issuer: &str, now: Timestamp) -> Result<(), IdentityError> {
        match &self.failed {
            Some((failure, at)) if is_younger(*at, now, RETRY_AFTER) => {
                Err(failure.clone().into_error(issuer))
            }
            _ => Ok(()),
        }
    }
}

/// Whether `at` is less than `age` ago. A clock that was set back makes everything old.
fn is_younger(at: Timestamp, now: Timestamp, age: SignedDuration) -> bool {
    let passed = now.duration_since(at);
    !passed.is_negative() && passed < age
}

async fn discover(settings: &OidcSettings, issuer: &Url, client: Client) -> Result<Provider, Failure> {
    let address = format!("{}/.well-known/openid-configuration", settings.issuer.trim_end_matches('/'));
    let url = Url::parse(&address).map_err(|error| Failure::Answer(format!("`{address}`: {error}")))?;
    let json = http::get(&client, "discovery document", &url).await.map_err(Failure::Fetch)?;
    let document: Document = serde_json::from_slice(&json)
        .map_err(|error| Failure::Answer(format!("its discovery document: {error}")))?;
    if document.issuer != settings.issuer {
        return Err(Failure::Answer(format!(
            "it calls itself `{}`, and the two must be the same to the letter",
            super::token::shown(&document.issuer)
        )));
    }
    // Tokens and secrets travel to these: encrypted, or not off this machine.
    let endpoint = |text: &str| match Url::parse(text) {
        Ok(url) if url.scheme() == "https" || (is_loopback(issuer) && is_loopback(&url)) => Ok(url),
        _ => {
            Err(Failure::Answer(format!("its endpoint `{}` is not an https URL", super::token::shown(text))))
        }
    };
    let scopes = document.scopes_supported.unwrap_or_default();
    let methods = document.token_endpoint_auth_methods_supported.unwrap_or_default();
    let has = |name: &str| methods.iter().any(|method| method == name);
    Ok(Provider {
        client,
        token_endpoint: endpoint(&document.token_endpoint)?,
        device_endpoint: document.device_authorization_endpoint.as_deref().map(endpoint).transpose()?,
        userinfo_endpoint: document.userinfo_endpoint.as_deref().map(endpoint).transpose()?,
        introspection_endpoint: document.introspection_endpoint.as_deref().map(endpoint).transpose()?,
        knows_offline: scopes.iter().any(|scope| scope == OFFLINE),
        authorization_endpoint: document.authorization_endpoint.as_deref().map(endpoint).transpose()?,
        names_itself: document.authorization_response_iss_parameter_supported,
        secret_in_form: has("client_secret_post") && !has("client_secret_basic"),
        jwks_uri: endpoint(&document.jwks_uri)?,
    })
}

/// How long a person has to confirm a sign-in at most, whatever the provider says.
pub(super) const MAX_SIGN_IN: Duration = Duration::from_secs(30 * 60);
