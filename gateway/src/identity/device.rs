//! Signing in on another device (OAuth 2.0 Device Authorization Grant, RFC 8628): the terminal shows a code,
//! the person confirms it in a browser, and the gateway asks until that has happened.

use std::fmt;
use std::fs::File;
use std::io::Read;
use std::time::Duration;

use jiff::Timestamp;
use reqwest::{RequestBuilder, StatusCode};
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use tokio::sync::OwnedSemaphorePermit;
use url::{Url, form_urlencoded};

use super::error::FetchError;
use super::http;
use super::oidc::Oidc;
use super::provider::{Failure, MAX_SIGN_IN, Provider};
use super::token::shown;
use super::tokens::TokenAnswer;
use super::{Identity, IdentityError};

/// The pause between two questions when the provider names none (RFC 8628, 3.2), and what `slow_down` adds.
const INTERVAL: Duration = Duration::from_secs(5);
const MAX_INTERVAL: Duration = Duration::from_secs(60);

/// After so many failures in a row the provider counts as gone.
const MAX_FAILURES: u32 = 5;

/// The longest code that a person is asked to type.
const MAX_USER_CODE: usize = 64;
const MAX_URI: usize = 2048;
const MAX_SECRET_BYTES: u64 = 4096;

const GRANT_TYPE: &str = "urn:ietf:params:oauth:grant-type:device_code";

/// A sign-in that waits for its person. Dropping it forgets it.
pub struct DeviceSignIn {
    /// What the person compares or types, safe to print.
    pub user_code: String,
    /// Where they do it.
    pub verification_uri: String,
    /// The same with the code filled in, if the provider offers that.
    pub verification_uri_complete: Option<String>,
    /// After this it is too late.
    pub expires_at: Timestamp,
    device_code: SecretString,
    interval: Duration,
    provider: Provider,
    oidc: Oidc,
    _place: OwnedSemaphorePermit,
}

impl fmt::Debug for DeviceSignIn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { verification_uri, expires_at, interval, .. } = self;
        f.debug_struct("DeviceSignIn")
            .field("verification_uri", verification_uri)
            .field("expires_at", expires_at)
            .field("interval", interval)
            .finish_non_exhaustive()
    }
}

#[derive(Deserialize)]
struct Begun {
    device_code: SecretString,
    user_code: String,
    // Some providers still use the draft's name.
    #[serde(alias = "verification_url")]
    verification_uri: String,
    verification_uri_complete: Option<String>,
    expires_in: u64,
    interval: Option<u64>,
}

#[derive(Deserialize)]
struct OauthError {
    error: String,
}

/// What came of one question.
enum Answer {
    Tokens(TokenAnswer),
    Pending,
    SlowDown,
    Failed(FetchError),
}

impl Oidc {
    /// Begins a device sign-in.
    ///
    /// # Errors
    /// When the provider is out of reach, refuses this client or knows no device grant, or when too many
    /// sign-ins wait already.
    pub async fn begin_device(&self) -> Result<DeviceSignIn, IdentityError> {
        let place = self.sign_ins().clone().try_acquire_owned().map_err(|_| IdentityError::Busy)?;
        let provider = self.provider().await?;
        let Some(url) = provider.device_endpoint.clone() else {
            return Err(self.answered("it offers no device sign-in (`device_authorization_endpoint`)"));
        };
        let settings = self.settings();
        let offline = self.asks_offline(&provider);
        let (mut status, mut body) = self.ask_for_code(&provider, &url, settings.scope(offline)).await?;
        if offline && oauth_error(status, &body).as_deref() == Some("invalid_scope") {
            // It knows the scope, but not for this client. The sign-in matters more than what is asked later.
            tracing::warn!("the provider refuses the scope `offline_access`; signing in without it");
            (status, body) = self.ask_for_code(&provider, &url, settings.scope(false)).await?;
        }
        if status != StatusCode::OK {
            return Err(match oauth_error(status, &body) {
                Some(code) => self.refused(&code),
                None => self.failed(status_error("device code", &url, status)),
            });
        }
        let begun: Begun = serde_json::from_slice(&body)
            .map_err(|error| self.answered(&format!("its device code: {error}")))?;
        let uri_is_fine = |uri: &str| {
            uri.len() <= MAX_URI
                && uri.chars().all(|c| c.is_ascii_graphic())
                && Url::parse(uri).is_ok_and(|url| matches!(url.scheme(), "https" | "http"))
        };
        // These go to a terminal as they are.
        if begun.user_code.is_empty()
            || begun.user_code.len() > MAX_USER_CODE
            || !begun.user_code.chars().all(|c| c.is_ascii_graphic())
            || !uri_is_fine(&begun.verification_uri)
            || begun.verification_uri_complete.as_deref().is_some_and(|uri| !uri_is_fine(uri))
        {
            return Err(self.answered("its device code cannot be shown on a terminal"));
        }
        let validity = Duration::from_secs(begun.expires_in).min(MAX_SIGN_IN);
        Ok(DeviceSignIn {
            user_code: begun.user_code,
            verification_uri: begun.verification_uri,
            verification_uri_complete: begun.verification_uri_complete,
            expires_at: self.clock().now().checked_add(validity).unwrap_or(Timestamp::MAX),
            device_code: begun.device_code,
            interval: begun.interval.map_or(INTERVAL, |s| Duration::from_secs(s.max(1)).min(MAX_INTERVAL)),
            provider,
            oidc: self.clone(),
            _place: place,
        })
    }

    /// Whether a refresh token is worth asking for by `offline_access`: only who is asked again needs one.
    pub(super) fn asks_offline(&self, provider: &Provider) -> bool {
        let settings = self.settings();
        settings.recheck.is_some() && settings.offline_access && provider.knows_offline
    }

