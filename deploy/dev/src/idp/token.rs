//! Codes in, tokens out; and what an access token tells.

use std::sync::Arc;

use axum::extract::State as Shared;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::{Form, Json};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jiff::Timestamp;
use serde::Deserialize;
use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};
use url::Url;

use super::state::{ACCESS_LIFE, State, secret};
use super::{CLIENT_ID, DevPerson, device};

pub(super) const DEVICE_GRANT: &str = "urn:ietf:params:oauth:grant-type:device_code";

/// What a form that did not come from our own page gets to read.
pub(super) const FOREIGN_FORM: &str =
    "The form did not come from this page, or your browser refused its cookie. Go back and try again.";

/// How long an ID token can be shown, in seconds.
const ID_TOKEN_LIFE: i64 = 600;

/// An error as RFC 6749, 5.2 wants it.
#[derive(Debug)]
pub(super) struct OauthError {
    code: &'static str,
    description: &'static str,
    status: StatusCode,
}

impl OauthError {
    pub(super) const fn of(code: &'static str, description: &'static str) -> Self {
        Self { code, description, status: StatusCode::BAD_REQUEST }
    }

    pub(super) const fn client() -> Self {
        let description = "the client id is not known here";
        Self { code: "invalid_client", description, status: StatusCode::UNAUTHORIZED }
    }

    pub(super) const fn busy() -> Self {
        let description = "too many sign-ins are under way";
        Self { code: "temporarily_unavailable", description, status: StatusCode::SERVICE_UNAVAILABLE }
    }

    const fn server() -> Self {
        let description = "the token could not be signed";
        Self { code: "server_error", description, status: StatusCode::INTERNAL_SERVER_ERROR }
    }

    /// As parameters of a redirect.
    pub(super) const fn parameters(&self) -> [(&'static str, &'static str); 2] {
        [("error", self.code), ("error_description", self.description)]
    }
}

impl IntoResponse for OauthError {
    fn into_response(self) -> Response {
        let body = json!({ "error": self.code, "error_description": self.description });
        (self.status, Json(body)).into_response()
    }
}

#[derive(Deserialize)]
pub(super) struct Ask {
    grant_type: Option<String>,
    client_id: Option<String>,
    #[serde(default)]
    device_code: String,
    #[serde(default)]
    code: String,
    #[serde(default)]
    redirect_uri: String,
    #[serde(default)]
    code_verifier: String,
    #[serde(default)]
    refresh_token: String,
}

/// The token endpoint.
pub(super) async fn token(
    Shared(state): Shared<Arc<State>>,
    Form(ask): Form<Ask>,
) -> Result<Json<Value>, OauthError> {
    if ask.client_id.as_deref() != Some(CLIENT_ID) {
        return Err(OauthError::client());
    }
    let (username, nonce, offline) = match ask.grant_type.as_deref() {
        Some(DEVICE_GRANT) => {
            let (username, offline) = device::redeem(&state, &ask.device_code)?;
            (username, None, offline)
        }
        Some("authorization_code") => redeem_code(&state, &ask)?,
        Some("refresh_token") => {
            let bad = || {
                OauthError::of(
                    "invalid_grant",
                    "the refresh token was used, has expired, or its account is gone",
                )
            };
            let username = state.with(|inner| inner.refresh.take(&ask.refresh_token)).ok_or_else(bad)?;
            state.person(&username).ok_or_else(bad)?;
            (username, None, true)
        }
        _ => {
            return Err(OauthError::of(
                "unsupported_grant_type",
                "only codes, device codes and refresh tokens are taken",
            ));
        }
    };
    let person = state.person(&username).ok_or_else(OauthError::server)?;
    let claims = id_claims(&state, &person, nonce.as_deref());
    let id_token = state.with(|inner| inner.keys.sign(&claims)).map_err(|_| OauthError::server())?;
    let access_token = secret();
    state
        .with(|inner| inner.access.insert(access_token.clone(), username.clone()))
        .map_err(|_| OauthError::busy())?;
    // Absent where nobody asked for it.
    let refresh_token = offline.then(secret);
    if let Some(token) = &refresh_token {
        state.with(|inner| inner.refresh.insert(token.clone(), username)).map_err(|_| OauthError::busy())?;
    }
    let scope =
        if offline { "openid profile email groups offline_access" } else { "openid profile email groups" };
    let fields = [
        ("token_type", json!("Bearer")),
        ("access_token", json!(access_token)),
        ("expires_in", json!(ACCESS_LIFE.as_secs())),
        ("id_token", json!(id_token)),
        ("scope", json!(scope)),
    ];
    let refresh = refresh_token.map(|token| ("refresh_token", json!(token)));
    let answer = fields.into_iter().chain(refresh).map(|(name, value)| (name.to_owned(), value));
    Ok(Json(answer.collect()))
}

