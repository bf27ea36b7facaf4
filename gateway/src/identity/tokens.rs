//! What a token endpoint answers (RFC 6749, 5.1), and what of it is kept to ask again later. The tokens are secrets:
//! they are printed nowhere, and their length is bounded.

use std::time::Duration;

use jiff::Timestamp;
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use serde_json::Value;

/// The longest access or refresh token that is kept. People with very many groups stay below it.
const MAX_TOKEN_BYTES: usize = 32 * 1024;

/// The answer of a token endpoint.
#[derive(Deserialize)]
pub(super) struct TokenAnswer {
    pub(super) id_token: Option<SecretString>,
    access_token: Option<SecretString>,
    refresh_token: Option<SecretString>,
    // Some providers write numbers as text; a sign-in does not fail for it.
    expires_in: Option<Value>,
    // Not in the standard, but common: when the refresh token ends by itself.
    refresh_expires_in: Option<Value>,
}

/// What the provider can be asked with about one person later.
#[derive(Debug)]
pub struct Tokens {
    /// Shown at userinfo and introspection.
    pub(super) access: Option<SecretString>,
    /// When the access token ends, where the provider says so.
    pub(super) access_until: Option<Timestamp>,
    /// Worth new tokens.
    pub(super) refresh: Option<SecretString>,
    /// When the refresh token ends by itself, where the provider says so.
    pub(super) refresh_until: Option<Timestamp>,
}

impl TokenAnswer {
    /// What is worth keeping of an answer that came at `now`.
    pub(super) fn keep(self, now: Timestamp) -> Tokens {
        let after = |seconds: Option<Value>| seconds.and_then(|s| seconds_of(&s)).map(|s| later(now, s));
        Tokens {
            access: self.access_token.filter(is_sensible),
            access_until: after(self.expires_in),
            refresh: self.refresh_token.filter(is_sensible),
            // Zero means without an end.
            refresh_until: after(self.refresh_expires_in).filter(|until| *until > now),
        }
    }
}

/// Fit for a header, and not endless.
fn is_sensible(token: &SecretString) -> bool {
    let token = token.expose_secret();
    (1..=MAX_TOKEN_BYTES).contains(&token.len()) && token.bytes().all(|b| b.is_ascii_graphic())
}

fn seconds_of(value: &Value) -> Option<u64> {
    value.as_u64().or_else(|| value.as_str()?.parse().ok())
}

fn later(now: Timestamp, seconds: u64) -> Timestamp {
    now.checked_add(Duration::from_secs(seconds)).unwrap_or(Timestamp::MAX)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const NOW: Timestamp = Timestamp::UNIX_EPOCH;

    fn tokens(answer: Value) -> Tokens {
        serde_json::from_value::<TokenAnswer>(answer).unwrap().keep(NOW)
    }

    #[test]
    fn times_may_be_numbers_or_text_and_nonsense_is_no_time() {
        let at = |seconds| Some(Timestamp::from_second(seconds).unwrap());
        let of = |value: Value| tokens(json!({"access_token": "a", "expires_in": value})).access_until;
        assert_eq!((of(json!(60)), of(json!("60"))), (at(60), at(60)));
        assert_eq!((of(json!("soon")), of(json!(-5)), of(json!({}))), (None, None, None));
        let of =
            |value: Value| tokens(json!({"refresh_token": "r", "refresh_expires_in": value})).refresh_until;
        assert_eq!((of(json!(60)), of(json!(0))), (at(60), None));
    }

    #[test]
    fn a_token_that_is_too_long_or_unfit_for_a_header_is_not_kept_and_none_is_printed() {
        for bad in ["", "with blank", "line\r\nbreak", &"x".repeat(MAX_TOKEN_BYTES + 1)] {
            let kept = tokens(json!({"access_token": bad, "refresh_token": bad}));
            assert!(kept.access.is_none() && kept.refresh.is_none(), "{bad:?}");
        }
        let kept = tokens(json!({"access_token": "hush-a", "refresh_token": "hush-r"}));
        let shown = format!("{kept:?}");
        assert!(kept.access.is_some() && !shown.contains("hush"), "{shown}");
    }
}