    async fn ask_for_code(
        &self,
        provider: &Provider,
        url: &Url,
        scope: String,
    ) -> Result<(StatusCode, Vec<u8>), IdentityError> {
        let request = self.request(provider, url, vec![("scope", scope)])?;
        http::exchange("device code", url, request).await.map_err(|e| self.failed(e))
    }

    /// A POST to the provider as this client. Secret or not, the id goes into the form: some providers insist.
    pub(super) fn request(
        &self,
        provider: &Provider,
        url: &Url,
        mut form: Vec<(&'static str, String)>,
    ) -> Result<RequestBuilder, IdentityError> {
        let settings = self.settings();
        let mut request = provider.client.post(url.clone()).header("accept", "application/json");
        form.push(("client_id", settings.client_id.clone()));
        if let Some(path) = &settings.client_secret_file {
            let read = || -> std::io::Result<SecretString> {
                let mut text = String::new();
                File::open(path)?.take(MAX_SECRET_BYTES).read_to_string(&mut text)?;
                Ok(SecretString::from(text.trim_end_matches(['\r', '\n'])))
            };
            let secret =
                read().map_err(|error| IdentityError::File { path: path.clone(), source: error.into() })?;
            if provider.secret_in_form {
                form.push(("client_secret", secret.expose_secret().to_owned()));
            } else {
                // RFC 6749, 2.3.1: both halves are form-encoded first.
                let encode =
                    |text: &str| form_urlencoded::byte_serialize(text.as_bytes()).collect::<String>();
                request =
                    request.basic_auth(encode(&settings.client_id), Some(encode(secret.expose_secret())));
            }
        }
        Ok(request.form(&form))
    }

    pub(super) fn failed(&self, source: FetchError) -> IdentityError {
        Failure::Fetch(source).into_error(self.issuer())
    }

    pub(super) fn answered(&self, what: &str) -> IdentityError {
        Failure::Answer(what.to_owned()).into_error(self.issuer())
    }

    pub(super) fn refused(&self, code: &str) -> IdentityError {
        IdentityError::Client {
            issuer: self.issuer().to_owned(),
            code: shown(code),
            client: self.settings().client_id.clone(),
        }
    }
}

impl DeviceSignIn {
    /// Waits until the person has confirmed, refused, or let the time pass.
    ///
    /// # Errors
    /// When the sign-in was refused or not confirmed in time, the provider went away, or its token is not
    /// accepted.
    pub async fn finish(self) -> Result<Identity, IdentityError> {
        let mut interval = self.interval;
        let mut failures = 0;
        let clock = self.oidc.clock().clone();
        let mut too_late = clock.sleep_until(self.expires_at);
        loop {
            tokio::select! {
                () = &mut too_late => return Err(IdentityError::TimedOut),
                () = tokio::time::sleep(interval) => {}
            }
            match self.ask().await? {
                Answer::Tokens(mut tokens) => {
                    let Some(token) = tokens.id_token.take() else {
                        return Err(self
                            .oidc
                            .answered("it sent no ID token; is the scope `openid` allowed?"));
                    };
                    let identity = self.oidc.verify_id_token(&token).await?;
                    self.oidc.rechecks().keep(&identity, tokens.keep(clock.now()));
                    return Ok(identity);
                }
                Answer::Pending => failures = 0,
                Answer::SlowDown => {
                    failures = 0;
                    interval = (interval + INTERVAL).min(MAX_INTERVAL);
                }
                Answer::Failed(error) => {
                    failures += 1;
                    tracing::warn!(%error, failures, "asking about a sign-in failed");
                    if failures == MAX_FAILURES {
                        return Err(self.oidc.failed(error));
                    }
                    // RFC 8628, 3.5: back off exponentially.
                    interval = (interval * 2).min(MAX_INTERVAL);
                }
            }
        }
    }

    /// Asks once whether it has happened.
    async fn ask(&self) -> Result<Answer, IdentityError> {
        let url = &self.provider.token_endpoint;
        let form = vec![
            ("grant_type", GRANT_TYPE.to_owned()),
            ("device_code", self.device_code.expose_secret().to_owned()),
        ];
        let request = self.oidc.request(&self.provider, url, form)?;
        let (status, body) = match http::exchange("tokens", url, request).await {
            Ok(answer) => answer,
            Err(error) => return Ok(Answer::Failed(error)),
        };
        if status == StatusCode::OK {
            let tokens = serde_json::from_slice(&body)
                .map_err(|_| self.oidc.answered("its token response is not what RFC 6749 describes"))?;
            return Ok(Answer::Tokens(tokens));
        }
        if status == StatusCode::TOO_MANY_REQUESTS {
            return Ok(Answer::SlowDown);
        }
        match oauth_error(status, &body).as_deref() {
            Some("authorization_pending") => Ok(Answer::Pending),
            Some("slow_down") => Ok(Answer::SlowDown),
            Some("access_denied") => Err(IdentityError::Denied),
            Some("expired_token") => Err(IdentityError::TimedOut),
            Some(code) => Err(self.oidc.refused(code)),
            None => Ok(Answer::Failed(status_error("tokens", url, status))),
        }
    }
}

/// The error code, where the provider blames the question and not itself.
pub(super) fn oauth_error(status: StatusCode, body: &[u8]) -> Option<String> {
    let is_ours = status.is_client_error() && status != StatusCode::TOO_MANY_REQUESTS;
    is_ours.then(|| serde_json::from_slice::<OauthError>(body).ok()).flatten().map(|error| error.error)
}

pub(super) fn status_error(what: &'static str, url: &Url, status: StatusCode) -> FetchError {
    FetchError::Status { what, url: url.to_string(), status: status.as_u16() }
}