/// Whether a scope asks for a refresh token.
pub(super) fn is_offline(scope: Option<&str>) -> bool {
    scope.unwrap_or_default().split(' ').any(|scope| scope == "offline_access")
}

/// A code works once, for who can show the verifier, and for the place it was sent to.
fn redeem_code(state: &State, ask: &Ask) -> Result<(String, Option<String>, bool), OauthError> {
    let bad = || OauthError::of("invalid_grant", "the code, its verifier or its redirect does not fit");
    let code = state.with(|inner| inner.codes.take(&ask.code)).ok_or_else(bad)?;
    let challenge = URL_SAFE_NO_PAD.encode(Sha256::digest(ask.code_verifier.as_bytes()));
    let redirect = Url::parse(&ask.redirect_uri).map_err(|_| bad())?;
    let verifier_is_long = (43..=128).contains(&ask.code_verifier.len());
    if !verifier_is_long || challenge != code.challenge || redirect.as_str() != code.redirect {
        return Err(bad());
    }
    Ok((code.username, code.nonce, code.offline))
}

/// Who it is, without when and for whom.
fn person_claims(person: &DevPerson) -> Map<String, Value> {
    Map::from_iter([
        ("sub".to_owned(), json!(format!("dev-{}", person.username))),
        ("preferred_username".to_owned(), json!(person.username)),
        ("name".to_owned(), json!(person.name)),
        ("email".to_owned(), json!(format!("{}@example.test", person.username))),
        ("email_verified".to_owned(), json!(true)),
        ("groups".to_owned(), json!(person.groups)),
    ])
}

fn id_claims(state: &State, person: &DevPerson, nonce: Option<&str>) -> Value {
    let now = now().as_second();
    let mut claims = person_claims(person);
    claims.extend([
        ("iss".to_owned(), json!(state.issuer)),
        ("aud".to_owned(), json!(CLIENT_ID)),
        ("azp".to_owned(), json!(CLIENT_ID)),
        ("iat".to_owned(), json!(now)),
        ("auth_time".to_owned(), json!(now)),
        ("exp".to_owned(), json!(now + ID_TOKEN_LIFE)),
    ]);
    claims.extend(nonce.map(|nonce| ("nonce".to_owned(), json!(nonce))));
    Value::Object(claims)
}

/// The userinfo endpoint (OpenID Connect Core, 5.3).
pub(super) async fn userinfo(Shared(state): Shared<Arc<State>>, headers: HeaderMap) -> Response {
    let token = headers
        .get(header::AUTHORIZATION)
        .and_then(|value| value.to_str().ok())
        .and_then(|value| value.split_once(' '))
        .filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer"))
        .map(|(_, token)| token.trim());
    let username =
        token.and_then(|token| state.with(|inner| inner.access.get_mut(token).map(|name| name.clone())));
    match username.and_then(|name| state.person(&name)) {
        Some(person) => Json(person_claims(&person)).into_response(),
        None => {
            let challenge = HeaderValue::from_static("Bearer error=\"invalid_token\"");
            (StatusCode::UNAUTHORIZED, [(header::WWW_AUTHENTICATE, challenge)]).into_response()
        }
    }
}

#[expect(clippy::disallowed_methods, reason = "the development provider lives by the machine's clock")]
fn now() -> Timestamp {
    Timestamp::now()
}
