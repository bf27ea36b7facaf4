//! Signing in with a browser (RFC 6749, 4.1; RFC 7636 with S256; OpenID Connect Core 1.0, 3.1; RFC 9207): where to
//! send the browser, and what to make of what it brings back.
//!
//! [`CodeSignIn`] holds `nonce` and verifier; both leave it only towards the provider. That the answer comes from the
//! browser that was sent, and for the `state` that it was sent with, is for whoever keeps it to see to.

use std::fmt;

use aws_lc_rs::digest::{SHA256, digest};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use reqwest::StatusCode;
use secrecy::{ExposeSecret, SecretString};
use url::Url;

use super::device::{oauth_error, status_error};
use super::oidc::Oidc;
use super::tokens::TokenAnswer;
use super::{Identity, IdentityError, http};

/// The longest parameter that is taken from an answer.
const MAX_PARAMETER: usize = 4096;

/// A browser's sign-in that waits for its answer.
pub struct CodeSignIn {
    /// Where the browser goes.
    pub address: Url,
    /// What the answer must repeat.
    pub state: SecretString,
    nonce: SecretString,
    verifier: SecretString,
    redirect: Url,
}

impl fmt::Debug for CodeSignIn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CodeSignIn").field("redirect", &self.redirect.as_str()).finish_non_exhaustive()
    }
}

/// What the browser brings back from the provider, `state` apart.
#[derive(Debug, Default)]
pub struct CodeAnswer {
    /// The code.
    pub code: Option<SecretString>,
    /// Or why there is none.
    pub error: Option<String>,
    /// Who says so (RFC 9207).
    pub issuer: Option<String>,
}

impl Oidc {
    /// Begins a sign-in whose answer comes back to `redirect`.
    ///
    /// # Errors
    /// When the provider is out of reach or has no authorization endpoint.
    pub async fn begin_code(&self, redirect: &Url) -> Result<CodeSignIn, IdentityError> {
        let provider = self.provider().await?;
        let Some(mut address) = provider.authorization_endpoint else {
            return Err(self.answered("it offers no sign-in in a browser (`authorization_endpoint`)"));
        };
        let (state, nonce, verifier) = (secret(), secret(), secret());
        let challenge = URL_SAFE_NO_PAD.encode(digest(&SHA256, verifier.expose_secret().as_bytes()));
        address
            .query_pairs_mut()
            .append_pair("response_type", "code")
            .append_pair("client_id", &self.settings().client_id)
            .append_pair("redirect_uri", redirect.as_str())
            .append_pair("scope", &self.settings().scope(false))
            .append_pair("state", state.expose_secret())
            .append_pair("nonce", nonce.expose_secret())
            .append_pair("code_challenge", &challenge)
            .append_pair("code_challenge_method", "S256");
        Ok(CodeSignIn { address, state, nonce, verifier, redirect: redirect.clone() })
    }

    /// Ends it: who has signed in.
    ///
    /// # Errors
    /// When the answer is a no or not the provider's, the code is not taken, or the ID token is not accepted.
    pub async fn finish_code(
        &self,
        sign_in: CodeSignIn,
        answer: CodeAnswer,
    ) -> Result<Identity, IdentityError> {
        let provider = self.provider().await?;
        let named = answer.issuer.as_deref();
        if named.is_some_and(|named| named != self.issuer()) || (provider.names_itself && named.is_none()) {
            return Err(IdentityError::Stray("it is not the configured provider's (`iss`)"));
        }
        match answer.error.as_deref() {
            None => {}
            Some("access_denied" | "login_required" | "consent_required" | "interaction_required") => {
                return Err(IdentityError::Denied);
            }
            Some(code) => return Err(self.refused(code)),
        }
        let fits = |code: &SecretString| (1..=MAX_PARAMETER).contains(&code.expose_secret().len());
        let Some(code) = answer.code.filter(fits) else {
            return Err(IdentityError::Stray("it brings no code"));
        };
        let url = &provider.token_endpoint;
        let form = vec![
            ("grant_type", "authorization_code".to_owned()),
            ("code", code.expose_secret().to_owned()),
            ("redirect_uri", sign_in.redirect.to_string()),
            ("code_verifier", sign_in.verifier.expose_secret().to_owned()),
        ];
        let request = self.request(&provider, url, form)?;
        let (status, body) = http::exchange("tokens", url, request).await.map_err(|e| self.failed(e))?;
        if status != StatusCode::OK {
            return Err(match oauth_error(status, &body).as_deref() {
                Some("invalid_grant") => IdentityError::Stray("its code is used up, too old, or not ours"),
                Some(code) => self.refused(code),
                None => self.failed(status_error("tokens", url, status)),
            });
        }
        let mut tokens: TokenAnswer = serde_json::from_slice(&body)
            .map_err(|_| self.answered("its token response is not what RFC 6749 describes"))?;
        let Some(token) = tokens.id_token.take() else {
            return Err(self.answered("it sent no ID token; is the scope `openid` allowed?"));
        };
        let identity = self.verify_id_token_with_nonce(&token, sign_in.nonce.expose_secret()).await?;
        let tokens = tokens.keep(self.clock().now());
        // Not in place of a sign-in over SSH that can be renewed, where this one cannot.
        if tokens.refresh.is_some() {
            self.rechecks().keep(&identity, tokens);
        }
        Ok(identity)
    }
}

/// 256 bits at random, as a URL carries them; also a verifier as RFC 7636, 4.1 wants it.
fn secret() -> SecretString {
    URL_SAFE_NO_PAD.encode(rand::random::<[u8; 32]>()).into()
}
