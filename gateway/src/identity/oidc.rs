//! [`Oidc`]: verified tokens in, identities out.

use std::sync::Arc;

use jiff::Timestamp;
use secrecy::{ExposeSecret, SecretString};
use tokio::sync::{Mutex, Semaphore};
use url::Url;

use super::error::TokenRefusal;
use super::provider::{Cache, Provider};
use super::recheck::Rechecks;
use super::settings::OidcSettings;
use super::token::{Unverified, Verified};
use super::{Identity, IdentityError, claims};
use crate::clock::SharedClock;

/// The most device sign-ins that wait at a time.
const MAX_SIGN_INS: usize = 128;

/// The OpenID Connect provider, as this gateway's settings name it. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Oidc {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    settings: OidcSettings,
    issuer: Url,
    clock: SharedClock,
    cache: Mutex<Cache>,
    sign_ins: Arc<Semaphore>,
    rechecks: Rechecks,
}

impl Oidc {
    /// Takes the settings; the provider itself is asked when the first person signs in, and again as often as
    /// it takes.
    ///
    /// # Errors
    /// When the settings cannot work.
    pub fn discover(settings: &OidcSettings, clock: SharedClock) -> Result<Self, IdentityError> {
        let issuer = settings.check()?;
        let (settings, cache) = (settings.clone(), Mutex::default());
        let sign_ins = Arc::new(Semaphore::new(MAX_SIGN_INS));
        let rechecks = Rechecks::new(&settings, clock.clone());
        Ok(Self { inner: Arc::new(Inner { settings, issuer, clock, cache, sign_ins, rechecks }) })
    }

    /// Asks the provider now, to say at start whether it answers. Nothing depends on the outcome.
    ///
    /// # Errors
    /// When the provider cannot be reached or used.
    pub async fn probe(&self) -> Result<(), IdentityError> {
        let inner = &self.inner;
        let now = inner.clock.now();
        inner.cache.lock().await.keys(&inner.settings, &inner.issuer, false, now).await.map(|_| ())
    }

    /// The issuer, as configured.
    #[must_use]
    pub fn issuer(&self) -> &str {
        &self.inner.settings.issuer
    }

    /// Who an ID token speaks of.
    ///
    /// # Errors
    /// When the token is not accepted, or the provider's keys cannot be had.
    pub async fn verify_id_token(&self, token: &SecretString) -> Result<Identity, IdentityError> {
        self.verify(token, None).await.map(|(identity, _)| identity)
    }

    /// Who shows this token now, without the groups that the provider has denied them since it was issued; and when it
    /// ends.
    ///
    /// # Errors
    /// As for [`Oidc::verify_id_token`].
    pub async fn verify_bearer(&self, token: &SecretString) -> Result<(Identity, Timestamp), IdentityError> {
        let (identity, [issued, until]) = self.verify(token, None).await?;
        Ok((self.rechecks().narrowed(&identity, issued).unwrap_or(identity), until))
    }

    /// The same, for a sign-in that sent a `nonce`: the token must repeat it.
    ///
    /// # Errors
    /// As for [`Oidc::verify_id_token`].
    pub async fn verify_id_token_with_nonce(
        &self,
        token: &SecretString,
        nonce: &str,
    ) -> Result<Identity, IdentityError> {
        self.verify(token, Some(nonce)).await.map(|(identity, _)| identity)
    }

    async fn verify(
        &self,
        token: &SecretString,
        nonce: Option<&str>,
    ) -> Result<(Identity, [Timestamp; 2]), IdentityError> {
        let claims = self.claims(token, nonce).await?;
        Ok((claims::identity(&claims, &self.inner.settings)?, claims.1))
    }

    /// The claims of a good token.
    pub(super) async fn claims(
        &self,
        token: &SecretString,
        nonce: Option<&str>,
    ) -> Result<Verified, IdentityError> {
        let Inner { settings, issuer, clock, cache, .. } = &*self.inner;
        let token = Unverified::parse(token.expose_secret())?;
        let now = clock.now();
        // One at a time: whoever comes second finds the keys that the first has fetched.
        let mut cache = cache.lock().await;
        let signed = match token.check_signature(cache.keys(settings, issuer, false, now).await?) {
            // The provider may have changed its keys, or, carelessly, a key behind the same id.
            Err(TokenRefusal::UnknownKey | TokenRefusal::Signature) => {
                token.check_signature(cache.keys(settings, issuer, true, now).await?)?
            }
            other => other?,
        };
        drop(cache);
        Ok(signed.check(settings, nonce, now)?)
    }

    /// What is remembered of people who have signed in, to ask the provider about them again.
    #[must_use]
    pub fn rechecks(&self) -> &Rechecks {
        &self.inner.rechecks
    }

    pub(super) fn settings(&self) -> &OidcSettings {
        &self.inner.settings
    }

    pub(super) fn clock(&self) -> &SharedClock {
        &self.inner.clock
    }

    pub(super) fn sign_ins(&self) -> &Arc<Semaphore> {
        &self.inner.sign_ins
    }

    pub(super) async fn provider(&self) -> Result<Provider, IdentityError> {
        let inner = &self.inner;
        inner.cache.lock().await.provider(&inner.settings, &inner.issuer, inner.clock.now()).await
    }
}
