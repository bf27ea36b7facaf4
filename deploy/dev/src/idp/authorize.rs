//! The authorization endpoint (RFC 6749, 4.1; OpenID Connect Core, 3.1) for clients on loopback, PKCE demanded.

use std::sync::Arc;

use axum::Form;
use axum::extract::{Query, State as Shared};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Redirect, Response};
use serde::Deserialize;
use url::{Host, Url};

use super::server::Csrf;
use super::state::{State, secret};
use super::token::{self, OauthError};
use super::{CLIENT_ID, pages};

/// The longest parameter.
const MAX_PARAMETER: usize = 2048;

#[derive(Debug, Deserialize)]
pub(super) struct Ask {
    client_id: Option<String>,
    redirect_uri: Option<String>,
    response_type: Option<String>,
    scope: Option<String>,
    state: Option<String>,
    nonce: Option<String>,
    code_challenge: Option<String>,
    code_challenge_method: Option<String>,
    prompt: Option<String>,
}

/// A request whose person has not been chosen yet.
#[derive(Debug)]
pub(super) struct Pending {
    redirect: Url,
    state: Option<String>,
    nonce: Option<String>,
    challenge: String,
    offline: bool,
}

/// What an authorization code stands for.
#[derive(Debug)]
pub(super) struct Code {
    pub(super) username: String,
    pub(super) redirect: String,
    pub(super) nonce: Option<String>,
    pub(super) challenge: String,
    pub(super) offline: bool,
}

#[derive(Deserialize)]
pub(super) struct Answer {
    pending: String,
    csrf: String,
    action: String,
    #[serde(default)]
    account: String,
}

/// The page where one is chosen.
pub(super) async fn ask(
    Shared(state): Shared<Arc<State>>,
    headers: HeaderMap,
    Query(ask): Query<Ask>,
) -> Response {
    // Until client and redirect are known to be good, nothing is sent anywhere.
    if ask.client_id.as_deref() != Some(CLIENT_ID) {
        return pages::refused(StatusCode::BAD_REQUEST, "This provider does not know that client.");
    }
    let Some((given, redirect)) =
        ask.redirect_uri.as_ref().and_then(|uri| Some((uri, loopback_redirect(uri)?)))
    else {
        return pages::refused(
            StatusCode::BAD_REQUEST,
            "The client wants you sent to a place that is not on this machine.",
        );
    };
    let back = |error: OauthError| send_back(&state, &redirect, ask.state.as_deref(), &error.parameters());
    if [&ask.state, &ask.nonce].into_iter().flatten().any(|text| text.len() > MAX_PARAMETER) {
        return pages::refused(StatusCode::BAD_REQUEST, "The client's request is too long.");
    }
    if ask.response_type.as_deref() != Some("code") {
        return back(OauthError::of("unsupported_response_type", "only `code` is known here"));
    }
    if !ask.scope.as_deref().unwrap_or_default().split(' ').any(|scope| scope == "openid") {
        return back(OauthError::of("invalid_scope", "the scope must contain `openid`"));
    }
    let challenge = match (&ask.code_challenge, ask.code_challenge_method.as_deref()) {
        (Some(challenge), Some("S256")) if is_challenge(challenge) => challenge.clone(),
        _ => return back(OauthError::of("invalid_request", "PKCE with `S256` is demanded (RFC 7636)")),
    };
    if ask.prompt.as_deref() == Some("none") {
        return back(OauthError::of("login_required", "nobody stays signed in here"));
    }
    let (shown, id) = (given.clone(), secret());
    let pending = Pending {
        redirect: redirect.clone(),
        state: ask.state.clone(),
        nonce: ask.nonce.clone(),
        challenge,
        offline: token::is_offline(ask.scope.as_deref()),
    };
    if state.with(|inner| inner.pending.insert(id.clone(), pending)).is_err() {
        return back(OauthError::busy());
    }
    let csrf = Csrf::of(&state, &headers);
    csrf.set(pages::choose_account(&state.people(), &shown, &id, csrf.value()))
}

/// The page's form.
pub(super) async fn answer(
    Shared(state): Shared<Arc<State>>,
    headers: HeaderMap,
    Form(form): Form<Answer>,
) -> Response {
    if !Csrf::of(&state, &headers).is_repeated(&state, &headers, &form.csrf) {
        return pages::refused(StatusCode::FORBIDDEN, token::FOREIGN_FORM);
    }
    let Some(pending) = state.with(|inner| inner.pending.take(&form.pending)) else {
        return pages::refused(
            StatusCode::GONE,
            "This page is too old; go back to where you came from and begin again.",
        );
    };
    let (redirect, client_state) = (pending.redirect.clone(), pending.state.clone());
    let back =
        |parameters: &[(&str, &str)]| send_back(&state, &redirect, client_state.as_deref(), parameters);
    if form.action != "allow" {
        return back(&OauthError::of("access_denied", "the sign-in was cancelled").parameters());
    }
    let Some(person) = state.person(&form.account) else {
        return pages::refused(StatusCode::BAD_REQUEST, "There is no such account.");
    };
    let id = secret();
    let code = Code {
        username: person.username.clone(),
        redirect: pending.redirect.to_string(),
        nonce: pending.nonce,
        challenge: pending.challenge,
        offline: pending.offline,
    };
    match state.with(|inner| inner.codes.insert(id.clone(), code)) {
        Ok(()) => back(&[("code", &id)]),
        Err(_) => back(&OauthError::busy().parameters()),
    }
}

/// Back to the client, with `state` as it came and `iss` (RFC 9207).
fn send_back(state: &State, to: &Url, client_state: Option<&str>, parameters: &[(&str, &str)]) -> Response {
    let mut url = to.clone();
    url.query_pairs_mut()
        .extend_pairs(parameters)
        .extend_pairs(client_state.map(|value| ("state", value)))
        .append_pair("iss", &state.issuer);
    Redirect::to(url.as_str()).into_response()
}

/// A redirect to this machine, any port, no fragment (RFC 8252, 7.3).
fn loopback_redirect(uri: &str) -> Option<Url> {
    let url = Url::parse(uri).ok().filter(|_| uri.len() <= MAX_PARAMETER)?;
    let here = match url.host()? {
        Host::Ipv4(address) => address.is_loopback(),
        Host::Ipv6(address) => address.is_loopback(),
        Host::Domain(name) => name == "localhost",
    };
    let plain = url.fragment().is_none() && url.username().is_empty() && url.password().is_none();
    (here && plain && matches!(url.scheme(), "http" | "https")).then_some(url)
}

/// The base64url form of a SHA-256 (RFC 7636, 4.2).
fn is_challenge(text: &str) -> bool {
    text.len() == 43 && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
}
