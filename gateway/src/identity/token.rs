//! ID tokens: the signature, and then what they say about themselves (OpenID Connect Core 1.0, 3.1.3.7).
//! Pure: keys and the time are arguments.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jiff::{SignedDuration, Timestamp};
use jsonwebtoken::Algorithm;
use serde::Deserialize;
use serde_json::{Map, Value};

use super::error::TokenRefusal;
use super::jwks::{ALGORITHMS, KeySet};
use super::settings::OidcSettings;

/// The longest token. People with very many groups stay below 20 KiB.
pub(super) const MAX_TOKEN_BYTES: usize = 64 * 1024;

/// How far two clocks may be apart.
pub(super) const LEEWAY: SignedDuration = SignedDuration::from_secs(30);

/// A token taken apart, nothing of it believed yet.
pub(super) struct Unverified<'a> {
    pub(super) algorithm: Algorithm,
    pub(super) kid: Option<String>,
    message: &'a str,
    payload: &'a str,
    signature: &'a str,
}

/// The claims of a token whose signature is good. Who it speaks of is read from them elsewhere.
#[derive(Debug)]
pub(super) struct Signed(Map<String, Value>);

/// The claims of a token that is good in every respect, and when it was issued and ends.
#[derive(Debug)]
pub(super) struct Verified(pub(super) Map<String, Value>, pub(super) [Timestamp; 2]);

#[derive(Deserialize)]
struct Header {
    alg: String,
    kid: Option<String>,
    crit: Option<Value>,
}

impl<'a> Unverified<'a> {
    pub(super) fn parse(token: &'a str) -> Result<Self, TokenRefusal> {
        if token.len() > MAX_TOKEN_BYTES {
            return Err(TokenRefusal::TooLong(MAX_TOKEN_BYTES));
        }
        let (message, signature) = token.rsplit_once('.').ok_or(TokenRefusal::Malformed)?;
        let (header, payload) = message.split_once('.').ok_or(TokenRefusal::Malformed)?;
        if payload.contains('.') {
            return Err(TokenRefusal::Malformed);
        }
        let header: Header = decode(header)?;
        let Some((_, algorithm)) = ALGORITHMS.into_iter().find(|(name, _)| *name == header.alg) else {
            return Err(TokenRefusal::Algorithm(shown(&header.alg)));
        };
        if header.crit.is_some() {
            return Err(TokenRefusal::Critical);
        }
        Ok(Self { algorithm, kid: header.kid, message, payload, signature })
    }

    /// Checks the signature with the provider's keys: those with the token's key id, or all of the fitting kind
    /// when it names none.
    pub(super) fn check_signature(&self, keys: &KeySet) -> Result<Signed, TokenRefusal> {
        let candidates = keys.candidates(self.kid.as_deref(), self.algorithm);
        if candidates.is_empty() {
            return Err(TokenRefusal::UnknownKey);
        }
        let good = candidates.into_iter().any(|key| {
            jsonwebtoken::crypto::verify(self.signature, self.message.as_bytes(), key, self.algorithm)
                .unwrap_or(false)
        });
        if good { decode(self.payload).map(Signed) } else { Err(TokenRefusal::Signature) }
    }
}

impl Signed {
    /// Issuer, audience, times and nonce.
    pub(super) fn check(
        self,
        settings: &OidcSettings,
        nonce: Option<&str>,
        now: Timestamp,
    ) -> Result<Verified, TokenRefusal> {
        let issuer = self.text("iss")?;
        if issuer != settings.issuer {
            return Err(TokenRefusal::Issuer(shown(issuer)));
        }
        self.check_audience(settings)?;
        let expires = self.time("exp")?.ok_or_else(|| missing("exp"))?;
        if now >= later(expires, LEEWAY) {
            return Err(TokenRefusal::Expired(expires));
        }
        let issued = self.time("iat")?.ok_or_else(|| missing("iat"))?;
        let not_before = self.time("nbf")?.unwrap_or(issued).max(issued);
        if later(now, LEEWAY) < not_before {
            return Err(TokenRefusal::NotYet(not_before));
        }
        if let Some(nonce) = nonce
            && self.0.get("nonce").and_then(Value::as_str) != Some(nonce)
        {
            return Err(TokenRefusal::Nonce);
        }
        Ok(Verified(self.0, [issued, expires]))
    }

    /// The audience is or contains ours; with several, or when it is there, `azp` must name our client.
    fn check_audience(&self, settings: &OidcSettings) -> Result<(), TokenRefusal> {
        let ours = settings.audience();
        let (named, several) = match self.0.get("aud") {
            Some(Value::String(audience)) => (audience == ours, false),
            Some(Value::Array(all)) if all.iter().all(Value::is_string) => {
                (all.iter().any(|audience| audience.as_str() == Some(ours)), all.len() > 1)
            }
            _ => return Err(missing("aud")),
        };
        if !named {
            return Err(TokenRefusal::Audience(ours.to_owned()));
        }
        match self.0.get("azp") {
            Some(Value::String(party)) if *party == settings.client_id => Ok(()),
            None if !several => Ok(()),
            _ => Err(TokenRefusal::AuthorizedParty(settings.client_id.clone())),
        }
    }

    fn text(&self, claim: &str) -> Result<&str, TokenRefusal> {
        self.0.get(claim).and_then(Value::as_str).ok_or_else(|| missing(claim))
    }

    /// A NumericDate (RFC 7519, 2): seconds, perhaps with a fraction, which is dropped.
    fn time(&self, claim: &str) -> Result<Option<Timestamp>, TokenRefusal> {
        let Some(value) = self.0.get(claim) else { return Ok(None) };
        let seconds = value.as_i64().or_else(|| {
            let seconds = value.as_f64()?.floor();
            // Beyond this no clock of ours goes, and below it the conversion is exact.
            #[expect(clippy::cast_possible_truncation, reason = "bounded in the line before")]
            (seconds.abs() < 1e12).then_some(seconds as i64)
        });
        seconds.and_then(|s| Timestamp::from_second(s).ok()).map(Some).ok_or_else(|| missing(claim))
    }
}

fn decode<T: serde::de::DeserializeOwned>(part: &str) -> Result<T, TokenRefusal> {
    let bytes = URL_SAFE_NO_PAD.decode(part).map_err(|_| TokenRefusal::Malformed)?;
    serde_json::from_slice(&bytes).map_err(|_| TokenRefusal::Malformed)
}

fn later(moment: Timestamp, by: SignedDuration) -> Timestamp {
    moment.checked_add(by).unwrap_or(Timestamp::MAX)
}

pub(super) fn missing(claim: &str) -> TokenRefusal {
    TokenRefusal::Claim(claim.to_owned())
}

/// Hostile text, short and harmless.
pub(super) fn shown(text: &str) -> String {
    text.chars().take(128).map(|c| if c.is_ascii_graphic() { c } else { '?' }).collect()
}
